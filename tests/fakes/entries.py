"""The part of the calendar server in memory that keeps entries: written, found, read, and changed by their owners."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from busytime.bookings import CalendarItem, Draft, ItemName
from busytime.errors import (
    CalendarUnreadableError,
    ConfigurationError,
    ConflictError,
    FolderNotFoundError,
    Reason,
    WindowTooLargeError,
)
from busytime.model import Window
from tests.fakes.folders import CONNECTION, OWNER, FakeFolder, FakeItem
from tests.fakes.rights_and_writes import MOST_ITEMS, RightsAndWrites

MOST_VIEWED = 1000


class Entries(RightsAndWrites):
    """Entries. A part of ``InMemoryCalendarGateway``."""

    view_days: int

    def __init__(self) -> None:
        super().__init__()
        self.view_tells_markers = True

    # Furnishing: what an owner does to an item

    def item(self, item_id: str) -> FakeItem:
        """Return an item, wherever it lies."""
        return self._lookup(item_id)[1]

    def move_item(self, item_id: str, start: datetime, end: datetime) -> None:
        """Move an item."""
        item = self.item(item_id)
        item.start, item.end, item.version = start, end, item.version + 1

    def remove_item(self, item_id: str) -> None:
        """Remove an item."""
        folder, item = self._lookup(item_id)
        del folder.items[item.item_id]

    def copy_item(self, item_id: str, start: datetime | None = None) -> str:
        """Copy an item, its marker included, to the same or another start."""
        folder, item = self._lookup(item_id)
        begins = start or item.start
        made = self.now().replace(microsecond=0)
        copy = replace(item, item_id=self._new_id(), maker=OWNER, created_at=made, version=1)
        copy.start, copy.end = begins, begins + (item.end - item.start)
        folder.items[copy.item_id] = copy
        return copy.item_id

    # The port

    def read_items(self, owner: str, folder_id: str | None, window: Window) -> list[CalendarItem]:
        """Read the items of a folder by view."""
        self._request("read_items", (owner,), window)
        items = self._viewed(self._readable(owner, folder_id), window)
        kept = [item for item in items if item.start != item.end or (item.marker_key is not None and self.view_tells_markers)]
        return [item.shown(with_status=True, with_marker=self.view_tells_markers) for item in kept]

    def find_entries(self, owner: str, folder_id: str | None, marker_key: str) -> list[CalendarItem]:
        """Find items by their marker."""
        self._request("find_entries", (owner,))
        folder = self._readable(owner, folder_id)
        whole = marker_key.index("/") == len(marker_key) - 1
        meant: Callable[[str], bool] = (lambda it: it.startswith(marker_key)) if whole else marker_key.__eq__
        return [item.shown() for item in folder.items.values() if meant(item.marker_key or "")]

    def read_entries(self, item_ids: Sequence[str]) -> list[CalendarItem | None]:
        """Read items by their ids."""
        if not item_ids:
            return []
        if len(item_ids) > MOST_ITEMS:
            raise ConfigurationError(f"{len(item_ids)} items were asked at once; ask for at most {MOST_ITEMS}.")
        self._request("read_entries", tuple(item_ids))
        found = [self._find(item_id) for item_id in item_ids]
        return [place[1].shown() if place is not None and place[0].allowance.read else None for place in found]

    def create_entry(self, owner: str, folder_id: str | None, draft: Draft) -> ItemName:
        """Create an item; of a lost answer its name is lost too."""
        self._request("create_item", (owner,))
        folder = self._place(owner, folder_id)
        made: list[FakeItem] = []

        def create() -> None:
            made.append(self._put(folder, maker=CONNECTION, marker_key=draft.marker_key))
            _take_over(made[0], draft)

        self._settle("create_item", owner, create, allowed=folder.allowance.create)
        return made[0].shown().name

    def change_entry(self, owner: str, name: ItemName, draft: Draft) -> ItemName:
        """Bring an item to a draft, if it has this version."""
        self._request("update_item", (owner,))
        place = self._find(name.item_id)
        if place is None or not place[0].allowance.visible:
            raise FolderNotFoundError(f"Changing an entry of {owner}: it is gone.", detail="ErrorItemNotFound")
        folder, item = place

        def change() -> None:
            if str(item.version) != name.change_key:
                raise ConflictError(f"Changing an entry of {owner}: it has another version.", detail="ErrorIrresolvableConflict")
            _take_over(item, draft)
            item.version += 1

        self._settle("update_item", owner, change, allowed=folder.allowance.read and item.maker in folder.allowance.modify)
        return item.shown().name

    def remove_entry(self, owner: str, item_id: str) -> None:
        """Remove an item; one that is gone is removed."""
        self._request("delete_item", (owner,))
        place = self._find(item_id)
        if place is None or not place[0].allowance.visible:
            return
        folder, item = place
        allowed = folder.allowance.read and item.maker in folder.allowance.delete
        self._settle("delete_item", owner, lambda: folder.items.pop(item_id), allowed=allowed)

    # Inside

    def _viewed(self, folder: FakeFolder, window: Window) -> list[FakeItem]:
        """Return what overlaps a window and is not cancelled, of no length too."""
        if window.length.days > self.view_days:
            raise WindowTooLargeError("Reading a calendar folder: too long a window.", reason=Reason.WINDOW_TOO_LONG)
        inside = [item for item in folder.items.values() if not item.cancelled and _overlaps(item, window)]
        if len(inside) > MOST_VIEWED:
            raise WindowTooLargeError("Reading a calendar folder: more items than the server tells; ask for a shorter window.")
        for item in inside:
            if item.end < item.start and (item.status is not None or item.marker_key is not None):
                raise CalendarUnreadableError(
                    "Reading a calendar folder: an item ends before it starts.",
                    reason=Reason.ENDS_BEFORE_START,
                    detail=item.start.isoformat(),
                )
        return [item for item in inside if item.start <= item.end]

    def _find(self, item_id: str) -> tuple[FakeFolder, FakeItem] | None:
        folders = (folder for owner in self.owners.values() for folder in owner.folders.values())
        return next(((folder, folder.items[item_id]) for folder in folders if item_id in folder.items), None)

    def _lookup(self, item_id: str) -> tuple[FakeFolder, FakeItem]:
        place = self._find(item_id)
        assert place is not None, "no such item"
        return place


def _overlaps(item: FakeItem, window: Window) -> bool:
    if item.start == item.end:
        return window.start <= item.start < window.end
    return window.overlaps(item.start, item.end)


def _take_over(item: FakeItem, draft: Draft) -> None:
    item.start, item.end = draft.window.start, draft.window.end
    item.title, item.location, item.body = draft.title, draft.location, draft.body
    item.revision, item.time_zone = draft.revision, draft.time_zone
