"""Listing an owner's calendar folders (``GetFolder``, ``FindFolder``)."""

from collections.abc import Callable, Iterator

from busytime.errors import FolderNotFoundError, PermissionMissingError, Reason
from busytime.ews import envelopes
from busytime.ews.body import Element, Unreadable
from busytime.ews.soap import TYPES, Refusal, found_in, single_folder
from busytime.ews.transport import Transport
from busytime.model import FolderList, FoundFolder

#: A mailbox with more folders than this many pages hold is not listed further.
_MOST_PAGES = 40

_CALENDAR_CLASS = "IPF.Appointment"
_FOLDERS = f"{{{TYPES}}}Folders"


def list_folders(transport: Transport, owner: str) -> FolderList:
    """List the owner's default calendar, then the calendar folders below and beside it.

    Beside means below the same parent, at any depth. Where the mailbox's root is closed to the connection,
    only folders below the calendar come back.
    """
    calendar = transport.send(envelopes.get_calendar(owner), f"Looking for the calendar of {owner}", _one_folder)
    below = list(_find(transport, "calendar", owner))
    try:
        beside, beside_seen = list(_find(transport, "msgfolderroot", owner)), True
    except (PermissionMissingError, FolderNotFoundError):
        beside, beside_seen = [], False
    return FolderList((calendar, *_connected(calendar, [*below, *beside])), beside_seen=beside_seen)


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
    what = f"Listing the calendar folders of {owner}"
    found = find_folders(transport, what, lambda offset: envelopes.find_folders(distinguished, owner, offset))
    return map(read_folder, found)


def find_folders(transport: Transport, what: str, page: Callable[[int], bytes]) -> Iterator[Element]:
    """Find calendar folders, page by page.

    Args:
        transport: Sends.
        what: What is done, for messages.
        page: Makes the request for the page that starts at an offset.
    """
    offset = 0
    for _page in range(_MOST_PAGES):
        root = transport.send(page(offset), what, _root_folder)
        elements = _elements(root)
        yield from (element for element in elements if _is_calendar(element))
        offset += len(elements)
        if not elements or root.get("IncludesLastItemInRange", "true").lower() in ("true", "1"):
            return


def _root_folder(payload: Element) -> Element | Refusal:
    root = found_in(payload, "FindFolder")
    if not isinstance(root, Refusal):
        for element in filter(_is_calendar, _elements(root)):
            read_folder(element)  # here, where what cannot be read still becomes one of our errors
    return root


def _elements(root: Element) -> list[Element]:
    folders = root.find(_FOLDERS)
    return [] if folders is None else list(folders)


def _one_folder(payload: Element) -> FoundFolder | Refusal:
    folder = single_folder(payload)
    return folder if isinstance(folder, Refusal) else read_folder(folder)


def _is_calendar(element: Element) -> bool:
    folder_class = element.findtext(f"{{{TYPES}}}FolderClass")
    if folder_class is None:
        return element.tag == f"{{{TYPES}}}CalendarFolder"
    return folder_class == _CALENDAR_CLASS or folder_class.startswith(_CALENDAR_CLASS + ".")


def read_folder(element: Element) -> FoundFolder:
    """Read the id, the parent's id and the name of a folder in an answer.

    Raises:
        Unreadable: It has no id or no name.
    """
    folder_id = element.find(f"{{{TYPES}}}FolderId")
    parent_id = element.find(f"{{{TYPES}}}ParentFolderId")
    name = element.findtext(f"{{{TYPES}}}DisplayName")
    if folder_id is None or not folder_id.get("Id") or name is None:
        raise Unreadable(Reason.MALFORMED_ANSWER)
    # The parent of a shared calendar may be hidden from the connection.
    parent = "" if parent_id is None else parent_id.get("Id", "")
    return FoundFolder(folder_id.get("Id", ""), parent, name)
