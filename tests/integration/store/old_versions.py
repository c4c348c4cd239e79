"""Databases at older versions of the tables, with a row in each and a chain of events; and versions that are made up."""

from datetime import UTC, datetime

from alembic import command
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, select, text

from busytime.chain import chain_hmac, instant_text
from busytime.store import database
from busytime.store.columns import metadata
from tests.integration.store.rotating import broken_links
from tests.integration.store.test_schema import made_up

CHAIN_KEY = b"k" * 32
VERSIONS = [script.revision for script in ScriptDirectory.from_config(database.alembic_config()).walk_revisions()][::-1]
MIGRATION = """\
from alembic import op
revision, down_revision, branch_labels, depends_on = "{revision}", "{head}", None, None
def upgrade():
    {statements}
def downgrade():
    op.execute("DROP TABLE later")
"""


def walk(engine, way, version):
    """Go to a version as alembic's own command line does."""
    with engine.connect().execution_options(writer=True) as connection, connection.begin():
        way(database.alembic_config(connection), version)


def check(engine):
    """Tell nothing if tables and migrations agree, as `alembic check` does; else it raises."""
    walk(engine, lambda config, _: command.check(config), None)


def fill(engine):
    """Put a row into every table that this version has, and a chain of events."""
    with engine.connect().execution_options(writer=True) as connection, connection.begin():
        inspector = inspect(connection)
        for table in metadata.sorted_tables:
            if table.name in inspector.get_table_names() and table.name != "events":
                there = {column["name"] for column in inspector.get_columns(table.name)}
                row = made_up(table) | ({"blanked_at": None} if "blanked_at" in there else {})
                connection.execute(table.insert(), {name: value for name, value in row.items() if name in there})
        previous, events = "", metadata.tables["events"]
        for number in range(1, 4):
            row = {"tag": "person:test:done", "at": datetime(2026, 11, number, tzinfo=UTC), "actor_id": 1, "run_id": 1}
            row |= {"id": number, "details": f'{{"number": {number}}}', "previous_hmac": previous}
            content = (row["tag"], instant_text(row["at"]), row["actor_id"], row["run_id"], row["details"])
            previous = chain_hmac(CHAIN_KEY, previous, content)
            connection.execute(events.insert(), row | {"hmac": previous})


def content(engine):
    """Everything that the database holds, its version included, by table."""
    found = {}
    with engine.connect() as connection:
        for name in inspect(connection).get_table_names():
            rows = select(text("*")).select_from(text(name)).order_by(text("1"))
            found[name] = [dict(row) for row in connection.execute(rows).mappings()]
    return found


def lost(before, after):
    """What one content had and the other has not, in tables and columns that both have."""
    gone = []
    for name in before.keys() & after.keys() - {"alembic_version"}:
        rows = [{column: row[column] for column in before[name][0].keys() & row.keys()} for row in after[name] if before[name]]
        gone += [(name, row) for row in before[name] if not any(row.items() >= kept.items() for kept in rows)]
        gone += [(name, len(after[name]))] if len(after[name]) != len(before[name]) else []
    return gone


def assert_sound(engine):
    """Tables and migrations agree, every reference leads somewhere, and the chain is whole."""
    check(engine)
    with engine.connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() == database.head_version()
        assert broken_links(CHAIN_KEY, connection.execute(metadata.tables["events"].select().order_by("id")).all()) == []
        if engine.dialect.name == "sqlite":
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
