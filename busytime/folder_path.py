r"""The language in which a roster names a calendar folder, and how a name finds its folder.

A path starts at the owner's default calendar; the empty path is that calendar itself.

========== ==================================================================================
``A/B``    the folder ``B`` below the folder ``A`` below the calendar
``../A``   the folder ``A`` beside the calendar; ``..`` stands only once, at the beginning
``A?2``    the second of the folders named ``A`` in one place, in the order of their ids
``\/``     a slash in a name
``\?``     a question mark, needed only where digits alone follow it: the name ``A?2`` is ``A\?2``
``\\``     a backslash
``\.``     a dot, needed only in a folder that is itself named ``..``
``\`` + blank  a blank that begins or ends a name; other blanks around a name mean nothing
========== ==================================================================================

Names compare as Exchange compares them, without regard to case; a plain ``A`` prefers the folder spelled exactly so.
Pure: the standard library only.
"""

import re
import unicodedata
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from busytime.errors import ConfigurationError
from busytime.model import FoundFolder

#: A folder's name, and which one of that name it is, counted from 1.
Step = tuple[str, int]

#: What two spellings of one path have in common.
PathKey = tuple[bool, tuple[Step, ...]]

_UP = [".", "."]
_MAX_ORDINAL = 9999
_PIECE = re.compile(r"\\.|[^\\]", re.DOTALL)
_WELL_ESCAPED = re.compile(r"(?:[^\\]|\\[/?\\. ])*")
_LOOKS_LIKE_ORDINAL = re.compile(r"\?([0-9]+)\Z")
# No database column and no XML document holds these.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class FolderPath:
    """Where a calendar folder is, seen from the owner's default calendar.

    Args:
        beside: Whether it begins beside the default calendar instead of below it.
        steps: Names with their ordinals, outermost first; empty for the default calendar.
    """

    beside: bool = False
    steps: tuple[Step, ...] = ()

    def __str__(self) -> str:
        """Write the path in its one canonical spelling, which ``parse_folder_path`` reads back."""
        steps = [_format_step(name, ordinal) for name, ordinal in self.steps]
        return "/".join(["..", *steps] if self.beside else steps)

    @property
    def key(self) -> PathKey:
        """What is equal for two paths that differ only in case: they name one calendar."""
        return self.beside, tuple((_fold(name), ordinal) for name, ordinal in self.steps)


def parse_folder_path(text: str) -> FolderPath:
    r"""Read a path.

    Args:
        text: A path as a person wrote it; blanks alone count as empty.

    Returns:
        The path; ``Name?1`` is the same as ``Name``.

    Raises:
        ConfigurationError: An empty name, a stray ``..`` or ``\``, or an ordinal out of range.
    """
    _check_characters(text)
    parts = _split(text)
    if parts == [[]]:
        return FolderPath()
    beside = parts[0] == _UP
    names = parts[1:] if beside else parts
    if not names:
        raise ConfigurationError(f"The folder path {text[:80]!r} names no folder; write ../Name.")
    return FolderPath(beside, tuple(_parse_step(pieces, text) for pieces in names))


def resolve(path: FolderPath, folders: Sequence[FoundFolder]) -> FoundFolder | None:
    """Find the folder that a path names.

    Args:
        path: What to look for.
        folders: As ``CalendarGateway.list_folders`` returns them: the default calendar, or its place, first.

    Returns:
        The folder, or ``None`` where the connection sees none of that name.
    """
    if not folders or not path.steps:
        return folders[0] if folders else None
    default, siblings = folders[0], _by_place(folders)
    found, place = None, default.parent_id if path.beside else default.folder_id
    for name, ordinal in path.steps:
        found = _pick(siblings.get(place, {}).get(_fold(name), []), name, ordinal)
        if found is None:
            return None
        place = found.folder_id
    return found


def paths_of(folders: Sequence[FoundFolder]) -> dict[str, str]:
    """Name every folder by its path; ``resolve`` finds each one again by it.

    No two paths differ only in case. The second of one name is told by the order of folder ids, because the order in
    which a server lists folders may change from one answer to the next.

    Args:
        folders: As ``CalendarGateway.list_folders`` returns them: the default calendar, or its place, first.

    Returns:
        The canonical path by folder id. Folders that no path reaches are left out: those whose parent is neither
        listed nor the default calendar's own parent, and those without a name.
    """
    if not folders:
        return {}
    default, siblings = folders[0], _by_place(folders)
    paths = {default.folder_id: FolderPath()}
    waiting = deque([(default.folder_id, FolderPath()), (default.parent_id, FolderPath(beside=True))])
    while waiting:
        place, parent = waiting.popleft()
        for folder, step in _steps_in(siblings.get(place, {})):
            # A folder is reached twice only if the server's parent ids run in a circle.
            if folder.folder_id not in paths:
                paths[folder.folder_id] = FolderPath(parent.beside, (*parent.steps, step))
                waiting.append((folder.folder_id, paths[folder.folder_id]))
    return {folder_id: str(path) for folder_id, path in paths.items()}


def _check_characters(text: str) -> None:
    """Refuse what cannot be stored, and a backslash that escapes nothing."""
    if _UNSTORABLE.search(text):
        raise ConfigurationError(f"The folder path {text[:80]!r} holds a character that no folder's name can have; remove it.")
    if not _WELL_ESCAPED.fullmatch(text):
        raise ConfigurationError(
            rf"The folder path {text[:80]!r} has a \ before nothing it can escape; write \\ for a backslash in a name."
        )


def _split(text: str) -> list[list[str]]:
    """Cut a path at its slashes into names, each a list of characters with their escapes."""
    parts: list[list[str]] = [[]]
    for piece in _PIECE.findall(text):
        if piece == "/":
            parts.append([])
        else:
            parts[-1].append(piece)
    return [_trim(part) for part in parts]


def _trim(pieces: list[str]) -> list[str]:
    """Drop the blanks around a name; an escaped blank stays."""
    start, end = 0, len(pieces)
    while start < end and pieces[start] == " ":
        start += 1
    while end > start and pieces[end - 1] == " ":
        end -= 1
    return pieces[start:end]


def _parse_step(pieces: list[str], text: str) -> Step:
    """Read one name with its ordinal; ``text`` is the whole path, for the message."""
    if pieces == _UP:
        raise ConfigurationError(
            f"The folder path {text[:80]!r} has .. in a wrong place; it stands once, at the beginning: ../Name."
        )
    pieces, ordinal = _take_ordinal(pieces)
    if not pieces:
        raise ConfigurationError(
            f"The folder path {text[:80]!r} has an empty name; put a name between, before and after slashes."
        )
    if not 1 <= ordinal <= _MAX_ORDINAL:
        raise ConfigurationError(
            rf"The folder path {text[:80]!r} counts outside 1 to {_MAX_ORDINAL}; write \? for a question mark in a name."
        )
    # The last character of an escape is what it stands for.
    return "".join(piece[-1] for piece in pieces), ordinal


def _take_ordinal(pieces: list[str]) -> tuple[list[str], int]:
    """Part ``?2`` from the end of a name; without one, the ordinal is 1."""
    at = len(pieces)
    while at and pieces[at - 1] in set("0123456789"):
        at -= 1
    digits = "".join(pieces[at:])
    if not digits or not at or pieces[at - 1] != "?":
        return pieces, 1
    # Python refuses to convert thousands of digits; what is out of range is out of range.
    return _trim(pieces[: at - 1]), int(digits) if len(digits) <= len(str(_MAX_ORDINAL)) else 0


def _format_step(name: str, ordinal: int) -> str:
    """Write a name so that it is read back as it is, with no more escapes than that takes."""
    text = re.sub(r"[\\/]", r"\\\g<0>", name)
    text = _LOOKS_LIKE_ORDINAL.sub(r"\\?\1", text)
    if text.startswith(" ") or text == "..":
        text = "\\" + text
    if name.endswith(" ") and len(name) > 1:
        text = text[:-1] + "\\ "
    return f"{text}?{ordinal}" if ordinal > 1 else text


def _fold(name: str) -> str:
    """Bring a name to what its spellings have in common; composed and decomposed accents look alike to people."""
    return unicodedata.normalize("NFC", name).casefold()


def _by_place(folders: Sequence[FoundFolder]) -> Mapping[str, Mapping[str, list[FoundFolder]]]:
    """Group folders by parent id and folded name, each group in the order of ids, the default calendar left out."""
    places: dict[str, dict[str, list[FoundFolder]]] = defaultdict(lambda: defaultdict(list))
    unique = {folder.folder_id: folder for folder in folders if folder.folder_id != folders[0].folder_id}
    for _, folder in sorted(unique.items()):
        if folder.name and not _UNSTORABLE.search(folder.name):
            places[folder.parent_id][_fold(folder.name)].append(folder)
    return places


def _pick(group: Sequence[FoundFolder], name: str, ordinal: int) -> FoundFolder | None:
    """Choose from the folders of one name: a plain name prefers its own spelling."""
    exact = next((folder for folder in group if folder.name == name), None)
    if ordinal == 1 and exact:
        return exact
    return group[ordinal - 1] if ordinal <= len(group) else None


def _steps_in(place: Mapping[str, list[FoundFolder]]) -> Iterator[tuple[FoundFolder, Step]]:
    """Yield each folder of one place with the step that leads to it."""
    for group in place.values():
        for ordinal, folder in enumerate(group, start=1):
            yield folder, (folder.name, ordinal)
