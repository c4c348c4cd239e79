"""What owners do with entries, seen at the harvest: proven before it is believed, and followed only where a page wants it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from busytime.bookings import EntryState
from tests.flows.harness import MovedClock
from tests.flows.permitting import grant, revoke
from tests.flows.pushing import LATER, WRITES, again, at, booked, booking_page, slot


@pytest.fixture
def pair(diary, person):
    """The main and the additional calendar of the page `talk`, with one booking in both."""
    main, additional = person(), person()
    diary.pages(booking_page(main, [additional]))
    diary.take(booked("BK-1", at(9)))
    diary.push()
    return main, additional


def move(diary, owner, start, key="BK-1", minutes=30):
    """Let an owner move an entry."""
    (item,) = [item for item in diary.items(owner) if item["booking_key"] == key]
    times = {"start": start.isoformat(), "end": (start + timedelta(minutes=minutes)).isoformat()}
    diary.exchange.control("PATCH", f"/appointments/{item['id']}", times)


def remove(diary, owner, key="BK-1"):
    """Let an owner remove an entry."""
    (item,) = [item for item in diary.items(owner) if item["booking_key"] == key]
    diary.exchange.control("DELETE", f"/appointments/{item['id']}")


def standing(diary):
    """Return each booking as it stands: effective start and state, and who set them."""
    columns = "booking_key, effective_starts_at, effective_state, changed_by"
    return {key: tuple(rest) for key, *rest in diary.home.query(f"SELECT {columns} FROM bookings")}  # noqa: S608


AS_BOOKED = (None, None, "guest")


def test_moved_entry_is_reported_and_left_alone_until_a_later_revision(diary, pair):
    main, _additional = pair
    move(diary, main, at(14))
    seen = diary.harvest()
    assert seen.entries.changed == {EntryState.MOVED_BY_OWNER: 1}
    assert diary.entries()["BK-1", main][0] == "moved_by_owner"
    mark = diary.mark()
    assert diary.push().changes == {}
    assert diary.requests(mark, *WRITES) == []
    assert standing(diary) == {"BK-1": AS_BOOKED}

    diary.take(booked("BK-1", at(16), revision=2))
    assert diary.push().status == "completed"
    assert [diary.ours(calendar) for calendar in pair] == [{"BK-1": slot(at(16))}] * 2


def test_entry_that_its_owner_moves_back_is_as_it_was(diary, pair):
    move(diary, pair[0], at(14))
    diary.harvest()
    move(diary, pair[0], at(9))
    clock = MovedClock()
    clock.offset = 2 * LATER
    diary.harvest(clock=clock)
    assert diary.entries() == {("BK-1", calendar): ("present", None) for calendar in pair}


def test_removed_entry_is_proven_by_a_search_in_the_same_run_and_left_alone_until_a_later_revision(diary, pair):
    main, additional = pair
    remove(diary, main)
    mark = diary.mark()
    diary.harvest()
    asked = [operation for operation, mailbox in diary.requests(mark, "GetItem", "FindItem") if mailbox == main]
    assert asked == ["GetItem", "FindItem"]
    assert diary.entries()["BK-1", main] == ("removed_by_owner", "gone")
    assert diary.entries()["BK-1", additional] == ("present", None)
    assert diary.push().changes == {}
    assert standing(diary) == {"BK-1": AS_BOOKED}

    diary.take(booked("BK-1", at(16), revision=2))
    assert diary.push().status == "completed"
    assert [diary.ours(calendar) for calendar in pair] == [{"BK-1": slot(at(16))}] * 2


def test_removed_entry_is_made_again_on_a_page_that_wants_that(diary, person):
    main = person()
    diary.pages(booking_page(main, recreate=True))
    diary.take(booked("BK-1", at(9)))
    diary.push()
    remove(diary, main)
    diary.harvest()
    assert diary.push().changes == {("BK-1", main): ("create", "applied", None)}
    assert diary.ours(main) == {"BK-1": slot(at(9))}


@pytest.mark.parametrize("owner_changes", ["report", "follow"])
def test_right_that_was_taken_away_is_no_deletion(diary, exchange, person, owner_changes):
    main = person()
    diary.pages(booking_page(main, owner_changes=owner_changes))
    diary.take(booked("BK-1", at(9)))
    diary.push()
    revoke(exchange, main)
    diary.harvest()
    state, reason = diary.entries()["BK-1", main]
    assert (state, reason) in {("unknown", "folder_not_found"), ("unknown", "no_access")}
    assert standing(diary) == {"BK-1": AS_BOOKED}

    grant(exchange, main, "Editor")
    assert diary.push().changes == {("BK-1", main): ("update", "already_applied", None)}
    assert diary.entries() == {("BK-1", main): ("present", None)}


@pytest.mark.parametrize("owner_changes", ["report", "follow"])
def test_entry_that_its_owner_made_private_is_no_deletion(diary, exchange, person, owner_changes):
    main = person()
    diary.pages(booking_page(main, owner_changes=owner_changes))
    diary.take(booked("BK-1", at(9)))
    diary.push()
    (item,) = diary.items(main)
    exchange.control("PATCH", f"/appointments/{item['id']}", {"is_private": True})
    diary.harvest()
    diary.push()
    assert standing(diary) == {"BK-1": AS_BOOKED}
    assert diary.entries()["BK-1", main][0] != "removed_by_owner"
    assert len(diary.items(main)) == 1


def test_silent_mailbox_changes_no_entry(diary, exchange, pair):
    before = diary.entries()
    exchange.control("POST", "/faults", {"kind": "sick_mailbox", "mailbox": pair[0], "operation": "GetItem"})
    diary.harvest()
    assert diary.entries() == before


def test_entries_verified_within_the_hour_are_not_read_again(diary, pair):
    mark = diary.mark()
    diary.harvest(clock=MovedClock())
    assert diary.requests(mark, "GetItem") == []
    diary.harvest()
    assert sorted(diary.requests(mark, "GetItem")) == sorted(("GetItem", calendar) for calendar in pair)


def test_copy_is_told_when_its_original_was_moved(diary, exchange, pair):
    (item,) = diary.items(pair[0])
    exchange.control("POST", f"/appointments/{item['id']}/copy", {"start": at(20).isoformat()})
    times = {"start": at(14).isoformat(), "end": at(14, 30).isoformat()}
    exchange.control("PATCH", f"/appointments/{item['id']}", times)
    diary.harvest()
    assert diary.entries()["BK-1", pair[0]] == ("moved_by_owner", "copied_by_owner")
    assert len(diary.items(pair[0])) == 2


@pytest.fixture
def following(diary, person):
    """As `pair`, on a page whose bookings follow their owners."""
    main, additional = person(), person()
    diary.pages(booking_page(main, [additional], owner_changes="follow"))
    diary.take(booked("BK-1", at(9)))
    diary.push()
    return main, additional


def test_booking_follows_a_moved_entry_and_the_additional_calendar_comes_after_it(diary, following):
    main, additional = following
    move(diary, main, at(14))
    seen = diary.harvest()
    assert seen.entries.followed == 1
    ((start, _, changed_by),) = standing(diary).values()
    assert (start, changed_by) == (f"{at(14):%Y-%m-%dT%H:%M:%S.000000+00:00}", "owner")
    mark = diary.mark()
    assert diary.push().changes == {("BK-1", additional): ("update", "applied", None)}
    assert diary.requests(mark, *WRITES) == [("UpdateItem", additional)]
    assert [diary.ours(calendar) for calendar in following] == [{"BK-1": slot(at(14))}] * 2


def test_booking_follows_a_removed_entry_and_the_additional_calendar_loses_it(diary, following):
    main, additional = following
    remove(diary, main)
    diary.harvest()
    assert standing(diary) == {"BK-1": (None, "cancelled", "owner")}
    pushed = diary.push()
    assert pushed.status == "completed"
    assert pushed.changes["BK-1", additional] == ("cancel", "applied", None)
    assert diary.items(additional) == []


def test_booking_does_not_follow_its_additional_calendar(diary, following):
    move(diary, following[1], at(14))
    assert diary.harvest().entries.followed == 0
    assert standing(diary) == {"BK-1": AS_BOOKED}


def test_guests_later_revision_overrules_what_the_owner_did(diary, following):
    move(diary, following[0], at(14))
    diary.take(booked("BK-1", at(16), revision=2))
    diary.harvest()
    diary.push()
    assert [diary.ours(calendar) for calendar in following] == [{"BK-1": slot(at(16))}] * 2


def test_guest_moves_a_booking_again_that_has_followed_its_owner(diary, following):
    booking = booked("BK-1", at(9))
    move(diary, following[0], at(14))
    diary.harvest()
    diary.push()
    diary.take(again(booking, at(16)))
    assert diary.push().status == "completed"
    assert [diary.ours(calendar) for calendar in following] == [{"BK-1": slot(at(16))}] * 2


def test_too_many_changes_at_once_are_followed_by_none(diary, person):
    main = person()
    diary.pages(booking_page(main, owner_changes="follow"))
    diary.take(*(booked(f"BK-{hour}", at(hour)) for hour in range(6, 16)))
    diary.push()
    for hour in (6, 7):
        move(diary, main, at(hour, days=8), key=f"BK-{hour}")
    remove(diary, main, key="BK-8")
    seen = diary.harvest()
    assert (seen.entries.followed, seen.status) == (0, "completed_with_failures")
    assert [(it.page, it.disturbed, it.future) for it in seen.entries.refused_pages] == [("talk", 3, 10)]
    assert set(standing(diary).values()) == {AS_BOOKED}
    mark = diary.mark()
    diary.push()
    assert diary.requests(mark, *WRITES) == []


def test_moved_entry_takes_its_new_slot(diary, pair):
    move(diary, pair[0], at(14))
    diary.harvest()
    diary.take(booked("BK-2", at(14)), booked("BK-3", at(9)))
    pushed = diary.push()
    assert pushed.changes["BK-2", pair[0]] == ("create", "conflict", "slot_taken")
    assert pushed.changes["BK-3", pair[0]][1] == "applied"
