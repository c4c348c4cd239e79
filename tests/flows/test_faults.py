"""Servers that fail in every way there is: what a harvest makes of it, and what it leaves as it was."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, time, timedelta

import pytest

from tests.flows.harness import Home, book, eventually, truth
from tests.sandbox_fixture import running_sandbox

READING = "GetUserAvailability"


def tomorrow(hour: int = 0) -> datetime:
    return datetime.combine(datetime.now(UTC).date() + timedelta(days=1), time(hour), UTC)


@pytest.fixture
def four(home, exchange, person):
    """Four persons with an appointment each, connected and never harvested."""
    owners = [person() for _ in range(4)]
    for hour, owner in enumerate(owners):
        book(exchange, owner, tomorrow(8 + hour))
    home.take_roster(*owners).ended(0)
    home.connect().ended(0)
    home.more["BUSYTIME_REQUEST_DEADLINE_SECONDS"] = "1"
    return owners


PASSING = {
    "malformed": {"kind": "malformed"},
    "drop_before": {"kind": "drop_before"},
    "drop_after": {"kind": "drop_after"},
    "delay_beyond_the_deadline": {"kind": "delay", "seconds": 20},
    "dribble": {"kind": "dribble", "seconds": 1},
    "http_503": {"kind": "http_503"},
    "http_503_with_retry_after": {"kind": "http_503", "seconds": 1},
    "server_busy": {"kind": "server_busy"},
    "server_busy_with_back_off": {"kind": "server_busy", "back_off_ms": 300},
    "connection_count": {"kind": "connection_count"},
    "too_many_objects": {"kind": "too_many_objects"},
}


@pytest.mark.parametrize("fault", PASSING)
def test_a_passing_fault_costs_no_calendar_its_answer(home, exchange, four, fault):
    exchange.control("POST", "/faults", {"operation": READING, "count": 1} | PASSING[fault])
    printed = home.harvest().ended(0).json
    assert printed["calendars"] == {"known": 4, "unknown": 0}
    assert all(home.stored(owner) == truth(exchange, owner) for owner in four)


def test_a_back_off_is_kept_for_all_workers_of_the_connection(home, exchange):
    owners = [f"owner{number:04}@corp.example" for number in range(1, 13)]
    home.more["BUSYTIME_BATCH_SIZE"] = "1"
    home.take_roster(*owners).ended(0)
    home.connect().ended(0)
    exchange.control("POST", "/faults", {"kind": "server_busy", "operation": READING, "count": 1, "back_off_ms": 2500})
    before = exchange.log()[-1]["n"]

    home.harvest().ended(0)

    ((until,),) = home.query("SELECT back_off_until FROM connections")
    told = [entry for entry in exchange.log(before) if entry["code"] == "ErrorServerBusy"]
    assert len(told) == 1
    at = datetime.fromisoformat(told[0]["at"])
    assert datetime.fromisoformat(until) >= at + timedelta(seconds=2)
    # Four workers: those that had been let pass before the one was told still send, nobody else does.
    later = [entry for entry in exchange.log(told[0]["n"]) if entry["operation"] == READING]
    assert sum(datetime.fromisoformat(entry["at"]) < at + timedelta(seconds=2) for entry in later) <= 3
    assert all(home.stored(owner) == truth(exchange, owner) for owner in owners)


def test_a_lasting_fault_names_every_calendar(home, exchange, four):
    exchange.control("POST", "/faults", {"kind": "malformed", "operation": READING})

    printed = home.harvest().ended(3).json

    assert printed["status"] == "completed_with_failures"
    assert printed["calendars"] == {"known": 0, "unknown": 4}
    assert {(it["owner"], it["reason"]) for it in printed["failed"]} == {(owner, "malformed_answer") for owner in four}
    assert {home.coverage(owner)[:2] for owner in four} == {("unknown", "malformed_answer")}


def test_a_lasting_fault_closes_nothing_and_answers_count_until_they_are_too_old(home, exchange, four):
    home.harvest().ended(0)
    stored = [home.stored(owner) for owner in four]
    exchange.control("POST", "/faults", {"kind": "drop_before", "operation": READING})

    printed = home.harvest().ended(3).json

    assert {(it["owner"], it["reason"]) for it in printed["failed"]} == {(owner, "connection_lost") for owner in four}
    assert printed["calendars"] == {"known": 4, "unknown": 0}
    assert printed["changes"] == {"opened": 0, "closed": 0}
    assert [home.stored(owner) for owner in four] == stored


@pytest.mark.usefixtures("four")
@pytest.mark.long
def test_a_server_that_keeps_asking_for_time_ends_the_batch_at_its_deadline(home, exchange):
    home.more["BUSYTIME_BATCH_DEADLINE_SECONDS"] = "1"
    exchange.control("POST", "/faults", {"kind": "server_busy", "operation": READING, "back_off_ms": 600_000})
    before = exchange.log()[-1]["n"]

    printed = home.harvest().ended(3).json

    assert {it["reason"] for it in printed["failed"]} == {"server_busy"}
    assert len([entry for entry in exchange.log(before) if entry["operation"] == READING]) == 1
    # The next run keeps to it as well, whatever became of the server: it sends nothing at all, and says until when.
    exchange.control("DELETE", "/faults")
    before = exchange.log()[-1]["n"]
    printed = home.harvest().ended(1).json
    assert (printed["status"], printed["reason"]) == ("failed", "server_busy")
    assert "asked to be left alone until" in printed["message"]
    assert exchange.log(before) == []


@pytest.fixture(scope="module")
def hundred():
    with running_sandbox("--owners", "100", "--warm") as sandbox:
        yield sandbox


@pytest.mark.parametrize(("kind", "reason"), [("sick_mailbox", "server_error"), ("stalled_mailbox", "timed_out")])
@pytest.mark.long(kind="stalled_mailbox")
def test_an_ill_mailbox_does_not_cost_the_other_99_their_answer(tmp_path, hundred, prefect_api, kind, reason):
    home = Home(tmp_path / "home", hundred, prefect_api, {"BUSYTIME_REQUEST_DEADLINE_SECONDS": "0.6"})
    owners = [f"owner{number:04}@corp.example" for number in range(1, 101)]
    home.take_roster(*owners).ended(0)
    home.connect().ended(0)
    ill = owners[36]
    hundred.control("POST", "/faults", {"kind": kind, "operation": READING, "mailbox": ill})
    before = hundred.log()[-1]["n"]

    printed = home.harvest().ended(3).json

    assert printed["calendars"] == {"known": 99, "unknown": 1}
    assert [(it["owner"], it["reason"]) for it in printed["failed"]] == [(ill, reason)]
    asked = len([entry for entry in hundred.log(before) if entry["operation"] == READING])
    assert asked < 30, "found by halves, not one by one"
    assert all(home.stored(owner) == truth(hundred, owner) for owner in owners[::9] if owner != ill)
    hundred.control("DELETE", "/faults")
    home.harvest().ended(0)
    assert home.stored(ill) == truth(hundred, ill)


@pytest.mark.long
def test_faults_of_every_kind_now_and_then_end_in_truth(home, exchange):
    owners = [f"owner{number:04}@corp.example" for number in range(1, 31)]
    home.more |= {"BUSYTIME_BATCH_SIZE": "4", "BUSYTIME_REQUEST_DEADLINE_SECONDS": "1"}
    home.take_roster(*owners).ended(0)
    home.connect().ended(0)
    for fault in PASSING.values():
        exchange.control("POST", "/faults", {"operation": READING, "share": 0.05} | fault)

    for turn in range(3):
        book(exchange, owners[turn], tomorrow(5), minutes=17)
        result = home.harvest()
        assert result.status in {0, 3}, result
        missing = {it["owner"] for it in result.json["failed"]}
        for owner in set(owners) - missing:
            assert home.stored(owner) == truth(exchange, owner)

    exchange.control("DELETE", "/faults")
    assert home.harvest().ended(0).json["calendars"] == {"known": 30, "unknown": 0}
    assert all(home.stored(owner) == truth(exchange, owner) for owner in owners)
    assert home.harvest().ended(0).json["changes"] == {"opened": 0, "closed": 0}


def test_a_server_that_is_away_fails_the_run_and_changes_nothing(tmp_path, prefect_api):
    with running_sandbox("--owners", "2") as exchange:
        home = Home(tmp_path / "home", exchange, prefect_api)
        home.take_roster("owner0001@corp.example", "owner0002@corp.example").ended(0)
        home.connect().ended(0)
        home.harvest().ended(0)
        stored = home.stored("owner0001@corp.example")
    shown = home.call("harvest").ended(1)
    assert shown.out == ""
    assert "could not be reached" in shown.err
    assert home.stored("owner0001@corp.example") == stored
    assert home.call("status", "--json").ended(0).json["coverage"] == {"known": 2, "unknown": 0}
    assert home.run_statuses() == ["completed", "failed"]
    assert home.query("SELECT answer FROM logons ORDER BY id DESC LIMIT 1") == [("not_sent",)]


def test_a_server_that_goes_away_in_the_middle_keeps_what_was_answered(tmp_path, prefect_api):
    with running_sandbox("--owners", "20") as exchange:
        owners = [f"owner{number:04}@corp.example" for number in range(1, 21)]
        home = Home(tmp_path / "home", exchange, prefect_api, {"BUSYTIME_BATCH_SIZE": "5"})
        home.take_roster(*owners).ended(0)
        home.connect().ended(0)
        known = {owner: truth(exchange, owner) for owner in owners}
        exchange.control("POST", "/limits", {"latency_ms": 150})

        def stop_soon():
            eventually(lambda: sum(entry["operation"] == READING for entry in exchange.log()) >= 2, "two batches were read")
            exchange.process.kill()

        stopper = threading.Thread(target=stop_soon)
        stopper.start()
        printed = home.harvest().ended(3).json
        stopper.join()
    missing = {it["owner"] for it in printed["failed"]}
    assert 0 < len(missing) < 20
    for owner in owners:
        assert home.stored(owner) == ({} if owner in missing else known[owner])
    assert printed["calendars"] == {"known": 20 - len(missing), "unknown": len(missing)}
