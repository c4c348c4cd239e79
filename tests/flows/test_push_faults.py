"""Answers that get lost, servers that are slow or busy, and items that are not what the tables say: each exactly once."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.flows.harness import book
from tests.flows.permitting import grant
from tests.flows.pushing import WRITES, again, at, booked, booking_page, cancelled, slot

LOST = ("unknown", "answer_lost")
DROPS = {"drop_before": "applied", "drop_after": "already_applied"}
NAMES = (*DROPS, "malformed", "busy", "proxy", "silent", "mute", "shut", "slow")
STRANGE = ("foreign", "bare", "copied", "early", "twin", "stuck", "died", "renamed")
DEAD = "state = 'intended', attempt_id = 'of a dead process ' || booking_key, intent = 'create'"


@pytest.fixture(scope="module")
def scene(scene_diary):
    """Three pushes for many calendars: as it should be, with all that can go wrong, and with nothing wrong any more."""
    diary = scene_diary
    main = {name: diary.person() for name in (*NAMES, *STRANGE)}
    diary.pages(*(booking_page(owner, name=name) for name, owner in main.items()))
    seen = SimpleNamespace(diary=diary, main=main)
    diary.take(*(booked(f"{it}-moved", at(10), page=it) for it in (*DROPS, "malformed", "silent", *STRANGE)))
    diary.take(*(booked(f"{it}-removed", at(11), page=it) for it in DROPS), booked("foreign", at(12), page="foreign"))
    diary.take(*(booked(it, at(9), page=it) for it in ("mute", "shut")))
    seen.first = diary.push()
    try:
        mislead(seen)
        disturb(seen)
        mark = diary.mark()
        seen.second, seen.requests, seen.entries = diary.push(), diary.requests(mark), diary.entries()
        seen.items = {name: diary.items(owner) for name, owner in main.items()}
    finally:
        diary.exchange.control("DELETE", "/faults")
    grant(diary.exchange, main["shut"], "Editor")
    diary.take(*(cancelled(moved(it)) for it in ("foreign", "copied", "bare")))
    diary.change("UPDATE entries SET item_id = :id WHERE booking_key = 'foreign-moved'", id=seen.another)
    seen.third, seen.third_entries = diary.push(), diary.entries()
    return seen


def moved(name):
    """Return the later revision of a page's booking."""
    return again(booked(f"{name}-moved", at(10), page=name), at(14))


def mislead(scene):
    """Let owners copy, change and remove entries, and let the tables say what is not so."""
    diary, exchange = scene.diary, scene.diary.exchange
    item = {name: next(it["id"] for it in diary.items(scene.main[name]) if it["start"] == at(10).isoformat()) for name in STRANGE}
    scene.item = item
    scene.another = next(it["id"] for it in diary.items(scene.main["foreign"]) if it["booking_key"] == "foreign")
    for name in ("foreign", "bare"):
        foreign = book(exchange, scene.main[name], at(20))
        diary.change("UPDATE entries SET item_id = :id WHERE booking_key = :key", id=foreign, key=f"{name}-moved")
    exchange.control("DELETE", f"/appointments/{item['bare']}")
    scene.copy = exchange.control("POST", f"/appointments/{item['copied']}/copy", {"start": at(20).isoformat()})["id"]
    for name, intended_at in (("early", "2100-01-01"), ("twin", "2020-01-01"), ("stuck", "2020-01-01")):
        exchange.control("POST", f"/appointments/{item[name]}/copy", {})
        statement = f"UPDATE entries SET {DEAD}, intended_at = :at WHERE booking_key = :key"  # noqa: S608 -- our own words
        diary.change(statement, at=f"{intended_at}T00:00:00.000000+00:00", key=f"{name}-moved")
    forgotten = "item_id = NULL, change_key = NULL, revision = NULL, starts_at = NULL, ends_at = NULL"
    diary.change(f"UPDATE entries SET {DEAD}, intended_revision = 1, {forgotten} WHERE booking_key = 'died-moved'")  # noqa: S608
    diary.change("UPDATE entries SET state = 'unknown', reason = 'answer_lost' WHERE booking_key IN ('mute', 'shut')")
    exchange.control("PATCH", f"/appointments/{item['renamed']}", {"status": "out_of_office", "subject": "Renamed"})
    grant(exchange, scene.main["shut"], "FreeBusyTimeOnly")


def disturb(scene):
    """Order the faults, each for one calendar, and book what meets them."""
    diary, main = scene.diary, scene.main
    for drop in DROPS:
        for operation in WRITES:
            diary.fault(drop, operation, mailbox=main[drop])
    for operation in ("CreateItem", "UpdateItem"):
        diary.fault("malformed", operation, mailbox=main["malformed"])
    diary.fault("server_busy", "CreateItem", mailbox=main["busy"], back_off_ms=300)
    diary.fault("http_503", "CreateItem", mailbox=main["proxy"])
    diary.fault("http_503", "GetItem", mailbox=main["silent"])
    diary.fault("malformed", "FindItem", mailbox=main["mute"], count=50)
    diary.fault("drop_after", "UpdateItem", mailbox=main["copied"])
    diary.fault("drop_before", "DeleteItem", mailbox=main["stuck"])
    diary.home.more["BUSYTIME_REQUEST_DEADLINE_SECONDS"] = "3"
    diary.fault("delay", "CreateItem", mailbox=main["slow"], seconds=5)
    diary.take(*(booked(it, at(9), page=it) for it in (*DROPS, "malformed", "busy", "proxy", "silent", "slow", "stuck")))
    diary.take(*(moved(it) for it in (*DROPS, "malformed", "silent", "foreign", "bare", "copied", "renamed")))
    diary.take(*(cancelled(booked(f"{it}-removed", at(11), page=it)) for it in DROPS))


@pytest.mark.parametrize(("drop", "then"), DROPS.items())
def test_lost_answer_to_a_write_is_looked_up_and_each_takes_effect_once(scene, drop, then):
    main = scene.main[drop]
    for key, kind in ((drop, "create"), (f"{drop}-moved", "update"), (f"{drop}-removed", "cancel")):
        assert scene.second.changes[key, main] == (kind, then, None)
        assert scene.diary.attempts(key)[-2:] == [(kind, *LOST), (kind, then, None)]
    assert scene.diary.ours(main) == {drop: slot(at(9)), f"{drop}-moved": slot(at(14))}
    assert [scene.entries[f"{drop}{it}", main] for it in ("", "-moved")] == [("present", None)] * 2
    assert scene.entries[f"{drop}-removed", main] == ("cancelled", None)


def test_unreadable_answer_to_a_write_is_looked_up(scene):
    assert scene.diary.attempts("malformed") == [("create", *LOST), ("create", "already_applied", None)]
    assert scene.diary.attempts("malformed-moved")[1:] == [("update", *LOST), ("update", "already_applied", None)]
    assert scene.diary.ours(scene.main["malformed"]) == {"malformed": slot(at(9)), "malformed-moved": slot(at(14))}


def test_answer_later_than_the_deadline_is_looked_up_and_leaves_one_item(scene):
    assert scene.diary.attempts("slow")[0] == ("create", *LOST)
    assert scene.second.changes["slow", scene.main["slow"]][1] in DROPS.values()
    assert scene.diary.ours(scene.main["slow"]) == {"slow": slot(at(9))}


def test_write_that_a_proxy_answered_is_looked_up(scene):
    assert scene.diary.attempts("proxy") == [("create", *LOST), ("create", "applied", None)]
    assert scene.diary.ours(scene.main["proxy"]) == {"proxy": slot(at(9))}


def test_server_that_is_busy_is_waited_for_in_the_same_attempt(scene):
    assert scene.diary.attempts("busy") == [("create", "applied", None)]
    assert scene.requests.count(("CreateItem", scene.main["busy"])) == 2


def test_what_was_done_before_the_server_fell_silent_is_told_with_the_rest(scene):
    main = scene.main["silent"]
    assert scene.second.changes["silent", main] == ("create", "applied", None)
    assert scene.second.changes["silent-moved", main] == ("update", "applied", None)
    assert scene.diary.ours(main) == {"silent": slot(at(9)), "silent-moved": slot(at(14))}


def test_what_was_written_before_the_server_fell_silent_is_read_back_in_the_same_run(scene):
    query = "SELECT booking_key FROM entries WHERE booking_key LIKE 'silent%' AND verified_at IS NOT NULL ORDER BY 1"
    assert scene.diary.home.query(query) == [("silent",), ("silent-moved",)]


def test_lost_entry_stays_unknown_until_its_calendar_tells(scene):
    for name, outcome in (("mute", "malformed_answer"), ("shut", "folder_not_found")):
        main = scene.main[name]
        assert scene.second.changes[name, main] == ("update", "failed", outcome)
        assert scene.entries[name, main] == ("unknown", outcome)
        assert scene.third.changes[name, main] == ("update", "already_applied", None)
        assert scene.third_entries[name, main] == ("present", None)


def test_process_that_died_after_its_request_leaves_an_entry_that_the_next_push_finds(scene):
    key, main = "died-moved", scene.main["died"]
    assert scene.second.changes[key, main] == ("create", "already_applied", None)
    assert scene.diary.attempts(key)[1:] == [("create", *LOST), ("create", "already_applied", None)]
    assert scene.diary.ours(main) == {key: slot(at(10))}


def test_stored_id_of_somebody_elses_item_touches_it_neither_on_update_nor_on_cancellation(scene):
    main = scene.main["foreign"]
    starts = {it["booking_key"]: it["start"] for it in scene.items["foreign"]}
    assert starts == {None: at(20).isoformat(), "foreign-moved": at(10).isoformat(), "foreign": at(12).isoformat()}
    # It may be our item, made private: then the one with our marker is a copy of it.
    assert scene.second.changes["foreign-moved", main] == ("update", "failed", "foreign_item")
    assert scene.third.changes["foreign-moved", main] == ("cancel", "applied", None)
    assert scene.diary.items(main) == [it for it in scene.items["foreign"] if it["booking_key"] != "foreign-moved"]


def test_stored_id_of_an_item_without_a_marker_and_none_of_ours_lets_the_entry_alone(scene):
    key, main = "bare-moved", scene.main["bare"]
    assert scene.second.changes[key, main] == ("update", "failed", "foreign_item")
    assert scene.third.changes[key, main] == ("cancel", "failed", "foreign_item")
    assert scene.third_entries[key, main] == ("blocked", "foreign_item")
    assert [(it["start"], it["subject"]) for it in scene.diary.items(main)] == [(at(20).isoformat(), "Zanderfall")]


def ids(items):
    return {item["id"]: item["start"] for item in items}


def test_owners_copy_at_another_time_is_left_and_told(scene):
    copy, main = {scene.copy: at(20).isoformat()}, scene.main["copied"]
    assert ids(scene.items["copied"]) == copy | {scene.item["copied"]: at(14).isoformat()}
    assert scene.entries["copied-moved", main] == ("present", "copied_by_owner")
    assert ids(scene.diary.items(main)) == copy  # the booking was cancelled since


def test_copy_at_the_same_time_that_was_there_before_the_intent_is_left_and_told(scene):
    assert len(scene.diary.items(scene.main["early"])) == 2
    assert scene.entries["early-moved", scene.main["early"]] == ("present", "copied_by_owner")


def test_twin_that_a_lost_request_made_late_is_removed_and_that_is_written_down(scene):
    assert list(ids(scene.items["twin"])) == [scene.item["twin"]]
    attempts = [("create", *LOST), ("cancel", "applied", None), ("update", "already_applied", None)]
    assert scene.diary.attempts("twin-moved")[1:] == attempts
    query = "SELECT error_code FROM changes WHERE booking_key = 'twin-moved' AND change = 'cancel'"
    assert scene.diary.home.query(query) == [("late_twin",)]


def test_lost_answer_to_the_removal_of_a_twin_costs_no_other_entry_and_is_looked_up(scene):
    main = scene.main["stuck"]
    assert scene.second.changes["stuck", main] == ("create", "applied", None)
    assert scene.diary.attempts("stuck-moved")[2] == ("update", *LOST)
    assert scene.item["stuck"] in ids(scene.items["stuck"])
    assert scene.diary.ours(main) == {"stuck": slot(at(9)), "stuck-moved": slot(at(10))}


def test_update_leaves_alone_what_is_not_ours(scene):
    (item,) = scene.items["renamed"]
    assert (item["status"], item["subject"], item["start"]) == ("OOF", "Intro call", at(14).isoformat())


def test_nothing_is_left_to_do_but_what_somebody_has_to_look_at(scene):
    left = {key for (key, _), (_, outcome, _) in scene.third.changes.items() if outcome not in DROPS.values()}
    assert left == {"bare-moved"}
    assert (scene.second.status, scene.third.status) == ("completed_with_failures", "completed_with_failures")
