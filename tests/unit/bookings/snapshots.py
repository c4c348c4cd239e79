"""Bookings, entries and snapshots for tests of planning and settling."""

from datetime import timedelta

from busytime.bookings import Booking, BookingState, CalendarItem, ChangeKind, Entry, EntryState, Intent, ItemName
from busytime.model import BusyStatus, Role
from busytime.planning import PageRules, Snapshot
from tests.unit.moments import MONDAY, at, window

MAIN, COPY, OTHER = 1, 2, 3
PAGE = PageRules("intro-call", "Europe/Berlin", {MAIN: Role.MAIN, COPY: Role.ADDITIONAL})
WHEN = window(60, 90)
ELSEWHERE = window(120, 150)
BEFORE = window(-90, -60)

#: As an entry in this state stands in the tables: what is or was in a calendar has an id there.
HAS_ITEM = {EntryState.PRESENT, EntryState.MOVED_BY_OWNER}
HAS_NO_ITEM = {EntryState.WANTED, EntryState.CANCELLED, EntryState.REMOVED_BY_OWNER}


def make_booking(key="BK-1", *, when=WHEN, revision=5, state=BookingState.SCHEDULED, page=PAGE.name, booked_at=MONDAY):
    return Booking(key, page, when, "Intro call", state, revision, booked_at)


def cancelled(key="BK-1", **values):
    return make_booking(key, state=BookingState.CANCELLED, **values)


def make_entry(state, *, key="BK-1", calendar_id=MAIN, when=WHEN, revision=5, item_id="item", **values):
    return Entry(calendar_id * 1000, key, calendar_id, state, item_id=item_id, revision=revision, window=when, **values)


def make_snapshot(bookings, entries=(), *, pages=(PAGE,), in_use=(MAIN, COPY, OTHER), opened_at=None, **values):
    by_key = {}
    for entry in entries:
        by_key.setdefault(entry.booking_key, []).append(entry)
    opened_at = dict.fromkeys(in_use, MONDAY - timedelta(days=1)) if opened_at is None else opened_at
    return Snapshot(MONDAY, bookings, by_key, {page.name: page for page in pages}, opened_at, frozenset(in_use), **values)


def make_intent(*, kind=ChangeKind.CREATE, when=WHEN, made=0, revision=5):
    return Intent("attempt", kind, revision, when, at(made))


def make_item(item_id="item", *, when=WHEN, made=0, marker="house/BK-1", revision=5, status=BusyStatus.BUSY):
    """Return an item; ``made`` is the minute in which the server made it, or ``None`` where it does not tell."""
    created_at = None if made is None else at(made)
    return CalendarItem(ItemName(item_id, "1"), when.start, when.end, status, marker, revision, created_at)
