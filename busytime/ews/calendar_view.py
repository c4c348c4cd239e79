"""Reading one folder by calendar view (``FindItem`` with ``CalendarView``), recurrences expanded by the server."""

from collections.abc import Callable
from typing import Any, TypeVar

from lxml import etree

from busytime.bookings import CalendarItem
from busytime.errors import CalendarUnreadableError, Reason, SkippableError, SpoiltAnswerError, WindowTooLargeError
from busytime.ews import statuses
from busytime.ews.body import Element, Unreadable
from busytime.ews.envelopes import calendar_folder, calendar_view
from busytime.ews.failures import Request, make_error
from busytime.ews.item_values import MARKER_FIELDS, Odd, time_of, value_of
from busytime.ews.marker import key_of
from busytime.ews.soap import NAMESPACES, TYPES, Refusal, found_in
from busytime.ews.times import InstantCache
from busytime.ews.transport import Transport
from busytime.model import BusyStatus, Interval, Window

T = TypeVar("T")

#: A calendar view is cut at this many items.
MOST_ITEMS = 1000

#: lxml's stubs give a path's result every type there is.
_path: Any = etree.XPath
_ITEMS = _path("t:Items/*", namespaces=NAMESPACES)
_STATUS, _CANCELLED = (f"{{{TYPES}}}{name}" for name in ("LegacyFreeBusyStatus", "IsCancelled"))

#: Reads one item that is not cancelled; ``None`` leaves it out.
Reader = Callable[[Element, InstantCache, Window], T | None]


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
    # The owner is in the id.
    return _read(transport, request, calendar_view(calendar_folder("", folder_id), window), window, _interval)


def read_items(transport: Transport, request: Request, owner: str, folder_id: str | None, window: Window) -> list[CalendarItem]:
    """Read the items of one folder with their markers, free ones too.

    A server that does not tell markers in a view is asked again without them.

    Args:
        transport: Sends.
        request: What is done, for messages.
        owner: Whose calendar.
        folder_id: ``None`` for the default calendar.
        window: At most two years, or the server refuses.

    Raises:
        WindowTooLargeError, CalendarUnreadableError: As above.
    """
    folder = calendar_folder(owner, folder_id)
    try:
        return _read(transport, request, calendar_view(folder, window, MARKER_FIELDS), window, _item)
    except SkippableError as error:
        # A request that cannot be answered as it is; not a folder or a window that cannot.
        if error.reason is not Reason.SERVER_ERROR:
            raise
    return _read(transport, request, calendar_view(folder, window), window, _item)


def _read(transport: Transport, request: Request, envelope: bytes, window: Window, read: Reader[T]) -> list[T]:
    root = transport.send(envelope, request.what, _root_folder)
    try:
        return _read_items(root, window, read)
    except Odd as odd:
        failure = make_error(odd.kind, odd.reason, request, detail=odd.detail)
    except Unreadable as unreadable:
        failure = make_error(SpoiltAnswerError, unreadable.reason, request)
    raise failure


def _root_folder(payload: Element) -> Element | Refusal:
    return found_in(payload, "FindItem")


def _read_items(root: Element, window: Window, read: Reader[T]) -> list[T]:
    items: list[Element] = _ITEMS(root)
    complete = root.get("IncludesLastItemInRange", "").lower()
    if complete in ("false", "0") or (complete not in ("true", "1") and len(items) >= MOST_ITEMS):
        raise Odd(WindowTooLargeError, Reason.TOO_MANY_APPOINTMENTS)
    instants = InstantCache()
    values = (read(item, instants, window) for item in items if not _is_cancelled(item))
    return [value for value in values if value is not None]


def _is_cancelled(item: Element) -> bool:
    return item.findtext(_CANCELLED, "").strip().lower() in ("true", "1")


def _status_of(item: Element) -> BusyStatus | None:
    """Return how an item occupies its owner; ``None`` for a free one."""
    name = item.findtext(_STATUS, "").strip()
    if name == statuses.NO_DATA:
        raise Odd(CalendarUnreadableError, Reason.NO_DATA)
    if name not in statuses.ALL:
        raise Odd(CalendarUnreadableError, Reason.MALFORMED_ANSWER)
    return statuses.ALL[name]


def _interval(item: Element, instants: InstantCache, window: Window) -> Interval | None:
    status = _status_of(item)
    if status is None:
        return None
    start, end = time_of(item, instants)
    # Servers return items that only touch the window's edge.
    return (start, end, status) if start != end and window.overlaps(start, end) else None


def _item(item: Element, instants: InstantCache, window: Window) -> CalendarItem | None:
    status, marked = _status_of(item), key_of(item) is not None
    try:
        value = value_of(item, instants, status)
    except Odd:
        # A free item that says no time takes none; one of ours has to say where it is.
        if status is None and not marked:
            return None
        raise
    if value.start == value.end:
        return value if marked and window.start <= value.start < window.end else None
    return value if window.overlaps(value.start, value.end) else None
