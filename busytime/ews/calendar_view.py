"""Reading one folder by calendar view (``FindItem`` with ``CalendarView``), recurrences expanded by the server."""

from typing import Any

from lxml import etree

from busytime.errors import BusyTimeError, CalendarUnreadableError, Reason, WindowTooLargeError
from busytime.ews import envelopes, statuses
from busytime.ews.body import Element
from busytime.ews.failures import Request, make_error
from busytime.ews.soap import NAMESPACES, TYPES, Refusal, found_in
from busytime.ews.times import InstantCache
from busytime.ews.transport import Transport
from busytime.model import Interval, Window

#: A calendar view is cut at this many items.
MOST_ITEMS = 1000

#: lxml's stubs give a path's result every type there is.
_path: Any = etree.XPath
_ITEMS = _path("t:Items/*", namespaces=NAMESPACES)
_START, _END, _STATUS, _CANCELLED = (f"{{{TYPES}}}{name}" for name in ("Start", "End", "LegacyFreeBusyStatus", "IsCancelled"))


class _Odd(Exception):  # noqa: N818 -- a signal inside this module
    """Why the folder's busy time is not known, in spite of an answer."""

    def __init__(self, kind: type[BusyTimeError], reason: Reason, detail: str | None = None) -> None:
        super().__init__()
        self.kind, self.reason, self.detail = kind, reason, detail


def read_calendar_view(transport: Transport, request: Request, folder_id: str, window: Window) -> list[Interval]:
    """Read the busy time of one folder.

    Args:
        transport: Sends.
        request: What is done, for messages.
        folder_id: The server's id.
        window: At most two years, or the server refuses.

    Raises:
        WindowTooLargeError: The server tells fewer items than there are, or refuses the window.
        CalendarUnreadableError: An item says nothing of its time or status that can be used.
    """
    root = transport.send(envelopes.calendar_view(folder_id, window), request.what, _root_folder)
    try:
        return _read_items(root, window)
    except _Odd as odd:
        failure = make_error(odd.kind, odd.reason, request, detail=odd.detail)
    raise failure


def _root_folder(payload: Element) -> Element | Refusal:
    return found_in(payload, "FindItem")


def _read_items(root: Element, window: Window) -> list[Interval]:
    items: list[Element] = _ITEMS(root)
    complete = root.get("IncludesLastItemInRange", "").lower()
    if complete in ("false", "0") or (complete not in ("true", "1") and len(items) >= MOST_ITEMS):
        raise _Odd(WindowTooLargeError, Reason.TOO_MANY_APPOINTMENTS)
    instants = InstantCache()
    intervals = (_read_item(item, instants) for item in items)
    # Servers return items that only touch the window's edge.
    return [interval for interval in intervals if interval is not None and window.overlaps(interval[0], interval[1])]


def _read_item(item: Element, instants: InstantCache) -> Interval | None:
    if item.findtext(_CANCELLED, "").strip().lower() in ("true", "1"):
        return None
    name = item.findtext(_STATUS, "").strip()
    if name == statuses.FREE:
        return None
    start, end = (instants.find(item.findtext(tag)) for tag in (_START, _END))
    if name == statuses.NO_DATA:
        raise _Odd(CalendarUnreadableError, Reason.NO_DATA)
    if start is None or end is None or name not in statuses.BUSY:
        raise _Odd(CalendarUnreadableError, Reason.MALFORMED_ANSWER)
    if end < start:
        raise _Odd(CalendarUnreadableError, Reason.ENDS_BEFORE_START, start.isoformat())
    return None if start == end else (start, end, statuses.BUSY[name])
