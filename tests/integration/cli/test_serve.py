"""`busytime serve` as a process: it harvests at once, tells who watches, is alone, and leaves nothing running."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from contextlib import contextmanager

import pytest

from tests.flows.harness import eventually

_STARTS_WITHIN_SECONDS = 180


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fetch(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 -- our own address
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def count_scheduled(page):
    """Count the flow runs that the service's Prefect server means to start later."""
    body = json.dumps({"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{page}/api/flow_runs/count", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 -- our own address
        return int(answer.read())


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def serving(home):
    """Serve a home on free ports; yield the process and the ports, and end it whatever happens."""
    home.prefect_api = ""
    page, figures = free_port(), free_port()
    process = home.start("serve", "--port", str(page), "--metrics-port", str(figures), stdin=subprocess.DEVNULL)
    try:
        yield process, page, figures
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=90)


def said_first(process):
    line = process.stdout.readline()
    assert line, process.stderr.read()
    return line


@pytest.mark.processes
def test_a_service_harvests_at_once_tells_who_watches_is_alone_and_leaves_nothing(home):
    home.connect().ended(0)
    home.take_roster("owner0001@corp.example", "owner0002@corp.example").ended(0)
    with serving(home) as (process, page, figures):
        assert f"http://127.0.0.1:{page}" in said_first(process)
        assert fetch(f"http://127.0.0.1:{figures}/healthz") == (200, "alive\n")
        assert fetch(f"http://127.0.0.1:{figures}/readyz") == (200, "ready\n")
        assert fetch(f"http://127.0.0.1:{figures}/password")[0] == 404

        second = home.run("serve", "--port", str(free_port())).ended(2)
        assert f"http://127.0.0.1:{page}" in second.err

        def told():
            return fetch(f"http://127.0.0.1:{figures}/metrics")[1]

        eventually(lambda: 'busytime_calendars{state="known"} 2.0' in told(), "the first harvest is done", _STARTS_WITHIN_SECONDS)
        assert "corp.example" not in told(), "no address among the figures"
        eventually(lambda: count_scheduled(page) > 10, "Prefect schedules runs", _STARTS_WITHIN_SECONDS)
        by_hand = home.run("harvest", "--json").ended(0).json["run_id"]
        [(flow_run,)] = home.query("SELECT prefect_flow_run_id FROM runs WHERE id = :id", id=by_hand)
        assert fetch(f"http://127.0.0.1:{page}/api/flow_runs/{flow_run}")[0] == 200, "it used the server that serves its home"

        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=90)
        assert process.returncode == 0, err
        assert "Stopped" in out
        assert not answers(page)
        assert not answers(figures)


@pytest.mark.processes
def test_a_service_that_is_killed_takes_its_parts_with_it(home):
    home.connect().ended(0)
    with serving(home) as (process, page, _):
        said_first(process)
        process.kill()
        process.wait()
        eventually(lambda: not answers(page), "Prefect's server has ended", 60)


def test_a_port_that_is_taken_is_told_with_the_next_step(home):
    home.connect().ended(0)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = home.run("serve", "--port", str(port)).ended(2)
    assert f"Port {port} of 127.0.0.1 cannot be used" in refused.err
    assert "--port" in refused.err
