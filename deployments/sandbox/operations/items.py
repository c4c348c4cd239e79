"""FindItem (calendar view) and GetItem."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from deployments.sandbox.identifiers import read_item_id
from deployments.sandbox.model import Folder, Item
from deployments.sandbox.operations.context import Context
from deployments.sandbox.operations.folders import folder_ids
from deployments.sandbox.operations.itemxml import item_xml
from deployments.sandbox.operations.shapes import Shape, read_shape
from deployments.sandbox.organisation import Found
from deployments.sandbox.soap import Element, M, OperationError, T, failure, response, schema_fault, success
from deployments.sandbox.timeline import Occurrence
from deployments.sandbox.zones import read_time

_ITEM_IDS = frozenset({f"{T}ItemId", f"{T}ReferenceItemId"})
_TWO_YEARS = timedelta(days=2 * 366)


def find_item(context: Context, element: Element) -> bytes:
    """Answer a FindItem request with a calendar view, one message for each folder."""
    shape = read_shape(element, "ItemShape")
    view = element.find(f"{M}CalendarView")
    messages = []
    for folder_id in folder_ids(element, "ParentFolderIds"):
        try:
            folder = context.folder(folder_id)
            if not context.rights(folder).read:
                raise OperationError("ErrorAccessDenied")
            messages.append(_view(context, folder, shape, view))
        except OperationError as error:
            context.note(error.code)
            messages.append(failure("FindItem", error))
    return response("FindItem", messages)


def _view(context: Context, folder: Folder, shape: Shape, view: Element | None) -> str:
    if view is None:
        found = [_master(item) for item in folder.items.values()]
        return _found(context, folder, shape, found, len(found))
    if not folder.is_calendar:
        raise OperationError(
            "ErrorCalendarFolderIsInvalidForCalendarView",
            "The calendar view can only be used on a calendar folder.",
        )
    start, end = (_bound(context, view, name) for name in ("StartDate", "EndDate"))
    if end < start:
        raise OperationError("ErrorCalendarEndDateIsEarlierThanStartDate", "EndDate is earlier than StartDate.")
    if end - start > _TWO_YEARS:
        raise OperationError("ErrorCalendarViewRangeTooBig")
    found = [one for one in _inside(context, folder, start, end) if _shown(context, folder, one)]
    return _found(context, folder, shape, found, _most(context, view))


def _bound(context: Context, view: Element, name: str) -> datetime:
    moment = read_time(view.get(name), what=name)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=context.zone).astimezone(UTC)
    return moment


def _most(context: Context, view: Element) -> int:
    asked = view.get("MaxEntriesReturned")
    if asked is None:
        return context.limits.view_items
    if not asked.isdecimal() or int(asked) < 1:
        raise schema_fault("MaxEntriesReturned is not a positive number.")
    return min(int(asked), context.limits.view_items)


def _inside(context: Context, folder: Folder, start: datetime, end: datetime) -> list[Occurrence]:
    """Return what belongs to a view: what only touches its edges does not."""
    masters = (_master(item) for item in folder.items.values())
    found = folder.occurrences(start, end) if context.limits.expand_series else list(masters)
    return [one for one in found if one.start < end and (one.end > start or start <= one.start == one.end)]


def _master(item: Item) -> Occurrence:
    return Occurrence(item, item.start, item.end, item.status, item.subject)


def _shown(context: Context, folder: Folder, one: Occurrence) -> bool:
    hidden = context.limits.private_items == "hidden" and not context.rights(folder).private
    return not (hidden and one.item.is_private)


def _found(context: Context, folder: Folder, shape: Shape, found: list[Occurrence], most: int) -> str:
    shown = found[:most]
    xml = "".join(item_xml(context, folder, one, shape, listing=True) for one in shown)
    last = "true" if len(shown) == len(found) else "false"
    return success(
        "FindItem",
        f'<m:RootFolder IndexedPagingOffset="{len(shown)}" TotalItemsInView="{len(found)}"'
        f' IncludesLastItemInRange="{last}"><t:Items>{xml}</t:Items></m:RootFolder>',
    )


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
            one = found.occurrence or _master(found.item)
            xml = item_xml(context, found.folder, one, shape, listing=False)
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
