"""The discovery: lock, probe, and a look at every owner's calendars."""

from dataclasses import dataclass

from prefect import flow, unmapped
from prefect.client.schemas.objects import State

from busytime.errors import BusyTimeError, Reason
from busytime.model import RunStatus, Trigger
from busytime.outcomes import judge_discovery
from flows.fan_out import RUNNER, named_state, settled
from tasks.discover import OwnerChanges, SeenInvitation, discover_batch, discover_shared_calendars, list_discovery_batches
from tasks.probe import probe_connection
from tasks.runs import HeldLock, close_run, closed_on_error, open_run


@dataclass(frozen=True, slots=True)
class DiscoveryOutcome:
    """What a discovery came to: every owner that was looked at, and the invitations that waited."""

    run_id: int
    status: RunStatus
    owners: tuple[OwnerChanges, ...] = ()
    invitations: tuple[SeenInvitation, ...] = ()
    reason: Reason | None = None
    message: str | None = None


@flow(name="discover_calendars", task_runner=RUNNER)
def discover_calendars(
    owner: str | None = None, accept_from: str | None = None, trigger: Trigger = Trigger.MANUAL
) -> State[DiscoveryOutcome]:
    """Find the calendars and sub-calendars that the roster's owners share with the connections."""
    run = open_run("discover_calendars", trigger)
    if not run.locks:
        return named_state(RunStatus.SKIPPED, "another discovery is at work", DiscoveryOutcome(run.run_id, RunStatus.SKIPPED))
    with closed_on_error(run):
        probes = settled(probe_connection.map(unmapped(run), list(run.locks)))
        good = [lock for lock in probes if isinstance(lock, HeldLock)]
        shared = settled(discover_shared_calendars.map(unmapped(run), good, unmapped(accept_from)))
        batches = settled(discover_batch.map(list_discovery_batches(run, good, owner)))
        outcome = _judge(run.run_id, probes, shared, batches)
        close_run(run, outcome.status, outcome.reason, {"owners": len(outcome.owners)})
    return named_state(outcome.status, outcome.message or f"{len(outcome.owners)} owners looked at", outcome)


def _judge(run_id: int, probes: list[object], shared: list[object], batches: list[object]) -> DiscoveryOutcome:
    invitations = tuple(it for step in shared if isinstance(step, tuple) for it in step[0])
    owners = [it for step in shared if isinstance(step, tuple) for it in step[1]]
    owners += [it for step in batches if isinstance(step, list) for it in step]
    whole = all(it.discovery.reason is None for it in owners)
    status, error = judge_discovery(probes, [*shared, *batches], whole=whole)
    reason, message = (error.reason, str(error)) if isinstance(error, BusyTimeError) else (None, None)
    return DiscoveryOutcome(run_id, status, tuple(owners), invitations, reason, message)
