"""`busytime maintain` by real commands: what goes and what stays, killed in its midst, beside a harvest, and twice at once."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine, insert, text

from busytime.chain import chain_hmac, instant_text
from busytime.maintaining import BATCH_ROWS, OldRows
from busytime.model import Trigger
from busytime.store.tables import events
from deployments.prefect_server import QUIET_SETTINGS
from tests.flows.harness import Home, book, eventually, finished, spared
from tests.integration.cli.booking_desk import TITLE, BookingDesk, at, booking

LONG_AGO = datetime.now(UTC) - timedelta(days=500)
EVENTS = 2 * BATCH_ROWS + 1000
#: A hundred thousand rows of history that were closed at one instant.
CLOSED_ROWS = """
INSERT INTO busy_intervals (calendar_id, starts_at, ends_at, status, count, opened_run_id, closed_run_id, valid_from, valid_to)
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 100000)
SELECT 1, '2025-01-' || n, '2025-02-' || n, 'busy', 1, :run, :run, '2025-01-01', :at FROM numbers
"""


def count(home, table, condition="1 = 1"):
    return home.query(f"SELECT count(*) FROM {table} WHERE {condition}")[0][0]  # noqa: S608 -- names from these tests


def whole(home):
    return home.call("audit", "verify", "--json").ended(0).json


def test_a_year_later_what_is_old_is_gone_and_what_holds_is_there(home, exchange, person, clock):
    owner = person()
    desk = BookingDesk(home, owner).open()
    item = book(exchange, owner, at(12))
    home.harvest().ended(0)
    exchange.control("DELETE", f"/appointments/{item}")
    book(exchange, owner, at(14))
    home.harvest().ended(0)
    desk.take(booking("B1", at(9)))
    copy = home.path / "busytime.db.before-0005"  # as an upgrade leaves it
    copy.write_text(TITLE)
    runs, current = count(home, "runs"), home.query("SELECT * FROM busy_intervals WHERE valid_to IS NULL")
    appended = whole(home)["events"]
    assert count(home, "busy_intervals") == 2
    assert home.call("maintain", "--json").ended(0).json == {
        "run_id": runs + 1,
        "status": "completed",
        "blanked": 0,
        "removed": dict.fromkeys(OldRows, 0),
    }
    assert copy.exists()
    clock.offset = timedelta(days=401)
    printed = home.call("maintain", "--json", clock=clock).ended(0).json
    assert printed["blanked"] == 1
    assert printed["removed"] | {"steps": "some"} == {
        "permissions": 0, "busy_intervals": 1, "coverage": 0, "steps": "some", "events": appended,
    }  # fmt: skip
    assert printed["removed"]["steps"] > 0
    assert home.query("SELECT * FROM busy_intervals") == current
    assert count(home, "runs") == runs + 2
    assert whole(home)["trimmed"] is True
    counts = json.loads(home.query("SELECT counts FROM runs ORDER BY id DESC LIMIT 1")[0][0])
    assert counts == {"blanked": 1} | printed["removed"]
    assert not [path for path in home.path.glob("busytime.db*") if TITLE.encode() in path.read_bytes()]
    assert "Nothing was old enough to go." in spared(home.call("maintain", clock=clock).ended(0).out)


@pytest.mark.parametrize(("days", "left"), [("3", 0), ("5", 1)])
def test_how_long_things_stay_is_a_setting(home, clock, days, left):
    home.call("maintain").ended(0)
    [(last,)] = home.query("SELECT max(id) FROM steps")
    home.more["BUSYTIME_KEEP_STEPS_DAYS"] = days
    clock.offset = timedelta(days=4)
    home.call("maintain", clock=clock).ended(0)
    assert count(home, "steps", f"id = {last}") == left


def test_two_at_once_are_one(home):
    home.call("status").ended(0)
    with home.inside():
        from tasks.workspace import workspace

        office = workspace()
        with office.store.write() as unit:
            run_id = unit.runs.open("maintain", Trigger.MANUAL, unit.owners.id("admin@host"), office.clock.now())
            assert office.store.take_lock(unit, "maintain:house:0", run_id)[0]
    result = home.call("maintain").ended(0)
    assert "Skipped: another maintenance is at work." in spared(result.out)
    assert home.run_statuses() == ["running", "skipped"]


@pytest.fixture
def laden(home):
    """A home with a hundred thousand closed rows of history and eleven thousand events, all long gone by."""
    owner = "owner0001@corp.example"
    home.take_roster(owner).ended(0)
    home.connect().ended(0)
    home.harvest().ended(0)
    [(run_id,)] = home.query("SELECT max(id) FROM runs")
    with home.inside():
        from tasks.workspace import workspace

        key = workspace().store.audit_key
    engine = create_engine(home.database_address)
    with engine.begin() as connection:
        connection.execute(text(CLOSED_ROWS), {"run": run_id, "at": instant_text(LONG_AGO)})
        connection.execute(events.delete())
        connection.execute(insert(events), list(chained(key, EVENTS)))
    engine.dispose()
    return home


def chained(key, number):
    """Return so many rows of a chain."""
    last = ""
    for made in range(number):
        content = ("machine:test:appended", instant_text(LONG_AGO), 1, None, str(made))
        mac = chain_hmac(key, last, content)
        yield {
            "tag": content[0], "at": LONG_AGO, "actor_id": 1, "details": content[4], "previous_hmac": last, "hmac": mac,
        }  # fmt: skip
        last = mac


def said(home: Home, tag: str) -> list[dict[str, int]]:
    return [json.loads(details) for (details,) in home.query("SELECT details FROM events WHERE tag = :tag", tag=tag)]


@pytest.mark.processes
@pytest.mark.long
def test_killed_in_its_midst_it_is_ended_by_the_next_and_harvests_go_on_beside_it(laden):
    home = laden
    old = f"valid_to < '{LONG_AGO + timedelta(days=1)}'"
    process = home.start("maintain")
    eventually(lambda: count(home, "busy_intervals", old) < 90_000, "a maintenance that is at work")
    process.kill()
    process.communicate()
    assert whole(home)["whole"] is True
    gone = sum(it["removed"] for it in said(home, "machine:history:trimmed"))
    assert count(home, "busy_intervals", old) == 100_000 - gone > 0
    process = home.start("maintain")
    home.harvest().ended(0)
    finished(process).ended(0)
    assert count(home, "busy_intervals", old) == 0
    statuses = home.query("SELECT status FROM runs WHERE flow = 'maintain' ORDER BY id")
    assert [status for (status,) in statuses] == ["crashed", "completed"]
    batches = [it["removed"] for it in said(home, "machine:history:trimmed")]
    assert (sum(batches), max(batches)) == (100_000, BATCH_ROWS)
    assert sum(it["removed"] for it in said(home, "machine:events:trimmed")) == EVENTS
    assert whole(home)["trimmed"] is True


def test_prefect_is_told_to_remove_its_old_runs_by_a_setting_that_it_knows():
    from prefect.settings.models.server.services import ServerServicesDBVacuumSettings

    told = QUIET_SETTINGS["PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED"]
    age = QUIET_SETTINGS["PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD"]
    settings = ServerServicesDBVacuumSettings(enabled=told, retention_period=age)
    assert settings.enabled_vacuum_types == {"events", "flow_runs", "orphans"}
    assert settings.retention_period == timedelta(days=14)
