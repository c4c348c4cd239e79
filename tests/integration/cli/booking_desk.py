"""What tests of `busytime push` share: a connected home with a booking page, bookings from files, and the server's truth."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from sqlite3 import connect
from typing import Any

from tests.flows.harness import Home, Result, appointments

#: Words that stand in no code and no package: whatever shows one of them shows what a guest wrote.
TITLE, PLACE, BODY, GUEST = "Zwetschgenbaumgespräch", "Quittenkammer", "Brombeerhecke", "rhabarber@gast.example"


def at(hour: int, minute: int = 0, days: int = 5) -> datetime:
    """Return an instant some days ahead."""
    return datetime.combine(datetime.now(UTC).date() + timedelta(days=days), time(hour, minute), UTC)


def booking(key: str, start: datetime, revision: int = 1, **more: Any) -> dict[str, Any]:
    """Return a line of a bookings file: half an hour, with all that a guest may write."""
    times = {"start": start.isoformat(), "end": (start + timedelta(minutes=30)).isoformat()}
    words = {"title": TITLE, "location": PLACE, "body": BODY, "guests": [GUEST]}
    return {"key": key, "page": "talk", "revision": revision, **times, **words, **more}


@dataclass
class BookingDesk:
    """A home, and the calendars of its one page in Berlin, `talk`."""

    home: Home
    main: str
    additional: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)

    def open(self) -> BookingDesk:
        """Connect, and import the roster."""
        self.home.connect().ended(0)
        lines = ["  - name: talk", "    time_zone: Europe/Berlin", f"    main: {self.main}"]
        lines += [f"    additional: [{self.additional}]"] if self.additional else []
        lines += [f"    {name}: {value}" for name, value in self.settings.items()]
        self.home.take_roster(pages=lines).ended(0)
        return self

    def take(self, *bookings: dict[str, Any], status: int = 0) -> Result:
        """Import bookings by the command."""
        file = self.home.directory / "bookings.jsonl"
        file.write_text("".join(json.dumps(line) + "\n" for line in bookings), encoding="utf-8")
        return self.home.call("bookings", "import", str(file), "--json").ended(status)

    def push(self, *args: str, status: int = 0) -> Any:
        """Push, and return the one object that is printed."""
        return self.home.call("push", "--json", *args).ended(status).json

    def held(self, owner: str | None = None) -> list[tuple[str, datetime]]:
        """Return booking key and start of each of our items in a calendar, as the server itself says."""
        found = [item for item in appointments(self.home.exchange, owner or self.main) if item["booking_key"]]
        return sorted((item["booking_key"], datetime.fromisoformat(item["start"])) for item in found)

    def requests(self) -> int:
        """Return how many requests the server has seen."""
        return len(self.home.exchange.log())

    def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return every row of every table."""
        with closing(connect(self.home.path / "busytime.db")) as database:
            names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
            return {name: database.execute(f'SELECT * FROM "{name}"').fetchall() for name in names}  # noqa: S608 -- its own tables

    def states(self) -> dict[str, str]:
        """Return the state of each entry in the main calendar, by booking key."""
        rows = self.home.query(
            "SELECT booking_key, state FROM audit_entries WHERE owner = :owner AND folder = ''", owner=self.main
        )
        return dict(tuple(row) for row in rows)
