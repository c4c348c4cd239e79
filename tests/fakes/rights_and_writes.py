"""The part of the calendar server in memory that tells rights, keeps items and takes writes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from busytime.errors import (
    AmbiguousWriteError,
    BusyTimeError,
    ConfigurationError,
    FolderNotFoundError,
    MailboxNotFoundError,
    PermissionMissingError,
    Reason,
    SkippableError,
)
from busytime.model import Invitation, SharedCalendar
from busytime.permissions import ItemRights, PermissionLevel, Rights
from tests.fakes.folders import CONNECTION, FakeFolder, FakeItem, FakeOwner

MOST_ITEMS = 100


@dataclass(slots=True)
class FakeInvitation:
    """An invitation to a calendar of another organisation."""

    invitation_id: str
    sender: str
    name: str
    accepted: bool = False


class RightsAndWrites:
    """Rights, items, writes and invitations. A part of ``InMemoryCalendarGateway``, which brings what is annotated here."""

    owners: dict[str, FakeOwner]
    _request: Callable[..., None]
    _new_id: Callable[[], str]

    def __init__(self) -> None:
        self.rights_style = "exchange"
        self.permission_lists = "omitted"
        self.foreign_addresses = True
        self.invitations: list[FakeInvitation] = []
        self.shared: list[SharedCalendar] = []
        self.now: Callable[[], datetime] = partial(datetime.now, UTC)
        self._lost: dict[str, int] = {}

    # Furnishing

    def add_item(self, address: str, folder: str = "", **facts: Any) -> str:
        """Put an item into a calendar: its owner's, unless its ``maker`` is named."""
        return self._put(self.owners[address.lower()].folders[folder], **facts).item_id

    def invite(self, sender: str, name: str = "Calendar") -> str:
        """Let a sharing invitation arrive."""
        self.invitations.append(FakeInvitation(self._new_id(), sender.lower(), name))
        return self.invitations[-1].invitation_id

    def lose_answers(self, operation: str, times: int = 1) -> None:
        """Let the next writes of an operation take effect and their answers get lost."""
        self._lost[operation] = times

    # The port

    def read_folder_rights(self, owner: str, folder_id: str | None) -> Rights:
        """Read effective rights in a folder."""
        self._request("read_folder_rights", (owner,))
        return self._place(owner, folder_id).rights(self.rights_style)

    def find_items(self, owner: str, folder_id: str | None, *, marked_by: str | None, limit: int) -> list[str]:
        """Find some items."""
        self._request("find_items", (owner,))
        folder = self._readable(owner, folder_id)

        def meant(key: str | None) -> bool:
            return key is None if marked_by is None else key is not None and key.startswith(f"{marked_by}/")

        return [item.item_id for item in folder.items.values() if meant(item.marker_key)][:limit]

    def read_item_rights(self, item_ids: Sequence[str], installation_id: str) -> list[ItemRights | None]:
        """Read effective rights on items."""
        if not item_ids:
            return []
        if len(item_ids) > MOST_ITEMS:
            raise ConfigurationError(f"{len(item_ids)} items were asked at once; ask for at most {MOST_ITEMS}.")
        self._request("read_item_rights", tuple(item_ids))
        return [self._item_rights(item_id, installation_id) for item_id in item_ids]

    def is_group(self, owner: str) -> bool:
        """Tell a group from a person."""
        self._request("is_group", (owner,))
        mailbox = self.owners.get(owner.lower())
        return mailbox is not None and mailbox.group

    def read_own_level(self, owner: str, folder_id: str | None) -> PermissionLevel | None:
        """Read the connection's level in the permission list."""
        self._request("read_own_level", (owner,))
        folder = self._place(owner, folder_id)
        if self.permission_lists != "shown" and not folder.allowance.owner:
            raise PermissionMissingError(f"Reading the permission list of {owner}: it is not shown.")
        # A delegate is a person with a folder level; the list shows the level alone.
        level = PermissionLevel.EDITOR if folder.level == "delegate" else PermissionLevel(folder.level)
        return level if folder.listed else None

    def probe_write(self, owner: str, folder_id: str | None, marker_key: str) -> None:
        """Create, change and remove one item; what is left from before is removed first."""
        self._request("find_items", (owner,))
        folder = self._readable(owner, folder_id)
        left = [item for item in folder.items.values() if item.marker_key == marker_key]
        if left:
            self._remove(owner, folder, left)
        item = self._create(owner, folder, marker_key)
        denied = _denied(lambda: self._write("update_item", owner, item.maker in folder.allowance.modify))
        failure = _denied(lambda: self._remove(owner, folder, [item]))
        if denied is not None or failure is not None:
            raise denied or failure

    def list_shared_calendars(self) -> list[SharedCalendar]:
        """List calendars of other organisations."""
        self._request("list_shared_calendars", ())
        told = {one.sender for one in self.invitations if one.accepted}
        return [one if self.foreign_addresses or one.owner in told else replace(one, owner=None) for one in self.shared]

    def list_invitations(self) -> list[Invitation]:
        """List invitations that wait."""
        self._request("list_invitations", ())
        return [Invitation(one.invitation_id, one.sender) for one in self.invitations if not one.accepted]

    def accept_invitation(self, invitation_id: str) -> None:
        """Accept an invitation; its calendar appears at once."""
        self._request("accept_invitation", (invitation_id,))
        found = next((one for one in self.invitations if one.invitation_id == invitation_id), None)
        if found is None or found.accepted:
            raise SkippableError("Accepting a sharing invitation: it is gone, or was accepted.", reason=Reason.SERVER_ERROR)
        found.accepted = True
        self.shared.append(SharedCalendar(self._new_id(), found.sender, found.name))

    # Inside

    def _put(self, folder: FakeFolder, **facts: Any) -> FakeItem:
        # Servers tell whole seconds.
        item = FakeItem(self._new_id(), **{"created_at": self.now().replace(microsecond=0), **facts})
        folder.items[item.item_id] = item
        return item

    def _place(self, owner: str, folder_id: str | None) -> FakeFolder:
        """Return a folder that may be seen."""
        mailbox = self.owners.get(owner.lower())
        if mailbox is None or mailbox.group:
            raise MailboxNotFoundError(f"Looking for the calendar of {owner}: no such mailbox; check the roster.")
        wanted = mailbox.calendar.folder_id if folder_id is None else folder_id
        for folder in mailbox.folders.values():
            if folder.folder_id == wanted and folder.allowance.visible:
                return folder
        raise FolderNotFoundError(f"Looking for a calendar of {owner}: not there, or not to be seen; share it.")

    def _readable(self, owner: str, folder_id: str | None) -> FakeFolder:
        folder = self._place(owner, folder_id)
        if not folder.allowance.read:
            raise PermissionMissingError(f"Reading a calendar of {owner}: the connection may not; share it.")
        return folder

    def _item_rights(self, item_id: str, installation_id: str) -> ItemRights | None:
        for owner in self.owners.values():
            for folder in owner.folders.values():
                if item_id in folder.items and folder.allowance.read:
                    return folder.item_rights(folder.items[item_id], installation_id)
        return None

    def _create(self, owner: str, folder: FakeFolder, marker_key: str) -> FakeItem:
        def create() -> None:
            self._put(folder, maker=CONNECTION, marker_key=marker_key, status=None)

        self._write("create_item", owner, folder.allowance.create, create)
        return next(reversed(folder.items.values()))

    def _remove(self, owner: str, folder: FakeFolder, items: Sequence[FakeItem]) -> None:
        def remove() -> None:
            for item in items:
                folder.items.pop(item.item_id, None)

        self._write("delete_item", owner, all(item.maker in folder.allowance.delete for item in items), remove)

    def _write(self, operation: str, owner: str, allowed: bool, take_effect: Callable[[], object] = lambda: None) -> None:  # noqa: FBT001
        self._request(operation, (owner,))
        self._settle(operation, owner, take_effect, allowed=allowed)

    def _settle(self, operation: str, owner: str, take_effect: Callable[[], object], *, allowed: bool) -> None:
        """Let a write that was asked for take effect, and lose the answer where that was ordered."""
        if not allowed:
            raise PermissionMissingError(f"Writing to a calendar of {owner}: denied; share it.", detail="ErrorAccessDenied")
        take_effect()
        if self._lost.get(operation, 0) > 0:
            self._lost[operation] -= 1
            raise AmbiguousWriteError(f"Writing to a calendar of {owner}: the answer was lost.", reason=Reason.CONNECTION_LOST)


def _denied(step: Callable[[], None]) -> BusyTimeError | None:
    try:
        step()
    except SkippableError as error:
        return error
    return None
