"""Reading effective rights of folders and items, and the permission list (``GetFolder``, ``GetItem``)."""

from collections.abc import Sequence
from functools import partial

from busytime.errors import PermissionMissingError, Reason
from busytime.ews import envelopes_looking
from busytime.ews.body import Element, Unreadable
from busytime.ews.failures import Request, make_error
from busytime.ews.marker import key_of
from busytime.ews.soap import TYPES, Refusal, items_shown, single_folder
from busytime.ews.transport import Transport
from busytime.permissions import ItemRights, PermissionLevel, Rights

_RIGHTS = f"{{{TYPES}}}EffectiveRights"
_ENTRIES = f"{{{TYPES}}}PermissionSet/{{{TYPES}}}CalendarPermissions/{{{TYPES}}}CalendarPermission"
_ADDRESS = f"{{{TYPES}}}UserId/{{{TYPES}}}PrimarySmtpAddress"
_LEVEL = f"{{{TYPES}}}CalendarPermissionLevel"

#: What a right is called in ``EffectiveRights`` (``EffectiveRightsType``).
_FIELDS = {
    "read": "Read",
    "create": "CreateContents",
    "modify": "Modify",
    "delete": "Delete",
    "create_folders": "CreateHierarchy",
}

_LEVELS = {level.value: level for level in PermissionLevel if level is not PermissionLevel.DELEGATE}


def read_folder_rights(transport: Transport, what: str, owner: str, folder_id: str | None) -> Rights:
    """Read the connection's effective rights in one folder.

    Args:
        transport: Sends.
        what: What is done, for messages.
        owner: Whose calendar.
        folder_id: ``None`` for the default calendar.
    """
    return transport.send(envelopes_looking.get_rights(owner, folder_id), what, _folder_rights)


def _folder_rights(payload: Element) -> Rights | Refusal:
    folder = single_folder(payload)
    if isinstance(folder, Refusal):
        return folder
    rights = _rights_of(folder)
    if rights is None:
        raise Unreadable(Reason.MALFORMED_ANSWER)
    return rights


def _rights_of(thing: Element) -> Rights | None:
    element = thing.find(_RIGHTS)
    if element is None:
        return None
    return Rights(**{field: _is_true(element.findtext(f"{{{TYPES}}}{name}")) for field, name in _FIELDS.items()})


def _is_true(text: str | None) -> bool:
    return (text or "").strip().lower() in ("true", "1")


def read_item_rights(transport: Transport, what: str, item_ids: Sequence[str], installation_id: str) -> list[ItemRights | None]:
    """Read effective rights and marker of items, in one request and in the order asked.

    Args:
        transport: Sends.
        what: What is done, for messages.
        item_ids: At least one, at most ``MOST_ITEMS``.
        installation_id: Whose marker is ours.

    Raises:
        RetriableError: No item was shown, and one of them for a reason that will pass: that says nothing of rights.
    """
    read = partial(_items_rights, count=len(item_ids), installation_id=installation_id)
    return transport.send(envelopes_looking.get_item_rights(item_ids), what, read)


def _items_rights(payload: Element, count: int, installation_id: str) -> list[ItemRights | None] | Refusal:
    shown = items_shown(payload, count)
    if isinstance(shown, Refusal):
        return shown
    return [None if item is None else _item_rights(item, installation_id) for item in shown]


def _item_rights(item: Element, installation_id: str) -> ItemRights | None:
    rights = _rights_of(item)
    if rights is None:
        return None  # an item without rights is no evidence
    key = key_of(item)
    return ItemRights(rights, marked=key is not None, ours=key is not None and key.startswith(f"{installation_id}/"))


def read_own_level(
    transport: Transport, request: Request, owner: str, folder_id: str | None, account: str
) -> PermissionLevel | None:
    """Read the level that a folder's permission list gives an account.

    Args:
        transport: Sends.
        request: What is done, for messages.
        owner: Whose calendar.
        folder_id: ``None`` for the default calendar.
        account: An address.

    Raises:
        PermissionMissingError: The list is not shown.
    """
    entries = transport.send(envelopes_looking.get_permission_list(owner, folder_id), request.what, _permission_entries)
    if not entries:  # left out, or emptied: no list is without an entry for everybody
        raise make_error(PermissionMissingError, Reason.NO_ACCESS, request)
    for entry in entries:
        if entry.findtext(_ADDRESS, "").strip().lower() == account.lower():
            # A level that is not known here is, like a custom one, anything.
            return _LEVELS.get(entry.findtext(_LEVEL, "").strip(), PermissionLevel.CUSTOM)
    return None


def _permission_entries(payload: Element) -> list[Element] | Refusal:
    folder = single_folder(payload)
    return folder if isinstance(folder, Refusal) else folder.findall(_ENTRIES)
