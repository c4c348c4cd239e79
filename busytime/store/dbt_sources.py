"""The views as a source of a dbt project, with tests, made from the tables and views themselves.

``python -m busytime.store.dbt_sources FILE`` writes it. What the database keeps by its own constraints is tested
nevertheless: a data team often reads a copy, and a copy has none.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import Index, Table, UniqueConstraint, make_url

from busytime.bookings import BookingState
from busytime.store.columns import metadata
from busytime.store.dictionary import closed_list
from busytime.store.view_texts import VIEW_TEXTS, ShownColumn, shown_columns

SOURCE = "busytime"
_HEADER = """\
# Made by `make docs`, do not edit. Which database and schema it names: vars `busytime_database` and `busytime_schema`.
"""
#: Views whose newest row tells whether busytime is at work, and by which column; the default of `max_age` is 30 minutes.
_FRESHNESS = {"audit_runs": ("started_at", None), "audit_coverage": ("as_of", "valid_to IS NULL")}
_LIMITS = {"warn_after": {"count": 30, "period": "minute"}, "error_after": {"count": 1, "period": "day"}}
#: Columns that hold values of a closed list in a view, though their table takes anything.
_CHECKED_BY_VIEW = {("audit_bookings", "state"): BookingState}
_VIEW_OF = {text.base: view for view, text in VIEW_TEXTS.items()}
_DIALECTS = tuple(make_url(address).get_dialect()() for address in ("postgresql+psycopg://", "sqlite://"))


def sources() -> str:
    """Return the file `sources.yml`: every view, its columns, and what holds for them."""
    source = {
        "name": SOURCE,
        "description": "What busytime knows and did; see docs/audit-tables.md. Times are UTC, spans half-open.",
        "database": '{{ var("busytime_database", target.database) }}',
        "schema": '{{ var("busytime_schema", "public") }}',
        "tables": [_table(view) for view in VIEW_TEXTS],
    }
    content = yaml.dump(
        {"version": 2, "sources": [source]}, Dumper=_Indented, default_flow_style=None, sort_keys=False, width=120
    )
    return f"{_HEADER}{content}"


class _Indented(yaml.SafeDumper):
    """Writes lists below their key further in, as people do."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 -- its base's
        """Never write a list as far out as its key."""
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 -- its base's
        """Write equal values out, each time."""
        return True


def _table(view: str) -> dict[str, Any]:
    told, columns = VIEW_TEXTS[view], list(shown_columns(view))
    table: dict[str, Any] = {"name": view, "description": f"{told.purpose} One row is {told.row}."}
    if view in _FRESHNESS:
        loaded_at, rows = _FRESHNESS[view]
        table["config"] = {"loaded_at_field": loaded_at, "freshness": _LIMITS | ({"filter": rows} if rows else {})}
    if together := list(_unique_together(view, {shown.name for shown in columns})):
        table["data_tests"] = together
    return table | {"columns": [_column(view, shown) for shown in columns]}


def _column(view: str, shown: ShownColumn) -> dict[str, Any]:
    column: dict[str, Any] = {"name": str(shown.name), "description": shown.comment}
    column["data_type"] = shown.type.compile(_DIALECTS[0]).lower()
    if any(shown.name in dialect.preparer(dialect).reserved_words for dialect in _DIALECTS):
        column["quote"] = True
    tests = list(_tests(view, shown))
    return column | ({"data_tests": tests} if tests else {})


def _tests(view: str, shown: ShownColumn) -> Iterator[Any]:
    """Yield what holds for one column: by its constraints, its closed list, and the view that it refers to."""
    if not shown.nullable:
        yield "not_null"
    for columns, rows in _unique(metadata.tables[VIEW_TEXTS[view].base]):
        if columns == (shown.name,):
            yield {"unique": {"config": {"where": rows}}} if rows else "unique"
    if values := _values(view, shown):
        yield {"accepted_values": {"arguments": {"values": values}}}
    for key in shown.base.foreign_keys if shown.base is not None else ():
        if other := _VIEW_OF.get(key.column.table.name):
            yield {"relationships": {"arguments": {"to": f"source('{SOURCE}', '{other}')", "field": str(key.column.name)}}}


def _values(view: str, shown: ShownColumn) -> list[str]:
    by_view = _CHECKED_BY_VIEW.get((view, shown.name))
    found = closed_list(shown.base) if shown.base is not None else None
    return [str(value) for value in by_view or (found.values if found else ())]


def _unique_together(view: str, shown: set[str]) -> Iterator[dict[str, Any]]:
    """Yield what several columns of a view are unique in together, perhaps only in some rows."""
    for columns, rows in _unique(metadata.tables[VIEW_TEXTS[view].base]):
        if len(columns) > 1 and shown.issuperset(columns):
            joined = " || ' ' || ".join(columns)
            test: dict[str, Any] = {"name": f"{view}_unique_{'_'.join(columns)}", "arguments": {"column_name": f"({joined})"}}
            yield {"unique": test | ({"config": {"where": rows}} if rows else {})}


def _unique(table: Table) -> Iterator[tuple[tuple[str, ...], str | None]]:
    """Yield what is unique in a table: columns, and the condition of the rows that it holds for."""
    yield tuple(table.primary_key.columns.keys()), None
    yield from (((column.name,), None) for column in table.columns if column.unique)
    for found in sorted(table.constraints | table.indexes, key=lambda it: str(it.name)):
        if isinstance(found, UniqueConstraint) and len(found.columns) > 1:
            yield tuple(found.columns.keys()), None
        elif isinstance(found, Index) and found.unique:
            rows = found.dialect_options["sqlite"]["where"]
            yield tuple(found.columns.keys()), None if rows is None else str(rows)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(sources(), encoding="utf-8")
