"""Pushing: bring the entries of one calendar to where their bookings want them, each exactly once.

For each entry: look up what a lost answer left behind, look whether it may be written, write it, and read the calendar
back. Every step begins with what is stored, which is what makes it safe to run again, whenever its process died.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta

from busytime.attempts import Attempts, Task
from busytime.bookings import (
    CalendarItem,
    ChangeKind,
    ChangeResult,
    Claim,
    Draft,
    Entry,
    EntryState,
    ItemName,
    Unseen,
)
from busytime.errors import (
    BusyTimeError,
    ConflictError,
    Reason,
    ServerUnavailableError,
    SkippableError,
    SpoiltAnswerError,
)
from busytime.model import Calendar, Outcome, Role, Window
from busytime.planning import PlannedChange, Snapshot, in_order, plan_booking
from busytime.ports import EntryBook
from busytime.push_desk import PushDesk
from busytime.settling import Sighting, has_time, sort_out
from busytime.slots import Obstacle, Slot, Slots
from busytime.verifying import read_back

#: Entries that share one claim, one reading before and one reading after.
CHUNK = 20
#: Bookings further apart are not read in one window.
CHUNK_SPAN = timedelta(days=31)
#: An item that changes under our hands is read again so many times.
_TRIES = 3
#: How long to wait for a calendar into which another process writes.
_PATIENCE_SECONDS = 20.0
_PAUSE_SECONDS = 0.1


def push_calendar(
    desk: PushDesk,
    calendars: Mapping[int, Calendar],
    changes: Sequence[PlannedChange],
    results: list[ChangeResult],
    pause: Callable[[float], None],
) -> None:
    """Carry out what is planned for one calendar; what another process did meanwhile is done.

    Args:
        desk: The calendar.
        calendars: The roster's calendars by surrogate key.
        changes: Its planned changes, in the plan's order.
        results: Takes how each change ended, even where an error ends the rest.
        pause: Waits so many seconds.

    Raises:
        RetriableError: Run it again: it begins with what is stored.
        FatalError: Nothing more can be sent.
    """
    patience = _PATIENCE_SECONDS
    for chunk in _chunks(changes):
        claim = desk.book.claim(desk.calendar.id)
        while claim is Claim.HELD_ELSEWHERE and patience > 0:
            pause(_PAUSE_SECONDS)
            patience -= _PAUSE_SECONDS
            claim = desk.book.claim(desk.calendar.id)
        if claim is not Claim.GRANTED:
            results += _unclaimed(chunk, claim)
            continue
        try:
            _Chunk(desk, calendars, chunk, desk.book.snapshot(_keys(chunk))).push(results)
        finally:
            desk.book.release(desk.calendar.id)


@dataclass(frozen=True, slots=True)
class Leftover:
    """Changes of one calendar for which nothing is sent.

    Args:
        desk: The calendar.
        changes: What is left.
        error: Why.
        state: What their entries become, unless a lost answer has to be looked up first.
    """

    desk: PushDesk
    changes: Sequence[PlannedChange]
    error: BusyTimeError
    state: EntryState


def give_up(book: EntryBook, left: Sequence[Leftover]) -> list[ChangeResult]:
    """Note for changes that are left why nothing is sent; what another process has claimed is left to it.

    Args:
        book: The tables.
        left: At most one for each calendar.
    """
    results: list[ChangeResult] = []
    with ExitStack() as claims:
        mine: list[Leftover] = []
        for it in left:
            claim = book.claim(it.desk.calendar.id)
            if claim is Claim.GRANTED:
                claims.callback(book.release, it.desk.calendar.id)
                mine.append(it)
            else:
                results += _unclaimed(it.changes, claim)
        # Only now: what is claimed stays as it is read.
        snapshot = book.snapshot(_keys(change for it in mine for change in it.changes))
        for it in mine:
            attempts = Attempts(it.desk)
            tasks = _Chunk(it.desk, {}, it.changes, snapshot).tasks()
            reason, detail = it.error.reason, it.error.detail
            results += [attempts.refuse(task, Outcome.FAILED, it.state, reason, detail) for task in tasks]
    return results


def _keys(changes: Iterable[PlannedChange]) -> set[str]:
    return {change.booking.key for change in changes}


def _unclaimed(changes: Sequence[PlannedChange], claim: Claim) -> list[ChangeResult]:
    reason = Reason.PACED if claim is Claim.PACED else Reason.AT_WORK_ELSEWHERE
    return [_skipped(change, reason) for change in changes]


def _skipped(change: PlannedChange, reason: Reason) -> ChangeResult:
    return ChangeResult(change.booking.key, change.calendar_id, change.kind, Outcome.SKIPPED, reason)


def _chunks(changes: Sequence[PlannedChange]) -> Iterator[list[PlannedChange]]:
    """Cut changes into chunks that one reading can serve."""
    chunk: list[PlannedChange] = []
    for change in changes:
        first, window = chunk[0].booking.window if chunk else None, change.booking.window
        far = first is not None and window is not None and window.end - first.start > CHUNK_SPAN
        if chunk and (len(chunk) >= CHUNK or far):
            yield chunk
            chunk = []
        chunk.append(change)
    if chunk:
        yield chunk


class _Chunk:
    """Some changes of one calendar, under one claim."""

    def __init__(
        self, desk: PushDesk, calendars: Mapping[int, Calendar], changes: Sequence[PlannedChange], snapshot: Snapshot
    ) -> None:
        """Plan again from what is stored now: since the plan was made, others may have been at work."""
        self._desk = desk
        self._snapshot = snapshot
        bookings = [booking for booking in snapshot.bookings if booking.key in _keys(changes)]
        planned = [change for booking in bookings for change in plan_booking(snapshot, booking)]
        mine = [change for change in planned if change.calendar_id == desk.calendar.id]
        self._changes = desk.book.want(sorted(mine, key=in_order))
        self._slots = Slots(desk, calendars, [slot for slot in map(self._slot, self._changes) if slot])
        self._attempts = Attempts(desk)

    def tasks(self) -> list[Task]:
        """Return the changes with their entries."""
        return [Task(change, change.entry) for change in self._changes if change.entry is not None]

    def push(self, results: list[ChangeResult]) -> None:
        """Carry out the changes, then read back what was written."""
        done: dict[str, ChangeResult] = {}
        try:
            self._carry_out(done)
            self._verify(done)
        except (ServerUnavailableError, SpoiltAnswerError):
            # The next attempt plans nothing for what was written before this. A server that wants to be left alone is.
            self._verify(done)
            raise
        finally:
            results += done.values()

    def _carry_out(self, done: dict[str, ChangeResult]) -> None:
        for task in self.tasks():
            slot = self._slot(task.change)
            full = self._attempts.full
            done[task.change.booking.key] = _skipped(task.change, Reason.TOO_MANY_MAILBOXES) if full else self._push(task, slot)
            if slot is not None:
                self._slots.passed(slot)

    def _verify(self, done: dict[str, ChangeResult]) -> None:
        done |= {it.booking_key: it for it in read_back(self._desk, self._attempts.written)}

    def _slot(self, change: PlannedChange) -> Slot | None:
        booking, page = change.booking, self._snapshot.pages.get(change.booking.page)
        if change.kind is ChangeKind.CANCEL or page is None or booking.window is None:
            return None
        return Slot(booking, booking.window, page, decides=change.role is Role.MAIN)

    def _push(self, task: Task, slot: Slot | None) -> ChangeResult:
        if task.entry.state is EntryState.INTENDED:
            task = self._attempts.bury(task)
        try:
            found = self._locate(task.entry)
        except SkippableError as error:
            # Nothing is concluded from a folder that does not tell: a right that was taken away removes nothing.
            return self._attempts.refuse(task, Outcome.FAILED, EntryState.BLOCKED, error.reason, error.detail)
        if found.veiled:
            # It may be ours: another one made would be one too many, and so would a copy that is taken for it.
            return self._attempts.refuse(task, Outcome.FAILED, EntryState.BLOCKED, Reason.FOREIGN_ITEM)
        for twin in found.late:
            left = self._attempts.remove_twin(task, twin.item_id)
            if left is not None:
                return left
        task = replace(task, entry=_as_found(task.entry, found))
        if slot is None:
            return self._cancel(task, found.ours)
        return self._bring(task, found, slot)

    def _locate(self, entry: Entry) -> Sighting:
        """Find the entry's item, and what else carries its marker.

        Raises:
            SkippableError: The folder does not tell.
        """
        marker = self._desk.marker(entry.booking_key)
        if entry.item_id is None and entry.intent is None:
            # Nothing was ever sent. Only a forgotten attempt can have left an item; where it would matter, the fresh
            # reading shows it.
            return sort_out([item for item in self._slots.items() if item.marker_key == marker], entry)
        stored = self._desk.read(entry.item_id) if entry.item_id is not None and not entry.lost else None
        if stored is not None and stored.marker_key == marker:
            return Sighting(stored)
        found = sort_out(self._desk.find(entry.booking_key), entry)
        if found.ours is not None and found.ours.item_id == entry.item_id:
            return found
        if entry.item_id is not None and entry.lost:
            stored = self._desk.read(entry.item_id)
        return replace(found, foreign=stored is not None, veiled=stored is not None and stored.marker_key is None)

    def _cancel(self, task: Task, item: CalendarItem | None) -> ChangeResult:
        gone = replace(task.entry, state=EntryState.CANCELLED, item_id=None, change_key=None, reason=None, detail=None)
        if item is None:
            return self._attempts.end(task, Outcome.ALREADY_APPLIED, gone)
        closed = self._closed()
        if closed is not None:
            return self._attempts.refuse(task, Outcome.REFUSED, EntryState.BLOCKED, closed)

        def request() -> Entry:
            self._desk.remove(item.item_id)
            return gone

        return self._attempts.send(task, ChangeKind.CANCEL, request)

    def _bring(self, task: Task, found: Sighting, slot: Slot) -> ChangeResult:
        """Bring an entry to its booking's time and revision."""
        entry, booking, item = task.entry, slot.booking, found.ours
        present = replace(entry, state=EntryState.PRESENT, revision=booking.revision, window=slot.window)
        if item is not None and has_time(item, slot.window) and item.revision == booking.revision:
            return self._attempts.end(task, Outcome.ALREADY_APPLIED, present, read_again=True)
        if item is None and not _may_create(task.change):
            reason = Reason.FOREIGN_ITEM if found.foreign else Reason.GONE
            removed = replace(entry, state=EntryState.REMOVED_BY_OWNER, reason=reason, detail=None)
            return self._attempts.end(task, Outcome.SKIPPED, removed)
        ruling = self._rule(task, item, slot)
        if isinstance(ruling, ChangeResult):
            return ruling
        draft = self._draft(slot)

        def request() -> Entry:
            name = self._desk.create(draft) if item is None else self._change(item, draft)
            return replace(present, item_id=name.item_id, change_key=name.change_key, verified_at=None)

        return self._attempts.send(task, ChangeKind.CREATE if item is None else ChangeKind.UPDATE, request, ruling)

    def _change(self, item: CalendarItem, draft: Draft) -> ItemName:
        """Change an item; one that was changed since it was read is read again, and its marker looked at again."""
        for _ in range(_TRIES - 1):
            try:
                return self._desk.change(item.name, draft)
            except ConflictError:
                seen = self._desk.read(item.item_id)
                if seen is None or seen.marker_key != draft.marker_key:
                    raise
                item = seen
        return self._desk.change(item.name, draft)

    def _rule(self, task: Task, item: CalendarItem | None, slot: Slot) -> ChangeResult | Unseen | None:
        """Write down why an entry may not be written now, if it may not; else return what its intent has to look at."""
        closed = self._closed() or slot.page.blocked
        if closed is not None:
            return self._attempts.refuse(task, Outcome.REFUSED, EntryState.BLOCKED, closed)
        if item is not None and has_time(item, slot.window):
            return None  # the time is ours already; only its texts change
        if task.change.role is Role.ADDITIONAL:
            return self._await_main(task, slot)
        found = self._slots.look(slot, item, self._snapshot.entries.get(slot.booking.key, ()))
        if not isinstance(found, Obstacle):
            return found
        if found.reason is Reason.SLOT_TAKEN:
            return self._attempts.refuse(task, Outcome.CONFLICT, EntryState.CONFLICT, found.reason)
        return self._attempts.refuse(task, Outcome.REFUSED, EntryState.BLOCKED, found.reason, found.detail)

    def _await_main(self, task: Task, slot: Slot) -> ChangeResult | None:
        """Let an additional calendar follow the main one: what is not there is copied nowhere."""
        entries = self._snapshot.entries.get(slot.booking.key, ())
        main = next((it for it in entries if it.calendar_id == slot.page.main), None)
        if main is not None and main.state is EntryState.PRESENT and main.window == slot.window:
            return None
        if main is not None and main.state is EntryState.CONFLICT:
            return self._attempts.refuse(task, Outcome.CONFLICT, EntryState.CONFLICT, Reason.SLOT_TAKEN)
        return self._attempts.refuse(task, Outcome.SKIPPED, task.entry.state, Reason.MAIN_NOT_THERE)

    def _closed(self) -> Reason | None:
        return self._attempts.denied or self._snapshot.closed_calendars.get(self._desk.calendar.id)

    def _draft(self, slot: Slot) -> Draft:
        booking = slot.booking
        body = "\n\n".join(part for part in (booking.body, "\n".join(booking.guests)) if part)
        marker = self._desk.marker(booking.key)
        return Draft(marker, booking.revision, slot.window, slot.page.time_zone, booking.title, booking.location, body)


def _as_found(entry: Entry, found: Sighting) -> Entry:
    """Return the entry as the calendar shows it; what a lost answer left behind has been looked up by now."""
    ours, state = found.ours, EntryState.WANTED if entry.lost else entry.state
    reason = Reason.COPIED_BY_OWNER if found.copies else None
    entry = replace(entry, state=state, reason=reason, detail=None)
    if ours is None:
        return replace(entry, item_id=None, change_key=None)
    window = Window(ours.start, ours.end) if ours.end > ours.start else entry.window
    return replace(entry, item_id=ours.item_id, change_key=ours.name.change_key, window=window)


def _may_create(change: PlannedChange) -> bool:
    """Tell whether an item that is not there may be made: never again at the revision at which its owner removed it."""
    entry = change.entry
    if change.kind is ChangeKind.CREATE or entry is None or entry.revision is None:
        return True
    cancelling = entry.lost and entry.intent is not None and entry.intent.kind is ChangeKind.CANCEL
    return cancelling or change.booking.revision > entry.revision
