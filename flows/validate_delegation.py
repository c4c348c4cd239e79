"""The validation: lock, probe, the ladder of evidence in batches, and a final state that names what got worse."""

from prefect import flow
from prefect.client.schemas.objects import State

from busytime.model import RunStatus, Trigger
from busytime.outcomes import ValidationOutcome, judge_validation
from busytime.scope import EVERYTHING
from busytime.verdicts import Finding
from flows.fan_out import OVERTAKEN, RUNNER, log_on, named_state, spread, telling_why
from flows.options import ValidateOptions
from flows.showing import show_validation
from tasks.resync import end_requests
from tasks.runs import close_run, closed_on_error, is_overtaken, open_run
from tasks.scopes import choose_scope, foresee
from tasks.validate import (
    is_validation_asked,
    list_unserved_findings,
    list_validation_batches,
    take_validation_requests,
    validate_batch,
)

_NAMED = 10


_DEFAULT = ValidateOptions()


@flow(name="validate_delegation", task_runner=RUNNER)
@telling_why
def validate_delegation(options: ValidateOptions = _DEFAULT) -> State[ValidationOutcome]:
    """Check what the connections may do in every calendar of the roster, or in some."""
    scope = choose_scope(options.connections, options.owners, options.pages)
    if options.dry_run:
        return final_state(ValidationOutcome(None, RunStatus.COMPLETED, message=foresee(scope, "validated")))
    if is_overtaken("validate_delegation", options.trigger):
        return final_state(ValidationOutcome(None, RunStatus.SKIPPED, message=OVERTAKEN))
    if options.trigger is Trigger.REQUEST and scope == EVERYTHING and not is_validation_asked():
        return final_state(ValidationOutcome(None, RunStatus.COMPLETED, message="nothing is asked for"))
    run = open_run("validate_delegation", options.trigger, scope=scope)
    if not run.locks:
        return named_state(RunStatus.SKIPPED, "another validation is at work", ValidationOutcome(run.run_id, RunStatus.SKIPPED))
    with closed_on_error(run):
        take_validation_requests(run, scope)
        good, fates = log_on(run, run.locks)
        batches = list_validation_batches(run, good, scope, probe_write=options.probe_write)
        steps = spread(validate_batch, batches, fates)
        steps.append(list_unserved_findings(scope))
        outcome = judge_validation(run.run_id, list(fates.values()), steps)
        if outcome.reason is None:
            end_requests(run)
        close_run(run, outcome.status, outcome.reason, outcome.counts)
    show_validation(outcome, describe(outcome))
    return final_state(outcome)


def describe(outcome: ValidationOutcome) -> str:
    """Say in one line what came out, and name what got worse since the last time."""
    text = ", ".join(f"{count} {verdict}" for verdict, count in outcome.counts.items() if count) or "nothing to validate"
    worse = [_worsening(finding) for finding in outcome.worse]
    if len(worse) > _NAMED:
        worse[_NAMED:] = [f"{len(worse) - _NAMED} more"]
    return f"{text}; worse than before: {', '.join(worse)}" if worse else text


def _worsening(finding: Finding) -> str:
    before = finding.before.verdict if finding.before else "new"
    return f"{finding.candidate.calendar.label} {finding.need} ({before} -> {finding.conclusion.verdict})"


def final_state(outcome: ValidationOutcome) -> State[ValidationOutcome]:
    """Return a named state that tells what came out."""
    return named_state(outcome.status, outcome.message or describe(outcome), outcome)
