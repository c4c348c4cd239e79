"""`busytime push`: brings the entries in calendars to where their bookings want them."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from busytime.bookings import ChangeKind, ChangeResult
from busytime.counting import several
from busytime.cures import steps_after_push
from busytime.errors import REASON_TEXTS, ConfigurationError, Reason
from busytime.model import Outcome, RunStatus
from busytime.outcomes import DONE, PushOutcome
from deployments.cli.changes import as_change, as_refused, show_refused
from deployments.cli.output import JsonOption, keep_names, marked, output, plain_table, shown
from deployments.cli.plan import show_plan
from deployments.cli.running import run_flow, tell_outcome, waiting
from flows.options import PushOptions
from tasks.workspace import workspace

_SHOWN = 20
_DONE = ("created", "moved", "updated", "cancelled")
_COLOURS = {
    Outcome.CONFLICT: "bold red",
    Outcome.FAILED: "bold red",
    Outcome.REFUSED: "bold red",
    Outcome.SKIPPED: "yellow",
    Outcome.UNKNOWN: "yellow",
}


def push(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what is to be done; nothing is sent or written.")] = False,
    force: Annotated[
        list[str] | None, typer.Option("--force", metavar="PAGE", help="Let this page pass the gate; may be given again.")
    ] = None,
    backfill: Annotated[
        bool, typer.Option("--backfill", help="Also enter bookings that were made before the mailbox was connected.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring the entries in all calendars to where their bookings want them, each exactly once.

    Example: busytime push --dry-run
    """
    forced = _known_pages(force or ())
    if dry_run:
        show_plan(forced, backfill=backfill, as_json=as_json)
        return
    with waiting("Pushing bookings ...", quiet=as_json):
        outcome = run_push(forced, backfill=backfill)
    tell_outcome(outcome, "push", _as_object, _show, as_json=as_json, in_parts=True)


def run_push(forced_pages: Sequence[str] = (), *, backfill: bool = False) -> PushOutcome:
    """Run the flow now, here.

    Raises:
        BusyTimeError: The flow could not start.
    """
    return run_flow("push_bookings", PushOutcome, PushOptions(force_pages=tuple(forced_pages), backfill=backfill))


def _known_pages(names: Sequence[str]) -> list[str]:
    """Refuse a page that does not exist: it would be forced in vain, and its plan refused again."""
    if not names:
        return []
    with workspace().store.read() as unit:
        known = [page.name for page in unit.roster.pages()]
    for name in names:
        if name not in known:
            pages = ", ".join(known) or "none yet: run `busytime roster import FILE`"
            raise ConfigurationError(f"There is no booking page {name!r} to force. Booking pages: {pages}.")
    return list(names)


def _as_object(outcome: PushOutcome) -> dict[str, Any]:
    changes = [as_change(it.booking_key, calendar, it.kind, it.outcome, it.reason) for it, calendar in outcome.changes]
    return {"changes": changes} | as_refused(outcome.refused_pages)


def _show(outcome: PushOutcome) -> None:
    screen = output()
    odd = [(it, calendar) for it, calendar in outcome.changes if it.outcome not in DONE and it.reason is not Reason.GATE_CLOSED]
    if odd:
        table = plain_table("Booking", "Calendar", "Change", "Outcome", "Why")
        for it, calendar in odd[:_SHOWN]:
            why = REASON_TEXTS[it.reason] if it.reason else ""
            told = f"[{_COLOURS[it.outcome]}]{it.outcome}[/]"
            table.add_row(shown(it.booking_key), shown(calendar.label), it.kind, told, why)
        keep_names(table, 0, 1)
        screen.print(table)
    if len(odd) > _SHOWN:
        screen.print(f"... and {len(odd) - _SHOWN} more; `busytime push --json` names all of them.")
    show_refused(outcome.refused_pages)
    if outcome.changes:
        colour = "green" if outcome.status is RunStatus.COMPLETED else "yellow"
        screen.print(f"[{colour}]Run {outcome.run_id}[/]: {summary(outcome)}.", soft_wrap=True)
    elif outcome.status is RunStatus.COMPLETED:
        said = "nothing to do, every entry is as its booking wants it. Nothing was sent."
        screen.print(f"[green]Run {outcome.run_id}[/]: {said}", soft_wrap=True)
    for step in steps_after_push(it.reason for it, _ in odd):
        screen.print(f"Next: {marked(step)}", soft_wrap=True)


def summary(outcome: PushOutcome) -> str:
    """Say in one line what was done, and how many changes were not."""
    results = [result for result, _ in outcome.changes]
    done = Counter(_done_as(it) for it in results if it.outcome is Outcome.APPLIED)
    already = sum(it.outcome is Outcome.ALREADY_APPLIED for it in results)
    other = Counter(it.outcome for it in results if it.outcome not in DONE)
    said = [f"{done[word]} {word}" for word in _DONE if done[word]]
    said += [f"{already} already as wanted"] if already else []
    told = [several(count, outcome) if outcome is Outcome.CONFLICT else f"{count} {outcome}" for outcome, count in other.items()]
    return "; ".join(filter(None, [", ".join(said), ", ".join(told)]))


def _done_as(result: ChangeResult) -> str:
    if result.kind is ChangeKind.UPDATE:
        return "moved" if result.moved else "updated"
    return "created" if result.kind is ChangeKind.CREATE else "cancelled"
