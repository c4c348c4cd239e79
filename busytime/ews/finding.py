"""Finding items by marker or without one (``FindItem`` by page): ids and markers alone."""

from busytime.bookings import ItemName
from busytime.errors import SkippableError
from busytime.ews import envelopes_looking as looking
from busytime.ews.body import Element
from busytime.ews.codes import SEARCH_REFUSED
from busytime.ews.envelopes import calendar_folder
from busytime.ews.item_values import name_of
from busytime.ews.marker import key_field, key_of
from busytime.ews.soap import TYPES, Refusal, found_in
from busytime.ews.transport import Transport


def find_items(
    transport: Transport, what: str, owner: str, folder_id: str | None, *, marked_by: str | None, limit: int
) -> list[str]:
    """Find ids of some items of a folder.

    A server that cannot search as asked is asked again in a simpler way: for a marker of any installation
    instead of one's, for any item instead of one without a marker. So what is found may be more than was
    meant; the marker, read with the rights, tells.

    Args:
        transport: Sends.
        what: What is done, for messages.
        owner: Whose calendar.
        folder_id: ``None`` for the default calendar.
        marked_by: An installation, or ``None`` for items without a marker.
        limit: At most so many.
    """
    folder = calendar_folder(owner, folder_id)
    exact, simple = (looking.unmarked(), None) if marked_by is None else (looking.marked_by(marked_by), looking.marked())
    try:
        return _ids(transport.send(looking.find_items(folder, exact, limit), what, items_in), limit)
    except SkippableError as error:
        if error.detail not in SEARCH_REFUSED:
            raise
    return _ids(transport.send(looking.find_items(folder, simple, limit), what, items_in), limit)


def _ids(items: list[Element], limit: int) -> list[str]:
    return [name_of(item).item_id for item in items[:limit]]


def find_marked_as(transport: Transport, what: str, owner: str, folder_id: str | None, marker_key: str) -> list[ItemName]:
    """Find the items of a folder that have exactly this marker.

    A search may ignore case, so what was found is compared with what was meant.
    """
    envelope = looking.find_items(
        calendar_folder(owner, folder_id), looking.marked_as(marker_key), looking.MOST_ITEMS, [key_field()]
    )
    items = transport.send(envelope, what, items_in)
    return [name_of(item) for item in items if key_of(item) == marker_key]


def items_in(payload: Element) -> list[Element] | Refusal:
    """Return the items of an answer to a search, each with an id.

    Raises:
        Unreadable: It is no such answer, or an item has no id.
    """
    root = found_in(payload, "FindItem")
    if isinstance(root, Refusal):
        return root
    items = root.find(f"{{{TYPES}}}Items")
    found = [] if items is None else list(items)
    for item in found:
        name_of(item)
    return found
