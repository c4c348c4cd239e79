"""What is stored after a harvest, against the server's own list of appointments."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, time, timedelta

import pytest

from tests.flows.harness import Home, appointments, book, truth, usual_window
from tests.sandbox_fixture import running_sandbox

STYLES = ("exchange", "items")
PROJECTS = "Projects"


@pytest.fixture(scope="module", params=STYLES)
def styled_exchange(request):
    with running_sandbox("--owners", "12", "--seed", "7", "--rights-style", request.param) as sandbox:
        yield sandbox


def tomorrow(hour: int, minute: int = 0) -> datetime:
    return datetime.combine(datetime.now(UTC).date() + timedelta(days=1), time(hour, minute), UTC)


def test_generated_calendars_and_a_sub_calendar_are_stored_as_they_are(tmp_path, styled_exchange, prefect_api):
    exchange, home = styled_exchange, Home(tmp_path / "home", styled_exchange, prefect_api)
    owners = [f"owner{number:04}@corp.example" for number in range(1, 13)]
    exchange.control("POST", "/calendars", {"owner": owners[0], "folder": PROJECTS})
    book(exchange, owners[0], tomorrow(9), folder=PROJECTS, rrule="FREQ=WEEKLY;COUNT=6", time_zone="Europe/Berlin")
    for place, status in enumerate(("Tentative", "OOF", "WorkingElsewhere", "Free")):
        book(exchange, owners[0], tomorrow(12 + place), folder=PROJECTS, status=status)
    home.connect().ended(0)
    home.take_roster(*owners, f"{owners[0]}/{PROJECTS}").ended(0)

    printed = home.harvest().ended(0).json

    assert printed["calendars"] == {"known": 13, "unknown": 0}
    seen = Counter()
    for owner in owners:
        expected = truth(exchange, owner)
        assert home.stored(owner) == expected
        seen.update(status for _, _, status in expected.elements())
    assert set(seen) == {"busy", "tentative", "out_of_office", "working_elsewhere"}
    in_folder = truth(exchange, owners[0], PROJECTS)
    assert len(in_folder) == 9
    assert home.stored(owners[0], PROJECTS) == in_folder
    again = home.harvest().ended(0).json
    assert again["changes"] == {"opened": 0, "closed": 0}


def test_all_day_private_cancelled_doubled_and_empty_appointments_are_stored_as_they_count(home, exchange, person):
    owner = person()
    book(exchange, owner, tomorrow(0), minutes=24 * 60, is_all_day=True, status="OOF")
    book(exchange, owner, tomorrow(8), is_private=True)
    book(exchange, owner, tomorrow(9), is_cancelled=True)
    for _ in range(3):
        book(exchange, owner, tomorrow(10))
    book(exchange, owner, tomorrow(11), minutes=0)
    series = book(exchange, owner, tomorrow(13), rrule="FREQ=DAILY;COUNT=5", time_zone="Europe/Berlin")
    home.take_roster(owner).ended(0)
    home.connect().ended(0)

    home.harvest().ended(0)

    assert home.stored(owner) == truth(exchange, owner)
    assert sum(home.stored(owner).values()) == 10
    assert home.stored(owner)[tomorrow(10), tomorrow(11), "busy"] == 3
    moved, removed = [it["id"] for it in appointments(exchange, owner) if it["is_recurring"]][1:3]
    shifted = {"start": tomorrow(20).isoformat(), "end": tomorrow(21).isoformat()}
    exchange.control("PATCH", f"/appointments/{moved}", shifted)
    exchange.control("DELETE", f"/appointments/{removed}")
    assert home.harvest().ended(0).json["changes"] == {"opened": 1, "closed": 2}
    assert home.stored(owner) == truth(exchange, owner)
    exchange.control("DELETE", f"/appointments/{series}")
    assert home.harvest().ended(0).json["changes"] == {"opened": 0, "closed": 4}
    assert home.stored(owner) == truth(exchange, owner)


def test_a_mailbox_that_tells_merged_busy_time_only_is_stored_by_its_digits(home, exchange, person):
    owner = person()
    book(exchange, owner, tomorrow(8), minutes=30)
    book(exchange, owner, tomorrow(9), status="Tentative")
    book(exchange, owner, tomorrow(11), status="OOF")
    exchange.control("POST", "/mailbox", {"owner": owner, "kind": "merged_only"})
    home.take_roster(owner).ended(0)
    home.connect().ended(0)
    home.harvest().ended(0)
    assert home.stored(owner) == truth(exchange, owner)


def test_a_regular_harvest_covers_from_yesterday_to_sixty_days_ahead(home, person):
    home.take_roster(person()).ended(0)
    home.connect().ended(0)
    before = usual_window()
    home.harvest().ended(0)
    ((start, end),) = home.query("SELECT starts_at, ends_at FROM coverage")
    assert tuple(map(datetime.fromisoformat, (start, end))) in {before, usual_window()}


def test_details_that_a_server_sends_unasked_change_nothing(home, exchange, person):
    owner = person()
    book(exchange, owner, tomorrow(8))
    home.take_roster(owner).ended(0)
    home.connect().ended(0)
    exchange.control("POST", "/limits", {"send_details": True, "beyond_window": True})
    home.harvest().ended(0)
    assert home.stored(owner) == truth(exchange, owner)


def test_two_edges_of_the_window_that_only_touch_are_not_stored(home, exchange, person):
    owner = person()
    start, end = tomorrow(8), tomorrow(12)
    for hour in (7, 8, 11, 12):
        book(exchange, owner, tomorrow(hour))
    home.take_roster(owner).ended(0)
    home.connect().ended(0)
    home.harvest("--from", start.isoformat(), "--to", end.isoformat()).ended(0)
    assert {begins.hour for begins, _, _ in home.stored(owner)} == {8, 11}
