"""`busytime demo`: the whole loop against the sandbox, from nothing, with nothing left behind."""

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from time import monotonic
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console

from busytime.availability import SlotRule
from busytime.connecting import connect as connect_account
from busytime.errors import REASON_TEXTS
from busytime.model import ConnectionMode, Endpoint, Secret, Window
from busytime.outcomes import HarvestOutcome
from busytime.roster_file import read_roster
from deployments.cli.free import free_slots
from deployments.cli.harvest import run_harvest
from deployments.cli.output import ExitStatus, JsonOption, finish, output, print_json
from deployments.cli.running import waiting
from deployments.prefect_server import prefect_server
from tasks.workspace import Workspace, workspace

_OWNERS = 25
_PAGE_ZONE = "Europe/Berlin"
_ROSTER = """\
calendars:
{calendars}
booking_pages:
  - name: intro-call
    time_zone: {zone}
    hours: "09:00-17:00"
    main: {owners[0]}
    additional: [{owners[1]}]
    busy: [{owners[2]}, {owners[2]}/Projects]
"""


class Sandbox:
    """The local Exchange in a process of its own, and its control interface."""

    def __init__(self, facts: dict[str, str]) -> None:
        """Take what the sandbox said when it was ready."""
        self.ews_url, self.ca_file = facts["ews_url"], facts["ca_file"]
        self.email, self.password = facts["email"], facts["password"]
        self._control_url = facts["control_url"]

    def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Call the control interface, which is plain HTTP on loopback."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._control_url + path, data, {"Content-Type": "application/json"}, method=method)  # noqa: S310 -- loopback
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
            return json.loads(answer.read())


@contextmanager
def running_sandbox() -> Iterator[subprocess.Popen[str]]:
    """Run a sandbox that ends with this process, however that ends."""
    command = [sys.executable, "-m", "deployments.sandbox", "--port", "0", "--control-port", "0", "--owners", str(_OWNERS)]
    process = subprocess.Popen(  # noqa: S603 -- this very interpreter and module
        [*command, "--json", "--exit-with-stdin"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.communicate()


@contextmanager
def empty_home() -> Iterator[Path]:
    """Work in an empty home that is removed at the end; no setting of the user's reaches it."""
    with tempfile.TemporaryDirectory(prefix="busytime-demo-") as directory:
        for name in [name for name in os.environ if name.startswith(("BUSYTIME_", "PREFECT_"))]:
            del os.environ[name]
        config = Path(directory, "busytime.toml")
        config.touch()
        os.environ |= {"BUSYTIME_HOME": str(Path(directory, "home")), "BUSYTIME_CONFIG": str(config)}
        yield Path(directory)


@dataclass
class Story:
    """What the demo did: prints each step as it ends, and remembers whether it came out as it should."""

    screen: Console
    quiet: bool
    steps: list[dict[str, Any]] = field(default_factory=list)
    _started: float = field(default_factory=monotonic)

    def tell(self, title: str, result: str, *, good: bool = True) -> None:
        """Note a step, with the seconds it took."""
        now = monotonic()
        step = {"step": title, "result": result, "good": good, "seconds": round(now - self._started, 1)}
        self._started = now
        self.steps.append(step)
        if not self.quiet:
            mark = "[green]✓[/]" if good else "[bold red]✗[/]"
            self.screen.print(f" {mark} [bold]{title:<22}[/] {result} [dim]{step['seconds']:.1f} s[/]", soft_wrap=True)

    @property
    def good(self) -> bool:
        """Whether everything came out as it should."""
        return all(step["good"] for step in self.steps)


def demo(as_json: JsonOption = False) -> None:
    """Show the whole loop against a local Exchange: connect, harvest, change, harvest, free slots.

    Example: busytime demo
    """
    screen = output()
    story = Story(screen, quiet=as_json)
    if not as_json:
        screen.print("\n[bold]busytime demo[/]: one dedicated mailbox reads everybody's busy time\n")
    with empty_home() as directory, running_sandbox() as process, ExitStack() as ending:
        office = workspace()
        try:
            with waiting("Starting a local Exchange and Prefect's server ...", quiet=as_json):
                ending.enter_context(prefect_server(office.settings.home / "prefect"))
                line = process.stdout.readline() if process.stdout else ""
            _tell_the_story(story, office, Sandbox(json.loads(line)), directory)
        finally:
            office.close()
            workspace.cache_clear()
    if as_json:
        print_json({"steps": story.steps, "good": story.good})
    elif story.good:
        screen.print("\nAll of it was real: HTTP, TLS, Exchange's protocol, Prefect runs, a database.")
        screen.print("Nothing is left running. Next: [bold]busytime sandbox[/] to play by hand, or")
        screen.print("connect your own mailbox as the README tells.\n")
    finish(ExitStatus.DONE if story.good else ExitStatus.FAILED)


def _tell_the_story(story: Story, office: Workspace, exchange: Sandbox, directory: Path) -> None:
    owners = _furnish(exchange)
    story.tell("Servers", f"local Exchange with {_OWNERS} owners, and Prefect's")
    _import_roster(office, owners, directory)
    _connect(office, exchange)
    story.tell("Connected", f"{exchange.email}, for 26 calendars and a booking page")

    first = run_harvest()
    story.tell("First harvest", _counts(first), good=(first.result.known, first.result.unknown) == (24, 2))
    for it in first.result.failed:
        _show(story, f"{it.owner}: {REASON_TEXTS[it.reason]}")
    second = run_harvest()
    story.tell("Second harvest", _counts(second), good=(second.result.opened, second.result.closed) == (0, 0))

    changed = _change_two(exchange, owners)
    third = run_harvest()
    seen = _owners_touched(office, third.run_id)
    story.tell("Two calendars changed", f"{_counts(third)}", good=seen == changed)

    _show(story, "exactly " + " and ".join(seen))

    day = _next_working_day()
    slots = _free(office, day)
    story.tell("Free on the page", f"{len(slots)} slots of 30 minutes on {day:%a %Y-%m-%d} in {_PAGE_ZONE}")
    _show(story, "  ".join(f"{start:%H:%M}" for start, _ in slots))
    log = exchange.control("GET", "/log?since=0")
    refused = sum(entry["refused_logon"] for entry in log)
    story.tell("Exchange's own log", f"{len(log)} requests, {refused} refused log-ons", good=refused == 0)


def _furnish(exchange: Sandbox) -> list[str]:
    """Give some owners a special kind of calendar, and return all addresses."""
    owners = [f"owner{number:04}@corp.example" for number in range(1, _OWNERS + 1)]
    tomorrow = datetime.combine(datetime.now(UTC).date() + timedelta(days=1), time(8), UTC)
    projects = {"owner": owners[2], "folder": "Projects"}
    exchange.control("POST", "/calendars", projects)
    exchange.control("POST", "/permission", projects | {"grantee": exchange.email, "level": "Reviewer"})
    exchange.control("POST", "/appointments", projects | _appointment(tomorrow, "Tentative", rrule="FREQ=DAILY;COUNT=20"))
    for grantee in (exchange.email, "Default"):
        exchange.control("POST", "/permission", {"owner": owners[21], "folder": "", "grantee": grantee, "level": "None"})
    exchange.control("POST", "/mailbox", {"owner": owners[22], "kind": "merged_only"})
    exchange.control("POST", "/mailbox", {"owner": owners[23], "kind": "no_data"})
    return owners


def _appointment(start: datetime, status: str, **more: str) -> dict[str, str]:
    end = start + timedelta(hours=1)
    shown = {"start": start.isoformat(timespec="seconds"), "end": end.isoformat(timespec="seconds")}
    return shown | {"status": status, "subject": "never read"} | more


def _import_roster(office: Workspace, owners: list[str], directory: Path) -> None:
    file = directory / "roster.yaml"
    calendars = "\n".join(f"  - owner: {owner}" for owner in owners)
    file.write_text(_ROSTER.format(calendars=calendars, owners=owners, zone=_PAGE_ZONE), encoding="utf-8")
    with office.store.write() as unit:
        unit.roster.replace(read_roster(file), office.clock.now())


def _connect(office: Workspace, exchange: Sandbox) -> None:
    endpoint = Endpoint(exchange.email, exchange.ews_url, ca_pem=Path(exchange.ca_file).read_text(encoding="ascii"))
    secret = Secret(exchange.email, exchange.password)
    connect_account(office.desk, endpoint, secret, ConnectionMode.CORPORATE, lambda: office.open_gateway(endpoint, secret))


def _change_two(exchange: Sandbox, owners: list[str]) -> list[str]:
    """Move an appointment of one owner and give another owner a new one; return the two addresses."""
    mover, maker = owners[3], owners[4]
    now = datetime.now(UTC)
    span = f"start={_zulu(now)}&end={_zulu(now + timedelta(days=30))}"
    items = exchange.control("GET", f"/appointments?owner={mover}&folder=&{span}")
    item = next(it for it in items if it["status"] == "Busy")
    start, end = (datetime.fromisoformat(item[name]) + timedelta(minutes=7) for name in ("start", "end"))
    moved = {"start": start.isoformat(timespec="seconds"), "end": end.isoformat(timespec="seconds")}
    exchange.control("PATCH", f"/appointments/{item['id']}", moved)
    start = datetime.combine(now.date() + timedelta(days=2), time(12, 11), UTC)
    exchange.control("POST", "/appointments", {"owner": maker, "folder": ""} | _appointment(start, "OOF"))
    return [mover, maker]


def _zulu(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"


def _owners_touched(office: Workspace, run_id: int) -> list[str]:
    with office.store.read() as unit:
        return sorted({calendar.owner for calendar in unit.roster.by_id(unit.busy_time.touched_by(run_id))})


def _next_working_day() -> date:
    day = datetime.now(ZoneInfo(_PAGE_ZONE)).date() + timedelta(days=1)
    while day.weekday() > 4:  # noqa: PLR2004 -- Friday
        day += timedelta(days=1)
    return day


def _free(office: Workspace, day: date) -> list[tuple[datetime, datetime]]:
    zone = ZoneInfo(_PAGE_ZONE)
    start = datetime.combine(day, time(), zone)
    with office.store.read() as unit:
        page = unit.roster.pages()[0]
    rule = SlotRule(zone, page.hours, timedelta(minutes=30), timedelta(minutes=30))
    return list(free_slots(office, page, Window(start, start + timedelta(days=1)), rule, office.clock.now()).slots)


def _counts(outcome: HarvestOutcome) -> str:
    result = outcome.result
    return f"{result.known} known, {result.unknown} unknown; {result.opened} rows opened, {result.closed} closed"


def _show(story: Story, text: str) -> None:
    if not story.quiet:
        story.screen.print(f"      [cyan]{text}[/]", soft_wrap=True)
