"""Log-on safety: how many refused log-ons an account may still cause, and the guard before every request.

The allowance belongs to the account, over all its versions, addresses and user names: directories lock an account
after as few as three to five refused log-ons, and the dedicated mailbox serves everybody.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from busytime.errors import AuthenticationError, BreakerOpenError, PauseInForceError
from busytime.model import LogonAnswer, LogonBy

_MACHINE_SHARE = 2
_PERSON_SHARE = 2


@dataclass(frozen=True, slots=True)
class Logon:
    """One attempt to log on: when it was claimed, who caused it, and its answer (``None``: none is known)."""

    at: datetime
    by: LogonBy
    answer: LogonAnswer | None

    @property
    def counts(self) -> bool:
        """Whether a directory may have counted it as refused; one whose answer is unknown may have been."""
        return self.answer in {None, LogonAnswer.REFUSED, LogonAnswer.UNKNOWN}


@dataclass(frozen=True, slots=True)
class LockoutPolicy:
    """What is known of the directory: it locks at so many refused log-ons within its window."""

    threshold: int
    window: timedelta

    @property
    def machine_share(self) -> int:
        """Refused log-ons that the machine may cause by itself."""
        return min(_MACHINE_SHARE, (self.threshold - 1) // 2)

    @property
    def person_share(self) -> int:
        """Refused log-ons that people may cause on top, always below the threshold in all."""
        return min(_PERSON_SHARE, self.threshold - 1 - self.machine_share)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What an account may still cause.

    Args:
        refused: Refused log-ons that count now.
        machine_left: How many the machine may still cause.
        person_left: How many people may still cause.
        safe_after: From when nothing counts any more; ``None`` while nothing counts.
    """

    refused: int
    machine_left: int
    person_left: int
    safe_after: datetime | None

    def left(self, by: LogonBy) -> int:
        """Return how many refused log-ons this cause has left."""
        return self.machine_left if by is LogonBy.MACHINE else self.person_left


def allowance(logons: Sequence[Logon], now: datetime, policy: LockoutPolicy) -> Allowance:
    """Return what an account may still cause.

    The count returns to nothing only by a log-on that succeeds, or after a whole window without a refused one:
    so Active Directory counts (account lockout threshold, reset account lockout counter after).

    Args:
        logons: The account's attempts in order of time, reaching back far enough: every run of refused ones whose
            gaps are shorter than the window.
        now: The present instant.
        policy: What is known of the directory.
    """
    counted: list[Logon] = []
    for logon in logons:
        if logon.answer is LogonAnswer.ACCEPTED or (counted and logon.at - counted[-1].at >= policy.window):
            counted = []
        if logon.counts:
            counted.append(logon)
    if counted and now - counted[-1].at >= policy.window:
        counted = []
    machine = sum(logon.by is LogonBy.MACHINE for logon in counted)
    person = len(counted) - machine
    total_left = policy.threshold - 1 - len(counted)
    return Allowance(
        refused=len(counted),
        machine_left=max(0, min(policy.machine_share - machine, total_left)),
        person_left=max(0, min(policy.person_share - person, total_left)),
        safe_after=counted[-1].at + policy.window if counted else None,
    )


class BreakerGuard:
    """Stands before every request of one connection in this process.

    Under Basic every request is a log-on: so many at once as the machine may have refused, and none once one was.
    """

    def __init__(
        self,
        is_open: Callable[[], bool],
        on_refusal: Callable[[AuthenticationError], None],
        in_flight: int,
        pause_left: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """Take what it asks and does.

        Args:
            is_open: Reads the breaker.
            on_refusal: Opens the breaker.
            in_flight: How many requests may be under way.
            pause_left: How many seconds the server still wants to be left alone.
        """
        self._is_open = is_open
        self._on_refusal = on_refusal
        self._places = threading.BoundedSemaphore(in_flight)
        self._pause_left = pause_left

    @contextmanager
    def permit(self, *, log_on: bool = True) -> Iterator[None]:  # noqa: ARG002
        """Hold a place during one request.

        Raises:
            BreakerOpenError: A log-on was refused; nothing may be sent.
            PauseInForceError: The server asked for a pause while this request waited for its place; nothing was sent.
        """
        with self._places:
            if self._is_open():
                raise BreakerOpenError(
                    "A log-on of this connection was refused, so nothing more is sent. "
                    "Connect again with the right password: `busytime connect EMAIL`."
                )
            if (left := self._pause_left()) > 0:
                raise PauseInForceError(f"The server asked to be left alone for {left:.0f} s more.", back_off_seconds=left)
            try:
                yield
            except AuthenticationError as error:
                self._on_refusal(error)  # before the place is free: nobody may slip in between
                raise


class PersonalAttempt:
    """The guard of a person's own try: the breaker does not stand in its way, its one probe is claimed before."""

    @contextmanager
    def permit(self, *, log_on: bool = True) -> Iterator[None]:  # noqa: ARG002 -- the protocol's signature
        """Let the request pass."""
        yield
