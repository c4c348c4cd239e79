"""`busytime harvest`: runs the flow now, here."""

from datetime import datetime
from typing import Annotated, Any

import typer

from busytime.bookings import EntryState
from busytime.counting import several
from busytime.cures import about_not_followed
from busytime.errors import REASON_TEXTS, ConfigurationError
from busytime.model import RunStatus
from busytime.outcomes import EntriesRead, HarvestOutcome
from deployments.cli.changes import as_refused
from deployments.cli.output import JsonOption, marked, output, plain_table
from deployments.cli.running import run_flow, tell_outcome, waiting
from deployments.cli.times import parse_instant
from flows.options import HarvestOptions, WindowOptions

_SHOWN = 20
#: What reading entries back found, in words; the colour says whether somebody has to look.
_FOUND = {
    EntryState.PRESENT: ("green", "where they should be again"),
    EntryState.MOVED_BY_OWNER: ("yellow", "moved by owners"),
    EntryState.REMOVED_BY_OWNER: ("yellow", "removed by owners"),
    EntryState.UNKNOWN: ("bold red", "unknown, because a calendar did not tell, or holds one twice"),
}


def harvest(
    window_from: Annotated[
        str | None, typer.Option("--from", help="Start: a date (00:00 UTC) or a time with its offset.")
    ] = None,
    window_to: Annotated[str | None, typer.Option("--to", help="End, likewise.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Read everybody's busy time once, and write what changed.

    Example: busytime harvest --from 2026-12-01 --to 2026-12-15
    """
    start = parse_instant(window_from, "--from") if window_from else None
    end = parse_instant(window_to, "--to") if window_to else None
    with waiting("Harvesting busy time ...", quiet=as_json):
        outcome = run_harvest(start, end)
    tell_outcome(outcome, "harvest", _as_object, _show, as_json=as_json)


def run_harvest(start: datetime | None = None, end: datetime | None = None) -> HarvestOutcome:
    """Run the flow now, here.

    Raises:
        BusyTimeError: The flow could not start.
    """
    return run_flow("harvest_busy_time", HarvestOutcome, HarvestOptions(window=_window(start, end)))


def _window(start: datetime | None, end: datetime | None) -> WindowOptions | None:
    if start is None and end is None:
        return None
    if start is None or end is None:
        raise ConfigurationError("A window has two ends: give both --from and --to, or none.")
    return WindowOptions(start=start, end=end)


def _as_object(outcome: HarvestOutcome) -> dict[str, Any]:
    result, entries = outcome.result, outcome.entries
    followed = {"followed": entries.followed} if entries.followed else {}
    return (
        {
            "calendars": {"known": result.known, "unknown": result.unknown},
            "changes": {"opened": result.opened, "closed": result.closed},
            "failed": [
                {"owner": it.owner, "folder": it.folder, "reason": it.reason, "detail": it.detail} for it in result.failed
            ],
            "entries": {state: count for state, count in entries.changed.items() if count},
        }
        | followed
        | as_refused(entries.refused_pages)
    )


def _show(outcome: HarvestOutcome) -> None:
    screen, result = output(), outcome.result
    colour = "green" if outcome.status is RunStatus.COMPLETED else "yellow"
    not_read = f", {result.not_read} not read by this run" if result.not_read else ""
    screen.print(
        f"[{colour}]Run {outcome.run_id}[/]: [bold]{result.known}[/] calendars known, [bold]{result.unknown}[/] unknown"
        f"{not_read}; {result.opened} rows opened, {result.closed} closed.",
        soft_wrap=True,
    )
    if not result.known and not result.unknown:
        screen.print("The roster is empty. Next: [bold]busytime roster import FILE[/].")
    if result.failed:
        table = plain_table("No answer", "Why")
        for it in result.failed[:_SHOWN]:
            label = f"{it.owner}/{it.folder}" if it.folder else it.owner
            table.add_row(label, REASON_TEXTS[it.reason] + (f" ({it.detail})" if it.detail else ""))
        screen.print(table)
    if len(result.failed) > _SHOWN:
        screen.print(f"... and {len(result.failed) - _SHOWN} more; `busytime harvest --json` names all of them.")
    _show_entries(outcome.entries)


def _show_entries(entries: EntriesRead) -> None:
    """Print what owners did with the entries in their calendars; nothing where they did nothing."""
    screen = output()
    for state, count in entries.changed.items():
        colour, words = _FOUND.get(state, ("yellow", state.replace("_", " ")))
        if count:
            screen.print(f"[{colour}]Entries[/]: {count} {words}.")
    if entries.followed:
        screen.print(
            f"[green]Followed[/]: {several(entries.followed, 'booking')} took over what owners did: a new time, or the end."
        )
    for it in entries.refused_pages:
        screen.print(f"[bold red]Refused[/] {marked(about_not_followed(it))}", soft_wrap=True)
    if any(entries.changed.values()):
        screen.print("Next: [bold]busytime bookings list[/] shows where each stands.")
