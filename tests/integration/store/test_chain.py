"""The chain of events in a real database: one chain however many write, and no change of a row goes unnoticed."""

import shutil
import sqlite3
import tracemalloc
from contextlib import closing, contextmanager, suppress
from datetime import timedelta

import pytest
from sqlalchemy import insert, text, update
from sqlalchemy.exc import IntegrityError

from busytime.chain import Fault, chain_hmac, instant_text, verify_chain
from busytime.store.tables import events
from busytime.vault import MasterKey
from tests.integration.store.processes import running
from tests.unit.moments import MONDAY

MADE_UP = {"tag": "person:other:done", "at": MONDAY, "actor_id": 1, "run_id": None, "details": "{}"}


@pytest.fixture
def append(store, actor_id, clock):
    """Append events, and return their ids."""

    def append_some(count, run_id=None):
        for number in range(count):
            clock.go(minutes=1)
            store.append_event("person:test:done", actor_id, {"number": number}, run_id)
        with store.read() as unit:
            return [row.id for row in unit.events.chain()]

    return append_some


@pytest.fixture
def verify(store):
    """Judge the chain."""

    def judge(head=None, key=None):
        with store.read() as unit:
            return verify_chain(key or store.audit_key, unit.events.chain(), head)

    return judge


@pytest.fixture
def tamper(engine, backend):
    """Work on the rows as who owns the database does, with nothing in the way."""

    @contextmanager
    def opened():
        with engine.connect().execution_options(writer=True) as connection:
            if backend == "sqlite":
                connection.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")
            with connection.begin():
                if backend == "postgresql":
                    connection.exec_driver_sql("ALTER TABLE events DROP CONSTRAINT fk_events_actor_id_owners")
                    connection.exec_driver_sql("ALTER TABLE events DROP CONSTRAINT fk_events_run_id_runs")
                yield connection

    return opened


def told(verdict):
    return verdict.fault, verdict.broken_id, verdict.events


@pytest.mark.processes
def test_events_of_several_processes_are_one_chain(url, key, store, verify):
    store.make_installation()
    with running(3, "tests.integration.store.worker", url, key.to_text()) as workers:
        for worker in workers:
            worker.send("append", 15)
        assert [worker.line() for worker in workers] == ["done"] * 3
    verdict = verify()
    assert (verdict.whole, verdict.events) == (True, 45)


def test_an_empty_chain_is_whole(verify):
    assert told(verify()) == (None, None, 0)


def test_two_rows_cannot_follow_the_same_one(append, actor_id, engine, store, verify):
    append(2)
    with store.read() as unit:
        first, second = unit.events.chain()
    content = ("machine:test:forked", "2026-11-23T08:00:00.000000+00:00", actor_id, None, "{}")
    for link in (first, second):
        mac = chain_hmac(store.audit_key, link.previous_hmac, content)
        forked = MADE_UP | {"previous_hmac": link.previous_hmac, "hmac": mac}
        with pytest.raises(IntegrityError, match="previous_hmac"), engine.begin() as connection:
            connection.execute(insert(events).values(forked))
    assert verify().whole


def test_a_transaction_that_is_taken_back_leaves_no_gap_in_the_chain(append, store, actor_id, verify):
    append(1)
    with suppress(IntegrityError), store.write() as unit:
        unit.events.append(store.audit_key, "person:test:done", MONDAY, actor_id, {})
        unit.events.append(store.audit_key, "person:test:done", MONDAY, None, {})
    append(1)
    assert (verify().whole, verify().events) == (True, 2)


@pytest.mark.parametrize(
    "change",
    [
        {"tag": "person:other:done"},
        {"at": MONDAY},
        {"at": MONDAY + timedelta(minutes=2, microseconds=1)},
        {"actor_id": 2},
        {"run_id": None},
        {"run_id": 2},
        {"details": '{"number":1}'},
        {"previous_hmac": "0" * 64},
        {"hmac": "0" * 64},
        {"hmac": ""},
    ],
    ids=str,
)
@pytest.mark.parametrize("number", [0, 1, 3])
def test_any_changed_value_is_found_in_its_row(append, run_id, tamper, verify, change, number):
    ids = append(4, run_id)
    with tamper() as connection:
        connection.execute(update(events).where(events.c.id == ids[number]).values(change))
    assert told(verify()) == (Fault.CHANGED, ids[number], number)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize("column", ["tag", "at", "actor_id", "run_id", "details", "previous_hmac", "hmac"])
@pytest.mark.parametrize("value", ["x'ff00'", "CAST(x'ff' AS TEXT)", "'nonsense'", "1.5"])
def test_values_that_sqlite_alone_keeps_are_found_too(append, tamper, verify, column, value):
    ids = append(3)
    with tamper() as connection:
        connection.exec_driver_sql(f"UPDATE events SET {column} = {value} WHERE id = {ids[1]}")  # noqa: S608 -- names from above
    assert told(verify()) == (Fault.CHANGED, ids[1], 1)


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
@pytest.mark.parametrize("value", ["infinity", "-infinity", "0044-03-15 BC", "12026-11-23"])
def test_instants_that_postgresql_alone_keeps_are_found_too(append, engine, verify, value):
    ids = append(3)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE events SET at = CAST(:value AS timestamptz) WHERE id = :id"), {"value": value, "id": ids[1]}
        )
    assert told(verify()) == (Fault.CHANGED, ids[1], 1)


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/New_York"])
@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_the_zone_of_the_session_does_not_matter(append, engine, verify, zone):
    append(2)
    with engine.connect() as connection, connection.begin():
        name = connection.exec_driver_sql("SELECT current_database()").scalar_one()
        connection.exec_driver_sql(f"ALTER DATABASE \"{name}\" SET timezone TO '{zone}'")
    engine.dispose()
    assert verify().whole


def test_a_removed_row_is_found(append, engine, verify):
    ids = append(4)
    with engine.begin() as connection:
        connection.execute(events.delete().where(events.c.id == ids[1]))
    assert told(verify()) == (Fault.MISSING_BEFORE, ids[2], 1)


def test_rows_that_changed_places_are_found(append, engine, verify):
    ids = append(4)
    with engine.begin() as connection:
        for old, new in ((ids[1], -1), (ids[2], ids[1]), (-1, ids[2])):
            connection.execute(update(events).where(events.c.id == old).values(id=new))
    assert told(verify()) == (Fault.OUT_OF_PLACE, ids[1], 1)


def test_a_made_up_row_is_found(append, engine, verify):
    ids = append(3)
    head = verify().head
    with engine.begin() as connection:
        made_up = MADE_UP | {"id": ids[2] + 1, "previous_hmac": head, "hmac": "ab" * 32}
        connection.execute(insert(events).values(made_up))
    assert told(verify()) == (Fault.CHANGED, ids[2] + 1, 3)


def test_a_cut_tail_is_found_by_the_head_alone(append, engine, verify):
    ids = append(4)
    kept = verify().head
    assert verify(kept).since_head == 0
    with engine.begin() as connection:
        connection.execute(events.delete().where(events.c.id > ids[2]))
    assert verify().whole
    assert told(verify(kept)) == (Fault.TAIL_MISSING, None, 3)


def test_an_older_head_is_found_in_a_chain_that_went_on(append, verify):
    append(2)
    kept = verify().head
    append(3)
    assert (verify(kept).whole, verify(kept).since_head) == (True, 3)


def test_another_key_opens_no_chain(append, verify):
    ids = append(2)
    assert told(verify(key=MasterKey.generate()._key)) == (Fault.CHANGED, ids[0], 0)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_restored_backup_lacks_what_came_after_it(append, url, store, verify, tmp_path):
    append(2)
    path, backup = url.removeprefix("sqlite:///"), tmp_path / "backup.db"
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(backup)) as target:
        source.backup(target)
    append(1)
    kept = verify().head
    store.dispose()
    for left in tmp_path.glob("busytime.db-*"):
        left.unlink()
    shutil.copy(backup, path)
    assert verify().whole
    assert told(verify(kept)) == (Fault.TAIL_MISSING, None, 2)


def test_a_second_reading_may_begin_in_the_middle_of_the_first(append, store, monkeypatch):
    monkeypatch.setattr("busytime.store.events._ROWS_AT_ONCE", 2)
    append(7)
    with store.read() as unit:
        rows = iter(unit.events.chain())
        assert next(rows).previous_hmac == ""
        assert len(list(unit.events.chain())) == 7
        assert len(list(rows)) == 6


def lengthen(engine, key, actor_id, count):
    """Append many events at once, as they would be after years."""
    rows, last = [], ""
    for number in range(count):
        content = ("machine:test:appended", instant_text(MONDAY), actor_id, None, str(number))
        mac = chain_hmac(key, last, content)
        row = MADE_UP | {"tag": content[0], "details": content[4], "actor_id": actor_id}
        rows.append(row | {"previous_hmac": last, "hmac": mac})
        last = mac
    with engine.begin() as connection:
        connection.execute(insert(events), rows)


@pytest.mark.long(backend="postgresql")
def test_a_long_chain_is_not_held_in_memory(engine, store, actor_id, verify):
    lengthen(engine, store.audit_key, actor_id, 20_000)
    verify()  # fills what is kept from the first reading on
    tracemalloc.start()
    try:
        assert verify().events == 20_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3_000_000  # all rows at once take four times as much


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_the_server_hands_out_the_rows_bit_by_bit(append, store):
    append(2)
    with store.read() as unit:
        rows = iter(unit.events.chain())
        next(rows)
        open_cursors = unit._connection.exec_driver_sql("SELECT statement FROM pg_cursors").scalars().all()
        assert ["CURSOR FOR SELECT events.id" in statement for statement in open_cursors] == [True]
        rows.close()
