"""FindItem: by calendar view, or page by page with a restriction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from deployments.sandbox.model import Folder, Item
from deployments.sandbox.operations.context import Context
from deployments.sandbox.operations.folders import folder_ids
from deployments.sandbox.operations.items import master, render
from deployments.sandbox.operations.restrictions import Test, field_value, read_restriction
from deployments.sandbox.operations.shapes import Shape, read_shape
from deployments.sandbox.soap import Element, M, OperationError, SoapFault, T, failure, response, schema_fault, success
from deployments.sandbox.timeline import Occurrence
from deployments.sandbox.zones import aware, read_time

_TWO_YEARS = timedelta(days=2 * 366)


@dataclass(frozen=True, slots=True)
class Page:
    """Which items of all that fit belong into the answer."""

    offset: int
    most: int
    from_end: bool

    def bounds(self, total: int) -> tuple[int, int]:
        """Return where the page begins and ends among so many items."""
        if self.from_end:
            end = max(0, total - self.offset)
            return max(0, end - self.most), end
        start = min(self.offset, total)
        return start, min(start + self.most, total)


@dataclass(frozen=True, slots=True)
class Search:
    """What a request asked for beside its folders."""

    shape: Shape
    view: Element | None
    page: Page
    test: Test | None
    order: list[tuple[Callable[[Item], object], bool]]


def find_item(context: Context, element: Element) -> bytes:
    """Answer a FindItem request, one message for each folder."""
    folders = folder_ids(element, "ParentFolderIds")
    messages = []
    for folder_id in folders:
        try:
            search = _read(context, element)
            folder = context.folder(folder_id)
            if not context.rights(folder).read:
                raise OperationError("ErrorAccessDenied")
            answer = _page(context, folder, search) if search.view is None else _view(context, folder, search, search.view)
            messages.append(success("FindItem", answer))
        except OperationError as error:
            context.note(error.code)
            messages.append(failure("FindItem", error))
    return response("FindItem", messages)


def _read(context: Context, element: Element) -> Search:
    shape = read_shape(element, "ItemShape")
    view = element.find(f"{M}CalendarView")
    test = read_restriction(element, context.zone, ignore_case=context.limits.restriction_ignores_case)
    order = [
        (field_value(one[0]), one.get("Order") == "Descending")
        for one in element.findall(f"{M}SortOrder/{T}FieldOrder")
        if len(one)
    ]
    if view is not None and (test is not None or order):
        raise SoapFault("ErrorInvalidRequest", "Restrictions and sort order may not be specified for a CalendarView.")
    return Search(shape, view, _read_page(context, element.find(f"{M}IndexedPageItemView")), test, order)


def _read_page(context: Context, view: Element | None) -> Page:
    most = context.limits.find_items
    if view is None:
        return Page(0, most, from_end=False)
    base = view.get("BasePoint")
    offset, asked = view.get("Offset", ""), view.get("MaxEntriesReturned", str(most))
    if base not in {"Beginning", "End"} or not offset.removeprefix("-").isdecimal() or not asked.removeprefix("-").isdecimal():
        raise schema_fault("IndexedPageItemView is not complete or not valid.")
    if int(offset) < 0:
        raise OperationError("ErrorInvalidIndexedPagingParameters")
    if int(asked) < 1:
        raise OperationError("ErrorInvalidPagingMaxRows")
    return Page(int(offset), min(int(asked), most), from_end=base == "End")


def _page(context: Context, folder: Folder, search: Search) -> str:
    """Render a page: series as their masters, never as occurrences."""
    found = [item for item in folder.items.values() if search.test is None or search.test(item)]
    found = [item for item in found if _shown(context, folder, item)]
    # The last order first: sorting keeps what is equal in its order.
    for value, descending in reversed(search.order):
        found.sort(key=lambda item, value=value: _sortable(value(item)), reverse=descending)  # type: ignore[misc]
    start, end = search.page.bounds(len(found))
    reached = len(found) - start if search.page.from_end else end
    last = start == 0 if search.page.from_end else end == len(found)
    shown = [master(item) for item in found[start:end]]
    return _found(context, folder, search.shape, shown, total=len(found), reached=reached, last=last)


def _sortable(value: object) -> tuple[bool, object]:
    # What lacks the property comes first.
    return value is not None, value


def _view(context: Context, folder: Folder, search: Search, view: Element) -> str:
    if not folder.is_calendar:
        raise OperationError(
            "ErrorCalendarFolderIsInvalidForCalendarView",
            "The calendar view can only be used on a calendar folder.",
        )
    start, end = (_bound(context, view, name) for name in ("StartDate", "EndDate"))
    if end < start:
        raise OperationError("ErrorCalendarEndDateIsEarlierThanStartDate")
    if end - start > _TWO_YEARS:
        raise OperationError("ErrorCalendarViewRangeTooBig")
    found = [one for one in _inside(context, folder, start, end) if _shown(context, folder, one.item)]
    shown = found[: _most(context, view)]
    last = len(shown) == len(found)
    return _found(context, folder, search.shape, shown, total=len(found), reached=len(shown), last=last)


def _bound(context: Context, view: Element, name: str) -> datetime:
    return aware(read_time(view.get(name), what=name), context.zone, what=name)


def _most(context: Context, view: Element) -> int:
    asked = view.get("MaxEntriesReturned")
    if asked is None:
        return context.limits.view_items
    if not asked.isdecimal() or int(asked) < 1:
        raise schema_fault("MaxEntriesReturned is not a positive number.")
    return min(int(asked), context.limits.view_items)


def _inside(context: Context, folder: Folder, start: datetime, end: datetime) -> list[Occurrence]:
    """Return what belongs to a view: what only touches its edges does not."""
    masters = (master(item) for item in folder.items.values())
    found = folder.occurrences(start, end) if context.limits.expand_series else list(masters)
    return [one for one in found if one.start < end and (one.end > start or start <= one.start == one.end)]


def _shown(context: Context, folder: Folder, item: Item) -> bool:
    hidden = context.limits.private_items == "hidden" and not context.rights(folder).private
    return not (hidden and item.is_private)


def _found(
    context: Context, folder: Folder, shape: Shape, shown: list[Occurrence], *, total: int, reached: int, last: bool
) -> str:
    xml = "".join(render(context, folder, one, shape, listing=True) for one in shown)
    return (
        f'<m:RootFolder IndexedPagingOffset="{reached}" TotalItemsInView="{total}"'
        f' IncludesLastItemInRange="{str(last).lower()}"><t:Items>{xml}</t:Items></m:RootFolder>'
    )
