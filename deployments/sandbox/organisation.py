"""The organisation: who exists, which folders they have, and who may do what there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from deployments.sandbox.identifiers import ItemKey, read_folder_id
from deployments.sandbox.limits import Limits
from deployments.sandbox.model import Folder, Item, Mailbox, MailboxKind
from deployments.sandbox.paths import join_path, plain, split_path, step
from deployments.sandbox.rights import LEVELS, MAILBOX_OWNER, ROOT_VISITOR, Rights
from deployments.sandbox.timeline import Occurrence

DEFAULT = "default"
_FIRST_FREE_FOLDER = 10
# Well-known folders: number, distinguished name, display name, parent's number, is a calendar.
_WELL_KNOWN = (
    (1, "root", "", None, False),
    (2, "msgfolderroot", "Top of Information Store", 1, False),
    (3, "inbox", "Inbox", 2, False),
    (4, "calendar", "Calendar", 2, True),
    (5, "deleteditems", "Deleted Items", 2, False),
)


class UnknownError(LookupError):
    """A mailbox, folder or item that does not exist, in words for a person."""


@dataclass(frozen=True, slots=True)
class Found:
    """An item, the folder it lies in, and the occurrence that its id named."""

    folder: Folder
    item: Item
    occurrence: Occurrence | None


class Organisation:
    """All mailboxes. Those of generated owners are made when first looked at."""

    def __init__(self, email: str, limits: Limits) -> None:
        self.email = email.lower()
        self.limits = limits
        self._mailboxes: dict[str, Mailbox] = {}
        self._makers: dict[str, Callable[[], None]] = {}
        # Calendars of other organisations, by their owner's address and name there.
        self.external: dict[tuple[str, str], Folder] = {}
        self.create_mailbox(self.email, "Busytime", shared=False)

    def expect(self, address: str, maker: Callable[[], None]) -> None:
        """Note an owner whose mailbox `maker` creates and fills at first use."""
        self._makers[address] = maker

    def addresses(self) -> Iterator[str]:
        """Yield every address, without making anything."""
        yield from self._mailboxes
        yield from self._makers

    def mailbox(self, address: str) -> Mailbox | None:
        """Return the mailbox of an address, however it is written."""
        key = address.lower()
        maker = self._makers.pop(key, None)
        if maker is not None:
            maker()
        return self._mailboxes.get(key)

    def create_mailbox(self, address: str, name: str, *, shared: bool = True) -> Mailbox:
        """Make a mailbox with its well-known folders.

        Args:
            address: The e-mail address.
            name: The display name.
            shared: Whether the dedicated mailbox becomes Editor of the default calendar.
        """
        mailbox = Mailbox(address.lower(), name)
        for number, distinguished, title, parent, is_calendar in _WELL_KNOWN:
            mailbox.folders[number] = Folder(
                mailbox.address,
                number,
                title,
                mailbox.folders[parent] if parent else None,
                is_calendar=is_calendar,
                distinguished=distinguished,
            )
        calendar = mailbox.folders[4]
        calendar.permissions[DEFAULT] = "FreeBusyTimeOnly"
        if shared:
            calendar.permissions[self.email] = "Editor"
        self._mailboxes[mailbox.address] = mailbox
        return mailbox

    def owner(self, address: str) -> Mailbox:
        """Return a mailbox for the control interface, or say that there is none."""
        mailbox = self.mailbox(address)
        if mailbox is None:
            raise UnknownError(f"there is no mailbox {address!r}")
        return mailbox

    def folder(self, address: str, path: str) -> Folder:
        """Return a calendar by its path below the owner's calendar (`../` is beside it)."""
        external = self.external.get((address.lower(), path.strip() or "Calendar"))
        if external is not None:
            return external
        mailbox = self.owner(address)
        folder = mailbox.folders.get(4)
        if folder is None:
            raise UnknownError(f"{address} has no calendar")
        for name in split_path(path):
            folder = step(mailbox, folder, name)
            if folder is None:
                raise UnknownError(f"{address} has no calendar {path!r}")
        return folder

    def create_folder(self, address: str, path: str) -> Folder:
        """Make a sub-calendar. It starts with the permissions of what it lies below."""
        *parents, name = split_path(path) or [""]
        if not name or name == "..":
            raise ValueError("folder must name the new calendar")
        mailbox = self.owner(address)
        parent = self.folder(address, join_path(parents))
        folder = self.add_folder(mailbox, plain(name), parent)
        folder.permissions.update(parent.permissions)
        folder.custom.update(parent.custom)
        return folder

    def add_folder(self, mailbox: Mailbox, name: str, parent: Folder) -> Folder:
        """Make a calendar without any permission."""
        number = max(_FIRST_FREE_FOLDER, max(mailbox.folders) + 1, mailbox.next_folder)
        mailbox.next_folder = number + 1
        folder = mailbox.folders[number] = Folder(mailbox.address, number, name, parent)
        return folder

    def remove_folder(self, folder: Folder) -> None:
        """Remove a sub-calendar and all below it."""
        if folder.distinguished:
            raise ValueError("a well-known folder cannot be removed")
        mailbox = self.owner(folder.mailbox)
        for gone in (folder, *list(mailbox.children(folder, deep=True))):
            mailbox.folders.pop(gone.number, None)
        self.external = {key: one for key, one in self.external.items() if one is not folder}

    def folder_by_id(self, folder_id: str) -> Folder | None:
        """Return the folder of an id, or None if it is gone or was never there."""
        key = read_folder_id(folder_id)
        mailbox = None if key is None else self.mailbox(key[0])
        if key is None or mailbox is None:
            return None
        return mailbox.folders.get(key[1])

    def item(self, key: ItemKey) -> Found | None:
        """Return an item or one of its occurrences."""
        mailbox = self.mailbox(key.mailbox)
        found = None if mailbox is None else mailbox.find_item(key.number)
        if found is None:
            return None
        folder, item = found
        if key.occurrence is None:
            return Found(folder, item, None)
        original = datetime.fromtimestamp(key.occurrence, UTC)
        for one in folder.occurrences(*_around(item, original)):
            if one.item is item and one.original == original:
                return Found(folder, item, one)
        return None

    def add_item(self, folder: Folder, start: datetime, end: datetime, **more: Any) -> Item:
        """Put an appointment into a folder; `more` are further fields of `Item`."""
        mailbox = self.owner(folder.mailbox)
        number = mailbox.next_item
        mailbox.next_item += 1
        more.setdefault("creator", folder.owner)
        item = Item(mailbox.address, number, start, end, **more)
        folder.items[number] = item
        folder.touched()
        return item

    def remove_item(self, found: Found) -> None:
        """Remove an item, or only the occurrence that its id named."""
        occurrence, series = found.occurrence, found.item.series
        if occurrence is not None and occurrence.original is not None and series is not None:
            series.changes.deleted.add(occurrence.original)
            found.item.change += 1
        else:
            del found.folder.items[found.item.number]
        found.folder.touched()

    def rights(self, caller: str, folder: Folder) -> Rights:
        """Return what a person may do in a folder."""
        if not folder.is_there:
            return LEVELS["None"]
        if caller == folder.mailbox and folder.foreign_owner is None:
            return MAILBOX_OWNER
        if folder.is_calendar:
            return self._granted(caller, folder)
        if folder.distinguished == "msgfolderroot" and self._granted(caller, folder).visible:
            return ROOT_VISITOR
        if self.limits.root_visible and folder.number in {1, 2} and self._sees_any(caller, folder):
            return ROOT_VISITOR
        return LEVELS["None"]

    @staticmethod
    def _granted(caller: str, folder: Folder) -> Rights:
        person = caller if caller in folder.permissions else DEFAULT
        level = folder.permissions.get(person, "None")
        return folder.custom.get(person, LEVELS[level]) if level == "Custom" else LEVELS[level]

    def _sees_any(self, caller: str, root: Folder) -> bool:
        folders = self.owner(root.mailbox).folders.values()
        return any(self.rights(caller, one).visible for one in folders if one.is_calendar)

    def set_kind(self, address: str, kind: MailboxKind, members: tuple[str, ...]) -> None:
        """Turn a mailbox into a special one, making it if there is none."""
        mailbox = self.mailbox(address) or self.create_mailbox(address, address.split("@", 1)[0])
        mailbox.kind = kind
        mailbox.members = members
        if kind is MailboxKind.NO_CALENDAR:
            for number in [n for n, one in mailbox.folders.items() if one.is_calendar]:
                del mailbox.folders[number]


def _around(item: Item, original: datetime) -> tuple[datetime, datetime]:
    """Return a window that surely holds an occurrence, moved ones included."""
    times = None if item.series is None else item.series.changes.moved.get(original)
    if times is not None:
        return times
    year = original.year
    return datetime(year, 1, 1, tzinfo=UTC), datetime(year, 12, 31, tzinfo=UTC)
