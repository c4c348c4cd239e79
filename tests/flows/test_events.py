"""What happened is announced to a Prefect server at hand, names nobody, and waits for none that does not answer."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest

from tests.flows.harness import eventually

BOOKING = '{"key": "BK-1", "page": "talk", "start": "2030-01-07T10:00:00+01:00", "end": "2030-01-07T10:30:00+01:00", '
PAGE = ["  - name: talk", "    time_zone: Europe/Berlin", "    main: owner0001@corp.example"]


@pytest.fixture
def announced(prefect_api):
    """Return the events that the server has got since the test began, by what they are about."""
    since = datetime.now(UTC) - timedelta(seconds=1)

    def look():
        wanted = {"event": {"prefix": ["busytime."]}, "occurred": {"since": since.isoformat()}}
        body = json.dumps({"filter": wanted, "limit": 50}).encode()
        request = urllib.request.Request(f"{prefect_api}/events/filter", body, {"Content-Type": "application/json"})  # noqa: S310 -- our own
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 -- our own
            return {it["event"]: it for it in json.load(answer)["events"]}

    return look


def take_booking(home):
    file = home.directory / "bookings.jsonl"
    file.write_text(BOOKING + '"title": "Zanderfall", "state": "scheduled", "revision": 1}\n')
    return home.call("bookings", "import", str(file))


def test_what_happened_is_announced_and_names_nobody(home, exchange, announced):
    home.connect().ended(0)
    home.take_roster(pages=PAGE).ended(0)
    take_booking(home).ended(0)
    eventually(lambda: len(announced()) == 3, "a stored password, a roster and bookings are announced")
    exchange.control("POST", "/password", {"email": exchange.email, "password": "another one that is long"})
    home.harvest().ended(5)
    eventually(lambda: "busytime.breaker.opened" in announced(), "the breaker that opened in a flow is announced")
    events = announced()
    about = {name: it["resource"]["prefect.resource.id"] for name, it in events.items()}
    assert about == {
        "busytime.password.stored": "busytime.connection.1",
        "busytime.roster.imported": "busytime.roster",
        "busytime.bookings.imported": "busytime.bookings",
        "busytime.breaker.opened": "busytime.connection.1",
    }
    assert "@" not in json.dumps(events)
    assert "Zanderfall" not in json.dumps(events)


def test_without_a_server_at_hand_an_import_does_not_know_prefect(home):
    home.prefect_api = None
    roster = home.directory / "roster.yaml"
    roster.write_text("calendars:\n  - owner: owner0001@corp.example\n")
    code = "import sys; from deployments.cli.main import main; main(sys.argv[1:]); print('prefect' in sys.modules)"
    command = [sys.executable, "-c", code, "roster", "import", str(roster)]
    ended = subprocess.run(command, env=home.environment, cwd=home.directory, capture_output=True, text=True, check=False)
    assert ended.stdout.splitlines()[-1] == "False", ended.stderr
    assert home.query("SELECT count(*) FROM requests WHERE kind = 'validate'") == [(1,)], "the row is there all the same"


@pytest.mark.parametrize("accepts", [True, False])
def test_a_server_that_does_not_answer_costs_two_seconds_at_most(home, accepts):
    home.take_roster(pages=PAGE).ended(0)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if accepts:
            silent.listen()
        home.prefect_api = f"http://127.0.0.1:{silent.getsockname()[1]}/api"
        began = time.monotonic()
        take_booking(home).ended(0)
        assert time.monotonic() - began < 5
