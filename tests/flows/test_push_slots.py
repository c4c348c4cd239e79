"""Slots that are taken, or not known to be free: nothing is written there, until they are free."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.flows.harness import book
from tests.flows.permitting import grant, revoke
from tests.flows.pushing import WRITES, again, at, booked, booking_page, slot

TAKEN = ("create", "conflict", "slot_taken")
APPLIED = ("create", "applied", None)
STATES = ("unknown", "intended")


NAMES = ("taken", "default", "sub", "edges", "lenient", "closed", "hidden", "moving", "strange", "double", "series", *STATES)


@pytest.fixture(scope="module")
def scene(scene_diary):
    """Three pushes for many pages: slots are taken, then free, and what was lost in between is looked up in the second."""
    diary = scene_diary
    main, other = ({name: diary.person() for name in NAMES} for _ in range(2))
    seen = SimpleNamespace(diary=diary, main=main, other=other)
    furnish(seen)
    mark = diary.mark()
    seen.first, seen.first_writes, seen.first_entries = diary.push(), diary.requests(mark, *WRITES), diary.entries()
    change(seen)
    seen.second, seen.second_entries = diary.push(), diary.entries()
    seen.third = diary.push()
    return seen


def furnish(scene):
    """Make pages, take some of their slots, and book on all of them."""
    diary, exchange, main, other = scene.diary, scene.diary.exchange, scene.main, scene.other
    for name in ("sub", "hidden"):
        exchange.control("POST", "/calendars", {"owner": other[name], "folder": "Projects"})
    diary.pages(
        booking_page(main["taken"], [other["taken"]], name="taken"),
        *(booking_page(main[it], busy=[other[it]], name=it) for it in ("default", "closed")),
        *(booking_page(main[it], busy=[f"{other[it]}/Projects"], name=it) for it in ("sub", "hidden")),
        *(booking_page(main[it], [other[it]], [other[it]], name=it) for it in ("moving", "strange")),
        *(booking_page(main[it], name=it) for it in ("edges", "double", "series", *STATES)),
        booking_page(main["lenient"], busy=[other["lenient"]], name="lenient", allow_conflicts=True),
        booking_page(main["double"], name="rival"),
    )
    scene.theirs = book(exchange, main["taken"], at(9, 15))
    book(exchange, other["default"], at(9), 30, status="tentative")
    book(exchange, other["sub"], at(9), 30, folder="Projects")
    book(exchange, main["edges"], at(8), 60)
    book(exchange, main["edges"], at(9, 30), 60)
    book(exchange, main["edges"], at(9), 30, status="free")
    for owner in (main["lenient"], other["lenient"]):
        book(exchange, owner, at(9))
    book(exchange, main["series"], at(9, days=3), rrule="FREQ=DAILY;INTERVAL=2;COUNT=5")
    revoke(exchange, other["closed"])
    revoke(exchange, other["hidden"], "Projects")
    diary.take(*(booked(it, at(9), page=it) for it in ("taken", "edges", "lenient", "closed", "hidden", "double")))
    diary.take(*(booked(it, at(9), 60, page=it) for it in ("moving", "strange")))
    diary.take(*(booked(f"{it}-taken", at(9, 15), page=it) for it in ("default", "sub")))
    diary.take(*(booked(f"{it}-next", at(9, 45), page=it) for it in ("default", "sub")))
    diary.take(booked("rival", at(9, 15), page="rival"), *(booked(f"{it}-lost", at(9, 15), page=it) for it in STATES))
    diary.take(booked("series-taken", at(9, days=5), page="series"), booked("series-free", at(9, days=6), page="series"))


def change(scene):
    """Free slots and take others, lose entries out of sight, and book into their slots."""
    diary, exchange = scene.diary, scene.diary.exchange
    exchange.control("DELETE", f"/appointments/{scene.theirs}")
    grant(exchange, scene.other["closed"], "Reviewer")
    grant(exchange, scene.other["hidden"], "Reviewer", "Projects")
    book(exchange, scene.other["strange"], at(9), 60)
    for state in STATES:
        # Its request may still take effect: the calendar does not show it, and nobody has looked it up yet.
        (item,) = diary.items(scene.main[state])
        exchange.control("DELETE", f"/appointments/{item['id']}")
        lost = "UPDATE entries SET state = :state, attempt_id = 'of a dead process ' || :state WHERE booking_key = :key"
        diary.change(lost, state=state, key=f"{state}-lost")
    diary.take(*(again(booked(it, at(9), page=it), at(9, 30), 60) for it in ("moving", "strange")))
    diary.take(*(booked(it, at(9), page=it) for it in STATES))


def test_taken_main_calendar_is_a_conflict_in_all_calendars_of_the_booking(scene):
    places = [("taken", scene.main["taken"]), ("taken", scene.other["taken"])]
    assert [scene.first.changes[place] for place in places] == [TAKEN] * 2
    assert [scene.first_entries[place] for place in places] == [("conflict", "slot_taken")] * 2
    assert not {scene.main["taken"], scene.other["taken"]} & {mailbox for _, mailbox in scene.first_writes}
    assert scene.first.status == "completed_with_failures"


def test_conflict_that_is_over_is_written_by_the_next_push(scene):
    for calendar in (scene.main["taken"], scene.other["taken"]):
        assert scene.diary.ours(calendar) == {"taken": slot(at(9))}
        assert scene.second_entries["taken", calendar] == ("present", None)


@pytest.mark.parametrize("place", ["default", "sub"])
def test_taken_busy_calendar_is_a_conflict(scene, place):
    assert scene.first.changes[f"{place}-taken", scene.main[place]] == TAKEN
    assert scene.diary.ours(scene.main[place]) == {f"{place}-next": slot(at(9, 45))}


def test_appointment_that_is_free_or_touches_the_slot_takes_nothing(scene):
    assert scene.first.changes["edges", scene.main["edges"]] == APPLIED


def test_page_that_allows_conflicts_is_written_over_what_is_there(scene):
    assert scene.first.changes["lenient", scene.main["lenient"]] == APPLIED


def test_booking_is_not_in_its_own_way_when_it_moves_by_half_its_length(scene):
    # The other calendar is read for busy time, and has an entry of the booking itself.
    for calendar in (scene.main["moving"], scene.other["moving"]):
        assert scene.second.changes["moving", calendar] == ("update", "applied", None)
        assert scene.diary.ours(calendar) == {"moving": slot(at(9, 30), 60)}


def test_stranger_of_the_same_time_is_in_the_way_of_a_booking_that_moves(scene):
    assert scene.second.changes["strange", scene.main["strange"]] == ("update", "conflict", "slot_taken")
    assert scene.diary.ours(scene.main["strange"]) == {"strange": slot(at(9), 60)}


def test_two_bookings_of_one_slot_leave_one_entry(scene):
    main = scene.main["double"]
    assert (scene.first.changes["double", main], scene.first.changes["rival", main]) == (APPLIED, TAKEN)
    assert set(scene.diary.ours(main)) == {"double"}


@pytest.mark.parametrize("state", STATES)
def test_another_bookings_entry_that_may_be_there_is_in_the_way_until_it_was_looked_up(scene, state):
    main = scene.main[state]
    assert scene.second.changes[state, main] == TAKEN
    assert scene.second_entries[f"{state}-lost", main] == ("removed_by_owner", "gone")
    assert scene.third.changes[state, main] == APPLIED
    assert scene.diary.ours(main) == {state: slot(at(9))}


@pytest.mark.parametrize(("place", "reason"), [("closed", "no_access"), ("hidden", "folder_not_found")])
def test_busy_calendar_that_cannot_be_read_blocks_until_it_can(scene, place, reason):
    main = scene.main[place]
    assert scene.first.changes[place, main] == ("create", "refused", reason)
    assert scene.first_entries[place, main] == ("blocked", reason)
    assert scene.second.changes[place, main] == APPLIED


def test_series_takes_the_slots_of_its_occurrences_alone(scene):
    main = scene.main["series"]
    assert scene.first.changes["series-taken", main] == TAKEN
    assert scene.first.changes["series-free", main] == APPLIED


def test_bookings_of_two_months_share_a_reading_before_and_one_after_for_each_month(diary, person):
    main = person()
    diary.pages(booking_page(main))
    diary.take(*(booked(f"BK-{days}", at(9, days=days)) for days in range(2, 59, 7)))
    diary.push()
    diary.take(*(booked(f"MORE-{days}", at(11, days=days)) for days in range(2, 59, 7)))
    mark = diary.mark()
    diary.push()
    assert len(diary.ours(main)) == 18
    assert diary.requests(mark, "FindItem") == [("FindItem", main)] * 4
