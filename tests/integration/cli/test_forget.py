"""`busytime forget` by real commands: who is gone is gone from every file of the home that it reaches, or is refused."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from itertools import count, takewhile

import pytest

from tests.flows.harness import eventually, finished, spared
from tests.flows.permitting import grant, revoke
from tests.integration.cli.terminal import Terminal

NOBODY = "nobody-of-all@corp.example"  # of no other test: its artifacts would be found on the shared server
#: Whoever writes over a person's row is at it until he is killed.
STUCK = """
CREATE TRIGGER stuck BEFORE UPDATE ON owners BEGIN
    SELECT count(*) FROM (WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 1e12) SELECT x FROM n);
END
"""


def artifacts_naming(address):
    """Return how many of Prefect's artifacts hold a text, asked in its own way."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        pages = (client.read_artifacts(limit=200, offset=offset) for offset in count(0, 200))
        return sum(address in str(artifact.data) for page in takewhile(bool, pages) for artifact in page)


@pytest.fixture
def people(home, person, exchange):
    """Two people on the roster, of whom a validation found that a right is missing: Prefect's page shows both."""
    ana, bo = person(), person()
    home.take_roster(ana, bo).ended(0)
    home.connect().ended(0)
    for owner in (ana, bo):
        revoke(exchange, owner)
    home.call("validate").ended(3)
    for owner in (ana, bo):
        grant(exchange, owner, "Editor")
    assert artifacts_naming(ana) == 1
    return ana, bo


@pytest.fixture
def left(home, people):
    """The same, and one of them has left the roster."""
    ana, bo = people
    home.take_roster(bo).ended(0)
    return ana


def whole(home):
    return home.call("audit", "verify", "--json").ended(0).json["whole"]


def test_who_left_is_gone_from_tables_artifacts_and_files(home, left, people):
    [(owner_id,)] = home.query("SELECT id FROM owners WHERE address = :address", address=left)
    (home.path / "prefect").mkdir(exist_ok=True)
    printed = home.call("forget", left.upper(), "--yes", "--json").ended(0).json
    elsewhere = printed.pop("not_reached").keys()
    assert elsewhere == {"files", "backups", "prefect_runs", "alarms", "figures", "guests", "folders", "exchange"}
    assert printed == {
        "owner_id": owner_id,
        "shown_as": f"forgotten-{owner_id}",
        "artifacts_removed": 1,
        "log_emptied": True,
    }
    assert home.query("SELECT DISTINCT owner FROM audit_permissions ORDER BY owner") == [(f"forgotten-{owner_id}",), (people[1],)]
    assert artifacts_naming(left) == 0
    assert [path.name for path in home.path.rglob("*") if path.is_file() and left.encode() in path.read_bytes()] == []
    [(tag, details, actor)] = home.query("SELECT tag, details, actor FROM audit_events ORDER BY id DESC LIMIT 1")
    assert (tag, details) == ("person:owner:forgotten", f'{{"artifacts": 1, "owner_id": {owner_id}}}')
    assert left not in actor
    assert whole(home)
    assert "was forgotten already" in spared(home.call("forget", left, "--yes").ended(2).err)


def test_who_is_on_the_roster_or_connected_is_refused_with_what_to_do(home, exchange, people):
    before = home.query("SELECT * FROM owners ORDER BY id")
    assert "busytime roster import" in spared(home.call("forget", people[0], "--yes").ended(2).err)
    assert f"busytime disconnect {exchange.email}" in spared(home.call("forget", exchange.email, "--yes").ended(2).err)
    assert home.query("SELECT * FROM owners ORDER BY id") == before
    assert artifacts_naming(people[0]) == 1


@pytest.mark.parametrize(
    ("address", "said"),
    [(NOBODY, "is not known here: check how it is written"), ("forgotten-1", "is not one e-mail address"), ("", "is not one")],
)
def test_who_is_not_known_is_told_so(home, address, said):
    home.call("status").ended(0)
    assert said in spared(home.call("forget", address, "--yes").ended(2).err)


def test_without_a_terminal_it_wants_yes(home, left):
    assert "add --yes" in spared(home.call("forget", left).ended(2).err)
    assert home.query("SELECT count(*) FROM owners WHERE address = :address", address=left) == [(1,)]


@pytest.mark.processes
def test_a_person_is_asked_first(home, left):
    terminal = Terminal(home, "-m", "deployments.cli.main", "forget", left)
    assert "nothing was changed" in spared(terminal.expect("It cannot be brought back. [y/N]").type("").ended(0))
    assert home.query("SELECT count(*) FROM owners WHERE address = :address", address=left) == [(1,)]


@pytest.mark.processes
def test_a_prefect_server_that_does_not_answer_leaves_everything_as_it_is(home, left):
    home.prefect_api = "http://127.0.0.1:9/api"
    result = home.run("forget", left, "--yes").ended(1)
    assert "nothing was forgotten" in spared(result.err)
    assert home.query("SELECT count(*) FROM owners WHERE address = :address", address=left) == [(1,)]


@pytest.mark.processes
def test_killed_between_the_artifacts_and_the_row_it_is_done_by_a_second_try(home, left):
    with closing(sqlite3.connect(home.path / "busytime.db")) as database:
        database.execute(STUCK)
        process = home.start("forget", left, "--yes")
        eventually(lambda: artifacts_naming(left) == 0, "artifacts that are gone")
        process.kill()
        finished(process)
        database.execute("DROP TRIGGER stuck")
    assert process.returncode == -9
    assert home.query("SELECT count(*) FROM owners WHERE address = :address", address=left) == [(1,)]
    assert whole(home)
    assert home.call("forget", left, "--yes", "--json").ended(0).json["artifacts_removed"] == 0
    assert home.query("SELECT count(*) FROM owners WHERE address = :address", address=left) == [(0,)]


def test_who_comes_back_is_another_person(home, left, people):
    shown = spared(home.call("forget", left, "--yes").ended(0).out)
    assert "views show forgotten-" in shown
    assert "1 artifact of Prefect's that named the address is gone." in shown
    assert "What this cannot reach:" in shown
    home.take_roster(*people).ended(0)
    home.harvest().ended(0)
    assert {owner for (owner,) in home.query("SELECT owner FROM audit_coverage WHERE valid_to IS NULL")} == {*people}


def test_who_runs_the_command_is_refused(home):
    home.connect().ended(0)
    [(actor,)] = home.query("SELECT DISTINCT actor FROM audit_events")
    assert os.environ.get("USER", "root") in actor
    assert "let somebody else run it" in spared(home.call("forget", actor, "--yes").ended(2).err)
