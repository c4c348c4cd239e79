"""What is due: a push or a re-sync is started when there is something new for it, and not again and again for the same."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from busytime.bookings import EntryState
from busytime.errors import Reason
from busytime.model import Breaker, RequestKind, RunStatus
from busytime.permissions import Verdict
from busytime.store.tables import busy_intervals
from tests.integration.store.push_steps import booking, make_page, plan, write_entry
from tests.unit.moments import MONDAY, at

QUARTER = timedelta(minutes=15)


@pytest.fixture
def push_is_due(store, clock):
    def is_due():
        clock.go(seconds=15)
        with store.read() as unit:
            return unit.due.push(clock.now() - QUARTER)

    return is_due


@pytest.fixture
def look(store):
    """Look at everything, as a push does when it begins."""

    def at_everything():
        with store.write() as unit:
            unit.due.note_push(unit.instant)

    return at_everything


@pytest.fixture
def stuck(take, book, look):
    """An entry in ana's calendar that could not be written, and a look since then."""

    def in_state(state, reason):
        take(booking())
        (entry, *_) = (it for it in plan(book).values())
        book.save([replace(entry, state=state, reason=reason)])
        look()
        return entry.calendar_id

    return in_state


@pytest.mark.usefixtures("calendars")
def test_nothing_is_due_without_bookings(push_is_due, look):
    assert not push_is_due()
    look()
    assert not push_is_due()


def test_a_booking_that_came_is_due_until_somebody_looked(take, push_is_due, look):
    take(booking())
    assert push_is_due()
    look()
    assert not push_is_due()
    take(booking(revision=2))
    assert push_is_due()
    look()
    assert not push_is_due()


def test_a_row_of_another_program_is_due_until_it_was_checked(book, look, push_is_due, write_sql):
    look()
    write_sql("INSERT INTO bookings (booking_key, revision) VALUES ('BK-9', 1)")
    assert push_is_due()
    look()
    assert push_is_due(), "it was seen, and not checked"
    book.snapshot()
    assert not push_is_due()


def test_a_look_at_everything_is_due_after_a_quarter_of_an_hour(look, push_is_due, clock):
    look()
    clock.go(minutes=15)
    assert push_is_due()


def test_a_new_roster_is_due(look, push_is_due, clock, open_pages):
    look()
    clock.go(seconds=1)
    open_pages(make_page(), make_page("other", main="dan", additional=(), busy=()))
    assert push_is_due()


def test_what_is_blocked_waits_for_another_verdict_on_its_calendar(stuck, push_is_due, judge, look, calendars):
    calendar_id = stuck(EntryState.BLOCKED, Reason.WRITE_DENIED)
    assert not push_is_due()
    judge(next(it for it in calendars.values() if it != calendar_id), Verdict.GRANTED)
    assert not push_is_due(), "of another calendar"
    judge(calendar_id, Verdict.GRANTED)
    assert push_is_due()
    look()
    assert not push_is_due()


@pytest.mark.parametrize("freed", ["ana", "cy"])
def test_a_conflict_waits_for_time_that_became_free(stuck, push_is_due, store, engine, calendars, run_id, clock, freed):
    stuck(EntryState.CONFLICT, Reason.SLOT_TAKEN)
    row = {"calendar_id": calendars[freed], "starts_at": at(9), "ends_at": at(10), "status": "busy", "count": 1}
    with engine.begin() as connection:
        connection.execute(busy_intervals.insert(), row | {"opened_run_id": run_id, "valid_from": MONDAY})
    assert not push_is_due()
    clock.go(minutes=1)
    with store.write() as unit:
        instant = unit.instant
    with engine.begin() as connection:
        connection.execute(update(busy_intervals).values(valid_to=instant, closed_run_id=run_id))
    assert push_is_due()


def test_what_waits_for_a_log_on_waits_for_the_breaker(stuck, push_is_due, store, corporate, clock):
    with store.write() as unit:
        unit.connections.set_breaker(corporate, Breaker.OPEN, clock.now())
    stuck(EntryState.WAITING_FOR_LOG_ON, Reason.BREAKER_OPEN)
    assert not push_is_due()
    with store.write() as unit:
        unit.connections.set_breaker(corporate, Breaker.CLOSED, clock.now())
    assert push_is_due()


def test_what_is_in_its_place_is_not_due(take, book, look, push_is_due, judge, calendars):
    take(booking())
    for entry in plan(book).values():
        write_entry(book, entry)
    look()
    judge(calendars["ana"], Verdict.GRANTED)
    assert not push_is_due()


@pytest.fixture
def request_is_due(store, clock):
    def is_due(kind=RequestKind.RESYNC):
        with store.read() as unit:
            return unit.due.request(kind, clock.now() - QUARTER)

    return is_due


def test_a_request_is_due_until_a_run_took_it(request_is_due, store, clock, actor_id, open_run, corporate):
    assert not request_is_due()
    with store.write() as unit:
        unit.requests.ask(RequestKind.RESYNC, actor_id, clock.now(), corporate)
    assert request_is_due()
    assert not request_is_due(RequestKind.VALIDATE)
    run = open_run("resync_connection")
    with store.write() as unit:
        unit.requests.take(unit.requests.waiting(RequestKind.RESYNC), run)
    assert not request_is_due()
    with store.write() as unit:
        unit.runs.close(run, RunStatus.REFUSED, clock.now(), reason=Reason.BREAKER_OPEN)
    assert not request_is_due(), "nothing has changed"
    clock.go(minutes=1)
    with store.write() as unit:
        unit.connections.set_breaker(corporate, Breaker.OPEN, clock.now())
    assert request_is_due()
    with store.write() as unit:
        unit.requests.done(run, clock.now())
    assert not request_is_due()


def test_a_request_that_a_run_left_is_tried_again_after_a_quarter_of_an_hour(request_is_due, store, clock, actor_id, open_run):
    with store.write() as unit:
        unit.requests.ask(RequestKind.RESYNC, actor_id, clock.now())
    run = open_run("resync_connection")
    with store.write() as unit:
        unit.requests.take(unit.requests.waiting(RequestKind.RESYNC), run)
        unit.runs.close(run, RunStatus.CRASHED, clock.now())
    assert not request_is_due()
    clock.go(minutes=15, seconds=1)
    assert request_is_due()


def test_a_harvest_is_due_where_calendars_wait_and_none_has_begun(store, clock, open_run, open_pages, corporate):  # noqa: ARG001
    def is_due():
        with store.read() as unit:
            return unit.due.harvest(clock.now() - QUARTER)

    assert not is_due()
    open_pages(make_page())
    assert is_due()
    refused = open_run()
    with store.write() as unit:
        unit.runs.close(refused, RunStatus.REFUSED, clock.now(), reason=Reason.NO_CONNECTION)
    assert is_due(), "it could read nothing"
    open_run()
    assert not is_due()
    clock.go(minutes=15, seconds=1)
    assert is_due()
