"""When tables are not upgraded: while somebody works with them, and when they are newer than the code."""

import sqlite3
import time
from contextlib import closing

import pytest
from sqlalchemy import text

from busytime.errors import ConfigurationError, RunsAtWorkError
from busytime.model import Trigger
from busytime.store import database, upgrading
from busytime.store.database import check_version, current_version, open_engine, upgrade
from busytime.store.reading_views import open_reader
from busytime.store.unit_of_work import Store
from busytime.store.upgrading import protected
from busytime.store.versions import UPGRADED
from busytime.vault import Vault
from deployments.cli.output import ExitStatus, exit_status
from tests.integration.store.old_versions import VERSIONS
from tests.integration.store.processes import PATIENCE_SECONDS, running

LOCK = "harvest_busy_time:1:0"


@pytest.fixture
def workers(url, key, store):  # noqa: ARG001 -- the installation has to be there
    """Start workers on the test's database."""

    def start(count):
        return running(count, "tests.integration.store.worker", url, key.to_text())

    return start


@pytest.fixture
def set_version(engine):
    def set_it(version):
        with engine.connect().execution_options(writer=True) as connection, connection.begin():
            connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})

    return set_it


@pytest.mark.processes
@pytest.mark.parametrize("lock", [LOCK, "push_bookings:1:run-1", "push:calendar:1"])
def test_the_tables_are_not_upgraded_while_a_run_is_at_work(workers, engine, later, lock):
    before = current_version(engine)
    later('op.execute("CREATE TABLE later (id INTEGER)")')
    with workers(1) as [worker]:
        assert worker.ask("take", lock) == "run 1 free"
        with pytest.raises(RunsAtWorkError, match=r"harvest_busy_time \(run 1\)\. .* Nothing was changed") as raised:
            upgrade(engine)
        assert exit_status(raised.value) is ExitStatus.REFUSED_BY_GATE
        assert current_version(engine) == before
        assert worker.ask("batch", lock, "one@corp.example") == "written"
        worker.kill()
        assert upgrade(engine).after == "7777"  # what a dead one held does not matter


def wait_for_a_waiting_one(engine):
    """Return when a session waits for a lock; on SQLite nobody can write at all."""
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            if connection.execute(waiting).scalar_one():
                return
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.processes
def test_no_run_begins_during_an_upgrade_and_old_code_begins_none_after_it(workers, engine):
    with workers(1) as [worker]:
        with (
            engine.connect().execution_options(writer=True) as connection,
            connection.begin(),
            protected(connection, VERSIONS[-1], "7777"),
        ):
            worker.send("take", LOCK)
            wait_for_a_waiting_one(engine)
            connection.execute(text("UPDATE alembic_version SET version_num = '7777'"))
        assert worker.line() == "ConfigurationError"
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM runs")).scalar_one() == 0


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_tables_that_another_program_holds_are_not_waited_for_without_end(engine, later, monkeypatch):
    monkeypatch.setattr(upgrading, "_PATIENCE_SECONDS", 1)
    before = current_version(engine)
    later('op.execute("ALTER TABLE owners ADD COLUMN later INTEGER")')
    with engine.connect() as reader:
        reader.execute(text("SELECT * FROM owners"))  # and leaves its transaction open
        with pytest.raises(RunsAtWorkError, match=r"at work on the tables for 1 seconds.* Nothing was changed"):
            upgrade(engine)
    assert current_version(engine) == before
    assert upgrade(engine).after == "7777"


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize("work", [upgrade, Store.make_installation], ids=["upgrade", "command"])
def test_who_waits_too_long_for_another_writer_is_told_to_wait(url, key, clock, monkeypatch, work):
    monkeypatch.setattr(database, "BUSY_TIMEOUT_SECONDS", 0.2)
    engine = open_engine(url)
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(ConfigurationError, match=r"Another process has been writing .* Wait for it"):
            work(engine if work is upgrade else Store(engine, Vault([key]), clock))
    engine.dispose()


@pytest.fixture
def newer(store, engine, actor_id, clock, set_version):
    """A database that a later busytime has upgraded or worked with."""

    def make(upgraded_by=None, ran=None, upgraded_to="9999"):
        if upgraded_by:
            details = {"from": "0001", "to": upgraded_to, "code_version": upgraded_by}
            store.append_event(UPGRADED, actor_id, details)
        if ran:
            with store.write() as unit:
                unit.runs.open("harvest_busy_time", Trigger.MANUAL, actor_id, clock.now())
            with engine.connect().execution_options(writer=True) as connection, connection.begin():
                values = {"version": ran}
                connection.execute(text("UPDATE runs SET schema_version = '9999', code_version = :version"), values)
        set_version("9999")

    return make


@pytest.mark.parametrize("work", [check_version, upgrade])
@pytest.mark.parametrize(
    ("told", "install"),
    [
        ({"upgraded_by": "4.5.6"}, r"busytime 4\.5\.6 or newer"),
        ({"ran": "4.6.0rc1"}, r"busytime 4\.6\.0rc1 or newer"),
        ({"upgraded_by": "4.5.6", "ran": "4.6.0"}, r"busytime 4\.5\.6 or newer"),
        ({"upgraded_by": "4.5.6", "upgraded_to": "8888", "ran": "4.6.0"}, r"busytime 4\.6\.0 or newer"),
        ({}, "a newer busytime"),
        ({"upgraded_by": "rm -rf", "ran": "<b>x</b>"}, "a newer busytime"),
        ({"upgraded_by": 7, "ran": "4" * 99}, "a newer busytime"),
    ],
)
def test_a_newer_database_is_refused_with_the_version_to_install(newer, engine, told, install, work):
    newer(**told)
    with pytest.raises(ConfigurationError, match=rf"version 9999 of the tables; .* install {install}\.$"):
        work(engine)
    assert current_version(engine) == "9999"


def test_a_newer_database_without_our_views_is_refused_too(engine, set_version):
    with engine.connect().execution_options(writer=True) as connection, connection.begin():
        for view in ("audit_events", "audit_runs"):
            connection.execute(text(f"DROP VIEW {view}"))
    set_version("9999")
    with pytest.raises(ConfigurationError, match="install a newer busytime"):
        check_version(engine)


def test_who_only_reads_is_told_the_version_too(newer, url):
    newer(upgraded_by="4.5.6")
    reader = open_reader(url)
    with pytest.raises(ConfigurationError, match=r"install busytime 4\.5\.6 or newer"):
        check_version(reader)
    reader.dispose()
