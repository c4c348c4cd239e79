"""Read bookings from JSON lines or CSV, or refuse the file whole with every fault and its line.

What is a booking is the rule of ``intake``; here is what turns text into values that know their line. Nothing but the
file is read. A message names fields and lines, and never shows a title, a text or a guest.
"""

import csv
import io
import json
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from busytime.bookings import Booking
from busytime.bookings_words import FIELDS, worded
from busytime.counting import several
from busytime.errors import ConfigurationError, Reason
from busytime.intake import examine_booking
from busytime.roster_checks import Fault

MAX_BYTES = 64 * 1024**2
#: Longer than a booking with all that it may hold, each character written as an escape.
MAX_LINE_LENGTH = 2 * 1024**2
MAX_FAULTS_SHOWN = 20
#: A file that is something else altogether is not read to its end.
MAX_FAULTS = 1000
STANDARD_INPUT = Path("-")

_KNOWN = ", ".join(FIELDS)


class BookingsFileError(ConfigurationError):
    """The file is refused whole; nothing was changed.

    Args:
        message: One line, and one for each fault that is shown.
        faults: The faults in the order of lines; empty where the file could not be read at all.
    """

    def __init__(
        self, message: str = "", *, reason: Reason | None = None, detail: str | None = None, faults: tuple[Fault, ...] = ()
    ) -> None:
        """Keep the faults beside the message."""
        super().__init__(message, reason=reason, detail=detail)
        self.faults = faults

    @classmethod
    def of(cls, name: str, faults: Sequence[Fault]) -> "BookingsFileError":
        """Word the refusal of a file."""
        ordered = tuple(sorted(faults, key=lambda fault: fault.line))
        count = several(len(ordered), "fault")
        if len(ordered) >= MAX_FAULTS:
            count = f"{len(ordered)} faults and was not read further"
        lines = [f"The bookings file {name} has {count}; nothing was changed. Correct it and import it again."]
        lines += [f"{name}:{fault.line}: {fault.message}" for fault in ordered[:MAX_FAULTS_SHOWN]]
        if len(ordered) > MAX_FAULTS_SHOWN:
            lines.append(f"and {len(ordered) - MAX_FAULTS_SHOWN} more")
        return cls("\n".join(lines), faults=ordered)


class _EnoughFaultsError(Exception):
    """No further fault is worth reading on."""


class _NotOneObjectError(ValueError):
    """A line is JSON, and yet not what a booking can be."""


@dataclass(slots=True)
class _Draft:
    """What was read so far."""

    pages: Collection[str]
    now: datetime
    bookings: list[Booking] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)

    def fault(self, line: int, message: str) -> None:
        """Note a fault."""
        self.faults.append(Fault(line, message))
        if len(self.faults) >= MAX_FAULTS:
            raise _EnoughFaultsError

    def take(self, line: int, fields: Mapping[str, object]) -> None:
        """Read one booking, or note all that is wrong with it."""
        for name in fields:
            if name not in FIELDS:
                self.fault(line, f"unknown field {name[:80]!r}; known are {_KNOWN}")
        values = {column: fields.get(name) for name, column in FIELDS.items()}
        if values["booked_at"] is None:
            values["booked_at"] = self.now
        key = values["booking_key"]
        if isinstance(key, str) and key and self.lines.setdefault(key, line) != line:
            first = self.lines[key]
            self.fault(line, f"the key {key[:80]!r} stands here again, first on line {first}; keep the newest revision alone")
        found = examine_booking(values, self.pages)
        if isinstance(found, Booking):
            self.bookings.append(found)
            return
        for fault in found:
            self.fault(line, worded(fault, values, self.pages))


def read_bookings(path: Path, pages: Collection[str], now: datetime) -> list[Booking]:
    """Read a bookings file: CSV (``.csv``), JSON lines (``.jsonl``, ``.json``), or whichever it looks like.

    Args:
        path: The file, UTF-8, at most 64 MiB; ``-`` is standard input.
        pages: Names of the booking pages in use.
        now: When a booking was made that does not say it.

    Returns:
        The bookings in the order of the file; none of a file without content.

    Raises:
        BookingsFileError: The file cannot be read, or has faults.
    """
    name = "standard input" if path == STANDARD_INPUT else str(path)
    raw = _load(path, name)
    draft = _Draft(pages, now)
    with suppress(_EnoughFaultsError):
        text = _decode(raw, draft)
        if path.suffix.lower() == ".csv" or (path.suffix.lower() not in {".json", ".jsonl"} and text.lstrip()[:1] not in "{["):
            _read_csv(text, draft)
        else:
            _read_json_lines(text, draft)
    if draft.faults:
        raise BookingsFileError.of(name, draft.faults)
    return draft.bookings


def _load(path: Path, name: str) -> bytes:
    """Read the file's bytes, no more than are allowed."""
    try:
        if path == STANDARD_INPUT:
            stream: BinaryIO | None = getattr(sys.stdin, "buffer", None)
            if stream is None:
                raise BookingsFileError("There is no standard input to read bookings from; name a file.")
            raw = stream.read(MAX_BYTES + 1)
        else:
            # A pipe or a device would keep the program waiting, or never end.
            if path.exists() and not path.is_file():
                raise BookingsFileError(f"{name} is not a file; name the bookings file itself, or - for standard input.")
            with path.open("rb") as file:
                raw = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise BookingsFileError(f"The bookings file {name} cannot be read ({why}); check name and rights.") from error
    if len(raw) > MAX_BYTES:
        raise BookingsFileError(f"The bookings file {name} is larger than {MAX_BYTES // 1024**2} MiB; import it in parts.")
    return raw


def _decode(raw: bytes, draft: _Draft) -> str:
    """Turn bytes into text; what spreadsheets put before it is dropped."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        for number, line in enumerate(io.BytesIO(raw), 1):
            try:
                line.decode()
            except UnicodeDecodeError:
                draft.fault(number, "this is not UTF-8; save the file as UTF-8")
    return ""


def _lines(text: str, draft: _Draft, newline: str) -> Iterator[str]:
    """Yield line by line, and stop at one that is no booking by its length alone."""
    for number, line in enumerate(io.StringIO(text, newline=newline), 1):
        if len(line) > MAX_LINE_LENGTH:
            draft.fault(number, f"this line has {len(line)} characters; a booking has at most {MAX_LINE_LENGTH}")
            return
        yield line


def _read_json_lines(text: str, draft: _Draft) -> None:
    """Read JSON lines: an object for each booking."""
    for number, line in enumerate(_lines(text, draft, "\n"), 1):
        if not line.strip():
            continue
        try:
            draft.take(number, _parse_object(line.rstrip(" \t\r\n")))
        except _NotOneObjectError as error:
            draft.fault(number, str(error))


def _parse_object(line: str) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        _NotOneObjectError: It is something else, or none that two programs would read alike.
    """
    try:
        value = json.loads(line, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except _NotOneObjectError:
        raise
    except json.JSONDecodeError as error:
        problem = f"this is not JSON: {error.msg}, column {error.colno}; write each booking on one line, in {{ }}"
        raise _NotOneObjectError(problem) from None
    except RecursionError:
        raise _NotOneObjectError("too many lists or objects are inside one another here; a booking needs none") from None
    except ValueError:
        raise _NotOneObjectError("a number here is too long to be read") from None
    if not isinstance(value, dict):
        raise _NotOneObjectError("no object stands here; write each booking on one line, in { }, without a list around them")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a dictionary of an object whose fields all stand once: of two, programs take one or the other."""
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name in fields:
            raise _NotOneObjectError(f"the field {name[:80]!r} stands twice in this line; keep one of the two")
        fields[name] = value
    return fields


def _refuse_constant(name: str) -> None:
    raise _NotOneObjectError(f"{name} is no JSON; write a number")


def _read_csv(text: str, draft: _Draft) -> None:
    """Read CSV: a header, then a row for each booking; an empty cell says nothing."""
    rows = csv.reader(_lines(text, draft, ""), strict=True)
    header: list[str] = []
    line = 1
    try:
        for cells in rows:
            # Spreadsheets write rows without any content below the table.
            if any(cell.strip() for cell in cells):
                if header:
                    _read_row(header, cells, line, draft)
                elif not (header := _read_header(cells, line, draft)):
                    return
            line = rows.line_num + 1
    except csv.Error as error:
        draft.fault(line, f"this is not CSV: {error}; check quotes and long texts from here on")


def _read_header(cells: list[str], line: int, draft: _Draft) -> list[str]:
    """Read which columns there are; none where the rows below cannot be understood."""
    header = [cell.strip().lower() for cell in cells]
    wrong = [name for name in header if name not in FIELDS]
    if wrong or len(set(header)) < len(header) or not {"key", "page"} <= set(header):
        draft.fault(line, f"the first line must name the columns, each once, with commas between, from {_KNOWN}")
        return []
    return header


def _read_row(header: list[str], cells: list[str], line: int, draft: _Draft) -> None:
    """Read one row."""
    if len(cells) != len(header):
        draft.fault(line, f"{len(cells)} cells instead of {len(header)}; quote a cell that holds a comma")
        return
    draft.take(line, {name: cell or None for name, cell in zip(header, cells, strict=True)})
