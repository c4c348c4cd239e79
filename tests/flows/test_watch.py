"""The flow `watch` tells what stands, leaves no row among the runs, and says on Prefect's page what it came to."""

from __future__ import annotations

import json
from datetime import timedelta

from tests.flows.test_showing import shown
from tests.integration.alarms.conftest import hook

__all__ = ["hook"]


def watch(home, clock):
    """Run the flow in this process; return its state's name and message."""
    with home.inside(clock):
        from flows.watch import watch as flow

        state = flow(return_state=True)
        return state.name, state.message


def test_a_breaker_that_opened_is_told_by_a_run_that_leaves_no_row(home, exchange, hook, clock):
    home.more["BUSYTIME_ALARM_URLS"] = json.dumps([hook.address()])
    home.connect().ended(0)
    home.take_roster("owner0001@corp.example").ended(0)
    exchange.control("POST", "/password", {"email": exchange.email, "password": "another one that is long"})
    home.harvest().ended(5)
    hook.status = 500
    away = "alarms that stand: 1; messages sent: 0; nothing reached receiver 1 (json): it answered with HTTP status 500"
    assert watch(home, clock) == ("Completed with failures", away)
    told = shown("watch")[-1].data
    assert f"| Breaker opened | `{exchange.email}` | " in told
    assert f"`busytime password {exchange.email}`" in told
    assert "| nobody yet |" in told
    assert told.startswith("**Alarms that stand: 1; messages sent: 0; nothing reached receiver 1 (json): it answered")
    hook.status = 200
    clock.offset = timedelta(minutes=3)
    assert watch(home, clock) == ("Completed", "alarms that stand: 1; messages sent: 1")
    told = shown("watch")[-1].data
    assert f"| {clock.now():%Y-%m-%d %H:}" in told.splitlines()[-1]
    assert "nobody yet" not in told
    assert watch(home, clock) == ("Completed", "alarms that stand: 1; messages sent: 0")
    assert [body["title"] for body in hook.bodies] == [f"busytime: new: Breaker opened, {exchange.email}"]
    assert home.run_statuses() == ["refused"]
    assert home.query("SELECT kind, connection FROM audit_alarms") == [("breaker_opened", exchange.email)]
    home.call("password", exchange.email, "--password-stdin", stdin="another one that is long\n").ended(0)
    assert watch(home, clock) == ("Completed", "alarms that stand: 0; messages sent: 1")
    told = shown("watch")[-1]
    assert told.description == "0 alarms open, 1 over"
    assert f"| Breaker opened | `{exchange.email}` | " in told.data
    before = len(shown("watch"))
    assert watch(home, clock) == ("Completed", "alarms that stand: 0; messages sent: 0")
    assert len(shown("watch")) == before, "a run with nothing to do shows nothing"
