"""Where a booking stands, and what is said to do next."""

from dataclasses import replace
from datetime import timedelta

import pytest

from busytime.bookings import EntryState
from busytime.errors import Reason
from busytime.standing import NextStep, standings
from tests.unit.bookings.snapshots import (
    BEFORE,
    COPY,
    ELSEWHERE,
    MAIN,
    OTHER,
    PAGE,
    cancelled,
    make_booking,
    make_entry,
    make_snapshot,
)
from tests.unit.moments import MONDAY


def stands(booking, *entries, **values):
    """Return calendar, state and next step of each standing."""
    found = standings(make_snapshot([booking], entries, **values), booking)
    return [(it.calendar_id, it.state, it.next) for it in found]


def one(state, booking=None, **values):
    """Return the standing of an entry in the main calendar."""
    booking = booking or make_booking()
    more = {name: values.pop(name) for name in ("reason", "when", "revision", "item_id") if name in values}
    return standings(make_snapshot([booking], [make_entry(state, **more)], **values), booking)[0]


def test_a_new_booking_waits_for_a_push_in_every_calendar_of_its_page():
    assert stands(make_booking()) == [(MAIN, EntryState.WANTED, NextStep.PUSH), (COPY, EntryState.WANTED, NextStep.PUSH)]


def test_a_booking_from_before_the_connection_asks_for_a_backfill():
    booking = make_booking(booked_at=MONDAY - timedelta(days=2))
    assert stands(booking) == [(MAIN, None, NextStep.BACKFILL), (COPY, None, NextStep.BACKFILL)]


def test_a_booking_that_is_over_was_never_entered_and_nothing_is_to_be_done():
    assert stands(make_booking(when=BEFORE)) == [(MAIN, None, NextStep.NOTHING), (COPY, None, NextStep.NOTHING)]


def test_a_cancelled_booking_that_was_never_entered_has_no_calendar():
    assert stands(cancelled(when=None)) == [(None, None, NextStep.NOTHING)]


def test_a_booking_whose_page_left_the_roster_says_so():
    assert stands(make_booking(page="talk")) == [(None, None, NextStep.ROSTER)]
    (standing,) = standings(make_snapshot([], ()), make_booking(page="talk"))
    assert (standing.reason, standing.troubled) == (Reason.UNKNOWN_PAGE, True)


def test_what_is_as_it_should_be_needs_nothing():
    assert stands(make_booking(), make_entry(EntryState.PRESENT), make_entry(EntryState.PRESENT, calendar_id=COPY)) == [
        (MAIN, EntryState.PRESENT, NextStep.NOTHING),
        (COPY, EntryState.PRESENT, NextStep.NOTHING),
    ]


@pytest.mark.parametrize("booking", [make_booking(revision=6, when=ELSEWHERE), cancelled(revision=6)])
def test_what_a_later_revision_changes_waits_for_a_push(booking):
    found = one(EntryState.PRESENT, booking)
    assert (found.state, found.next, found.troubled) == (EntryState.PRESENT, NextStep.PUSH, False)


def test_a_calendar_that_left_the_page_is_listed_until_its_entry_is_gone():
    assert stands(make_booking(), make_entry(EntryState.PRESENT, calendar_id=OTHER))[-1] == (
        OTHER,
        EntryState.PRESENT,
        NextStep.PUSH,
    )


@pytest.mark.parametrize(
    ("state", "step", "troubled"),
    [
        (EntryState.WANTED, NextStep.PUSH, False),
        (EntryState.INTENDED, NextStep.PUSH, False),
        (EntryState.UNKNOWN, NextStep.PUSH, True),
        (EntryState.FAILED, NextStep.PUSH, True),
        (EntryState.BLOCKED, NextStep.PUSH, True),
        (EntryState.CONFLICT, NextStep.RESCHEDULE, True),
        (EntryState.WAITING_FOR_LOG_ON, NextStep.LOG_ON, True),
        (EntryState.MOVED_BY_OWNER, NextStep.NOTHING, False),
        (EntryState.REMOVED_BY_OWNER, NextStep.NOTHING, False),
        (EntryState.CANCELLED, NextStep.PUSH, False),
    ],
)
def test_every_state_has_its_next_step(state, step, troubled):
    found = one(state)
    assert (found.state, found.next, found.troubled) == (state, step, troubled)


@pytest.mark.parametrize("state", list(EntryState))
def test_nothing_is_asked_for_once_all_is_over(state):
    found = one(state, make_booking(when=BEFORE), when=BEFORE, item_id=None)
    assert (found.state, found.next, found.troubled) == (state, NextStep.NOTHING, False)


def test_a_calendar_that_may_not_be_written_to_asks_for_a_validation():
    blocked = replace(PAGE, blocked=Reason.NO_ACCESS)
    found = one(EntryState.BLOCKED, pages=[blocked], reason=Reason.PAGE_BLOCKED)
    assert (found.next, found.reason, found.troubled) == (NextStep.VALIDATE, Reason.PAGE_BLOCKED, True)
    assert stands(make_booking(), closed_calendars={COPY: Reason.LEVEL_TOO_LOW}) == [
        (MAIN, EntryState.WANTED, NextStep.PUSH),
        (COPY, EntryState.WANTED, NextStep.VALIDATE),
    ]


def test_a_calendar_that_no_validation_has_looked_at_only_waits_for_a_push():
    found = standings(make_snapshot([], closed_calendars={MAIN: Reason.NEVER_VALIDATED}), make_booking())[0]
    assert (found.next, found.reason, found.troubled) == (NextStep.PUSH, None, False)


def test_a_calendar_without_a_connection_waits_for_one():
    found = standings(make_snapshot([], opened_at={}), make_booking())[0]
    assert (found.state, found.next, found.reason) == (EntryState.WANTED, NextStep.LOG_ON, Reason.NO_CONNECTION)


def test_a_conflict_of_a_cancelled_booking_asks_for_no_other_time():
    assert one(EntryState.CONFLICT, cancelled(), item_id=None).next is NextStep.PUSH
