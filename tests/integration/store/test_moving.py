"""Moving from SQLite to PostgreSQL: every row, all or nothing, and nothing is pushed from the old one any more."""

import json
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert

from busytime.errors import ConfigurationError, RunsAtWorkError
from busytime.store.database import open_engine
from busytime.store.locks import Process
from busytime.store.moving import NotMovedError, move
from busytime.store.tables import owners
from tests.integration.store.old_versions import assert_sound, content, fill

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "old.db"


@pytest.fixture
def old(file, sqlite_template):
    """A database with rows in all tables."""
    shutil.copy(sqlite_template, file)
    engine = open_engine(f"sqlite:///{file}")
    fill(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def new(postgresql, request):
    """An empty database: of the tables or, for the first test, of everything."""
    first = request.node.name == "test_every_row_goes_over_as_it_is"
    name = postgresql.create(*([] if first else [request.getfixturevalue("postgresql_template")]))
    engine = open_engine(postgresql.url(name))
    yield engine
    engine.dispose()
    postgresql.drop(name)


def write(file, statement):
    with closing(sqlite3.connect(file)) as database, database:
        assert database.execute(statement).rowcount


def told(tables):
    """Return what both kinds of database say alike."""
    alike = {name: [{key: _alike(value) for key, value in row.items()} for row in rows] for name, rows in tables.items()}
    for row in alike["installation"]:
        row.update(lives_at=None, restored_at=None)
    return alike


def _alike(value):
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, memoryview):
        return bytes(value)
    if isinstance(value, dict | list):
        return json.dumps(value)
    return int(value) if isinstance(value, bool) else value


def test_every_row_goes_over_as_it_is(old, new):
    before = content(old)
    counts = move(old, new, NOW)
    assert counts == {name: len(rows) for name, rows in before.items() if name != "alembic_version"}
    assert min(counts.values()) >= 1, "a table without rows proves nothing"
    assert told(content(new)) == told(before)
    assert content(new)["installation"][0]["lives_at"] is None
    assert content(old)["installation"][0]["restored_at"] is not None
    assert_sound(new)


def test_new_rows_get_keys_of_their_own_afterwards(old, new):
    move(old, new, NOW)
    with new.begin() as connection:
        given = connection.execute(insert(owners).values(address="new@corp.example").returning(owners.c.id)).scalar_one()
    assert given > max(row["id"] for row in content(old)["owners"])


def test_a_database_that_holds_something_is_left_alone(old, new):
    with new.begin() as connection:
        connection.execute(insert(owners).values(address="there@corp.example"))
    before = content(new), content(old)
    with pytest.raises(ConfigurationError, match="holds rows already"):
        move(old, new, NOW)
    assert (content(new), content(old)) == before


def test_a_row_that_does_not_go_over_takes_everything_back_and_is_not_repeated(old, new, file):
    write(file, "UPDATE bookings SET title = 'Zander' || char(0) || 'fall'")
    before = content(old)
    with pytest.raises(NotMovedError, match=r"row of bookings.*Nothing was moved") as refused:
        move(old, new, NOW)
    assert "Zander" not in str(refused.value)
    assert content(old) == before
    assert not any(rows for name, rows in content(new).items() if name != "alembic_version")
    write(file, "UPDATE bookings SET title = 'Intro'")
    move(old, new, NOW)


def test_it_is_refused_while_a_run_is_at_work(old, new, file):
    this = Process.this()
    holder = f"host = '{this.host}', process_id = {this.process_id}, process_started = '{this.started}'"
    write(file, f"UPDATE locks SET {holder}")  # noqa: S608 -- this process
    with pytest.raises(RunsAtWorkError, match="moved while work goes on"):
        move(old, new, NOW)


def test_only_a_file_goes_to_postgresql(old, new):
    for pair in ((old, old), (new, new), (new, old)):
        with pytest.raises(ConfigurationError, match="from an SQLite file to PostgreSQL"):
            move(*pair, NOW)
