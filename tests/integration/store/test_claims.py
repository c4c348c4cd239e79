"""Claims of several real processes: one at a time writes into a calendar, and nobody waits for the dead."""

from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from busytime.bookings import Claim
from busytime.errors import LockLostError
from busytime.model import RunStatus
from busytime.store.claims import claim_name
from busytime.store.locks import Process as HoldingProcess
from busytime.store.tables import calendars as calendar_rows
from busytime.store.tables import locks, runs
from busytime.store.unit_of_work import Store
from tests.integration.store.processes import running

pytestmark = pytest.mark.processes


@pytest.fixture
def workers(url, key, store):  # noqa: ARG001 -- the installation has to be there
    """Start workers on the test's database."""

    def start(count):
        return running(count, "tests.integration.store.worker", url, key.to_text())

    return start


@pytest.fixture
def ana(calendars):
    return calendars["ana"]


@pytest.fixture
def elsewhere(engine, store, clock):
    """The database as a process on another machine sees it."""
    return Store(engine, store._vault, clock, HoldingProcess("elsewhere", 1, "1"))


def test_a_calendar_has_one_claimant_until_it_is_given_back(workers, open_book, ana):
    book = open_book()
    with workers(1) as [worker]:
        assert worker.ask("claim", ana) == "granted"
        assert book.claim(ana) is Claim.HELD_ELSEWHERE
        book.release(ana)
        assert worker.ask("hold", ana) == "held", "who has no claim gives none back"
        assert worker.ask("give_back", ana) == "released"
        assert book.claim(ana) is Claim.GRANTED
        assert worker.ask("claim", ana) == "held_elsewhere"


def test_of_processes_that_claim_at_once_exactly_one_is_granted(workers, calendars):
    with workers(4) as four:
        for calendar_id in list(calendars.values()) * 5:
            for worker in four:
                worker.send("claim", calendar_id)
            answers = [worker.line() for worker in four]
            assert Counter(answers) == {"granted": 1, "held_elsewhere": 3}
            assert four[answers.index("granted")].ask("give_back", calendar_id) == "released"


def test_of_processes_that_claim_at_once_no_more_are_granted_than_the_pace_allows(workers, calendars):
    places = list(calendars.values())
    with workers(3) as three:
        for _ in range(5):
            for worker, calendar_id in zip(three, places, strict=True):
                worker.send("claim", calendar_id, 2)
            assert Counter(worker.line() for worker in three) == {"granted": 2, "paced": 1}
            for worker, calendar_id in zip(three, places, strict=True):
                worker.ask("give_back", calendar_id, 2)


def test_a_dead_claimant_is_replaced_at_once_and_its_run_is_closed_as_crashed(workers, open_book, ana, rows):
    book = open_book()
    with workers(1) as [worker]:
        worker.ask("claim", ana)
        [claimed] = rows(locks)
        worker.kill()
        assert book.claim(ana) is Claim.GRANTED
    [row] = rows(runs, runs.c.id == claimed["run_id"])
    assert (row["status"], row["finished_at"] is not None) == ("crashed", True)


def test_a_frozen_claimant_is_not_replaced(workers, open_book, ana):
    book = open_book()
    with workers(1) as [worker]:
        worker.ask("claim", ana)
        worker.freeze()
        assert book.claim(ana) is Claim.HELD_ELSEWHERE
        worker.thaw()
        assert worker.ask("hold", ana) == "held"


def test_a_claimant_that_was_cut_off_notices_when_it_wakes_up(workers, open_book, ana, engine, clock, rows):
    book = open_book()
    with workers(1) as [worker]:
        worker.ask("claim", ana)
        worker.freeze()
        with engine.connect().execution_options(writer=True) as connection, connection.begin():
            connection.execute(update(locks).values(host="elsewhere", heartbeat_at=clock.now() - timedelta(seconds=60)))
        assert book.claim(ana) is Claim.GRANTED
        worker.thaw()
        assert worker.ask("hold", ana) == "LockLostError"
        assert worker.ask("give_back", ana) == "released"
    assert [row["run_id"] for row in rows(locks)] == [book._run_id], "who lost a claim does not give it back"


def test_two_tasks_and_two_runs_of_one_process_do_not_share_a_calendar(open_book, store, clock, ana):
    book = open_book()
    assert [book.claim(ana), book.claim(ana), open_book().claim(ana)] == [
        Claim.GRANTED,
        Claim.HELD_ELSEWHERE,
        Claim.HELD_ELSEWHERE,
    ]
    twin = type(book)(store, book._run_id, clock=clock)
    assert twin.claim(ana) is Claim.HELD_ELSEWHERE
    with pytest.raises(LockLostError):
        twin.hold(ana)


def test_a_claimant_on_another_machine_is_replaced_after_a_minute_of_silence(open_book, elsewhere, ana, clock, rows):
    there, here = open_book(elsewhere), open_book()
    assert there.claim(ana) is Claim.GRANTED
    clock.go(seconds=59)
    assert here.claim(ana) is Claim.HELD_ELSEWHERE
    there.hold(ana)
    clock.go(seconds=59)
    assert here.claim(ana) is Claim.HELD_ELSEWHERE
    clock.go(seconds=1)
    assert here.claim(ana) is Claim.GRANTED
    with pytest.raises(LockLostError):
        there.hold(ana)
    assert [row["status"] for row in rows(runs)] == ["crashed", "running"]


def test_what_a_run_left_behind_that_has_ended_is_free_though_its_process_lives(open_book, store, clock, ana):
    book = open_book()
    book.claim(ana)
    with store.write() as unit:
        unit.runs.close(book._run_id, RunStatus.FAILED, clock.now())
    assert open_book().claim(ana) is Claim.GRANTED


def test_the_dead_do_not_count_in_a_pace(open_book, elsewhere, calendars, clock):
    assert open_book(elsewhere).claim(calendars["ana"]) is Claim.GRANTED
    book = open_book(pace=1)
    assert book.claim(calendars["bo"]) is Claim.PACED
    clock.go(seconds=60)
    assert book.claim(calendars["bo"]) is Claim.GRANTED


def test_a_sign_of_life_is_one_for_all_that_a_run_holds(open_book, calendars, clock, rows, backend):
    book = open_book()
    for owner in ("ana", "bo"):
        book.claim(calendars[owner])
    clock.go(seconds=50)
    book.hold(calendars["ana"])
    fresh = {row["name"] for row in rows(locks) if row["heartbeat_at"] == clock.now()}
    named = {owner: claim_name(calendars[owner]) for owner in ("ana", "bo")}
    assert fresh == (set(named.values()) if backend == "sqlite" else {named["ana"]})


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_a_claim_does_not_wait_for_an_import_that_holds_the_row_of_its_calendar(open_book, engine, ana):
    book = open_book()
    with engine.connect() as importing, importing.begin():
        importing.execute(select(calendar_rows).where(calendar_rows.c.id == ana).with_for_update())
        assert book.claim(ana) is Claim.HELD_ELSEWHERE
    assert book.claim(ana) is Claim.GRANTED


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_entries_that_are_being_written_do_not_keep_a_calendar_from_being_claimed(open_book, store, ana):
    book = open_book()
    with store.write() as unit:
        unit.entries.want([("BK-1", ana)], None, unit.instant)
        assert book.claim(ana) is Claim.GRANTED
