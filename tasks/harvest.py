"""The steps of a harvest, each retryable: it reads what is stored, asks the server, and commits by itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Failed

from busytime.coverage import unknown_parts
from busytime.errors import BusyTimeError, FatalError, Reason
from busytime.harvesting import BatchResult, FailedCalendar, record_batch
from busytime.model import Calendar, Unanswered, Window
from busytime.reading import Reading, read_batch
from busytime.scope import Scope
from busytime.store.unit_of_work import UnitOfWork
from tasks.runs import HeldLock, OpenRun, Part
from tasks.steps import RETRIED, Step, is_last_word, patient
from tasks.workspace import Workspace, workspace


@dataclass(frozen=True, slots=True)
class Batch(Part):
    """Some calendars of one connection, read and written together.

    Args:
        calendar_ids: At most 100 surrogate keys.
        window: What to read.
    """

    calendar_ids: tuple[int, ...]
    window: Window


@task(name="list_batches", cache_policy=NO_CACHE)
def list_batches(run: OpenRun, window: Window, locks: Sequence[HeldLock], scope: Scope) -> list[Batch]:
    """Cut the calendars of the connections that answered, as far as they belong to the scope, into batches.

    Calendars that gave no answer last time come last, among themselves: an ill mailbox then costs only its like.
    """
    office = workspace()
    size = office.settings.batch_size
    groups: list[tuple[HeldLock, list[Calendar]]] = []
    with office.store.read() as unit:
        for lock in locks:
            calendars = scope.only(unit.roster.calendars(connection_id=lock.connection_id))
            failing = unit.busy_time.failing([calendar.id for calendar in calendars])
            groups += [(lock, group) for group in _grouped(calendars, failing)]
    parts = [(lock, group[start : start + size]) for lock, group in groups for start in range(0, len(group), size)]
    return [
        Batch(number, run.run_id, lock, tuple(calendar.id for calendar in part), window)
        for number, (lock, part) in enumerate(parts)
    ]


def _grouped(calendars: Sequence[Calendar], failing: frozenset[int]) -> list[list[Calendar]]:
    """Part default calendars, which one request reads together, from others, and answering ones from the rest."""
    groups: dict[tuple[bool, bool], list[Calendar]] = {}
    for calendar in calendars:
        groups.setdefault((calendar.id in failing, bool(calendar.folder)), []).append(calendar)
    return [groups[key] for key in sorted(groups)]


@task(name="tell_unread", cache_policy=NO_CACHE)
def tell_unread(
    window: Window, fates: Mapping[int, object], batches: Sequence[Batch], results: Sequence[object], scope: Scope
) -> BatchResult:
    """Name the calendars that no batch has read, because their connection could not go on, or because they have none.

    Nothing is written of them: what was known of them stays known until it is too old.

    Args:
        window: What was read.
        fates: What became of each connection.
        batches: What was to be read.
        results: What each batch came to.
        scope: What was to be read at all.
    """
    office = workspace()
    read = {key for batch, it in zip(batches, results, strict=True) if isinstance(it, BatchResult) for key in batch.calendar_ids}
    lost = {connection_id: it.reason for connection_id, it in fates.items() if isinstance(it, BusyTimeError)}
    with office.store.read() as unit:
        unserved = scope.only(unit.roster.unserved()) if scope.connects(None) else []
        missed = dict.fromkeys(unserved, Reason.NO_CONNECTION)
        for connection_id, reason in lost.items():
            served = scope.only(unit.roster.calendars(connection_id=connection_id))
            missed |= {it: reason for it in served if it.id not in read}
        return count_unread(unit, missed, window)


def count_unread(unit: UnitOfWork, missed: Mapping[Calendar, Reason], window: Window) -> BatchResult:
    """Name calendars that nobody has read, and count those of them that are known yet.

    Args:
        unit: The transaction.
        missed: The calendars, each with what was in the way.
        window: What was to be read.
    """
    office = workspace()
    coverage = unit.busy_time.coverage([it.id for it in missed])
    now, max_age = office.clock.now(), office.settings.max_age
    known = sum(not unknown_parts(coverage.get(it.id, ()), window, now, max_age) for it in missed)
    failed = tuple(FailedCalendar(it.owner, it.folder, reason) for it, reason in missed.items())
    return BatchResult(known, len(missed) - known, failed=failed)


@task(name="harvest_batch", **RETRIED)
def harvest_batch(batch: Batch) -> BatchResult | State[BatchResult]:
    """Read a batch and write what changed, in one transaction.

    When the last attempt failed too, what is missing is written down as missing, and the task has failed.
    """
    office = workspace()
    with office.store.read() as unit:
        calendars = unit.roster.by_id(batch.calendar_ids)
    step = Step(office, batch.run_id, "harvest_batch", batch.number, len(calendars))
    try:
        reading = _read(office, batch, calendars)
    except BusyTimeError as error:
        step.note(error)
        if isinstance(error, FatalError) or not is_last_word(error):
            raise
        silence = Reading(office.clock.now(), {calendar.id: Unanswered(error.reason, error.detail) for calendar in calendars})
        return Failed(message=str(error), data=_write(office, batch, calendars, silence))
    result = _write(office, batch, calendars, reading)
    step.note()
    return result


def _read(office: Workspace, batch: Batch, calendars: Sequence[Calendar]) -> Reading:
    connection = office.connection(batch.lock.connection_id)
    deadline = timedelta(seconds=office.settings.batch_deadline_seconds)

    def action() -> Reading:
        return read_batch(
            office.gateway(connection),
            calendars,
            batch.window,
            clock=office.clock,
            window_days=connection.window_days,
            deadline=deadline,
        )

    return patient(office, connection, action)


def _write(office: Workspace, batch: Batch, calendars: Sequence[Calendar], reading: Reading) -> BatchResult:
    with office.store.write() as unit:
        office.store.check_lock(unit, batch.lock.name, batch.lock.holder)
        result = record_batch(unit, calendars, reading, batch.window, batch.run_id, office.settings.max_age)
        unit.roster.learn_folder_ids(reading.folder_ids)
        if reading.window_days is not None:
            unit.connections.learn_window(batch.lock.connection_id, reading.window_days)
    return result
