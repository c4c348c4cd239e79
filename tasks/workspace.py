"""The workspace: what a process needs to work, put together from the settings.

The one place where settings, key, database and server adapter meet. It must not know Prefect.
"""

import fcntl
import getpass
import os
import platform
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial

from busytime.connecting import Desk, open_breaker, open_secret
from busytime.errors import AuthenticationError, ConfigurationError, NoConnectionError
from busytime.ews.gateway import EWSCalendarGateway
from busytime.model import Breaker, Endpoint, Secret
from busytime.ports import CalendarGateway, Clock, RequestGuard
from busytime.signing_in import BreakerGuard, LockoutPolicy, PersonalAttempt
from busytime.store.connections import StoredConnection
from busytime.store.database import check_version, current_version, open_engine, upgrade
from busytime.store.unit_of_work import Store
from busytime.vault import Vault
from config.settings import Settings, load_settings
from tasks.keys import load_keys


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present instant in aware UTC."""
        return datetime.now(UTC)


@dataclass
class Workspace:
    """An opened home: settings, database and vault, and the gateways opened so far."""

    settings: Settings
    desk: Desk
    _gateways: dict[tuple[int, int | None], CalendarGateway] = field(default_factory=dict)
    _opening: threading.Lock = field(default_factory=threading.Lock)

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
            for connection in unit.connections.all_open():
                if connection.id == connection_id:
                    return connection
        raise NoConnectionError("The connection was ended in the meantime: run `busytime connect EMAIL`.")

    def gateway(self, connection: StoredConnection) -> CalendarGateway:
        """Return the server as a connection sees it: one gateway for each version of its secret in this process."""
        key = (connection.id, connection.credential_version)
        with self._opening:
            if key not in self._gateways:
                secret = open_secret(self.desk, connection)
                self._gateways[key] = self.open_gateway(connection.endpoint, secret, self._guard(connection))
            return self._gateways[key]

    def open_gateway(self, endpoint: Endpoint, secret: Secret, guard: RequestGuard | None = None) -> CalendarGateway:
        """Return the server as a secret sees it; without a guard it is a person's own try, past the breaker."""
        return EWSCalendarGateway(
            endpoint,
            secret,
            guard or PersonalAttempt(),
            request_deadline_seconds=self.settings.request_deadline_seconds,
            max_answer_bytes=self.settings.max_answer_bytes,
            max_connections=self.in_flight,
        )

    @property
    def in_flight(self) -> int:
        """Requests at once: never more than refused log-ons that the machine may cause."""
        return max(1, min(self.settings.basic_in_flight, self.desk.policy.machine_share))

    def _guard(self, connection: StoredConnection) -> BreakerGuard:
        def is_open() -> bool:
            with self.store.read() as unit:
                return unit.connections.breaker(connection.id) is Breaker.OPEN

        def on_refusal(_error: AuthenticationError) -> None:
            open_breaker(self.desk, connection)

        def pause_left() -> float:
            with self.store.read() as unit:
                until = unit.connections.back_off_until(connection.id)
            return (until - self.clock.now()).total_seconds() if until else 0.0

        return BreakerGuard(is_open, on_refusal, self.in_flight, pause_left)

    def close(self) -> None:
        """Close every connection to servers and to the database."""
        for gateway in self._gateways.values():
            gateway.close()
        self._gateways.clear()
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
    """
    settings = settings or load_settings()
    clock = clock or SystemClock()
    try:
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"BUSYTIME_HOME {settings.home} cannot be made: {error.strerror}.") from None
    return Workspace(settings, _open_desk(settings, clock, upgrading=upgrading))


def _open_desk(settings: Settings, clock: Clock, *, upgrading: bool) -> Desk:
    with ExitStack() as on_error:
        engine = open_engine(settings.database_address)
        on_error.callback(engine.dispose)
        with _alone(settings):
            version = current_version(engine)
            vault = Vault(load_keys(settings, making=version is None), reload=partial(load_keys, settings))
            if version is None or upgrading:
                upgrade(engine)
        check_version(engine)
        store = Store(engine, vault, clock)
        store.make_installation()
        store.audit_key  # noqa: B018 -- proves now, not in the middle of a run, that the key is this database's
        on_error.pop_all()
    policy = LockoutPolicy(settings.lockout_threshold, settings.lockout_window)
    return Desk(store, vault, clock, policy, f"{_user()}@{platform.node()}".lower())


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that has no name
        return f"uid{os.getuid()}"


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Let one process at a time make the home ready."""
    try:
        with (settings.home / "ready.lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise ConfigurationError(f"BUSYTIME_HOME {settings.home} cannot be written: {error.strerror}.") from None


@cache
def workspace() -> Workspace:
    """Return this process's workspace, opened once."""
    return open_workspace()
