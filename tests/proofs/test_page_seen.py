"""Prefect's page in a real browser, as `busytime serve` shows it: what is there, forms, runs, and what a run shows.

They run where Chromium is installed (Debian: `apt-get install chromium`). The forms of all flows are filled in by
`test_page.py` beside it.
"""

from __future__ import annotations

import json

import pytest
import yaml

from deployments.serving.deploying import ROOT
from tests.flows.harness import Home
from tests.integration.cli.browser import CHROMIUM
from tests.integration.cli.prefect_page import OWNERS, admin_page

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")

DEPLOYMENTS = yaml.safe_load((ROOT / "deployments" / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]


def test_an_admin_finds_deployments_fills_in_forms_and_sees_what_runs_came_to(tmp_path, tmp_path_factory, exchange):
    home = Home(tmp_path / "home", exchange, None)
    with admin_page(home, tmp_path_factory.mktemp("chromium")) as page:
        the_deployments_are_listed(page)
        harvest, dry, unknown = submit_three_forms(page)
        a_form_that_is_filled_in_wrong_makes_no_run(page)
        the_limited_harvest_read_one_owner(page, home, harvest)
        the_dry_run_sent_nothing(page, home, exchange, dry)
        page.ended(unknown, "Refused", "There is no booking page 'tlak'. Booking pages: talk.")
        assert home.query("SELECT count(*) FROM runs WHERE prefect_flow_run_id = :id", id=unknown) == [(0,)]
        a_harvest_shows_what_it_could_not_read_and_no_harm_comes_of_names(page, home)
        nothing_outside_is_asked(page)


def the_deployments_are_listed(page):
    page.show("/deployments")
    for it in DEPLOYMENTS:
        page.reads(f"{it['name']}\n")
        assert (
            page.ask(f"/deployments/name/{it['entrypoint'].partition(':')[2]}/{it['name']}")["description"] == it["description"]
        )
    page.reads("writes")
    page.show(f"/deployments/deployment/{page.ask('/deployments/name/push_bookings/push')['id']}?tab=Description")
    page.reads("Brings the entries in all calendars to where their bookings want them.")


def submit_three_forms(page):
    page.open_form("harvest_busy_time/harvest")
    page.reads("What to read. Left as it is: all calendars, as the schedule does.")
    assert "Started by" not in page.browser.find("document.body.innerText")
    page.add("Owners", OWNERS[1])
    harvest = page.submitted()
    page.open_form("push_bookings/push")
    page.switch("Dry run")
    page.switch("Backfill")
    dry = page.submitted()
    page.open_form("push_bookings/push")
    page.add("Booking pages", "tlak")
    return harvest, dry, page.submitted()


def a_form_that_is_filled_in_wrong_makes_no_run(page):
    page.open_form("validate_delegation/validate")
    name = page.browser.await_("document.querySelector('form input').value")
    page.add("Owners", "wrong")
    page.submit()
    page.reads("'wrong' is not a 'email'")
    assert page.runs(name) == []


def the_limited_harvest_read_one_owner(page, home, run_id):
    page.ended(run_id, "Completed", "1 calendars known, 0 unknown")
    page.browser.await_("!!document.querySelector('canvas')")
    [(ours, trigger, counts)] = home.query("SELECT id, trigger, counts FROM runs WHERE prefect_flow_run_id = :id", id=run_id)
    assert (trigger, json.loads(counts)["known"]) == ("manual", 1)
    assert home.query("SELECT calendars FROM steps WHERE run_id = :id AND step = 'harvest_batch'", id=ours) == [(1,)]
    page.look_at_artifact(run_id, "harvest", f"Run {ours} in the audit tables.")


def the_dry_run_sent_nothing(page, home, exchange, run_id):
    page.ended(run_id, "Completed", "1 changes planned; nothing was sent or written")
    assert home.query("SELECT count(*) FROM runs WHERE prefect_flow_run_id = :id", id=run_id) == [(0,)]
    assert home.query("SELECT count(*) FROM entries") == [(0,)]
    assert "CreateItem" not in {it["operation"] for it in exchange.log() if OWNERS[0] in it["mailboxes"]}
    told = page.look_at_artifact(run_id, "push-plan", OWNERS[0])
    assert "Geheim" not in told


def a_harvest_shows_what_it_could_not_read_and_no_harm_comes_of_names(page, home):
    query = "SELECT prefect_flow_run_id FROM runs WHERE status = 'completed_with_failures' AND flow = 'harvest_busy_time'"
    told = page.look_at_artifact(home.query(query)[0][0], "harvest", "busytime advise --out DIR")
    assert f"{OWNERS[2]}/A|B `x` <img src=x onerror=window.ran=1> [evil]" in told, "it reads as it is called"
    assert page.browser.find("window.ran") is None
    links = page.browser.find("[...document.querySelectorAll('a, img')].map(it => it.href ?? it.src)")
    assert not [link for link in links if "evil" in link or link.startswith("mailto")]


def nothing_outside_is_asked(page):
    server = page.ask("/admin/settings")["server"]
    assert (server["ui"]["show_promotional_content"], server["analytics_enabled"]) == (False, False)
    page.note_requests()
    own = (page.url, "data:", "blob:")
    assert [url for url in page.answered if not url.startswith(own)] == []
    # It would speak with an analytics service; the server forbids it, and no name is even looked up.
    blocked = {it["params"].get("blockedReason") for it in page.browser.events if it.get("method") == "Network.loadingFailed"}
    assert blocked <= {"csp"}
