"""Unknown is never free: every way in which a calendar's busy time is not known, and what it means."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from tests.flows.harness import book, truth

HALF_AN_HOUR_AND_ONE = timedelta(minutes=31)


def tomorrow(hour: int = 0) -> datetime:
    return datetime.combine(datetime.now(UTC).date() + timedelta(days=1), time(hour), UTC)


def page(main: str, *busy: str) -> list[str]:
    return ["  - name: talk", f"    main: {main}", f"    busy: [{', '.join(busy)}]"]


def free(home, *, clock=None):
    day = tomorrow()
    window = ("--from", f"{day:%Y-%m-%d}", "--to", f"{day + timedelta(days=1):%Y-%m-%d}")
    return home.call("free", "--page", "talk", *window, "--duration", "1h", "--step", "1h", "--json", clock=clock)


@pytest.fixture
def two(home, exchange, person):
    """A page of two persons, each busy for an hour, harvested once."""
    main, other = person(), person()
    book(exchange, main, tomorrow(8))
    book(exchange, other, tomorrow(9))
    home.take_roster(main, other, pages=page(main, other)).ended(0)
    home.connect().ended(0)
    home.harvest().ended(0)
    assert len(free(home).ended(0).json["slots"]) == 22
    return main, other


def forbid(exchange, owner):
    for grantee in (exchange.email, "Default"):
        exchange.control("POST", "/permission", {"owner": owner, "folder": "", "grantee": grantee, "level": "None"})


def mark(kind):
    return lambda exchange, owner: exchange.control("POST", "/mailbox", {"owner": owner, "kind": kind})


DEFINITE = {
    "no_access": (forbid, "no_access"),
    "no_data": (mark("no_data"), "no_data"),
    "no_view": (mark("no_view"), "no_data"),
    "ends_before_start": (
        lambda exchange, owner: book(exchange, owner, tomorrow(15), minutes=-30, allow_inverted=True),
        "ends_before_start",
    ),
}


@pytest.mark.parametrize("case", DEFINITE)
def test_a_definite_refusal_makes_a_calendar_unknown_at_once_and_closes_nothing(home, exchange, two, case):
    main, other = two
    spoil, reason = DEFINITE[case]
    before = home.stored(other)
    spoil(exchange, other)

    printed = home.harvest().ended(3).json

    detail = printed["failed"][0]["detail"]
    assert printed["failed"] == [{"owner": other, "folder": "", "reason": reason, "detail": detail}]
    assert printed["status"] == "completed_with_failures"
    assert printed["calendars"] == {"known": 1, "unknown": 1}
    assert home.coverage(other) == ("unknown", reason, detail)
    assert home.stored(other) == before
    assert home.stored(main) == truth(exchange, main)
    offered = free(home).ended(3).json
    assert offered["slots"] == []
    assert [(it["owner"], it["reason"]) for it in offered["unknown"]] == [(other, reason)]


def test_an_appointment_that_ends_before_it_starts_is_told_by_its_start(home, exchange, two):
    _, other = two
    book(exchange, other, tomorrow(15), minutes=-30, allow_inverted=True)
    printed = home.harvest().ended(3).json
    assert datetime.fromisoformat(printed["failed"][0]["detail"]) == tomorrow(15)
    shown = home.call("harvest").ended(3)
    assert other in shown.out
    assert f"{tomorrow(15):%Y-%m-%dT%H:%M}" in "".join(shown.out.split())


def test_a_mailbox_that_does_not_exist_is_named_and_costs_nobody_else_an_answer(home, person):
    known = person()
    home.take_roster(known, "nobody@corp.example", f"{known}/Nowhere").ended(0)
    home.connect().ended(0)
    printed = home.harvest().ended(3).json
    assert {(it["owner"], it["folder"], it["reason"]) for it in printed["failed"]} == {
        ("nobody@corp.example", "", "mailbox_not_found"),
        (known, "Nowhere", "folder_not_found"),
    }
    assert printed["calendars"] == {"known": 1, "unknown": 2}
    assert home.coverage("nobody@corp.example")[0] == "unknown"


def test_access_that_is_granted_later_makes_a_calendar_known_again(home, exchange, two):
    _, other = two
    forbid(exchange, other)
    home.harvest().ended(3)
    exchange.control("POST", "/permission", {"owner": other, "folder": "", "grantee": exchange.email, "level": "Editor"})
    home.harvest().ended(0)
    assert len(free(home).ended(0).json["slots"]) == 22


def test_one_failed_answer_costs_nothing_until_it_is_too_old(home, exchange, two, clock):
    main, other = two
    exchange.control("POST", "/faults", {"kind": "sick_mailbox", "operation": "GetUserAvailability", "mailbox": other})

    printed = home.harvest().ended(3).json

    assert printed["calendars"] == {"known": 2, "unknown": 0}
    assert [(it["owner"], it["reason"]) for it in printed["failed"]] == [(other, "server_error")]
    assert "2 calendars known, 0 unknown, 1 not read by this run;" in home.call("harvest").ended(3).out
    assert len(free(home).ended(0).json["slots"]) == 22
    clock.offset = HALF_AN_HOUR_AND_ONE
    printed = home.harvest(clock=clock).ended(3).json
    assert printed["calendars"] == {"known": 1, "unknown": 1}
    assert home.coverage(other)[:2] == ("unknown", "server_error")
    offered = free(home, clock=clock).ended(3).json
    assert offered["slots"] == []
    assert {it["owner"] for it in offered["unknown"]} == {other}
    assert home.stored(other) == truth(exchange, other)
    assert home.stored(main) == truth(exchange, main)


def test_a_harvest_that_does_not_run_makes_everything_unknown_and_says_since_when(home, two, clock):
    ((as_of,),) = set(home.query("SELECT as_of FROM coverage WHERE valid_to IS NULL"))
    since = datetime.fromisoformat(as_of) + timedelta(minutes=30)
    clock.offset = HALF_AN_HOUR_AND_ONE

    offered = free(home, clock=clock).ended(3).json

    assert offered["slots"] == []
    assert {(it["owner"], it["reason"], it["since"]) for it in offered["unknown"]} == {
        (owner, "outdated", since.isoformat(timespec="seconds")) for owner in two
    }
    status = home.call("status", "--json", clock=clock).ended(3).json
    assert status["coverage"] == {"known": 0, "unknown": 2}
    shown = " ".join(
        home.call(
            "free",
            "--page",
            "talk",
            "--from",
            f"{tomorrow():%Y-%m-%d}",
            "--to",
            f"{tomorrow() + timedelta(days=1):%Y-%m-%d}",
            "--duration",
            "1h",
            clock=clock,
        )
        .ended(3)
        .out.split()
    )
    assert f"{since:%H:%M}" in shown
    assert "busytime harvest" in shown
    home.harvest(clock=clock).ended(0)
    assert len(free(home, clock=clock).ended(0).json["slots"]) == 22


@pytest.mark.usefixtures("two")
def test_a_time_that_was_never_harvested_is_not_free(home):
    far = datetime.now(UTC) + timedelta(days=100)
    window = ("--from", f"{far:%Y-%m-%d}", "--to", f"{far + timedelta(days=1):%Y-%m-%d}")
    offered = home.call("free", "--page", "talk", *window, "--duration", "30m", "--json").ended(3).json
    assert offered["slots"] == []
    assert {it["reason"] for it in offered["unknown"]} == {"never_harvested"}
