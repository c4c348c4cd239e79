"""What tests of pushing share: a connected home, bookings, runs of the real flows, and what came of them."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from busytime.bookings import Booking, BookingState
from busytime.model import Window
from busytime.outcomes import HarvestOutcome, PushOutcome
from busytime.resyncing import ResyncOutcome
from flows.options import HarvestOptions, Options, PushOptions, ResyncOptions
from tests.flows.harness import Home, MovedClock, appointments
from tests.sandbox_fixture import RunningSandbox

_numbers = itertools.count(1)
WRITES = ("CreateItem", "UpdateItem", "DeleteItem")
#: Longer than what was read back stays believed.
LATER = timedelta(hours=2)


def at(hour: int, minute: int = 0, days: int = 5) -> datetime:
    """Return an instant some days ahead."""
    return datetime.combine(datetime.now(UTC).date() + timedelta(days=days), time(hour, minute), UTC)


def booked(key: str, start: datetime, minutes: int = 30, **more: Any) -> Booking:
    """Return a booking that is made now."""
    window = Window(start, start + timedelta(minutes=minutes))
    made = Booking(key, "talk", window, "Intro call", BookingState.SCHEDULED, 1, datetime.now(UTC) + timedelta(seconds=1))
    return replace(made, **more)


def again(booking: Booking, start: datetime | None = None, minutes: int = 30, **more: Any) -> Booking:
    """Return a booking's next revision, at another time if one is given."""
    window = Window(start, start + timedelta(minutes=minutes)) if start else booking.window
    return replace(booking, revision=booking.revision + 1, **{"window": window, "state": BookingState.SCHEDULED, **more})


def cancelled(booking: Booking) -> Booking:
    """Return the revision that cancels a booking."""
    return again(booking, state=BookingState.CANCELLED)


def booking_page(main: str, additional: Sequence[str] = (), busy: Sequence[str] = (), **settings: Any) -> list[str]:
    """Return the YAML of a booking page, named `talk` unless told otherwise."""
    lines = [f"  - name: {settings.pop('name', 'talk')}", "    time_zone: Europe/Berlin", f"    main: {main}"]
    lines += [f"    additional: [{', '.join(additional)}]", f"    busy: [{', '.join(busy)}]"]
    return [*lines, *(f"    {key}: {str(value).lower()}" for key, value in settings.items())]


@dataclass(frozen=True)
class Pushed:
    """What a push came to."""

    outcome: PushOutcome

    @property
    def status(self) -> str:
        return str(self.outcome.status)

    @property
    def changes(self) -> dict[tuple[str, str], tuple[str, str, str | None]]:
        """Change, outcome and reason by booking key and calendar."""
        return {
            (it.booking_key, calendar.label): (str(it.kind), str(it.outcome), it.reason and str(it.reason))
            for it, calendar in self.outcome.changes
        }


@dataclass
class Diary:
    """A home that is connected, and its calendars on the server."""

    home: Home
    exchange: RunningSandbox

    def person(self) -> str:
        """Make an owner of this home alone, with an empty calendar that is shared."""
        address = f"owner-of-entries{next(_numbers)}@corp.example"
        self.exchange.control("POST", "/mailbox", {"owner": address, "kind": "person"})
        return address

    def pages(self, *pages: list[str], calendars: Sequence[str] = ()) -> None:
        """Import a roster of booking pages."""
        self.home.take_roster(*calendars, pages=[line for page in pages for line in page]).ended(0)

    def take(self, *bookings: Booking) -> None:
        """Take bookings in."""
        with self.home.inside():
            from tasks.workspace import workspace

            office = workspace()
            with office.store.write() as unit:
                unit.bookings.take(bookings, office.clock.now())

    def push(self, *, clock: MovedClock | None = None, **parameters: Any) -> Pushed:
        """Push; an error that ends the flow is raised."""
        from flows.push_bookings import push_bookings

        return Pushed(self._run(push_bookings, clock, PushOptions(**parameters)))

    def harvest(self, *, clock: MovedClock | None = None) -> HarvestOutcome:
        """Harvest so much later that entries are read back."""
        from flows.harvest_busy_time import harvest_busy_time

        if clock is None:
            clock = MovedClock()
            clock.offset = LATER
        return self._run(harvest_busy_time, clock, HarvestOptions())

    def resync(self) -> ResyncOutcome:
        """Take over what the calendars hold."""
        from flows.resync_connection import resync_connection

        return self._run(resync_connection, None, ResyncOptions(adopt=True))

    def _run(self, flow: Any, clock: MovedClock | None, options: Options) -> Any:
        with self.home.inside(clock):
            ended = flow(options, return_state=True).result(raise_on_failure=False)
        if isinstance(ended, BaseException):
            raise ended
        return ended

    def items(self, calendar: str) -> list[dict[str, Any]]:
        """Return what lies in a calendar, `OWNER` or `OWNER/FOLDER`, as the server itself says."""
        owner, _, folder = calendar.partition("/")
        return appointments(self.exchange, owner, folder)

    def ours(self, calendar: str) -> dict[str, tuple[datetime, datetime]]:
        """Return the time of each of our items in a calendar, by booking key; two of one key are a fault."""
        found = [item for item in self.items(calendar) if item["booking_key"]]
        assert len({item["booking_key"] for item in found}) == len(found), found
        return {
            item["booking_key"]: (datetime.fromisoformat(item["start"]), datetime.fromisoformat(item["end"])) for item in found
        }

    def entries(self) -> dict[tuple[str, str], tuple[str, str | None]]:
        """Return state and reason of each entry, by booking key and calendar."""
        rows = self.home.query(
            "SELECT e.booking_key, o.address, c.folder, e.state, e.reason FROM entries e "
            "JOIN calendars c ON c.id = e.calendar_id JOIN owners o ON o.id = c.owner_id"
        )
        return {(key, f"{owner}/{folder}".rstrip("/")): (state, reason) for key, owner, folder, state, reason in rows}

    def attempts(self, key: str) -> list[tuple[str, str, str | None]]:
        """Return change, outcome and reason of each finished attempt at a booking's entries, in order."""
        rows = self.home.query("SELECT change, outcome, reason FROM changes WHERE booking_key = :key ORDER BY id", key=key)
        return [tuple(row) for row in rows]

    def change(self, statement: str, **values: Any) -> None:
        """Write in the home's database, as nobody should."""
        from sqlalchemy import create_engine, text

        engine = create_engine(self.home.database_address)
        try:
            with engine.begin() as connection:
                assert connection.execute(text(statement), values).rowcount > 0
        finally:
            engine.dispose()

    def mark(self) -> int:
        """Return the number of the last request in the server's log."""
        log = self.exchange.log()
        return int(log[-1]["n"]) if log else 0

    def requests(self, since: int, *operations: str) -> list[tuple[str, str]]:
        """Return operation and mailbox of the requests since then."""
        log = self.exchange.log(since)
        return [(it["operation"], ",".join(it["mailboxes"])) for it in log if not operations or it["operation"] in operations]

    def fault(self, kind: str, operation: str, **more: Any) -> None:
        """Order a fault, once unless told otherwise."""
        self.exchange.control("POST", "/faults", {"kind": kind, "operation": operation, "count": 1, **more})


def slot(start: datetime, minutes: int = 30) -> tuple[datetime, datetime]:
    """Return a time as `Diary.ours` does."""
    return start, start + timedelta(minutes=minutes)


@pytest.fixture(scope="session")
def connected_home(tmp_path_factory: pytest.TempPathFactory, shared_exchange: RunningSandbox, prefect_api: str) -> Iterator[Path]:
    """A home whose mailbox is connected; nobody works in it, it is copied."""
    home = Home(tmp_path_factory.mktemp("connected") / "home", shared_exchange, prefect_api)
    home.connect().ended(0)
    return home.path


@pytest.fixture
def diary(home: Home, connected_home: Path) -> Diary:
    """A connected home of this test alone; each has the same name in markers, so a test needs people of its own."""
    shutil.copytree(connected_home, home.path)
    return Diary(home, home.exchange)


@pytest.fixture(scope="module")
def scene_diary(
    tmp_path_factory: pytest.TempPathFactory, connected_home: Path, shared_exchange: RunningSandbox, prefect_api: str
) -> Diary:
    """A connected home for one scene that many tests look at and none changes: a flow for each would take minutes."""
    home = Home(tmp_path_factory.mktemp("scene") / "home", shared_exchange, prefect_api)
    shutil.copytree(connected_home, home.path)
    return Diary(home, shared_exchange)
