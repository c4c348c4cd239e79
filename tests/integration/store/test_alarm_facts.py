"""What alarms are made of: only what is really wrong, of calendars that are in use and connections that may log on."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import insert, update

from busytime.bookings import EntryState
from busytime.errors import Reason
from busytime.model import Breaker, RunStatus
from busytime.permissions import Need, Verdict
from busytime.store.tables import calendars as calendar_rows
from busytime.store.tables import connections, coverage, runs
from busytime.store.tables_booking import entries
from tests.integration.store.push_steps import booking, plan
from tests.unit.moments import MAX_AGE, at

STUCK = timedelta(minutes=45)


@pytest.fixture
def facts(store, clock):
    """Ask for one kind of trouble now: how many, whose, and how many owners besides."""

    def ask(kind):
        now = clock.now()
        more = {"lost": (), "too_old": (now, MAX_AGE), "failing": (now, now - STUCK)}[kind]
        with store.read() as unit:
            return [(it.count, it.owners, it.more_owners) for it in getattr(unit.alarm_facts, kind)(*more)]

    return ask


@pytest.fixture
def change(engine):
    """Write into a table as it may have come to be."""

    def write(statement):
        with engine.connect().execution_options(writer=True) as connection, connection.begin():
            connection.execute(statement)

    return write


@pytest.fixture
def cover(change, run_id):
    """Write a row of coverage for two hours from now."""

    def write(calendar_id, as_of=0, reason=None, starts=0, **more):
        state = "unknown" if reason else "covered"
        values = {
            "calendar_id": calendar_id,
            "starts_at": at(starts),
            "ends_at": at(starts + 120),
            "as_of": at(as_of),
            "failures": 0,
        }
        history = {"opened_run_id": run_id, "valid_from": at(0), "state": state, "reason": reason}
        change(insert(coverage).values(values | history | more))

    return write


def owner(name):
    return f"{name}@corp.example"


def test_a_right_that_was_granted_and_is_missing_is_lost(calendars, judge, facts):
    judge(calendars["ana"], Verdict.MISSING, Reason.NO_ACCESS)
    judge(calendars["bo"], Verdict.GRANTED)
    assert facts("lost") == [], "what never was granted is not lost"
    judge(calendars["bo"], Verdict.UNPROVEN, Reason.NOT_PROVEN)
    assert facts("lost") == [], "what is not proven any more may be there"
    for verdict in (Verdict.UNREACHABLE, Verdict.INSUFFICIENT, Verdict.MISSING):
        judge(calendars["bo"], verdict, Reason.NO_ACCESS)
        assert facts("lost") == [(1, (owner("bo"),), 0)], verdict
    judge(calendars["bo"], Verdict.MISSING, Reason.NO_ACCESS, need=Need.READ)
    assert facts("lost") == [(1, (owner("bo"),), 0)], "a calendar counts once"
    judge(calendars["bo"], Verdict.GRANTED)
    assert facts("lost") == []


def test_an_answer_older_than_max_age_is_too_old(calendars, cover, facts, clock):
    cover(calendars["ana"])
    cover(calendars["bo"], reason=Reason.TIMED_OUT)
    clock.go(minutes=30)
    assert facts("too_old") == []
    clock.go(seconds=1)
    assert facts("too_old") == [(2, (owner("ana"), owner("bo")), 0)]


def test_a_word_of_the_server_another_window_and_a_closed_row_are_not_too_old(calendars, cover, facts, clock):
    cover(calendars["ana"], reason=Reason.NO_ACCESS)
    cover(calendars["bo"], starts=-200)
    cover(calendars["bo"], starts=100)
    cover(calendars["cy"], valid_to=at(1))
    clock.go(minutes=60)
    assert facts("too_old") == []


def test_what_failed_is_blocked_or_got_stuck_is_failing(calendars, take, book, facts, clock, change):
    take(booking())
    for entry in plan(book).values():
        state = EntryState.FAILED if entry.calendar_id == calendars["ana"] else EntryState.WANTED
        book.save([replace(entry, state=state, reason=Reason.WRITE_DENIED if state is EntryState.FAILED else None)])
    assert facts("failing") == [(1, (owner("ana"),), 0)]
    for state, minutes, found in (("blocked", 0, True), ("conflict", 99, False), ("unknown", 44, False), ("unknown", 46, True)):
        change(update(entries).values(state=state, updated_at=at(-minutes), intended_at=None))
        assert bool(facts("failing")) is found, (state, minutes)
    change(update(entries).values(state="failed"))
    clock.go(days=3650)
    assert facts("failing") == [], "of bookings that are over nobody is told"


def test_ten_owners_are_named_and_the_others_counted(corporate, furnish, cover, facts, clock):
    assert corporate
    for calendar in furnish(*(owner(f"o{number:02}") for number in range(13))):
        cover(calendar.id)
    clock.go(minutes=31)
    [(count, named, more)] = facts("too_old")
    assert (count, len(named), more) == (13, 10, 3)
    assert named[0] == owner("o00")


@pytest.mark.parametrize(
    "statement",
    [
        update(connections).values(breaker=Breaker.OPEN),
        update(connections).values(closed_at=at(0)),
        update(calendar_rows).values(retired_at=at(0)),
        update(calendar_rows).values(connection_id=None),
    ],
    ids=["breaker open", "disconnected", "retired", "nobody serves it"],
)
def test_what_follows_from_something_else_is_no_alarm(calendars, cover, judge, facts, clock, change, statement):
    cover(calendars["ana"])
    judge(calendars["ana"], Verdict.GRANTED)
    judge(calendars["ana"], Verdict.MISSING, Reason.NO_ACCESS)
    clock.go(minutes=31)
    assert facts("too_old")
    assert facts("lost")
    change(statement)
    assert facts("too_old") == facts("lost") == []


def test_work_is_there_once_roster_and_connection_are(store, corporate, furnish, clock):
    with store.read() as unit:
        assert not unit.alarm_facts.has_work(at(0))
        assert unit.alarm_facts.installed(at(0))
        assert not unit.alarm_facts.installed(at(-1))
    clock.go(minutes=10)
    furnish(owner("ana"))
    with store.read() as unit:
        assert not unit.alarm_facts.has_work(at(9))
        assert unit.alarm_facts.has_work(at(10))
        assert unit.alarm_facts.served() == {corporate: 1}


def test_a_run_has_begun_and_has_completed(store, open_run, clock, change):
    clock.go(minutes=5)
    run_id = open_run("maintain")
    clock.go(minutes=5)
    with store.write() as unit:
        unit.runs.close(run_id, RunStatus.COMPLETED, clock.now())
    with store.read() as unit:
        facts = unit.alarm_facts
        assert [facts.has_begun("maintain", at(minute)) for minute in (5, 6)] == [True, False]
        assert [facts.has_completed("maintain", at(minute)) for minute in (10, 11)] == [True, False]
        assert not facts.has_begun("harvest_busy_time", at(0))
    change(update(runs).values(status=RunStatus.SKIPPED))
    with store.read() as unit:
        assert not unit.alarm_facts.has_begun("maintain", at(0))
        assert not unit.alarm_facts.has_completed("maintain", at(0))
