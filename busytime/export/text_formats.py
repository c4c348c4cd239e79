"""Rows as CSV and as JSON lines.

CSV is RFC 4180 in UTF-8. Text stands in quotes, and nothing between two commas is NULL, so that `""` is an empty text.
A cell that a spreadsheet could run as a formula begins with an apostrophe, and so does one that begins with one by
itself: whoever reads it back takes one leading apostrophe away from every quoted cell that has one.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from io import RawIOBase
from typing import Any

from busytime.store.reading_views import Kind, ViewColumn

#: Beginnings that a spreadsheet takes for a formula, in both widths, and the apostrophe that marks those cells.
_DANGEROUS = tuple("=+-@＝＋－＠\t\r\n'")  # noqa: RUF001 -- full-width signs are formulas in some spreadsheets


def instant_text(value: datetime) -> str:
    """Write an instant as RFC 3339 in UTC, always of one length, so that texts sort as instants do."""
    return value.isoformat(timespec="microseconds")


def json_text(value: Any) -> str:
    """Write a value as JSON, in one line."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def cell(value: str) -> str:
    """Write a text as a quoted cell that no spreadsheet runs."""
    harmless = f"'{value}" if value.startswith(_DANGEROUS) else value
    return '"' + harmless.replace('"', '""') + '"'


def _json_cell(value: Any) -> str:
    return cell(json_text(value))


#: How each kind of value is written into a CSV cell; NULL is nothing.
_CELLS: dict[Kind, Callable[[Any], str]] = {
    Kind.INSTANT: instant_text,
    Kind.INTEGER: str,
    Kind.BOOLEAN: lambda value: "true" if value else "false",
    Kind.TEXT: cell,
    Kind.CHOICE: cell,
    Kind.JSON: _json_cell,
}


class CSVWriter:
    """Writes rows as CSV."""

    def __init__(self, file: RawIOBase, columns: Sequence[ViewColumn]) -> None:
        self._file = file
        self._writes = [_CELLS[column.kind] for column in columns]
        file.write((",".join(column.name for column in columns) + "\r\n").encode())

    def write(self, rows: Iterable[Sequence[Any]]) -> None:
        """Write some rows."""
        writes = self._writes
        lines = (
            ",".join(["" if value is None else write(value) for write, value in zip(writes, row, strict=True)]) for row in rows
        )
        self._file.write("".join(f"{line}\r\n" for line in lines).encode())

    def close(self) -> None:
        """Do nothing: a CSV file has no end of its own."""


class JSONLinesWriter:
    """Writes rows as JSON lines."""

    def __init__(self, file: RawIOBase, columns: Sequence[ViewColumn]) -> None:
        self._file = file
        self._names = [column.name for column in columns]
        self._encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=instant_text).encode

    def write(self, rows: Iterable[Sequence[Any]]) -> None:
        """Write some rows."""
        encode, names = self._encode, self._names
        self._file.write("".join(f"{encode(dict(zip(names, row, strict=True)))}\n" for row in rows).encode())

    def close(self) -> None:
        """Do nothing: a file of lines has no end of its own."""
