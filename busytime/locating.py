"""Locating a calendar's folder: by the server's id where it is known, else by its path."""

from busytime.errors import FolderNotFoundError
from busytime.folder_path import parse_folder_path, resolve
from busytime.model import Calendar, CalendarKind
from busytime.ports import CalendarGateway


def look_up(gateway: CalendarGateway, calendar: Calendar) -> str:
    """Return the server's id of a sub-calendar, found by its path.

    Raises:
        FolderNotFoundError: There is none, or the connection may not see it.
        SkippableError: The owner's folders cannot be listed.
    """
    if calendar.kind is CalendarKind.EXTERNAL:
        raise FolderNotFoundError(f"{calendar.label}: the calendar of another organisation is gone; run `busytime discover`.")
    found = resolve(parse_folder_path(calendar.folder), gateway.list_folders(calendar.owner).folders)
    if found is None:
        raise FolderNotFoundError(f"{calendar.label}: no such folder, or the connection may not see it.")
    return found.folder_id
