"""Prefect's page as an admin uses it, in a real browser: forms are filled in by clicks and keys, and runs are looked at."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.flows.harness import Home, eventually
from tests.flows.pushing import at, booking_page
from tests.integration.cli.browser import Browser, browsing
from tests.integration.cli.service_process import said_first, serving

OWNERS = tuple(f"owner{number:04d}@corp.example" for number in range(1, 4))
#: Nobody may see it, and its name would do harm on a page that makes markup of it.
EVIL = "A|B `x` <img src=x onerror=window.ran=1> [evil](http:\\/\\/evil.example) **b** www.evil.example"
_SCREEN = (1280, 1400)
_A_RUN_SECONDS = 240
_TRIES = 4
_ANSWERED_WITHIN_SECONDS = 15
#: The page takes up what is typed a moment later by its own clock, and shows no sign of it.
_TYPING_COUNTS_AFTER_MS = 1500


@dataclass
class PrefectPage:
    """The page that a service shows, and all that it has asked for."""

    browser: Browser
    url: str
    asked: set[str] = field(default_factory=set)
    answered: set[str] = field(default_factory=set)

    def ask(self, path, body=None):
        """Ask its API, for what a test has to compare with."""
        sent = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.url}/api{path}", sent, {"Content-Type": "application/json"})  # noqa: S310
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 -- our own address
            return json.loads(answer.read())

    def show(self, path, screen=_SCREEN):
        self.note_requests()
        self.browser.open(f"{self.url}/v2{path}", *screen)

    def note_requests(self):
        """Keep what the page asked for, and what came of it: the browser forgets it with the page."""
        for event in self.browser.events:
            if event.get("method") == "Network.requestWillBeSent":
                self.asked.add(event["params"]["request"]["url"])
            if event.get("method") == "Network.responseReceived":
                self.answered.add(event["params"]["response"]["url"])

    def reads(self, text):
        """Wait until a text is to be read."""
        self.browser.await_(f"document.body.innerText.includes({json.dumps(text)})")

    def open_form(self, deployment):
        """Show the form of a deployment, and wait until it is drawn."""
        found = self.ask(f"/deployments/name/{deployment}")["id"]
        self.show(f"/deployments/deployment/{found}/run")
        self.reads("options (Optional)")

    def add(self, title, text):
        """Add an item to a list."""
        self.browser.click(_button("Add item", _field(title)))
        self.browser.type_into(f"[...{_field(title)}.querySelectorAll('textarea, input')].at(-1)", text)

    def fill_in(self, title, text):
        self.browser.type_into(f"{_field(title)}.querySelector('textarea, input')", text)

    def switch(self, title):
        self.browser.click(f"{_field(title)}.querySelector('[role=switch]')")

    def submit(self):
        self.browser.settle(_TYPING_COUNTS_AFTER_MS)
        self.browser.click(_button("Submit"))

    def submitted(self):
        """Submit the form, again if a busy server could not take it; return the id of the run that it makes."""
        name = self.browser.await_("document.querySelector('form input').value")
        for _ in range(_TRIES):
            self.submit()
            until = time.monotonic() + _ANSWERED_WITHIN_SECONDS
            while time.monotonic() < until:
                if found := self.runs(name):
                    self.browser.await_("!location.pathname.endsWith('/run')")
                    return found[0]["id"]
                time.sleep(0.2)
        raise AssertionError(f"no run was made; the page says {self.browser.find('document.body.innerText')}")

    def runs(self, *names):
        return self.ask("/flow_runs/filter", {"flow_runs": {"name": {"any_": names}}})

    def ended(self, run_id, state, told=""):
        """Look at a run until the page says how it ended, and of what it tells."""
        final = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
        eventually(lambda: self.ask(f"/flow_runs/{run_id}")["state_type"] in final, "the run ends", _A_RUN_SECONDS)
        self.show(f"/runs/flow-run/{run_id}?tab=Details")
        self.reads(state)
        self.reads(told)

    def look_at_artifact(self, run_id, key, told):
        """Show what a run shows, wait until something is to be read there, and return its text."""
        [found] = [it for it in self.ask("/artifacts/filter", _of_run(run_id)) if it["key"] == key]
        self.show(f"/artifacts/artifact/{found['id']}")
        self.reads(found["description"])
        self.reads(told)
        return self.browser.find("document.body.innerText")


def _of_run(run_id):
    return {"artifacts": {"flow_run_id": {"any_": [run_id]}}}


def _field(title):
    """Return the box of a field, as an expression; boxes of lists lie within others."""
    label = f"[...document.querySelectorAll('form label')].find(it => it.textContent.startsWith({json.dumps(title + ' (')}))"
    return f"{label}?.closest('.group')"


def _button(text, within="document"):
    return f"[...({within}?.querySelectorAll('button') ?? [])].find(it => it.textContent.trim() === {json.dumps(text)})"


@contextmanager
def admin_page(home: Home, browser_home) -> Iterator[PrefectPage]:
    """Serve a home with three owners, a calendar that nobody may see and a booking from before the connection."""
    home.prefect_api = ""
    # Schedules that never come up meanwhile, and a worker that looks often.
    home.more |= {f"BUSYTIME_{name}_SCHEDULE": "0 0 29 2 *" for name in ("HARVEST", "VALIDATE", "MAINTAIN")}
    home.more |= {"PREFECT_WORKER_QUERY_SECONDS": "1"}
    home.connect().ended(0)
    take_roster(home)
    with serving(home) as (process, port, _), browsing(browser_home) as browser:
        said_first(process)
        eventually(lambda: "completed_with_failures" in home.run_statuses(), "the first harvest is done", _A_RUN_SECONDS)
        yield PrefectPage(browser, f"http://127.0.0.1:{port}")


def take_roster(home):
    """Import the roster and the booking; an owner more makes the folder that nobody may see."""
    lines = [
        "calendars:",
        *(f"  - owner: {owner}" for owner in OWNERS),
        f"  - owner: {OWNERS[2]}",
        f"    folder: {json.dumps(EVIL)}",
    ]
    roster = home.directory / "roster.yaml"
    roster.write_text("\n".join([*lines, "booking_pages:", *booking_page(OWNERS[0])]) + "\n", encoding="utf-8")
    home.call("roster", "import", str(roster)).ended(0)
    booking = {"key": "BK-1", "page": "talk", "start": at(9).isoformat(), "end": at(10).isoformat(), "title": "Geheim"}
    booking |= {"state": "scheduled", "revision": 1, "booked_at": "2026-01-01T00:00:00Z"}
    bookings = home.directory / "bookings.jsonl"
    bookings.write_text(json.dumps(booking) + "\n", encoding="utf-8")
    home.call("bookings", "import", str(bookings)).ended(0)
