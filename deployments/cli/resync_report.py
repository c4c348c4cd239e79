"""What a re-sync came to: as a person reads it, and as JSON."""

from collections.abc import Iterator
from typing import Any

from rich.markup import escape

from busytime.counting import several
from busytime.errors import Reason
from busytime.model import RunStatus
from busytime.resyncing import CaughtUp, Part, ResyncOutcome, describe
from deployments.cli.output import output, shown

_SHOWN = 20
_MINUTES = 2
#: What is said of a part that did all it could, and found something that is not as it should be.
_WORDS = {
    "validate": "[yellow]Permissions not granted: {left}[/]. Next: [bold]busytime validate[/] shows which.",
    "harvest": "[yellow]Calendars without an answer: {left}[/]. Next: [bold]busytime harvest[/] tells why.",
    "push": "[yellow]Changes not made: {left}[/]. Next: [bold]busytime bookings list[/] shows which, and why.",
}


def as_object(outcome: ResyncOutcome) -> dict[str, Any]:
    """Return what `--json` prints of a re-sync, besides run, status, reason and message."""
    if outcome.missed is None or outcome.caught_up is None:
        silent = [{"owner": calendar.owner, "folder": calendar.folder} for calendar in outcome.silent]
        return {"adopted": outcome.adopted, "silent": silent}
    missed, now = outcome.missed, outcome.caught_up
    stopped = {"from": missed.stopped.start, "to": missed.stopped.end} if missed.stopped else None
    return {
        "missed": {
            "stopped": stopped,
            "calendars": len(missed.unknown),
            "since": missed.unknown_since,
            "entries": len(missed.waiting),
        },
        "caught_up": {"calendars": now.again, "bookings": now.pushed},
        "left": {
            "calendars": [{"owner": calendar.owner, "folder": calendar.folder} for calendar in now.unknown],
            "entries": now.waiting,
        },
        "parts": {it.name: {"run_id": it.run_id, "status": it.status, "left": it.left} for it in outcome.parts},
    }


def show(outcome: ResyncOutcome) -> None:
    """Print what a re-sync came to."""
    if outcome.missed is not None and outcome.caught_up is not None:
        colour = "green" if outcome.status is RunStatus.COMPLETED else "yellow"
        text = describe(outcome.missed, outcome.caught_up)
        output().print(f"[{colour}]Run {outcome.run_id}[/]: {text}", soft_wrap=True)
        for line in _left(outcome.caught_up, outcome.parts):
            output().print(line, soft_wrap=True)
    elif outcome.run_id is None:
        output().print("[green]Done[/]: another re-sync has caught up meanwhile. [bold]busytime status[/] shows how all stands.")
    else:
        _show_adoption(outcome)


def _left(now: CaughtUp, parts: tuple[Part, ...]) -> Iterator[str]:
    """Yield what is still not as it should be, each with what to do next."""
    if now.unknown:
        named = ", ".join(shown(calendar.label) for calendar in now.unknown[:_SHOWN])
        more = f" and {len(now.unknown) - _SHOWN} more" if len(now.unknown) > _SHOWN else ""
        yield (
            f"[bold red]{several(len(now.unknown), 'calendar')} still not known[/]: {named}{more}. "
            "Next: [bold]busytime harvest[/] tells why."
        )
    if now.waiting:
        waits = "1 entry still waits" if now.waiting == 1 else f"{now.waiting} entries still wait"
        yield f"[bold red]{waits} for a log-on[/]. Next: [bold]busytime status[/] tells why nobody can log on."
    for part in parts:
        if (text := _part_left(part)) is not None:
            yield text


def _part_left(part: Part) -> str | None:
    if part.status is RunStatus.SKIPPED:
        return (
            f"[yellow]Another {part.name} was still at work after {_MINUTES} minutes[/]; what it does is not in this report. "
            "Next: [bold]busytime status[/]."
        )
    if part.reason is Reason.GATE_CLOSED:
        return "[bold red]The gate refused a booking page[/]. Next: [bold]busytime push --dry-run[/] shows which, and what for."
    if part.status is not RunStatus.COMPLETED_WITH_FAILURES:
        return None  # all is well, or the message of what ended it was said already
    if part.message:
        return f"[bold red]{part.name.capitalize()}[/]: {escape(part.message)}"
    return _WORDS[part.name].format(left=part.left)


def _show_adoption(outcome: ResyncOutcome) -> None:
    screen = output()
    colour = "green" if outcome.status is RunStatus.COMPLETED else "yellow"
    if outcome.status in {RunStatus.REFUSED, RunStatus.FAILED}:
        return
    screen.print(f"[{colour}]Run {outcome.run_id}[/]: {outcome.adopted} entries taken over from the calendars.")
    if outcome.silent:
        silent = several(len(outcome.silent), "calendar")
        screen.print(f"[bold red]{silent} did not tell[/] what they hold; until they do, nothing is pushed:", soft_wrap=True)
        for calendar in outcome.silent[:_SHOWN]:
            screen.print(f"  {shown(calendar.label)}", soft_wrap=True)
        if len(outcome.silent) > _SHOWN:
            screen.print(f"  ... and {len(outcome.silent) - _SHOWN} more; `--json` names all of them.")
        screen.print("Next: [bold]busytime validate[/] tells why; then run this command again.")
    elif outcome.status is RunStatus.COMPLETED:
        screen.print(
            "Next: import the bookings again that came after the backup, see [bold]busytime push --dry-run[/], and push."
        )
