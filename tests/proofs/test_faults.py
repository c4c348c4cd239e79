"""The database goes away in the middle of work: nothing is lost, nothing is twice, and the next run goes on."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing

import pytest

from tests.flows.harness import Home, eventually, finished, spared, truth
from tests.flows.killing import Load, assert_exactly_once, begin, make_pages
from tests.proofs.stoppable import stoppable_server

MODES = ("fast", "immediate")
#: A run that lost its database ends with one message; who lost it only for a moment does not notice.
ENDS = {0, 1, 2, 3}
#: So long a writer of SQLite waits for another process.
BUSY_SECONDS = 60


@pytest.fixture(scope="module")
def server():
    with stoppable_server() as running:
        yield running


@pytest.fixture
def home(tmp_path, exchange, prefect_api, server) -> Home:
    """A connected home on a PostgreSQL that can be stopped."""
    made = Home(tmp_path / "home", exchange, prefect_api)
    made.more["BUSYTIME_DATABASE_URL"] = server.databases.url(server.databases.create())
    made.connect().ended(0)
    return made


@pytest.fixture
def at_home(tmp_path, exchange, prefect_api) -> Home:
    """A connected home on SQLite."""
    made = Home(tmp_path / "home", exchange, prefect_api)
    made.connect().ended(0)
    return made


@pytest.mark.parametrize("mode", MODES)
def test_postgresql_restarted_in_mid_push(home, exchange, person, server, seed, tell, mode):
    load = Load(home, make_pages(exchange, person, alone=3, doubled=2), 10)
    ground = begin(load, seed)
    with ground.pushing() as process:
        ground.await_writes(process, 8)
        server.restart(mode)
        ended = finished(process)
    left = load.left
    tell(f"ended with {ended.status} and {left} of {load.items} items to do: {spared(ended.err)[-160:]}")
    assert ended.status in ENDS
    assert "Traceback" not in ended.err
    home.call("push", "--json")
    assert_exactly_once(ground)


@pytest.mark.parametrize("mode", MODES)
def test_postgresql_restarted_in_mid_harvest(home, exchange, server, tell, mode):
    owners = [f"owner{number:04}@corp.example" for number in range(1, 13)]
    home.take_roster(*owners).ended(0)
    home.more["BUSYTIME_BATCH_SIZE"] = "1"
    exchange.control("POST", "/limits", {"latency_ms": 700})
    process = home.start("harvest", "--json")
    eventually(lambda: home.query("SELECT count(*) FROM coverage")[0][0] >= 3, "batches were committed")
    server.restart(mode)
    ended = finished(process)
    tell(f"ended with {ended.status}: {spared(ended.err)[-160:]}")
    assert ended.status in ENDS
    assert "Traceback" not in ended.err
    exchange.control("POST", "/limits", {"latency_ms": 0})
    assert home.harvest().ended(0).json["calendars"] == {"known": 12, "unknown": 0}
    assert "running" not in home.run_statuses()
    assert home.query("SELECT name FROM locks") == []
    for owner in owners:
        assert home.stored(owner) == truth(exchange, owner)


@pytest.mark.parametrize(("held", "statuses"), [(20, {0}), (BUSY_SECONDS + 15, {1, 2, 3})])
def test_sqlite_held_by_another_process(at_home, exchange, tell, held, statuses):
    home = at_home
    owners = [f"owner{number:04}@corp.example" for number in range(1, 5)]
    home.take_roster(*owners).ended(0)
    home.more["BUSYTIME_BATCH_SIZE"] = "1"
    exchange.control("POST", "/limits", {"latency_ms": 1000})
    process = home.start("harvest", "--json")
    eventually(lambda: home.query("SELECT count(*) FROM coverage")[0][0], "a batch was committed")
    with closing(sqlite3.connect(home.path / "busytime.db", timeout=30, isolation_level=None, check_same_thread=False)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        threading.Timer(held, lambda: holder.execute("ROLLBACK")).start()
        begun = time.monotonic()
        ended = finished(process, seconds=240)
        time.sleep(max(0, held + 1 - (time.monotonic() - begun)))
    tell(f"held for {held} s, ended with {ended.status}: {spared(ended.err)[-200:]}")
    assert ended.status in statuses
    assert "Traceback" not in ended.err
    exchange.control("POST", "/limits", {"latency_ms": 0})
    assert home.harvest().ended(0).json["calendars"] == {"known": 4, "unknown": 0}
    assert "running" not in home.run_statuses()
