"""A password that changes while four processes work through the one connection, and the one command that brings all back."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.flows.harness import Home, Result, appointments, book, eventually, finished
from tests.flows.pushing import at, booking_page

NEW_PASSWORD = "a new one: given-by-the-admin"
#: A process that is told to stop may finish what it has begun; four of them share two processors.
_PATIENCE_SECONDS = 300
COMMANDS = (("harvest",), ("validate",), ("push",), ("push",))


@dataclass
class Change:
    """A home with calendars and bookings, and what its four processes came to.

    Args:
        home: Connected; its batches hold one calendar each.
        owners: Whose calendars are read.
        booked_owners: In whose calendars a booking is to lie.
    """

    home: Home
    owners: Sequence[str]
    booked_owners: Sequence[str]
    since: int = 0
    results: list[Result] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def begin(self) -> None:
        """Take in roster and bookings; an appointment of each owner's own proves the right to write."""
        for owner in self.booked_owners:
            book(self.home.exchange, owner, at(14))
        self.home.more["BUSYTIME_BATCH_SIZE"] = "1"
        pages = [line for owner in self.booked_owners for line in booking_page(owner, name=_page(owner))]
        self.home.take_roster(*self.owners, pages=pages).ended(0)
        self.home.call("validate", "--json")
        file = self.home.directory / "bookings.jsonl"
        file.write_text("".join(_line(owner) for owner in self.booked_owners), encoding="utf-8")
        self.home.call("bookings", "import", str(file), "--json").ended(0)
        self.since = self.home.exchange.log()[-1]["n"]

    def work_and_change(self, after: int) -> None:
        """Start the four, change the password once they have sent so many requests, and wait for them to end."""
        processes = [self.home.start(*command, "--json") for command in COMMANDS]
        try:
            eventually(lambda: self._is_far(after), "all of them are at work", _PATIENCE_SECONDS)
            change_password(self.home)
            for process in processes:
                self.results.append(finished(process, seconds=_PATIENCE_SECONDS))
                self.seconds.append((datetime.now(UTC) - self.first_refusal).total_seconds())
        finally:
            _end(processes)

    def _is_far(self, after: int) -> bool:
        operations = Counter(entry["operation"] for entry in self.log)
        return sum(operations.values()) >= after and {"GetUserAvailability", "CreateItem"} <= operations.keys()

    @property
    def log(self) -> list[dict[str, Any]]:
        """What the server was asked since the four began."""
        return self.home.exchange.log(self.since)

    @property
    def refused(self) -> int:
        """Refused log-ons, as the server counts them."""
        return sum(entry["refused_logon"] for entry in self.log)

    @property
    def first_refusal(self) -> datetime:
        """When the server refused the first one."""
        return next(datetime.fromisoformat(entry["at"]) for entry in self.log if entry["refused_logon"])

    def waiting(self) -> int:
        """Count the bookings of which the tables say that they wait for a log-on."""
        return len(self.home.query("SELECT id FROM entries WHERE state = 'waiting_for_log_on'"))

    def begun(self) -> int:
        """Count the attempts of steps that the four made."""
        return len(self.home.query("SELECT id FROM steps"))

    def bring_back(self) -> Result:
        """Give the new password: the one command."""
        command = ("password", self.home.exchange.email, "--password-stdin", "--json")
        return finished(self.home.start(*command, stdin=subprocess.PIPE), NEW_PASSWORD + "\n", 2 * _PATIENCE_SECONDS)

    def assert_harmless(self) -> None:
        """Check that all four stopped after two refused log-ons at most, and that the one command brings all back."""
        assert {result.status for result in self.results} == {5}, [result.err for result in self.results]
        assert 1 <= self.refused <= 2
        assert self.waiting()
        self.home.exchange.control("POST", "/limits", {"latency_ms": 0})
        before = self.refused
        self.bring_back().ended(0)
        assert self.refused == before
        self.assert_all_is_back()

    def assert_all_is_back(self) -> None:
        """Check that every calendar is known, and every booking in its calendar, once."""
        status = self.home.call("status", "--json").ended(0).json
        assert status["coverage"] == {"known": len(self.owners), "unknown": 0}
        assert status["connections"][0]["breaker"] == "closed"
        assert status["entries"] == {"present": len(self.booked_owners)}
        for owner in self.booked_owners:
            keys = [item["booking_key"] for item in appointments(self.home.exchange, owner) if item["booking_key"]]
            assert keys == [_key(owner)]

    def told(self) -> str:
        """Say what happened, in figures."""
        codes = [result.status for result in self.results]
        ended = ", ".join(f"{seconds:.1f}" for seconds in self.seconds)
        return (
            f"{len(self.log)} requests, {self.begun()} attempts of steps, {self.refused} refused log-ons, exit statuses {codes}, "
            f"ended {ended} s after the first refusal, {self.waiting()} bookings waited"
        )


def change_password(home: Home, password: str = NEW_PASSWORD) -> None:
    """Change the dedicated mailbox's password at the server."""
    home.exchange.control("POST", "/password", {"email": home.exchange.email, "password": password})


def make_change(home: Home, person: Callable[[], str], owners: int, booked_owners: int) -> Change:
    """Make a change with so many owners, some of them with a booking."""
    made = [person() for _ in range(owners)]
    return Change(home, made, made[:booked_owners])


def _end(processes: Sequence[subprocess.Popen[str]]) -> None:
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.wait()


def _line(owner: str) -> str:
    values = {"key": _key(owner), "page": _page(owner), "title": "Intro call", "state": "scheduled", "revision": 1}
    return json.dumps(values | {"start": at(9).isoformat(), "end": at(10).isoformat()}) + "\n"


def _page(owner: str) -> str:
    return f"page-{owner.partition('@')[0]}"


def _key(owner: str) -> str:
    return f"BK-{owner.partition('@')[0]}"
