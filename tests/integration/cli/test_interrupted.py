"""Harvests that are killed, interrupted or started twice: whatever was committed stays, and the next run goes on."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.flows.harness import Home, eventually, finished, truth

pytestmark = pytest.mark.processes
OWNERS = [f"owner{number:04}@corp.example" for number in range(1, 21)]
READING = "GetUserAvailability"


@pytest.fixture
def slow(home, exchange):
    """A home with twenty calendars, harvested in twenty batches by a server that takes its time."""
    home.take_roster(*OWNERS).ended(0)
    home.connect().ended(0)
    home.more["BUSYTIME_BATCH_SIZE"] = "1"
    exchange.control("POST", "/limits", {"latency_ms": 400})
    return home


def reached(home: Home, moment: str) -> bool:
    """Tell whether a harvest that was started is so far."""
    if moment == "holding_the_lock":
        return home.query("SELECT count(*) FROM locks") != [(0,)]
    rows = 1 if moment == "first_batch_committed" else 8
    return home.query("SELECT count(*) FROM coverage")[0][0] >= rows


def children(process_id: int) -> list[int]:
    """Return the processes that a process has started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if stat.read_text().rpartition(")")[2].split()[1] == str(process_id):
                found.append(int(stat.parent.name))
        except OSError:
            continue
    return found


def gone(process_id: int) -> bool:
    """Tell whether a process has ended, waited for or not."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def assert_whole(home: Home) -> None:
    """Harvest once more, and find everything as if nothing had happened."""
    home.exchange.control("POST", "/limits", {"latency_ms": 0})
    printed = home.harvest().ended(0).json
    assert printed["calendars"] == {"known": 20, "unknown": 0}
    for owner in OWNERS:
        assert home.stored(owner) == truth(home.exchange, owner)
    twice = "SELECT calendar_id FROM busy_intervals WHERE valid_to IS NULL GROUP BY calendar_id, starts_at, ends_at, status"
    assert home.query(f"{twice} HAVING count(*) > 1") == []
    assert home.query("SELECT count(*) FROM locks") == [(0,)]
    assert home.harvest().ended(0).json["changes"] == {"opened": 0, "closed": 0}


@pytest.mark.parametrize("moment", ["holding_the_lock", "first_batch_committed", "half_done"])
@pytest.mark.long(moment="holding_the_lock")
@pytest.mark.long(moment="first_batch_committed")
def test_a_killed_harvest_is_completed_by_the_next_one_and_noted_as_crashed(slow, moment):
    process = slow.start("harvest")
    eventually(lambda: reached(slow, moment), moment)
    process.kill()
    assert finished(process).status == -signal.SIGKILL

    assert slow.run_statuses() == ["running"]
    assert_whole(slow)
    assert slow.run_statuses() == ["crashed", "completed", "completed"]


@pytest.mark.long
def test_a_killed_harvest_leaves_no_server_of_its_own_behind(slow):
    slow.prefect_api, shared = None, slow.prefect_api
    process = slow.start("harvest")
    eventually(lambda: reached(slow, "first_batch_committed"), "the harvest with a server of its own wrote a batch")
    (server,) = children(process.pid)
    process.kill()
    finished(process)
    eventually(lambda: gone(server), "the Prefect server of the killed harvest ended by itself")
    slow.prefect_api = shared
    assert_whole(slow)


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)])
@pytest.mark.long(sent=signal.SIGTERM)
def test_a_harvest_that_is_stopped_leaves_the_lock_free_and_no_traceback(slow, sent, status):
    process = slow.start("harvest")
    eventually(lambda: reached(slow, "first_batch_committed"), "a batch was committed")
    process.send_signal(sent)

    result = finished(process).ended(status)

    assert result.out == ""
    if sent is signal.SIGINT:
        assert "Stopped." in result.err
    assert_whole(slow)
    assert slow.run_statuses()[0] in {"failed", "crashed"}


def test_of_two_harvests_at_once_the_second_is_skipped_and_changes_nothing(slow):
    slow.exchange.control("POST", "/limits", {"latency_ms": 800})
    process = slow.start("harvest", "--json")
    eventually(lambda: reached(slow, "first_batch_committed"), "the first harvest wrote a batch")

    second = slow.harvest().ended(0).json
    shown = slow.call("harvest").ended(0)
    slow.exchange.control("POST", "/limits", {"latency_ms": 0})

    first = finished(process).ended(0).json
    assert first["calendars"] == {"known": 20, "unknown": 0}
    assert (second["status"], second["failed"]) == ("skipped", [])
    assert second["changes"] == {"opened": 0, "closed": 0}
    assert "Skipped" in shown.out
    assert slow.run_statuses() == ["completed", "skipped", "skipped"]
    assert slow.query("SELECT DISTINCT opened_run_id FROM coverage") == [(first["run_id"],)]
    assert_whole(slow)
