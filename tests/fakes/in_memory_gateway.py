"""A calendar server in memory, behind the same port and the same contract suite as the real adapter."""

from collections.abc import Callable, Sequence
from datetime import datetime

from busytime.errors import (
    BusyTimeError,
    ConfigurationError,
    FolderNotFoundError,
    MailboxNotFoundError,
    PermissionMissingError,
    Reason,
    SpoiltAnswerError,
)
from busytime.model import BusyAnswer, BusyStatus, BusyTime, FolderList, FoundFolder, Interval, Unanswered, Window
from busytime.ports import RequestGuard
from tests.fakes.entries import Entries
from tests.fakes.folders import FakeFolder, FakeOwner

MOST_APPOINTMENTS = 1000
MOST_OWNERS = 100


class _OpenGuard:
    """Lets everything pass."""

    def permit(self, *, log_on=True) -> "_OpenGuard":  # noqa: ARG002
        return self

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_exc: object) -> None:
        return None


class InMemoryCalendarGateway(Entries):
    """An organisation of owners, and failures on order.

    Args:
        guard: Stands before every request; ``None`` lets all pass.
        window_days: The longest window of the availability service.
    """

    def __init__(self, guard: RequestGuard | None = None, *, window_days: int = 62, view_days: int = 731) -> None:
        super().__init__()
        self.guard: RequestGuard = guard or _OpenGuard()
        self.window_days = window_days
        self.view_days = view_days
        self.owners: dict[str, FakeOwner] = {}
        self.requests: list[tuple[str, tuple[str, ...], Window | None]] = []
        self.root_visible = True
        self.closed = False
        self._failures: list[tuple[str, Callable[[], BusyTimeError], int | None]] = []
        self._ids = 0

    # Furnishing

    def add_owner(self, address: str, intervals: Sequence[Interval] = (), *, level: str = "Editor") -> FakeOwner:
        """Make a mailbox with a default calendar."""
        calendar = FakeFolder(self._new_id(), f"root-{address}", "Calendar", level)
        self.owners[address.lower()] = owner = FakeOwner(address.lower(), {"": calendar})
        for interval in intervals:
            self.add(address, *interval)
        return owner

    def add_folder(self, address: str, path: str, intervals: Sequence[Interval] = (), *, level: str = "Editor") -> FakeFolder:
        """Make a sub-calendar; ``../Name`` lies beside the calendar."""
        owner = self.owners[address.lower()]
        parent_path, _, name = path.rpartition("/")
        parent_id = owner.calendar.parent_id if parent_path == ".." else owner.folders[parent_path].folder_id
        owner.folders[path] = folder = FakeFolder(self._new_id(), parent_id, name, level)
        for interval in intervals:
            self.add(address, *interval, folder=path)
        return folder

    def add(
        self, address: str, start: datetime, end: datetime, status: BusyStatus | None = BusyStatus.BUSY, folder: str = ""
    ) -> str:
        """Make an appointment of its owner, free without a status."""
        return self.add_item(address, folder, start=start, end=end, status=status)

    def fail(self, operation: str, make: Callable[[], BusyTimeError], times: int | None = 1) -> None:
        """Let the next requests of a method (or ``*``) fail; ``None`` times is until ``mend``."""
        self._failures.append((operation, make, times))

    def mend(self) -> None:
        """End every ordered failure."""
        self._failures.clear()
        for owner in self.owners.values():
            owner.sick = False

    # The port

    def probe(self) -> None:
        """Log on once."""
        self._request("probe", ())

    def read_availability(self, owners: Sequence[str], window: Window) -> list[BusyAnswer]:
        """Read the busy time of the default calendars."""
        if not owners:
            return []
        if len(owners) > MOST_OWNERS:
            raise ConfigurationError(f"{len(owners)} mailboxes were asked at once; ask for at most {MOST_OWNERS}.")
        self._request("read_availability", tuple(owners), window)
        known = [self.owners.get(address.lower()) for address in owners]
        if any(owner is not None and owner.sick for owner in known):
            raise SpoiltAnswerError(f"Reading the busy time of {len(owners)} mailboxes: the server reported an error of its own.")
        if window.length.days > self.window_days:
            return [Unanswered(Reason.WINDOW_TOO_LONG, "ErrorTimeIntervalTooBig")] * len(owners)
        return [self._answer(owner, window) for owner in known]

    def list_folders(self, owner: str) -> FolderList:
        """List the default calendar, then what is below and beside it."""
        self._request("list_folders", (owner,))
        found = self.owners.get(owner.lower())
        if found is None or found.group:
            raise MailboxNotFoundError(f"Looking for the calendar of {owner}: no such mailbox; check the roster.")
        root_seen = self.root_visible or found.root_shown
        shown = [
            FoundFolder(folder.folder_id, folder.parent_id, folder.name)
            for path, folder in found.folders.items()
            if folder.allowance.visible and (root_seen or not path.startswith("../"))
        ]
        calendar = found.calendar
        if calendar.allowance.visible:
            return FolderList(tuple(shown), beside_seen=root_seen)
        # The hidden parent is the calendar, if there is one alone; of several nobody can tell.
        places = {calendar.parent_id, *(folder.folder_id for folder in shown)}
        hidden = {folder.parent_id for folder in shown} - places
        place = FoundFolder(hidden.pop() if len(hidden) == 1 else "", calendar.parent_id, "")
        placed = [folder for folder in shown if folder.parent_id in places | {place.folder_id}]
        if not root_seen or not placed:
            raise FolderNotFoundError(f"Looking for the calendar of {owner}: not there, or not to be seen; share it.")
        return FolderList((place, *placed), beside_seen=True, calendar_seen=False)

    def read_calendar_view(self, folder_id: str, window: Window) -> list[Interval]:
        """Read one folder."""
        self._request("read_calendar_view", (folder_id,), window)
        folder = self._folder(folder_id)
        found = [(item.start, item.end, item.status) for item in self._viewed(folder, window)]
        return [(start, end, status) for start, end, status in found if start != end and status is not None]

    def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True

    # Inside

    def _request(self, operation: str, names: tuple[str, ...], window: Window | None = None) -> None:
        with self.guard.permit():
            self.requests.append((operation, names, window))
            for place, (wanted, make, times) in enumerate(self._failures):
                if wanted in ("*", operation):
                    if times == 1:
                        del self._failures[place]
                    elif times is not None:
                        self._failures[place] = (wanted, make, times - 1)
                    raise make()

    def _answer(self, owner: FakeOwner | None, window: Window) -> BusyAnswer:
        if owner is None:
            return Unanswered(Reason.MAILBOX_NOT_FOUND, "ErrorMailRecipientNotFound")
        if not owner.calendar.allowance.see_times:
            return Unanswered(Reason.NO_ACCESS, "ErrorNoFreeBusyAccess")
        if owner.answer is not None:
            return owner.answer
        if owner.merged_only:
            self._request("read_availability", (owner.address,), window)
        return self._busy_time(owner, window)

    @staticmethod
    def _busy_time(owner: FakeOwner, window: Window) -> BusyAnswer:
        overlapping = [one for one in owner.calendar.intervals if one[0] < window.end and max(one[0], one[1]) > window.start]
        if len(overlapping) >= MOST_APPOINTMENTS:
            return Unanswered(Reason.TOO_MANY_APPOINTMENTS)
        for start, end, _status in overlapping:
            if end < start:
                return Unanswered(Reason.ENDS_BEFORE_START, start.isoformat())
        return BusyTime(tuple(one for one in overlapping if one[0] != one[1]))

    def _folder(self, folder_id: str) -> FakeFolder:
        for owner in self.owners.values():
            for folder in owner.folders.values():
                if folder.folder_id == folder_id and folder.allowance.see_times:
                    if folder.allowance.read:
                        return folder
                    raise PermissionMissingError("Reading a calendar folder: the connection may not; share it.")
        raise FolderNotFoundError("Reading a calendar folder: not there, or not to be seen; share it.")

    def _new_id(self) -> str:
        self._ids += 1
        return f"folder-{self._ids:04}"
