"""Listing an owner's calendar folders (``GetFolder``, ``FindFolder``)."""

from collections.abc import Iterator

from busytime.errors import FolderNotFoundError, PermissionMissingError, Reason
from busytime.ews import envelopes
from busytime.ews.body import Element, Unreadable
from busytime.ews.soap import MESSAGES, TYPES, Refusal, refusal_in, single_message
from busytime.ews.transport import Transport
from busytime.model import FoundFolder

#: A mailbox with more folders than this many pages hold is not listed further.
_MOST_PAGES = 40

_CALENDAR_CLASS = "IPF.Appointment"
_FOLDERS = f"{{{TYPES}}}Folders"


def list_folders(transport: Transport, owner: str) -> list[FoundFolder]:
    """List the owner's default calendar, then the calendar folders below and beside it.

    Beside means below the same parent, at any depth. Where the mailbox's root is closed to the connection,
    only folders below the calendar come back.
    """
    calendar = transport.send(envelopes.get_calendar(owner), f"Looking for the calendar of {owner}", _one_folder)
    below = list(_find(transport, "calendar", owner))
    try:
        beside = list(_find(transport, "msgfolderroot", owner))
    except (PermissionMissingError, FolderNotFoundError):
        beside = []
    return [calendar, *_connected(calendar, [*below, *beside])]


def _connected(calendar: FoundFolder, found: list[FoundFolder]) -> list[FoundFolder]:
    """Keep what hangs on the calendar or on its parent by calendar folders alone, once each.

    A calendar inside the deleted items or inside a mail folder is nobody's calendar to read.
    """
    waiting = {folder.folder_id: folder for folder in found if folder.folder_id != calendar.folder_id}
    reached = {calendar.folder_id, calendar.parent_id}
    kept: list[FoundFolder] = []
    while new := [folder for folder in waiting.values() if folder.parent_id in reached]:
        for folder in new:
            del waiting[folder.folder_id]
            reached.add(folder.folder_id)
        kept += new
    return kept


def _find(transport: Transport, distinguished: str, owner: str) -> Iterator[FoundFolder]:
    offset = 0
    for _page in range(_MOST_PAGES):
        envelope = envelopes.find_folders(distinguished, owner, offset)
        root = transport.send(envelope, f"Listing the calendar folders of {owner}", _root_folder)
        folders = root.find(_FOLDERS)
        elements = [] if folders is None else list(folders)
        yield from (_folder(element) for element in elements if _is_calendar(element))
        offset += len(elements)
        if not elements or root.get("IncludesLastItemInRange", "true").lower() in ("true", "1"):
            return


def _root_folder(payload: Element) -> Element | Refusal:
    message = single_message(payload, "FindFolder")
    refusal = refusal_in(message)
    root = message.find(f"{{{MESSAGES}}}RootFolder")
    if refusal is not None:
        return refusal
    if root is None:
        raise Unreadable(Reason.MALFORMED_ANSWER)
    return root


def _one_folder(payload: Element) -> FoundFolder | Refusal:
    message = single_message(payload, "GetFolder")
    refusal = refusal_in(message)
    if refusal is not None:
        return refusal
    folders = message.find(f"{{{MESSAGES}}}Folders")
    if folders is None or len(folders) != 1:
        raise Unreadable(Reason.MALFORMED_ANSWER)
    return _folder(folders[0])


def _is_calendar(element: Element) -> bool:
    folder_class = element.findtext(f"{{{TYPES}}}FolderClass")
    if folder_class is None:
        return element.tag == f"{{{TYPES}}}CalendarFolder"
    return folder_class == _CALENDAR_CLASS or folder_class.startswith(_CALENDAR_CLASS + ".")


def _folder(element: Element) -> FoundFolder:
    folder_id = element.find(f"{{{TYPES}}}FolderId")
    parent_id = element.find(f"{{{TYPES}}}ParentFolderId")
    name = element.findtext(f"{{{TYPES}}}DisplayName")
    if folder_id is None or not folder_id.get("Id") or name is None:
        raise Unreadable(Reason.MALFORMED_ANSWER)
    # The parent of a shared calendar may be hidden from the connection.
    parent = "" if parent_id is None else parent_id.get("Id", "")
    return FoundFolder(folder_id.get("Id", ""), parent, name)
