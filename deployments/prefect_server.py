"""A Prefect server for one process: it starts with it and ends with it, however that ends.

Run as a module it serves on a free port of the loopback interface, says the address in one line, and stops when its
standard input closes: the system closes it when the parent dies, also by a signal that nobody can catch.
"""

import fcntl
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from busytime.errors import ConfigurationError, FatalError
from config.home_files import make_directory, open_file
from deployments.api_password import api_password, password_file
from deployments.log_files import log_file

#: Prefect's settings for working alone and offline; what the user has set stays.
QUIET_SETTINGS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_CLI_PROMPT": "false",
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
    # A lease that a killed server forgets would keep its deployment from running for ever.
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    # Two weeks: what the page shows is for looking into what went wrong lately; the history is in our own tables.
    "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": "1209600",
}
_SERVER_ONLY = {
    "PREFECT_UI_ENABLED": "false",
    "PREFECT__SERVER_FINAL": "1",
}
#: Without its schedules and clean-ups; the vacuum of old flow runs is one of these.
_NO_SERVICES = {"PREFECT__SERVER_EPHEMERAL": "1"}
#: A server that was told to stop finishes what it does within so long.
_PATIENCE_SECONDS = 30.0


class PrefectServerError(FatalError):
    """There is no Prefect server to run a flow with."""


@dataclass(frozen=True, slots=True)
class Page:
    """Where a server shows its page.

    Args:
        host: What it listens on.
        port: Where.
        password: The log-on that its API demands, as Prefect takes it; none on a page that only this machine sees.
    """

    host: str
    port: int
    password: str | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Its address for this machine."""
        return address_here(self.host, self.port)

    @property
    def settings(self) -> dict[str, str]:
        """What the server has to be told."""
        said = {
            "PREFECT_UI_ENABLED": "true",
            "PREFECT_SERVER_API_HOST": self.host,
            "PREFECT_SERVER_API_PORT": str(self.port),
            "BUSYTIME_PREFECT_PAGE": f"{self.host} {self.port}",
        }
        if self.host in _THIS_MACHINE:  # the page is seen under many names, and asks the API under the same
            said["PREFECT_UI_API_URL"] = os.environ.get("PREFECT_UI_API_URL", "/api")
        return said | ({"PREFECT_SERVER_API_AUTH_STRING": self.password} if self.password else {})


#: Under these names a server listens on all addresses; this machine finds it under its own.
_THIS_MACHINE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- a name to look up, nothing listens on it here


def address_here(host: str, port: int) -> str:
    """Return under which address this machine finds what listens on a host and port."""
    return f"http://{_bracketed(_THIS_MACHINE.get(host, host))}:{port}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


#: In the home: held by the service that serves it, and says where.
SERVICE_LOCK = "serve.lock"


def served_at(home: Path) -> str | None:
    """Return the address of the page of the service that serves a home; ``None`` where none does, or has not begun yet."""
    try:
        with open_file(home / SERVICE_LOCK, "r") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return str(json.loads(lock.read())["page"])
    except (ConfigurationError, OSError, ValueError, KeyError):
        return None
    return None


def server_at_hand(home: Path) -> dict[str, str]:
    """Return the settings that name a Prefect server which runs already; none where there is none.

    Args:
        home: Directory of Prefect's data.

    Raises:
        ConfigurationError: The password of its API cannot be used.
    """
    if url := os.environ.get("PREFECT_API_URL"):
        return {"PREFECT_API_URL": url}
    page = served_at(home.parent)
    if page is None:
        return {}
    return client_settings(page, api_password(home) if password_file(home).exists() else None)


def client_settings(page: str, password: str | None) -> dict[str, str]:
    """Return what who uses a server has to be told."""
    return {"PREFECT_API_URL": f"{page}/api"} | ({"PREFECT_API_AUTH_STRING": password} if password else {})


@contextmanager
def prefect_server(home: Path, *, services: bool = False) -> Iterator[str]:
    """Give this process and its children a Prefect server, and yield the address of its API.

    A server that the user has named by `PREFECT_API_URL`, or that `busytime serve` runs for this home, is used as it is. Must
    be entered before Prefect is imported.

    Args:
        home: Directory of Prefect's data.
        services: Start all its services, too; as soon as it is up it then removes its own flow runs that are old.

    Raises:
        PrefectServerError: The server did not start.
        ConfigurationError: The password of its API, or the home itself, cannot be used.
    """
    keep_quiet(home)
    if at_hand := server_at_hand(home):
        with told(at_hand):
            yield at_hand["PREFECT_API_URL"]
        return
    with _started(home, {} if services else _NO_SERVICES) as (url, _), told({"PREFECT_API_URL": url}):
        yield url


def keep_quiet(home: Path) -> None:
    """Let this process's Prefect work alone and offline; what the user has set stays.

    Args:
        home: Directory of Prefect's data; made if needed.

    Raises:
        ConfigurationError: It cannot be made.
    """
    make_directory(home)
    os.environ.update({name: value for name, value in QUIET_SETTINGS.items() if name not in os.environ})
    os.environ.setdefault("PREFECT_HOME", str(home))


@contextmanager
def page_server(home: Path, page: Page) -> Iterator[subprocess.Popen[str]]:
    """Run a server that shows its page, with all its services, and yield its process.

    Args:
        home: Directory of Prefect's data.
        page: Where it shows its page.

    Raises:
        PrefectServerError: The server did not start.
    """
    keep_quiet(home)
    with _started(home, page.settings) as (_, process), told(client_settings(page.url, page.password)):
        yield process


@contextmanager
def _started(home: Path, settings: Mapping[str, str]) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    with log_file(home / "server.log") as log:
        process = subprocess.Popen(  # noqa: S603 -- this very interpreter and module
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, **_SERVER_ONLY, **settings},
            text=True,
            start_new_session=True,  # Ctrl-C goes to the parent alone, which then ends the server
        )
    try:
        yield _address(process, home), process
    finally:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    try:
        process.communicate(timeout=_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:  # it hangs
        process.kill()
        process.communicate()


@contextmanager
def told(settings: Mapping[str, str]) -> Iterator[None]:
    """Let Prefect know the server, and forget it again if the user had not named it."""
    new = {name: value for name, value in settings.items() if os.environ.get(name) != value}
    before = {name: os.environ.get(name) for name in new}
    os.environ.update(new)
    try:
        yield
    finally:
        if new:
            _send_what_waits()
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def _send_what_waits() -> None:
    """Let Prefect send its last logs and events while the server is still there."""
    if "prefect" in sys.modules:
        from prefect.events.worker import EventsWorker  # noqa: PLC0415 -- only where Prefect was used
        from prefect.logging.handlers import APILogWorker  # noqa: PLC0415 -- as above

        APILogWorker.drain_all()
        EventsWorker.drain_all()


def _address(process: subprocess.Popen[str], home: Path) -> str:
    # Servers on one home start one after another: two at once would both make its database.
    with open_file(home / "start.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if process.stdin is None or process.stdout is None:
            raise PrefectServerError("The pipes to Prefect's server are missing.")
        process.stdin.write("start\n")
        process.stdin.flush()
        line = process.stdout.readline().strip()
    if not line:
        raise PrefectServerError(f"Prefect's server did not start: see {home / 'server.log'}.")
    return line


def main() -> None:
    """Serve until standard input closes."""
    if not sys.stdin.readline():
        return
    import uvicorn  # noqa: PLC0415 -- only once it is this process's turn: starting costs seconds
    from prefect.server.api.server import create_app  # noqa: PLC0415

    from deployments.page_guard import PageGuard  # noqa: PLC0415

    host, port = os.environ.get("BUSYTIME_PREFECT_PAGE", "127.0.0.1 0").split()
    guarded = PageGuard(create_app(), demands_log_on=bool(os.environ.get("PREFECT_SERVER_API_AUTH_STRING")))
    server = uvicorn.Server(uvicorn.Config(guarded, host=host, port=int(port), log_level="error", lifespan="on"))

    def watch() -> None:
        while not server.started and not server.should_exit:
            threading.Event().wait(0.05)
        try:
            if server.started:
                bound = server.servers[0].sockets[0].getsockname()[1]
                sys.stdout.write(f"http://{_bracketed(host)}:{bound}/api\n")
                sys.stdout.flush()
            sys.stdin.read()
        finally:
            server.should_exit = True  # also when the parent died while this was starting

    threading.Thread(target=watch, daemon=True).start()
    server.run()


if __name__ == "__main__":
    main()
