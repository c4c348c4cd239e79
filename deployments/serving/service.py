"""The service of one machine: a process tree that starts together, and of which nothing stays when any part of it ends."""

import fcntl
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from busytime.errors import ConfigurationError, FatalError
from deployments.prefect_server import SERVICE_LOCK, Page, prefect_server, served_at
from deployments.serving.deploying import POOL, ROOT, deploy
from deployments.serving.dispatching import Dispatcher
from deployments.serving.watching import watching
from tasks.workspace import Workspace

_LOG = logging.getLogger("busytime.serve")
_LOOK_EVERY_SECONDS = 0.5
#: A worker that was told to stop lets its runs end for so long.
_PATIENCE_SECONDS = 30.0
_TRIES = 3


class ServiceEndedError(FatalError):
    """A part of the service ended by itself."""


@dataclass(frozen=True, slots=True)
class Running:
    """A service that runs.

    Args:
        page: Address of Prefect's page.
        metrics: Address of the figures.
        worker: The worker's process.
    """

    page: str
    metrics: str
    worker: "subprocess.Popen[bytes]"

    def wait(self, stopping: threading.Event) -> None:
        """Wait until somebody wants it to stop.

        Raises:
            ServiceEndedError: A part of it ended by itself.
        """
        while not stopping.wait(_LOOK_EVERY_SECONDS):
            if self.worker.poll() is not None:
                raise ServiceEndedError(f"The worker ended with status {self.worker.returncode}; start `busytime serve` again.")


@contextmanager
def service(office: Workspace, page: Page, metrics_port: int, stopping: threading.Event) -> Iterator[Running]:
    """Start server, deployments, worker and the look for work; end all of them afterwards.

    Args:
        office: The opened home.
        page: Where the server shows its page.
        metrics_port: Where figures are.
        stopping: Set when it is to stop.

    Raises:
        ConfigurationError: It runs already, or the port is taken.
        FatalError: A part of it did not start.
    """
    home = office.settings.home / "prefect"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as parts:
        say_where = parts.enter_context(_alone(office.settings.home))
        _check_free(page)
        parts.enter_context(prefect_server(home, page=page))
        say_where(page)
        deploy(office.settings, home / "deploy.log")
        worker = parts.enter_context(_worker(home / "worker.log"))
        looking = threading.Thread(target=Dispatcher(office).run, args=(stopping,), name="look-for-work")
        looking.start()
        parts.callback(looking.join)
        parts.callback(stopping.set)
        watched = parts.enter_context(watching(office, page.host, metrics_port, lambda: worker.poll() is None))
        yield Running(page.url, f"http://{page.host}:{watched}/metrics", worker)


@contextmanager
def _alone(home: Path) -> Iterator[Callable[[Page], None]]:
    """Hold the home's service lock, and yield what says in it where the page is; commands look there.

    Raises:
        ConfigurationError: Another one holds it.
    """
    with (home / SERVICE_LOCK).open("a+", encoding="utf-8") as lock:
        if not _held(lock):
            where = served_at(home) or "an address that it has not said yet"
            raise ConfigurationError(f"busytime serves this home already, at {where}: open it there, or stop it first.")
        lock.truncate(0)

        def say_where(page: Page) -> None:
            lock.write(json.dumps({"page": page.url}))
            lock.flush()

        yield say_where
        lock.truncate(0)


def _held(lock: TextIO) -> bool:
    """Take the lock; a command that only looks holds it for an instant."""
    for _ in range(_TRIES):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_LOOK_EVERY_SECONDS)
        else:
            return True
    return False


def _check_free(page: Page) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((page.host, page.port))
        except OSError as error:
            raise ConfigurationError(
                f"Port {page.port} of {page.host} cannot be used: {error.strerror}. Choose another one with --port."
            ) from None


@contextmanager
def _worker(log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a worker on a leash."""
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL, "--type", "process"]
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 -- this very interpreter and module
            [sys.executable, "-m", "deployments.serving.leash", *command],
            cwd=ROOT,
            env=os.environ | {"BUSYTIME_ROOT": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C goes to the parent alone, which then ends it
        )
    try:
        yield process
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
