"""What the calendar server in memory holds: mailboxes, folders, items, and what each permission level allows."""

from dataclasses import dataclass, field

from busytime.model import Interval, Unanswered
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


@dataclass(slots=True)
class FakeItem:
    """An item of which only its maker and its marker matter."""

    item_id: str
    maker: str = OWNER
    marker_key: str | None = None


@dataclass(slots=True)
class FakeFolder:
    """One calendar folder: what is in it, and what the connection may do.

    ``listed``: whether its permission list names the connection, which may owe its level to a group.
    """

    folder_id: str
    parent_id: str
    name: str
    level: str = "Editor"
    intervals: list[Interval] = field(default_factory=list)
    items: dict[str, FakeItem] = field(default_factory=dict)
    listed: bool = True

    @property
    def allowance(self) -> Allowance:
        return LEVELS[self.level]

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
