"""Events wake their flows while the service runs: the run is one that Prefect's own automation began, within seconds."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
import urllib.request

import pytest

from tests.flows.harness import eventually, finished
from tests.integration.alarms.receiving import Webhook
from tests.integration.alarms.receiving import serving as receiving

_BEFORE_ANY_SCHEDULE_SECONDS = 120
_PATIENCE_SECONDS = 400
PAGE = ["  - name: talk", "    time_zone: Europe/Berlin", "    main: owner0001@corp.example"]
BOOKING = {"key": "BK-1", "page": "talk", "title": "Zanderfall", "state": "scheduled", "revision": 1}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Service:
    """A service that runs, and what its Prefect server knows."""

    def __init__(self, port):
        self._api = f"http://127.0.0.1:{port}/api"

    def ask(self, path, **body):
        data = json.dumps(body).encode() if body else None
        request = urllib.request.Request(f"{self._api}/{path}", data, {"Content-Type": "application/json"})  # noqa: S310 -- our own
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 -- our own
            return json.load(answer)

    def woken(self, deployment):
        """Count the runs of a deployment that an automation began."""
        runs = self.ask("flow_runs/filter", deployments={"name": {"any_": [deployment]}})
        return sum((run["created_by"] or {}).get("type") == "AUTOMATION" for run in runs)

    def begin(self, deployment):
        """Start a run of a deployment as a person does on the page, and return its id."""
        found = self.ask(f"deployments/name/{deployment}")
        return self.ask(f"deployments/{found['id']}/create_flow_run", parameters={}, state={"type": "SCHEDULED"})["id"]

    def state(self, run):
        return self.ask(f"flow_runs/{run}")["state"]

    def log(self, run):
        """Return what a run logged."""
        return [line["message"] for line in self.ask("logs/filter", logs={"flow_run_id": {"any_": [run]}})]


def refused_run(service, email):
    """Let the worker make a run that is refused, check its state, and return its id."""
    run = service.begin("harvest_busy_time/harvest")
    eventually(lambda: service.state(run)["type"] in {"FAILED", "COMPLETED", "CRASHED"}, "the refused run ends")
    ended = service.state(run)
    assert (ended["type"], ended["name"]) == ("FAILED", "Refused")
    assert f"`busytime password {email}`" in ended["message"]
    return run


@pytest.fixture
def hook():
    with receiving(Webhook()) as server:
        yield server


@pytest.fixture
def service(home, hook):
    home.prefect_api = ""
    home.more["BUSYTIME_ALARM_URLS"] = json.dumps([hook.address()])
    port = free_port()
    process = home.start("serve", "--port", str(port), "--metrics-port", str(free_port()))
    try:
        assert process.stdout.readline(), process.stderr.read()
        yield Service(port)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=90)


def test_what_happens_wakes_its_flow(home, exchange, service, hook, tell):
    def wakes(deployment, action):
        before, began = service.woken(deployment), time.monotonic()
        action()
        eventually(lambda: service.woken(deployment) > before, f"{deployment} is woken", _BEFORE_ANY_SCHEDULE_SECONDS)
        tell(f"{deployment} was woken after {time.monotonic() - began:.0f} s, the command included")

    def take_booking():
        file = home.directory / "bookings.jsonl"
        times = {"start": "2030-01-07T10:00:00+01:00", "end": "2030-01-07T10:30:00+01:00"}
        file.write_text(json.dumps(BOOKING | times) + "\n", encoding="utf-8")
        home.run("bookings", "import", str(file)).ended(0)

    def change_password():
        exchange.control("POST", "/password", {"email": exchange.email, "password": "another one that is long"})
        home.run("harvest").ended(5)

    def renew():
        # The service has seen the request, too: whoever is second waits until the other has caught up.
        renewing = home.start("password", exchange.email, "--password-stdin", stdin=subprocess.PIPE)
        finished(renewing, "another one that is long\n", seconds=_PATIENCE_SECONDS)

    wakes("validate", lambda: home.take_roster(pages=PAGE, process=True).ended(0))
    wakes("push", take_booking)
    wakes("watch", change_password)
    eventually(lambda: hook.bodies, "the alarm is told")
    refused = refused_run(service, exchange.email)
    wakes("resync", renew)
    eventually(lambda: len(hook.bodies) > 1, "its end is told")
    assert [body["title"] for body in hook.bodies] == [
        f"busytime: {how}: Breaker opened, {exchange.email}" for how in ("new", "over")
    ]
    # By now it has sent all that it logged.
    assert any(service.state(refused)["message"] in line for line in service.log(refused))
    assert not any("Traceback" in line or "HarvestOutcome(" in line for line in service.log(refused))
