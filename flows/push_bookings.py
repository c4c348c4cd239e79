"""The push: plan and gate, probe, unseen calendars, main calendars, then those that follow them."""

from collections.abc import Sequence

from prefect import flow
from prefect.client.schemas.objects import State

from busytime.errors import BusyTimeError, FatalError, NoConnectionError, UnsafePlanError
from busytime.model import RunStatus, Trigger
from busytime.outcomes import PushOutcome, judge_push
from busytime.planning import Plan
from flows.fan_out import RUNNER, Fates, log_on, named_state, spread, telling_why
from flows.options import PushOptions
from flows.showing import show_plan, show_push
from tasks.push import (
    ForeseenPush,
    OwnerBatch,
    PreparedPush,
    foresee_push,
    leave_owners,
    list_unvalidated,
    look_for_work,
    name_calendars,
    plan_push,
    push_owner,
    release_validation,
)
from tasks.runs import OpenRun, close_run, closed_on_error, open_run
from tasks.scopes import check_pages, choose_scope
from tasks.validate import validate_batch

_DEFAULT = PushOptions()


@flow(name="push_bookings", task_runner=RUNNER)
@telling_why
def push_bookings(options: PushOptions = _DEFAULT) -> State[PushOutcome]:
    """Bring the entries in all calendars, or in some, to where their bookings want them."""
    scope = choose_scope(options.connections, options.owners, options.pages)
    check_pages(options.force_pages)
    if options.dry_run:
        return tell_plan(foresee_push(options.force_pages, scope, backfill=options.backfill))
    if not look_for_work(scope) and options.trigger is not Trigger.MANUAL:
        return named_state(RunStatus.COMPLETED, "nothing to do", PushOutcome(None, RunStatus.COMPLETED, ()))
    run = open_run("push_bookings", options.trigger, alone=False, scope=scope)
    with closed_on_error(run):
        try:
            outcome = carry_out(run, plan_push(run, options.force_pages, scope, backfill=options.backfill))
        except UnsafePlanError as error:  # the database was restored: nothing was planned, and nothing sent
            outcome = judge_push(run.run_id, Plan(), {}, [], [error])
        close_run(run, outcome.status, outcome.reason, outcome.counts)
    show_push(outcome, describe(outcome))
    return named_state(outcome.status, outcome.message or describe(outcome), outcome)


def carry_out(run: OpenRun, prepared: PreparedPush) -> PushOutcome:
    """Log on where something is to be done, and do it: main calendars first, then those that follow them."""
    served = {batch.connection_id for batch in prepared.batches}
    locks = [lock for lock in run.locks if lock.connection_id in served]
    good, fates = log_on(run, locks)
    unseen = list_unvalidated(run, prepared, good)
    spread(validate_batch, unseen, fates)
    release_validation(unseen)
    steps = push_wave(prepared.main, fates) + push_wave(prepared.additional, fates)
    return judge_push(run.run_id, prepared.plan, name_calendars(prepared), list(fates.values()), steps)


def push_wave(batches: Sequence[OwnerBatch], fates: Fates) -> list[object]:
    """Push many owners at once; for those whose connection cannot log on, write down that they wait."""
    nobody = NoConnectionError("No connection serves this calendar: run `busytime connect EMAIL`.")
    lost = {0: nobody} | {connection_id: it for connection_id, it in fates.items() if isinstance(it, BusyTimeError)}
    alive = [batch for batch in batches if batch.connection_id not in lost]
    pushed = spread(push_owner, alive, fates)
    left = [(batch, lost[batch.connection_id]) for batch in batches if batch.connection_id in lost]
    left += [(batch, it) for batch, it in zip(alive, pushed, strict=True) if isinstance(it, FatalError)]
    return pushed + ([leave_owners(left)] if left else [])


def tell_plan(planned: ForeseenPush) -> State[PushOutcome]:
    """Say and show what a push would do."""
    message = f"{len(planned.changes)} changes planned; nothing was sent or written"
    if planned.refused_pages:
        message += f"; the gate would refuse {', '.join(planned.refused_pages)}"
    if planned.changes:
        show_plan(planned, message)
    return named_state(RunStatus.COMPLETED, message, PushOutcome(None, RunStatus.COMPLETED, (), message=message))


def describe(outcome: PushOutcome) -> str:
    """Say in one line what came out."""
    text = ", ".join(f"{count} {name}" for name, count in outcome.counts.items()) or "nothing to do"
    pages = ", ".join(it.page for it in outcome.refused_pages)
    return f"{text}; the gate refused {pages}" if pages else text
