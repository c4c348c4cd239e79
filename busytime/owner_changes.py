"""Owner changes: what owners did with entries in their calendars, read back at each harvest.

That an owner moved or removed an entry needs proof: in the same run its folder answered a search for our marker.
Without it the entry is `unknown`, because a right that was taken away must not look like a deletion.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from busytime.bookings import CalendarItem, Entry, EntryState
from busytime.errors import Reason, SkippableError
from busytime.model import Window
from busytime.push_desk import PushDesk
from busytime.settling import has_time, sort_out

#: States in which an item should be there.
WATCHED = frozenset({EntryState.PRESENT, EntryState.MOVED_BY_OWNER})


def read_entries_back(desk: PushDesk, entries: Sequence[Entry], wanted: Mapping[str, Window]) -> list[Entry]:
    """Read a calendar's entries back, and return each as it stands now.

    Args:
        desk: The calendar.
        entries: Entries of it that are in a state of ``WATCHED``, with their items' ids.
        wanted: The bookings' times, by key.

    Raises:
        RestoredDatabaseError: The folder holds an entry that the tables have forgotten.
        RetriableError, FatalError: As the gateway says; nothing is concluded.
    """
    if not entries:
        return []
    try:
        seen = desk.read_many([entry.item_id or "" for entry in entries])
        desk.check_known([item for item in seen if item is not None])
        odd = [entry for entry, item in zip(entries, seen, strict=True) if not _as_stored(desk, entry, item)]
        found = _by_marker(desk.find_all()) if odd else {}
    except SkippableError as error:
        return [_unknown(entry, error) for entry in entries]
    desk.check_known([item for items in found.values() for item in items])
    now = desk.now()
    items = {entry.id: item for entry, item in zip(entries, seen, strict=True)}
    return [
        _judged(entry, items[entry.id], wanted.get(entry.booking_key), found.get(desk.marker(entry.booking_key), ()), now)
        if entry in odd
        else _verified(entry, items[entry.id], now)
        for entry in entries
    ]


def _as_stored(desk: PushDesk, entry: Entry, item: CalendarItem | None) -> bool:
    return item is not None and item.marker_key == desk.marker(entry.booking_key) and has_time(item, entry.window)


def _by_marker(items: Sequence[CalendarItem]) -> Mapping[str, list[CalendarItem]]:
    found: dict[str, list[CalendarItem]] = {}
    for item in items:
        found.setdefault(item.marker_key or "", []).append(item)
    return found


def _verified(entry: Entry, item: CalendarItem | None, now: datetime) -> Entry:
    change_key = item.name.change_key if item is not None else entry.change_key
    return replace(entry, change_key=change_key, verified_at=now)


def _judged(
    entry: Entry, seen: CalendarItem | None, wanted: Window | None, items: Sequence[CalendarItem], now: datetime
) -> Entry:
    if seen is not None and seen.marker_key is None and all(item.item_id != entry.item_id for item in items):
        # It is there, and its marker cannot be read: its owner may have made it private, which removes nothing, and lets
        # no copy take its place.
        return replace(entry, state=EntryState.UNKNOWN, reason=Reason.FOREIGN_ITEM, detail=None)
    return judge_entry(entry, wanted, items, now)


def _unknown(entry: Entry, error: SkippableError) -> Entry:
    return replace(entry, state=EntryState.UNKNOWN, reason=error.reason, detail=error.detail)


def judge_entry(entry: Entry, wanted: Window | None, items: Sequence[CalendarItem], now: datetime) -> Entry:
    """Judge an entry by all items of its folder that carry its marker; the folder has answered.

    Args:
        entry: The entry as stored.
        wanted: The booking's time: an item that is moved back there is where it should be.
        items: None means that its owner removed it.
        now: The present instant.
    """
    sighting = sort_out(items, entry)
    ours = sighting.ours
    if ours is None:
        return replace(
            entry, state=EntryState.REMOVED_BY_OWNER, item_id=None, change_key=None, reason=Reason.GONE, verified_at=now
        )
    state = entry.state if has_time(ours, entry.window) else EntryState.MOVED_BY_OWNER
    if has_time(ours, wanted):
        state = EntryState.PRESENT
    outdated = state is EntryState.PRESENT and ours.revision != entry.revision
    if sighting.late or outdated:
        # The next push removes what a lost request made twice, and brings an older copy that took its place up to date.
        state = EntryState.UNKNOWN
    return replace(
        entry,
        state=state,
        item_id=ours.item_id,
        change_key=ours.name.change_key,
        window=Window(ours.start, ours.end) if ours.end > ours.start else entry.window,
        verified_at=now,
        reason=Reason.COPIED_BY_OWNER if sighting.copies else None,
        detail=None,
    )
