"""Several real processes on one database: locks that outlive nobody, no "database is locked"."""

from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import text, update

from busytime.errors import LockLostError
from busytime.model import RunStatus
from busytime.store.locks import Process as HoldingProcess
from busytime.store.tables import locks, owners, runs
from tests.integration.store.processes import running

pytestmark = pytest.mark.processes

LOCK = "harvest_busy_time:1:0"
OTHER = "harvest_busy_time:2:0"


@pytest.fixture
def workers(url, key, store):  # noqa: ARG001 -- the installation has to be there
    """Start workers on the test's database."""

    def start(count):
        return running(count, "tests.integration.store.worker", url, key.to_text())

    return start


def take(store, run_id, name=LOCK):
    """Take a lock as the flow does, and close the run of a dead holder."""
    with store.write() as unit:
        holder, dead_run = store.take_lock(unit, name, run_id)
        if dead_run is not None:
            unit.runs.close(dead_run, RunStatus.CRASHED, store._clock.now())
    return holder, dead_run


def test_a_second_holder_is_refused_until_the_first_gives_the_lock_back(workers, store, open_run, rows):
    with workers(1) as [worker]:
        assert worker.ask("take", LOCK).endswith("free")
        assert take(store, open_run()) == (None, None)
        assert worker.ask("batch", LOCK, "one@corp.example") == "written"
        assert worker.ask("release", LOCK) == "released"
        holder, dead_run = take(store, open_run())
        assert holder is not None
        assert dead_run is None
        assert worker.ask("take", LOCK).endswith("refused")
        store.release_lock(LOCK, holder)
        assert worker.ask("take", LOCK).endswith("free")
    assert {row["status"] for row in rows(runs)} == {"running"}


def test_locks_of_other_scopes_do_not_meet(workers, store, open_run):
    with workers(1) as [worker]:
        assert worker.ask("take", LOCK).endswith("free")
        holder, _ = take(store, open_run(), OTHER)
        assert holder is not None
        store.release_lock(OTHER, holder)


def test_one_process_does_not_take_a_lock_twice(store, open_run):
    holder, _ = take(store, open_run())
    assert take(store, open_run()) == (None, None)
    store.release_lock(LOCK, holder)
    again, _ = take(store, open_run())
    assert again not in (None, holder)
    store.release_lock(LOCK, again)


def test_a_killed_holder_is_replaced_at_once_and_its_run_is_closed_as_crashed(workers, store, open_run, rows):
    with workers(1) as [worker]:
        dead_run = int(worker.ask("take", LOCK).split()[1])
        worker.kill()
        holder, found = take(store, open_run())
        assert holder is not None
        assert found == dead_run
        worker.bury()
    [row] = rows(runs, runs.c.id == dead_run)
    assert (row["status"], row["finished_at"] is not None) == ("crashed", True)
    with store.write() as unit:
        store.check_lock(unit, LOCK, holder)
    store.release_lock(LOCK, holder)


def test_a_killed_holder_is_replaced_by_one_of_several(workers):
    with workers(4) as [dead, *others]:
        dead.ask("take", LOCK)
        dead.kill()
        for worker in others:
            worker.send("take", LOCK)
        answers = Counter(worker.line().split()[2] for worker in others)
        assert answers == {"after": 1, "refused": 2}


def test_a_frozen_holder_is_not_replaced_and_goes_on(workers, store, open_run):
    with workers(1) as [worker]:
        worker.ask("take", LOCK)
        worker.freeze()
        assert take(store, open_run()) == (None, None)
        worker.thaw()
        assert worker.ask("batch", LOCK, "one@corp.example") == "written"


def test_a_process_whose_lock_was_taken_over_writes_nothing(workers, store, open_run, engine, backend, rows, clock):
    with workers(1) as [worker]:
        run = int(worker.ask("take", LOCK).split()[1])
        assert worker.ask("batch", LOCK, "before@corp.example") == "written"
        worker.freeze()
        cut_off(engine, backend, clock)
        holder, dead_run = take(store, open_run())
        assert holder is not None
        assert dead_run == run
        worker.thaw()
        assert worker.ask("batch", LOCK, "after@corp.example") == "LockLostError"
        with store.write() as unit:
            store.check_lock(unit, LOCK, holder)
        worker.ask("release", LOCK)
        assert take(store, open_run()) == (None, None), "who lost a lock does not give it back"
        store.release_lock(LOCK, holder)
    addresses = {row["address"] for row in rows(owners)}
    assert "before@corp.example" in addresses
    assert "after@corp.example" not in addresses


def cut_off(engine, backend, clock):
    """Make the holder look as if it had been on a machine that no longer answers."""
    with engine.connect().execution_options(writer=True) as connection, connection.begin():
        silent = clock.now() - timedelta(seconds=61)
        connection.execute(update(locks).values(host="elsewhere", heartbeat_at=silent))
        if backend == "postgresql":  # the server sees that the other machine is gone
            others = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
            connection.execute(text(others))


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("seconds", "replaced"), [(59, False), (60, True), (-59, False)])
def test_a_holder_on_another_machine_is_replaced_after_a_minute_of_silence(store, open_run, engine, clock, seconds, replaced):
    take(store, open_run())
    with engine.connect().execution_options(writer=True) as connection, connection.begin():
        connection.execute(update(locks).values(host="elsewhere", heartbeat_at=clock.now() - timedelta(seconds=seconds)))
    holder, _ = take(store, open_run())
    assert (holder is not None) is replaced


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_process_with_the_number_of_a_dead_one_is_another(store, open_run, engine):
    take(store, open_run())
    with engine.connect().execution_options(writer=True) as connection, connection.begin():
        connection.execute(update(locks).values(process_started="1"))
    holder, dead_run = take(store, open_run())
    assert holder is not None
    assert dead_run is not None


def test_this_process_lives_and_one_that_never_was_does_not():
    this = HoldingProcess.this()
    assert this.lives
    assert not HoldingProcess(this.host, 2**22 + 1, this.started).lives


def test_a_batch_under_a_lock_gives_a_sign_of_life(store, open_run, clock, rows):
    holder, _ = take(store, open_run())
    clock.go(seconds=50)
    with store.write() as unit:
        store.check_lock(unit, LOCK, holder)
    assert rows(locks)[0]["heartbeat_at"] == clock.now()
    with store.write() as unit, pytest.raises(LockLostError, match="nothing is to be done"):
        store.check_lock(unit, LOCK, "somebody else")
    store.release_lock(LOCK, holder)
    assert rows(locks) == []


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_a_store_that_is_closed_frees_its_session_locks(store, open_run, workers):
    take(store, open_run())
    with workers(1) as [worker]:
        assert worker.ask("take", LOCK).endswith("refused")
        store.dispose()
        assert " after " in worker.ask("take", LOCK)


def test_four_processes_write_at_once_and_none_meets_a_locked_database(workers, rows):
    with workers(4) as four:
        for worker in four:
            worker.send("hammer", 40)
        assert [worker.line() for worker in four] == ["done"] * 4
    assert len(rows(owners)) == 160
