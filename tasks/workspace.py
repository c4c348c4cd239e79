"""The workspace: what a process needs to work, put together from the settings.

The one place where settings, key, database and server adapter meet. It must not know Prefect.
"""

import fcntl
import getpass
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path

from busytime import __version__
from busytime.claiming import Desk
from busytime.connecting import open_secret
from busytime.errors import AuthenticationError, ConfigurationError, NoConnectionError, Reason
from busytime.guarding import ClaimedAttempt, ConnectionGuard
from busytime.model import AuthType, Endpoint, Secret
from busytime.permits import PermitLine
from busytime.ports import CalendarGateway, Clock, RequestGuard, ServerFinder
from busytime.probing import check_may_send, note_refusal, probe
from busytime.signing_in import LockoutPolicy, Uptime
from busytime.store.connections import StoredConnection
from busytime.store.database import Upgrade, check_version, current_version, open_engine, upgrade
from busytime.store.locks import SILENT_HOLDER, this_boot
from busytime.store.permit_book import StoredPermitBook
from busytime.store.place import memory_path
from busytime.store.unit_of_work import Store
from busytime.store.versions import UPGRADED
from busytime.vault import Vault
from config.home_files import make_directory, open_file
from config.settings import Settings, load_settings
from tasks.announcing import Happening, announce
from tasks.keys import load_keys
from tasks.stopping import pause

#: Connections to one server at once where a request is no log-on: more than the threads that read.
_CONNECTIONS = 4


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present instant in aware UTC."""
        return datetime.now(UTC)

    def uptime(self) -> Uptime | None:
        """Return how long this machine has been up."""
        if not hasattr(time, "CLOCK_BOOTTIME"):
            return None
        return Uptime(this_boot(), timedelta(seconds=time.clock_gettime(time.CLOCK_BOOTTIME)))


@dataclass
class Workspace:
    """An opened home: settings, database and vault, what was done to its tables, and the gateways opened so far."""

    settings: Settings
    desk: Desk
    upgrade: Upgrade | None = None
    _gateways: dict[tuple[int, int | None], CalendarGateway] = field(default_factory=dict)
    _opened: list[CalendarGateway] = field(default_factory=list)
    _lines: dict[int, PermitLine] = field(default_factory=dict)
    _opening: threading.RLock = field(default_factory=threading.RLock)

    @property
    def store(self) -> Store:
        """The database."""
        return self.desk.store

    @property
    def clock(self) -> Clock:
        """Tells the time."""
        return self.desk.clock

    def connection(self, connection_id: int) -> StoredConnection:
        """Return an open connection.

        Raises:
            NoConnectionError: It was disconnected.
        """
        with self.store.read() as unit:
            connection = unit.connections.find(connection_id)
        if connection is None:
            text = "The connection was ended in the meantime: run `busytime connect EMAIL`."
            raise NoConnectionError(text, reason=Reason.DISCONNECTED)
        return connection

    def log_on(
        self, connection: StoredConnection, run_id: int | None = None, sleep: Callable[[float], None] = time.sleep
    ) -> CalendarGateway:
        """Let the machine log on once, and return the server as `gateway` does from now on.

        It takes new connections to the server: on an old one an NTLM server asks for no password again, and a token
        outlives its secret, so that an answer would prove nothing.

        Raises:
            BusyTimeError: As `probe` says.
        """
        gateway = self._renewed_gateway(connection)
        probe(self.desk, connection, gateway, partial(self.gateway_past_breaker, connection), run_id, sleep)
        return gateway

    def gateway(self, connection: StoredConnection) -> CalendarGateway:
        """Return the server as a connection sees it: one gateway for each version of its secret in this process."""
        with self._opening:
            found = self._gateways.get((connection.id, connection.credential_version))
            return found or self._renewed_gateway(connection)

    def _renewed_gateway(self, connection: StoredConnection) -> CalendarGateway:
        with self._opening:
            gateway = self.open_gateway(connection.endpoint, open_secret(self.desk, connection), self._guard(connection))
            self._opened.append(gateway)  # another thread may still be asking through the one before: closed at the end
            self._gateways[(connection.id, connection.credential_version)] = gateway
        return gateway

    def gateway_past_breaker(self, connection: StoredConnection) -> CalendarGateway:
        """Return the server for one log-on that was claimed by itself, with the stored secret."""
        return self.open_gateway(connection.endpoint, open_secret(self.desk, connection))

    def open_gateway(self, endpoint: Endpoint, secret: Secret, guard: RequestGuard | None = None) -> CalendarGateway:
        """Return the server as a secret sees it; without a guard its log-on has to be claimed by itself."""
        from busytime.ews import EWSCalendarGateway  # noqa: PLC0415 -- its library is slow to import, and most commands ask no server

        basic = endpoint.auth_type is AuthType.BASIC
        return EWSCalendarGateway(
            endpoint,
            secret,
            guard or ClaimedAttempt(),
            request_deadline_seconds=self.settings.request_deadline_seconds,
            max_answer_bytes=self.settings.max_answer_bytes,
            max_connections=self.in_flight if basic else _CONNECTIONS,
        )

    def find_servers(self, ca_pem: str | None) -> ServerFinder:
        """Return what finds an account's server.

        Args:
            ca_pem: The private authority that is trusted in the public ones' stead.
        """
        from busytime.ews import EWSServerFinder  # noqa: PLC0415 -- as above

        return EWSServerFinder(ca_pem, request_deadline_seconds=self.settings.request_deadline_seconds)

    @property
    def in_flight(self) -> int:
        """Log-ons at once: never more than refused ones that the machine may cause."""
        return max(1, min(self.settings.basic_in_flight, self.desk.policy.machine_share))

    def _guard(self, connection: StoredConnection) -> ConnectionGuard:
        return ConnectionGuard(
            partial(check_may_send, self.desk, connection),
            self._line(connection.id).place,
            partial(self._note_refusal, connection),
        )

    def _note_refusal(self, connection: StoredConnection, error: AuthenticationError) -> None:
        if note_refusal(self.desk, connection, error):
            announce(Happening.BREAKER_OPENED, f"connection.{connection.id}")

    def _line(self, connection_id: int) -> PermitLine:
        if connection_id not in self._lines:
            silent = max(SILENT_HOLDER, timedelta(seconds=2 * self.settings.request_deadline_seconds))
            book = StoredPermitBook(self.store, self.clock, connection_id, self.in_flight, silent)
            self._lines[connection_id] = PermitLine(book, self.in_flight, pause)
        return self._lines[connection_id]

    def remember(self) -> None:
        """Remember how new the database is, so that an older one in its place is noticed."""
        self.store.remember(memory_path(self.settings.database_address, self.settings.home))

    def close(self) -> None:
        """Close every connection to servers and to the database."""
        for gateway in self._opened:
            gateway.close()
        self._opened.clear()
        self._gateways.clear()
        for line in self._lines.values():
            line.close()
        self._lines.clear()
        self.store.dispose()


def open_workspace(settings: Settings | None = None, clock: Clock | None = None, *, upgrading: bool = False) -> Workspace:
    """Open the home, and make an empty one ready: key file, database at head, installation.

    Args:
        settings: Default: read from file and environment.
        clock: Default: the machine's.
        upgrading: Bring an older database to the newest version instead of refusing it.

    Raises:
        ConfigurationError: The home or the database cannot be used; or it is older or newer than the code.
        KeyMissingError: The key is missing, cannot be trusted, or is not this database's.
        RunsAtWorkError: The tables cannot be upgraded now.
        UpgradeFailedError: They could not be upgraded, and are as they were.
    """
    settings = settings or load_settings()
    clock = clock or SystemClock()
    make_directory(settings.home, "BUSYTIME_HOME")
    return _open(settings, clock, upgrading=upgrading)


def _open(settings: Settings, clock: Clock, *, upgrading: bool) -> Workspace:
    with ExitStack() as on_error:
        if settings.database_url is None:
            _make_private(settings.home / "busytime.db")
        engine = open_engine(settings.database_address)
        on_error.callback(engine.dispose)
        with _alone(settings):
            version = current_version(engine)
            vault = Vault(load_keys(settings, making=version is None), reload=partial(load_keys, settings))
            done = upgrade(engine, clock.now()) if version is None or upgrading else None
        check_version(engine)
        store = Store(engine, vault, clock)
        store.make_installation()
        store.audit_key  # noqa: B018 -- proves now, not in the middle of a run, that the key is this database's
        actor = f"{_user()}@{platform.node()}".lower()
        store.settle_place(memory_path(settings.database_address, settings.home), actor)
        on_error.pop_all()
    policy = LockoutPolicy(settings.lockout_threshold, settings.lockout_window)
    desk = Desk(store, vault, clock, policy, actor)
    if done is not None and done.before not in {None, done.after}:
        _note_upgrade(desk, done)
    return Workspace(settings, desk, done)


def _note_upgrade(desk: Desk, done: Upgrade) -> None:
    """Write down who upgraded the tables and by which busytime: an older one names it to whom it refuses."""
    with desk.store.write() as unit:
        actor_id = unit.owners.id(desk.actor)
    desk.store.append_event(UPGRADED, actor_id, {"from": done.before, "to": done.after, "code_version": __version__})


def _make_private(path: Path) -> None:
    """Make a file that nobody else can read, whatever the directory allows; what SQLite writes beside it is like it."""
    with suppress(OSError):  # it is there already; or it cannot be made, which whoever opens it next will say
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that has no name
        return f"uid{os.getuid()}"


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Let one process at a time make the home ready."""
    try:
        with open_file(settings.home / "ready.lock", "a", "In BUSYTIME_HOME the file") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise ConfigurationError(f"BUSYTIME_HOME {settings.home} cannot be written: {error.strerror}.") from None


@cache
def workspace() -> Workspace:
    """Return this process's workspace, opened once."""
    return open_workspace()
