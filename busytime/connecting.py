"""Connecting: a person's one try with a new secret, and the machine's one probe with a stored one.

Every log-on is claimed in the database before it is sent, so that no crash makes the count of refused ones too low.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from busytime.errors import (
    AllowanceUsedUpError,
    AuthenticationError,
    BreakerOpenError,
    BusyTimeError,
    ConfigurationError,
    KeyMissingError,
    Reason,
    SpoiltAnswerError,
)
from busytime.model import Breaker, ConnectionMode, Endpoint, LogonAnswer, LogonBy, Secret
from busytime.ports import CalendarGateway, Clock
from busytime.signing_in import Allowance, LockoutPolicy, allowance
from busytime.store.connections import StoredConnection, secret_identity
from busytime.store.unit_of_work import Store
from busytime.vault import Vault

#: Nothing that could be counted went out: the host was not reached, or its certificate was refused before.
_BEFORE_SENDING = frozenset({Reason.SERVER_UNREACHABLE, Reason.CERTIFICATE_NOT_TRUSTED, Reason.TLS_TOO_OLD})


@dataclass(frozen=True, slots=True)
class Desk:
    """What a use case of this module works with.

    Args:
        store: The database.
        vault: Seals and opens secrets.
        clock: Tells the time.
        policy: What is known of the directory that counts refused log-ons.
        actor: Who acts, as an address.
    """

    store: Store
    vault: Vault
    clock: Clock
    policy: LockoutPolicy
    actor: str


def connect(
    desk: Desk, endpoint: Endpoint, secret: Secret, mode: ConnectionMode, open_gateway: Callable[[], CalendarGateway]
) -> StoredConnection:
    """Try a new secret once, and store the connection if it is good.

    Args:
        desk: What to work with.
        endpoint: Where and how.
        secret: What a person typed.
        mode: Whom the connection serves.
        open_gateway: Returns the server seen with that secret, without a breaker in the way.

    Raises:
        ConfigurationError: Another account is the corporate connection already.
        AllowanceUsedUpError: One more refused log-on could lock the account; nothing was sent.
        AuthenticationError: It was refused; nothing was stored but the attempt itself.
        BusyTimeError: The server could not be asked.
    """
    with closing(open_gateway()) as gateway:  # before the claim: a wrong address is found without a log-on
        with desk.store.write() as unit:
            _refuse_a_second(unit.connections.all_open(), endpoint.email, mode)
            account_id, actor_id = unit.owners.id(endpoint.email), unit.owners.id(desk.actor)
            now = desk.clock.now()
            _check_allowance(allowance(unit.logons.recent(account_id), now, desk.policy), LogonBy.PERSON, endpoint.email)
            logon_id = unit.logons.claim(account_id, LogonBy.PERSON, actor_id, now)
        try:
            with _answered(desk, logon_id):
                gateway.probe()
        except AuthenticationError as error:
            left = _allowance_of(desk, account_id).person_left
            tries = (
                "one more try is safe" if left == 1 else f"{left} more tries are safe" if left else "no further try is safe now"
            )
            raise AuthenticationError(f"{error} Nothing was stored; {tries}.", reason=error.reason, detail=error.detail) from None
    stored = _store(desk, endpoint, secret, mode, account_id, actor_id)
    details = {"connection_id": stored.id, "version": stored.credential_version, "mode": mode}
    desk.store.append_event("person:connection:opened", actor_id, details)
    return stored


def _refuse_a_second(existing: list[StoredConnection], email: str, mode: ConnectionMode) -> None:
    for connection in existing:
        if mode is ConnectionMode.CORPORATE and connection.mode is mode and connection.email != email:
            raise ConfigurationError(
                f"{connection.email} is the corporate connection already, and there is one at most; {email} was not tried. "
                "For another mailbox, use a home of its own: set BUSYTIME_HOME."
            )


def _check_allowance(left: Allowance, by: LogonBy, email: str) -> None:
    if left.left(by) <= 0:
        safe = f"{left.safe_after:%Y-%m-%d %H:%M} UTC" if left.safe_after else "the lock-out window is over"
        raise AllowanceUsedUpError(
            f"{left.refused} refused log-ons of {email} count now, and one more could lock the account. "
            f"Nothing was sent; a try is safe again from {safe}."
        )


def _allowance_of(desk: Desk, account_id: int) -> Allowance:
    with desk.store.read() as unit:
        return allowance(unit.logons.recent(account_id), desk.clock.now(), desk.policy)


@contextmanager
def _answered(desk: Desk, logon_id: int) -> Iterator[None]:
    """Write down what became of a claimed log-on."""
    answer, code = LogonAnswer.ACCEPTED, None
    try:
        yield
    except BusyTimeError as error:
        answer, code = _answer(error), error.detail
        raise
    except BaseException:
        answer = LogonAnswer.UNKNOWN
        raise
    finally:
        with desk.store.write() as unit:
            unit.logons.answer(logon_id, answer, desk.clock.now(), code)


def _answer(error: BusyTimeError) -> LogonAnswer:
    if isinstance(error, AuthenticationError):
        return LogonAnswer.REFUSED
    if isinstance(error, BreakerOpenError) or error.reason in _BEFORE_SENDING:
        return LogonAnswer.NOT_SENT
    return LogonAnswer.UNKNOWN if isinstance(error, SpoiltAnswerError) else LogonAnswer.UNJUDGED


def _store(
    desk: Desk, endpoint: Endpoint, secret: Secret, mode: ConnectionMode, account_id: int, actor_id: int
) -> StoredConnection:
    now = desk.clock.now()
    with desk.store.write() as unit:
        connection_id = unit.connections.open(account_id, endpoint, mode, now)
        version = unit.connections.next_version(connection_id)
        sealed = desk.vault.seal(secret.to_bytes(), secret_identity(connection_id, version), unit.keys.active_id())
        unit.connections.store_secret(connection_id, version, sealed, actor_id, now)
        unit.roster.assign_connections()
        return next(found for found in unit.connections.all_open() if found.id == connection_id)


def open_secret(desk: Desk, connection: StoredConnection) -> Secret:
    """Return a connection's stored secret; keep it no longer than needed.

    Raises:
        KeyMissingError: It is not there, or does not open.
    """
    version = connection.credential_version
    with desk.store.read() as unit:
        sealed = unit.connections.sealed_secret(connection.id, version) if version is not None else None
    if sealed is None or version is None:
        raise KeyMissingError(f"{connection.email} has no stored secret: run `busytime connect {connection.email}`.")
    return Secret.from_bytes(desk.vault.open(sealed, secret_identity(connection.id, version)))


def probe(desk: Desk, connection: StoredConnection, gateway: CalendarGateway, run_id: int | None = None) -> None:
    """Let the machine log on once, before anything else is sent.

    Args:
        desk: What to work with.
        connection: Whose secret is used.
        gateway: The server, seen with it, behind the breaker.
        run_id: The run that asks for it; ``None`` where a command without a run does.

    Raises:
        BreakerOpenError: A log-on was refused before; nothing was sent.
        AllowanceUsedUpError: Likewise nothing was sent.
        AuthenticationError: This one was refused; the breaker is open now.
        BusyTimeError: The server could not be asked.
    """
    with desk.store.write() as unit:
        if unit.connections.breaker(connection.id) is Breaker.OPEN:
            raise BreakerOpenError(
                f"The log-on of {connection.email} was refused at {connection.breaker_changed_at:%Y-%m-%d %H:%M} UTC, "
                f"so nothing is sent. Run `busytime connect {connection.email}` with the right password."
            )
        now = desk.clock.now()
        left = allowance(unit.logons.recent(connection.owner_id), now, desk.policy)
        _check_allowance(left, LogonBy.MACHINE, connection.email)
        actor_id = unit.owners.id(desk.actor)
        logon_id = unit.logons.claim(
            connection.owner_id, LogonBy.MACHINE, actor_id, now, version=connection.credential_version, run_id=run_id
        )
    with _answered(desk, logon_id):
        gateway.probe()


def open_breaker(desk: Desk, connection: StoredConnection) -> None:
    """Stop every further log-on of a connection, for all processes at once, after one was refused."""
    with desk.store.write() as unit:
        now = desk.clock.now()
        opened = unit.connections.set_breaker(connection.id, Breaker.OPEN, now)
        actor_id = unit.owners.id(desk.actor)
    if opened:
        details = {"connection_id": connection.id, "version": connection.credential_version}
        desk.store.append_event("machine:breaker:opened", actor_id, details)


def note_refusal(desk: Desk, connection: StoredConnection) -> None:
    """Note a log-on that was refused in the middle of a run: under Basic every request is one."""
    with desk.store.write() as unit:
        now = desk.clock.now()
        actor_id = unit.owners.id(desk.actor)
        logon_id = unit.logons.claim(connection.owner_id, LogonBy.MACHINE, actor_id, now, version=connection.credential_version)
        unit.logons.answer(logon_id, LogonAnswer.REFUSED, now)
