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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import IO, Any

from busytime.errors import ConfigurationError, FatalError
from config.home_files import make_directory, open_file
from deployments.api_password import api_password
from deployments.log_files import log_file, told_to_parts, write_rest
from deployments.prefect_server import SERVICE_LOCK, Page, address_here, keep_quiet, page_server, served_at
from deployments.serving.alarming import Alarms
from deployments.serving.deploying import POOL, ROOT, check_server, deploy, without_log_on
from deployments.serving.dispatching import Dispatcher
from deployments.serving.server_watch import ServerWatch
from deployments.serving.watching import watching
from tasks.workspace import Workspace

_LOG = logging.getLogger("busytime.serve")
_LOOK_EVERY_SECONDS = 0.5
#: A worker that was told to stop lets its runs end for so long.
_PATIENCE_SECONDS = 30.0
_TRIES = 3
_WORKER_SETTINGS = {"PREFECT_WORKER_QUERY_SECONDS": "5"}
_WORKER = "The worker"
#: So many runs a worker has at once: each is a process, and a harvest that is cut needs some for its shards.
_MOST_RUNS = "10"
_SERVER = "Prefect's server"


class ServiceEndedError(FatalError):
    """A part of the service ended by itself."""


@dataclass(frozen=True, slots=True)
class Ports:
    """What a service listens on.

    Args:
        host: Name or address for all of it.
        page: Port of Prefect's page.
        figures: Port of the figures.
        log_on: Whether the page wants a log-on though only this machine can reach it.
    """

    host: str
    page: int
    figures: int
    log_on: bool = False

    @property
    def wants_log_on(self) -> bool:
        """Whether the page and its API want a log-on.

        Raises:
            ConfigurationError: The host is none of this machine.
        """
        return self.log_on or not self.is_private

    @property
    def is_private(self) -> bool:
        """Whether only this machine can reach it.

        Raises:
            ConfigurationError: The host is none of this machine.
        """
        try:
            found = socket.getaddrinfo(self.host, None, type=socket.SOCK_STREAM)
        except OSError as error:
            raise ConfigurationError(f"--host {self.host} is no address of this machine: {error.strerror}.") from None
        return all(ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in found)


@dataclass(frozen=True, slots=True)
class Running:
    """A service that runs.

    Args:
        page: Address of Prefect's page.
        figures: Address of the figures.
        parts: Its processes, by name.
        server: Tells whether Prefect's server answers.
    """

    page: str
    figures: str
    parts: "Mapping[str, subprocess.Popen[Any]]"
    server: ServerWatch

    def wait(self, stopping: threading.Event) -> None:
        """Wait until somebody wants it to stop.

        Raises:
            ServiceEndedError: A part of it ended by itself, or hangs.
        """
        while not stopping.wait(_LOOK_EVERY_SECONDS):
            if self.server.is_lost and _SERVER in self.parts:
                raise ServiceEndedError("Prefect's server has not answered for minutes: start `busytime serve` again.")
            for name, process in self.parts.items():
                if process.poll() is not None:
                    said = f"{name} ended with status {process.returncode}; see the logs in BUSYTIME_HOME/prefect"
                    raise ServiceEndedError(f"{said}, and start `busytime serve` again.")


@contextmanager
def service(office: Workspace, ports: Ports, stopping: threading.Event) -> Iterator[Running]:
    """Start server, deployments, worker and the look for work; end all of them afterwards.

    Where the user has named a Prefect server by `PREFECT_API_URL`, the service joins it and starts none.

    Args:
        office: The opened home.
        ports: What it listens on.
        stopping: Set when it is to stop.

    Raises:
        ConfigurationError: It runs already, a port is taken, the named server cannot be used, or an alarm's receiver is none.
        FatalError: A part of it did not start.
    """
    home = office.settings.home / "prefect"
    make_directory(home)
    ports.is_private  # noqa: B018 -- tells now whether the host is one of this machine's
    if ports.page == ports.figures:
        raise ConfigurationError(f"--port and --metrics-port are both {ports.page}: choose another one for either.")
    alarms = Alarms(office)
    os.environ.update(told_to_parts(office.settings))
    with ExitStack() as parts:
        parts.callback(write_rest)
        say_where = parts.enter_context(_alone(office.settings.home))
        processes: dict[str, subprocess.Popen[Any]] = {}
        servers: list[ServerWatch] = []
        parts.enter_context(watching(office, ports.host, ports.figures, partial(_takes_runs, processes, servers)))
        page = parts.enter_context(_joined(home) if "PREFECT_API_URL" in os.environ else _own_server(home, ports, processes))
        say_where(page)
        deploy(office.settings, home / "deploy.log")
        processes[_WORKER] = parts.enter_context(_worker(home / "worker.log"))
        servers.append(ServerWatch(page))
        for looks in (Dispatcher(office).run, alarms.run, servers[0].run):
            looking = threading.Thread(target=looks, args=(stopping,), name=looks.__qualname__)
            looking.start()
            parts.callback(looking.join)
        parts.callback(stopping.set)
        yield Running(page, address_here(ports.host, ports.figures), processes, servers[0])


def _takes_runs(processes: "Mapping[str, subprocess.Popen[Any]]", servers: Sequence[ServerWatch]) -> bool:
    live = _WORKER in processes and all(process.poll() is None for process in processes.values())
    return live and all(server.answers for server in servers)


@contextmanager
def _own_server(home: Path, ports: Ports, processes: "dict[str, subprocess.Popen[Any]]") -> Iterator[str]:
    page = Page(ports.host, ports.page, api_password(home) if ports.wants_log_on else None)
    _check_free(page)
    with page_server(home, page) as process:
        processes[_SERVER] = process
        yield page.url


@contextmanager
def _joined(home: Path) -> Iterator[str]:
    keep_quiet(home)
    check_server()
    yield without_log_on(os.environ["PREFECT_API_URL"]).rstrip("/").removesuffix("/api")


@contextmanager
def _alone(home: Path) -> Iterator[Callable[[str], None]]:
    """Hold the home's service lock, and yield what says in it where the page is; commands look there.

    Raises:
        ConfigurationError: Another one holds it, or it cannot be opened.
    """
    with open_file(home / SERVICE_LOCK, "a+") as lock:
        if not _held(lock):
            where = served_at(home) or "an address that it has not said yet"
            raise ConfigurationError(f"busytime serves this home already, at {where}: open it there, or stop it first.")
        lock.truncate(0)

        def say_where(page: str) -> None:
            lock.write(json.dumps({"page": page}))
            lock.flush()

        yield say_where
        lock.truncate(0)


def _held(lock: IO[str]) -> bool:
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
    family = socket.AF_INET6 if ":" in page.host else socket.AF_INET
    try:
        socket.create_server((page.host, page.port), family=family).close()
    except OSError as error:
        raise ConfigurationError(
            f"Port {page.port} of {page.host} cannot be used: {error.strerror}. Choose another one with --port."
        ) from None


@contextmanager
def _worker(log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a worker on a leash."""
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL, "--type", "process", "--limit", _MOST_RUNS]
    with log_file(log) as output:
        process = subprocess.Popen(  # noqa: S603 -- this very interpreter and module
            [sys.executable, "-m", "deployments.serving.leash", *command],
            cwd=ROOT,
            env=_WORKER_SETTINGS | os.environ | {"BUSYTIME_ROOT": str(ROOT)},
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
