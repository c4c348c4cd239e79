"""Servers that say a write succeeded and forget it, and owners who change an item while it is written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from busytime.ews.gateway import EWSCalendarGateway
from tests.flows.pushing import WRITES, again, at, booked, booking_page, cancelled, slot

_DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "marker.md").read_text(encoding="utf-8")
(MARKER_SET,) = {found.lower() for found in re.findall(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", _DOCUMENT)}
DIFFERS = ("failed", "read_back_differs")


@pytest.fixture
def main(diary, person):
    """The one calendar of the page `talk`."""
    main = person()
    diary.pages(booking_page(main))
    return main


@pytest.fixture
def booking(diary, main):
    """A booking that stands in it."""
    booking = booked("BK-1", at(9), 60)
    diary.take(booking)
    assert set(diary.push().changes) == {("BK-1", main)}
    return booking


@pytest.mark.parametrize("ignored", ["calendar:Start", f"{MARKER_SET}/busytimerevision"])
def test_update_that_the_server_forgets_is_failed_and_sent_again_by_the_next_push(diary, exchange, main, booking, ignored):
    exchange.control("POST", "/limits", {"update_ignores": ignored})
    diary.take(again(booking, at(9, 30), 60))
    pushed = diary.push()
    assert pushed.status == "completed_with_failures"
    assert pushed.changes == {("BK-1", main): ("update", *DIFFERS)}
    assert diary.entries() == {("BK-1", main): DIFFERS}
    assert diary.home.query("SELECT verified_at FROM entries") == [(None,)]

    exchange.control("POST", "/limits", {"update_ignores": ""})
    assert diary.push().status == "completed"
    assert diary.ours(main) == {"BK-1": slot(at(9, 30), 60)}


def test_removal_that_the_server_forgets_is_failed_and_sent_again_by_the_next_push(diary, main, booking):
    diary.take(cancelled(booking))
    with pytest.MonkeyPatch.context() as patch:
        # The sandbox has no such fault: the request is lost on its way, and answered as if it had arrived.
        patch.setattr(EWSCalendarGateway, "remove_entry", lambda *_: None)
        assert diary.push().changes == {("BK-1", main): ("cancel", *DIFFERS)}
    assert diary.entries() == {("BK-1", main): DIFFERS}
    assert diary.push().changes == {("BK-1", main): ("cancel", "applied", None)}
    assert diary.items(main) == []


def meddling(exchange, item_id, times):
    """Let the owner change an item so many times, each time just before it is written."""
    write, left = EWSCalendarGateway.change_entry, iter(range(times))

    def change_entry(*args):
        if next(left, None) is not None:
            exchange.control("PATCH", f"/appointments/{item_id}", {"status": "tentative"})
        return write(*args)

    patch = pytest.MonkeyPatch()
    patch.setattr(EWSCalendarGateway, "change_entry", change_entry)
    return patch


def test_item_that_its_owner_changes_while_it_is_written_is_read_again_and_moved(diary, exchange, main, booking):
    (item,) = diary.items(main)
    diary.take(again(booking, at(14)))
    mark, patch = diary.mark(), meddling(exchange, item["id"], times=1)
    try:
        assert diary.push().status == "completed"
    finally:
        patch.undo()
    assert len(diary.requests(mark, "UpdateItem")) == 2
    assert diary.items(main)[0]["status"] == "Tentative"
    assert diary.ours(main) == {"BK-1": slot(at(14))}


def test_item_that_is_changed_again_and_again_is_left_to_the_next_push(diary, exchange, main, booking):
    (item,) = diary.items(main)
    diary.take(again(booking, at(14)))
    patch = meddling(exchange, item["id"], times=100)
    try:
        assert diary.push().changes == {("BK-1", main): ("update", "failed", "changed_meanwhile")}
    finally:
        patch.undo()
    assert diary.ours(main) == {"BK-1": slot(at(9), 60)}
    assert diary.push().status == "completed"
    assert diary.ours(main) == {"BK-1": slot(at(14))}


@pytest.mark.parametrize("wish", ["move", "cancel"])
def test_no_copy_is_taken_for_an_entry_that_its_owner_made_private(diary, exchange, main, booking, wish):
    (item,) = diary.items(main)
    for _ in range(2):  # either could be what a lost request made, and the other its late twin
        exchange.control("POST", f"/appointments/{item['id']}/copy", {})
    exchange.control("PATCH", f"/appointments/{item['id']}", {"is_private": True})
    before = diary.items(main)
    diary.take(again(booking, at(14)) if wish == "move" else cancelled(booking))
    mark = diary.mark()
    ((_, outcome, reason),) = diary.push().changes.values()
    assert (outcome, reason) == ("failed", "foreign_item")
    assert diary.entries() == {("BK-1", main): ("blocked", "foreign_item")}
    assert (diary.requests(mark, *WRITES), diary.items(main)) == ([], before)

    exchange.control("PATCH", f"/appointments/{item['id']}", {"is_private": False})
    diary.push()
    left = {it["id"]: it["start"] for it in diary.items(main)}
    assert left.pop(item["id"], None) == (at(14).isoformat() if wish == "move" else None)
    assert list(left.values()) == [at(9).isoformat()] * 2


@pytest.fixture
def twinned(exchange):
    """Each item that is made has a twin right away, as if a lost request of the same attempt had taken effect too."""
    write = EWSCalendarGateway.create_entry

    def create_entry(*args):
        made = write(*args)
        exchange.control("POST", f"/appointments/{made.item_id}/copy", {})
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EWSCalendarGateway, "create_entry", create_entry)
        yield


@pytest.mark.usefixtures("twinned")
def test_twin_that_is_seen_when_the_entry_is_read_back_is_removed_in_the_same_run(diary, main):
    diary.take(booked("BK-1", at(9)))
    pushed = diary.push()
    assert (pushed.status, pushed.changes) == ("completed", {("BK-1", main): ("update", "already_applied", None)})
    removed, found = ("cancel", "applied", None), ("update", "already_applied", None)
    assert diary.attempts("BK-1") == [("create", "applied", None), removed, found]
    assert diary.ours(main) == {"BK-1": slot(at(9))}


@pytest.mark.usefixtures("twinned")
def test_entry_with_a_twin_that_cannot_be_removed_is_told_as_unknown(diary, main):
    diary.take(booked("BK-1", at(9)))
    diary.fault("drop_before", "DeleteItem", count=50)
    pushed = diary.push()
    assert (pushed.status, pushed.changes) == ("completed_with_failures", {("BK-1", main): ("update", "unknown", "answer_lost")})
    assert diary.entries() == {("BK-1", main): ("unknown", "answer_lost")}
    assert len(diary.items(main)) == 2
