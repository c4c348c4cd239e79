"""Answers that get lost, servers that are slow or busy, and items that are not what the tables say: each exactly once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from busytime.ews.gateway import EWSCalendarGateway
from tests.flows.harness import book
from tests.flows.permitting import grant
from tests.flows.pushing import again, at, booked, booking_page, cancelled, slot

LOST = ("unknown", "answer_lost")
_DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "marker.md").read_text(encoding="utf-8")
(MARKER_SET,) = {found.lower() for found in re.findall(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", _DOCUMENT)}


@pytest.fixture
def main(diary, person):
    """The one calendar of the page `talk`."""
    main = person()
    diary.pages(booking_page(main))
    return main


@pytest.mark.parametrize(("fault", "then"), [("drop_before", "applied"), ("drop_after", "already_applied")])
def test_lost_answer_to_a_create_is_looked_up_and_leaves_one_item(diary, main, fault, then):
    diary.fault(fault, "CreateItem")
    diary.take(booked("BK-1", at(9)))
    pushed = diary.push()
    assert pushed.status == "completed"
    assert pushed.changes == {("BK-1", main): ("create", then, None)}
    assert diary.attempts("BK-1") == [("create", *LOST), ("create", then, None)]
    assert diary.ours(main) == {"BK-1": slot(at(9))}
    assert diary.entries() == {("BK-1", main): ("present", None)}


@pytest.mark.parametrize(("fault", "then"), [("drop_before", "applied"), ("drop_after", "already_applied")])
def test_lost_answer_to_an_update_is_looked_up_and_moves_the_item_once(diary, main, fault, then):
    booking = booked("BK-1", at(9))
    diary.take(booking)
    diary.push()
    diary.fault(fault, "UpdateItem")
    diary.take(again(booking, at(14)))
    pushed = diary.push()
    assert pushed.status == "completed"
    assert diary.attempts("BK-1")[1:] == [("update", *LOST), ("update", then, None)]
    assert diary.ours(main) == {"BK-1": slot(at(14))}


@pytest.mark.parametrize(("fault", "then"), [("drop_before", "applied"), ("drop_after", "already_applied")])
def test_lost_answer_to_a_cancellation_is_looked_up(diary, main, fault, then):
    booking = booked("BK-1", at(9))
    diary.take(booking)
    diary.push()
    diary.fault(fault, "DeleteItem")
    diary.take(cancelled(booking))
    pushed = diary.push()
    assert pushed.status == "completed"
    assert diary.attempts("BK-1")[1:] == [("cancel", *LOST), ("cancel", then, None)]
    assert (diary.items(main), diary.entries()) == ([], {("BK-1", main): ("cancelled", None)})


def test_answer_that_is_lost_again_and_again_is_left_to_the_next_push(diary, main):
    diary.fault("drop_after", "CreateItem")
    diary.fault("malformed", "FindItem", count=9, mailbox=main)
    diary.take(booked("BK-1", at(9)))
    pushed = diary.push()
    assert pushed.status in {"completed_with_failures", "failed"}
    diary.exchange.control("DELETE", "/faults")
    assert diary.push().status == "completed"
    assert diary.ours(main) == {"BK-1": slot(at(9))}


@pytest.mark.parametrize("operation", ["CreateItem", "UpdateItem"])
def test_unreadable_answer_to_a_write_is_looked_up(diary, main, operation):
    booking = booked("BK-1", at(9))
    if operation == "UpdateItem":
        diary.take(booking)
        diary.push()
        booking = again(booking, at(14))
    diary.fault("malformed", operation)
    diary.take(booking)
    assert diary.push().status == "completed"
    assert diary.attempts("BK-1")[-2:][0][1:] == LOST
    assert diary.attempts("BK-1")[-1][1] == "already_applied"
    assert diary.ours(main) == {"BK-1": slot(booking.window.start)}


def test_answer_later_than_the_deadline_is_looked_up_and_leaves_one_item(diary, main):
    diary.home.more["BUSYTIME_REQUEST_DEADLINE_SECONDS"] = "0.5"
    diary.fault("delay", "CreateItem", seconds=1)
    diary.take(booked("BK-1", at(9)))
    assert diary.push().status == "completed"
    assert diary.attempts("BK-1")[0] == ("create", *LOST)
    assert diary.ours(main) == {"BK-1": slot(at(9))}


def test_server_that_is_busy_is_waited_for_in_the_same_attempt(diary, main):
    diary.fault("server_busy", "CreateItem", back_off_ms=300)
    diary.take(booked("BK-1", at(9)))
    mark = diary.mark()
    assert diary.push().status == "completed"
    assert diary.attempts("BK-1") == [("create", "applied", None)]
    assert diary.requests(mark, "CreateItem") == [("CreateItem", main)] * 2


def test_write_that_was_answered_by_a_proxy_is_looked_up(diary, main):
    diary.fault("http_503", "CreateItem")
    diary.take(booked("BK-1", at(9)))
    assert diary.push().status == "completed"
    assert diary.attempts("BK-1") == [("create", *LOST), ("create", "applied", None)]
    assert diary.ours(main) == {"BK-1": slot(at(9))}


def test_server_that_answers_nobody_is_asked_again_and_what_was_done_before_is_still_told(diary, main):
    moved = booked("MOVED", at(14))
    diary.take(moved)
    diary.push()
    diary.fault("http_503", "GetItem")  # after the first booking's entry was written
    diary.take(booked("BK-1", at(9)), again(moved, at(15)))
    pushed = diary.push()
    assert pushed.status == "completed"
    assert pushed.changes == {("BK-1", main): ("create", "applied", None), ("MOVED", main): ("update", "applied", None)}
    assert diary.ours(main) == {"BK-1": slot(at(9)), "MOVED": slot(at(15))}


@pytest.mark.parametrize("ignored", ["calendar:Start", f"{MARKER_SET}/busytimerevision"])
def test_update_that_the_server_forgets_is_failed_and_told(diary, exchange, main, ignored):
    booking = booked("BK-1", at(9), 60)
    diary.take(booking)
    diary.push()
    exchange.control("POST", "/limits", {"update_ignores": ignored})
    diary.take(again(booking, at(9, 30), 60))
    pushed = diary.push()
    assert pushed.status == "completed_with_failures"
    assert pushed.changes == {("BK-1", main): ("update", "failed", "read_back_differs")}
    assert diary.entries() == {("BK-1", main): ("failed", "read_back_differs")}
    assert diary.home.query("SELECT verified_at FROM entries") == [(None,)]

    exchange.control("POST", "/limits", {"update_ignores": ""})
    assert diary.push().status == "completed"
    assert diary.ours(main) == {"BK-1": slot(at(9, 30), 60)}


def test_removal_that_the_server_forgets_is_failed_and_sent_again_by_the_next_push(diary, main):
    booking = booked("BK-1", at(9))
    diary.take(booking)
    diary.push()
    diary.take(cancelled(booking))
    with pytest.MonkeyPatch.context() as patch:
        # The sandbox has no such fault: the request is lost on its way, and answered as if it had arrived.
        patch.setattr(EWSCalendarGateway, "remove_entry", lambda *_: None)
        assert diary.push().changes == {("BK-1", main): ("cancel", "failed", "read_back_differs")}
    assert diary.entries() == {("BK-1", main): ("failed", "read_back_differs")}
    assert diary.push().changes == {("BK-1", main): ("cancel", "applied", None)}
    assert diary.items(main) == []


def test_update_leaves_alone_what_is_not_ours(diary, exchange, main):
    booking = booked("BK-1", at(9))
    diary.take(booking)
    diary.push()
    (item,) = diary.items(main)
    exchange.control("PATCH", f"/appointments/{item['id']}", {"status": "out_of_office", "subject": "Renamed"})
    diary.take(again(booking, at(14), title="Second call"))
    diary.push()
    (item,) = diary.items(main)
    assert (item["status"], item["subject"]) == ("OOF", "Second call")


def test_item_that_its_owner_changes_at_the_same_moment_is_read_again_and_moved(diary, exchange, main, monkeypatch):
    booking = booked("BK-1", at(9))
    diary.take(booking)
    diary.push()
    (item,) = diary.items(main)
    write = EWSCalendarGateway.change_entry
    meddled = []

    def meddling(*args):
        if not meddled:
            meddled.append(exchange.control("PATCH", f"/appointments/{item['id']}", {"status": "tentative"}))
        return write(*args)

    monkeypatch.setattr(EWSCalendarGateway, "change_entry", meddling)
    diary.take(again(booking, at(14)))
    mark = diary.mark()
    assert diary.push().status == "completed"
    assert len(diary.requests(mark, "UpdateItem")) == 2
    assert diary.items(main)[0]["status"] == "Tentative"
    assert diary.ours(main) == {"BK-1": slot(at(14))}


def test_item_that_is_changed_again_and_again_is_left_to_the_next_push(diary, exchange, main):
    booking = booked("BK-1", at(9))
    diary.take(booking)
    diary.push()
    (item,) = diary.items(main)
    write = EWSCalendarGateway.change_entry

    def meddling(*args):
        exchange.control("PATCH", f"/appointments/{item['id']}", {"status": "tentative"})
        return write(*args)

    diary.take(again(booking, at(14)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EWSCalendarGateway, "change_entry", meddling)
        assert diary.push().changes == {("BK-1", main): ("update", "failed", "changed_meanwhile")}
    assert diary.push().status == "completed"
    assert diary.ours(main) == {"BK-1": slot(at(14))}


def test_stored_id_of_somebody_elses_item_touches_it_neither_on_update_nor_on_cancellation(diary, exchange, main):
    booking = booked("BK-1", at(9))
    diary.take(booking)
    diary.push()
    foreign = book(exchange, main, at(11))
    untouched = [item for item in diary.items(main) if not item["booking_key"]]
    diary.change("UPDATE entries SET item_id = :foreign", foreign=foreign)
    diary.take(again(booking, at(14)))
    assert diary.push().status == "completed"
    assert diary.ours(main) == {"BK-1": slot(at(14))}
    diary.change("UPDATE entries SET item_id = :foreign", foreign=foreign)
    diary.take(cancelled(again(booking, at(14))))
    diary.push()
    assert diary.items(main) == untouched


def test_stored_id_of_another_bookings_item_touches_it_not(diary, main):
    first, second = booked("BK-1", at(9)), booked("BK-2", at(11))
    diary.take(first, second)
    diary.push()
    ids = {item["booking_key"]: item["id"] for item in diary.items(main)}
    diary.change("UPDATE entries SET item_id = :other WHERE booking_key = 'BK-1'", other=ids["BK-2"])
    diary.take(cancelled(first))
    diary.push()
    assert diary.ours(main) == {"BK-2": slot(at(11))}


def test_stored_id_of_an_item_without_a_marker_and_none_of_ours_lets_the_entry_alone(diary, exchange, main):
    booking = booked("BK-1", at(9))
    diary.take(booking)
    diary.push()
    exchange.control("DELETE", f"/appointments/{diary.items(main)[0]['id']}")
    foreign = book(exchange, main, at(11))
    before = diary.items(main)
    diary.change("UPDATE entries SET item_id = :foreign", foreign=foreign)
    for later in (again(booking, at(14)), cancelled(again(booking))):
        diary.take(later)
        ((_, outcome, reason),) = diary.push().changes.values()
        assert (outcome, reason) == ("failed", "foreign_item")
        assert diary.entries() == {("BK-1", main): ("blocked", "foreign_item")}
    assert diary.items(main) == before


def copied(diary, main, **more):
    """Let the owner copy the one entry."""
    (item,) = diary.items(main)
    return diary.exchange.control("POST", f"/appointments/{item['id']}/copy", more)["id"]


def times(diary, main):
    return {item["id"]: item["start"] for item in diary.items(main)}


def test_owners_copy_at_another_time_is_left_and_told(diary, main):
    booking = booked("BK-1", at(9))
    diary.take(booking)
    diary.push()
    (original,) = diary.items(main)
    copy = copied(diary, main, start=at(11).isoformat())
    diary.fault("drop_after", "UpdateItem")  # a lost answer has all items with the marker looked at
    diary.take(again(booking, at(14)))
    diary.push()
    assert times(diary, main) == {copy: at(11).isoformat(), original["id"]: at(14).isoformat()}
    assert diary.entries() == {("BK-1", main): ("present", "copied_by_owner")}
    diary.take(cancelled(again(booking, at(14))))
    diary.push()
    assert times(diary, main) == {copy: at(11).isoformat()}


def forget_answer(diary, intended_at):
    """Leave the entry as a process does that died before its answer to a create came."""
    diary.change(
        "UPDATE entries SET state = 'intended', attempt_id = 'of a process that died', intent = 'create', intended_at = :at",
        at=intended_at,
    )


def test_copy_at_the_same_time_that_was_there_before_the_intent_is_left(diary, main):
    diary.take(booked("BK-1", at(9)))
    diary.push()
    copy = copied(diary, main)
    before = times(diary, main)
    assert copy in before
    forget_answer(diary, "2100-01-01T00:00:00.000000+00:00")
    assert diary.push().status == "completed"
    assert times(diary, main) == before
    assert diary.entries() == {("BK-1", main): ("present", "copied_by_owner")}


def test_twin_that_a_lost_request_made_late_is_removed_and_that_is_written_down(diary, main):
    diary.take(booked("BK-1", at(9)))
    diary.push()
    (original,) = diary.items(main)
    copied(diary, main)
    forget_answer(diary, "2020-01-01T00:00:00.000000+00:00")
    assert diary.push().status == "completed"
    assert list(times(diary, main)) == [original["id"]]
    assert diary.attempts("BK-1")[1:] == [("create", *LOST), ("cancel", "applied", None), ("update", "already_applied", None)]
    assert diary.home.query("SELECT error_code FROM changes WHERE change = 'cancel'") == [("late_twin",)]


def test_lost_answer_to_the_removal_of_a_twin_costs_no_other_entry(diary, main):
    diary.take(booked("BK-1", at(9)))
    diary.push()
    (original,) = diary.items(main)
    copied(diary, main)
    forget_answer(diary, "2020-01-01T00:00:00.000000+00:00")
    diary.fault("drop_before", "DeleteItem")
    diary.take(booked("BK-2", at(14)))
    pushed = diary.push()
    assert pushed.changes["BK-2", main][1] == "applied"
    diary.push()
    assert [item["id"] for item in diary.items(main) if item["booking_key"] == "BK-1"] == [original["id"]]


def test_process_that_died_after_its_request_leaves_an_entry_that_the_next_push_finds(diary, main):
    diary.take(booked("BK-1", at(9)))
    diary.push()
    diary.change(
        "UPDATE entries SET state = 'intended', attempt_id = 'of a process that died', intent = 'create', "
        "intended_revision = 1, item_id = NULL, change_key = NULL, revision = NULL, starts_at = NULL, ends_at = NULL"
    )
    assert diary.push().changes == {("BK-1", main): ("create", "already_applied", None)}
    assert diary.attempts("BK-1")[1:] == [("create", *LOST), ("create", "already_applied", None)]
    assert diary.ours(main) == {"BK-1": slot(at(9))}


def test_lost_entry_stays_unknown_while_its_calendar_does_not_tell(diary, exchange, main):
    diary.take(booked("BK-1", at(9)))
    diary.push()
    diary.change("UPDATE entries SET state = 'unknown', reason = 'answer_lost'")
    grant(exchange, main, "FreeBusyTimeOnly")
    diary.push()
    assert diary.entries()["BK-1", main][0] == "unknown"
    grant(exchange, main, "Editor")
    assert diary.push().changes == {("BK-1", main): ("update", "already_applied", None)}
