"""The discovery: lock, probe, and a look at every owner's calendars."""

from prefect import flow, unmapped
from prefect.client.schemas.objects import State

from busytime.model import RunStatus
from busytime.outcomes import DiscoveryOutcome, judge_discovery
from flows.fan_out import RUNNER, log_on, named_state, note_ends, settled, spread, telling_why
from flows.options import DiscoverOptions
from flows.showing import show_discovery
from tasks.discover import discover_batch, discover_shared_calendars, list_discovery_batches
from tasks.runs import close_run, closed_on_error, open_run
from tasks.scopes import choose_scope

_DEFAULT = DiscoverOptions()


@flow(name="discover_calendars", task_runner=RUNNER)
@telling_why
def discover_calendars(options: DiscoverOptions = _DEFAULT) -> State[DiscoveryOutcome]:
    """Find the calendars and sub-calendars that the roster's owners share with the connections."""
    choose_scope(owners=options.owners)  # it refuses who is not in the roster
    run = open_run("discover_calendars", options.trigger)
    if not run.locks:
        return named_state(RunStatus.SKIPPED, "another discovery is at work", DiscoveryOutcome(run.run_id, RunStatus.SKIPPED))
    with closed_on_error(run):
        good, fates = log_on(run, run.locks)
        shared = settled(discover_shared_calendars.map(unmapped(run), good, unmapped(options.accept_from)))
        note_ends(fates, [lock.connection_id for lock in good], shared)
        batches = spread(discover_batch, list_discovery_batches(run, good, {it.lower() for it in options.owners}), fates)
        outcome = judge_discovery(run.run_id, list(fates.values()), shared, batches)
        close_run(run, outcome.status, outcome.reason, {"owners": len(outcome.owners)})
    show_discovery(outcome)
    return named_state(outcome.status, outcome.message or f"{len(outcome.owners)} owners looked at", outcome)
