"""Opening and ending connections: a person's one try with a new secret, and the end of what is stored of it."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from busytime.claiming import Desk, a_persons_logon, note_refused
from busytime.errors import AuthenticationError, BusyTimeError, ConfigurationError, KeyMissingError, NoConnectionError
from busytime.model import ConnectionMode, Endpoint, LogonBy, RequestKind, Secret
from busytime.ports import CalendarGateway
from busytime.store.connections import StoredConnection, secret_identity
from busytime.store.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection that was just opened.

    Args:
        connection: As it is stored.
        again: Whether the account was connected already, and now is in another way.
        holds_items: Whether the account's own calendar holds items; a dedicated mailbox should be empty. ``None`` where
            nobody looked, or the server did not tell.
    """

    connection: StoredConnection
    again: bool
    holds_items: bool | None


def connect(
    desk: Desk,
    endpoint: Endpoint,
    secret: Secret,
    mode: ConnectionMode,
    open_gateway: Callable[[], CalendarGateway],
    *,
    force: bool = False,
) -> Connected:
    """Try a new secret once, and store the connection if it is good.

    An account that is connected goes on under the new secret, as after a change of its password.

    Args:
        desk: What to work with.
        endpoint: Where and how.
        secret: What a person typed.
        mode: Whom the connection serves.
        open_gateway: Returns the server seen with that secret, without a breaker in the way.
        force: Try even if one more refused log-on could lock the account.

    Raises:
        ConfigurationError: Another account is the corporate connection, or this one is connected in the other mode.
        AllowanceUsedUpError: One more refused log-on could lock the account; nothing was sent.
        AuthenticationError: It was refused; nothing was stored but the attempt itself.
        BusyTimeError: The server could not be asked.
    """
    with closing(open_gateway()) as gateway:  # before the claim: a wrong address is found without a log-on
        with desk.store.read() as unit:
            refuse_a_second(unit.connections.all_open(), endpoint.email, mode)
        try:
            with a_persons_logon(desk, endpoint.email, force=force):
                gateway.probe()
        except AuthenticationError as error:
            raise AuthenticationError(f"{error} Nothing was stored.", reason=error.reason, detail=error.detail) from None
        holds_items = _holds_items(desk, gateway, endpoint.email) if mode is ConnectionMode.CORPORATE else None
    with desk.store.write() as unit:
        unit.owners.lock(unit.owners.id(endpoint.email))
        before = unit.connections.all_open()
        refuse_a_second(before, endpoint.email, mode)  # another process may have been faster
        stored = _store(desk, unit, endpoint, secret, mode)
        again = any(it.id == stored.id for it in before)
        actor_id = unit.owners.id(desk.actor)
        if again:
            unit.requests.ask(RequestKind.RESYNC, actor_id, desk.clock.now(), stored.id)
    details = {"connection_id": stored.id, "version": stored.credential_version, "mode": mode}
    desk.store.append_event("person:connection:opened", actor_id, details)
    return Connected(stored, again, holds_items)


def refuse_a_second(existing: list[StoredConnection], email: str, mode: ConnectionMode) -> None:
    """Refuse what would be a second connection: of the installation's corporate side, or of one account.

    Raises:
        ConfigurationError: It names the connection to end first.
    """
    for connection in existing:
        if connection.email == email and connection.mode is not mode:
            raise ConfigurationError(
                f"{email} is connected as {connection.mode} already, and an account has one connection at most; nothing was "
                f"tried. Run `busytime disconnect {email}` first."
            )
        if mode is ConnectionMode.CORPORATE and connection.mode is mode and connection.email != email:
            raise ConfigurationError(
                f"{connection.email} is the corporate connection already, and there is one at most; {email} was not tried. "
                f"Run `busytime disconnect {connection.email}` first, or set BUSYTIME_HOME to a home of its own."
            )


def _holds_items(desk: Desk, gateway: CalendarGateway, email: str) -> bool | None:
    """Look whether the account's own calendar is empty; that it cannot be told keeps nobody from connecting."""
    try:
        return bool(gateway.find_items(email, None, marked_by=None, limit=1))
    except AuthenticationError as error:  # a log-on of its own under Basic: what was refused has to be counted
        note_refused(desk, email, LogonBy.PERSON, error)
        return None
    except BusyTimeError:
        return None


def _store(desk: Desk, unit: UnitOfWork, endpoint: Endpoint, secret: Secret, mode: ConnectionMode) -> StoredConnection:
    now, account_id = desk.clock.now(), unit.owners.id(endpoint.email)
    connection_id = unit.connections.open(account_id, endpoint, mode, now)
    store_secret(desk, unit, connection_id, secret)
    unit.roster.assign_connections()
    return next(found for found in unit.connections.all_open() if found.id == connection_id)


def store_secret(desk: Desk, unit: UnitOfWork, connection_id: int, secret: Secret) -> None:
    """Store the next version of a connection's secret, sealed; the one before is destroyed."""
    version = unit.connections.next_version(connection_id)
    sealed = desk.vault.seal(secret.to_bytes(), secret_identity(connection_id, version), unit.keys.active_id())
    unit.connections.store_secret(connection_id, version, sealed, unit.owners.id(desk.actor), desk.clock.now())


def open_secret(desk: Desk, connection: StoredConnection) -> Secret:
    """Return a connection's stored secret; keep it no longer than needed.

    Raises:
        KeyMissingError: It is not there, or does not open.
    """
    with desk.store.read() as unit:
        return read_secret(desk, unit, connection)


def read_secret(desk: Desk, unit: UnitOfWork, connection: StoredConnection) -> Secret:
    """Return a connection's stored secret, as a transaction sees it.

    Raises:
        KeyMissingError: As ``open_secret``.
    """
    version = connection.credential_version
    sealed = unit.connections.sealed_secret(connection.id, version) if version is not None else None
    if sealed is None or version is None:
        raise KeyMissingError(f"{connection.email} has no stored secret: run `busytime connect {connection.email}`.")
    return Secret.from_bytes(desk.vault.open(sealed, secret_identity(connection.id, version)))


def find_connection(desk: Desk, email: str) -> StoredConnection:
    """Return the open connection of an account.

    Raises:
        NoConnectionError: It has none.
    """
    with desk.store.read() as unit:
        found = next((it for it in unit.connections.all_open() if it.email == email), None)
    if found is None:
        raise NoConnectionError(f"{email} is not connected: run `busytime connect {email}`.")
    return found


@dataclass(frozen=True, slots=True)
class Affected:
    """What a connection's end touches.

    Args:
        calendars: Calendars in use that it serves.
        waiting: Entries of bookings that wait for its next log-on.
    """

    calendars: int
    waiting: int


def affected(desk: Desk, connection: StoredConnection) -> Affected:
    """Tell what the end of a connection would touch."""
    with desk.store.read() as unit:
        served = unit.roster.calendars(connection_id=connection.id)
        waiting = unit.entries.waiting_for_log_on([connection.id], desk.clock.now())
    return Affected(len(served), len(waiting))


def disconnect(desk: Desk, connection: StoredConnection) -> int:
    """End a connection: its secret is destroyed, nothing is harvested or pushed through it, and what it left stays.

    Its address stays in the audit; what waits to log on is sent away.

    Returns:
        How many of its calendars in use another connection serves from now on.
    """
    with desk.store.write() as unit:
        unit.owners.lock(connection.owner_id)
        served = [calendar.id for calendar in unit.roster.calendars(connection_id=connection.id)]
        unit.connections.close(connection.id, desk.clock.now())
        unit.permits.clear(connection.id)
        unit.roster.assign_connections()
        serving = unit.roster.serving()
        actor_id = unit.owners.id(desk.actor)
    desk.store.append_event("person:connection:closed", actor_id, {"connection_id": connection.id, "mode": connection.mode})
    return sum(serving[key] is not None for key in served)
