"""The maintenance: lock, texts of bookings that are over, and old rows table by table."""

from prefect import flow
from prefect.client.schemas.objects import State

from busytime.maintaining import MaintenanceOutcome, OldRows
from busytime.model import RunStatus
from flows.fan_out import named_state, telling_why
from flows.options import MaintainOptions
from flows.showing import show_maintenance
from tasks.maintain import blank_bookings, remove_old
from tasks.runs import close_run, closed_on_error, open_house_run

_DEFAULT = MaintainOptions()


@flow(name="maintain")
@telling_why
def maintain(options: MaintainOptions = _DEFAULT) -> State[MaintenanceOutcome]:
    """Take out of the tables what has stood in them long enough; daily."""
    run = open_house_run("maintain", options.trigger)
    if not run.locks:
        skipped = MaintenanceOutcome(run.run_id, RunStatus.SKIPPED)
        return named_state(skipped.status, "another maintenance is at work", skipped)
    with closed_on_error(run):
        blanked = blank_bookings(run)
        removed = {kind: remove_old(run, kind) for kind in OldRows}
        outcome = MaintenanceOutcome(run.run_id, RunStatus.COMPLETED, removed, blanked)
        close_run(run, outcome.status, None, outcome.counts)
    show_maintenance(outcome, describe(outcome))
    return named_state(outcome.status, describe(outcome), outcome)


def describe(outcome: MaintenanceOutcome) -> str:
    """Say in one line what went."""
    said = [f"{count} rows of {kind}" for kind, count in outcome.removed.items() if count]
    said += [f"texts of {outcome.blanked} rows of bookings"] if outcome.blanked else []
    return f"removed {', '.join(said)}" if said else "nothing was old enough"
