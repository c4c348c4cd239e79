"""Upgrades with data in the tables: from every version, back and forth, and what is left when one fails."""

import os
import sqlite3
import stat
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import event, inspect

from busytime.errors import ConfigurationError, UpgradeFailedError
from busytime.store.database import Upgrade, current_version, open_engine, upgrade
from busytime.store.views import VIEWS
from tests.integration.store.old_versions import VERSIONS, assert_sound, content, fill, lost, walk

OLD = VERSIONS[-2]


def path_of(engine):
    return Path(engine.url.database)


def copies(engine):
    path = path_of(engine)
    return sorted(found.name.removeprefix(path.name) for found in path.parent.glob(f"{path.name}.*"))


@pytest.mark.parametrize("version", VERSIONS[:-1])
def test_every_version_is_brought_to_the_newest_with_what_it_holds(at_version, version):
    engine = at_version(version)
    before = content(engine)
    done = upgrade(engine)
    assert (done.before, done.after) == (version, VERSIONS[-1])
    assert lost(before, content(engine)) == []
    assert_sound(engine)


def test_down_to_every_version_and_up_again_keeps_what_both_hold(at_version):
    engine = at_version("head")
    for version in VERSIONS[-2::-1]:
        before = content(engine)
        walk(engine, command.downgrade, "-1")
        assert current_version(engine) == version
        assert inspect(engine).get_view_names() == []
        assert lost(content(engine), before) == []
    for _ in VERSIONS[1:]:
        before = content(engine)
        walk(engine, command.upgrade, "+1")
        assert lost(before, content(engine)) == []
    assert set(inspect(engine).get_view_names()) == set(VIEWS)
    assert_sound(engine)


def test_down_to_nothing_and_up_again(at_version):
    engine = at_version("head")
    walk(engine, command.downgrade, "base")
    assert content(engine) == {"alembic_version": []}
    walk(engine, command.upgrade, "head")
    fill(engine)
    assert_sound(engine)


def test_an_upgrade_to_where_the_tables_are_does_nothing(at_version):
    engine = at_version("head")
    before = content(engine)
    assert upgrade(engine) == Upgrade(VERSIONS[-1], VERSIONS[-1])
    assert content(engine) == before
    assert engine.dialect.name != "sqlite" or copies(engine) == []


#: What ends an upgrade halfway: the database's word, or the migration's own, of which only its kind is told.
FAILURES = {
    "statement": ('op.execute("INSERT INTO nowhere VALUES (1)")', "nowhere"),
    "constraint": ("op.execute(\"INSERT INTO owners (id, address) VALUES (1, 'secret')\")", "(unique|UNIQUE)"),
    "code": ('raise RuntimeError("secret")', "RuntimeError"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_an_upgrade_that_fails_halfway_is_taken_back(at_version, later, failure, backend):
    engine = at_version("head")
    before = content(engine)
    statement, word = FAILURES[failure]
    later('op.execute("CREATE TABLE later (id INTEGER)")', "op.execute(\"UPDATE runs SET flow = 'changed'\")", statement)
    with pytest.raises(UpgradeFailedError, match=rf"from version {VERSIONS[-1]} to 7777 failed: .*{word}") as raised:
        upgrade(engine)
    assert f"as it was, at version {VERSIONS[-1]}" in str(raised.value)
    assert "secret" not in str(raised.value)
    assert content(engine) == before
    if backend == "sqlite":
        assert str(path_of(engine)) + ".before-7777" in str(raised.value)
    later('op.execute("CREATE TABLE later (id INTEGER)")')
    assert upgrade(engine).after == current_version(engine) == "7777"


@pytest.fixture
def old(at_version):
    return at_version(OLD)


sqlite_only = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_a_value_that_the_database_repeats_is_not_told(at_version, later):
    engine = at_version("head")
    later("op.execute(\"SELECT CAST('secret' AS INTEGER)\")")
    with pytest.raises(UpgradeFailedError, match="failed: DataError") as raised:
        upgrade(engine)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_who_may_not_change_the_tables_is_told_so(at_version, later):
    engine = at_version("head")
    later('op.execute("CREATE TABLE later (id INTEGER)")')
    with engine.connect() as connection, connection.begin():
        connection.exec_driver_sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO pg_monitor")
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("SET LOCAL ROLE pg_monitor"))
    with pytest.raises(ConfigurationError, match="permission denied"):
        upgrade(engine)
    assert current_version(engine) == VERSIONS[-1]


@sqlite_only
def test_a_migration_that_commits_on_its_way_is_put_back(at_version, later):
    engine = at_version("head")
    before = content(engine)
    later(
        'op.execute("CREATE TABLE later (id INTEGER)")',
        "op.execute(\"UPDATE runs SET flow = 'changed'\")",
        'op.execute("COMMIT")',
        'op.execute("INSERT INTO nowhere VALUES (1)")',
    )
    with pytest.raises(UpgradeFailedError, match="as it was"):
        upgrade(engine)
    assert content(engine) == before
    assert set(inspect(engine).get_view_names()) == set(VIEWS)


@sqlite_only
def test_a_full_disk_takes_the_upgrade_back(at_version, later):
    engine = at_version("head")
    before = content(engine)
    later('op.execute("CREATE TABLE later AS SELECT zeroblob(10000000) AS filled")')
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("PRAGMA max_page_count = 200"))
    with pytest.raises(UpgradeFailedError, match="database or disk is full"):
        upgrade(engine)
    assert content(engine) == before


@sqlite_only
def test_the_copy_is_the_database_before_and_only_its_owner_reads_it(old):
    before = content(old)
    done = upgrade(old)
    assert done.backup == path_of(old).with_name(f"{path_of(old).name}.before-{VERSIONS[-1]}")
    assert stat.S_IMODE(done.backup.stat().st_mode) == 0o600
    assert copies(old) == ["-shm", "-wal", f".before-{VERSIONS[-1]}"] or copies(old) == [f".before-{VERSIONS[-1]}"]
    engine = open_engine(f"sqlite:///{done.backup}")
    assert content(engine) == before
    assert current_version(engine) == OLD
    engine.dispose()


@sqlite_only
def test_a_later_upgrade_removes_the_copies_of_earlier_ones_and_nothing_else(old, later):
    others = [path_of(old).with_name(f"{path_of(old).name}{end}") for end in (".before-the-move", ".backup")]
    for other in others:
        other.touch()
    path_of(old).with_name(f"{path_of(old).name}.before-6666.part").touch()
    first = upgrade(old).backup
    later('op.execute("CREATE TABLE later (id INTEGER)")')
    second = upgrade(old).backup
    assert (first.exists(), second.exists()) == (False, True)
    assert copies(old) == sorted([".before-7777", ".before-the-move", ".backup"])


def test_copies_that_are_old_go(store, engine, backend):
    moment = datetime(2026, 11, 1, tzinfo=UTC)
    for version, age in (("0004", 1), ("0005", -1), ("the-move", 1)) if backend == "sqlite" else ():
        copy = path_of(engine).with_name(f"{path_of(engine).name}.before-{version}")
        copy.touch()
        os.utime(copy, (moment.timestamp() - age,) * 2)
    store.remove_copies(moment)
    if backend == "sqlite":
        assert [name for name in copies(engine) if "before" in name] == [".before-0005", ".before-the-move"]


@sqlite_only
@pytest.mark.parametrize("end", ["", ".part"])
def test_without_a_copy_nothing_is_upgraded(old, end):
    before = content(old)
    place = path_of(old).with_name(f"{path_of(old).name}.before-{VERSIONS[-1]}{end}")
    place.mkdir()
    with pytest.raises(ConfigurationError, match=r"could not be copied to .* Nothing was changed"):
        upgrade(old)
    assert content(old) == before
    place.rmdir()
    assert copies(old) == []


@sqlite_only
def test_the_copy_has_what_is_still_in_the_log(old):
    with closing(sqlite3.connect(path_of(old))) as reader:  # keeps the log from being folded in
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM owners").fetchall()
        with old.connect().execution_options(writer=True) as connection, connection.begin():
            connection.exec_driver_sql("UPDATE owners SET name = 'Ana'")
        backup = upgrade(old).backup
    with closing(sqlite3.connect(backup)) as copy:
        assert copy.execute("SELECT name FROM owners").fetchall() == [("Ana",)]
