"""The organisation's things: mailboxes, folders, appointments.

Plain data with the few rules that keep it consistent. Who may see or do what is decided in
`rights` and asked in `organisation`; nothing here knows SOAP.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from deployments.sandbox import identifiers
from deployments.sandbox.rights import Rights
from deployments.sandbox.series import Series
from deployments.sandbox.timeline import Occurrence, Timeline

STATUSES = ("Free", "Tentative", "Busy", "OOF", "WorkingElsewhere", "NoData")


class MailboxKind(StrEnum):
    """What kind of recipient an address is."""

    PERSON = "person"
    MERGED_ONLY = "merged_only"
    NO_DATA = "no_data"
    NO_VIEW = "no_view"
    NO_CALENDAR = "no_calendar"
    GROUP = "group"


@dataclass(slots=True)
class Item:
    """An appointment: a single one, or the master of a series."""

    mailbox: str
    number: int
    start: datetime
    end: datetime
    status: str = "Busy"
    subject: str = ""
    location: str = ""
    body: str = ""
    creator: str = ""
    is_private: bool = False
    is_all_day: bool = False
    is_cancelled: bool = False
    series: Series | None = None
    time_zone: str = "UTC"
    # What an EWS client gave as time zones: Windows names. Empty: that of `time_zone`.
    start_zone: str = ""
    end_zone: str = ""
    body_type: str = "Text"
    reminder_is_set: bool = False
    reminder_minutes: int = 15
    change: int = 1
    created: datetime | None = None
    modified: datetime | None = None
    modifier: str = ""
    # Messages only: the sender's name and address.
    sender: tuple[str, str] | None = None
    # (property set or tag, name) in lower case -> value
    extended: dict[tuple[str, str], str] = field(default_factory=dict)

    def changed(self, by: str, at: datetime) -> None:
        """Note a change: the item has a new change key from now on."""
        self.change += 1
        self.modified, self.modifier = at, by

    @property
    def item_class(self) -> str:
        """What kind of item it is, in Exchange's words."""
        return "IPM.Appointment" if self.sender is None else "IPM.Sharing"

    @property
    def id(self) -> str:
        """The item's id, without any occurrence."""
        return identifiers.item_id(identifiers.ItemKey(self.mailbox, self.number))

    @property
    def change_key(self) -> str:
        """The key of the item's present state."""
        return identifiers.change_key(self.number * 4096 + self.change)

    @property
    def uid(self) -> str:
        """The calendar-wide identity that iCalendar knows."""
        return f"{self.number:08x}-{self.mailbox}"


@dataclass(slots=True, eq=False)
class Folder:
    """A folder of a mailbox; calendars hold items and permissions."""

    mailbox: str
    number: int
    name: str
    parent: Folder | None
    is_calendar: bool = True
    distinguished: str | None = None
    permissions: dict[str, str] = field(default_factory=dict)
    # The rights of those whose level is Custom, where they were spelled out.
    custom: dict[str, Rights] = field(default_factory=dict)
    # Whose calendar in another organisation this one shows.
    foreign_owner: str | None = None
    # (property set or tag, name) in lower case -> value
    extended: dict[tuple[str, str], str] = field(default_factory=dict)
    # When it can be seen, on the monotonic clock.
    appears_at: float = 0.0
    items: dict[int, Item] = field(default_factory=dict)
    change: int = 1
    timeline: Timeline = field(default_factory=Timeline)

    @property
    def id(self) -> str:
        """The folder's id."""
        return identifiers.folder_id(self.mailbox, self.number)

    @property
    def change_key(self) -> str:
        """The key of the folder's present state."""
        return identifiers.change_key(self.number * 4096 + self.change)

    @property
    def is_there(self) -> bool:
        """Tell whether it has appeared yet."""
        return not self.appears_at or time.monotonic() >= self.appears_at

    @property
    def owner(self) -> str:
        """Whose calendar it is, in whichever organisation."""
        return self.foreign_owner or self.mailbox

    def occurrences(self, start: datetime, end: datetime) -> list[Occurrence]:
        """Return all that overlaps or touches the window, cancelled ones too, by start."""
        page = self.timeline.page(self.items.values(), start, end)
        return page.touching(start, end)

    def touched(self) -> None:
        """Forget what was derived from the items."""
        self.timeline.clear()


@dataclass(slots=True, eq=False)
class Mailbox:
    """One recipient of the organisation."""

    address: str
    name: str
    kind: MailboxKind = MailboxKind.PERSON
    folders: dict[int, Folder] = field(default_factory=dict)
    members: tuple[str, ...] = ()
    next_item: int = 1
    # A removed folder's number is not given out again.
    next_folder: int = 0

    def distinguished(self, name: str) -> Folder | None:
        """Return the folder of a well-known name."""
        for folder in self.folders.values():
            if folder.distinguished == name:
                return folder
        return None

    def children(self, parent: Folder, *, deep: bool) -> Iterator[Folder]:
        """Yield the folders below one, in the order they were made."""
        for folder in self.folders.values():
            if folder.parent is parent and folder.is_there:
                yield folder
                if deep:
                    yield from self.children(folder, deep=True)

    def find_item(self, number: int) -> tuple[Folder, Item] | None:
        """Return an item and the folder it lies in."""
        for folder in self.folders.values():
            item = folder.items.get(number)
            if item is not None:
                return folder, item
        return None
