"""`busytime maintain`: takes out of the tables what has stood in them long enough; for a daily schedule, or by hand."""

from typing import Any

from busytime.counting import several
from busytime.maintaining import MaintenanceOutcome, OldRows
from deployments.cli.output import JsonOption, output
from deployments.cli.running import run_flow, tell_outcome, waiting
from flows.options import MaintainOptions

_ROWS = {
    OldRows.PERMISSIONS: "closed rows of permissions",
    OldRows.BUSY_INTERVALS: "closed rows of busy time",
    OldRows.COVERAGE: "closed rows of coverage",
    OldRows.STEPS: "steps",
    OldRows.EVENTS: "audit events",
}


def maintain(as_json: JsonOption = False) -> None:
    """Take the texts out of bookings that are over, and remove old history, steps and audit events.

    How long each stays is a setting (blank_bookings_after_days, keep_history_days, keep_steps_days, keep_events_days).

    Example: busytime maintain
    """
    with waiting("Removing what is old ...", quiet=as_json):
        outcome = run_flow("maintain", MaintenanceOutcome, MaintainOptions(), services=True)
    tell_outcome(outcome, "maintenance", _as_object, _show, as_json=as_json)


def _as_object(outcome: MaintenanceOutcome) -> dict[str, Any]:
    return {"blanked": outcome.blanked, "removed": {kind: outcome.removed.get(kind, 0) for kind in OldRows}}


def _show(outcome: MaintenanceOutcome) -> None:
    removed = [f"{count} {_ROWS[kind]}" for kind, count in outcome.removed.items() if count]
    lines = [f"[green]Removed[/]: {', '.join(removed)}."] if removed else ["Nothing else was old enough to go."]
    if outcome.blanked:
        lines.insert(0, f"[green]Blanked[/]: title, place, text and guests of {several(outcome.blanked, 'row')} of bookings.")
    elif not removed:
        lines = ["Nothing was old enough to go."]
    for line in lines:
        output().print(line, soft_wrap=True)
