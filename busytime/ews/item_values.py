"""Reading one calendar item of an answer: id, time, marker, revision, and never a detail of it."""

from datetime import datetime

from busytime.bookings import CalendarItem, ItemName
from busytime.errors import BusyTimeError, CalendarUnreadableError, Reason
from busytime.ews.body import Element, Unreadable
from busytime.ews.envelopes import item_fields
from busytime.ews.marker import BusytimeRevision, as_field, key_field, key_of, property_of
from busytime.ews.soap import TYPES
from busytime.ews.times import InstantCache
from busytime.model import BusyStatus

_ITEM_ID, _START, _END, _CREATED = (f"{{{TYPES}}}{name}" for name in ("ItemId", "Start", "End", "DateTimeCreated"))
#: A revision is a number of a booking; more digits than a table's whole number has are none.
_MOST_DIGITS = 18

#: What tells whose item it is and how old.
MARKER_FIELDS = (*item_fields("datetime_created"), key_field(), as_field(BusytimeRevision))
#: What is asked for beside the id.
FIELDS = (*item_fields("start", "end"), *MARKER_FIELDS)


class Odd(Exception):  # noqa: N818 -- a signal inside the package: it becomes one of our errors before it leaves
    """Why a folder or an item cannot be used, in spite of an answer."""

    def __init__(self, kind: type[BusyTimeError], reason: Reason, detail: str | None = None) -> None:
        super().__init__()
        self.kind, self.reason, self.detail = kind, reason, detail


def name_of(item: Element) -> ItemName:
    """Return how the server names an item.

    Raises:
        Unreadable: It has no id.
    """
    name = item.find(_ITEM_ID)
    if name is None or not name.get("Id"):
        raise Unreadable(Reason.MALFORMED_ANSWER)
    return ItemName(name.get("Id", ""), name.get("ChangeKey", ""))


def time_of(item: Element, instants: InstantCache) -> tuple[datetime, datetime]:
    """Return when an item starts and ends.

    Raises:
        Odd: It does not say so, or ends before it starts.
    """
    start, end = (instants.find(item.findtext(tag)) for tag in (_START, _END))
    if start is None or end is None:
        raise Odd(CalendarUnreadableError, Reason.MALFORMED_ANSWER)
    if end < start:
        raise Odd(CalendarUnreadableError, Reason.ENDS_BEFORE_START, start.isoformat())
    return start, end


def value_of(item: Element, instants: InstantCache, status: BusyStatus | None = None) -> CalendarItem:
    """Return an item as a value.

    Raises:
        Unreadable: It has no id.
        Odd: As ``time_of``.
    """
    start, end = time_of(item, instants)
    created_at = instants.find(item.findtext(_CREATED))
    return CalendarItem(name_of(item), start, end, status, key_of(item), _revision_of(item), created_at)


def _revision_of(item: Element) -> int | None:
    text = property_of(item, BusytimeRevision) or ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else None
