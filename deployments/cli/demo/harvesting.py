"""The first act: connect, harvest, change, harvest, free slots."""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from busytime.availability import SlotRule
from busytime.connecting import connect as connect_account
from busytime.errors import REASON_TEXTS
from busytime.model import ConnectionMode, Endpoint, Secret, Window
from busytime.outcomes import HarvestOutcome
from busytime.roster_file import read_roster
from deployments.cli.demo.stage import OWNERS, PAGE, PAGE_ZONE, Sandbox, Slots, Story
from deployments.cli.free import free_slots
from deployments.cli.harvest import run_harvest
from tasks.workspace import Workspace

_ROSTER = """\
calendars:
{calendars}
booking_pages:
  - name: {page}
    time_zone: {zone}
    hours: "09:00-17:00"
    main: {owners[0]}
    additional: [{owners[1]}]
    busy: [{owners[2]}, {owners[2]}/Projects]
"""


def show_harvests(story: Story, office: Workspace, exchange: Sandbox, directory: Path) -> Slots:
    """Connect, harvest, let owners change something, harvest again, and return the page's free slots of a fortnight."""
    owners = _furnish(exchange)
    story.tell("Servers", f"local Exchange with {OWNERS} owners, and Prefect's")
    _import_roster(office, owners, directory)
    _connect(office, exchange)
    story.tell("Connected", f"{exchange.email}, for 26 calendars and a booking page")

    first = run_harvest()
    story.tell("First harvest", _counts(first), good=(first.result.known, first.result.unknown) == (24, 2))
    for it in first.result.failed:
        story.add(f"{it.owner}: {REASON_TEXTS[it.reason]}")
    second = run_harvest()
    story.tell("Second harvest", _counts(second), good=(second.result.opened, second.result.closed) == (0, 0))

    changed = _change_two(exchange, owners)
    third = run_harvest()
    seen = _owners_touched(office, third.run_id or 0)
    story.tell("Two calendars changed", f"{_counts(third)}", good=seen == changed)
    story.add("exactly " + " and ".join(seen))

    day = _next_working_day()
    slots = _free(office, day)
    here = [start for start, _ in slots if start.date() == day]
    story.tell("Free on the page", f"{len(here)} slots of 30 minutes on {day:%a %Y-%m-%d} in {PAGE_ZONE}")
    story.add("  ".join(f"{start:%H:%M}" for start in here))
    return slots


def _furnish(exchange: Sandbox) -> list[str]:
    """Give some owners a special kind of calendar, and return all addresses."""
    owners = [f"owner{number:04}@corp.example" for number in range(1, OWNERS + 1)]
    tomorrow = datetime.combine(datetime.now(UTC).date() + timedelta(days=1), time(8), UTC)
    projects = {"owner": owners[2], "folder": "Projects"}
    exchange.control("POST", "/calendars", projects)
    exchange.control("POST", "/permission", projects | {"grantee": exchange.email, "level": "Reviewer"})
    exchange.book(owners[2], tomorrow, "Tentative", folder="Projects", rrule="FREQ=DAILY;COUNT=20")
    for grantee in (exchange.email, "Default"):
        exchange.control("POST", "/permission", {"owner": owners[21], "folder": "", "grantee": grantee, "level": "None"})
    exchange.control("POST", "/mailbox", {"owner": owners[22], "kind": "merged_only"})
    exchange.control("POST", "/mailbox", {"owner": owners[23], "kind": "no_data"})
    return owners


def _import_roster(office: Workspace, owners: list[str], directory: Path) -> None:
    file = directory / "roster.yaml"
    calendars = "\n".join(f"  - owner: {owner}" for owner in owners)
    file.write_text(_ROSTER.format(calendars=calendars, owners=owners, page=PAGE, zone=PAGE_ZONE), encoding="utf-8")
    with office.store.write() as unit:
        unit.roster.replace(read_roster(file), office.clock.now())


def _connect(office: Workspace, exchange: Sandbox) -> None:
    endpoint = Endpoint(exchange.email, exchange.ews_url, ca_pem=Path(exchange.ca_file).read_text(encoding="ascii"))
    secret = Secret(exchange.email, exchange.password)
    connect_account(office.desk, endpoint, secret, ConnectionMode.CORPORATE, lambda: office.open_gateway(endpoint, secret))


def _change_two(exchange: Sandbox, owners: list[str]) -> list[str]:
    """Move an appointment of one owner and give another owner a new one; return the two addresses."""
    mover, maker = owners[3], owners[4]
    item = next(it for it in exchange.appointments(mover) if it["status"] == "Busy")
    start, end = (datetime.fromisoformat(item[name]) + timedelta(minutes=7) for name in ("start", "end"))
    moved = {"start": start.isoformat(timespec="seconds"), "end": end.isoformat(timespec="seconds")}
    exchange.control("PATCH", f"/appointments/{item['id']}", moved)
    day = datetime.now(UTC).date() + timedelta(days=2)
    exchange.book(maker, datetime.combine(day, time(12, 11), UTC), "OOF")
    return [mover, maker]


def _owners_touched(office: Workspace, run_id: int) -> list[str]:
    with office.store.read() as unit:
        return sorted({calendar.owner for calendar in unit.roster.by_id(unit.busy_time.touched_by(run_id))})


def _next_working_day() -> date:
    day = datetime.now(ZoneInfo(PAGE_ZONE)).date() + timedelta(days=1)
    while day.weekday() > 4:  # noqa: PLR2004 -- Friday
        day += timedelta(days=1)
    return day


def _free(office: Workspace, day: date) -> Slots:
    zone = ZoneInfo(PAGE_ZONE)
    start = datetime.combine(day, time(), zone)
    with office.store.read() as unit:
        page = unit.roster.pages()[0]
    rule = SlotRule(zone, page.hours, timedelta(minutes=30), timedelta(minutes=30))
    return list(free_slots(office, page, Window(start, start + timedelta(days=14)), rule, office.clock.now()).slots)


def _counts(outcome: HarvestOutcome) -> str:
    result = outcome.result
    return f"{result.known} known, {result.unknown} unknown; {result.opened} rows opened, {result.closed} closed"
