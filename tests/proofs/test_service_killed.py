"""A service that is killed in mid-harvest, again and again: the next one harvests on."""

from __future__ import annotations

from functools import partial

import pytest

from tests.flows.harness import eventually
from tests.integration.cli.service_process import STARTS_WITHIN_SECONDS, ask, said_first, serving


def harvests(home):
    return [status for (status,) in home.query("SELECT status FROM runs WHERE flow = 'harvest_busy_time' ORDER BY id")]


def is_harvesting(home, killed):
    statuses = harvests(home)
    return statuses.count("crashed") == killed and "running" in statuses


def crashed_on(page):
    """Return the runs that Prefect shows as crashed."""
    return {it["id"] for it in ask(page, "flow_runs/filter", flow_runs={"state": {"type": {"any_": ["CRASHED"]}}})}


@pytest.mark.parametrize("home", ["sqlite"], indirect=True)
def test_a_service_that_is_killed_twice_in_mid_harvest_harvests_again(home, exchange, person):
    home.prefect_api = ""
    home.more["BUSYTIME_HARVEST_SCHEDULE"] = "* * * * *"
    home.take_roster(person(), person()).ended(0)
    for killed in range(2):
        exchange.control("POST", "/limits", {"latency_ms": 30_000})
        with serving(home) as (process, _, _):
            said_first(process)
            eventually(partial(is_harvesting, home, killed), "a harvest is at work", STARTS_WITHIN_SECONDS)
            process.kill()
            process.wait()
    exchange.control("POST", "/limits", {"latency_ms": 0})
    with serving(home) as (process, page, _):
        said_first(process)
        eventually(lambda: "completed" in harvests(home), "it harvests again", STARTS_WITHIN_SECONDS)
        assert harvests(home).count("crashed") == 2
        assert "running" not in harvests(home)
        dead = {it for (it,) in home.query("SELECT prefect_flow_run_id FROM runs WHERE status = 'crashed'")}
        eventually(lambda: dead <= crashed_on(page), "they are crashed on the page, too", STARTS_WITHIN_SECONDS)
