"""How fast a push is: log-ons that are refused, mailboxes in five minutes, and many bookings."""

from __future__ import annotations

from datetime import timedelta

import pytest

from busytime.ews.gateway import EWSCalendarGateway
from tests.flows.pushing import WRITES, at, booked, booking_page


def test_refused_log_on_lets_entries_wait_and_all_are_written_after_the_right_password(diary, exchange, person):
    main, additional = person(), person()
    diary.pages(booking_page(main, [additional]))
    diary.take(booked("BK-1", at(9)))
    exchange.control("POST", "/password", {"email": exchange.email, "password": "another-good-password"})
    mark = diary.mark()
    pushed = diary.push()
    assert (pushed.status, pushed.outcome.reason) == ("refused", "logon_refused")
    assert set(pushed.changes.values()) == {("create", "failed", "logon_refused")}
    assert {state for state, _ in diary.entries().values()} == {"waiting_for_log_on"}
    again = diary.push()
    assert (again.status, again.outcome.reason) == ("refused", "breaker_open")
    assert len([it for it in exchange.log(mark) if it["refused_logon"]]) == 1

    diary.home.connect("another-good-password").ended(0)
    assert diary.push().status == "completed"
    assert [set(diary.ours(calendar)) for calendar in (main, additional)] == [{"BK-1"}] * 2


def test_connection_that_is_ended_midway_lets_what_is_left_wait_with_a_reason(diary, person):
    main, additional = person(), person()
    diary.pages(booking_page(main, [additional]))
    diary.take(booked("BK-1", at(9)))
    write = EWSCalendarGateway.create_entry

    def create_entry(*args):
        written = write(*args)
        diary.change("UPDATE connections SET closed_at = opened_at")
        return written

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EWSCalendarGateway, "create_entry", create_entry)
        pushed = diary.push()
    assert (pushed.status, pushed.outcome.reason) == ("refused", "disconnected")
    assert pushed.changes["BK-1", additional] == ("create", "failed", "disconnected")
    assert diary.entries() == {("BK-1", main): ("present", None), ("BK-1", additional): ("waiting_for_log_on", "disconnected")}
    steps = diary.home.query("SELECT reason FROM audit_steps WHERE step = 'push_owner' ORDER BY id")
    assert steps == [("disconnected",)], "what could not be read back ended all that was to come"

    diary.change("UPDATE connections SET closed_at = NULL")
    assert diary.push().status == "completed"
    assert set(diary.ours(additional)) == {"BK-1"}


def test_third_mailbox_in_five_minutes_waits_where_two_are_allowed(diary, person, clock):
    owners = sorted(person() for _ in range(3))
    diary.home.more["BUSYTIME_MAILBOXES_IN_FIVE_MINUTES"] = "2"
    diary.pages(*(booking_page(owner, name=f"page{number}") for number, owner in enumerate(owners)))
    diary.take(*(booked(f"BK-{number}", at(9), page=f"page{number}") for number in range(3)))
    pushed = diary.push(clock=clock)
    assert pushed.status == "completed_with_failures"
    assert sorted(outcome for _, outcome, _ in pushed.changes.values()) == ["applied", "applied", "skipped"]
    assert {reason for _, outcome, reason in pushed.changes.values() if outcome == "skipped"} == {"paced"}
    assert diary.push(clock=clock).status == "completed_with_failures"
    clock.offset = timedelta(minutes=6)
    assert diary.push(clock=clock).status == "completed"
    assert [len(diary.ours(owner)) for owner in owners] == [1, 1, 1]


def test_mailbox_that_has_to_wait_is_told_so_where_nobody_can_log_on_either(diary, exchange, person, clock):
    owners = sorted(person() for _ in range(2))
    diary.home.more["BUSYTIME_MAILBOXES_IN_FIVE_MINUTES"] = "1"
    diary.pages(*(booking_page(owner, name=f"page{number}") for number, owner in enumerate(owners)))
    diary.take(booked("BK-0", at(9), page="page0"))
    assert diary.push(clock=clock).status == "completed"
    diary.take(booked("BK-1", at(9), page="page1"))
    exchange.control("POST", "/password", {"email": exchange.email, "password": "another-good-password"})
    assert diary.push(clock=clock).changes == {("BK-1", owners[1]): ("create", "skipped", "paced")}


def test_server_that_wants_fewer_mailboxes_is_given_fewer(diary, exchange, person, clock):
    owners = sorted(person() for _ in range(3))
    diary.pages(*(booking_page(owner, name=f"page{number}") for number, owner in enumerate(owners)))
    diary.take(*(booked(f"BK-{number}", at(9), page=f"page{number}") for number in range(2)))
    assert diary.push(clock=clock).status == "completed"
    diary.take(booked("BK-2", at(9), page="page2"), booked("BK-3", at(10), page="page2"))
    exchange.control("POST", "/faults", {"kind": "too_many_objects", "operation": "CreateItem", "mailbox": owners[-1]})
    mark = diary.mark()
    pushed = diary.push(clock=clock)
    assert set(pushed.changes.values()) == {("create", "skipped", "too_many_mailboxes")}
    assert diary.requests(mark, *WRITES) == [("CreateItem", owners[-1])]
    assert diary.home.query("SELECT mailboxes_in_five_minutes FROM connections") == [(2,)]

    exchange.control("DELETE", "/faults")
    assert set(diary.push(clock=clock).changes.values()) == {("create", "skipped", "paced")}
    clock.offset = timedelta(minutes=6)
    assert diary.push(clock=clock).status == "completed"
    assert [len(diary.ours(owner)) for owner in owners] == [1, 1, 2]


def test_hundreds_of_bookings_cost_few_more_requests_than_writes_and_are_read_back_by_the_hundred(diary, person):
    main = person()
    diary.pages(booking_page(main))
    diary.take(*(booked(f"BK-{number}", at(0) + number * timedelta(minutes=30)) for number in range(210)))
    mark = diary.mark()
    assert diary.push().status == "completed"
    assert len(diary.ours(main)) == len(diary.requests(mark, *WRITES)) == 210
    assert len(diary.requests(mark)) <= 1.2 * 210
    mark = diary.mark()
    diary.harvest()
    assert len(diary.requests(mark, "GetItem")) == 3
