"""The steps of a validation, each retryable."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prefect import task
from prefect.cache_policies import NO_CACHE

from busytime.coverage import CoverageChanges
from busytime.errors import BusyTimeError, FatalError, Reason
from busytime.model import RequestKind
from busytime.permissions import Conclusion, Need, Verdict, required_level
from busytime.scope import EVERYTHING, Scope
from busytime.store.connections import StoredConnection
from busytime.store.due import ASKED_AGAIN_AFTER
from busytime.store.permissions import StoredVerdict
from busytime.store.unit_of_work import UnitOfWork
from busytime.validating import Candidate, Ladder
from busytime.verdicts import Finding, after_denial, denial, unreachable, with_arrivals
from tasks.runs import HeldLock, OpenRun, Part
from tasks.steps import RETRIED, Step, is_last_word, patient
from tasks.workspace import Workspace, workspace

_BATCH_SIZE = 100


@dataclass(frozen=True, slots=True)
class ValidationBatch(Part):
    """Some calendars of one connection, validated and written together.

    Args:
        candidates: At most 100 calendars with their needs.
        probe_write: Whether to prove the right to write by a write, where nothing else settles it.
    """

    candidates: tuple[Candidate, ...]
    probe_write: bool


@task(name="is_validation_asked", cache_policy=NO_CACHE)
def is_validation_asked() -> bool:
    """Tell whether something asks for a validation that nobody works on."""
    office = workspace()
    with office.store.read() as unit:
        return unit.due.request(RequestKind.VALIDATE, office.clock.now() - ASKED_AGAIN_AFTER)


@task(name="take_validation_requests", cache_policy=NO_CACHE)
def take_validation_requests(run: OpenRun, scope: Scope) -> None:
    """Take what asks for a validation, if this one looks at everything."""
    if scope == EVERYTHING:
        with workspace().store.write() as unit:
            unit.requests.take(unit.requests.waiting(RequestKind.VALIDATE), run.run_id)


@task(name="list_validation_batches", cache_policy=NO_CACHE)
def list_validation_batches(run: OpenRun, locks: Sequence[HeldLock], scope: Scope, *, probe_write: bool) -> list[ValidationBatch]:
    """Cut the calendars of the connections that answered into batches; verdicts that nobody needs any more are closed."""
    office = workspace()
    batches: list[ValidationBatch] = []
    for lock in locks:
        with office.store.write() as unit:
            office.store.check_lock(unit, lock.name, lock.holder)
            stored = unit.permissions.current(lock.connection_id)
            before = {place: it.conclusion for place, it in stored.items()}
            candidates = with_arrivals(unit.roster.candidates(lock.connection_id), before)
            wanted = {(it.calendar.id, need) for it in candidates for need in it.needs}
            idle = [it.id for place, it in stored.items() if place not in wanted]
            if idle:
                unit.permissions.close(idle, run.run_id, unit.instant)
        chosen = [it for it in candidates if scope.includes(it.calendar)]
        batches += cut_batches(run.run_id, lock, chosen, first=len(batches), probe_write=probe_write)
    return batches


def cut_batches(
    run_id: int, lock: HeldLock, candidates: Sequence[Candidate], *, first: int, probe_write: bool
) -> list[ValidationBatch]:
    """Cut a connection's candidates into batches, numbered from ``first``."""
    parts = [tuple(candidates[start : start + _BATCH_SIZE]) for start in range(0, len(candidates), _BATCH_SIZE)]
    return [ValidationBatch(number, run_id, lock, part, probe_write) for number, part in enumerate(parts, start=first)]


@task(name="list_unserved_findings", cache_policy=NO_CACHE)
def list_unserved_findings(scope: Scope) -> list[Finding]:
    """Tell of the calendars that no connection serves that nobody can look at them; there is no verdict to be stored."""
    nobody = Conclusion(Verdict.UNREACHABLE, None, None, Reason.NO_CONNECTION)
    with workspace().store.read() as unit:
        candidates = [it for it in unit.roster.candidates(None) if scope.connects(None) and scope.includes(it.calendar)]
    return [Finding(it, need, nobody, None) for it in candidates for need in it.needs]


@task(name="validate_batch", **RETRIED)
def validate_batch(batch: ValidationBatch) -> list[Finding]:
    """Climb the ladder for a batch, and write the verdicts that changed, in one transaction.

    When the last attempt failed too, its calendars are `unreachable` and keep their last verdict.
    """
    office = workspace()
    connection = office.connection(batch.lock.connection_id)
    step = Step(office, batch.run_id, "validate_batch", batch.number, len(batch.candidates))
    ladder = _ladder(office, connection, batch)
    try:
        conclusions: Mapping[tuple[int, Need], Conclusion] = patient(office, connection, ladder.climb)
    except BusyTimeError as error:
        step.note(error)
        if isinstance(error, FatalError) or not is_last_word(error):
            raise
        conclusions = unreachable(batch.candidates, error)
    else:
        step.note()
    return _write(office, batch, conclusions, ladder.folder_ids)


def _ladder(office: Workspace, connection: StoredConnection, batch: ValidationBatch) -> Ladder:
    return Ladder(
        office.gateway(connection),
        batch.candidates,
        office.store.installation_id,
        office.clock,
        office.settings.grant_grace,
        probe_write=batch.probe_write,
    )


def _write(
    office: Workspace,
    batch: ValidationBatch,
    conclusions: Mapping[tuple[int, Need], Conclusion],
    folder_ids: Mapping[int, str],
) -> list[Finding]:
    with office.store.write() as unit:
        office.store.check_lock(unit, batch.lock.name, batch.lock.holder)
        unit.roster.learn_folder_ids(folder_ids)
        stored = unit.permissions.current(batch.lock.connection_id)
        findings: list[Finding] = []
        for candidate in batch.candidates:
            for need in candidate.needs:
                place = candidate.calendar.id, need
                before = stored.get(place)
                findings.append(finding := Finding(candidate, need, conclusions[place], before.conclusion if before else None))
                if finding.changes:
                    _replace(unit, batch, finding, before)
        _write_denials(office, unit, batch.run_id, findings)
    return findings


def _replace(unit: UnitOfWork, batch: ValidationBatch, finding: Finding, before: StoredVerdict | None) -> None:
    calendar, need = finding.candidate.calendar, finding.need
    unit.permissions.replace(
        batch.lock.connection_id,
        calendar.id,
        need,
        required_level(need, calendar.kind),
        finding.conclusion,
        before=before,
        run_id=batch.run_id,
        instant=unit.instant,
    )


def _write_denials(office: Workspace, unit: UnitOfWork, run_id: int, findings: Sequence[Finding]) -> None:
    """Make unknown at once what may definitely not be read, as a harvest would."""
    found = {finding.candidate.calendar.id: denial(finding) for finding in findings if finding.need is Need.READ}
    refusals = {key: refusal for key, refusal in found.items() if refusal is not None}
    now, max_age = office.clock.now(), office.settings.max_age
    rows = unit.busy_time.coverage(list(refusals)) if refusals else {}
    changes = {key: after_denial(its_rows, refusals[key], now, max_age) for key, its_rows in rows.items()}
    changes = {key: change for key, change in changes.items() if change != CoverageChanges()}
    if changes:
        unit.busy_time.write_coverage(changes, run_id, unit.instant)
