"""Pushes that are killed on the way: a load of bookings, kills spread over the work, and what has to be so at the end.

Everything is real: processes of the command, the signal that nobody can catch, and the server's own truth and log.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from sqlalchemy import create_engine, text

from busytime.bookings import Booking, BookingState
from tests.flows.harness import PATIENCE_SECONDS, Home, Result, appointments, finished
from tests.flows.pushing import WRITES, again, at, booked, booking_page, cancelled, slot
from tests.sandbox_fixture import RunningSandbox

#: So long the server takes for each request: kills fall into requests as well as between them.
LATENCY_MS = 40
#: How long a push goes on, at most, after the request at which it was to be killed: until the outcome, or the next intent.
LINGER_SECONDS = 0.12
_SLOTS_A_DAY = 20
_MOVED_BY = timedelta(days=10)

Slots = dict[str, tuple[datetime, datetime]]

# Every intent is noted by the database itself, so that no account of the product's own is believed.
_WITNESSES = {
    "sqlite": (
        """CREATE TRIGGER witness AFTER UPDATE OF attempt_id ON entries WHEN new.attempt_id IS NOT old.attempt_id
        BEGIN INSERT INTO witness VALUES (new.attempt_id); END""",
    ),
    "postgresql": (
        """CREATE FUNCTION witness() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO witness VALUES (new.attempt_id); RETURN NULL; END $$""",
        """CREATE TRIGGER witness AFTER UPDATE OF attempt_id ON entries FOR EACH ROW
        WHEN (new.attempt_id IS DISTINCT FROM old.attempt_id) EXECUTE FUNCTION witness()""",
    ),
}


@dataclass
class Load:
    """Bookings on several pages, and what each calendar has to hold because of them.

    Args:
        home: Where they are taken in; its mailbox is connected.
        pages: By name the calendars that get entries, `OWNER` or `OWNER/FOLDER`, the main one first.
        each: Bookings of each page.
    """

    home: Home
    pages: Mapping[str, tuple[str, ...]]
    each: int
    bookings: dict[str, Booking] = field(init=False, default_factory=dict)

    def begin(self) -> None:
        """Take in the roster and all bookings."""
        lines = [line for name, (main, *more) in self.pages.items() for line in booking_page(main, more, name=name)]
        self.home.take_roster(pages=lines).ended(0)
        _add_witness(self.home)
        numbered = itertools.product(self.pages, range(self.each))
        self._take(booked(_key(name, number), _time(number), page=name) for name, number in numbered)

    def move(self, *numbers: int) -> None:
        """Move bookings of each page, by their numbers."""
        self._change(lambda it: again(it, it.window.start + _MOVED_BY), numbers)

    def cancel(self, *numbers: int) -> None:
        """Cancel bookings likewise."""
        self._change(cancelled, numbers)

    def _change(self, revise: Callable[[Booking], Booking], numbers: Iterable[int]) -> None:
        # The gate counts what is in a calendar. The last bookings of a page get there last: up to a fifth of a page may be
        # changed at any time without its plan being refused.
        assert min(numbers) >= self.each - self.each // 5
        self._take(revise(self.bookings[_key(name, number)]) for name, number in itertools.product(self.pages, numbers))

    @property
    def items(self) -> int:
        """How many items all calendars have to hold."""
        return sum(map(len, self.wanted.values()))

    @property
    def wanted(self) -> dict[str, Slots]:
        """What has to be in each calendar: times by booking key."""
        found: dict[str, Slots] = {calendar: {} for calendars in self.pages.values() for calendar in calendars}
        for booking in self.bookings.values():
            if booking.state is BookingState.SCHEDULED:
                for calendar in self.pages[booking.page]:
                    found[calendar][booking.key] = slot(booking.window.start)
        return found

    def held(self, calendar: str) -> list[tuple[str, tuple[datetime, datetime]]]:
        """Return what a calendar holds: the booking key and time of each item, as the server itself says."""
        owner, _, folder = calendar.partition("/")
        return [
            (item["booking_key"], (datetime.fromisoformat(item["start"]), datetime.fromisoformat(item["end"])))
            for item in appointments(self.home.exchange, owner, folder)
        ]

    @property
    def left(self) -> int:
        """How many items are still missing, at another time or too many."""
        odd = (set(self.held(calendar)) ^ set(slots.items()) for calendar, slots in self.wanted.items())
        return sum(len({key for key, _ in parts}) for parts in odd)

    def _take(self, bookings: Iterable[Booking]) -> None:
        given = list(bookings)
        self.bookings |= {booking.key: booking for booking in given}
        file = self.home.directory / "bookings.jsonl"
        file.write_text("".join(map(_line, given)), encoding="utf-8")
        self.home.call("bookings", "import", str(file), "--json").ended(0)


def _key(page: str, number: int) -> str:
    return f"{page}-{number:03}"


def _time(number: int) -> datetime:
    day, place = divmod(number, _SLOTS_A_DAY)
    return at(6, days=5 + day) + timedelta(minutes=30 * place)


def _line(booking: Booking) -> str:
    shown = {"key": booking.key, "page": booking.page, "title": booking.title}
    shown |= {"start": booking.window.start.isoformat(), "end": booking.window.end.isoformat()}
    shown |= {"state": booking.state, "revision": booking.revision, "booked_at": booking.booked_at.isoformat()}
    return json.dumps(shown) + "\n"


def _add_witness(home: Home) -> None:
    engine = create_engine(home.database_address)
    try:
        with engine.begin() as connection:
            for statement in ("CREATE TABLE witness (attempt_id TEXT NOT NULL)", *_WITNESSES[engine.dialect.name]):
                connection.execute(text(statement))
    finally:
        engine.dispose()


def make_pages(exchange: RunningSandbox, person: Callable[[], str], alone: int, doubled: int) -> dict[str, tuple[str, ...]]:
    """Name pages with people of their own: some with a main calendar alone, and some with an additional one.

    Of the additional calendars every second is a sub-calendar, and the others are one that two pages share.
    """
    pages = {f"alone{number}": (person(),) for number in range(alone)}
    shared = person()
    for number in range(doubled):
        owner = person()
        if number % 2:
            exchange.control("POST", "/calendars", {"owner": owner, "folder": "Copies"})
        pages[f"doubled{number}"] = (owner, f"{owner}/Copies" if number % 2 else shared)
    return pages


@dataclass
class Ground:
    """Where pushes are killed, and what came of it.

    Args:
        load: What they have to do.
        chance: Says when.
        since: Number of the last request before.
    """

    load: Load
    chance: random.Random
    since: int
    kills: int = 0
    in_attempts: int = 0
    buried: int = 0

    @property
    def home(self) -> Home:
        return self.load.home

    def seen(self, since: int | None = None) -> list[dict[str, object]]:
        """Return the writes in the server's log."""
        log = self.home.exchange.log(self.since if since is None else since)
        return [request for request in log if request["operation"] in WRITES]

    def kill_some(self, kills: int, *, of: int) -> None:
        """Start a push and kill it, so many times.

        Args:
            kills: How many times.
            of: How many kills are to come in all: the work is spread over them.
        """
        for coming in range(of, of - kills, -1):
            with self.pushing() as process:
                self.kill(process, coming)

    @contextmanager
    def pushing(self) -> Iterator[subprocess.Popen[str]]:
        """Start a push; whatever happens, none is left behind."""
        process = self.home.start("push", "--json")
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()

    def kill(self, process: subprocess.Popen[str], coming: int) -> None:
        """Kill a push after a random share of the work that is left, and a moment more."""
        self.await_writes(process, self.chance.randint(1, max(1, 3 * self.load.left // (2 * (coming + 1)))))
        time.sleep(self.chance.uniform(0, LINGER_SECONDS))
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        self.kills += 1
        its_runs = "SELECT run_id FROM locks WHERE process_id = :process_id"  # nobody has cleared up after it yet
        intended = f"SELECT id FROM entries WHERE state = 'intended' AND run_id IN ({its_runs})"  # noqa: S608
        found = self.home.query(intended, process_id=process.pid)
        self.in_attempts += bool(found)
        self.buried += len(found)

    def await_writes(self, process: subprocess.Popen[str], writes: int) -> None:
        """Wait until the server has seen so many more writes."""
        since, deadline = self.mark(), time.monotonic() + PATIENCE_SECONDS
        while len(self.seen(since)) < writes:
            if process.poll() is not None:
                out, err = process.communicate()
                pytest.fail(f"a push ended with {process.returncode} before it was killed: {out[-1000:]} {err[-1000:]}")
            if time.monotonic() > deadline:
                pytest.fail(f"no push wrote anything more, although {self.load.left} items are not as they should be")
            time.sleep(0.01)

    def mark(self) -> int:
        """Return the number of the last request in the server's log."""
        log = self.home.exchange.log(self.since)
        return int(log[-1]["n"]) if log else self.since

    def told(self) -> str:
        """Say what came of it, for a person."""
        return f"{self.kills} kills, {self.in_attempts} of them between intent and outcome ({self.buried} entries left behind)"


def begin(load: Load, seed: int) -> Ground:
    """Make the load ready to be pushed by a server that takes its time."""
    load.begin()
    log = load.home.exchange.log()
    load.home.exchange.control("POST", "/limits", {"latency_ms": LATENCY_MS})
    # It only has to be repeatable.
    return Ground(load, random.Random(seed), int(log[-1]["n"]) if log else 0)  # noqa: S311


def assert_exactly_once(ground: Ground) -> None:
    """Push once more, and find each booking once in each of its calendars, and nothing half done."""
    load, home = ground.load, ground.home
    home.exchange.control("POST", "/limits", {"latency_ms": 0})
    home.call("push", "--json").ended(0)
    _assert_truth(load)
    _assert_tables(load)
    _assert_nothing_was_made_twice(ground)
    before = ground.mark()
    assert home.call("push", "--json").ended(0).json["changes"] == []
    assert ground.seen(before) == []


def _assert_truth(load: Load) -> None:
    for calendar, slots in load.wanted.items():
        held, wanted = Counter(load.held(calendar)), Counter(slots.items())
        assert held == wanted, f"{calendar} holds {held - wanted} too much, and lacks {wanted - held}"


def _assert_tables(load: Load) -> None:
    home = load.home
    present = "SELECT booking_key FROM entries WHERE state = 'present'"
    assert len(home.query(present)) == load.items
    assert home.query("SELECT DISTINCT state FROM entries WHERE state NOT IN ('present', 'cancelled')") == []
    ended = "SELECT w.attempt_id, count(c.id) FROM witness w LEFT JOIN changes c ON c.attempt_id = w.attempt_id"
    assert home.query(f"{ended} GROUP BY w.attempt_id HAVING count(*) <> 1 OR count(c.id) <> 1") == []
    assert home.query("SELECT count(*) FROM witness")[0][0] >= load.items
    assert home.query("SELECT id FROM runs WHERE status = 'running' OR finished_at IS NULL") == []
    assert home.query("SELECT name FROM locks") == []


def _assert_nothing_was_made_twice(ground: Ground) -> None:
    """Compare with the server's log: an item that was made twice, and removed again, would be gone without a trace."""
    done = Counter(str(request["operation"]) for request in ground.seen() if request["code"] == "NoError")
    assert done["CreateItem"] - done["DeleteItem"] == ground.load.items
    refused = [request for request in ground.seen() if request["code"] != "NoError"]
    assert refused == []


def push_at_once(ground: Ground, pushers: int, killed: int) -> list[Result]:
    """Let several pushes work at once, kill some on the way and start others for them; return how the rest ended."""
    waiting: list[subprocess.Popen[str]] = []
    try:
        waiting += [ground.home.start("push", "--json") for _ in range(pushers)]
        for coming in range(killed, 0, -1):
            ground.kill(waiting.pop(0), coming)
            waiting.append(ground.home.start("push", "--json"))
        return [finished(process) for process in waiting]
    finally:
        for process in waiting:
            if process.poll() is None:
                process.kill()
                process.communicate()
