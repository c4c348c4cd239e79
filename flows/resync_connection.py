"""The re-sync of a connection: take over what its calendars hold, where the database was restored."""

from prefect import flow, unmapped
from prefect.client.schemas.objects import State

from busytime.model import RunStatus, Trigger
from busytime.outcomes import ResyncOutcome, judge_resync
from flows.fan_out import RUNNER, named_state, settled, spread
from tasks.adopt import adopt_batch, end_adoption, list_adoption_batches
from tasks.probe import probe_connection
from tasks.runs import HeldLock, close_run, closed_on_error, open_run


@flow(name="resync_connection", task_runner=RUNNER)
def resync_connection(trigger: Trigger = Trigger.MANUAL) -> State[ResyncOutcome]:
    """Take over what the calendars hold after the database was restored."""
    run = open_run("resync_connection", trigger)
    if not run.locks:
        return named_state(RunStatus.SKIPPED, "another re-sync is at work", ResyncOutcome(run.run_id, RunStatus.SKIPPED))
    with closed_on_error(run):
        probes = settled(probe_connection.map(unmapped(run), list(run.locks)))
        good = [lock for lock in probes if isinstance(lock, HeldLock)]
        parts = spread(adopt_batch, list_adoption_batches(run, good))
        end_adoption([*parts, *(it for it in probes if not isinstance(it, HeldLock))])
        outcome = judge_resync(run.run_id, probes, parts)
        close_run(run, outcome.status, outcome.reason, {"adopted": outcome.adopted, "silent": len(outcome.silent)})
    return named_state(outcome.status, outcome.message or f"{outcome.adopted} entries taken over", outcome)
