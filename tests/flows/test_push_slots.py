"""Slots that are taken, or not known to be free: nothing is written there, until they are free."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.flows.harness import book
from tests.flows.permitting import grant, revoke
from tests.flows.pushing import WRITES, again, at, booked, booking_page, slot

TAKEN = ("create", "conflict", "slot_taken")


def test_taken_main_calendar_is_a_conflict_until_it_is_free(diary, exchange, person):
    main, additional = person(), person()
    diary.pages(booking_page(main, [additional]))
    theirs = book(exchange, main, at(9, 15), 60)
    diary.take(booked("BK-1", at(9)))
    mark = diary.mark()
    pushed = diary.push()
    assert pushed.status == "completed_with_failures"
    assert pushed.changes == {("BK-1", main): TAKEN, ("BK-1", additional): TAKEN}
    assert diary.requests(mark, *WRITES) == []
    assert diary.entries()["BK-1", main] == ("conflict", "slot_taken")

    exchange.control("DELETE", f"/appointments/{theirs}")
    assert diary.push().status == "completed"
    assert [diary.ours(calendar) for calendar in (main, additional)] == [{"BK-1": slot(at(9))}] * 2
    assert diary.entries()["BK-1", main] == ("present", None)


@pytest.mark.parametrize("folder", ["", "Projects"])
def test_taken_busy_calendar_is_a_conflict(diary, exchange, person, folder):
    main, other = person(), person()
    if folder:
        exchange.control("POST", "/calendars", {"owner": other, "folder": folder})
    diary.pages(booking_page(main, busy=[f"{other}/{folder}".rstrip("/")]))
    book(exchange, other, at(9), 30, folder=folder, status="tentative")
    diary.take(booked("TAKEN", at(9, 15)), booked("NEXT", at(9, 45)))
    pushed = diary.push()
    assert pushed.changes["TAKEN", main] == TAKEN
    assert diary.ours(main) == {"NEXT": slot(at(9, 45))}


def test_appointment_that_is_free_or_ends_when_the_booking_starts_takes_nothing(diary, exchange, person):
    main = person()
    diary.pages(booking_page(main))
    book(exchange, main, at(8), 60)
    book(exchange, main, at(9, 30), 60)
    book(exchange, main, at(9), 30, status="free")
    diary.take(booked("BK-1", at(9)))
    diary.push()
    assert diary.ours(main) == {"BK-1": slot(at(9))}


def test_page_that_allows_conflicts_is_written_over_what_is_there(diary, exchange, person):
    main, other = person(), person()
    diary.pages(booking_page(main, busy=[other], allow_conflicts=True))
    book(exchange, main, at(9))
    book(exchange, other, at(9))
    diary.take(booked("BK-1", at(9)))
    assert diary.push().status == "completed"
    assert diary.ours(main) == {"BK-1": slot(at(9))}


def test_booking_is_not_in_its_own_way_when_it_moves_by_half_its_length(diary, person):
    main, other = person(), person()
    # The other calendar is read for busy time, and has an entry of the booking itself.
    diary.pages(booking_page(main, [other], [other]))
    booking = booked("BK-1", at(9), 60)
    diary.take(booking)
    assert diary.push().status == "completed"
    diary.take(again(booking, at(9, 30), 60))
    assert diary.push().status == "completed"
    assert [diary.ours(calendar) for calendar in (main, other)] == [{"BK-1": slot(at(9, 30), 60)}] * 2


def test_stranger_of_the_same_time_is_in_the_way_of_a_booking_that_moves(diary, exchange, person):
    main, other = person(), person()
    diary.pages(booking_page(main, [other], [other]))
    booking = booked("BK-1", at(9), 60)
    diary.take(booking)
    diary.push()
    book(exchange, other, at(9), 60)
    diary.take(again(booking, at(9, 30), 60))
    assert diary.push().changes["BK-1", main] == ("update", "conflict", "slot_taken")
    assert diary.ours(main) == {"BK-1": slot(at(9), 60)}


def test_two_bookings_of_one_slot_leave_one_entry(diary, person):
    main = person()
    diary.pages(booking_page(main), booking_page(main, name="other"))
    diary.take(booked("BK-1", at(9)), booked("BK-2", at(9, 15), page="other"))
    pushed = diary.push()
    assert (pushed.changes["BK-1", main][1], pushed.changes["BK-2", main]) == ("applied", TAKEN)
    assert set(diary.ours(main)) == {"BK-1"}


@pytest.mark.parametrize("state", ["unknown", "intended"])
def test_another_bookings_entry_that_may_be_there_is_in_the_way(diary, exchange, person, state):
    main = person()
    diary.pages(booking_page(main))
    diary.take(booked("LOST", at(9, 15)))
    diary.push()
    # Its request may still take effect: the calendar does not show it, and nobody has looked it up yet.
    (item,) = diary.items(main)
    exchange.control("DELETE", f"/appointments/{item['id']}")
    diary.change("UPDATE entries SET state = :state, attempt_id = 'of a process that died'", state=state)
    diary.take(booked("BK-1", at(9)))
    pushed = diary.push()
    assert pushed.changes["BK-1", main] == TAKEN
    assert diary.entries()["LOST", main] == ("removed_by_owner", "gone")
    diary.push()
    assert diary.ours(main) == {"BK-1": slot(at(9))}


@pytest.mark.parametrize("folder", ["", "Projects"])
def test_busy_calendar_that_cannot_be_read_blocks(diary, exchange, person, folder):
    main, other = person(), person()
    if folder:
        exchange.control("POST", "/calendars", {"owner": other, "folder": folder})
    revoke(exchange, other, folder)
    diary.pages(booking_page(main, busy=[f"{other}/{folder}".rstrip("/")]))
    diary.take(booked("BK-1", at(9)))
    pushed = diary.push()
    reason = "folder_not_found" if folder else "no_access"
    assert pushed.changes == {("BK-1", main): ("create", "refused", reason)}
    assert diary.entries()["BK-1", main] == ("blocked", reason)
    grant(exchange, other, "Reviewer", folder)
    diary.push()
    assert diary.ours(main) == {"BK-1": slot(at(9))}


def test_reading_of_the_slot_is_new_in_each_push(diary, exchange, person):
    main = person()
    diary.pages(booking_page(main))
    diary.home.harvest().ended(0)
    book(exchange, main, at(9))  # no harvest has seen it
    diary.take(booked("BK-1", at(9)))
    assert diary.push().changes["BK-1", main] == TAKEN


def test_other_days_of_a_series_do_not_matter(diary, exchange, person):
    main = person()
    diary.pages(booking_page(main))
    body = {"start": at(9, days=3).isoformat(), "end": at(10, days=3).isoformat(), "subject": "Zanderfall"}
    exchange.control("POST", "/appointments", {"owner": main, **body, "rrule": "FREQ=DAILY;INTERVAL=2;COUNT=5"})
    diary.take(booked("TAKEN", at(9, days=5)), booked("FREE", at(9, days=6)))
    pushed = diary.push()
    assert pushed.changes["TAKEN", main] == TAKEN
    assert diary.ours(main) == {"FREE": slot(at(9, days=6))}


def test_hundreds_of_bookings_over_months_share_few_readings(diary, person):
    main = person()
    diary.pages(booking_page(main))
    first = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=1)
    diary.take(*(booked(f"BK-{day}", first + timedelta(days=day)) for day in range(40)))
    mark = diary.mark()
    diary.push()
    assert len(diary.ours(main)) == 40
    assert len(diary.requests(mark, "FindItem")) <= 2 * 2 + 2
