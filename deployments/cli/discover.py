"""`busytime discover`: finds the calendars that owners share with the connection."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any

import typer
from rich.markup import escape

from busytime.discovering import Change, SightingState
from busytime.errors import REASON_TEXTS
from busytime.granting import showable
from busytime.model import CalendarKind
from busytime.outcomes import DiscoveryOutcome
from busytime.roster import CalendarRef, parse_address
from deployments.cli.output import JsonOption, output, plain_table
from deployments.cli.running import run_flow, tell_outcome, waiting
from flows.options import DiscoverOptions
from tasks.workspace import workspace

_SAYS = {
    SightingState.FOUND: "[green]new[/]",
    SightingState.KNOWN: "known",
    SightingState.BACK: "[green]back again[/]",
    SightingState.RENAMED: "[yellow]renamed[/]",
    SightingState.MISSING: "[bold red]missing[/]",
}


def discover(
    owner: Annotated[str | None, typer.Option("--owner", help="Look at this owner only.")] = None,
    accept_from: Annotated[
        str | None, typer.Option("--accept-from", help="Accept the sharing invitations from this domain.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Find the calendars and sub-calendars that owners share with the connection.

    Example: busytime discover --accept-from partner.example
    """
    only = parse_address(owner) if owner else None
    options = DiscoverOptions(owners=(only,) if only else (), accept_from=accept_from or "")
    with waiting("Looking for calendars ...", quiet=as_json):
        outcome = run_flow("discover_calendars", DiscoveryOutcome, options)
    if only is not None:
        outcome = replace(outcome, owners=tuple(it for it in outcome.owners if it.discovery.owner == only))
    in_use = _in_use()
    tell_outcome(
        outcome,
        "discovery",
        lambda it: _as_object(it, in_use),
        lambda it: _show(it, in_use),
        as_json=as_json,
    )


def _in_use() -> set[CalendarRef]:
    with workspace().store.read() as unit:
        return {CalendarRef(calendar.owner, calendar.folder) for calendar in unit.roster.calendars()}


def _rows(outcome: DiscoveryOutcome) -> Iterator[tuple[str, Change]]:
    for seen in outcome.owners:
        for change in seen.changes:
            yield seen.discovery.owner, change


def _as_object(outcome: DiscoveryOutcome, in_use: set[CalendarRef]) -> dict[str, Any]:
    rows = [
        {
            "owner": owner,
            "folder": change.folder,
            "kind": change.sighting.kind if change.sighting else None,
            "level": change.sighting.level if change.sighting else None,
            "state": change.state,
            "seen_as": change.sighting.folder if change.sighting else None,
            "in_use": CalendarRef(owner, change.folder) in in_use,
        }
        for owner, change in _rows(outcome)
    ]
    failed = [seen.discovery for seen in outcome.owners if seen.discovery.reason]
    return {
        "calendars": rows,
        "invitations": [{"from": it.sender, "accepted": it.accepted} for it in outcome.invitations],
        "root_closed": [it.discovery.owner for it in outcome.owners if not it.discovery.reason and not it.discovery.beside_seen],
        "failed": [{"owner": it.owner, "reason": it.reason, "detail": it.detail} for it in failed],
    }


def _show(outcome: DiscoveryOutcome, in_use: set[CalendarRef]) -> None:
    screen = output()
    table = plain_table("Calendar", "Kind", "Level, at least", "State", "In the roster")
    table.columns[0].overflow = "fold"  # a name is never cut: somebody has to copy it
    for owner, change in _rows(outcome):
        seen, ref = change.sighting, CalendarRef(owner, change.folder)
        state = _SAYS[change.state] + (
            f" to {escape(showable(seen.folder))}" if seen and change.state is SightingState.RENAMED else ""
        )
        kind, level = (seen.kind, seen.level) if seen else (CalendarKind.SUB, None)
        table.add_row(escape(showable(str(ref))), kind, str(level or ""), state, "yes" if ref in in_use else "no")
    screen.print(table)
    for discovery in (looked.discovery for looked in outcome.owners):
        if discovery.reason:
            screen.print(f"[yellow]{escape(discovery.owner)}[/]: {REASON_TEXTS[discovery.reason]}.", soft_wrap=True)
    closed = sum(1 for it in outcome.owners if not it.discovery.reason and not it.discovery.beside_seen)
    if closed:
        screen.print(
            f"The root of {closed} mailboxes is closed to the connection: calendars beside the default one are not seen."
        )
    for it in outcome.invitations:
        said = "[green]accepted[/]" if it.accepted else "waits; accept it with [bold]--accept-from DOMAIN[/]"
        screen.print(f"Sharing invitation from {escape(showable(it.sender))}: {said}.")
    screen.print("Next: name the calendars you want in the roster file, and [bold]busytime roster import FILE[/].")
