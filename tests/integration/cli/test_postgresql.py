"""The loop on PostgreSQL, by the same commands."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from tests.flows.harness import Home, book, eventually, finished, truth

pytestmark = pytest.mark.processes
OWNERS = [f"owner{number:04}@corp.example" for number in range(1, 7)]


@pytest.fixture
def on_postgresql(home, postgresql) -> Home:
    """A home whose database is PostgreSQL's."""
    home.more["BUSYTIME_DATABASE_URL"] = postgresql.url(postgresql.create())
    page = ["  - name: talk", f"    main: {OWNERS[0]}", f"    busy: [{OWNERS[1]}]"]
    home.take_roster(*OWNERS, pages=page).ended(0)
    home.connect().ended(0)
    return home


def test_the_loop_works_on_postgresql(on_postgresql, exchange):
    home = on_postgresql
    first = home.run("harvest", "--json").ended(0).json
    assert first["calendars"] == {"known": 6, "unknown": 0}
    for owner in OWNERS:
        assert home.stored(owner) == truth(exchange, owner)
    assert home.harvest().ended(0).json["changes"] == {"opened": 0, "closed": 0}
    day = datetime.combine(datetime.now(UTC).date() + timedelta(days=3), time(3), UTC)
    book(exchange, OWNERS[1], day, minutes=45, status="OOF")

    assert home.harvest().ended(0).json["changes"] == {"opened": 1, "closed": 0}

    assert home.stored(OWNERS[1]) == truth(exchange, OWNERS[1])
    window = ("--from", f"{day:%Y-%m-%d}", "--to", f"{day + timedelta(days=1):%Y-%m-%d}")
    told = home.run("free", "--page", "talk", *window, "--duration", "30m", "--json").ended(0).json
    starts = {datetime.fromisoformat(slot["start"]) for slot in told["slots"]}
    assert starts
    assert day not in starts
    assert home.call("status", "--json").ended(0).json["coverage"] == {"known": 6, "unknown": 0}
    assert not (home.path / "busytime.db").exists()


@pytest.mark.long
def test_a_killed_harvest_frees_the_lock_on_postgresql(on_postgresql, exchange):
    home = on_postgresql
    home.more["BUSYTIME_BATCH_SIZE"] = "1"
    exchange.control("POST", "/limits", {"latency_ms": 1500})
    process = home.start("harvest")
    eventually(lambda: home.query("SELECT count(*) FROM coverage")[0][0], "a batch was committed")
    assert home.harvest().ended(0).json["status"] == "skipped"
    process.kill()
    finished(process)
    exchange.control("POST", "/limits", {"latency_ms": 0})
    assert home.harvest().ended(0).json["calendars"] == {"known": 6, "unknown": 0}
    assert home.run_statuses() == ["crashed", "skipped", "completed"]
    for owner in OWNERS:
        assert home.stored(owner) == truth(exchange, owner)
