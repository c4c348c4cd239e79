"""`busytime free`: when a booking page is free."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.markup import escape

from busytime.availability import CalendarView, Freedom, SlotRule, find_free
from busytime.coverage import CoverageRow
from busytime.errors import REASON_TEXTS, ConfigurationError, Reason
from busytime.granting import showable
from busytime.model import CoverageState, Role, Window
from busytime.pages import Obstacle, obstacles
from busytime.roster import BookingPage
from deployments.cli.output import ExitStatus, JsonOption, clock, finish, output, plain_table, print_json, rfc3339
from deployments.cli.times import parse_instant, parse_length
from tasks.workspace import Workspace, open_workspace


def free(
    page: Annotated[str, typer.Option("--page", help="Booking page.", show_default=False)],
    window_from: Annotated[str, typer.Option("--from", help="Start: a date in the page's zone or a time.", show_default=False)],
    window_to: Annotated[str, typer.Option("--to", help="End, likewise.", show_default=False)],
    duration: Annotated[str, typer.Option("--duration", help="Length of a slot, for example 30m.", show_default=False)],
    step: Annotated[str, typer.Option("--step", help="Slots start at multiples of it from local midnight.")] = "15m",
    as_json: JsonOption = False,
) -> None:
    """Show a page's free slots: those in which all its `main` and `busy` calendars are known, and none is busy.

    Example: busytime free --page intro-call --from 2026-12-01 --to 2026-12-02 --duration 30m
    """
    office = open_workspace()
    chosen = _page(office, page)
    zone = ZoneInfo(chosen.time_zone)
    window = Window(parse_instant(window_from, "--from", zone), parse_instant(window_to, "--to", zone))
    rule = SlotRule(zone, chosen.hours, parse_length(duration, "--duration"), parse_length(step, "--step"))
    found = free_slots(office, chosen, window, rule, office.clock.now())
    in_the_way = page_obstacles(office, chosen)
    office.close()
    blocked = [it for it in in_the_way if it.blocks]
    if blocked:
        found = replace(found, slots=())  # a booking could not be entered
    if as_json:
        _print_json(page, found, blocked)
    else:
        _show(chosen, found)
        _show_obstacles(in_the_way)
    finish(ExitStatus.NEEDS_ATTENTION if found.unknown or blocked else ExitStatus.DONE)


def _page(office: Workspace, name: str) -> BookingPage:
    with office.store.read() as unit:
        pages = {page.name: page for page in unit.roster.pages()}
    if name not in pages:
        known = ", ".join(pages) or "none yet: run `busytime roster import FILE`"
        raise ConfigurationError(f"There is no booking page {name!r}. Booking pages: {known}.")
    return pages[name]


def free_slots(office: Workspace, page: BookingPage, window: Window, rule: SlotRule, now: datetime) -> Freedom:
    """Find a page's free slots in what is stored."""
    with office.store.read() as unit:
        uses = [use.calendar for use in unit.roster.page_calendars(page.name) if use.role in {Role.MAIN, Role.BUSY}]
        calendars = {calendar.id: calendar for calendar in uses}
        intervals = unit.busy_time.intervals(list(calendars), window)
        coverage = unit.busy_time.coverage(list(calendars))
        groups = {key: it for (key, _), it in unit.permissions.current().items() if it.conclusion.reason is Reason.IS_A_GROUP}
    # A distribution list answers for its members as one merged calendar: that is nobody's free time.
    unknown = CoverageState.UNKNOWN
    rows = coverage | {
        key: [CoverageRow(None, window, unknown, Reason.IS_A_GROUP, None, now, valid_from=it.valid_from)]
        for key, it in groups.items()
    }
    views = [CalendarView(calendar, list(intervals.get(key, {})), rows.get(key, [])) for key, calendar in calendars.items()]
    settings = office.settings
    return find_free(views, window, rule, now=now, max_age=settings.max_age, busy_statuses=settings.busy_statuses)


def page_obstacles(office: Workspace, page: BookingPage) -> list[Obstacle]:
    """Return the verdicts that stand in a page's way."""
    with office.store.read() as unit:
        uses = [(use.role, use.calendar) for use in unit.roster.page_calendars(page.name)]
        verdicts = {place: stored.conclusion for place, stored in unit.permissions.current().items()}
    return obstacles(uses, verdicts, require_proof=page.require_proof)


def _show_obstacles(in_the_way: list[Obstacle]) -> None:
    screen = output()
    for it in in_the_way:
        why = REASON_TEXTS[it.conclusion.reason] if it.conclusion.reason else it.conclusion.verdict
        word = "[bold red]Blocked[/]" if it.blocks else "[yellow]Warning[/]"
        screen.print(f"{word}: {escape(showable(it.calendar.label))} cannot surely be used to {it.need}: {why}.", soft_wrap=True)
    if in_the_way:
        screen.print("Next: [bold]busytime advise --out DIR[/] tells what to grant; then `busytime validate`.")


def _print_json(page: str, found: Freedom, blocked: list[Obstacle]) -> None:
    print_json(
        {
            "page": page,
            "blocked": [
                {
                    "owner": it.calendar.owner,
                    "folder": it.calendar.folder,
                    "need": it.need,
                    "verdict": it.conclusion.verdict,
                    "reason": it.conclusion.reason,
                }
                for it in blocked
            ],
            "slots": [{"start": rfc3339(start), "end": rfc3339(end)} for start, end in found.slots],
            "unknown": [
                {
                    "owner": it.calendar.owner,
                    "folder": it.calendar.folder,
                    "reason": it.part.reason,
                    "since": it.part.since,
                    "start": it.part.window.start,
                    "end": it.part.window.end,
                }
                for it in found.unknown
            ],
        }
    )


def _show(page: BookingPage, found: Freedom) -> None:
    screen = output()
    screen.print(f"[bold]{escape(page.name)}[/]: {len(found.slots)} free slots, in {page.time_zone}")
    days: dict[str, list[str]] = {}
    for start, end in found.slots:
        days.setdefault(f"{start:%a %Y-%m-%d}", []).append(f"{start:%H:%M}-{end:%H:%M}")
    table = plain_table()
    table.add_column(no_wrap=True)
    table.add_column()
    for day, slots in days.items():
        table.add_row(day, "  ".join(slots))
    screen.print(table)
    if found.unknown:
        table = plain_table("Not known, so not free", "From", "To", "Why", "Since")
        for it in found.unknown:
            part = it.part
            window = part.window
            why = REASON_TEXTS[part.reason]
            table.add_row(escape(showable(it.calendar.label)), clock(window.start), clock(window.end), why, clock(part.since))
        screen.print(table)
        screen.print("Next: [bold]busytime harvest[/], or `busytime status` to see what is wrong.")
