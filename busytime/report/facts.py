"""What a report tells, as values: answers to its questions, at one instant, of bounded size. Pure.

Whatever grows with an installation comes as counts, and as a few examples with how many more there are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from busytime.bookings import EntryState
from busytime.errors import Reason
from busytime.model import Breaker, LogonAnswer, RunStatus
from busytime.permissions import Need, Verdict
from busytime.report.period import Period

#: Verdicts that, after `granted`, mean that a right is gone; the others say that nobody could look.
LOST = (Verdict.INSUFFICIENT, Verdict.MISSING)


@dataclass(frozen=True, slots=True)
class Place:
    """A calendar as people know it: its owner's address, and the path of its folder; empty = the default calendar."""

    owner: str
    folder: str


@dataclass(frozen=True, slots=True)
class ConnectionFact:
    """An account that is connected.

    Args:
        account: Its address.
        mode: Whom it serves.
        breaker: Whether log-ons pass.
        since: Since when the breaker stands so.
        refused: Why it was refused last, while the breaker is open.
        back_off_until: Until when the server asked to be left alone, if that is not over.
    """

    account: str
    mode: str
    breaker: Breaker
    since: datetime
    refused: Reason | None
    back_off_until: datetime | None


@dataclass(frozen=True, slots=True)
class UnknownGroup:
    """Calendars that are not known now for one reason.

    Args:
        reason: Why.
        count: How many.
        since: Since when the first of them; ``None`` where that cannot be told.
        examples: A few of them.
    """

    reason: Reason
    count: int
    since: datetime | None
    examples: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class CoverageLine:
    """How much of each column's time a calendar was known; ``None`` while it was not on the roster.

    Args:
        calendar_id: The calendar.
        place: The same for people.
        shares: For each column, from 0 to 1.
        share: Of the whole span.
        unknown: How long it was not known in all.
    """

    calendar_id: int
    place: Place
    shares: tuple[float | None, ...]
    share: float
    unknown: timedelta


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was known of the calendars that are on the roster now.

    Args:
        calendars: How many there are.
        shares: For each column, over all of them.
        share: Of the whole span, over all of them.
        worst: Those that were unknown longest, the worst first.
        others: How many more there are.
        others_whole: How many of these were known all the time.
    """

    calendars: int
    shares: tuple[float | None, ...]
    share: float | None
    worst: tuple[CoverageLine, ...]
    others: int
    others_whole: int


@dataclass(frozen=True, slots=True)
class WorstCalendar:
    """A calendar that was unknown for long.

    Args:
        line: Its coverage.
        lost: How often in the span it became unknown for a reason.
        failures: Harvests in a row without an answer, now.
        reason: Why it was unknown last.
        since: When that began.
        until: When it ended; ``None`` while it lasts.
    """

    line: CoverageLine
    lost: int
    failures: int
    reason: Reason
    since: datetime | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class PermissionFact:
    """A right that is not granted now, or that changed in the span.

    Args:
        place: The calendar.
        connection: Whose right.
        need: What it is needed for.
        required: The lowest level that grants it.
        observed: The level that was seen.
        verdict: How it stands.
        reason: Why it is not granted.
        since: Since when.
        before: The verdict before it; ``None`` for the first.
        changed: Whether the verdict changed within the span.
    """

    place: Place
    connection: str
    need: Need
    required: str
    observed: str | None
    verdict: Verdict
    reason: Reason | None
    since: datetime
    before: Verdict | None
    changed: bool

    @property
    def lost(self) -> bool:
        """Whether it was granted before and is not now."""
        return self.before is Verdict.GRANTED and self.verdict in LOST


@dataclass(frozen=True, slots=True)
class Permissions:
    """The rights that connections have in the calendars they serve.

    Args:
        counts: How many of each need and verdict there are.
        rows: Those lost first, then others that are not granted, then those won in the span.
        more: How many of these are not among the rows.
        lost: How many were granted before, and are not now.
        lost_since: When the last of them was lost.
    """

    counts: Mapping[tuple[Need, Verdict], int]
    rows: tuple[PermissionFact, ...]
    more: int
    lost: int
    lost_since: datetime | None


@dataclass(frozen=True, slots=True)
class EntryFact:
    """An entry of a coming booking that is not as it should be; never what guests wrote."""

    booking_key: str
    place: Place
    starts_at: datetime | None
    state: EntryState
    reason: Reason | None
    since: datetime


@dataclass(frozen=True, slots=True)
class Bookings:
    """Where bookings stand.

    Args:
        coming: Entries of bookings that are not over, by state.
        over: Entries of bookings that were over within the span, by state.
        absent: Coming bookings that have no entry anywhere yet.
        refused: Rows that are no bookings.
        troubled: Coming entries that need somebody, the soonest first.
        more: How many more of these there are.
    """

    coming: Mapping[EntryState, int]
    over: Mapping[EntryState, int]
    absent: int
    refused: int
    troubled: tuple[EntryFact, ...]
    more: int


@dataclass(frozen=True, slots=True)
class RunFact:
    """One run."""

    id: int
    flow: str
    status: RunStatus
    reason: Reason | None
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Runs:
    """What ran.

    Args:
        slots: How many runs of a flow ended how, by flow, number of the slot and status.
        slot: How long a slot is.
        bad: The last runs in the span that failed, crashed or were refused, the newest first.
        bad_count: How many there were.
        crashed: How many of these crashed.
        total: How many runs there were in the span.
        last: The last run of each flow that ended, skipped ones left out.
        running: Runs at work.
        harvested_at: When a harvest last ended that read something.
    """

    slots: Mapping[tuple[str, int, RunStatus], int]
    slot: timedelta
    bad: tuple[RunFact, ...]
    bad_count: int
    crashed: int
    total: int
    last: tuple[RunFact, ...]
    running: tuple[RunFact, ...]
    harvested_at: datetime | None


@dataclass(frozen=True, slots=True)
class LogonFact:
    """A log-on that was refused."""

    account: str
    at: datetime
    by: str
    actor: str
    version: int | None
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class SecretFact:
    """A version of a secret that was stored in the span."""

    account: str
    version: int
    at: datetime
    actor: str


@dataclass(frozen=True, slots=True)
class Logons:
    """Who logged on, and what the servers said.

    Args:
        slots: How many log-ons of an account were answered how, by account, number of the slot and answer; ``None`` = no
            answer was written down.
        accounts: How many accounts logged on; the slots tell of those with the most refusals.
        refused: The last refused ones, the newest first.
        refused_count: How many were refused in the span.
        secrets: Versions of secrets that were stored in the span.
    """

    slots: Mapping[tuple[str, int, LogonAnswer | None], int]
    accounts: int
    refused: tuple[LogonFact, ...]
    refused_count: int
    secrets: tuple[SecretFact, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Requests that nobody has done yet: how many, and since when the first."""

    count: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a report tells.

    Args:
        period: Of which time.
        connections: The accounts that are connected, the corporate one first.
        unknown: Calendars that are not known now, the largest group first.
        known: How many calendars are known now.
        coverage: How it was in the span.
        worst: The worst calendars of the span.
        permissions: What connections may do.
        bookings: Where bookings stand.
        runs: What ran.
        logons: Who logged on.
        waiting: What people asked for and nobody has done.
    """

    period: Period
    connections: tuple[ConnectionFact, ...]
    unknown: tuple[UnknownGroup, ...]
    known: int
    coverage: Coverage
    worst: tuple[WorstCalendar, ...]
    permissions: Permissions
    bookings: Bookings
    runs: Runs
    logons: Logons
    waiting: Waiting
