"""Renewing a connection: a person's new password, or the stored one once more, tried once; then all that was missed."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from hmac import compare_digest

from busytime.claiming import Desk, a_persons_logon
from busytime.connecting import open_secret, read_secret, store_secret
from busytime.errors import AuthenticationError, BreakerOpenError, NoConnectionError, Reason
from busytime.model import AuthType, Breaker, RequestKind, Secret
from busytime.ports import CalendarGateway
from busytime.probing import open_breaker, stopped_message
from busytime.store.connections import StoredConnection
from busytime.store.unit_of_work import UnitOfWork

OpenGateway = Callable[[Secret], CalendarGateway]


@dataclass(frozen=True, slots=True)
class Renewed:
    """A connection that logs on again.

    Args:
        connection: As it is stored now.
        same_secret: Whether the secret is the one that was stored before.
    """

    connection: StoredConnection
    same_secret: bool


def renew(desk: Desk, connection: StoredConnection, password: str, open_gateway: OpenGateway, *, force: bool = False) -> Renewed:
    """Try a new password once; if it is good, store it, close the breaker, and ask for a re-sync.

    A password that is the stored one is tried as such.

    Args:
        desk: What to work with.
        connection: Whose password it is.
        password: What a person typed.
        open_gateway: Returns the server as a secret sees it, without a breaker in the way.
        force: Try even if one more refused log-on could lock the account.

    Raises:
        AllowanceUsedUpError: One more refused log-on could lock the account; nothing was sent.
        AuthenticationError: It was refused; nothing was changed.
        BusyTimeError: The server could not be asked; nothing was changed.
    """
    stored = open_secret(desk, connection)
    if _equal(stored.password, password):
        return try_again(desk, connection, open_gateway, force=force)
    secret = Secret(stored.username, password)
    try:
        _try(desk, connection, secret, open_gateway, version=None, force=force)
    except AuthenticationError as error:
        text = f"The new {secret_word(connection)} was refused and nothing was changed: {error}"
        raise AuthenticationError(text, reason=error.reason, detail=error.detail) from None
    return _take_over(desk, connection, secret)


def try_again(desk: Desk, connection: StoredConnection, open_gateway: OpenGateway, *, force: bool = False) -> Renewed:
    """Try the stored secret once more; if it is good, close the breaker, and ask for a re-sync.

    Args:
        desk: What to work with.
        connection: Whose secret is tried.
        open_gateway: As for ``renew``.
        force: As for ``renew``.

    Raises:
        BusyTimeError: As ``renew``.
    """
    secret = open_secret(desk, connection)
    try:
        _try(desk, connection, secret, open_gateway, version=connection.credential_version, force=force)
    except AuthenticationError:
        open_breaker(desk, connection)  # the machine would be refused as well
        raise
    return _take_over(desk, connection, secret)


def secret_word(connection: StoredConnection) -> str:
    """Return what the secret of a connection is called."""
    return "client secret" if connection.endpoint.auth_type is AuthType.OAUTH else "password"


def ask_again(desk: Desk, connection: StoredConnection) -> None:
    """Ask for a re-sync of a connection that logs on.

    Raises:
        BreakerOpenError: It does not, and the message says which command helps.
        NoConnectionError: It was ended meanwhile.
    """
    with desk.store.write() as unit:
        if _still_open(unit, connection).breaker is Breaker.OPEN:
            raise BreakerOpenError(stopped_message(unit, connection))
        unit.requests.ask(RequestKind.RESYNC, unit.owners.id(desk.actor), desk.clock.now(), connection.id)


def _try(
    desk: Desk, connection: StoredConnection, secret: Secret, open_gateway: OpenGateway, *, version: int | None, force: bool
) -> None:
    with closing(open_gateway(secret)) as gateway, a_persons_logon(desk, connection.email, version=version, force=force):
        gateway.probe()


def _take_over(desk: Desk, connection: StoredConnection, secret: Secret) -> Renewed:
    """Make a secret that was just accepted the current one, unless it is."""
    with desk.store.write() as unit:
        unit.owners.lock(connection.owner_id)
        # Somebody may have stored it on another machine meanwhile.
        same = read_secret(desk, unit, _still_open(unit, connection)) == secret
        if not same:
            store_secret(desk, unit, connection.id, secret)
        was_open = unit.connections.set_breaker(connection.id, Breaker.CLOSED, desk.clock.now())
        actor_id = unit.owners.id(desk.actor)
        unit.requests.ask(RequestKind.RESYNC, actor_id, desk.clock.now(), connection.id)
        renewed = _still_open(unit, connection)
    if was_open or not same:
        tag = "person:breaker:closed" if same else "person:password:renewed"
        desk.store.append_event(tag, actor_id, {"connection_id": connection.id, "version": renewed.credential_version})
    return Renewed(renewed, same)


def _still_open(unit: UnitOfWork, connection: StoredConnection) -> StoredConnection:
    found = unit.connections.find(connection.id)
    if found is None:
        text = f"The connection of {connection.email} was ended meanwhile: run `busytime connect {connection.email}`."
        raise NoConnectionError(text, reason=Reason.DISCONNECTED)
    return found


def _equal(one: str, other: str) -> bool:
    return compare_digest(one.encode(), other.encode())
