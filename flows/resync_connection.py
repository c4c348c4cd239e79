"""The re-sync: what was missed is read and pushed, for connections that log on again; or a restored database is taken over."""

from typing import Any

from prefect import Flow, flow
from prefect.client.schemas.objects import State

from busytime.model import RunStatus, Trigger
from busytime.resyncing import Part, ResyncOutcome, as_part, describe, judge_adoption, judge_resync
from busytime.scope import Scope
from flows.fan_out import RUNNER, log_on, named_state, spread, telling_why
from flows.harvest_busy_time import harvest_busy_time
from flows.options import HarvestOptions, PushOptions, ResyncOptions, ScopeOptions, ValidateOptions
from flows.push_bookings import push_bookings
from flows.showing import show_resync
from flows.validate_delegation import validate_delegation
from tasks.adopt import adopt_batch, end_adoption, list_adoption_batches
from tasks.resync import await_end, end_requests, list_asked, look_again, take_requests
from tasks.runs import HeldLock, OpenRun, close_run, closed_on_error, open_run
from tasks.workspace import workspace

#: First who may do what, then what is read, then what is written into what was read.
_PARTS: tuple[tuple[str, Flow[..., Any], type[ScopeOptions]], ...] = (
    ("validate", validate_delegation, ValidateOptions),
    ("harvest", harvest_busy_time, HarvestOptions),
    ("push", push_bookings, PushOptions),
)
_DEFAULT = ResyncOptions()


@flow(name="resync_connection", task_runner=RUNNER)
@telling_why
def resync_connection(options: ResyncOptions = _DEFAULT) -> State[ResyncOutcome]:
    """Do the re-syncs that are asked for in the database; or take over what the calendars hold after it was restored."""
    if options.adopt:
        return take_over(options.trigger)
    run = begin(options.trigger)
    if run is None:
        return named_state(RunStatus.COMPLETED, "nothing is asked for", ResyncOutcome(None, RunStatus.COMPLETED))
    if not run.locks:
        return _skipped(run)
    with closed_on_error(run):
        missed = take_requests(run)
        if missed is None:  # another run did it between two looks
            close_run(run, RunStatus.SKIPPED, None, {})
            return _skipped(run)
        emails = tuple(workspace().connection(lock.connection_id).email for lock in run.locks)
        parts = [carry_out(name, part, kind(trigger=options.trigger, connections=emails)) for name, part, kind in _PARTS]
        outcome = judge_resync(run.run_id, missed, look_again(run, missed), parts)
        end_requests(run)
        close_run(run, outcome.status, outcome.reason, outcome.counts)
    show_resync(outcome, tell(outcome))
    return named_state(outcome.status, outcome.message or tell(outcome), outcome)


def begin(trigger: Trigger) -> OpenRun | None:
    """Open a run for the connections for which a re-sync is asked, if there are any.

    A person waits for another re-sync at work, which may have begun before the new password; a program comes again.
    """
    run = None
    for again in (trigger is not Trigger.REQUEST, False):
        ids = list_asked()
        if not ids:
            return None
        run = open_run("resync_connection", trigger, scope=Scope(frozenset(ids)))
        if run.locks or not again:
            break
        await_end("resync_connection")
    return run


def carry_out(name: str, part: Flow[..., Any], options: ScopeOptions) -> Part:
    """Run one part; where another run of it is at work, wait for its end, and do it all the same.

    That run may have begun with the old password.
    """
    ended = _run(part, options)
    if getattr(ended, "status", None) is RunStatus.SKIPPED:
        await_end(part.name)
        ended = _run(part, options)
    return as_part(name, ended)


def _run(part: Any, options: ScopeOptions) -> object:
    state: State[Any] = part(options, return_state=True)
    ended: object = state.result(raise_on_failure=False)
    return ended


def take_over(trigger: Trigger) -> State[ResyncOutcome]:
    """Take over what the calendars hold after the database was restored.

    Nothing is pushed then: what was booked or cancelled after the backup has to be imported first. And no request is
    needed: that the database was restored is written in it, until this has come to its end.
    """
    run = open_run("resync_connection", trigger)
    if not run.locks:
        return _skipped(run)
    with closed_on_error(run):
        good, fates = log_on(run, run.locks)
        parts = spread(adopt_batch, list_adoption_batches(run, good), fates)
        end_adoption([*parts, *(it for it in fates.values() if not isinstance(it, HeldLock))])
        outcome = judge_adoption(run.run_id, list(fates.values()), parts)
        close_run(run, outcome.status, outcome.reason, outcome.counts)
    show_resync(outcome, tell(outcome))
    return named_state(outcome.status, outcome.message or tell(outcome), outcome)


def _skipped(run: OpenRun) -> State[ResyncOutcome]:
    return named_state(RunStatus.SKIPPED, "another re-sync is at work", ResyncOutcome(run.run_id, RunStatus.SKIPPED))


def tell(outcome: ResyncOutcome) -> str:
    """Say in a few sentences what was missed and caught up."""
    if outcome.missed and outcome.caught_up:
        return describe(outcome.missed, outcome.caught_up)
    return f"{outcome.adopted} entries taken over"
