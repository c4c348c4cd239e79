"""The desk at which one calendar's entries are pushed: its server, its tables, and every look at the folder.

Whatever is read of a folder passes here, so that a restored database is noticed by the first item that gives it away.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, partial
from typing import Protocol, TypeVar

from busytime.bookings import CalendarItem, Draft, ItemName, booking_key_of, marker_key
from busytime.errors import RestoredDatabaseError, TooManyMailboxesError, WindowTooLargeError
from busytime.locating import look_up
from busytime.model import BusyStatus, Calendar, CalendarKind, Window
from busytime.ports import CalendarGateway, Clock, EntryBook

T = TypeVar("T")

_ITEMS_A_REQUEST = 100


class Asking(Protocol):
    """Asks a server something, with the patience that all workers of a connection share."""

    def __call__(self, action: Callable[[], T], /) -> T:
        """Do it, again after each pause that the server wants."""


@dataclass
class PushDesk:
    """One calendar, the server and the tables.

    Args:
        calendar: Where the entries are.
        open_gateway: Opens the server, through the calendar's connection; called only when it is asked something.
        book: The tables.
        clock: Tells the time.
        ask: Sends with patience.
        installation_id: Part of every marker.
        busy_statuses: Statuses that make a time busy for bookings.
        new_attempt_id: Makes random names.
        window_days: Longest availability window that the server is known to answer, in days.
    """

    calendar: Calendar
    open_gateway: Callable[[], CalendarGateway]
    book: EntryBook
    clock: Clock
    ask: Asking
    installation_id: str
    busy_statuses: frozenset[BusyStatus]
    new_attempt_id: Callable[[], str]
    window_days: int | None = None
    _folder_id: str | None = field(default=None, init=False)

    @cached_property
    def gateway(self) -> CalendarGateway:
        """The server."""
        return self.open_gateway()

    @property
    def folder_id(self) -> str | None:
        """The folder's id; ``None`` for a default calendar, which is addressed by its owner.

        Raises:
            SkippableError: A sub-calendar cannot be found.
        """
        if self.calendar.kind is CalendarKind.DEFAULT:
            return None
        if self._folder_id is None:
            known = self.calendar.folder_id
            self._folder_id = known or self.ask(partial(look_up, self.gateway, self.calendar))
        return self._folder_id

    def marker(self, booking_key: str) -> str:
        """Return the marker of a booking's items."""
        return marker_key(self.installation_id, booking_key)

    def view(self, windows: Sequence[Window]) -> list[CalendarItem]:
        """Read the items in some windows: in one request, or in several where the server tells too few at once.

        Raises:
            SkippableError: The folder cannot be read.
            RestoredDatabaseError: It holds an entry that the tables have forgotten.
        """
        hull = Window(min(it.start for it in windows), max(it.end for it in windows))
        try:
            items = self.ask(partial(self.gateway.read_items, self.calendar.owner, self.folder_id, hull))
        except WindowTooLargeError:
            if len(windows) == 1:
                raise
            middle = len(windows) // 2
            return [*self.view(windows[:middle]), *self.view(windows[middle:])]
        self.check_known(items)
        return items

    def find(self, booking_key: str) -> list[CalendarItem]:
        """Find the items of the folder that carry a booking's marker.

        Raises:
            SkippableError: The folder cannot be searched; nothing is known.
            RestoredDatabaseError: As above.
        """
        marker = self.marker(booking_key)
        items = self.ask(partial(self.gateway.find_entries, self.calendar.owner, self.folder_id, marker))
        self.check_known(items)
        return items

    def find_all(self) -> list[CalendarItem]:
        """Find all items of the folder that carry this installation's marker, known or not.

        Raises:
            SkippableError: The folder cannot be searched; nothing is known.
        """
        marker = marker_key(self.installation_id, "")
        return self.ask(partial(self.gateway.find_entries, self.calendar.owner, self.folder_id, marker))

    def read_many(self, item_ids: Sequence[str]) -> list[CalendarItem | None]:
        """Read items by their ids, a hundred at a time, in the order asked; ``None`` where the server shows none."""
        parts = [item_ids[start : start + _ITEMS_A_REQUEST] for start in range(0, len(item_ids), _ITEMS_A_REQUEST)]
        return [item for part in parts for item in self.ask(partial(self.gateway.read_entries, part))]

    def read(self, item_id: str) -> CalendarItem | None:
        """Read one item by its id; ``None`` where the server shows none."""
        (item,) = self.read_many([item_id])
        return item

    def check_known(self, items: Iterable[CalendarItem]) -> None:
        """Stop all pushing if an item of this installation is newer than the tables are.

        Raises:
            RestoredDatabaseError: One is.
        """
        seen = [(booking_key_of(item.marker_key, self.installation_id), item.revision or 0) for item in items]
        keys = {key for key, _ in seen if key is not None}
        known = self.book.known_revisions(keys) if keys else {}
        if any(key is not None and revision > known.get(key, -1) for key, revision in seen):
            self.book.mark_restored()
            raise RestoredDatabaseError(
                f"{self.calendar.label} holds an entry that this database has forgotten, so it was restored from a backup. "
                "Nothing is written until `busytime resync EMAIL --adopt` has taken over what the calendars hold."
            )

    def create(self, draft: Draft) -> ItemName:
        """Create an item in the folder."""
        return self._write(partial(self.gateway.create_entry, self.calendar.owner, self.folder_id, draft))

    def change(self, name: ItemName, draft: Draft) -> ItemName:
        """Change an item's own properties."""
        return self._write(partial(self.gateway.change_entry, self.calendar.owner, name, draft))

    def remove(self, item_id: str) -> None:
        """Remove an item."""
        self._write(partial(self.gateway.remove_entry, self.calendar.owner, item_id))

    def _write(self, action: Callable[[], T]) -> T:
        """Send a write; a server that wants fewer mailboxes is not asked again, the pace is lowered instead."""
        too_many: list[TooManyMailboxesError] = []
        sent = 0

        def once() -> T | None:
            nonlocal sent
            sent += 1
            if sent > 1:  # a pause was waited for, and in it the claim may have passed to another machine
                self.book.hold(self.calendar.id)
            try:
                return action()
            except TooManyMailboxesError as error:
                too_many.append(error)
                return None

        done = self.ask(once)
        if too_many:
            self.book.lower_pace()
            raise too_many[0]
        return done  # type: ignore[return-value]  # without an error it is the action's own

    def now(self) -> datetime:
        """Return the present instant."""
        return self.clock.now()
