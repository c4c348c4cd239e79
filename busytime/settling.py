"""Settling: which of the items that carry a booking's marker is its entry, and whether a slot is taken. Pure rules."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from busytime.bookings import CalendarItem, ChangeKind, Entry
from busytime.model import BusyStatus, Interval, Window


@dataclass(frozen=True, slots=True)
class Sighting:
    """The items of one folder that carry one booking's marker.

    Args:
        ours: The entry's item; ``None`` where there is none.
        late: Twins of it that a lost request made after all: they are removed.
        copies: Items that their owner copied: they are left alone.
        foreign: Whether the stored id names an item of somebody else's.
        veiled: Whether the stored id names an item without a marker that can be read: its owner may have made it private.
    """

    ours: CalendarItem | None = None
    late: tuple[CalendarItem, ...] = ()
    copies: tuple[CalendarItem, ...] = ()
    foreign: bool = False
    veiled: bool = False


def sort_out(items: Sequence[CalendarItem], entry: Entry) -> Sighting:
    """Tell the entry's item from its twins and copies.

    The item whose id is stored is ours. Without it, of those that have the intended time and were made after the intent,
    the oldest. A twin is a request's late effect only if the request was to create an entry, and it has exactly the time
    that was sent and was made after the intent; everything else is a copy.

    Args:
        items: All items of the folder with this marker.
        entry: The entry as stored.
    """
    by_age = sorted(items, key=lambda item: (item.created_at is None, item.created_at or 0, item.item_id))
    stored = [item for item in by_age if item.item_id == entry.item_id]
    sent = [item for item in by_age if _was_sent(item, entry)]
    ours = next(iter([*stored, *sent, *by_age]), None)
    others = [item for item in by_age if item is not ours]
    late = tuple(item for item in others if item in sent)
    return Sighting(ours, late, tuple(item for item in others if item not in late))


def _was_sent(item: CalendarItem, entry: Entry) -> bool:
    """Tell whether an item can have been made by the entry's last request."""
    intent = entry.intent
    if intent is None or intent.kind is not ChangeKind.CREATE:
        return False
    if item.created_at is None or not has_time(item, intent.window):
        return False
    return item.created_at >= intent.at.replace(microsecond=0)  # servers tell whole seconds


def has_time(item: CalendarItem, window: Window | None) -> bool:
    """Tell whether an item has exactly this time."""
    return window is not None and (item.start, item.end) == (window.start, window.end)


def overlapping(items: Iterable[CalendarItem], window: Window, statuses: frozenset[BusyStatus]) -> list[CalendarItem]:
    """Return the items that take time of a window.

    Args:
        items: Items of the folder.
        window: The slot.
        statuses: Statuses that make a time busy for bookings.
    """
    return [item for item in items if item.status in statuses and window.overlaps(item.start, item.end)]


def is_taken(items: Iterable[CalendarItem], own: CalendarItem | None, window: Window, statuses: frozenset[BusyStatus]) -> bool:
    """Tell whether others take a slot; of the booking's own items only its entry does not count.

    Args:
        items: Items of the folder.
        own: The booking's entry there; where the view names it by another id, one item of the same time is taken off.
        window: The slot.
        statuses: Statuses that make a time busy for bookings.
    """
    taken = overlapping(items, window, statuses)
    if own is None:
        return bool(taken)
    others = [item for item in taken if item.item_id != own.item_id]
    if len(others) < len(taken):
        return bool(others)
    left = without_one([(item.start, item.end, item.status) for item in taken if item.status], own.start, own.end)
    return bool(left)


def without_one(intervals: Sequence[Interval], start: object, end: object) -> list[Interval]:
    """Take off exactly one busy interval of this time, if there is one: others may be equal to it by chance."""
    left = list(intervals)
    own = next((it for it in left if it == (start, end, BusyStatus.BUSY)), None)
    if own is not None:
        left.remove(own)
    return left
