"""Log-on safety: how many refused log-ons an account may still cause. Pure rules.

The allowance belongs to the account, over all its versions, addresses and user names: directories lock an account
after as few as three to five refused log-ons, and the dedicated mailbox serves everybody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from busytime.model import LogonAnswer, LogonBy

_MACHINE_SHARE = 2
_PERSON_SHARE = 2
#: Whoever waits longer for the answer of its log-on is taken for lost.
LONGEST_LOGON = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Uptime:
    """How long a machine has been up since a certain boot: a clock that nobody can set."""

    boot: str
    length: timedelta


@dataclass(frozen=True, slots=True)
class Logon:
    """One attempt to log on.

    Args:
        at: When it was claimed, by the clock of the machine that did.
        by: Who caused it.
        answer: What came of it; ``None`` where nothing is known.
        uptime: That machine's uptime then.
        took: How long after that its answer came, or may have been given where none came: the directory judged meanwhile.
    """

    at: datetime
    by: LogonBy
    answer: LogonAnswer | None
    uptime: Uptime | None = None
    took: timedelta = timedelta(0)

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


def allowance(logons: Sequence[Logon], now: datetime, policy: LockoutPolicy, uptime: Uptime | None = None) -> Allowance:
    """Return what an account may still cause.

    The count returns to nothing only by a log-on that succeeds, or after a whole window without a refused one:
    so Active Directory counts (account lockout threshold, reset account lockout counter after).

    Args:
        logons: The account's attempts in the order in which they were claimed, reaching back far enough: every run of
            refused ones whose gaps are shorter than the window.
        now: The present instant.
        policy: What is known of the directory.
        uptime: This machine's, now.
    """
    counted: list[Logon] = []
    for logon in logons:
        if logon.answer is LogonAnswer.ACCEPTED:  # what was under way then may have been refused after it
            counted = [it for it in counted if _passed(it, logon.at, logon.uptime) < timedelta(0)]
        elif _since_last(counted, logon.at, logon.uptime) >= policy.window:
            counted = []
        if logon.counts:
            counted.append(logon)
    passed = _since_last(counted, now, uptime)
    if passed >= policy.window:
        counted = []
    machine = sum(logon.by is LogonBy.MACHINE for logon in counted)
    person = len(counted) - machine
    total_left = policy.threshold - 1 - len(counted)
    return Allowance(
        refused=len(counted),
        machine_left=max(0, min(policy.machine_share - machine, total_left)),
        person_left=max(0, min(policy.person_share - person, total_left)),
        safe_after=now + policy.window - passed if counted else None,
    )


def _since_last(counted: Sequence[Logon], now: datetime, uptime: Uptime | None) -> timedelta:
    return min((_passed(it, now, uptime) for it in counted), default=timedelta(0))


def _passed(since: Logon, now: datetime, uptime: Uptime | None) -> timedelta:
    """Return how much time has passed since an attempt was answered; less than nothing while it was under way.

    A clock may be set, by a day too: on the machine and boot that claimed the attempt, its uptime tells. Where that is not
    known, a clock that went back says that nothing has passed.
    """
    if since.uptime is not None and uptime is not None and since.uptime.boot == uptime.boot:
        return uptime.length - since.uptime.length - since.took
    return max(now - since.at, timedelta(0)) - since.took
