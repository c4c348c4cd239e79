"""Runs that need nothing for themselves: any number at once, and the dead among them are found by the next one."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from busytime.store.tables import locks, runs
from tests.integration.store.processes import running

pytestmark = pytest.mark.processes


@pytest.fixture
def openers(url, key, tmp_path, store):  # noqa: ARG001 -- the installation has to be there
    """Start processes that open runs."""
    env = {"BUSYTIME_DATABASE_URL": url, "BUSYTIME_KEY": key.to_text(), "BUSYTIME_HOME": str(tmp_path / "home")}

    def start(count):
        return running(count, "tests.integration.store.presence", env=env)

    return start


@pytest.fixture
def status_of(rows):
    return lambda run: rows(runs, runs.c.id == int(run.split()[0]))[0]["status"]


@pytest.mark.long
def test_any_number_of_runs_work_at_once(openers, corporate, rows, status_of):
    with openers(2) as [one, other]:
        first, second, third = one.ask("push_bookings"), other.ask("push_bookings"), one.ask("push_bookings")
        assert [it.split()[1] for it in (first, second, third)] == ["1", "1", "1"]
        names = {f"push_bookings:{corporate}:run-{it.split()[0]}" for it in (first, second, third)}
        assert {row["name"] for row in rows(locks)} == names
        assert one.ask("finish", first.split()[0]) == "finished"
        assert other.ask("push_bookings").endswith(" 1")
        assert [status_of(it) for it in (first, second, third)] == ["completed", "running", "running"]
        assert len(rows(locks)) == 3


def test_a_run_whose_process_was_killed_is_closed_by_the_next_one(openers, corporate, rows, status_of, store):  # noqa: ARG001
    with openers(2) as [one, other]:
        dead, alive = one.ask("push_bookings"), other.ask("push_bookings")
        with store.write() as unit:
            unit.locks.take("push:calendar:7", int(dead.split()[0]), store.process, unit.now)
        one.kill()
        after = other.ask("push_bookings")
        assert [status_of(it) for it in (dead, alive, after)] == ["crashed", "running", "running"]
        assert {row["run_id"] for row in rows(locks)} == {int(it.split()[0]) for it in (alive, after)}


@pytest.mark.long(backend="sqlite")
def test_a_run_of_another_kind_is_left_to_its_own_flow(openers, corporate, status_of):  # noqa: ARG001
    with openers(2) as [one, other]:
        alone, beside = one.ask("harvest_busy_time", "alone"), one.ask("discover_calendars")
        one.kill()
        other.ask("push_bookings")
        assert [status_of(it) for it in (alone, beside)] == ["running", "running"]
        assert other.ask("harvest_busy_time", "alone").endswith(" 1")
        other.ask("discover_calendars")
        assert [status_of(it) for it in (alone, beside)] == ["crashed", "crashed"]


@pytest.mark.long
def test_a_run_that_needs_each_connection_for_itself_is_skipped(openers, corporate, status_of):  # noqa: ARG001
    with openers(1) as [one]:
        assert one.ask("harvest_busy_time", "alone").endswith(" 1")
        second = one.ask("harvest_busy_time", "alone")
        assert (second.split()[1], status_of(second)) == ("0", "skipped")


@pytest.mark.long(backend="postgresql")
def test_without_a_connection_a_run_is_refused(openers, rows):
    with openers(1) as [one]:
        assert one.ask("push_bookings") == "NoConnectionError"
    assert [(row["status"], row["reason"]) for row in rows(runs)] == [("refused", "no_connection")]


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_on_postgresql_a_session_shows_that_a_run_lives_wherever_it_is(openers, corporate, engine, status_of, clock):  # noqa: ARG001
    with openers(2) as [one, other]:
        silent = one.ask("push_bookings")
        with engine.connect() as connection, connection.begin():
            connection.execute(update(locks).values(host="elsewhere", heartbeat_at=clock.now() - timedelta(days=1)))
        other.ask("push_bookings")
        assert status_of(silent) == "running"
