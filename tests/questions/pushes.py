"""Bookings in the small company: what guests booked, what pushes made of it, and what owners did to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from busytime.bookings import BookingState, ChangeKind, Claim, Ending, Entry, EntryState, Intent
from busytime.errors import Reason
from busytime.model import Outcome, RunStatus, Window
from busytime.planning import PlannedChange, make_plan
from busytime.store.entry_book import StoredEntryBook
from tests.unit.bookings.snapshots import make_booking
from tests.unit.moments import MONDAY

if TYPE_CHECKING:
    from tests.questions.world import World

FLOW = "push_bookings"
HOUR = timedelta(hours=1)
#: How an attempt at an entry of these bookings ends; any other is applied.
TROUBLE = {
    "BK-1005": (Outcome.CONFLICT, EntryState.CONFLICT, Reason.SLOT_TAKEN),
    "BK-1006": (Outcome.FAILED, EntryState.FAILED, Reason.SERVER_ERROR),
}
#: Written, and not read back since.
UNVERIFIED = "BK-1007"
#: Removed by the owner of its main calendar, and moved by that owner.
REMOVED, MOVED = "BK-1004", "BK-1003"
MOVED_BY = 2 * HOUR


@dataclass(frozen=True, slots=True)
class Pushed:
    """One attempt at an entry, as it really went."""

    key: str
    revision: int
    booked_at: datetime
    owner: str
    kind: ChangeKind
    window: Window
    intended_at: datetime
    finished_at: datetime
    outcome: Outcome


def slot(number: int) -> Window:
    """Return when a booking takes place: one a day from the 30th on."""
    start = MONDAY + timedelta(days=7 + number % 7, hours=1 + number % 3)
    return Window(start, start + HOUR / 2)


def book(world: World, *numbers: int, revision: int = 1, state: BookingState = BookingState.SCHEDULED, later: int = 0) -> None:
    """Take bookings in, some minutes before a push looks at them."""
    now = world.clock.now()
    given = []
    for number in numbers:
        when = Window(slot(number).start + later * HOUR, slot(number).end + later * HOUR)
        booked_at = now - timedelta(minutes=3 * (number % 10) + 1)
        given.append(make_booking(f"BK-{number}", revision=revision, state=state, when=when, booked_at=booked_at))
    with world.store.write() as unit:
        unit.bookings.take(given, now)


def push(world: World) -> None:
    """Write what is planned, entry by entry; each takes as many seconds as its calendar is slow."""
    run = world.open_run(FLOW)
    desk = StoredEntryBook(world.store, run, clock=world.clock)
    owners = {calendar.id: calendar.owner for calendar in world.calendars.values()}
    planned = [
        it
        for it in desk.want(make_plan(desk.snapshot()).changes)
        if it.booking.key not in {REMOVED, MOVED} or it.entry.item_id is None
    ]
    for number, change in enumerate(planned):
        world.diary.pushed.append(_write(world, desk, change, owners[change.calendar_id], number))
    world.end_run(run, FLOW, RunStatus.COMPLETED)


def _write(world: World, desk: StoredEntryBook, change: PlannedChange, owner: str, number: int) -> Pushed:
    """Claim, intend, send (time goes by), conclude, read back."""
    clock, booking, entry = world.clock, change.booking, change.entry
    assert entry is not None
    assert booking.window is not None
    assert desk.claim(entry.calendar_id) is Claim.GRANTED
    outcome, state, reason = TROUBLE.get(booking.key, (Outcome.APPLIED, EntryState.PRESENT, None))
    intent = Intent(
        f"{booking.key}-{entry.id}-{clock.now():%d%H%M%S}", change.kind, booking.revision, booking.window, clock.now()
    )
    intended = desk.intend(entry, intent)
    assert intended is not None
    clock.go(seconds=1 + number % 3 + (2 if owner.startswith("bo") else 0))
    after = replace(intended, state=state, reason=reason)
    if outcome is Outcome.APPLIED:
        after = _applied(after, change)
    ending = Ending(
        after,
        intent.attempt_id,
        change.kind,
        booking.revision,
        booking.window,
        entry.window,
        outcome,
        reason,
        intended_at=intent.at,
    )
    desk.conclude(ending)
    finished_at = clock.now()
    if outcome is Outcome.APPLIED and booking.key != UNVERIFIED:
        clock.go(seconds=1)
        desk.save([replace(after, verified_at=clock.now())])
    desk.release(entry.calendar_id)
    return Pushed(
        booking.key, booking.revision, booking.booked_at, owner, change.kind, booking.window, intent.at, finished_at, outcome
    )


def _applied(entry: Entry, change: PlannedChange) -> Entry:
    booking = change.booking
    if change.kind is ChangeKind.CANCEL:
        return replace(entry, state=EntryState.CANCELLED, item_id=None, change_key=None)
    return replace(entry, item_id=f"item-{entry.id}", change_key="1", revision=booking.revision, window=booking.window)


def owners_change(world: World) -> None:
    """Let ana move one entry and remove another, as a harvest reads them back."""
    desk = StoredEntryBook(world.store, world.open_run("harvest_entries"), clock=world.clock)
    with world.store.read() as unit:
        entries = unit.entries.of([MOVED, REMOVED])
        ana = next(it.id for it in world.calendars.values() if it.owner.startswith("ana"))
    moved, removed = (next(it for it in entries[key] if it.calendar_id == ana) for key in (MOVED, REMOVED))
    assert moved.window is not None
    elsewhere = Window(moved.window.start + MOVED_BY, moved.window.end + MOVED_BY)
    now = world.clock.now()
    desk.save(
        [
            replace(moved, state=EntryState.MOVED_BY_OWNER, window=elsewhere, verified_at=now),
            replace(removed, state=EntryState.REMOVED_BY_OWNER, item_id=None, reason=Reason.GONE, verified_at=now),
        ]
    )
    with world.store.write() as unit:
        unit.bookings.follow(MOVED, 1, elsewhere)


Deed = Callable[["World"], None]


def _hour(day: int, hour: int, minute: int) -> datetime:
    return MONDAY.replace(day=day, hour=hour, minute=minute)


#: What happens when, besides harvests. BK-1001 is cancelled, BK-1002 rescheduled (in a push of its own: the gate lets no more
#: than a fifth of a page's entries be disturbed at once), BK-1012 comes after the last push.
DEEDS: tuple[tuple[datetime, Deed], ...] = (
    (_hour(23, 10, 1), (lambda world: book(world, *range(1001, 1007)))),
    (_hour(23, 10, 5), push),
    (_hour(24, 9, 11), (lambda world: book(world, *range(1007, 1012)))),
    (_hour(24, 9, 20), push),
    (_hour(24, 14, 58), (lambda world: book(world, 1001, revision=2, state=BookingState.CANCELLED))),
    (_hour(24, 15, 2), push),
    (_hour(24, 16, 2), (lambda world: book(world, 1002, revision=2, later=3))),
    (_hour(24, 16, 12), push),
    (_hour(25, 9, 5), owners_change),
    (_hour(25, 15, 10), (lambda world: book(world, 1012))),
)
