"""Several machines as processes of one: a Prefect server, workers that can be killed as if their machine died, and figures.

Where it may, a worker gets a host name of its own: then no process looks for another one's in the list of processes, and
only the database tells who lives, as between real machines.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from deployments.prefect_server import QUIET_SETTINGS
from deployments.serving.deploying import POOL, ROOT
from tests.flows.harness import Home, eventually
from tests.proofs.debian_postgresql import DebianPostgreSQL, free_port

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


@dataclass(frozen=True)
class PrefectServer:
    """A Prefect server as a process."""

    url: str
    process: subprocess.Popen[bytes]
    log_on: str | None = None

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call its API."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        if self.log_on:
            headers["Authorization"] = f"Basic {b64encode(self.log_on.encode()).decode()}"
        request = urllib.request.Request(f"{self.url}{path}", data, headers, method=method)  # noqa: S310 -- loopback
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 -- loopback
            return json.loads(answer.read() or "null")

    @property
    def cpu_seconds(self) -> float:
        return sum(map(cpu_seconds, tree(self.process.pid)))

    def deploy(self) -> None:
        """Make the deployments, and let no schedule begin a run by itself."""
        deploy(self.url)
        for deployment in self.call("POST", "/deployments/filter", {}):
            self.call("PATCH", f"/deployments/{deployment['id']}", {"paused": True})

    def begin_harvest(self, **options: Any) -> str:
        """Start a run of the harvest's deployment, and return its id."""
        deployment = self.call("GET", "/deployments/name/harvest_busy_time/harvest")
        body = {"parameters": {"options": {"trigger": "manual", **options}}, "state": {"type": "SCHEDULED"}}
        return str(self.call("POST", f"/deployments/{deployment['id']}/create_flow_run", body)["id"])

    def state_of(self, flow_run: str) -> dict[str, Any]:
        state: dict[str, Any] = self.call("GET", f"/flow_runs/{flow_run}")["state"]
        return state

    def ended(self, flow_run: str, seconds: float) -> dict[str, Any]:
        """Wait for a run's end, and return its state."""
        eventually(lambda: self.state_of(flow_run)["type"] in _FINAL, f"flow run {flow_run} ends", seconds)
        return self.state_of(flow_run)


def deploy(url: str) -> None:
    """Make the work pool and all deployments as an admin does, who is asked nothing."""
    own = {"PREFECT_API_URL": url, "BUSYTIME_ROOT": str(ROOT), "PYTHONPATH": str(ROOT)}
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]} | QUIET_SETTINGS | own
    for arguments in (
        ["work-pool", "create", POOL, "--type", "process", "--overwrite"],
        ["--no-prompt", "deploy", "--all", "--prefect-file", str(ROOT / "deployments" / "prefect.yaml")],
    ):
        subprocess.run(
            [sys.executable, "-m", "prefect", *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=180,
        )


@contextmanager
def prefect_server(directory: Path, database: DebianPostgreSQL | None, **settings: str) -> Iterator[PrefectServer]:
    """Run a Prefect server on a free port of loopback.

    Args:
        directory: Where it keeps what it has.
        database: The server that has its database; ``None`` for SQLite.
        settings: What else it is told.
    """
    port = free_port()
    own = settings | {
        "PREFECT_HOME": str(directory),
        "PREFECT_SERVER_API_HOST": "127.0.0.1",
        "PREFECT_SERVER_API_PORT": str(port),
    }
    if database:
        address = f"postgresql+asyncpg://prefect@127.0.0.1:{database.port}/prefect"
        own |= {"PREFECT_SERVER_DATABASE_CONNECTION_URL": address, "PGPASSFILE": str(database.passwords)}
    directory.mkdir(parents=True, exist_ok=True)
    with start_process([sys.executable, "-m", "prefect", "server", "start"], directory, own) as process:
        server = PrefectServer(f"http://127.0.0.1:{port}/api", process)
        eventually(lambda: answers(f"{server.url}/health"), "Prefect's server answers", 120)
        yield server


def answers(url: str) -> bool:
    """Tell whether all is well at an address."""
    with suppress(OSError), urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 -- loopback
        return bool(answer.status == HTTPStatus.OK)
    return False


@dataclass
class Machine:
    """A machine on which a worker runs.

    Args:
        name: Its host name.
        process: The worker.
    """

    name: str
    process: subprocess.Popen[bytes]

    def runs(self, process_id: int) -> bool:
        """Tell whether a process lives that this machine started."""
        return process_id in tree(self.process.pid)

    def die(self) -> None:
        """Kill the worker and all that it started, as if somebody had pulled the plug."""
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGSTOP)  # it starts nothing more meanwhile
        for process_id in tree(self.process.pid):
            with suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGKILL)
        self.process.wait()


@contextmanager
def machine(name: str, home: Home, server: PrefectServer, *, limit: int = 4) -> Iterator[Machine]:
    """Run a worker on a machine of its own.

    Args:
        name: Its host name.
        home: Whose database and key it uses.
        server: What tells it what to do.
        limit: How many runs at once.
    """
    own_home = home.directory / name
    own_home.mkdir(exist_ok=True)
    settings = home.environment | {"BUSYTIME_HOME": str(own_home), "BUSYTIME_KEY_FILE": str(home.path / "key")}
    settings |= {"PREFECT_HOME": str(own_home / "prefect"), "PREFECT_API_URL": server.url, "BUSYTIME_ROOT": str(ROOT)}
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL, "--type", "process", "--name", name]
    with start_process([*_with_host_name(name), *command, "--limit", str(limit)], own_home, settings) as process:
        yield Machine(name, process)


def _with_host_name(name: str) -> Sequence[str]:
    """Return what gives a command a host name of its own, where we may."""
    if os.geteuid() or not shutil.which("unshare"):
        return ()
    return ("unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', name)


@contextmanager
def start_process(command: Sequence[str], directory: Path, settings: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command with a log beside it; all that it started ends with the block."""
    with (directory / "process.log").open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env={"PATH": os.environ["PATH"], "HOME": str(directory)} | QUIET_SETTINGS | settings,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
        Machine("", process).die()


def tree(process_id: int) -> list[int]:
    """Return a process and all that come from it, as far as their parents live."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = int(fields[1])
    found = [process_id]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def cpu_seconds(process_id: int) -> float:
    """Return what a process has used of the processors, its ended children included."""
    try:
        fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / _TICKS_A_SECOND
