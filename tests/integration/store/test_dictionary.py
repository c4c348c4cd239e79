"""The data dictionary is what the tables and views are, and its examples run."""

from pathlib import Path

import pytest
from sqlalchemy import CheckConstraint, text

from busytime.chain import Fault
from busytime.store.columns import metadata
from busytime.store.dictionary import END, closed_list, dictionary, written_into
from busytime.store.value_texts import CLOSED_LISTS
from busytime.store.view_texts import VIEW_TEXTS, shown_columns
from busytime.store.views import VIEWS

FILE = Path(__file__).parents[3] / "docs" / "audit-tables.md"


def test_the_dictionary_is_up_to_date():
    written = FILE.read_text(encoding="utf-8")
    assert written == written_into(written), "run `make docs`"
    assert written.endswith(f"{END}\n")


def test_it_shows_every_view_table_and_column():
    lines = dictionary().splitlines()
    assert set(VIEW_TEXTS) == set(VIEWS)
    for name in (*VIEWS, *metadata.tables):
        assert lines.count(f"### {name}") == 1
    for view in VIEWS:
        part = lines[lines.index(f"### {view}") :]
        names = [line.split("`")[1] for line in part[: part.index("```sql")] if line.startswith("| `")]
        assert names == VIEWS[view].selected_columns.keys()


def test_every_closed_list_has_a_line_for_each_value():
    used = set()
    for table in metadata.sorted_tables:
        for constraint in table.constraints:
            if isinstance(constraint, CheckConstraint) and " IN (" in str(constraint.sqltext):
                used.add(closed_list(table.c[str(constraint.sqltext).partition(" ")[0]]))
    assert used == set(CLOSED_LISTS)
    for found in CLOSED_LISTS:
        assert len(found.lines) == len(found.values)
        assert all(found.lines)


def test_every_view_says_what_a_row_is_and_every_column_what_it_means():
    for view, told in VIEW_TEXTS.items():
        assert told.purpose.endswith(".")
        assert told.base in metadata.tables
        for shown in shown_columns(view):
            assert shown.comment.endswith("."), f"{view}.{shown.name}"


def test_no_column_leads_to_a_place_that_is_not_there():
    anchors = {f"#{line[4:].lower().replace(' ', '-')}" for line in dictionary().splitlines() if line.startswith("### ")}
    assert {part.partition(")")[0] for part in dictionary().split("](")[1:]} <= anchors


def test_every_fault_of_the_chain_is_in_the_table():
    assert [line.split("`")[1] for line in FILE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")][
        : len(Fault)
    ] == [fault.value for fault in Fault]


@pytest.mark.parametrize("view", VIEW_TEXTS)
def test_the_example_runs(shared_engine, view):
    with shared_engine.connect() as connection:
        connection.execute(text(VIEW_TEXTS[view].example[1])).all()
