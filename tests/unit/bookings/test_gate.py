"""What the gate lets pass: of a plan, and of what owners did."""

from dataclasses import replace

import pytest

from busytime.bookings import EntryState, OwnerChanges
from busytime.model import Role
from busytime.planning import PageRules, RefusedPage, is_too_much, make_plan, plan_following
from tests.unit.bookings.snapshots import (
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
from tests.unit.moments import window

ALONE = PageRules("intro-call", "Europe/Berlin", {MAIN: Role.MAIN})
OLDER, NEWER = 4, 6
STATES = set(EntryState)


def page_of(count, disturbed, *, name="intro-call", change=cancelled, state=EntryState.PRESENT, **values):
    """Return bookings of a page, the first ones disturbed, and their entries in its main calendar."""
    keys = [f"{name}-{number:02}" for number in range(count)]
    bookings = [(change if number < disturbed else make_booking)(key, page=name) for number, key in enumerate(keys)]
    return bookings, [make_entry(state, key=key, **values) for key in keys]


def gate(bookings, entries, *, pages=(ALONE,), forced=(), **values):
    return make_plan(make_snapshot(bookings, entries, pages=pages, **values), forced_pages=forced)


def moved(key, *, page):
    return make_booking(key, page=page, when=ELSEWHERE, revision=NEWER)


@pytest.mark.parametrize("change", [cancelled, moved])
@pytest.mark.parametrize(
    ("future", "disturbed", "refused"),
    [
        (10, 2, False),
        (10, 3, True),
        (9, 9, False),
        (14, 2, False),
        (14, 3, True),
        (100, 20, False),
        (100, 21, True),
        (50, 0, False),
    ],
)
def test_a_page_that_disturbs_over_a_fifth_of_at_least_10_is_refused(change, future, disturbed, refused):
    plan = gate(*page_of(future, disturbed, change=change))
    assert is_too_much(disturbed, future) is refused
    assert plan.refused_pages == ((RefusedPage("intro-call", disturbed, future),) if refused else ())
    assert len(plan.refused) == (disturbed if refused else 0)
    assert len(plan.changes) == (0 if refused else disturbed)


def test_a_refused_page_is_refused_whole_and_other_pages_go_on():
    bookings, entries = page_of(10, 3)
    other = replace(PAGE, name="other", targets={OTHER: Role.MAIN})
    news = [make_booking("new"), make_booking("elsewhere", page="other"), make_booking("away", page="other")]
    plan = gate([*bookings, *news], entries, pages=(ALONE, other))
    assert {change.booking.key for change in plan.changes} == {"elsewhere", "away"}
    assert {change.booking.key for change in plan.refused} == {*(it.key for it in bookings[:3]), "new"}
    assert [it.page for it in plan.refused_pages] == ["intro-call"]


def test_another_page_s_entries_do_not_open_the_gate():
    other = replace(ALONE, name="other")
    bookings, entries = page_of(10, 3)
    more_bookings, more_entries = page_of(90, 0, name="other")
    plan = gate([*bookings, *more_bookings], [*entries, *more_entries], pages=(ALONE, other))
    assert [it.page for it in plan.refused_pages] == ["intro-call"]


def test_a_forced_page_passes_the_gate_and_others_do_not():
    other = replace(ALONE, name="other")
    bookings, entries = page_of(10, 3)
    more_bookings, more_entries = page_of(10, 4, name="other")
    plan = gate([*bookings, *more_bookings], [*entries, *more_entries], pages=(ALONE, other), forced=["intro-call"])
    assert plan.refused_pages == (RefusedPage("other", 4, 10),)
    assert len(plan.changes) == 3


@pytest.mark.parametrize(
    ("state", "item_id"),
    [
        (EntryState.WANTED, None),
        (EntryState.CONFLICT, None),
        (EntryState.BLOCKED, None),
        (EntryState.FAILED, None),
        (EntryState.REMOVED_BY_OWNER, None),
        (EntryState.REMOVED_BY_OWNER, "item"),
    ],
)
def test_taking_away_what_is_in_no_calendar_is_quiet(state, item_id):
    bookings, entries = page_of(10, 2)
    keys = [f"absent-{number}" for number in range(20)]
    absent = [make_entry(state, key=key, item_id=item_id) for key in keys]
    plan = gate([*bookings, *(cancelled(key) for key in keys)], [*entries, *absent])
    assert (len(plan.changes), plan.refused_pages) == (22, ())


@pytest.mark.parametrize(
    ("state", "values"),
    [
        (EntryState.CANCELLED, {"item_id": None}),
        (EntryState.CANCELLED, {}),
        (EntryState.REMOVED_BY_OWNER, {}),
        (EntryState.REMOVED_BY_OWNER, {"item_id": None}),
        (EntryState.CONFLICT, {"item_id": None}),
        (EntryState.PRESENT, {"when": window(-30, 0)}),
        (EntryState.FAILED, {"when": None}),
    ],
)
def test_what_is_in_no_calendar_or_over_widens_no_gate(state, values):
    bookings, entries = page_of(10, 3)
    keys = [f"more-{number}" for number in range(90)]
    more = [make_entry(state, key=key, **values) for key in keys]
    plan = gate([*bookings, *(make_booking(key) for key in keys)], [*entries, *more])
    assert plan.refused_pages == (RefusedPage("intro-call", 3, 10),)


@pytest.mark.parametrize("state", [EntryState.UNKNOWN, EntryState.MOVED_BY_OWNER, EntryState.CONFLICT, EntryState.ORPHANED])
def test_what_may_be_in_a_calendar_counts_whatever_its_state(state):
    assert gate(*page_of(10, 3, state=state)).refused_pages == (RefusedPage("intro-call", 3, 10),)


def test_a_new_text_at_the_same_time_disturbs_nobody():
    plan = gate(*page_of(20, 20, change=lambda key, page: make_booking(key, page=page, revision=NEWER)))
    assert (len(plan.changes), plan.refused_pages) == (20, ())


def test_new_bookings_disturb_nobody():
    bookings, entries = page_of(10, 2)
    plan = gate([*bookings, *(make_booking(f"new-{number}") for number in range(50))], entries)
    assert (len(plan.changes), plan.refused_pages) == (52, ())


def test_each_calendar_of_a_page_counts():
    bookings, entries = page_of(5, 1)
    copies = [replace(entry, calendar_id=COPY) for entry in entries]
    assert gate(bookings, [*entries, *copies], pages=(PAGE,)).refused_pages == ()
    bookings, entries = page_of(5, 2)
    assert gate(bookings, [*entries, *copies], pages=(PAGE,)).refused_pages == (RefusedPage("intro-call", 4, 10),)


def test_a_page_that_loses_its_additional_calendar_is_looked_at_by_the_gate():
    bookings, entries = page_of(10, 0)
    copies = [replace(entry, calendar_id=COPY) for entry in entries]
    assert gate(bookings, [*entries, *copies]).refused_pages == (RefusedPage("intro-call", 10, 20),)


@pytest.mark.parametrize("when", [window(-30, 0), window(-90, -60), None])
def test_moving_what_is_over_disturbs_nobody(when):
    bookings, entries = page_of(20, 2)
    keys = [f"over-{number}" for number in range(20)]
    over = [make_entry(EntryState.PRESENT, key=key, when=when) for key in keys]
    plan = gate([*bookings, *(make_booking(key, revision=NEWER) for key in keys)], [*entries, *over])
    assert (len(plan.changes), plan.refused_pages) == (22, ())


# Following owners.

FOLLOWING = replace(ALONE, owner_changes=OwnerChanges.FOLLOW)


def followed(booking, *entries, page=FOLLOWING):
    changes, refused = plan_following(make_snapshot([booking], entries, pages=(page,) if page else ()))
    assert refused == []
    assert all(change.booking is booking and change.entry in entries for change in changes)
    return [change.window for change in changes]


@pytest.mark.parametrize("state", STATES)
def test_a_booking_follows_its_owner_only_where_the_entry_was_moved_or_removed(state):
    expected = {EntryState.MOVED_BY_OWNER: [ELSEWHERE], EntryState.REMOVED_BY_OWNER: [None]}
    assert followed(make_booking(), make_entry(state, when=ELSEWHERE)) == expected.get(state, [])


BY_OWNER = [EntryState.MOVED_BY_OWNER, EntryState.REMOVED_BY_OWNER]


@pytest.mark.parametrize("state", BY_OWNER)
@pytest.mark.parametrize("booking", [make_booking(revision=NEWER), make_booking(revision=OLDER), cancelled()])
def test_what_an_owner_did_with_another_revision_is_not_followed(state, booking):
    assert followed(booking, make_entry(state, when=ELSEWHERE)) == []


@pytest.mark.parametrize("state", BY_OWNER)
@pytest.mark.parametrize("page", [ALONE, PAGE, None])
def test_a_page_that_only_reports_follows_nobody(state, page):
    assert followed(make_booking(), make_entry(state, when=ELSEWHERE), page=page) == []


@pytest.mark.parametrize("state", BY_OWNER)
def test_only_the_main_calendar_is_followed(state):
    page = replace(PAGE, owner_changes=OwnerChanges.FOLLOW)
    assert followed(make_booking(), make_entry(state, calendar_id=COPY, when=ELSEWHERE), page=page) == []


@pytest.mark.parametrize("state", BY_OWNER)
@pytest.mark.parametrize(("count", "refused"), [(2, False), (3, True)])
def test_the_gate_looks_at_what_owners_did_and_other_pages_go_on(state, count, refused):
    other = replace(FOLLOWING, name="other")
    bookings, entries = page_of(10, 0)
    entries = [replace(it, state=state) if number < count else it for number, it in enumerate(entries)]
    more_bookings, more_entries = page_of(9, 0, name="other", state=state)
    snapshot = make_snapshot([*bookings, *more_bookings], [*entries, *more_entries], pages=(FOLLOWING, other))
    changes, pages = plan_following(snapshot)
    assert len(changes) == 9 + (0 if refused else count)
    assert pages == ([RefusedPage("intro-call", count, 10)] if refused else [])
