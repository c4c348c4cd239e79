"""Slots: fresh readings of the calendars that decide whether a booking's time is free. Unknown is never free."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from busytime.bookings import Booking, CalendarItem, Entry, Unseen
from busytime.errors import Reason, SkippableError
from busytime.model import BusyAnswer, Calendar, Unanswered, Window
from busytime.planning import PageRules
from busytime.push_desk import PushDesk
from busytime.reading import read_batch
from busytime.settling import is_taken, without_one

#: A reading older than this is read again: its owner may have made an appointment since.
FRESH_FOR = timedelta(seconds=5)
_READ_DEADLINE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Slot:
    """A time that a booking wants in a calendar of its page.

    Args:
        booking: The booking.
        window: Its time.
        page: Its page.
        decides: Whether this calendar is the page's main one, in which it is decided whether the slot is free.
    """

    booking: Booking
    window: Window
    page: PageRules
    decides: bool


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a slot cannot be taken.

    Args:
        reason: From the closed list.
        detail: The server's response code that goes with it.
    """

    reason: Reason
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class _Reading:
    """What was read of the main calendar and of the busy ones, and when it was asked for."""

    at: datetime
    items: Sequence[CalendarItem] | SkippableError
    busy: Mapping[int, BusyAnswer]


class Slots:
    """Fresh readings for the entries of one chunk: one request serves all of them, until it is too old."""

    def __init__(self, desk: PushDesk, calendars: Mapping[int, Calendar], slots: Sequence[Slot]) -> None:
        """Take what will be asked for; nothing is read yet.

        Args:
            desk: The main calendar.
            calendars: The roster's calendars by surrogate key.
            slots: In the order in which they will be asked for.
        """
        self._desk = desk
        self._calendars = calendars
        self._left = list(slots)
        self._reading: _Reading | None = None

    def items(self) -> list[CalendarItem]:
        """Return the items that a reading shows; none where the folder cannot be read."""
        items = self._fresh().items if self._left else []
        return [] if isinstance(items, SkippableError) else list(items)

    def passed(self, slot: Slot) -> None:
        """Note that a slot needs no further reading."""
        self._left.remove(slot)

    def look(self, slot: Slot, own: CalendarItem | None, entries: Sequence[Entry]) -> Obstacle | Unseen | None:
        """Return why a slot cannot be taken.

        Where it is known to be free: what the reading need not show, to be looked at when the intent is committed;
        ``None`` where whatever lies there does not matter.

        Args:
            slot: The slot.
            own: The booking's own item in the main calendar, which does not count.
            entries: The booking's entries; those in busy calendars do not count either.
        """
        if slot.page.allow_conflicts:
            return None
        reading = self._fresh()
        if isinstance(reading.items, SkippableError):
            return Obstacle(reading.items.reason, reading.items.detail)
        for calendar_id in slot.page.busy:
            answer = reading.busy.get(calendar_id, Unanswered(Reason.NO_CONNECTION))
            if isinstance(answer, Unanswered):
                return Obstacle(answer.reason, answer.detail)
        free = not is_taken(reading.items, own, slot.window, self._desk.busy_statuses)
        free = free and all(self._is_free(reading, calendar_id, slot, entries) for calendar_id in slot.page.busy)
        # What another attempt has just written, or may have, no reading needs to show.
        return Unseen((self._desk.calendar.id, *slot.page.busy), reading.at) if free else Obstacle(Reason.SLOT_TAKEN)

    def _is_free(self, reading: _Reading, calendar_id: int, slot: Slot, entries: Sequence[Entry]) -> bool:
        answer = reading.busy[calendar_id]
        intervals = () if isinstance(answer, Unanswered) else answer.intervals
        taken = [it for it in intervals if it[2] in self._desk.busy_statuses and slot.window.overlaps(it[0], it[1])]
        for entry in entries:
            if entry.calendar_id == calendar_id and entry.item_id is not None and entry.window is not None:
                taken = without_one(taken, entry.window.start, entry.window.end)
        return not taken

    def _fresh(self) -> _Reading:
        now = self._desk.now()
        if self._reading is None or now - self._reading.at > FRESH_FOR:
            self._reading = self._read(now)
        return self._reading

    def _read(self, now: datetime) -> _Reading:
        windows = [slot.window for slot in self._left]
        try:
            items: Sequence[CalendarItem] | SkippableError = self._desk.view(windows)
        except SkippableError as error:
            return _Reading(now, error, {})
        deciding = [slot for slot in self._left if slot.decides and not slot.page.allow_conflicts]
        busy = sorted({place for slot in deciding for place in slot.page.busy})
        served = [self._calendars[place] for place in busy if place in self._calendars]
        if not served:
            return _Reading(now, items, {})
        hull = Window(min(it.start for it in windows), max(it.end for it in windows))
        reading = self._desk.ask(
            partial(
                read_batch,
                self._desk.gateway,
                served,
                hull,
                clock=self._desk.clock,
                window_days=self._desk.window_days,
                deadline=_READ_DEADLINE,
            )
        )
        return _Reading(now, items, reading.answers)
