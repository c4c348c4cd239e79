"""The data dictionary: Markdown made from the tables and views themselves, so that it cannot drift.

``python -m busytime.store.dictionary FILE`` writes it between two marks of a file; the words before them are the file's own.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Boolean, CheckConstraint, Column, Integer, LargeBinary, Table, UniqueConstraint
from sqlalchemy.types import TypeEngine

from busytime.store.columns import metadata
from busytime.store.types import UtcTime
from busytime.store.value_texts import CLOSED_LISTS, ClosedList
from busytime.store.view_texts import VIEW_TEXTS, ShownColumn, shown_columns

BEGIN, END = "<!-- made by `make docs`, do not edit -->", "<!-- end -->"
_CHECK = re.compile(r"(\w+) IN \((.*)\)")
_HEADER = ("| column | type | NULL | meaning |", "|---|---|---|---|")
_TYPES = ((UtcTime, "instant"), (Boolean, "true or false"), (Integer, "integer"), (JSON, "JSON"), (LargeBinary, "bytes"))
_UNITS = {"_ms": "milliseconds", "_minute": "minutes after local midnight", "_days": "days"}
#: What stands beside a key in a view, for people.
_SHOWN_AS = {
    "actor_id": ("actor",),
    "owner_id": ("account", "owner"),
    "connection_id": ("connection", "account"),
    "calendar_id": ("owner", "folder"),
}
_VIEW_OF = {text.base: view for view, text in VIEW_TEXTS.items()}
_BY_VALUES = {tuple(map(str, found.values)): found for found in CLOSED_LISTS}


def dictionary() -> str:
    """Return the dictionary of all views, tables and closed lists, as Markdown."""
    return "\n".join([*_views(), *_tables(), *_lists()])


def written_into(text: str) -> str:
    """Return a text with the dictionary between its two marks."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{dictionary()}\n{END}{rest.partition(END)[2]}"


def closed_list(column: Column[Any]) -> ClosedList | None:
    """Return the closed list that a column's check lets in; ``None`` where it has none."""
    for constraint in column.table.constraints:
        found = _CHECK.fullmatch(str(constraint.sqltext)) if isinstance(constraint, CheckConstraint) else None
        if found and found[1] == column.name:
            return _BY_VALUES[tuple(re.findall(r"'(\w+)'", found[2]))]
    return None


def _views() -> Iterator[str]:
    yield "## Views"
    for view, text in VIEW_TEXTS.items():
        yield from ("", f"### {view}", text.purpose, "", f"**One row is** {text.row}.", "", *_HEADER)
        columns = tuple(shown_columns(view))
        for shown in columns:
            target = _target_in_view(shown, {column.name for column in columns})
            yield _row(shown.name, shown.type, f"{shown.comment}{target}", shown.base, nullable=shown.nullable)
        question, query = text.example
        yield from ("", f"{question}:", "", "```sql", f"{query};", "```")


def _tables() -> Iterator[str]:
    yield from ("", "## Tables", "For who runs the database; readers need none of them.")
    for table in metadata.sorted_tables:
        yield from ("", f"### {table.name}", str(table.comment), "")
        if table.name in _VIEW_OF:
            yield from (f"Shown by [{_VIEW_OF[table.name]}](#{_VIEW_OF[table.name]}).", "")
        yield from _HEADER
        for column in table.columns:
            meaning = f"{column.comment}{_links(_targets(column))}"
            yield _row(column.name, column.type, meaning, column, nullable=bool(column.nullable))
        yield from _keys(table)


def _keys(table: Table) -> Iterator[str]:
    """Yield what is unique in a table, and what its rows are found by."""
    unique = {tuple(it.columns.keys()) for it in table.constraints if isinstance(it, UniqueConstraint)}
    unique |= {(column.name,) for column in table.columns if column.unique}
    told = [f"unique: {_listed(columns)}" for columns in sorted(unique)]
    for index in sorted(table.indexes, key=lambda it: str(it.name)):
        where = index.dialect_options["sqlite"]["where"]
        kind, only = "unique" if index.unique else "index", "" if where is None else f" where `{where}`"
        told.append(f"{kind}: {_listed(index.columns.keys())}{only}")
    if told:
        yield from ("", f"Keys: {'; '.join(told)}.")


def _lists() -> Iterator[str]:
    yield from ("", "## Closed lists", "A check constraint lets in these values and no other.")
    for found in CLOSED_LISTS:
        yield from ("", f"### {found.name}", "| value | meaning |", "|---|---|")
        yield from (f"| `{value}` | {line} |" for value, line in zip(found.values, found.lines, strict=True))


def _row(name: str, kind: TypeEngine[Any], meaning: str, base: Column[Any] | None, *, nullable: bool) -> str:
    return f"| `{name}` | {_type(name, kind, base)} | {'yes' if nullable else ''} | {meaning} |"


def _type(name: str, kind: TypeEngine[Any], base: Column[Any] | None) -> str:
    found = closed_list(base) if base is not None else None
    if found is not None:
        return f"[{found.name.lower()}](#{found.name.lower().replace(' ', '-')})"
    told = next((told for of, told in _TYPES if isinstance(kind, of)), "text")
    unit = next((unit for end, unit in _UNITS.items() if name.endswith(end)), None)
    return f"{told}, {unit}" if unit else told


def _targets(column: Column[Any]) -> list[str]:
    """Return the tables that a key refers to."""
    return [key.column.table.name for key in column.foreign_keys]


def _links(names: Iterable[str]) -> str:
    return "".join(f" → [`{name}.id`](#{name})" for name in names)


def _target_in_view(shown: ShownColumn, names: set[str]) -> str:
    """Say which columns of the view show what a key refers to, or which view does."""
    if shown.base is None:
        return ""
    beside = [name for name in _SHOWN_AS.get(shown.name, ()) if name in names]
    if beside:
        return f" → {_listed(beside)}"
    return _links(_VIEW_OF[name] for name in _targets(shown.base) if name in _VIEW_OF)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(written_into(file.read_text(encoding="utf-8")), encoding="utf-8")
