"""Very many calendars on several machines: a Prefect server, two workers, and shards, while one machine dies.

The machines are processes of this one, each with a host name of its own where that may be. `SHARD_PROOF_CALENDARS` asks for
other than 50,000 calendars.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.flows.harness import Home, eventually, truth
from tests.proofs.debian_postgresql import DebianPostgreSQL, debian_postgresql, installed
from tests.proofs.machines import Machine, PrefectServer, machine, prefect_server
from tests.proofs.witness import add_witness, assert_no_two_wrote_at_once, written
from tests.sandbox_fixture import RunningSandbox, running_sandbox

CALENDARS = int(os.environ.get("SHARD_PROOF_CALENDARS", "50000"))
SHARDS = 10
#: As many requests at once as Basic authentication may have; with one more the sandbox refuses.
IN_FLIGHT = 2
SAMPLE = 100
LONGEST_SECONDS = 3600.0


def owner(number: int) -> str:
    return f"owner{number:0{max(4, len(str(CALENDARS)))}}@corp.example"


@pytest.fixture(scope="module")
def large_exchange() -> Iterator[RunningSandbox]:
    with running_sandbox("--owners", str(CALENDARS)) as sandbox:
        sandbox.control("POST", "/limits", {"connections": IN_FLIGHT})
        yield sandbox


@pytest.fixture
def prefect_database(tell) -> Iterator[DebianPostgreSQL | None]:
    """Debian's PostgreSQL for Prefect's tables; SQLite where it is not installed."""
    programs = installed()
    tell(f"Prefect's tables on {'PostgreSQL' if programs else 'SQLite'}")
    with ExitStack() as server:
        if programs is None:
            yield None
            return
        database = server.enter_context(debian_postgresql(programs))
        assert database.make_databases().returncode == 0
        yield database


@pytest.fixture
def server(tmp_path: Path, prefect_database: DebianPostgreSQL | None) -> Iterator[PrefectServer]:
    with prefect_server(tmp_path / "prefect-server", prefect_database) as running:
        yield running


@pytest.fixture
def large_home(tmp_path, large_exchange, server, postgresql) -> Home:
    """A home on PostgreSQL with all calendars, connected, and the deployments on the server."""
    home = Home(tmp_path / "home", large_exchange, server.url)
    home.more["BUSYTIME_DATABASE_URL"] = postgresql.url(postgresql.create())
    home.more["BUSYTIME_SHARD_SIZE"] = str(-(-CALENDARS // SHARDS))
    home.take_roster(*map(owner, range(1, CALENDARS + 1))).ended(0)
    home.connect().ended(0)
    add_witness(home)
    server.deploy()
    return home


def holder(home: Home, name: str, machines: list[Machine]) -> Machine:
    """Return the machine whose process holds a lock."""
    [process_id] = [it for (it,) in home.query("SELECT process_id FROM locks WHERE name LIKE :name", name=name)]
    return next(it for it in machines if it.runs(process_id))


def shards_at_work(home: Home) -> list[int]:
    return [it for (it,) in home.query("SELECT process_id FROM locks WHERE name LIKE 'harvest_busy_time:%/%'")]


def shards_on(home: Home, machines: list[Machine]) -> list[int]:
    """Return the shards that some machines are in the middle of."""
    return [it for it in shards_at_work(home) if any(one.runs(it) for one in machines)]


def assert_all_is_known(home: Home, exchange: RunningSandbox, seed: int) -> None:
    states = home.query("SELECT state, count(*) FROM audit_coverage WHERE valid_to IS NULL GROUP BY state")
    assert states == [("covered", CALENDARS)]
    assert home.query("SELECT count(*) FROM (SELECT owner FROM audit_coverage GROUP BY owner HAVING count(*) <> 1) AS odd") == [
        (0,)
    ]
    chance = random.Random(seed)  # noqa: S311 -- it only has to be repeatable
    for number in chance.sample(range(1, CALENDARS + 1), min(SAMPLE, CALENDARS)):
        assert home.stored(owner(number)) == truth(exchange, owner(number)), owner(number)


def assert_nobody_asked_for_too_much(exchange: RunningSandbox, since: int) -> int:
    """Check that the server never saw more requests at once than the setting; return how many it saw."""
    log = exchange.log(since)
    assert {entry["code"] for entry in log} == {"NoError"}
    return len(log)


def assert_nothing_is_open(home: Home) -> None:
    assert home.query("SELECT id FROM runs WHERE status = 'running' OR finished_at IS NULL") == []
    assert home.query("SELECT name FROM locks") == []


def test_a_machine_dies_in_the_middle_of_a_harvest(large_home, large_exchange, server, seed, tell):
    home, mark = large_home, large_exchange.log()[-1]["n"]
    with machine("machine-1", home, server) as first, machine("machine-2", home, server) as second:
        begun = time.monotonic()
        flow_run = server.begin_harvest()
        eventually(lambda: written(home) > CALENDARS // 2, "half of the calendars are read", LONGEST_SECONDS)
        parent = holder(home, "harvest_busy_time:%:0", [first, second])
        victim = second if parent is first else first
        eventually(lambda: shards_on(home, [victim]), "the machine is in the middle of a shard", LONGEST_SECONDS)
        victim.die()
        died = time.monotonic()
        crashed = "SELECT count(*) FROM runs WHERE status = 'crashed'"
        eventually(lambda: home.query(crashed) != [(0,)], "the dead are closed as crashed", 120)
        tell(f"its runs are closed after {time.monotonic() - died:.0f} s")
        ended = server.ended(flow_run, LONGEST_SECONDS)
        tell(f"{CALENDARS} calendars in {time.monotonic() - begun:.0f} s, server's processor {server.cpu_seconds:.0f} s")
    assert (ended["type"], ended["name"]) == ("COMPLETED", "Completed"), ended["message"]
    assert f"{CALENDARS} calendars known, 0 unknown" in ended["message"]
    assert_all_is_known(home, large_exchange, seed)
    runs = assert_no_two_wrote_at_once(home)
    assert len(runs) == SHARDS
    statuses = Counter(home.run_statuses())
    assert statuses.keys() == {"completed", "crashed"}
    assert statuses["completed"] == 1 + SHARDS
    assert_nothing_is_open(home)
    tell(f"{statuses['crashed']} shards lost and taken again")
    tell(f"{assert_nobody_asked_for_too_much(large_exchange, mark)} requests, never more than {IN_FLIGHT} at once")


def test_the_machine_with_the_harvest_itself_dies(large_home, large_exchange, server, seed, tell):
    home = large_home
    with machine("machine-1", home, server) as first, machine("machine-2", home, server) as second:
        server.begin_harvest()
        eventually(lambda: written(home) > CALENDARS // 10, "the first calendars are read", LONGEST_SECONDS)
        parent = holder(home, "harvest_busy_time:%:0", [first, second])
        parent.die()
        begun, skipped = time.monotonic(), 0
        while (ended := server.ended(server.begin_harvest(), LONGEST_SECONDS))["name"] == "Skipped":
            skipped += 1  # a shard of the dead one is at work, or was just taken
            eventually(lambda: not shards_on(home, [first, second]), "the other machine ends its shards", LONGEST_SECONDS)
        tell(f"{skipped} harvests skipped; all read {time.monotonic() - begun:.0f} s after the death")
    assert (ended["type"], ended["name"]) == ("COMPLETED", "Completed"), ended["message"]
    assert_all_is_known(home, large_exchange, seed)
    assert_no_two_wrote_at_once(home)
    assert_nothing_is_open(home)


@pytest.mark.parametrize("count", [1, 2])
def test_so_long_a_harvest_takes(large_home, server, tell, count):
    with ExitStack() as machines:
        for number in range(1, count + 1):
            machines.enter_context(machine(f"machine-{number}", large_home, server))
        for said in ("first", "unchanged"):
            used, begun = server.cpu_seconds, time.monotonic()
            ended = server.ended(server.begin_harvest(), LONGEST_SECONDS)
            took = time.monotonic() - begun
            assert ended["name"] == "Completed", ended["message"]
            speed, used = 60 * CALENDARS / took, server.cpu_seconds - used
            tell(f"{count} workers, {said}: {took:.0f} s, {speed:,.0f} calendars a minute, server {used:.0f} s")
