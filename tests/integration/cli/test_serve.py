"""`busytime serve` as a process: it harvests at once, tells who watches, is alone, and leaves nothing running."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
from contextlib import ExitStack
from urllib.error import HTTPError

import psutil
import pytest

from tests.flows.harness import eventually
from tests.integration.cli.service_process import (
    STARTS_WITHIN_SECONDS,
    answers,
    ask,
    count_scheduled,
    fetch,
    free_port,
    listener,
    said_first,
    second_machine,
    serving,
)


@pytest.fixture
def home(home):
    """A home whose commands use the server of the service, not the one that other tests share."""
    home.prefect_api = ""
    return home


def write_json_lines(home):
    """Let the settings file, which parts that run elsewhere have to find, order JSON."""
    (home.directory / "busytime.toml").write_text('log_format = "json"\n')


def assert_json_lines(home, printed):
    """Every line that was printed or logged is a JSON object, and those of a run carry its id."""
    logs = {path.name: path.read_text().splitlines() for path in (home.path / "prefect").glob("*.log")}
    lines = [json.loads(line) for line in [*printed.splitlines(), *(line for log in logs.values() for line in log)]]
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
    assert not any("corp.example" in line["message"] for line in lines)
    assert not any("prefect worker start" in line["message"] for line in lines), "it has started one itself"
    assert not any("telemetry" in line["logger"] for line in lines), "it speaks with nobody but itself"
    assert (home.path / "prefect" / "prefect.db").exists()
    [(run_id, flow_run)] = home.query(
        "SELECT id, prefect_flow_run_id FROM runs WHERE flow = 'harvest_busy_time' ORDER BY id LIMIT 1"
    )
    its = [line for line in map(json.loads, logs["worker.log"]) if line.get("run_id") == run_id]
    assert {line["flow_run_id"] for line in its} == {flow_run}
    said = [line["message"] for line in its if line["logger"] == "busytime.runs"]
    assert said[0] == "harvest_busy_time began, by schedule."
    assert said[-1].startswith("Ended as completed, known 2, unknown 0")
    assert any(message.startswith("harvest_batch 0, attempt 1: applied, ") for message in said)


def is_alive(figures):
    try:
        return fetch(f"http://127.0.0.1:{figures}/healthz") == (200, "alive\n")
    except OSError:
        return False


def deployment(page, name):
    """Return the id of a deployment."""
    [found] = ask(page, "deployments/filter", deployments={"name": {"any_": [name]}})
    return found["id"]


@pytest.mark.processes
def test_a_service_harvests_at_once_tells_who_watches_is_alone_and_leaves_nothing(home):
    home.connect().ended(0)
    home.take_roster("owner0001@corp.example", "owner0002@corp.example").ended(0)
    write_json_lines(home)
    with serving(home) as (process, page, figures):
        assert f"http://127.0.0.1:{page}" in said_first(process)
        assert fetch(f"http://127.0.0.1:{figures}/healthz") == (200, "alive\n")
        assert fetch(f"http://127.0.0.1:{figures}/readyz") == (200, "ready\n")
        assert fetch(f"http://127.0.0.1:{figures}/password")[0] == 404

        for foreign in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            assert fetch(f"http://127.0.0.1:{page}/api/admin/version", **foreign)[0] == 403
        assert fetch(f"http://localhost:{page}/api/admin/version", Origin=f"http://localhost:{page}")[0] == 200
        with ExitStack() as silent:
            for _ in range(40):
                silent.enter_context(socket.create_connection(("127.0.0.1", figures)))
            eventually(lambda: is_alive(figures), "clients that say nothing are hung up on")

        second = home.run("serve", "--port", str(free_port())).ended(2)
        assert f"http://127.0.0.1:{page}" in second.err

        def told():
            return fetch(f"http://127.0.0.1:{figures}/metrics")[1]

        eventually(lambda: 'busytime_calendars{state="known"} 2.0' in told(), "the first harvest is done", STARTS_WITHIN_SECONDS)
        assert set(re.findall(r'"([^"]*@[^"]*)"', told())) == {home.exchange.email}, "no other address among the figures"
        eventually(lambda: count_scheduled(page) > 10, "Prefect schedules runs", STARTS_WITHIN_SECONDS)
        by_hand = home.run("harvest", "--json").ended(0).json["run_id"]
        [(flow_run,)] = home.query("SELECT prefect_flow_run_id FROM runs WHERE id = :id", id=by_hand)
        assert fetch(f"http://127.0.0.1:{page}/api/flow_runs/{flow_run}")[0] == 200, "it used the server that serves its home"

        with pytest.raises(HTTPError, match="Conflict"):  # what no flow knows would crash a run
            ask(page, f"deployments/{deployment(page, 'harvest')}/create_flow_run", parameters={"options": {}, "extra": {}})

        with serving(second_machine(home, page)) as (joined, _, more_figures):
            assert f"http://127.0.0.1:{page}" in said_first(joined)
            assert fetch(f"http://127.0.0.1:{more_figures}/readyz") == (200, "ready\n")
            eventually(lambda: len(ask(page, "work_pools/busytime/workers/filter")) == 2, "two workers take runs")
            parts = psutil.Process(joined.pid).children(recursive=True)
            assert parts
            joined.kill()
            gone = psutil.wait_procs(parts, timeout=60)[0]
            assert set(gone) == set(parts), "what is killed takes its parts with it"

        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=90)
        assert process.returncode == 0, err
        assert "Stopped" in out
        assert_json_lines(home, out + err)
        assert not answers(page)
        assert not answers(figures)


def test_a_log_on_that_others_can_read_is_refused_with_the_command_that_helps(home):
    home.connect().ended(0)
    password_file = home.path / "prefect" / "api-password"
    password_file.parent.mkdir()
    password_file.touch(0o644)
    assert f"chmod 600 {password_file}" in home.run("serve", "--host", "0.0.0.0").ended(2).err  # noqa: S104 -- refused


@pytest.mark.long
@pytest.mark.processes
def test_a_page_that_others_can_reach_wants_a_log_on_and_a_lost_server_ends_the_service(home):
    home.connect().ended(0)
    home.take_roster("owner0001@corp.example").ended(0)
    password_file = home.path / "prefect" / "api-password"

    with serving(home, "--host", "0.0.0.0") as (process, page, _):  # noqa: S104 -- spoken to by loopback
        said_first(process)
        assert str(password_file) in process.stdout.readline()
        assert password_file.stat().st_mode & 0o777 == 0o600
        password = password_file.read_text().strip()
        pools = f"http://127.0.0.1:{page}/api/admin/version"
        assert fetch(pools)[0] == 401
        assert fetch(pools, "busytime:wrong")[0] == 401
        assert fetch(pools, password)[0] == 200
        home.run("harvest").ended(0)
        stranger = second_machine(home, page)
        assert "set PREFECT_API_AUTH_STRING" in stranger.run("serve").ended(2).err

        os.kill(listener(page), signal.SIGKILL)
        _, err = process.communicate(timeout=90)
        assert process.returncode == 1
        assert "Prefect's server ended with status -9" in err
        assert password not in err + "".join(it.read_text() for it in password_file.parent.glob("*.log"))
        assert not answers(page)


@pytest.mark.processes
@pytest.mark.long
def test_a_service_that_is_stopped_while_it_starts_leaves_nothing(home):
    home.connect().ended(0)
    process = home.start("serve", "--port", str(free_port()), "--metrics-port", str(free_port()))
    parts = []
    eventually(lambda: parts.extend(psutil.Process(process.pid).children(recursive=True)) or parts, "it starts a part")
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=90)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "Stopped" in err
    assert psutil.wait_procs(parts, timeout=60)[1] == []


def test_a_server_that_does_not_answer_is_told_with_the_next_step(home):
    home.connect().ended(0)
    home.prefect_api = f"http://127.0.0.1:{free_port()}/api"
    assert "unset PREFECT_API_URL" in home.run("serve").ended(2).err


def test_a_port_that_is_taken_is_told_with_the_next_step(home):
    home.connect().ended(0)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = home.run("serve", "--port", str(port)).ended(2)
    assert f"Port {port} of 127.0.0.1 cannot be used" in refused.err
    assert "--port" in refused.err
