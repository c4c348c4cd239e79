"""Values of pushing: bookings, their entries in calendars, and the items that a server shows.

Pure: no server, no store, no clock.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from busytime.errors import Reason
from busytime.model import BusyStatus, Outcome, Window

#: The marker's key part that no booking may have: the write probe's own.
RESERVED_KEY = "probe"


class BookingState(StrEnum):
    """What the guest wants of a booking."""

    SCHEDULED = "scheduled"
    CANCELLED = "cancelled"


class ChangedBy(StrEnum):
    """Who set a booking's present time and state."""

    GUEST = "guest"
    OWNER = "owner"


class OwnerChanges(StrEnum):
    """What a page does when an owner moves or removes an entry: leave it, or let the booking follow."""

    REPORT = "report"
    FOLLOW = "follow"


class EntryState(StrEnum):
    """How an entry stands."""

    WANTED = "wanted"
    INTENDED = "intended"
    PRESENT = "present"
    UNKNOWN = "unknown"
    CONFLICT = "conflict"
    BLOCKED = "blocked"
    WAITING_FOR_LOG_ON = "waiting_for_log_on"
    MOVED_BY_OWNER = "moved_by_owner"
    REMOVED_BY_OWNER = "removed_by_owner"
    CANCELLED = "cancelled"
    FAILED = "failed"
    ORPHANED = "orphaned"


#: A request for it may have taken effect, and nobody has seen the answer: look it up by marker first.
LOST = frozenset({EntryState.INTENDED, EntryState.UNKNOWN})


class ChangeKind(StrEnum):
    """What a plan does to an entry."""

    CREATE = "create"
    UPDATE = "update"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Booking:
    """What was booked, at its newest good revision. Its representation shows nothing that a guest wrote.

    Args:
        key: Stable outside key.
        page: Name of the booking page.
        window: When, at whole seconds; ``None`` only for a cancelled booking that was never scheduled.
        title: The item's title.
        state: What the guest wants.
        revision: Number of this revision; a later one reschedules or cancels.
        booked_at: When it was booked.
        location: The item's place.
        body: The item's text.
        guests: Goes into the item's text; nobody is invited.
        changed_by: Whether ``window`` and ``state`` are the guest's or follow the owner's doing.
        blanked: Whether its texts were taken out, because it was over long ago; it is never written into a calendar again.
    """

    key: str
    page: str
    window: Window | None
    title: str = field(repr=False)
    state: BookingState
    revision: int
    booked_at: datetime
    location: str = field(default="", repr=False)
    body: str = field(default="", repr=False)
    guests: tuple[str, ...] = field(default=(), repr=False)
    changed_by: ChangedBy = ChangedBy.GUEST
    blanked: bool = False

    def without_texts(self) -> "Booking":
        """Return it as it stands once its texts were taken out."""
        return replace(self, title="", location="", body="", guests=(), blanked=True)


@dataclass(frozen=True, slots=True)
class Intent:
    """What was committed before a request was sent.

    Args:
        attempt_id: Random name of the attempt; one row in ``changes`` ends it.
        kind: What was about to be done.
        revision: The booking's revision.
        window: The booking's time; of a cancellation, the entry's.
        at: When it was committed.
    """

    attempt_id: str
    kind: ChangeKind
    revision: int
    window: Window | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Unseen:
    """Where another booking's entry is in the way of a write, although the reading before it need not show it.

    Args:
        calendar_ids: The calendars that were read.
        since: When the reading was asked for.
    """

    calendar_ids: tuple[int, ...]
    since: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """One booking in one calendar, as the tables hold it.

    Args:
        id: Surrogate key.
        booking_key: The booking.
        calendar_id: The calendar.
        state: How it stands.
        intent: The newest intent, finished or not; ``None`` before the first.
        item_id: The server's id of the item, once seen.
        change_key: Its version there.
        revision: The revision that was written last.
        window: The time that was written, or seen, last.
        verified_at: When it was last read back as it should be.
        reason: Why it is not as it should be.
        detail: The server's response code that goes with the reason.
    """

    id: int
    booking_key: str
    calendar_id: int
    state: EntryState
    intent: Intent | None = None
    item_id: str | None = None
    change_key: str | None = None
    revision: int | None = None
    window: Window | None = None
    verified_at: datetime | None = None
    reason: Reason | None = None
    detail: str | None = None

    @property
    def lost(self) -> bool:
        """Whether it has to be looked up before anything is sent."""
        return self.state in LOST


class Claim(StrEnum):
    """Whether a calendar may be written to now: by this process alone, not at all, or not yet."""

    GRANTED = "granted"
    HELD_ELSEWHERE = "held_elsewhere"
    PACED = "paced"


@dataclass(frozen=True, slots=True)
class Ending:
    """How one attempt at an entry ended: one row in ``changes``, and the entry as it stands now.

    Args:
        entry: The entry with its new state, item and reason.
        attempt_id: Random name of the attempt.
        kind: What was to be done.
        revision: The booking's revision that was meant.
        window: The time that was meant; of a cancellation, the entry's.
        before: The entry's time before it.
        outcome: How it ended.
        reason: Why it was not applied.
        detail: The server's response code.
        intended_at: When the intent was committed; ``None`` where nothing was to be sent.
        item_id: The item that was written, or that should be gone.
    """

    entry: Entry
    attempt_id: str
    kind: ChangeKind
    revision: int
    window: Window | None
    before: Window | None
    outcome: Outcome
    reason: Reason | None = None
    detail: str | None = None
    intended_at: datetime | None = None
    item_id: str | None = None


@dataclass(frozen=True, slots=True)
class ItemName:
    """How a server names an item: its id, and its version, empty where it tells none."""

    item_id: str
    change_key: str


@dataclass(frozen=True, slots=True)
class Draft:
    """An item as it shall be written: busy, without a reminder, nobody invited. Its representation shows none of its texts.

    Args:
        marker_key: Value of ``BusytimeKey``: ``INSTALLATION/BOOKING-KEY``.
        revision: Value of ``BusytimeRevision``.
        window: When, at whole seconds.
        time_zone: IANA name of the zone in which its owner sees it.
        title: Its title.
        location: Its place.
        body: Its text, guests included; plain text.
    """

    marker_key: str
    revision: int
    window: Window
    time_zone: str
    title: str = field(repr=False)
    location: str = field(repr=False)
    body: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CalendarItem:
    """An item as a server shows it: time, status and marker, never a detail of it.

    Args:
        name: Its id and version.
        start: Aware instant in UTC.
        end: Aware instant in UTC.
        status: How it occupies its owner; ``None`` where it is free or the status was not asked for.
        marker_key: Its ``BusytimeKey`` exactly as it stands there; ``None`` without one, or where it cannot be read.
        revision: Its ``BusytimeRevision``; ``None`` without one or where it is no number.
        created_at: When the server made it; ``None`` where it does not tell.
    """

    name: ItemName
    start: datetime
    end: datetime
    status: BusyStatus | None
    marker_key: str | None
    revision: int | None
    created_at: datetime | None

    @property
    def item_id(self) -> str:
        """The server's id."""
        return self.name.item_id


def marker_key(installation_id: str, booking_key: str) -> str:
    """Return the marker of a booking's items."""
    return f"{installation_id}/{booking_key}"


def booking_key_of(marker: str | None, installation_id: str) -> str | None:
    """Return the booking key in a marker of this installation; ``None`` for any other item and for a write probe."""
    installation, slash, key = (marker or "").partition("/")
    return key if slash and installation == installation_id and key != RESERVED_KEY else None


@dataclass(frozen=True, slots=True)
class ChangeResult:
    """How one change of one entry ended.

    Args:
        booking_key: The booking.
        calendar_id: The calendar.
        kind: What was to be done.
        outcome: How it ended.
        reason: Why it was not applied.
        detail: The server's response code.
        moved: Whether it was to bring an entry from one time to another.
    """

    booking_key: str
    calendar_id: int
    kind: ChangeKind
    outcome: Outcome
    reason: Reason | None = None
    detail: str | None = None
    moved: bool = False
