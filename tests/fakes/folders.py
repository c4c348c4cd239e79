"""What the calendar server in memory holds: mailboxes, folders, items, and what each permission level allows."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from busytime.bookings import CalendarItem, ItemName
from busytime.model import BusyStatus, Interval, Unanswered
from busytime.permissions import ItemRights, Rights

#: Who made an item.
OWNER, CONNECTION = "owner", "connection"


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a level allows the connection. ``modify`` and ``delete``: of which makers' items."""

    see_times: bool = True
    visible: bool = True
    read: bool = True
    create: bool = True
    modify: frozenset[str] = frozenset()
    delete: frozenset[str] = frozenset()
    create_folders: bool = False
    owner: bool = False


_OWN = frozenset({CONNECTION})
_ALL = frozenset({CONNECTION, OWNER})

#: Every permission level of Exchange, and the delegate.
LEVELS: dict[str, Allowance] = {
    "None": Allowance(see_times=False, visible=False, read=False, create=False),
    "FreeBusyTimeOnly": Allowance(visible=False, read=False, create=False),
    "FreeBusyTimeAndSubjectAndLocation": Allowance(visible=False, read=False, create=False),
    "Reviewer": Allowance(create=False),
    "Contributor": Allowance(read=False),
    "NoneditingAuthor": Allowance(delete=_OWN),
    "Author": Allowance(modify=_OWN, delete=_OWN),
    "PublishingAuthor": Allowance(modify=_OWN, delete=_OWN, create_folders=True),
    "Editor": Allowance(modify=_ALL, delete=_ALL),
    "PublishingEditor": Allowance(modify=_ALL, delete=_ALL, create_folders=True),
    "Owner": Allowance(modify=_ALL, delete=_ALL, create_folders=True, owner=True),
    "Custom": Allowance(create=False, modify=_ALL),
    "delegate": Allowance(modify=_ALL, delete=_ALL),
}


#: When an item is whose time does not matter.
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class FakeItem:
    """An item. ``status``: ``None`` where it is free. Texts and zone are those of the last write."""

    item_id: str
    maker: str = OWNER
    marker_key: str | None = None
    start: datetime = LONG_AGO
    end: datetime = LONG_AGO + timedelta(hours=1)
    status: BusyStatus | None = BusyStatus.BUSY
    revision: int | None = None
    created_at: datetime = LONG_AGO
    version: int = 1
    title: str = ""
    location: str = ""
    body: str = ""
    time_zone: str = ""
    cancelled: bool = False

    def shown(self, *, with_status: bool = False, with_marker: bool = True) -> CalendarItem:
        """Return it as a gateway shows it."""
        status = self.status if with_status else None
        more = (self.marker_key, self.revision, self.created_at) if with_marker else (None, None, None)
        return CalendarItem(ItemName(self.item_id, str(self.version)), self.start, self.end, status, *more)


@dataclass(slots=True)
class FakeFolder:
    """One calendar folder: what is in it, and what the connection may do.

    ``listed``: whether its permission list names the connection, which may owe its level to a group.
    """

    folder_id: str
    parent_id: str
    name: str
    level: str = "Editor"
    items: dict[str, FakeItem] = field(default_factory=dict)
    listed: bool = True

    @property
    def allowance(self) -> Allowance:
        return LEVELS[self.level]

    @property
    def intervals(self) -> list[Interval]:
        """The busy time of its items, each."""
        busy = [item for item in self.items.values() if not item.cancelled]
        return [(item.start, item.end, item.status) for item in busy if item.status is not None]

    def rights(self, style: str) -> Rights:
        """Return the folder's effective rights, of the folder object or derived from those on items."""
        allowed, derived = self.allowance, style == "items"
        return Rights(
            read=allowed.read,
            create=allowed.create,
            modify=allowed.owner or (derived and allowed.modify == _ALL),
            delete=allowed.owner or (derived and allowed.delete == _ALL),
            create_folders=allowed.create_folders,
        )

    def item_rights(self, item: FakeItem, installation_id: str) -> ItemRights:
        """Return the effective rights on an item, its maker considered."""
        allowed, key = self.allowance, item.marker_key
        rights = Rights(read=True, modify=item.maker in allowed.modify, delete=item.maker in allowed.delete)
        return ItemRights(rights, marked=key is not None, ours=key is not None and key.startswith(f"{installation_id}/"))


@dataclass(slots=True)
class FakeOwner:
    """One mailbox. ``folders`` are by path below the calendar, the default calendar under the empty path.

    ``root_shown`` is what the connection was granted at the mailbox's root, whatever the server's policy is.
    ``answer``, where set, is what the availability service says of it instead of its intervals. A ``group`` has busy
    time and no folders.
    """

    address: str
    folders: dict[str, FakeFolder]
    answer: Unanswered | None = None
    merged_only: bool = False
    sick: bool = False
    group: bool = False
    root_shown: bool = False

    @property
    def calendar(self) -> FakeFolder:
        return self.folders[""]
