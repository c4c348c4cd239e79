"""Verifying: what was written is read back from the owner's folder before it is believed."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from busytime.bookings import CalendarItem, ChangeKind, ChangeResult, Ending, Entry, EntryState
from busytime.errors import Reason, RetriableError, SkippableError
from busytime.model import Outcome, Window
from busytime.push_desk import PushDesk
from busytime.settling import has_time, sort_out

_log = logging.getLogger(__name__)


def read_back(desk: PushDesk, written: Sequence[Ending]) -> list[ChangeResult]:
    """Compare what was written with what the folder shows: time, marker, revision and, because it is asked itself, folder.

    Args:
        desk: The calendar.
        written: Attempts that were applied.

    Returns:
        For each entry that is not as it was written, or not alone, what has become of its change.

    Raises:
        FatalError: No further request makes sense.
    """
    windows = [it.entry.window for it in written if it.entry.window is not None]
    if not windows:
        return []
    try:
        items = desk.view(sorted(windows))
        seen = {it.entry.id: _items_of(desk, it, items) for it in written}
    except (SkippableError, RetriableError) as error:
        # Not verified is not wrong: the next harvest reads these entries back. But a removal that cannot be seen may have
        # hit what is only hidden, so its entry is looked up once more.
        hidden = [it.entry for it in written if it.kind is ChangeKind.CANCEL]
        desk.book.save([replace(it, state=EntryState.UNKNOWN, reason=error.reason, detail=error.detail) for it in hidden])
        _log.info("%d entries of calendar %d were not read back: %s", len(written), desk.calendar.id, error.reason)
        return []
    good = [it for it in written if _is_as_written(it, seen[it.entry.id])]
    odd = [it for it in written if it not in good]
    now = desk.now()
    present = [it for it in good if it.kind is not ChangeKind.CANCEL]
    written_here = any(it.outcome is Outcome.APPLIED for it in present)
    verified = [_verified(it, seen[it.entry.id], now=now) for it in present]
    desk.book.save(verified)
    if written_here:
        desk.book.prove_write(desk.calendar.id)
    twinned = [_lost(it, after) for it, after in zip(present, verified, strict=True) if after.lost]
    return twinned + [_note(desk, it, seen[it.entry.id]) for it in odd]


def _items_of(desk: PushDesk, ending: Ending, items: Sequence[CalendarItem]) -> list[CalendarItem]:
    """Return the items with an entry's marker; where the view shows none of them, the server is asked for the marker."""
    marker = desk.marker(ending.entry.booking_key)
    found = [item for item in items if item.marker_key == marker]
    if found or ending.kind is ChangeKind.CANCEL:
        return found
    return desk.find(ending.entry.booking_key)


def _is_as_written(ending: Ending, items: Sequence[CalendarItem]) -> bool:
    if ending.kind is ChangeKind.CANCEL:
        return all(item.item_id != ending.item_id for item in items)
    return any(_same(ending.entry, item) for item in items)


def _same(entry: Entry, item: CalendarItem) -> bool:
    return item.item_id == entry.item_id and item.revision == entry.revision and has_time(item, entry.window)


def _verified(ending: Ending, items: Sequence[CalendarItem], *, now: datetime) -> Entry:
    sighting = sort_out(items, ending.entry)
    ours = next(item for item in items if _same(ending.entry, item))
    entry = replace(ending.entry, change_key=ours.name.change_key, verified_at=now)
    if sighting.late:
        # A twin that a lost request made late is removed where lost answers are settled: the entry is looked up once more.
        return replace(entry, state=EntryState.UNKNOWN, reason=Reason.ANSWER_LOST)
    return replace(entry, reason=Reason.COPIED_BY_OWNER) if sighting.copies else entry


def _lost(ending: Ending, entry: Entry) -> ChangeResult:
    return ChangeResult(entry.booking_key, entry.calendar_id, ending.kind, Outcome.UNKNOWN, entry.reason)


def _note(desk: PushDesk, ending: Ending, items: Sequence[CalendarItem]) -> ChangeResult:
    """Write down that an entry is not as it was written; the next push brings it there again."""
    seen = next((item for item in items if item.item_id == ending.item_id), None)
    window = Window(seen.start, seen.end) if seen is not None and seen.end > seen.start else ending.entry.window
    entry = replace(ending.entry, state=EntryState.FAILED, reason=Reason.READ_BACK_DIFFERS, window=window, verified_at=None)
    failed = replace(
        ending,
        entry=entry,
        attempt_id=desk.new_attempt_id(),
        outcome=Outcome.FAILED,
        reason=Reason.READ_BACK_DIFFERS,
        intended_at=None,
    )
    desk.book.conclude(failed)
    return ChangeResult(entry.booking_key, entry.calendar_id, ending.kind, Outcome.FAILED, Reason.READ_BACK_DIFFERS)
