"""Listing an owner's calendar folders (``GetFolder``, ``FindFolder``)."""

from collections.abc import Callable, Iterable, Iterator

from busytime.errors import FolderNotFoundError, PermissionMissingError, Reason, SkippableError
from busytime.ews import envelopes
from busytime.ews.body import Element, Unreadable
from busytime.ews.soap import TYPES, Refusal, found_in, single_folder
from busytime.ews.transport import Transport
from busytime.model import FolderList, FoundFolder

#: A mailbox with more folders than this many pages hold is not listed further.
_MOST_PAGES = 40

#: What a folder that is not there, or may not be seen, is answered with.
_CLOSED = (FolderNotFoundError, PermissionMissingError)

_CALENDAR_CLASS = "IPF.Appointment"
_FOLDERS = f"{{{TYPES}}}Folders"


def list_folders(transport: Transport, owner: str) -> FolderList:
    """List the owner's default calendar, then the calendar folders below and beside it.

    Beside means below the same parent, at any depth. Where the mailbox's root is closed to the connection,
    only folders below the calendar come back; where the calendar is, what the root shows.
    """
    try:
        calendar = _get(transport, "calendar", owner, f"Looking for the calendar of {owner}")
    except _CLOSED as refusal:
        return _list_without_calendar(transport, owner, refusal)
    below = _calendars(_find(transport, "calendar", owner))
    try:
        beside, beside_seen = _calendars(_find(transport, "msgfolderroot", owner)), True
    except _CLOSED:
        beside, beside_seen = [], False
    return FolderList((calendar, *_connected(calendar, [*below, *beside])), beside_seen=beside_seen)


def _list_without_calendar(transport: Transport, owner: str, refusal: SkippableError) -> FolderList:
    """List from the mailbox's root alone, where the calendar does not show itself and folders below or beside it do.

    A folder names its parent even where the parent is hidden (``ParentFolderId``). A parent that is neither the root
    nor a folder that is shown is the calendar, if there is only one such; of several nothing tells which one it is, so
    what hangs on them is left out. That Exchange lists, deep below the root, what has a hidden parent was not tried on
    one; where a server does not, the folder stays unfound.

    Raises:
        SkippableError: The calendar's refusal, where nothing can be placed.
    """
    try:
        root = _get(transport, "msgfolderroot", owner, f"Looking for the mailbox's root of {owner}")
        shown = list(_find(transport, "msgfolderroot", owner))
    except _CLOSED:
        raise refusal from None
    found = [folder for folder in _calendars(shown) if folder.parent_id]
    hidden = {folder.parent_id for folder in found} - {root.folder_id} - set(map(_id_of, shown))
    place = FoundFolder(hidden.pop() if len(hidden) == 1 else "", root.folder_id, "")
    connected = _connected(place, found)
    if not connected:
        raise refusal
    return FolderList((place, *connected), beside_seen=True, calendar_seen=False)


def _get(transport: Transport, distinguished: str, owner: str, what: str) -> FoundFolder:
    return transport.send(envelopes.get_distinguished(distinguished, owner), what, _one_folder)


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


def _calendars(elements: Iterable[Element]) -> list[FoundFolder]:
    return [read_folder(element) for element in elements if _is_calendar(element)]


def _find(transport: Transport, distinguished: str, owner: str) -> Iterator[Element]:
    what = f"Listing the calendar folders of {owner}"
    return _find_all(transport, what, lambda offset: envelopes.find_folders(distinguished, owner, offset))


def find_folders(transport: Transport, what: str, page: Callable[[int], bytes]) -> Iterator[Element]:
    """Find calendar folders, page by page.

    Args:
        transport: Sends.
        what: What is done, for messages.
        page: Makes the request for the page that starts at an offset.
    """
    return filter(_is_calendar, _find_all(transport, what, page))


def _find_all(transport: Transport, what: str, page: Callable[[int], bytes]) -> Iterator[Element]:
    """Find folders of every kind."""
    offset = 0
    for _page in range(_MOST_PAGES):
        root = transport.send(page(offset), what, _root_folder)
        elements = _elements(root)
        yield from elements
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


def _id_of(element: Element) -> str:
    """Return a folder's id; of what is no calendar, nothing else is read."""
    folder_id = element.find(f"{{{TYPES}}}FolderId")
    return "" if folder_id is None else folder_id.get("Id", "")


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
