"""GetItem, and finding the item of an id."""

from __future__ import annotations

from deployments.sandbox.identifiers import read_item_id
from deployments.sandbox.model import Folder, Item
from deployments.sandbox.operations.context import Context
from deployments.sandbox.operations.itemxml import item_xml
from deployments.sandbox.operations.messagexml import message_xml
from deployments.sandbox.operations.shapes import Shape, read_shape
from deployments.sandbox.organisation import Found
from deployments.sandbox.soap import Element, M, OperationError, T, failure, response, schema_fault, success
from deployments.sandbox.timeline import Occurrence

_ITEM_IDS = frozenset({f"{T}ItemId", f"{T}ReferenceItemId"})


def master(item: Item) -> Occurrence:
    """Return a single item or a series as what it is, not as its occurrences."""
    return Occurrence(item, item.start, item.end, item.status, item.subject)


def render(context: Context, folder: Folder, one: Occurrence, shape: Shape, *, listing: bool) -> str:
    """Render an appointment or a message."""
    if one.item.sender is not None:
        return message_xml(context, folder, one.item, shape, listing=listing)
    return item_xml(context, folder, one, shape, listing=listing)


def get_item(context: Context, element: Element) -> bytes:
    """Answer a GetItem request, one message for each id."""
    shape = read_shape(element, "ItemShape")
    ids = element.findall(f"{M}ItemIds/*")
    if not ids:
        raise schema_fault("ItemIds is missing or empty.")
    messages = []
    for item_id in ids:
        try:
            found = find_by_id(context, item_id)
            one = found.occurrence or master(found.item)
            xml = render(context, found.folder, one, shape, listing=False)
            messages.append(success("GetItem", f"<m:Items>{xml}</m:Items>"))
        except OperationError as error:
            context.note(error.code)
            messages.append(failure("GetItem", error))
    return response("GetItem", messages)


def find_by_id(context: Context, element: Element) -> Found:
    """Return the item that an ItemId names, if the caller may read it.

    Raises:
        OperationError: The id is none, the item is gone, or its folder may not be seen or read.
    """
    key = read_item_id(element.get("Id") or "") if element.tag in _ITEM_IDS else None
    if key is None:
        raise OperationError("ErrorInvalidIdMalformed")
    found = context.organisation.item(key)
    if found is None:
        raise OperationError("ErrorItemNotFound")
    rights = context.rights(found.folder)
    if not rights.visible:
        raise context.hidden()
    if not rights.read:
        raise OperationError("ErrorAccessDenied")
    hidden = context.limits.private_items == "hidden" and not rights.private
    if hidden and found.item.is_private:
        raise OperationError("ErrorItemNotFound")
    return found
