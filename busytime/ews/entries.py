"""Finding entries by their marker and reading them by id (``FindItem`` by page, ``GetItem``).

A search that was not answered whole is no answer: who concludes from one that an entry is not there makes it twice.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from busytime.bookings import CalendarItem
from busytime.errors import FatalError, PermissionMissingError, Reason, SkippableError, SpoiltAnswerError
from busytime.ews import envelopes_looking as looking
from busytime.ews.body import Element, Unreadable
from busytime.ews.codes import SEARCH_REFUSED, ruling_of
from busytime.ews.envelopes import calendar_folder, is_kept
from busytime.ews.failures import Request, make_error
from busytime.ews.item_values import FIELDS, Odd, name_of, value_of
from busytime.ews.marker import key_of
from busytime.ews.soap import TYPES, Refusal, found_in, messages_of, single_item
from busytime.ews.times import InstantCache
from busytime.ews.transport import Transport

#: Items of one page of a search.
PAGE = 500
#: A folder with more items than this many pages hold is not searched to its end.
MOST_PAGES = 100

_ITEMS = f"{{{TYPES}}}Items"


@dataclass(frozen=True, slots=True)
class _Page:
    """A page of a search.

    Args:
        items: Each with an id.
        last: Whether the server says that no more follow; ``None`` where it does not say.
        total: How many there are on all pages; ``None`` where the server does not say.
    """

    items: list[Element]
    last: bool | None
    total: int | None


def check_marker(request: Request, marker_key: str) -> None:
    """Refuse a marker that would arrive as another one: what it marks could never be found again.

    Raises:
        SkippableError: It holds a character that no request carries.
    """
    if not is_kept(marker_key):
        raise make_error(SkippableError, Reason.CONTROL_CHARACTERS, request)


def find_entries(
    transport: Transport, request: Request, owner: str, folder_id: str | None, marker_key: str
) -> list[CalendarItem]:
    """Find the items of a folder that carry a marker.

    A server that cannot search as asked is asked for all items with a marker of any installation. What was found is
    compared with what was meant in any case, because a search may ignore case.

    Args:
        transport: Sends.
        request: What is done, for messages.
        owner: Whose calendar.
        folder_id: ``None`` for the default calendar.
        marker_key: A booking's marker, or ``INSTALLATION/`` for all of an installation.

    Raises:
        SpoiltAnswerError: Items went while the pages were read.
        SkippableError: The server cannot search, or tells too many items; nothing may be concluded.
    """
    check_marker(request, marker_key)
    folder = calendar_folder(owner, folder_id)
    installation, _, key = marker_key.partition("/")
    exact = looking.marked_as(marker_key) if key else looking.marked_by(installation)
    meant: Callable[[str], bool] = marker_key.__eq__ if key else lambda marker: marker.startswith(marker_key)
    try:
        found = _find_all(transport, request, partial(_envelope, folder, exact))
    except SkippableError as error:
        if error.detail not in SEARCH_REFUSED:
            raise
        found = None
    if found is None:
        found = _find_all(transport, request, partial(_envelope, folder, looking.marked()))
    return _values(request, [item for item in found if meant(key_of(item) or "")])


def _envelope(folder: object, restriction: looking.Restriction, offset: int) -> bytes:
    return looking.find_items(folder, restriction, PAGE, FIELDS, offset=offset)


def _find_all(transport: Transport, request: Request, envelope_at: Callable[[int], bytes]) -> list[Element]:
    """Read page after page; an item that two pages tell, because another one came between, counts once."""
    pages = _pages(transport, request, envelope_at)
    return list({name_of(item).item_id: item for page in pages for item in page}.values())


def _pages(transport: Transport, request: Request, envelope_at: Callable[[int], bytes]) -> Iterator[list[Element]]:
    offset, most = 0, 0
    for _ in range(MOST_PAGES):
        page = transport.send(envelope_at(offset), request.what, _read_page)
        if page.total is not None and page.total < most:
            # What goes moves the rest forward, and one that nobody saw may have moved onto a page that was read.
            raise make_error(SpoiltAnswerError, Reason.CHANGED_MEANWHILE, request, said="items went while they were listed")
        most = max(most, page.total or 0)
        offset += len(page.items)
        yield page.items
        if _is_last(page, offset):
            return
        if not page.items:
            raise make_error(SpoiltAnswerError, Reason.MALFORMED_ANSWER, request)
    step = "take items out of that calendar"
    raise make_error(SkippableError, Reason.TOO_MANY_APPOINTMENTS, request, said="more items than pages are read", step=step)


def _is_last(page: _Page, offset: int) -> bool:
    counted = page.total is not None and page.total <= offset
    if page.last is None:
        return counted if page.total is not None else len(page.items) < PAGE
    # Some servers never say that a page is the last one; then the count does, once a page is empty.
    return page.last or (counted and not page.items)


def _read_page(payload: Element) -> _Page | Refusal:
    root = found_in(payload, "FindItem")
    if isinstance(root, Refusal):
        return root
    items = root.find(_ITEMS)
    found = [] if items is None else list(items)
    for item in found:
        name_of(item)  # here, where what cannot be read still becomes one of our errors
    last = {"true": True, "1": True, "false": False, "0": False}.get(root.get("IncludesLastItemInRange", "").lower())
    total = root.get("TotalItemsInView", "")
    return _Page(found, last, int(total) if total.isascii() and total.isdecimal() else None)


def read_entries(transport: Transport, request: Request, item_ids: Sequence[str]) -> list[CalendarItem | None]:
    """Read time, version and marker of items, in one request and in the order asked.

    Args:
        transport: Sends.
        request: What is done, for messages.
        item_ids: At least one, at most ``MOST_ITEMS``.

    Returns:
        ``None`` for an item that is gone or may not be seen; for any other reason nothing is told of all of them.
    """
    read = partial(_read_shown, count=len(item_ids))
    shown = transport.send(looking.get_items(item_ids, FIELDS), request.what, read)
    values = iter(_values(request, [item for item in shown if item is not None]))
    return [None if item is None else next(values) for item in shown]


def _read_shown(payload: Element, count: int) -> list[Element | None] | Refusal:
    shown: list[Element | None] = []
    for message in messages_of(payload, "GetItem", count):
        item = single_item(message)
        if isinstance(item, Refusal):
            if not _is_hidden(item):
                return item
            shown.append(None)
        else:
            name_of(item)
            shown.append(item)
    return shown


def _is_hidden(refusal: Refusal) -> bool:
    """Tell whether an item is gone or may not be seen.

    Raises:
        Unreadable: The reason is not known; one item that a server cannot show does not stop a run.
    """
    ruling = ruling_of(refusal.code)
    if ruling.error is FatalError:
        raise Unreadable(Reason.SERVER_ERROR)
    return ruling.reason is Reason.FOLDER_NOT_FOUND or issubclass(ruling.error, PermissionMissingError)


def _values(request: Request, items: Sequence[Element]) -> list[CalendarItem]:
    instants = InstantCache()
    try:
        return [value_of(item, instants) for item in items]
    except Odd as odd:
        failure = make_error(odd.kind, odd.reason, request, detail=odd.detail)
    raise failure
