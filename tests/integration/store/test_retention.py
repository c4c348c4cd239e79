"""Old rows go in batches, current and young ones stay, and the chain of events is whole after it, whatever happens."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import event, select, text, update

from busytime.chain import TRIMMED, Fault, verify_chain
from busytime.errors import LockLostError
from busytime.maintaining import OldRows
from busytime.store.columns import metadata
from busytime.store.locks import Process
from busytime.store.tables import events, locks, steps
from busytime.store.unit_of_work import Store
from busytime.vault import Vault
from tests.integration.store.archive import DAY, HISTORY, count, history_row, open_maintenance, step_row, write_rows
from tests.unit.moments import MONDAY

KEPT = 400 * DAY


@pytest.fixture
def maintenance(store, open_run, clock, corporate):  # noqa: ARG001 -- rows refer to it
    """A maintenance in batches of three rows."""
    found, _ = open_maintenance(store, open_run("maintain"), clock, batch=3)
    return found


@pytest.fixture
def remove(maintenance, clock):
    """Remove the old rows of a table; return how many went in each batch."""

    def remove_all(kind, kept=KEPT):
        batches = [maintenance.remove(kind, clock.now() - kept)]
        while batches[-1]:
            batches.append(maintenance.remove(kind, clock.now() - kept))
        return batches[:-1]

    return remove_all


@pytest.fixture
def append(store, actor_id, clock):
    """Append events at instants."""

    def append_at(*instants):
        for number, instant in enumerate(instants):
            clock.time = instant
            store.append_event("person:test:done", actor_id, {"number": number})
        clock.time = MONDAY

    return append_at


@pytest.fixture
def verify(store):
    def judge(head=None):
        with store.read() as unit:
            return verify_chain(store.audit_key, unit.events.chain(), head)

    return judge


@pytest.mark.parametrize("kind", HISTORY)
def test_closed_rows_go_when_they_are_older_than_they_are_kept_and_current_ones_never(
    remove, engine, furnish, run_id, kind, rows
):
    [calendar] = furnish("ana@corp.example")
    just = [MONDAY - KEPT - timedelta(microseconds=1)] * 7 + [MONDAY - KEPT, MONDAY - DAY, None]
    write_rows(engine, kind, [history_row(kind, number, run_id, calendar.id, at) for number, at in enumerate(just)])
    assert remove(kind) == [3, 3, 1]
    table = metadata.tables[kind]
    assert [row["valid_to"] for row in rows(table)] == [MONDAY - KEPT, MONDAY - DAY, None]
    told = [json.loads(row["details"]) for row in rows(events)]
    assert told == [{"table": kind, "removed": removed} for removed in (3, 3, 1)]
    assert remove(kind) == []


def test_steps_go_and_their_runs_stay(remove, engine, open_run, rows):
    run_id = open_run()
    ages = [91, 90.5, 90.5, 90.5, 90, 3]
    write_rows(engine, "steps", [step_row(run_id, MONDAY - age * DAY) for age in ages])
    assert remove(OldRows.STEPS, 90 * DAY) == [3, 1]
    assert [row["finished_at"] for row in rows(steps)] == [MONDAY - 90 * DAY, MONDAY - 3 * DAY]
    assert run_id in {row["id"] for row in rows(metadata.tables["runs"])}


@pytest.mark.parametrize(
    ("ages", "left"),
    [
        ([100, 100, 3, 100, 100, 2], [3, 100, 100, 2]),
        ([100, 100, 100], []),
        ([100, -900, 100, 3], [3]),
        ([100, -900, 3, -900, 100], [3, -900, 100]),
        ([100, -900], [-900]),
        ([-900, -900], [-900, -900]),
        ([], []),
    ],
    ids=str,
)
def test_a_row_is_at_least_as_young_as_the_one_before_it_whatever_the_clock_said(remove, engine, run_id, rows, ages, left):
    if ages:
        write_rows(engine, "steps", [step_row(run_id, MONDAY - age * DAY) for age in ages])
    remove(OldRows.STEPS, 90 * DAY)
    assert [row["finished_at"] for row in rows(steps)] == [MONDAY - age * DAY for age in left]


@pytest.mark.parametrize("days", [30, 300, 3000])
def test_a_clock_that_was_set_back_removes_nothing(remove, engine, furnish, run_id, append, clock, verify, days):
    [calendar] = furnish("ana@corp.example")
    append(*(MONDAY - age * DAY for age in (39, 20, 0)))
    kind = OldRows.BUSY_INTERVALS
    write_rows(engine, kind, [history_row(kind, number, run_id, calendar.id, MONDAY - 39 * DAY) for number in range(3)])
    write_rows(engine, "steps", [step_row(run_id, MONDAY - age * DAY) for age in (39, 0)])
    clock.time = MONDAY - days * DAY
    assert [remove(it, 40 * DAY) for it in (kind, OldRows.STEPS, OldRows.EVENTS)] == [[], [], []]
    assert verify().events == 3


def test_the_oldest_events_go_and_the_chain_says_so_itself(remove, append, verify, rows):
    append(*(MONDAY - age * DAY for age in (900, 800, 700, 600, 500, 399, 3)))
    before = rows(events)
    assert remove(OldRows.EVENTS) == [3, 2]
    after = rows(events)
    assert [row["id"] for row in after[:2]] == [before[5]["id"], before[6]["id"]]
    assert [row["tag"] for row in after[2:]] == [TRIMMED, TRIMMED]
    assert [json.loads(row["details"]) for row in after[2:]] == [
        {"removed": 3, "through_id": before[2]["id"], "head": before[2]["hmac"]},
        {"removed": 2, "through_id": before[4]["id"], "head": before[4]["hmac"]},
    ]
    verdict = verify()
    assert (verdict.whole, verdict.events, verdict.trimmed) == (True, 4, True)
    assert verify(before[4]["hmac"]).since_head == 4
    assert verify(before[6]["hmac"]).since_head == 2
    assert verify(before[0]["hmac"]).fault is Fault.TAIL_MISSING


def test_a_chain_that_goes_as_a_whole_goes_on(remove, append, verify):
    append(*(MONDAY - age * DAY for age in (900, 800)))
    assert remove(OldRows.EVENTS) == [2]
    assert (verify().whole, verify().events) == (True, 1)
    append(MONDAY)
    assert (verify().whole, verify().events) == (True, 2)


def test_trimmed_again_and_again_it_stays_whole(store, open_run, clock, append, verify):
    for year in range(4):
        append(*(MONDAY + (500 * year + day) * DAY for day in range(5)))
        clock.time = MONDAY + 500 * year * DAY + 10 * DAY
        found, _ = open_maintenance(store, open_run("maintain"), clock, batch=3)
        while found.remove(OldRows.EVENTS, clock.now() - KEPT):
            assert verify().whole
        store.release_lock(*found._lock)
        assert verify().whole
    assert verify().events < 12


def test_who_removes_a_row_more_than_the_retention_is_found(remove, append, verify, engine, rows):
    append(*(MONDAY - age * DAY for age in (900, 800, 3, 2)))
    remove(OldRows.EVENTS)
    [_, second, *_] = rows(events)
    with engine.begin() as connection:
        connection.execute(events.delete().where(events.c.id < second["id"]))
    assert (verify().fault, verify().broken_id) == (Fault.MISSING_BEFORE, second["id"])


def test_a_checkpoint_that_somebody_changed_excuses_nothing(remove, append, verify, engine, rows):
    append(*(MONDAY - age * DAY for age in (900, 800, 3, 2)))
    remove(OldRows.EVENTS)
    [first, second, _] = rows(events)
    with engine.begin() as connection:
        connection.execute(events.delete().where(events.c.id == first["id"]))
        details = json.dumps({"removed": 3, "through_id": first["id"], "head": first["hmac"]}, sort_keys=True)
        connection.execute(update(events).where(events.c.tag == TRIMMED).values(details=details))
    assert (verify().fault, verify().broken_id) == (Fault.MISSING_BEFORE, second["id"])


def test_a_run_that_lost_its_lock_removes_nothing(maintenance, engine, run_id, clock):
    write_rows(engine, "steps", [step_row(run_id, MONDAY - 900 * DAY)])
    with engine.connect().execution_options(writer=True) as connection, connection.begin():
        connection.execute(update(locks).values(holder="another one"))
    for work in (
        lambda: maintenance.remove(OldRows.STEPS, clock.now()),
        lambda: maintenance.remove(OldRows.EVENTS, clock.now()),
        lambda: maintenance.remove(OldRows.COVERAGE, clock.now()),
        lambda: maintenance.blank([1], clock.now()),
    ):
        with pytest.raises(LockLostError, match="maintain:house:0"):
            work()
    assert count(engine, "steps") == 1


@pytest.mark.usefixtures("maintenance")
def test_a_second_maintenance_gets_no_lock_while_the_first_lives(engine, key, clock, open_run, backend):
    living = Process.this() if backend == "sqlite" else None
    other = Store(engine, Vault([key]), clock, living)
    assert open_maintenance(other, open_run("maintain"), clock) == (None, None)
    other._sessions.clear()


#: What a maintenance asks of its tables, and the index that has to find it.
ASKED = {
    "ix_busy_intervals_valid_to": "busy_intervals",
    "ix_coverage_valid_to": "coverage",
    "ix_permissions_valid_to": "permissions",
}


#: Ten thousand rows of each, closed or finished a hundredth of a day apart.
MANY = {
    "permissions": "(connection_id, calendar_id, need, required, verdict, opened_run_id, closed_run_id, valid_from, valid_to) "
    "SELECT 1, {calendar}, 'read', 'Reviewer', 'granted', {run}, {run}, {at} - interval '1 s', {at}",
    "busy_intervals": "(calendar_id, starts_at, ends_at, status, count, opened_run_id, closed_run_id, valid_from, valid_to) "
    "SELECT {calendar}, {at}, {at} + interval '1 h', 'busy', 1, {run}, {run}, {at} - interval '1 s', {at}",
    "coverage": "(calendar_id, starts_at, ends_at, state, as_of, failures, opened_run_id, closed_run_id, valid_from, valid_to) "
    "SELECT {calendar}, {at}, {at} + interval '1 h', 'covered', {at}, 0, {run}, {run}, {at} - interval '1 s', {at}",
    "steps": "(run_id, step, target, attempt, outcome, duration_ms, calendars, finished_at) "
    "SELECT {run}, 's', '1', 1, 'applied', 1, 1, {at}",
    "events": "(tag, at, actor_id, details, previous_hmac, hmac) SELECT 'a:b:c', {at}, 1, '', n, 'x'",
}


@pytest.fixture
def plans(engine):
    """How the server means to carry out each removal, asked just before it does."""
    found = []

    def explain(_connection, cursor, statement, parameters, *_):
        if statement.startswith("DELETE") and "locks" not in statement:
            rows = cursor.connection.execute(f"EXPLAIN {statement}", parameters).fetchall()
            found.append("\n".join(row[0] for row in rows))

    event.listen(engine, "before_cursor_execute", explain)
    return found


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_on_postgresql_a_batch_is_found_and_removed_by_indexes(maintenance, engine, furnish, run_id, clock, plans):
    [calendar] = furnish("ana@corp.example")
    at = "timestamptz '2026-11-23' + (n - 10000) * interval '0.01 day'"
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table, values in MANY.items():
            selected = values.format(calendar=calendar.id, run=run_id, at=at)
            connection.exec_driver_sql(f"INSERT INTO {table} {selected} FROM generate_series(1, 10000) AS n ORDER BY n")
        connection.exec_driver_sql("ANALYZE")
    for kind in OldRows:
        assert maintenance.remove(kind, clock.now() - 50 * DAY) == 3
    assert len(plans) == len(OldRows)
    for kind, plan in zip(OldRows, plans, strict=True):
        assert f"Delete on {kind}" in plan
        assert "Seq Scan" not in plan
        assert f"ix_{kind}_valid_to" in plan or kind not in HISTORY


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_on_sqlite_a_batch_is_found_by_indexes(engine):
    with engine.connect() as connection:
        for index, table in ASKED.items():
            query = f"SELECT id FROM {table} WHERE valid_to < '2026' ORDER BY valid_to LIMIT 5000"  # noqa: S608 -- names from above
            assert index in str(connection.execute(text(f"EXPLAIN QUERY PLAN {query}")).all())
        assert connection.execute(select(steps)).all() == []
