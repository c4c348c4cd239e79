"""`busytime push --dry-run`: what a push would do, told from the tables alone. Nothing is sent, nothing is written."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from busytime.bookings import ChangeKind
from busytime.counting import several
from busytime.errors import Reason, RestoredDatabaseError
from busytime.model import Calendar, Outcome, RunStatus, Window
from busytime.planning import Plan, PlannedChange, make_plan
from deployments.cli.changes import as_change, as_refused, show_refused
from deployments.cli.output import ExitStatus, finish, keep_names, output, plain_table, print_json, shown
from tasks.books import check_not_restored, open_book
from tasks.workspace import open_workspace

#: Written in place of an outcome, and of a run's status: there is no run.
_PLANNED = "planned"
_SHOWN = 100
_WORDS = {ChangeKind.CREATE: "create", ChangeKind.UPDATE: "update", ChangeKind.CANCEL: "cancel"}
_MOVE = "move"


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A plan with all that is needed to show it.

    Args:
        plan: What a push would do.
        calendars: Its calendars by surrogate key.
        zones: The zone of each page in use.
    """

    plan: Plan
    calendars: dict[int, Calendar]
    zones: dict[str, str]

    def zone(self, change: PlannedChange) -> str:
        """Return the zone of a change's page; of a page that left the roster, UTC."""
        return self.zones.get(change.booking.page, "UTC")


def show_plan(forced_pages: Sequence[str], *, backfill: bool, as_json: bool) -> None:
    """Print what a push would do now, and end the command with the status that it means.

    Raises:
        RestoredDatabaseError: Nothing would be done until somebody takes over what the calendars hold.
    """
    try:
        drawn = _draw(forced_pages, backfill=backfill)
    except RestoredDatabaseError as error:
        if as_json:
            why = {"reason": error.reason, "message": str(error)}
            print_json({"run_id": None, "status": RunStatus.REFUSED, "changes": []} | why)
        raise
    if as_json:
        print_json(_as_object(drawn))
    else:
        _show(drawn)
    finish(ExitStatus.REFUSED_BY_GATE if drawn.plan.refused_pages else ExitStatus.DONE)


def _draw(forced_pages: Sequence[str], *, backfill: bool) -> _Drawn:
    with closing(open_workspace()) as office:
        check_not_restored(office)
        snapshot = open_book(office, None, backfill=backfill).snapshot()
        plan = make_plan(snapshot, forced_pages=forced_pages)
        with office.store.read() as unit:
            calendars = unit.roster.by_id({change.calendar_id for change in (*plan.changes, *plan.refused)})
    zones = {name: page.time_zone for name, page in snapshot.pages.items()}
    return _Drawn(plan, {calendar.id: calendar for calendar in calendars}, zones)


def _as_object(drawn: _Drawn) -> dict[str, Any]:
    def told(change: PlannedChange, outcome: str, reason: Reason | None = None) -> dict[str, Any]:
        return as_change(change.booking.key, drawn.calendars[change.calendar_id], change.kind, outcome, reason)

    planned = [told(change, _PLANNED) for change in drawn.plan.changes]
    refused = [told(change, Outcome.REFUSED, Reason.GATE_CLOSED) for change in drawn.plan.refused]
    return {"run_id": None, "status": _PLANNED, "changes": planned + refused} | as_refused(drawn.plan.refused_pages)


def _show(drawn: _Drawn) -> None:
    screen, plan = output(), drawn.plan
    rows = [*plan.changes, *plan.refused]
    for zone in sorted({drawn.zone(change) for change in rows}):
        here = [change for change in rows if drawn.zone(change) == zone]
        # Sorting is stable: in each calendar the plan's order stays.
        _show_zone(drawn, zone, sorted(here, key=lambda change: drawn.calendars[change.calendar_id].label))
    show_refused(plan.refused_pages)
    if plan.changes:
        screen.print(f"[green]Planned[/]: {_summary(drawn)}. Nothing was sent or written.", soft_wrap=True)
        screen.print("Next: [bold]busytime push[/] looks whether each time is still free, and does it.", soft_wrap=True)
    elif not rows:
        screen.print("[green]Nothing to do[/]: every entry is as its booking wants it.")


def _show_zone(drawn: _Drawn, zone: str, rows: list[PlannedChange]) -> None:
    """Print what is planned on the pages of one time zone, by calendar."""
    refused = set(map(id, drawn.plan.refused))
    table = plain_table("Calendar", "Change", "Booking", f"Time in {zone}")
    last = None
    for change in rows[:_SHOWN]:
        label = drawn.calendars[change.calendar_id].label
        word = f"[bold red]refused[/] {_word(change)}" if id(change) in refused else _word(change)
        table.add_row(shown(label) if label != last else "", word, shown(change.booking.key), _times(change, ZoneInfo(zone)))
        last = label
    keep_names(table, 0, 2)
    output().print(table)
    if len(rows) > _SHOWN:
        output().print(f"... and {len(rows) - _SHOWN} more; `busytime push --dry-run --json` names all of them.")


def _word(change: PlannedChange) -> str:
    """Return what a change is called; an update that only writes new texts is not a move."""
    moves = change.kind is ChangeKind.UPDATE and change.disturbs
    return _MOVE if moves else _WORDS[change.kind]


def _summary(drawn: _Drawn) -> str:
    words = [_word(change) for change in drawn.plan.changes]
    counts = ", ".join(f"{words.count(word)} to {word}" for word in (*_WORDS.values(), _MOVE) if word in words)
    places = len({change.calendar_id for change in drawn.plan.changes})
    return f"{counts} in {several(places, 'calendar')}"


def _times(change: PlannedChange, zone: ZoneInfo) -> str:
    """Return the new time and the old one, where they differ; of a cancellation, the time that becomes free."""
    before = change.entry.window if change.entry is not None else None
    wanted = before or change.booking.window if change.kind is ChangeKind.CANCEL else change.booking.window
    told = _span(wanted, zone)
    return f"{told}\n[dim]was {_span(before, zone)}[/]" if before not in {None, wanted} else told


def _span(window: Window | None, zone: ZoneInfo) -> str:
    if window is None:
        return "-"
    start, end = window.start.astimezone(zone), window.end.astimezone(zone)
    last = f"{end:%H:%M}" if start.date() == end.date() else f"{end:%a %Y-%m-%d %H:%M}"
    return f"{start:%a %Y-%m-%d %H:%M}-{last}"
