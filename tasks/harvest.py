"""The steps of a harvest, each retryable: it reads what is stored, asks the server, and commits by itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic

from prefect import runtime, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.states import Failed

from busytime.backing_off import patiently
from busytime.connecting import note_refusal, probe
from busytime.errors import AuthenticationError, BusyTimeError, FatalError, RetriableError, ServerBusyError
from busytime.harvesting import BatchResult, record_batch
from busytime.model import Calendar, Outcome, Unanswered, Window
from busytime.reading import Reading, read_batch
from busytime.store.connections import StoredConnection
from busytime.store.runs import Attempt
from tasks.runs import HeldLock, OpenRun
from tasks.workspace import Workspace, workspace

_ATTEMPTS = 3
_RETRY_PAUSE_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Batch:
    """Some calendars of one connection, read and written together.

    Args:
        number: Its number in the run.
        run_id: The run.
        lock: The lock of its connection.
        calendar_ids: At most 100 surrogate keys.
        window: What to read.
    """

    number: int
    run_id: int
    lock: HeldLock
    calendar_ids: tuple[int, ...]
    window: Window


def is_retriable(_task: object, _task_run: TaskRun, state: State[object]) -> bool:
    """Retry only what the error's class says may run again."""
    return isinstance(state.result(raise_on_failure=False), RetriableError)


@task(
    name="probe_connection", cache_policy=NO_CACHE, retries=_ATTEMPTS - 1, retry_delay_seconds=2, retry_condition_fn=is_retriable
)
def probe_connection(run: OpenRun, lock: HeldLock) -> HeldLock:
    """Log on once, before any fan-out; return the connection's lock, for the steps behind it."""
    office = workspace()
    connection = office.connection(lock.connection_id)
    started = monotonic()
    try:
        probe(office.desk, connection, office.gateway(connection), run.run_id)
    except BusyTimeError as error:
        _note(office, run.run_id, "probe_connection", str(connection.id), started, 0, error)
        raise
    _note(office, run.run_id, "probe_connection", str(connection.id), started, 0)
    return lock


@task(name="list_batches", cache_policy=NO_CACHE)
def list_batches(run: OpenRun, locks: Sequence[HeldLock]) -> list[Batch]:
    """Cut the calendars of the connections that answered into batches.

    Calendars that gave no answer last time come last, among themselves: an ill mailbox then costs only its like.
    """
    office = workspace()
    size = office.settings.batch_size
    batches: list[Batch] = []
    with office.store.read() as unit:
        for lock in locks:
            calendars = unit.roster.calendars(connection_id=lock.connection_id)
            failing = unit.busy_time.failing([calendar.id for calendar in calendars])
            for group in _grouped(calendars, failing):
                for start in range(0, len(group), size):
                    keys = tuple(calendar.id for calendar in group[start : start + size])
                    batches.append(Batch(len(batches), run.run_id, lock, keys, run.window))
    return batches


def _grouped(calendars: Sequence[Calendar], failing: frozenset[int]) -> list[list[Calendar]]:
    """Part default calendars, which one request reads together, from others, and answering ones from the rest."""
    groups: dict[tuple[bool, bool], list[Calendar]] = {}
    for calendar in calendars:
        groups.setdefault((calendar.id in failing, bool(calendar.folder)), []).append(calendar)
    return [groups[key] for key in sorted(groups)]


@task(
    name="harvest_batch",
    cache_policy=NO_CACHE,
    retries=_ATTEMPTS - 1,
    retry_delay_seconds=_RETRY_PAUSE_SECONDS,
    retry_condition_fn=is_retriable,
)
def harvest_batch(batch: Batch) -> BatchResult | State[BatchResult]:
    """Read a batch and write what changed, in one transaction.

    When the last attempt failed too, what is missing is written down as missing, and the task has failed.
    """
    office = workspace()
    started = monotonic()
    with office.store.read() as unit:
        calendars = unit.roster.by_id(batch.calendar_ids)
    try:
        reading = _read(office, batch, calendars)
    except BusyTimeError as error:
        _note(office, batch.run_id, "harvest_batch", str(batch.number), started, len(calendars), error)
        if isinstance(error, AuthenticationError):
            note_refusal(office.desk, office.connection(batch.lock.connection_id))
        if isinstance(error, FatalError) or _attempt() < _ATTEMPTS:
            raise
        silence = Reading(office.clock.now(), {calendar.id: Unanswered(error.reason, error.detail) for calendar in calendars})
        return Failed(message=str(error), data=_write(office, batch, calendars, silence))
    result = _write(office, batch, calendars, reading)
    _note(office, batch.run_id, "harvest_batch", str(batch.number), started, len(calendars))
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

    return patiently(
        action,
        shared_until=lambda: _back_off_until(office, connection),
        share=lambda until: _share_back_off(office, connection, until),
        clock=office.clock,
        deadline=office.clock.now() + deadline,
    )


def _back_off_until(office: Workspace, connection: StoredConnection) -> datetime | None:
    with office.store.read() as unit:
        return unit.connections.back_off_until(connection.id)


def _share_back_off(office: Workspace, connection: StoredConnection, until: datetime) -> None:
    with office.store.write() as unit:
        unit.connections.back_off(connection.id, until)


def _write(office: Workspace, batch: Batch, calendars: Sequence[Calendar], reading: Reading) -> BatchResult:
    with office.store.write() as unit:
        office.store.check_lock(unit, batch.lock.name, batch.lock.holder)
        result = record_batch(unit, calendars, reading, batch.window, batch.run_id, office.settings.max_age)
        unit.roster.learn_folder_ids(reading.folder_ids)
        if reading.window_days is not None:
            unit.connections.learn_window(batch.lock.connection_id, reading.window_days)
    return result


def _attempt() -> int:
    """Return the number of this attempt, from 1; outside a task run it is the last one."""
    return runtime.task_run.run_count or _ATTEMPTS


def _note(
    office: Workspace, run_id: int, step: str, target: str, started: float, calendars: int, error: BusyTimeError | None = None
) -> None:
    busy = error.back_off_seconds if isinstance(error, ServerBusyError) else None
    attempt = Attempt(
        step=step,
        target=target,
        attempt=_attempt(),
        outcome=Outcome.FAILED if error else Outcome.APPLIED,
        duration_ms=round((monotonic() - started) * 1000),
        calendars=calendars,
        reason=error.reason if error else None,
        error_code=error.detail if error else None,
        back_off_ms=round(busy * 1000) if busy is not None else None,
    )
    with office.store.write() as unit:
        unit.runs.note(run_id, attempt, office.clock.now())


@task(name="list_unserved", cache_policy=NO_CACHE)
def list_unserved() -> list[Calendar]:
    """List the calendars of the roster that no connection serves."""
    with workspace().store.read() as unit:
        return unit.roster.unserved()
