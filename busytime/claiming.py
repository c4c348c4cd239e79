"""Claiming log-ons: each is written down before it is sent, so that no crash makes the count of refused ones too low."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from busytime.errors import (
    AllowanceUsedUpError,
    AuthenticationError,
    BreakerOpenError,
    BusyTimeError,
    NoConnectionError,
    Reason,
    SecretRenewedError,
    SpoiltAnswerError,
)
from busytime.model import LogonAnswer, LogonBy
from busytime.ports import Clock
from busytime.signing_in import Allowance, LockoutPolicy, allowance
from busytime.store.unit_of_work import Store, UnitOfWork
from busytime.vault import Vault

#: Nothing that could be counted went out: the host was not reached, or its certificate was refused before.
_BEFORE_SENDING = frozenset({Reason.SERVER_UNREACHABLE, Reason.CERTIFICATE_NOT_TRUSTED, Reason.TLS_TOO_OLD})
_NOT_SENT = (BreakerOpenError, NoConnectionError, SecretRenewedError)


@dataclass(frozen=True, slots=True)
class Desk:
    """What the use cases of connections work with.

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

    def allowance(self, unit: UnitOfWork, account_id: int, newest: int = 100) -> Allowance:
        """Return what an account may still cause, judged by so many of its newest attempts."""
        return allowance(unit.logons.recent(account_id, newest), self.clock.now(), self.policy, self.clock.uptime())

    def claim(
        self,
        unit: UnitOfWork,
        account_id: int,
        by: LogonBy,
        *,
        version: int | None = None,
        run_id: int | None = None,
    ) -> int:
        """Note in a transaction that a log-on is about to be sent, and return the attempt's id."""
        actor_id = unit.owners.id(self.actor)
        return unit.logons.claim(account_id, by, actor_id, self.clock.now(), self.clock.uptime(), version=version, run_id=run_id)


def check_allowance(left: Allowance, by: LogonBy, email: str) -> None:
    """Refuse a log-on that could lock the account.

    Raises:
        AllowanceUsedUpError: It says from when a try is safe again.
    """
    if left.left(by) > 0:
        return
    force = "" if by is LogonBy.MACHINE else " `--force` tries all the same, and may lock it."
    raise AllowanceUsedUpError(f"{used_up_message(left, email)}{force}")


def used_up_message(left: Allowance, email: str) -> str:
    """Say in words why nothing is sent, and from when it is safe again."""
    safe = f"{left.safe_after:%Y-%m-%d %H:%M} UTC" if left.safe_after else "the lock-out window is over"
    return (
        f"{left.refused} refused log-ons of {email} count now, and one more could lock the account. "
        f"Nothing was sent; a try is safe again from {safe}."
    )


@contextmanager
def a_persons_logon(desk: Desk, email: str, *, version: int | None = None, force: bool = False) -> Iterator[None]:
    """Claim one log-on of a person, and write down what becomes of what is sent inside.

    Args:
        desk: What to work with.
        email: The account.
        version: The stored version that is tried; ``None`` for a secret that is not stored.
        force: Try even if one more refused log-on could lock the account.

    Raises:
        AllowanceUsedUpError: Nothing may be sent.
        AuthenticationError: It was refused; the message also says how many tries are left.
    """
    with desk.store.write() as unit:
        account_id = unit.owners.id(email)
        unit.owners.lock(account_id)
        if not force:
            check_allowance(desk.allowance(unit, account_id), LogonBy.PERSON, email)
        logon_id = desk.claim(unit, account_id, LogonBy.PERSON, version=version)
    try:
        with answered(desk, logon_id):
            yield
    except AuthenticationError as error:
        with desk.store.read() as unit:
            left = desk.allowance(unit, account_id)
        raise AuthenticationError(f"{error} {tries_left(left)}", reason=error.reason, detail=error.detail) from None


def note_refused(desk: Desk, email: str, by: LogonBy, error: AuthenticationError) -> None:
    """Write down a refused log-on that was not claimed before it was sent."""
    with desk.store.write() as unit:
        logon_id = desk.claim(unit, unit.owners.id(email), by)
        unit.logons.answer(logon_id, LogonAnswer.REFUSED, desk.clock.now(), error.reason, error.detail)


def tries_left(left: Allowance) -> str:
    """Say how many tries of a person are left."""
    if left.person_left:
        return f"{left.person_left} more {'try is' if left.person_left == 1 else 'tries are'} safe now."
    return f"No further try is safe before {left.safe_after:%Y-%m-%d %H:%M} UTC." if left.safe_after else "No try is safe now."


@contextmanager
def answered(desk: Desk, logon_id: int) -> Iterator[None]:
    """Write down what became of a claimed log-on."""
    answer, reason, code = LogonAnswer.ACCEPTED, None, None
    try:
        yield
    except BusyTimeError as error:
        answer, reason, code = _answer(error), error.reason, error.detail
        raise
    except BaseException:
        answer = LogonAnswer.UNKNOWN
        raise
    finally:
        with desk.store.write() as unit:
            unit.logons.answer(logon_id, answer, desk.clock.now(), reason, code)


def _answer(error: BusyTimeError) -> LogonAnswer:
    if isinstance(error, AuthenticationError):
        return LogonAnswer.REFUSED
    if isinstance(error, _NOT_SENT) or error.reason in _BEFORE_SENDING:
        return LogonAnswer.NOT_SENT
    return LogonAnswer.UNKNOWN if isinstance(error, SpoiltAnswerError) else LogonAnswer.UNJUDGED
