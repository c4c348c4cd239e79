"""Planning: from bookings and entries to the changes that bring calendars and bookings together. Pure rules.

The plan is a value: it is complete before anything is sent, empty when nothing is to do, and a gate looks at it first.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from busytime.bookings import Booking, BookingState, ChangeKind, Entry, EntryState, OwnerChanges
from busytime.errors import Reason
from busytime.model import Role, Window

#: A page whose plan cancels or moves more than this share of at least so many future entries is refused.
GATE_SHARE = 0.2
GATE_ENTRIES = 10

_ROLE_ORDER = {Role.MAIN: 0, Role.ADDITIONAL: 1, None: 2}


@dataclass(frozen=True, slots=True)
class PageRules:
    """What a booking page asks of its entries.

    Args:
        name: The page.
        time_zone: IANA name.
        targets: The calendars that get an entry, with their role there: one main, any number of additional ones.
        busy: The calendars whose busy time is read besides the main one's.
        blocked: Why its main calendar's verdict blocks it.
        allow_conflicts: Whether a taken slot does not matter.
        owner_changes: What it does when an owner moves or removes an entry.
        recreate: Whether an entry that its owner removed is made again.
    """

    name: str
    time_zone: str
    targets: Mapping[int, Role]
    busy: tuple[int, ...] = ()
    blocked: Reason | None = None
    allow_conflicts: bool = False
    owner_changes: OwnerChanges = OwnerChanges.REPORT
    recreate: bool = False

    @property
    def main(self) -> int:
        """The main calendar."""
        return next(calendar_id for calendar_id, role in self.targets.items() if role is Role.MAIN)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that a plan is made from, read in one transaction.

    Args:
        now: When it was read.
        bookings: At their newest good revision, each key once.
        entries: Of these bookings, by booking key.
        pages: Pages in use, by name.
        opened_at: When the connection that serves a calendar was opened, for each calendar in use that is served.
        in_use: The calendars of the roster.
        closed_calendars: Calendars in which the verdict allows no write, and why.
        backfill: Whether bookings made before the connection was opened get entries too.
    """

    now: datetime
    bookings: Sequence[Booking]
    entries: Mapping[str, Sequence[Entry]]
    pages: Mapping[str, PageRules]
    opened_at: Mapping[int, datetime]
    in_use: frozenset[int]
    closed_calendars: Mapping[int, Reason] = field(default_factory=dict)
    backfill: bool = False


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """One change of one entry.

    Args:
        kind: What is to be done.
        booking: The booking.
        calendar_id: The calendar.
        role: What the calendar does on the booking's page now; ``None`` where it is on it no more.
        entry: The entry as it stands; ``None`` before the first.
    """

    kind: ChangeKind
    booking: Booking
    calendar_id: int
    role: Role | None
    entry: Entry | None

    @property
    def disturbs(self) -> bool:
        """Whether it moves or takes away something that is in a calendar."""
        if self.entry is None or self.entry.item_id is None or self.entry.state is EntryState.REMOVED_BY_OWNER:
            return False
        return self.kind is ChangeKind.CANCEL or (self.kind is ChangeKind.UPDATE and self.entry.window != self.booking.window)


@dataclass(frozen=True, slots=True)
class RefusedPage:
    """A page whose plan the gate refused, with its numbers."""

    page: str
    disturbed: int
    future: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done, in one stable order: by time, booking, role and calendar.

    Args:
        changes: What the gate let pass.
        refused: What it did not.
        refused_pages: Why.
        orphans: Entries in calendars that left the roster; they stay where they are.
    """

    changes: tuple[PlannedChange, ...] = ()
    refused: tuple[PlannedChange, ...] = ()
    refused_pages: tuple[RefusedPage, ...] = ()
    orphans: tuple[Entry, ...] = ()


def make_plan(snapshot: Snapshot, *, forced_pages: Iterable[str] = ()) -> Plan:
    """Plan all that the snapshot asks for, and let the gate look at each page.

    Args:
        snapshot: What there is.
        forced_pages: Pages that pass the gate whatever it says.
    """
    changes = [change for booking in snapshot.bookings for change in plan_booking(snapshot, booking)]
    closed = {it.page: it for it in _judge_pages(snapshot, changes) if it.page not in set(forced_pages)}
    order = sorted(changes, key=in_order)
    return Plan(
        tuple(change for change in order if change.booking.page not in closed),
        tuple(change for change in order if change.booking.page in closed),
        tuple(closed[page] for page in sorted(closed)),
        tuple(_orphans(snapshot)),
    )


def plan_booking(snapshot: Snapshot, booking: Booking) -> list[PlannedChange]:
    """Plan one booking: what its page wants, and what is elsewhere."""
    page = snapshot.pages.get(booking.page)
    entries = {entry.calendar_id: entry for entry in snapshot.entries.get(booking.key, ())}
    targets = page.targets if page is not None and booking.state is BookingState.SCHEDULED else {}
    changes: list[PlannedChange] = []
    for calendar_id in {**targets, **entries}:
        entry, role = entries.get(calendar_id), targets.get(calendar_id)
        if calendar_id not in snapshot.in_use or _is_over(booking, entry, snapshot.now):
            continue
        kind = _wanted(snapshot, booking, page, entry, calendar_id) if role and page else _unwanted(entry)
        # A page that left the roster takes nothing with it: its entries stay, as those of a calendar that left do.
        if kind is not None and not (page is None and booking.state is BookingState.SCHEDULED):
            changes.append(PlannedChange(kind, booking, calendar_id, role, entry))
    return changes


def _is_over(booking: Booking, entry: Entry | None, now: datetime) -> bool:
    windows = [booking.window, entry.window if entry else None]
    if entry is not None and entry.lost and entry.intent is not None:
        windows.append(entry.intent.window)  # there an item may be that nobody has seen
    return all(window is None or window.end <= now for window in windows)


def _wanted(snapshot: Snapshot, booking: Booking, page: PageRules, entry: Entry | None, calendar_id: int) -> ChangeKind | None:
    """Return what brings an entry to where its page wants it."""
    if booking.window is None or booking.blanked:
        return None  # an owner may move what is long over into the future; what stands there would become empty
    if entry is None:
        opened_at = snapshot.opened_at.get(calendar_id)
        over = booking.window.end <= snapshot.now
        early = opened_at is not None and booking.booked_at <= opened_at and not snapshot.backfill
        return None if over or early else ChangeKind.CREATE
    newer = entry.revision is None or booking.revision > entry.revision
    match entry.state:
        case EntryState.REMOVED_BY_OWNER:
            # Left alone until the guest says something new, or the page asks for it.
            wanted = ChangeKind.CREATE if newer or page.recreate else None
        case EntryState.MOVED_BY_OWNER:
            wanted = ChangeKind.UPDATE if newer else None
        case EntryState.PRESENT:
            older = entry.revision is not None and booking.revision < entry.revision
            wanted = ChangeKind.UPDATE if newer or (entry.window != booking.window and not older) else None
        case EntryState.CANCELLED:
            wanted = ChangeKind.CREATE
        case _:
            wanted = ChangeKind.UPDATE if entry.item_id else ChangeKind.CREATE
    over = wanted is ChangeKind.CREATE and not entry.lost and booking.window.end <= snapshot.now
    return None if over else wanted


def _unwanted(entry: Entry | None) -> ChangeKind | None:
    """Return what takes an entry away that no page wants any more."""
    return None if entry is None or entry.state is EntryState.CANCELLED else ChangeKind.CANCEL


def _orphans(snapshot: Snapshot) -> Iterable[Entry]:
    scheduled = {booking.key: booking for booking in snapshot.bookings if booking.state is BookingState.SCHEDULED}
    for key, entries in snapshot.entries.items():
        left = key in scheduled and scheduled[key].page not in snapshot.pages
        for entry in entries:
            gone = left or entry.calendar_id not in snapshot.in_use
            if gone and entry.state not in {EntryState.CANCELLED, EntryState.ORPHANED, EntryState.REMOVED_BY_OWNER}:
                yield entry


def _judge_pages(snapshot: Snapshot, changes: Sequence[PlannedChange]) -> list[RefusedPage]:
    future = Counter(page for page, entry in _future_entries(snapshot) if _is_there(entry))
    disturbed = Counter(it.booking.page for it in changes if it.disturbs and it.entry and _is_future(it.entry, snapshot.now))
    return [RefusedPage(page, count, future[page]) for page, count in disturbed.items() if is_too_much(count, future[page])]


def _future_entries(snapshot: Snapshot) -> Iterable[tuple[str, Entry]]:
    """Yield each page's entries that are not over."""
    pages = {booking.key: booking.page for booking in snapshot.bookings}
    for key, entries in snapshot.entries.items():
        if key in pages:
            yield from ((pages[key], entry) for entry in entries if _is_future(entry, snapshot.now))


def _is_future(entry: Entry, now: datetime) -> bool:
    return entry.window is not None and entry.window.end > now


def _is_there(entry: Entry) -> bool:
    return entry.item_id is not None and entry.state not in {EntryState.CANCELLED, EntryState.REMOVED_BY_OWNER}


def is_too_much(disturbed: int, future: int) -> bool:
    """Tell whether moving or taking away so many of a page's future entries is more than an accident should do."""
    return future >= GATE_ENTRIES and disturbed > GATE_SHARE * future


@dataclass(frozen=True, slots=True)
class FollowedChange:
    """A booking that follows what its owner did with the entry in the main calendar.

    Args:
        booking: The booking as it stands.
        entry: The entry, moved or removed.
        window: The new time; ``None`` where the owner removed it.
    """

    booking: Booking
    entry: Entry
    window: Window | None


def plan_following(snapshot: Snapshot) -> tuple[list[FollowedChange], list[RefusedPage]]:
    """Plan which bookings follow their owners, on pages that want it; the same gate looks at each page."""
    found: dict[str, list[FollowedChange]] = {}
    for booking in snapshot.bookings:
        page = snapshot.pages.get(booking.page)
        if page is None or page.owner_changes is not OwnerChanges.FOLLOW or booking.state is not BookingState.SCHEDULED:
            continue
        for entry in snapshot.entries.get(booking.key, ()):
            # A later revision of the guest's overrules what the owner did with an earlier one.
            if entry.calendar_id == page.main and entry.revision == booking.revision:
                found.setdefault(page.name, []).extend(_followed(booking, entry))
    # What owners removed is among what is followed, so it counts beside what is in a calendar.
    future = Counter(page for page, it in _future_entries(snapshot) if _is_there(it) or it.state is EntryState.REMOVED_BY_OWNER)
    refused = [RefusedPage(name, len(it), future[name]) for name, it in found.items() if is_too_much(len(it), future[name])]
    closed = {it.page for it in refused}
    return [it for name, changes in found.items() if name not in closed for it in changes], refused


def _followed(booking: Booking, entry: Entry) -> Iterable[FollowedChange]:
    if entry.state is EntryState.MOVED_BY_OWNER and entry.window is not None:
        yield FollowedChange(booking, entry, entry.window)
    elif entry.state is EntryState.REMOVED_BY_OWNER:
        yield FollowedChange(booking, entry, None)


def in_order(change: PlannedChange) -> tuple[datetime, str, int, int]:
    """Return what changes are sorted by: time, booking, role and calendar."""
    window = change.booking.window or (change.entry.window if change.entry else None)
    start = window.start if window else datetime.min.replace(tzinfo=UTC)
    return start, change.booking.key, _ROLE_ORDER[change.role], change.calendar_id
