"""What is planned for one booking in one calendar, and what the gate lets pass."""

from dataclasses import replace
from datetime import timedelta

import pytest

from busytime.bookings import ChangeKind, EntryState
from busytime.model import Role
from busytime.planning import PageRules, Plan, make_plan, plan_booking
from tests.unit.bookings.snapshots import (
    BEFORE,
    COPY,
    ELSEWHERE,
    HAS_ITEM,
    HAS_NO_ITEM,
    MAIN,
    OTHER,
    PAGE,
    WHEN,
    cancelled,
    make_booking,
    make_entry,
    make_intent,
    make_snapshot,
)
from tests.unit.moments import MONDAY, at, window

CREATE, UPDATE, CANCEL = ChangeKind.CREATE, ChangeKind.UPDATE, ChangeKind.CANCEL
ALONE = PageRules("intro-call", "Europe/Berlin", {MAIN: Role.MAIN})
OLDER, SAME, NEWER = 4, 5, 6
STATES = set(EntryState)
#: Neither as their booking wants them nor left alone: each push tries again.
UNSETTLED = STATES - HAS_ITEM - HAS_NO_ITEM | {EntryState.WANTED}

#: (state, whether it has an item's id): what is planned at an older, the same and a newer revision.
WANTED = {
    (EntryState.PRESENT, True): (None, None, UPDATE),
    (EntryState.MOVED_BY_OWNER, True): (None, None, UPDATE),
    (EntryState.REMOVED_BY_OWNER, False): (None, None, CREATE),
    (EntryState.CANCELLED, False): (CREATE, CREATE, CREATE),
    (EntryState.WANTED, False): (CREATE, CREATE, CREATE),
    (EntryState.INTENDED, False): (CREATE, CREATE, CREATE),
    (EntryState.INTENDED, True): (UPDATE, UPDATE, UPDATE),
    (EntryState.UNKNOWN, False): (CREATE, CREATE, CREATE),
    (EntryState.UNKNOWN, True): (UPDATE, UPDATE, UPDATE),
    (EntryState.CONFLICT, False): (CREATE, CREATE, CREATE),
    (EntryState.CONFLICT, True): (UPDATE, UPDATE, UPDATE),
    (EntryState.BLOCKED, False): (CREATE, CREATE, CREATE),
    (EntryState.BLOCKED, True): (UPDATE, UPDATE, UPDATE),
    (EntryState.WAITING_FOR_LOG_ON, False): (CREATE, CREATE, CREATE),
    (EntryState.WAITING_FOR_LOG_ON, True): (UPDATE, UPDATE, UPDATE),
    (EntryState.FAILED, False): (CREATE, CREATE, CREATE),
    (EntryState.FAILED, True): (UPDATE, UPDATE, UPDATE),
    (EntryState.ORPHANED, False): (CREATE, CREATE, CREATE),
    (EntryState.ORPHANED, True): (UPDATE, UPDATE, UPDATE),
}
REVISIONS = {OLDER: 0, SAME: 1, NEWER: 2}
every_row = pytest.mark.parametrize(("state", "has_item"), WANTED, ids=lambda it: str(it).lower())


def in_state(state, has_item, **values):
    return make_entry(state, item_id="item" if has_item else None, **values)


def planned(booking, *entries, page=ALONE, **values):
    """Return what is planned for a booking: kind by calendar."""
    snapshot = make_snapshot([booking], entries, pages=(page,) if page else (), **values)
    changes = plan_booking(snapshot, booking)
    assert all(change.booking is booking and change.entry in {None, *entries} for change in changes)
    assert len({change.calendar_id for change in changes}) == len(changes)
    return {change.calendar_id: change.kind for change in changes}


def expected(kind):
    return {} if kind is None else {MAIN: kind}


def test_the_table_has_every_state():
    assert {state for state, _ in WANTED} == STATES


@every_row
@pytest.mark.parametrize("revision", REVISIONS, ids=["older", "same", "newer"])
def test_a_wanted_entry_is_brought_to_its_booking(state, has_item, revision):
    wanted = WANTED[state, has_item][REVISIONS[revision]]
    assert planned(make_booking(revision=revision), in_state(state, has_item)) == expected(wanted)


@every_row
@pytest.mark.parametrize("revision", REVISIONS, ids=["older", "same", "newer"])
def test_another_time_alone_moves_only_what_is_present(state, has_item, revision):
    wanted = WANTED[state, has_item][REVISIONS[revision]]
    if state is EntryState.PRESENT and revision == SAME:
        wanted = UPDATE
    assert planned(make_booking(revision=revision, when=ELSEWHERE), in_state(state, has_item)) == expected(wanted)


@every_row
def test_an_entry_that_was_never_written_is_behind_every_revision(state, has_item):
    wanted = WANTED[state, has_item][REVISIONS[NEWER]]
    assert planned(make_booking(revision=1), in_state(state, has_item, revision=None)) == expected(wanted)


@pytest.mark.parametrize("revision", REVISIONS, ids=["older", "same", "newer"])
def test_a_page_that_asks_for_it_makes_a_removed_entry_again(revision):
    page = replace(ALONE, recreate=True)
    entry = in_state(EntryState.REMOVED_BY_OWNER, has_item=False)
    assert planned(make_booking(revision=revision), entry, page=page) == {MAIN: CREATE}


@every_row
def test_a_page_that_recreates_changes_nothing_else(state, has_item):
    if state is EntryState.REMOVED_BY_OWNER:
        return
    page = replace(ALONE, recreate=True)
    assert planned(make_booking(), in_state(state, has_item), page=page) == expected(WANTED[state, has_item][1])


@every_row
@pytest.mark.parametrize("revision", REVISIONS, ids=["older", "same", "newer"])
def test_an_entry_of_a_cancelled_booking_is_taken_away(state, has_item, revision):
    wanted = None if state is EntryState.CANCELLED else CANCEL
    assert planned(cancelled(revision=revision), in_state(state, has_item)) == expected(wanted)


@every_row
def test_an_entry_in_a_calendar_that_its_page_left_is_taken_away(state, has_item):
    entry = in_state(state, has_item, calendar_id=OTHER)
    there = make_entry(EntryState.PRESENT)
    assert planned(make_booking(), there, entry) == ({} if state is EntryState.CANCELLED else {OTHER: CANCEL})


@every_row
def test_a_page_that_left_the_roster_takes_nothing_with_it(state, has_item):
    assert planned(make_booking(revision=NEWER), in_state(state, has_item), page=None) == {}


@every_row
def test_a_booking_that_is_cancelled_after_its_page_left_is_taken_away(state, has_item):
    wanted = None if state is EntryState.CANCELLED else CANCEL
    assert planned(cancelled(), in_state(state, has_item), page=None) == expected(wanted)


@every_row
@pytest.mark.parametrize("booking", [make_booking(revision=NEWER), cancelled(), make_booking(when=ELSEWHERE)])
def test_nothing_is_planned_in_a_calendar_that_left_the_roster(state, has_item, booking):
    assert planned(booking, in_state(state, has_item), in_use=(COPY, OTHER)) == {}


@every_row
@pytest.mark.parametrize("booking", [make_booking(when=BEFORE, revision=NEWER), cancelled(when=BEFORE)])
def test_what_is_over_is_left_as_it_is(state, has_item, booking):
    assert planned(booking, in_state(state, has_item, when=BEFORE)) == {}


@pytest.mark.parametrize("minutes", [-1, 0, 1])
def test_a_booking_is_over_at_its_end(minutes):
    ends_now = window(-30, minutes)
    wanted = {MAIN: UPDATE} if minutes > 0 else {}
    assert planned(make_booking(when=ends_now, revision=NEWER), make_entry(EntryState.PRESENT, when=ends_now)) == wanted
    assert planned(make_booking(when=ends_now)) == ({MAIN: CREATE} if minutes > 0 else {})


@every_row
def test_an_entry_in_the_past_of_a_booking_in_the_future_follows_it(state, has_item):
    entry = in_state(state, has_item, when=BEFORE)
    assert planned(make_booking(revision=NEWER), entry) == expected(WANTED[state, has_item][2])


@every_row
def test_an_entry_in_the_future_of_a_booking_in_the_past_follows_it_but_none_is_made(state, has_item):
    wanted = WANTED[state, has_item][2]
    if wanted is CREATE and state not in {EntryState.INTENDED, EntryState.UNKNOWN}:
        wanted = None
    assert planned(make_booking(when=BEFORE, revision=NEWER), in_state(state, has_item)) == expected(wanted)


@every_row
def test_a_cancelled_booking_in_the_past_takes_away_its_entry_in_the_future(state, has_item):
    wanted = None if state is EntryState.CANCELLED else CANCEL
    assert planned(cancelled(when=BEFORE), in_state(state, has_item)) == expected(wanted)


@pytest.mark.parametrize("state", [EntryState.INTENDED, EntryState.UNKNOWN])
@pytest.mark.parametrize(("booking", "wanted"), [(make_booking(when=BEFORE), CREATE), (cancelled(when=BEFORE), CANCEL)])
def test_a_lost_request_for_the_future_is_looked_up_although_its_booking_is_in_the_past_now(state, booking, wanted):
    lost = make_entry(state, item_id=None, when=None, revision=None, intent=make_intent(when=WHEN))
    assert planned(booking, lost) == {MAIN: wanted}


@pytest.mark.parametrize("state", UNSETTLED - {EntryState.INTENDED, EntryState.UNKNOWN})
def test_what_was_once_intended_for_the_future_does_not_matter_once_it_is_settled(state):
    settled = make_entry(state, item_id=None, when=None, revision=None, intent=make_intent(when=WHEN))
    assert planned(make_booking(when=BEFORE), settled) == {}


@pytest.mark.parametrize("state", STATES)
def test_a_cancelled_booking_without_a_time_takes_away_what_is_in_the_future(state):
    wanted = {} if state is EntryState.CANCELLED else {MAIN: CANCEL}
    assert planned(cancelled(when=None), make_entry(state)) == wanted
    assert planned(cancelled(when=None), make_entry(state, when=BEFORE)) == {}


def test_a_cancelled_booking_without_an_entry_asks_for_nothing():
    assert planned(cancelled()) == planned(cancelled(when=None)) == {}


@pytest.mark.parametrize(
    ("booked", "backfill", "wanted"),
    [(-1, False, {}), (0, False, {}), (1, False, {MAIN: CREATE}), (-1, True, {MAIN: CREATE}), (0, True, {MAIN: CREATE})],
)
def test_what_was_booked_before_the_connection_was_opened_is_made_only_when_asked_for(booked, backfill, wanted):
    booking = make_booking(booked_at=MONDAY + timedelta(microseconds=booked))
    assert planned(booking, opened_at={MAIN: MONDAY}, backfill=backfill) == wanted


@every_row
def test_an_entry_that_exists_is_followed_whenever_its_connection_was_opened(state, has_item):
    early = make_booking(booked_at=at(-100))
    assert planned(early, in_state(state, has_item), opened_at={MAIN: MONDAY}) == expected(WANTED[state, has_item][1])


def test_a_calendar_that_no_connection_serves_yet_gets_its_entry_planned():
    assert planned(make_booking(booked_at=at(-1000)), opened_at={}) == {MAIN: CREATE}


def test_each_calendar_has_its_own_connection_and_its_own_start():
    booking = make_booking(booked_at=MONDAY)
    opened_at = {MAIN: at(-1), COPY: at(1)}
    assert planned(booking, page=PAGE, opened_at=opened_at) == {MAIN: CREATE}


def test_a_page_that_changes_its_main_calendar_takes_its_entry_there():
    moved = replace(PAGE, targets={OTHER: Role.MAIN, COPY: Role.ADDITIONAL})
    entries = [make_entry(EntryState.PRESENT), make_entry(EntryState.PRESENT, calendar_id=COPY)]
    assert planned(make_booking(), *entries, page=moved) == {MAIN: CANCEL, OTHER: CREATE}


def test_a_change_tells_the_role_that_its_calendar_has_now():
    gone = make_entry(EntryState.PRESENT, calendar_id=OTHER)
    booking = make_booking()
    changes = plan_booking(make_snapshot([booking], [gone]), booking)
    assert {change.calendar_id: change.role for change in changes} == {MAIN: Role.MAIN, COPY: Role.ADDITIONAL, OTHER: None}


def test_changes_are_in_order_of_time_booking_role_and_calendar():
    early, tie, late = (make_booking(key, when=when) for key, when in [("C", WHEN), ("D", WHEN), ("A", ELSEWHERE)])
    page = replace(PAGE, targets={OTHER: Role.MAIN, COPY: Role.ADDITIONAL, MAIN: Role.ADDITIONAL})
    gone = make_entry(EntryState.PRESENT, key="C", calendar_id=4)
    unscheduled = cancelled("B", when=None)
    its = make_entry(EntryState.PRESENT, key="B", when=window(61, 62))
    plan = make_plan(make_snapshot([late, unscheduled, tie, early], [gone, its], pages=(page,), in_use=(1, 2, 3, 4)))
    assert [(change.booking.key, change.calendar_id) for change in plan.changes] == [
        ("C", OTHER), ("C", MAIN), ("C", COPY), ("C", 4), ("D", OTHER), ("D", MAIN), ("D", COPY),
        ("B", MAIN), ("A", OTHER), ("A", MAIN), ("A", COPY),
    ]  # fmt: skip


def test_nothing_to_do_is_an_empty_plan():
    assert make_plan(make_snapshot([])) == Plan()
    assert make_plan(make_snapshot([make_booking()], [make_entry(EntryState.PRESENT)], pages=(ALONE,))) == Plan()


# Orphans.

LEFT_ALONE = {EntryState.CANCELLED, EntryState.ORPHANED, EntryState.REMOVED_BY_OWNER}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("booking", [make_booking(), cancelled()], ids=["scheduled", "cancelled"])
def test_entries_of_calendars_that_left_the_roster_become_orphans(state, booking):
    entry = make_entry(state)
    plan = make_plan(make_snapshot([booking], [entry], in_use=(COPY, OTHER), pages=()))
    assert plan == Plan(orphans=() if state in LEFT_ALONE else (entry,))


@pytest.mark.parametrize("state", STATES)
def test_entries_of_pages_that_left_the_roster_become_orphans(state):
    entry = make_entry(state)
    plan = make_plan(make_snapshot([make_booking()], [entry], pages=()))
    assert plan == Plan(orphans=() if state in LEFT_ALONE else (entry,))


@pytest.mark.parametrize("state", STATES)
def test_entries_in_use_are_no_orphans(state):
    for booking in (make_booking(), cancelled()):
        entries = [make_entry(state), make_entry(state, calendar_id=OTHER)]
        assert make_plan(make_snapshot([booking], entries, pages=(ALONE,))).orphans == ()


def test_a_cancelled_booking_of_a_page_that_left_makes_no_orphan():
    plan = make_plan(make_snapshot([cancelled()], [make_entry(EntryState.PRESENT)], pages=()))
    assert [change.kind for change in plan.changes] == [CANCEL]
    assert plan.orphans == ()


@pytest.mark.parametrize("state", [EntryState.INTENDED, EntryState.UNKNOWN])
def test_an_orphan_that_comes_back_is_brought_to_its_booking(state):
    entry = make_entry(EntryState.ORPHANED, item_id=None, intent=make_intent())
    assert planned(make_booking(), entry) == planned(make_booking(), replace(entry, state=state)) == {MAIN: CREATE}


@pytest.mark.parametrize("state", EntryState)
@pytest.mark.parametrize("revision", [4, 5, 6])
def test_a_blanked_booking_is_never_written_and_may_be_taken_out(state, revision):
    entry = make_entry(state, revision=revision, when=ELSEWHERE)
    blanked = make_booking().without_texts()
    assert make_plan(make_snapshot([blanked], [entry], backfill=True)).changes == ()
    kinds = {it.kind for it in make_plan(make_snapshot([cancelled().without_texts()], [entry])).changes}
    assert kinds <= {ChangeKind.CANCEL}
