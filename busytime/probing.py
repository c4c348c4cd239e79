"""The machine's log-ons with a stored secret: one probe before anything else, and the breaker that a refusal opens."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta

from busytime.claiming import Desk, answered, check_allowance, used_up_message
from busytime.errors import (
    AllowanceUsedUpError,
    AuthenticationError,
    BreakerOpenError,
    NoConnectionError,
    Reason,
    SecretRenewedError,
)
from busytime.model import Breaker, LogonAnswer, LogonBy
from busytime.ports import CalendarGateway
from busytime.signing_in import LONGEST_LOGON
from busytime.store.connections import StoredConnection
from busytime.store.unit_of_work import UnitOfWork

#: Servers also answer 401 under load: a version that worked so lately gets a second probe, so much later.
_WORKED_LATELY = timedelta(hours=1)
_SECOND_PROBE_AFTER = timedelta(minutes=1)
_LOOK_EVERY_SECONDS = 0.1

#: Whether the log-on under way in this thread is written down already.
_claimed: ContextVar[bool] = ContextVar("claimed", default=False)


def probe(
    desk: Desk,
    connection: StoredConnection,
    gateway: CalendarGateway,
    past_breaker: Callable[[], CalendarGateway],
    run_id: int | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Let the machine log on once, before anything else is sent.

    Args:
        desk: What to work with.
        connection: Whose secret is used.
        gateway: The server, seen with it, behind the breaker.
        past_breaker: Returns the server for a second probe, which closes the breaker if it is good.
        run_id: The run that asks for it; ``None`` where a command without a run does.
        sleep: Waits so many seconds.

    Raises:
        BreakerOpenError: A log-on was refused before; nothing was sent.
        AllowanceUsedUpError: Likewise nothing was sent.
        AuthenticationError: This one was refused; the breaker is open now.
        BusyTimeError: The server could not be asked.
    """
    while (claim := _claim(desk, connection, run_id)) is None:
        sleep(_LOOK_EVERY_SECONDS)  # another run waits for its answer; it says whether the secret is good
    logon_id, is_second = claim
    with answered(desk, logon_id), _as_claimed():
        (past_breaker() if is_second else gateway).probe()
    if is_second:
        _close_breaker(desk, connection)


def _claim(desk: Desk, connection: StoredConnection, run_id: int | None) -> tuple[int, bool] | None:
    """Claim a probe; tell whether it is a second one. ``None`` while another run's is under way."""
    account_id = connection.owner_id
    with desk.store.write() as unit:
        unit.owners.lock(account_id)
        if unit.logons.is_under_way(account_id, desk.store.process, desk.clock.now(), LONGEST_LOGON):
            return None
        is_open = current(unit, connection).breaker is Breaker.OPEN
        if is_open and not _may_look_again(desk, unit, connection):
            raise BreakerOpenError(stopped_message(unit, connection))
        check_allowance(desk.allowance(unit, account_id), LogonBy.MACHINE, connection.email)
        version = connection.credential_version
        return desk.claim(unit, account_id, LogonBy.MACHINE, version=version, run_id=run_id), is_open


def _may_look_again(desk: Desk, unit: UnitOfWork, connection: StoredConnection) -> bool:
    """Tell whether a refusal may have been a server under load, and nobody has looked again yet."""
    account_id, opened_at = connection.owner_id, current(unit, connection).breaker_changed_at
    refusal = unit.logons.last_refusal(account_id)
    if refusal is None or refusal[0] is not Reason.LOGON_REFUSED:
        return False  # an account that is disabled, or a password that has expired, is no matter of load
    worked_at = unit.logons.last_accepted(account_id, connection.credential_version)
    after = opened_at + _SECOND_PROBE_AFTER
    looked = unit.logons.claimed_since(account_id, LogonBy.MACHINE, after)
    left = desk.allowance(unit, account_id).machine_left
    return (
        worked_at is not None
        and opened_at - worked_at <= _WORKED_LATELY
        and desk.clock.now() >= after
        and not looked
        and left > 0
    )


def current(unit: UnitOfWork, connection: StoredConnection) -> StoredConnection:
    """Return a connection as it stands now.

    Raises:
        NoConnectionError: It was ended.
        SecretRenewedError: Its secret is another one now.
    """
    found = unit.connections.find(connection.id)
    if found is None:
        text = f"The connection of {connection.email} was ended; nothing is sent. Run `busytime connect {connection.email}`."
        raise NoConnectionError(text, reason=Reason.DISCONNECTED)
    if found.credential_version != connection.credential_version:
        raise SecretRenewedError(f"The secret of {connection.email} was renewed meanwhile; the step runs again with it.")
    return found


def check_may_send(desk: Desk, connection: StoredConnection) -> float:
    """Check that requests may be sent through a connection with the version of its secret at hand.

    Returns:
        How many seconds the server still wants to be left alone.

    Raises:
        BreakerOpenError: A log-on was refused.
        AllowanceUsedUpError: Those that may be under way at once could lock the account, were all of them refused.
        NoConnectionError: It was ended.
        SecretRenewedError: Its secret is another one now.
    """
    with desk.store.read() as unit:
        found = current(unit, connection)
        if found.breaker is Breaker.OPEN:
            raise BreakerOpenError(stopped_message(unit, connection))
        # Before every request, so of a few attempts: more than it takes to use the allowance up, with a success between any two.
        left = desk.allowance(unit, connection.owner_id, min(2 * desk.policy.threshold, 100))
    if not _claimed.get() and left.refused + desk.policy.machine_share >= desk.policy.threshold:
        raise AllowanceUsedUpError(used_up_message(left, connection.email))
    return (found.back_off_until - desk.clock.now()).total_seconds() if found.back_off_until else 0.0


def stopped_message(unit: UnitOfWork, connection: StoredConnection) -> str:
    """Say in words why nothing is sent, and what ends that."""
    email = connection.email
    refusal = unit.logons.last_refusal(connection.owner_id)
    since = f" since {refusal[1]:%Y-%m-%d %H:%M} UTC" if refusal else ""
    reason = refusal[0] if refusal else None
    if reason is Reason.ACCOUNT_DISABLED:
        return (
            f"The server says{since} that the account is disabled, so nothing is sent. Have it enabled, "
            f"then run `busytime resync {email} --same-password`."
        )
    if reason is Reason.PASSWORD_EXPIRED:
        return (
            f"The server says{since} that the password has expired, so nothing is sent. Have it changed, "
            f"then run `busytime password {email}`."
        )
    return (
        f"The server refuses the log-on{since}, so nothing is sent. Run `busytime password {email}` with the new "
        f"password; if it has not changed, `busytime resync {email} --same-password`."
    )


def note_refusal(desk: Desk, connection: StoredConnection, error: AuthenticationError) -> bool:
    """Open the breaker for all processes at once, and write the refused log-on down, in one transaction.

    Under Basic every request is a log-on; one that was claimed before it was sent is not written down again. A refusal of a
    secret that was renewed meanwhile says nothing of the new one.

    Returns:
        Whether this has opened it.
    """
    with desk.store.write() as unit:
        unit.owners.lock(connection.owner_id)
        if not _claimed.get():
            version = connection.credential_version
            logon_id = desk.claim(unit, connection.owner_id, LogonBy.MACHINE, version=version)
            unit.logons.answer(logon_id, LogonAnswer.REFUSED, desk.clock.now(), error.reason, error.detail)
        opened = _open(desk, unit, connection)
    if opened:
        _note_breaker(desk, connection, "machine:breaker:opened")
    return opened


def open_breaker(desk: Desk, connection: StoredConnection) -> None:
    """Stop every further log-on of a connection after a person's try with the stored secret was refused."""
    with desk.store.write() as unit:
        unit.owners.lock(connection.owner_id)
        opened = _open(desk, unit, connection)
    if opened:
        _note_breaker(desk, connection, "person:breaker:opened")


def _open(desk: Desk, unit: UnitOfWork, connection: StoredConnection) -> bool:
    found = unit.connections.find(connection.id)
    if found is None or found.credential_version != connection.credential_version:
        return False
    return unit.connections.set_breaker(connection.id, Breaker.OPEN, desk.clock.now())


@contextmanager
def _as_claimed() -> Iterator[None]:
    token = _claimed.set(True)
    try:
        yield
    finally:
        _claimed.reset(token)


def _close_breaker(desk: Desk, connection: StoredConnection) -> None:
    with desk.store.write() as unit:
        unit.owners.lock(connection.owner_id)
        current(unit, connection)
        unit.connections.set_breaker(connection.id, Breaker.CLOSED, desk.clock.now())
    _note_breaker(desk, connection, "machine:breaker:closed")


def _note_breaker(desk: Desk, connection: StoredConnection, tag: str) -> None:
    with desk.store.write() as unit:
        actor_id = unit.owners.id(desk.actor)
    desk.store.append_event(tag, actor_id, {"connection_id": connection.id, "version": connection.credential_version})
