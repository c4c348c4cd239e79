"""`busytime harvest`: runs the flow now, here."""

from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import Annotated, Any

import typer

from busytime.errors import REASON_TEXTS, BusyTimeError, FatalError
from busytime.model import RunStatus
from busytime.outcomes import HarvestOutcome
from deployments.cli.output import (
    ExitStatus,
    JsonOption,
    exit_status_of_reason,
    finish,
    messages,
    output,
    plain_table,
    print_json,
)
from deployments.cli.times import parse_instant
from deployments.prefect_server import prefect_server
from tasks.workspace import workspace

_SHOWN = 20


class UnexpectedEndError(FatalError):
    """A flow ended without an outcome."""


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
    with _waiting(quiet=as_json):
        outcome = run_harvest(start, end)
    if as_json:
        print_json(as_object(outcome))
    else:
        show(outcome)
    finish(status_of(outcome))


def _waiting(*, quiet: bool) -> AbstractContextManager[Any]:
    screen = messages()
    return nullcontext() if quiet or not screen.is_terminal else screen.status("Harvesting busy time ...")


def run_harvest(start: datetime | None = None, end: datetime | None = None) -> HarvestOutcome:
    """Run the flow in this process, on the server that runs or on one of its own.

    Raises:
        BusyTimeError: The flow could not start.
    """
    office = workspace()
    with prefect_server(office.settings.home / "prefect"):
        from flows.harvest_busy_time import harvest_busy_time  # noqa: PLC0415 -- Prefect reads its settings when it is imported

        state = harvest_busy_time(start, end, return_state=True)
        outcome: object = state.result(raise_on_failure=False)
    if isinstance(outcome, HarvestOutcome):
        return outcome
    if isinstance(outcome, BusyTimeError):
        raise outcome
    raise UnexpectedEndError(f"The run ended as {state.name}; see Prefect's logs under {office.settings.home / 'prefect'}.")


def status_of(outcome: HarvestOutcome) -> ExitStatus:
    """Return the exit status that an outcome means."""
    if outcome.status in {RunStatus.REFUSED, RunStatus.FAILED}:
        return exit_status_of_reason(outcome.reason)
    return ExitStatus.NEEDS_ATTENTION if outcome.status is RunStatus.COMPLETED_WITH_FAILURES else ExitStatus.DONE


def as_object(outcome: HarvestOutcome) -> dict[str, Any]:
    """Return what `--json` prints."""
    result = outcome.result
    printed: dict[str, Any] = {
        "run_id": outcome.run_id,
        "status": outcome.status,
        "calendars": {"known": result.known, "unknown": result.unknown},
        "changes": {"opened": result.opened, "closed": result.closed},
        "failed": [{"owner": it.owner, "folder": it.folder, "reason": it.reason, "detail": it.detail} for it in result.failed],
    }
    return printed | ({"reason": outcome.reason, "message": outcome.message} if outcome.message else {})


def show(outcome: HarvestOutcome) -> None:
    """Print an outcome for a person."""
    screen, result = output(), outcome.result
    if outcome.status is RunStatus.SKIPPED:
        screen.print("[yellow]Skipped[/]: another harvest is at work. Nothing is to be done.")
        return
    if outcome.status in {RunStatus.REFUSED, RunStatus.FAILED}:
        messages().print(f"[bold red]{outcome.status.capitalize()}[/]: {outcome.message}", soft_wrap=True)
        return
    colour = "green" if outcome.status is RunStatus.COMPLETED else "yellow"
    screen.print(
        f"[{colour}]Run {outcome.run_id}[/]: [bold]{result.known}[/] calendars known, [bold]{result.unknown}[/] unknown; "
        f"{result.opened} rows opened, {result.closed} closed."
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
