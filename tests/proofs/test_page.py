"""The form of each flow, filled in by clicks and keys on Prefect's page and run, and what it did, by SQL."""

from __future__ import annotations

import json

import pytest

from tests.flows.harness import Home
from tests.integration.cli.browser import CHROMIUM
from tests.integration.cli.prefect_page import OWNERS, admin_page

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")


@pytest.fixture
def home(tmp_path, exchange):
    return Home(tmp_path / "home", exchange, None)


def test_each_form_does_what_it_says(home, exchange, tmp_path_factory, tell):
    with admin_page(home, tmp_path_factory.mktemp("chromium")) as page:
        validate(page, home)
        discover(page, home, exchange)
        resync(page, home)
        push(page, home, exchange)
        maintain(page, home)
        watch(page)
        tell(f"{len(page.answered)} addresses asked, all of them the page's own")
        page.note_requests()
        assert [url for url in page.answered if not url.startswith((page.url, "data:", "blob:"))] == []


def ours(home, run_id):
    """Return our row of a run: id, flow, trigger, status and counts."""
    query = "SELECT id, flow, trigger, status, counts FROM runs WHERE prefect_flow_run_id = :id"
    [(number, *row)] = home.query(query, id=run_id)
    return number, *row[:3], json.loads(row[3])


def validate(page, home):
    page.open_form("validate_delegation/validate")
    page.add("Owners", OWNERS[1])
    page.switch("Probe by writing")
    run_id = page.submitted()
    page.ended(run_id, "Completed")
    number, *row, counts = ours(home, run_id)
    assert row == ["validate_delegation", "manual", "completed"]
    assert sum(counts.values()) == 1, "one calendar, which is only read"
    page.look_at_artifact(run_id, "validate", f"Run {number} in the audit tables.")


def discover(page, home, exchange):
    exchange.control("POST", "/calendars", {"owner": OWNERS[1], "folder": "Projects"})
    page.open_form("discover_calendars/discover")
    page.add("Owners", OWNERS[1])
    page.fill_in("Accept invitations from", "partner.example")
    run_id = page.submitted()
    page.ended(run_id, "Completed", "1 owners looked at")
    assert ours(home, run_id)[1:4] == ("discover_calendars", "manual", "completed")
    page.look_at_artifact(run_id, "discover", f"{OWNERS[1]}/Projects")


def resync(page, home):
    page.open_form("resync_connection/resync")
    page.reads("Take over what the calendars hold")
    run_id = page.submitted()
    page.ended(run_id, "Completed", "nothing is asked for")
    assert home.query("SELECT count(*) FROM runs WHERE prefect_flow_run_id = :id", id=run_id) == [(0,)]


def push(page, home, exchange):
    page.open_form("push_bookings/push")
    page.add("Booking pages", "talk")
    page.switch("Backfill")
    run_id = page.submitted()
    page.ended(run_id, "Completed", "1 applied")
    assert ours(home, run_id)[1:] == ("push_bookings", "manual", "completed", {"applied": 1})
    assert home.query("SELECT booking_key, state FROM entries") == [("BK-1", "present")]
    written = [it["mailboxes"] for it in exchange.log() if it["operation"] == "CreateItem"]
    assert written[-1] == [OWNERS[0]]


def maintain(page, home):
    page.open_form("maintain/maintain")
    page.reads("how long things stay is said in the settings")
    run_id = page.submitted()
    page.ended(run_id, "Completed", "nothing was old enough")
    assert ours(home, run_id)[1:4] == ("maintain", "manual", "completed")


def watch(page):
    page.open_form("watch/watch")
    run_id = page.submitted()
    page.ended(run_id, "Completed", "alarms that stand:")
