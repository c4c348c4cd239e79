"""What stands under `busytime serve` goes away for a while, or a schedule is faster than its runs: the service goes on.

`FAULT_SECONDS` says for how long something is away; 25 by default.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from tests.flows.harness import Home, eventually
from tests.integration.cli.service_process import ask, fetch, listener, said_first, serving
from tests.proofs.stoppable import stoppable_server

AWAY_SECONDS = int(os.environ.get("FAULT_SECONDS", "25"))
OWNERS = [f"owner{number:04}@corp.example" for number in range(1, 9)]
#: A machine that does much besides takes so long for the first harvest, and for one that a schedule starts.
_PATIENCE_SECONDS = 240


@pytest.fixture
def home(tmp_path, exchange) -> Home:
    """A connected home with a roster, which harvests every minute."""
    made = Home(tmp_path / "home", exchange, None)
    made.more["BUSYTIME_HARVEST_SCHEDULE"] = "* * * * *"
    return made


def make_ready(home):
    home.connect().ended(0)
    home.take_roster(*OWNERS).ended(0)


@contextmanager
def served(home):
    """Serve, and wait for the first harvest."""
    with serving(home) as (process, page, figures):
        said_first(process)
        eventually(lambda: harvests(home), "the first harvest is done", _PATIENCE_SECONDS)
        yield process, page, f"http://127.0.0.1:{figures}"


def harvests(home, since=None):
    """Return when completed harvests ended that began after an instant."""
    rows = home.query(
        "SELECT started_at, finished_at FROM runs WHERE flow = 'harvest_busy_time' AND status = 'completed' ORDER BY id"
    )
    pairs = [(_instant(start), _instant(end)) for start, end in rows]
    return [end for start, end in pairs if since is None or start > since]


def _instant(value):
    return datetime.fromisoformat(str(value)).astimezone(UTC)


def assert_goes_on(home, process, back, seconds=_PATIENCE_SECONDS):
    """A harvest begins and completes after what was away is back; no run is left half open; return how long that took."""
    eventually(lambda: harvests(home, back), "a harvest after it", seconds)
    eventually(lambda: home.query("SELECT count(*) FROM runs WHERE status = 'running'")[0][0] <= 1, "no run is left behind")
    assert process.poll() is None, "the service went on"
    return (harvests(home, back)[0] - back).total_seconds()


def ended(process):
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=90)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    return out, err


# What PostgreSQL refuses while it starts leaves a connection to the collector, in the test's own look at the tables.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_database_away_under_the_service(home, tell):
    with stoppable_server() as server:
        home.more["BUSYTIME_DATABASE_URL"] = server.databases.url(server.databases.create())
        make_ready(home)
        with served(home) as (process, _, figures):
            assert fetch(f"{figures}/readyz")[0] == 200
            server.stop()
            time.sleep(AWAY_SECONDS)
            away = fetch(f"{figures}/readyz"), fetch(f"{figures}/metrics")[0], fetch(f"{figures}/healthz")[0]
            server.restart()
            back = datetime.now(UTC)
            took = assert_goes_on(home, process, back)
            assert away == ((503, "the database cannot be used\n"), 503, 200)
            assert fetch(f"{figures}/readyz")[0] == 200
            statuses = home.query("SELECT flow, status FROM runs ORDER BY id")
            _, err = ended(process)
            said = [line for line in err.splitlines() if "database" in line]
            tell(
                f"away for {AWAY_SECONDS} s, next harvest {took:.0f} s after; runs {statuses}; said {len(said)} times {said[:1]}"
            )
            assert said


def test_prefects_server_silent_under_the_service(home, tell):
    make_ready(home)
    with served(home) as (process, page, figures):
        server = listener(page)
        os.kill(server, signal.SIGSTOP)
        time.sleep(max(AWAY_SECONDS, 30))
        ready = fetch(f"{figures}/readyz")[0]
        os.kill(server, signal.SIGCONT)
        took = assert_goes_on(home, process, datetime.now(UTC))
        statuses = home.run_statuses()
        _, err = ended(process)
        said = [line for line in err.splitlines() if "answer" in line]
        tell(f"silent for {AWAY_SECONDS} s, next harvest {took:.0f} s after; runs {statuses}; said {said}")
    assert ready == 503
    assert len(said) == 2


def test_schedule_faster_than_its_runs(home, exchange, tell):
    """Harvests of some 80 seconds that are due every minute: one at a time, and none piles up."""
    home.more["BUSYTIME_BATCH_SIZE"] = "1"
    make_ready(home)
    exchange.control("POST", "/limits", {"latency_ms": 16_000})
    with serving(home) as (process, page, _):
        said_first(process)
        begun = datetime.now(UTC)
        eventually(lambda: len(harvests(home)) >= 2, "two slow harvests", 600)
        waiting = ask(
            page,
            "flow_runs/count",
            flow_runs={"state": {"type": {"any_": ["SCHEDULED", "PENDING"]}}, "expected_start_time": {"before_": _text(begun)}},
        )
        exchange.control("POST", "/limits", {"latency_ms": 0})
        took = assert_goes_on(home, process, datetime.now(UTC))
        rows = home.query("SELECT started_at, finished_at, status FROM runs WHERE flow = 'harvest_busy_time' ORDER BY id")
        spans = [(_instant(start), _instant(end)) for start, end, status in rows if end and status == "completed"]
        cancelled = ask(page, "flow_runs/count", flow_runs={"state": {"type": {"any_": ["CANCELLED"]}}})
        ended(process)
        lasted = [round((end - start).total_seconds()) for start, end in spans]
        told = f"{cancelled} cancelled, {waiting} left waiting; then {took:.0f} s; {[row[2] for row in rows]}"
        tell(f"lasted {lasted} s; {told}")
    assert max(lasted) > timedelta(minutes=1).total_seconds()
    assert all(first[1] <= second[0] for first, second in pairwise(spans)), "two at once"
    assert waiting == 0
    assert {row[2] for row in rows} <= {"completed", "skipped", "running"}


def _text(instant):
    return instant.isoformat()
