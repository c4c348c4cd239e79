"""A day of the service, as processes: from an empty home to the first harvest, and through a change of the password."""

from __future__ import annotations

import json
import time

from tests.flows.harness import Home, book, eventually
from tests.integration.alarms.receiving import Webhook
from tests.integration.alarms.receiving import serving as receiving
from tests.integration.cli.booking_desk import BookingDesk, at, booking
from tests.integration.cli.service_process import STARTS_WITHIN_SECONDS, ask, said_first, serving

NEW = "a new one, given by the admin"


def completed(page, flow):
    """Return the completed runs of a flow that Prefect's page shows."""
    state = {"type": {"any_": ["COMPLETED"]}}
    return ask(page, "flow_runs/filter", flows={"name": {"any_": [flow]}}, flow_runs={"state": state})


def test_from_an_empty_home_through_a_change_of_the_password(tmp_path, exchange, person, tell):
    home = Home(tmp_path / "home", exchange, None)
    with receiving(Webhook()) as hook:
        home.more = {"BUSYTIME_ALARM_URLS": json.dumps([hook.address()]), "BUSYTIME_HARVEST_SCHEDULE": "* * * * *"}
        began = time.monotonic()
        with serving(home) as (process, page, _):
            said_first(process)
            served = time.monotonic()
            desk = BookingDesk(home, person()).open()
            book(exchange, desk.main, at(15))  # what its owner made proves the right to write
            eventually(lambda: completed(page, "harvest_busy_time"), "the first harvest is on the page", STARTS_WITHIN_SECONDS)
            harvested = time.monotonic()
            desk.take(booking("B1", at(9)))
            eventually(lambda: desk.states() == {"B1": "present"}, "the booking is pushed", STARTS_WITHIN_SECONDS)

            exchange.control("POST", "/password", {"email": exchange.email, "password": NEW})
            changed = time.monotonic()
            desk.take(booking("B2", at(11)))
            eventually(lambda: breaker(home) == "open", "the breaker opens", STARTS_WITHIN_SECONDS)
            eventually(lambda: hook.bodies, "the alarm is raised", STARTS_WITHIN_SECONDS)
            alarmed = time.monotonic()
            assert sum(entry["refused_logon"] for entry in exchange.log(0)) <= 2

            home.run("password", exchange.email, "--password-stdin", stdin=f"{NEW}\n").ended(0)
            assert breaker(home) == "closed"
            eventually(lambda: len(hook.bodies) == 2, "the alarm is over", STARTS_WITHIN_SECONDS)
            eventually(lambda: desk.states() == {"B1": "present", "B2": "present"}, "nothing was lost", STARTS_WITHIN_SECONDS)
            over = time.monotonic()
            opened, closed = hook.bodies
            assert "Breaker opened" in opened["message"]
            assert "over" in closed["message"]
            assert NEW not in json.dumps(hook.bodies)
    tell(
        f"serving after {served - began:.0f} s, first harvest {harvested - served:.0f} s later; "
        f"alarm {alarmed - changed:.0f} s after the change of the password; all is well {over - alarmed:.0f} s later"
    )


def breaker(home):
    return home.run("status", "--json").json["connections"][0]["breaker"]
