"""A database from a backup: it has forgotten what calendars hold, and writes nothing until it has taken that over."""

from __future__ import annotations

import shutil

import pytest

from tests.flows.permitting import grant, revoke
from tests.flows.pushing import WRITES, again, at, booked, booking_page, cancelled, slot


@pytest.fixture
def main(diary, person):
    """The one calendar of the page `talk`, with one booking, and a backup of the home beside it."""
    main = person()
    diary.pages(booking_page(main))
    diary.take(booked("BK-1", at(9)))
    diary.push()
    back_up(diary)
    return main


def back_up(diary):
    """Copy the home."""
    shutil.copytree(diary.home.path, diary.home.directory / "backup", dirs_exist_ok=True)


def restore(diary):
    """Put the backup in the home's place."""
    shutil.rmtree(diary.home.path)
    shutil.copytree(diary.home.directory / "backup", diary.home.path)


def push_refused(diary):
    """Push, and expect that it writes nothing because the database was restored."""
    mark = diary.mark()
    pushed = diary.push()
    assert (pushed.status, pushed.outcome.reason) == ("refused", "database_restored")
    assert "--adopt" in pushed.outcome.message
    assert diary.requests(mark, *WRITES) == []
    return pushed


def test_forgotten_booking_in_the_slots_reading_stops_all_writing_until_it_is_adopted(diary, main):
    forgotten = booked("BK-2", at(11))
    diary.take(forgotten)
    diary.push()
    restore(diary)
    diary.take(booked("BK-3", at(10)), booked("BK-4", at(12)))
    push_refused(diary)
    mark = diary.mark()
    push_refused(diary)
    assert diary.requests(mark) == []

    assert diary.resync().status == "completed"
    diary.take(forgotten)
    assert diary.push().status == "completed"
    assert diary.ours(main) == {f"BK-{number}": slot(at(hour)) for number, hour in ((1, 9), (2, 11), (3, 10), (4, 12))}
    assert diary.attempts("BK-2") == []


def test_forgotten_revision_that_is_read_back_stops_all_writing(diary, main):
    diary.take(again(booked("BK-1", at(9)), at(14)))
    diary.push()
    restore(diary)
    diary.harvest()
    diary.take(booked("BK-2", at(16)))
    push_refused(diary)

    diary.resync()
    diary.push()
    # The tables' own revision is older than what is in the calendar: it moves nothing back.
    assert diary.ours(main) == {"BK-1": slot(at(14)), "BK-2": slot(at(16))}


def test_booking_that_is_taken_in_again_is_found_where_it_is(diary, main):
    booking = booked("BK-2", at(11))
    diary.take(booking)
    diary.push()
    restore(diary)
    diary.take(booking)
    mark = diary.mark()
    assert diary.push().changes == {("BK-2", main): ("create", "already_applied", None)}
    assert diary.requests(mark, *WRITES) == []


def test_forgotten_cancellation_is_carried_out_again_without_a_fault(diary, main):
    booking = booked("BK-1", at(9))
    diary.take(cancelled(booking))
    diary.push()
    restore(diary)
    diary.take(cancelled(booking))
    assert diary.push().changes == {("BK-1", main): ("cancel", "already_applied", None)}


def test_calendar_that_does_not_tell_keeps_pushes_from_writing(diary, exchange, person, main):
    other = person()
    diary.pages(booking_page(main), booking_page(other, name="other"))
    back_up(diary)
    diary.take(booked("BK-2", at(11)))
    diary.push()
    restore(diary)
    diary.take(booked("BK-3", at(11)))
    push_refused(diary)
    revoke(exchange, other)
    resynced = diary.resync()
    assert (resynced.status, [it.owner for it in resynced.silent]) == ("completed_with_failures", [other])
    push_refused(diary)
    grant(exchange, other, "Editor")
    assert diary.resync().status == "completed"
    assert diary.push().changes == {("BK-3", main): ("create", "conflict", "slot_taken")}


@pytest.mark.parametrize("kind", ["sick_mailbox", "malformed"])
@pytest.mark.long(kind="malformed")
def test_only_an_ill_mailbox_does_not_tell_what_it_holds(diary, exchange, person, main, kind):
    ill, other = person(), person()
    # Neither first nor last: one before it and one after it tell what they hold.
    diary.pages(*(booking_page(owner, name=name) for name, owner in (("talk", main), ("ill", ill), ("other", other))))
    back_up(diary)
    diary.take(booked("BK-2", at(11)), booked("BK-3", at(11), page="other"))
    diary.push()
    restore(diary)
    exchange.control("POST", "/faults", {"kind": kind, "operation": "FindItem", "mailbox": ill})
    resynced = diary.resync()
    assert (resynced.status, [it.owner for it in resynced.silent]) == ("completed_with_failures", [ill])
    assert resynced.adopted == 3
    found = {("BK-1", main): ("present", None), ("BK-2", main): ("present", None), ("BK-3", other): ("present", None)}
    assert diary.entries() == found


def test_other_owners_are_not_written_to_once_one_calendar_has_told(diary, person):
    owners = sorted(person() for _ in range(7))  # in this order their calendars have their turn, four at once
    diary.pages(*(booking_page(owner, name=owner) for owner in owners))
    back_up(diary)
    diary.take(booked("FORGOTTEN", at(11), page=owners[0]))
    diary.push()
    restore(diary)
    diary.home.more["BUSYTIME_BASIC_IN_FLIGHT"] = "1"
    diary.take(*(booked(f"BK-{number}", at(11), page=owner) for number, owner in enumerate(owners)))
    pushed = diary.push()
    assert (pushed.status, pushed.outcome.reason) == ("refused", "database_restored")
    assert diary.items(owners[-1]) == []


def test_item_of_another_installation_is_an_appointment_like_any_other(diary, exchange, main):
    times = {"start": at(11).isoformat(), "end": at(11, 30).isoformat()}
    more = {"marker": "0123456789abcdef/BK-9", "revision": "1"}
    exchange.control("POST", "/appointments", {"owner": main, **times, "subject": "Zanderfall", **more})
    diary.take(booked("TAKEN", at(11)), booked("FREE", at(12)))
    pushed = diary.push()
    assert pushed.changes["TAKEN", main] == ("create", "conflict", "slot_taken")
    assert pushed.changes["FREE", main][1] == "applied"
