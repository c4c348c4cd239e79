"""Real iCalendar files: the server's answers against an independent reading of the same file."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import icalendar
import pytest
import recurring_ical_events

from tests.contract.sandbox.client import UTC_ZONE, Client, calendar_of
from tests.contract.sandbox.test_availability import events
from tests.sandbox_fixture import running_sandbox

FOLDER = Path(__file__).resolve().parents[4] / "shared" / "calendars"
FILES = sorted(FOLDER.glob("*.ics"))
pytestmark = pytest.mark.skipif(not FILES, reason=f"there are no calendars in {FOLDER}")
NAMES = {f"cal{number}@corp.example": file for number, file in enumerate(FILES)}
# Whose events all end when they begin.
WITHOUT_LENGTH = {"Germany_Holidays", "issue_62_moved_event"}
STATUS = {"TENTATIVE": "Tentative"}


def utc(value: date | datetime, zone: ZoneInfo) -> datetime:
    if not isinstance(value, datetime):
        value = datetime.combine(value, datetime.min.time())
    return (value if value.tzinfo else value.replace(tzinfo=zone)).astimezone(UTC)


def expected(file: Path, first: int, last: int) -> set[tuple[datetime, datetime, str]]:
    """Read a file over its years in one go, with a margin that the caller cuts off."""
    calendar = icalendar.Calendar.from_ical(file.read_bytes())
    zone = ZoneInfo(str(calendar.get("X-WR-TIMEZONE", "Europe/Berlin")))
    found = set()
    for event in recurring_ical_events.of(calendar).between((first - 1, 12, 1), (last + 1, 2, 1)):
        start, end = utc(event["DTSTART"].dt, zone), utc(event["DTEND"].dt, zone)
        status = STATUS.get(str(event.get("STATUS", "")), "Busy")
        if event.get("TRANSP") == "TRANSPARENT":
            status = "Free"
        if event.get("STATUS") != "CANCELLED" and end > start:
            found.add((start, end, status))
    return found


def years(file: Path) -> tuple[int, int]:
    """The years in which the file's own events begin; an endless series gets two more."""
    calendar = icalendar.Calendar.from_ical(file.read_bytes())
    found = [event["DTSTART"].dt.year for event in calendar.walk("VEVENT")]
    return min(found), max(found) + 1


def windows(first: int, last: int, days: int) -> list[tuple[datetime, datetime]]:
    start, end = datetime(first, 1, 1, tzinfo=UTC), datetime(last + 1, 1, 1, tzinfo=UTC)
    found = []
    while start < end:
        found.append((start, min(end, start + timedelta(days=days))))
        start = found[-1][1]
    return found


@pytest.fixture(scope="module")
def loaded():
    args = [part for owner, file in NAMES.items() for part in ("--ics", f"{file}={owner}")]
    with running_sandbox("--owners", "0", *args) as sandbox:
        client = Client(sandbox)
        yield client
        client.close()


@pytest.mark.parametrize("owner", NAMES, ids=lambda owner: NAMES[owner].stem)
def test_every_window_of_a_files_years_equals_the_independent_reading(loaded, owner):
    first, last = years(NAMES[owner])
    truth = expected(NAMES[owner], first, last)
    compared = 0
    for start, end in windows(first, last, 62):
        moments = [one.strftime("%Y-%m-%dT%H:%M:%S") for one in (start, end)]
        answer = loaded.availability(owner, start=moments[0], end=moments[1], zone=UTC_ZONE)
        read = {
            (datetime.fromisoformat(a + "+00:00"), datetime.fromisoformat(b + "+00:00"), status)
            for a, b, status in events(answer)
        }
        # Both edges are inclusive; what only touches them is not the window's.
        inside = {one for one in read if one[0] < end and one[1] > start}
        assert inside == {one for one in truth if one[0] < end and one[1] > start}
        compared += len(inside)
    assert (compared == 0) == (NAMES[owner].stem in WITHOUT_LENGTH)


def test_a_calendar_view_tells_the_same_as_availability(loaded):
    owner = next(owner for owner, file in NAMES.items() if file.stem == "recurring_events_moved")
    first, last = years(NAMES[owner])
    answer = loaded.view(
        calendar_of(owner),
        "calendar:Start",
        "calendar:End",
        "calendar:LegacyFreeBusyStatus",
        start=f"{first}-01-01T00:00:00Z",
        end=f"{last}-12-31T00:00:00Z",
    )
    read = {
        tuple(datetime.fromisoformat(item.findtext(f"{{*}}{name}")) for name in ("Start", "End"))
        for item in answer.all(".//t:CalendarItem")
    }
    end = datetime(last, 12, 31, tzinfo=UTC)
    assert read
    assert read == {(a, b) for a, b, _ in expected(NAMES[owner], first, last) if a < end and b.year >= first}
