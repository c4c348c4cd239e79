"""What is pushed in the benchmark: new bookings, two a day on each page, into calendars that are in use."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import urlencode

from tests.benchmarks.contender import Facts
from tests.flows.harness import Home
from tests.flows.pushing import booking_page
from tests.sandbox_fixture import RunningSandbox

TITLE = "Intro call"
LENGTH = timedelta(minutes=30)
A_DAY = 2
_FIRST_HOUR, _BUSY_HOUR = 8, 14
_numbers = count(1)

Slot = tuple[datetime, datetime]


class WrongCalendarError(Exception):
    """A contender did not do what it was to do, so its speed says nothing."""


def slots(facts: Facts) -> list[Slot]:
    """Return the times of each page's bookings: some on each day of the window."""
    days = range((facts.window_end - facts.window_start).days)
    starts = [facts.window_start + timedelta(days=day, hours=_FIRST_HOUR + hour) for day in days for hour in range(A_DAY)]
    return [(start, start + LENGTH) for start in starts]


@dataclass(frozen=True, slots=True)
class PushLoad:
    """Pages with people of their own, who have an appointment a day.

    Args:
        mains: Owners of the main calendars, one a page.
        busy: Owners of the calendars in which each page's busy time is read.
        additional: Owners of the calendars that get copies; none where pages have no such calendar.
    """

    mains: tuple[str, ...]
    busy: tuple[str, ...]
    additional: tuple[str, ...]

    @classmethod
    def make(cls, exchange: RunningSandbox, facts: Facts, pages: int, *, doubled: bool) -> "PushLoad":
        """Make people that no other contender has written to."""
        roles = [[_person(exchange, facts) for _ in range(pages)] for _ in range(3 if doubled else 2)]
        return cls(*map(tuple, roles), *(() if doubled else ((),)))

    @property
    def targets(self) -> tuple[str, ...]:
        """Everybody whose calendar gets an item of each booking of a page."""
        return self.mains + self.additional

    def import_into(self, home: Home, facts: Facts) -> None:
        """Make a home ready by the commands, as users do: what is left is the push."""
        home.connect().ended(0)
        rows = zip(self.mains, self.busy, self.additional or [None] * len(self.mains), strict=True)
        pages = [booking_page(main, [more] if more else [], [busy], name=f"page-{main}") for main, busy, more in rows]
        home.take_roster(pages=[line for page in pages for line in page]).ended(0)
        home.call("validate").ended(0)
        lines = ["key,page,start,end,title"]
        for main in self.mains:
            times = enumerate(slots(facts))
            lines += [f"{main}-{n},page-{main},{start:%FT%TZ},{end:%FT%TZ},{TITLE}" for n, (start, end) in times]
        file = home.directory / "bookings.csv"
        file.write_text("\n".join(lines), encoding="utf-8")
        home.call("bookings", "import", str(file)).ended(0)

    def check(self, exchange: RunningSandbox, facts: Facts) -> None:
        """Compare all calendars with what they should hold.

        Raises:
            WrongCalendarError: Something is missing, twice or at another time.
        """
        wanted = Counter(start for start, _ in slots(facts))
        for owner in self.targets:
            query = urlencode({"owner": owner, "start": _shown(facts.window_start), "end": _shown(facts.window_end)})
            items = exchange.control("GET", f"/appointments?{query}")
            found = Counter(datetime.fromisoformat(item["start"]) for item in items if item["subject"] == TITLE)
            if found != wanted:
                raise WrongCalendarError(f"{owner} has {found - wanted} too much, and lacks {wanted - found}")


def _person(exchange: RunningSandbox, facts: Facts) -> str:
    address = f"bench{next(_numbers)}@corp.example"
    exchange.control("POST", "/mailbox", {"owner": address, "kind": "person"})
    for day in range((facts.window_end - facts.window_start).days):
        start = facts.window_start + timedelta(days=day, hours=_BUSY_HOUR)
        made: dict[str, Any] = {"owner": address, "folder": "", "subject": "Planning"}
        exchange.control("POST", "/appointments", made | {"start": _shown(start), "end": _shown(start + LENGTH)})
    return address


def _shown(instant: datetime) -> str:
    return f"{instant:%FT%TZ}"
