"""dbt's sources are what the views are, and every test in them holds, and fails on a row that is wrong; without dbt."""

from pathlib import Path

import pytest
import yaml
from sqlalchemy import insert

from busytime.store.columns import metadata
from busytime.store.dbt_sources import sources
from busytime.store.dictionary import closed_list
from busytime.store.tables_alarms import alarms
from busytime.store.view_texts import VIEW_TEXTS, shown_columns
from busytime.store.views import VIEWS
from tests.integration.store.export_world import LATE, ROWS
from tests.integration.store.test_schema import made_up

FILE = Path(__file__).parents[3] / "deployments" / "dbt" / "models" / "sources.yml"
#: The rows that fail a test of this kind, as dbt asks for them.
FAILING = {
    "not_null": "SELECT 1 FROM {view} WHERE {rows} AND {column} IS NULL",
    "unique": "SELECT 1 FROM {view} WHERE {rows} AND {column} IS NOT NULL GROUP BY {column} HAVING count(*) > 1",
    "accepted_values": "SELECT 1 FROM {view} WHERE {rows} AND {column} NOT IN ({values})",
    "relationships": 'SELECT 1 FROM {view} WHERE {rows} AND {column} NOT IN (SELECT "{key}" FROM {parent})',
}
#: What makes the rows of a view wrong for it.
BREAKS = {
    "not_null": "UPDATE {view} SET {column} = NULL",
    "unique": "INSERT INTO {view} SELECT * FROM {view}",
    "accepted_values": "UPDATE {view} SET {column} = 'nonsense'",
    "relationships": "UPDATE {view} SET {column} = -1",
}
#: What lets a view be broken: a copy in its stead, which takes anything as a copy in a warehouse does.
COPY = (
    "CREATE TABLE copy_of_{view} AS SELECT * FROM {view}",
    "DROP VIEW {view}",
    "ALTER TABLE copy_of_{view} RENAME TO {view}",
)
NEWEST = "SELECT max({column}) FROM {view} WHERE {rows}"


def tables():
    [source] = yaml.safe_load(FILE.read_text(encoding="utf-8"))["sources"]
    return source["tables"]


def data_tests():
    """Every test of the file: its view, its kind, its column or expression, and what it is told besides."""
    for table in tables():
        for column in ({}, *table["columns"]):
            for test in (column or table).get("data_tests", ()):
                [(kind, told)] = test.items() if isinstance(test, dict) else [(test, {})]
                arguments = dict(told.get("arguments", {}))
                name = f'"{column["name"]}"' if column else arguments.pop("column_name")
                yield table["name"], kind, name, arguments | told.get("config", {})


def failing(view, kind, column, told):
    """The query for the rows that fail a test."""
    words = {"values": ", ".join(f"'{value}'" for value in told.get("values", ()))}
    if kind == "relationships":
        words |= {"parent": told["to"].split("'")[3], "key": told["field"]}
    return FAILING[kind].format(view=view, column=column, rows=told.get("where", "1 = 1"), **words)


#: The alarm among the rows is about a flow.
OF_A_CONNECTION = {"id": 2, "kind": "breaker_opened", "connection_id": 1, "opened_at": LATE, "returns": 0, "concerned": 1}


@pytest.fixture
def populated(shared_engine):
    """A connection to views with rows, which sees to it that nothing of the test remains."""
    with shared_engine.connect().execution_options(writer=True) as connection, connection.begin() as transaction:
        for table, rows in ROWS:
            for row in rows:
                connection.execute(insert(table), row)
        connection.execute(insert(alarms), OF_A_CONNECTION)
        for table in metadata.sorted_tables:
            if connection.execute(table.select()).first() is None:
                connection.execute(table.insert(), made_up(table))
        yield connection
        transaction.rollback()


@pytest.fixture
def copied(populated):
    """The same, with copies in the views' stead."""
    for view in VIEWS:
        for statement in COPY:
            populated.exec_driver_sql(statement.format(view=view))
    return populated


def test_the_sources_are_up_to_date():
    assert FILE.read_text(encoding="utf-8") == sources(), "run `make docs`"


def test_they_have_every_view_and_column_with_words_and_a_type():
    assert [table["name"] for table in tables()] == list(VIEW_TEXTS)
    for table in tables():
        assert [column["name"] for column in table["columns"]] == list(VIEWS[table["name"]].selected_columns.keys())
        assert table["description"].endswith(".")
        assert all(column["description"].endswith(".") for column in table["columns"])


def test_every_closed_list_and_every_key_of_a_view_is_tested():
    tested = {(view, kind, column.strip('"')) for view, kind, column, _ in data_tests()}
    base_of = {text.base for text in VIEW_TEXTS.values()}
    for view in VIEWS:
        assert {(view, "not_null", "id"), (view, "unique", "id")} <= tested
        for shown in shown_columns(view):
            if shown.base is not None and closed_list(shown.base):
                assert (view, "accepted_values", shown.name) in tested
            for key in shown.base.foreign_keys if shown.base is not None else ():
                assert ((view, "relationships", shown.name) in tested) == (key.column.table.name in base_of)


@pytest.mark.parametrize("table", [table for table in tables() if "config" in table], ids=lambda table: table["name"])
def test_freshness_is_told_by_a_time(populated, table):
    column, rows = table["config"]["loaded_at_field"], table["config"]["freshness"].get("filter", "1 = 1")
    assert {found["name"]: found for found in table["columns"]}[column]["data_type"] == "timestamp with time zone"
    assert populated.exec_driver_sql(NEWEST.format(view=table["name"], column=column, rows=rows)).scalar_one()


def test_every_test_holds(populated):
    assert [test for test in data_tests() if populated.exec_driver_sql(failing(*test)).all()] == []


def test_every_test_fails_on_rows_that_are_wrong(copied):
    blind = []
    for view, kind, column, told in data_tests():
        with copied.begin_nested() as savepoint:
            copied.exec_driver_sql(BREAKS[kind].format(view=view, column=column))
            if not copied.exec_driver_sql(failing(view, kind, column, told)).all():
                blind.append((view, kind, column))
            savepoint.rollback()
    assert blind == []
