"""Read a roster from a YAML or CSV file, or refuse the file whole with every fault and its line.

The rules are in ``roster`` and ``roster_checks``, the structure in ``roster_models``; here is what turns text into
values that know their line. Nothing but the file is read, and nothing in it is ever executed: no tags, no aliases,
bounds on size, depth and number of values.
"""

import csv
import functools
import io
import re
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

import yaml

from busytime import roster_checks
from busytime.counting import several
from busytime.errors import ConfigurationError
from busytime.model import Role
from busytime.roster import CalendarRef, Roster, RosterCalendar
from busytime.roster_checks import CalendarLine, Fault, PageLine, RoleLine
from busytime.roster_models import CalendarModel, Draft, FileModel, PageModel, Place, RowModel, Untyped, validate

MAX_BYTES = 50 * 1024 * 1024
MAX_VALUES = 1_000_000
MAX_DEPTH = 10
MAX_FAULTS_SHOWN = 50

_COLUMNS = ("page", "role", "owner", "folder")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# The C loader is some ten times as fast; the other one is there where PyYAML was built without libyaml.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_KINDS = {"int": "a number", "float": "a number", "bool": "a yes or no", "timestamp": "a date"}


class RosterFileError(ConfigurationError):
    """The file is refused whole; nothing was changed.

    Args:
        message: One line, and one for each fault that is shown.
        faults: Every fault, in the order of lines; empty where the file could not be read at all.
    """

    def __init__(self, message: str = "", *, faults: tuple[Fault, ...] = ()) -> None:
        """Keep the faults beside the message."""
        super().__init__(message)
        self.faults = faults

    @classmethod
    def of(cls, path: Path, faults: Sequence[Fault]) -> "RosterFileError":
        """Word the refusal of a file."""
        ordered = tuple(sorted(faults))
        count = several(len(ordered), "fault")
        lines = [f"The roster file {path} has {count}; nothing was changed. Correct the file and import it again."]
        lines += [f"{path}:{fault.line}: {fault.message}" for fault in ordered[:MAX_FAULTS_SHOWN]]
        if len(ordered) > MAX_FAULTS_SHOWN:
            lines.append(f"and {len(ordered) - MAX_FAULTS_SHOWN} more")
        return cls("\n".join(lines), faults=ordered)


def read_roster(path: Path, groups: AbstractSet[str] = frozenset()) -> Roster:
    """Read a roster file: YAML (``.yaml``, ``.yml``) or CSV (``.csv``).

    In CSV, and in YAML where a page names none, the time zone is UTC and the hours are the whole day.

    Args:
        path: The file, UTF-8, at most 50 MiB.
        groups: Addresses that are known to be distribution lists: each is a fault.

    Returns:
        The whole roster, with the calendars that only pages name.

    Raises:
        RosterFileError: The file cannot be read, or has faults.
    """
    readers = {".yaml": _read_yaml, ".yml": _read_yaml, ".csv": _read_csv}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise RosterFileError(f"The roster file {path} is neither YAML nor CSV; name a file that ends in .yaml, .yml or .csv.")
    draft = Draft()
    text = _decode(_load(path), draft)
    if not draft.faults:
        reader(text, draft)
    draft.faults += roster_checks.check_roster(draft.calendars, draft.pages, draft.doubtful)
    draft.faults += roster_checks.group_faults(draft.calendars, draft.pages, groups)
    if not (draft.faults or draft.calendars or draft.pages):
        draft.fault(1, "the file names no calendar; add calendars, or booking pages that name some")
    if draft.faults:
        raise RosterFileError.of(path, draft.faults)
    return roster_checks.build_roster(draft.calendars, draft.pages)


def _load(path: Path) -> bytes:
    """Read the file's bytes, no more than are allowed."""
    try:
        # A pipe or a device would keep the program waiting, or never end.
        if path.exists() and not path.is_file():
            raise RosterFileError(f"{path} is a directory or another thing that is not a file; name the roster file itself.")
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise RosterFileError(f"The roster file {path} cannot be read ({error.strerror}); check name and rights.") from error
    if len(raw) > MAX_BYTES:
        raise RosterFileError(f"The roster file {path} is larger than {MAX_BYTES // 1024**2} MiB; is it the right file?")
    return raw


def _decode(raw: bytes, draft: Draft) -> str:
    """Turn bytes into text; what spreadsheets put before it is dropped."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        draft.fault(raw.count(b"\n", 0, error.start) + 1, "this is not UTF-8; save the file as UTF-8")
        return ""
    if match := _UNPRINTABLE.search(text):
        draft.fault(text.count("\n", 0, match.start()) + 1, f"a control character ({match[0]!r}) stands here; remove it")
    return text


def _read_yaml(text: str, draft: Draft) -> None:
    """Read a YAML document, as far as it can be understood."""
    try:
        draft.faults.extend(_structure_faults(text))
        root = None if draft.faults else yaml.compose(text, Loader=_LOADER)
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        draft.faults.append(_yaml_fault(error, text))
        return
    if root is None:
        return
    shell = _plain(root, draft)
    validate(FileModel, shell, functools.partial(_line, root, ()), draft)
    for key, read in (("calendars", _read_calendar), ("booking_pages", _read_page)):
        # A fault elsewhere in the shell does not hide the faults of its items.
        items = shell.get(key) if isinstance(shell, dict) else None
        for index, item in enumerate(items if isinstance(items, list) else ()):
            read(item, functools.partial(_line, root, (key, index)), draft)


def _structure_faults(text: str) -> Iterator[Fault]:
    """Yield what a roster must not contain, from the parser's events: they need no tree, so size and depth do no harm."""
    depth = values = documents = 0
    event: Any
    for event in yaml.parse(text, Loader=_LOADER):
        line = event.start_mark.line + 1
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        values += isinstance(event, yaml.NodeEvent)
        documents += isinstance(event, yaml.DocumentStartEvent)
        if isinstance(event, yaml.AliasEvent):
            yield Fault(line, f"*{event.anchor} is an alias; write the value out here")
        elif getattr(event, "tag", None):
            yield Fault(line, "a tag (a word after !) stands here; remove it")
        if depth > MAX_DEPTH or values > MAX_VALUES or documents > 1:
            yield Fault(line, "too deep, too many values or a second document from here on; write one plain roster a file")
            return


def _yaml_fault(error: Exception, text: str) -> Fault:
    """Say in plain words where a text stops being YAML."""
    lines = text.splitlines() or [""]
    mark: Any = getattr(error, "problem_mark", None)
    line = min(mark.line + 1, len(lines)) if mark else 1
    if re.match(r"\s*\t", lines[line - 1]):
        return Fault(line, "a tab stands before the text; indent with blanks")
    problem = getattr(error, "problem", None) or "it has characters that YAML does not allow"
    return Fault(line, f"this is not YAML: {problem}; check quotes, colons and indentation here and just above")


def _plain(node: yaml.Node, draft: Draft) -> Any:
    """Turn a node into text, lists and dictionaries, and note repeated keys."""
    if isinstance(node, yaml.ScalarNode):
        kind = node.tag.removeprefix(_TAG)
        if kind == "null":
            return None
        return node.value if kind == "str" else Untyped(node.value, _KINDS.get(kind, "a sign"))
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, draft) for item in node.value]
    return _plain_mapping(node, draft)


def _plain_mapping(node: yaml.Node, draft: Draft) -> dict[str, Any]:
    """Turn a mapping into a dictionary; of a repeated key the first stays."""
    values: dict[str, Any] = {}
    lines: dict[str, int] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            draft.fault(line, "a key must be one word; write key: value")
        elif key.value in values:
            draft.fault(line, f"{key.value[:80]!r} stands here again, first on line {lines[key.value]}; keep one of the two")
        else:
            values[key.value], lines[key.value] = _plain(value, draft), line
    return values


def _line(node: yaml.Node, item: Place, place: Place) -> int:
    """Return the line of a place in an item: that of its key or its dash, or of what it is missing from."""
    line: int = node.start_mark.line + 1
    for step in item + place:
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            node = node.value[step]
            line = node.start_mark.line + 1
            continue
        pairs = node.value if isinstance(node, yaml.MappingNode) else ()
        found = next(((key, value) for key, value in pairs if key.value == step), None)
        if found is None:
            return line
        line, node = found[0].start_mark.line + 1, found[1]
    return line


def _read_calendar(item: object, line_of: Callable[[Place], int], draft: Draft) -> None:
    """Read one item of ``calendars``."""
    found = validate(CalendarModel, item, line_of, draft)
    if found:
        # No limit and a limit to no page are two things.
        pages = tuple(found.pages) if "pages" in found.model_fields_set else None
        calendar = RosterCalendar(found.owner, found.folder, found.connection, pages)
        page_lines = tuple(line_of(("pages", index)) for index in range(len(pages or ())))
        draft.calendars.append(CalendarLine(line_of(()), calendar, page_lines))


def _read_page(item: object, line_of: Callable[[Place], int], draft: Draft) -> None:
    """Read one item of ``booking_pages``."""
    found = validate(PageModel, item, line_of, draft)
    if found is None:
        draft.doubtful |= {str(item.get("name")).strip()} if isinstance(item, dict) else set()
        return
    roles = [RoleLine(line_of(("main",)), Role.MAIN, found.main)]
    for role, refs in ((Role.ADDITIONAL, found.additional), (Role.BUSY, found.busy)):
        roles += [RoleLine(line_of((role.value, index)), role, ref) for index, ref in enumerate(refs)]
    draft.pages.append(
        PageLine(
            line_of(()),
            found.name,
            tuple(roles),
            found.time_zone,
            found.hours,
            found.require_proof,
            found.allow_conflicts,
            found.owner_changes,
            found.recreate,
        )
    )


def _read_csv(text: str, draft: Draft) -> None:
    """Read CSV: a header, then a row for each calendar."""
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    pages: dict[str, list[RoleLine]] = {}
    line = 1
    try:
        header = [cell.strip().lower() for cell in next(rows, [])]
        if sorted(header) != sorted(_COLUMNS):
            draft.fault(1, f"the first line must be {','.join(_COLUMNS)}, with commas between; save the file so")
            return
        line = rows.line_num + 1
        for cells in rows:
            # Spreadsheets write rows without any content below the table.
            if any(cell.strip() for cell in cells):
                _read_row(header, cells, line, pages, draft)
            line = rows.line_num + 1
    except csv.Error as error:
        draft.fault(line, f"this is not CSV: {error}; check the quotes from here on")
    draft.pages += [PageLine(roles[0].line, name, tuple(roles)) for name, roles in pages.items()]


def _read_row(header: list[str], cells: list[str], line: int, pages: dict[str, list[RoleLine]], draft: Draft) -> None:
    """Read one row: a calendar's role on a page, or a calendar alone."""
    if len(cells) != len(header):
        draft.fault(line, f"{len(cells)} cells instead of {len(header)}; quote a cell that holds a comma")
        draft.doubtful |= {cell.strip() for cell in cells}
        return
    row = dict(zip(header, cells, strict=True))
    found = validate(RowModel, row, lambda _: line, draft)
    if found is None:
        draft.doubtful.add(row["page"].strip())
    elif bool(found.page) != bool(found.role):
        draft.doubtful.add(found.page)
        draft.fault(line, "page and role belong together; write both, or neither to name just a calendar")
    elif found.role:
        pages.setdefault(found.page, []).append(RoleLine(line, found.role, CalendarRef(found.owner, found.folder)))
    else:
        draft.calendars.append(CalendarLine(line, RosterCalendar(found.owner, found.folder)))
