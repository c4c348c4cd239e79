"""What `busytime harvest` tells of entries that their owners moved or removed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.flows.harness import MovedClock, appointments, spared
from tests.integration.cli.booking_desk import BookingDesk, at, booking


@pytest.fixture
def later():
    """So much later that entries are read back."""
    clock = MovedClock()
    clock.offset = timedelta(hours=2)
    return clock


@pytest.fixture
def desk(home, person):
    """A page with ten entries."""
    return filled(BookingDesk(home, person()))


@pytest.fixture
def following(home, person):
    """The same on a page whose bookings follow their owners."""
    return filled(BookingDesk(home, person(), settings={"owner_changes": "follow"}))


def filled(desk):
    desk.open().take(*(booking(f"B{number}", at(8 + number)) for number in range(10)))
    desk.push()
    return desk


def item(desk, key):
    (found,) = [it["id"] for it in appointments(desk.home.exchange, desk.main) if it["booking_key"] == key]
    return found


def move(desk, *keys, days=6):
    for number, key in enumerate(keys):
        times = {"start": at(8 + number, days=days), "end": at(8 + number, 30, days=days)}
        shown = {name: instant.isoformat() for name, instant in times.items()}
        desk.home.exchange.control("PATCH", f"/appointments/{item(desk, key)}", shown)


def test_what_owners_did_is_told_by_state(desk, later):
    assert desk.home.harvest().ended(0).json["entries"] == {}
    move(desk, "B1", "B2")
    desk.home.exchange.control("DELETE", f"/appointments/{item(desk, 'B3')}")

    told = desk.home.harvest(clock=later).ended(0).json

    assert told["entries"] == {"moved_by_owner": 2, "removed_by_owner": 1}
    assert set(told) == {"run_id", "status", "calendars", "changes", "failed", "entries"}
    assert desk.home.call("status", "--json").json["entries"] == {"present": 7, "moved_by_owner": 2, "removed_by_owner": 1}
    text = spared(desk.home.call("status").out)
    assert "7 in the calendar, 2 moved by its owner, 1 removed by its owner" in text


def test_the_screen_says_it_in_words_and_what_to_do_next(desk, later):
    move(desk, "B1", "B2")
    desk.home.exchange.control("DELETE", f"/appointments/{item(desk, 'B3')}")
    text = spared(desk.home.call("harvest", clock=later).ended(0).out)
    for words in ("Entries: 2 moved by owners.", "Entries: 1 removed by owners.", "busytime bookings list"):
        assert words in text


def test_bookings_that_followed_are_counted(following, later):
    move(following, "B1")
    told = following.home.harvest(clock=later).ended(0).json
    assert (told["entries"], told["followed"]) == ({"moved_by_owner": 1}, 1)
    move(following, "B2", days=7)
    later.offset += timedelta(hours=2)
    assert "Followed: 1 booking took over" in spared(following.home.call("harvest", clock=later).ended(0).out)
    assert following.push()["changes"] == []


def test_too_many_that_would_follow_at_once_are_refused_with_their_numbers(following, later):
    move(following, "B1", "B2", "B3")

    result = following.home.call("harvest", clock=later).ended(3)

    text = spared(result.out)
    assert "Refused page talk: 3 of its 10 bookings would follow" in text
    assert "owner_changes: report" in text
    told = following.home.harvest(clock=later).ended(3).json
    assert told["refused_pages"] == [{"page": "talk", "disturbed": 3, "future": 10}]
    assert following.home.query("SELECT count(*) FROM bookings WHERE changed_by = 'owner'") == [(0,)]
