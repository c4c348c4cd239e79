"""What every retryable step shares: which errors run again, patience with a busy server, and a row for each attempt."""

from collections.abc import Callable
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, TypeVar

from prefect import runtime
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun

from busytime.backing_off import patiently
from busytime.errors import BusyTimeError, RetriableError, ServerBusyError
from busytime.model import Outcome
from busytime.store.connections import StoredConnection
from busytime.store.runs import Attempt
from tasks.run_log import say_step
from tasks.stopping import pause
from tasks.workspace import Workspace

T = TypeVar("T")

ATTEMPTS = 3


def is_retriable(_task: object, _task_run: TaskRun, state: State[object]) -> bool:
    """Retry only what the error's class says may run again."""
    return isinstance(state.result(raise_on_failure=False), RetriableError)


#: Options of a step that may run again.
RETRIED: dict[str, Any] = {
    "cache_policy": NO_CACHE,
    "retries": ATTEMPTS - 1,
    "retry_delay_seconds": 2,
    "retry_condition_fn": is_retriable,
}


def attempt_number() -> int:
    """Return the number of this attempt, from 1; outside a task run it is the last one."""
    return runtime.task_run.run_count or ATTEMPTS


def is_last_word(error: BusyTimeError) -> bool:
    """Tell whether no further attempt follows this error."""
    return not isinstance(error, RetriableError) or attempt_number() >= ATTEMPTS


def patient(office: Workspace, connection: StoredConnection, action: Callable[[], T]) -> T:
    """Do something with a connection's server, waiting as long as it asks, together with all other workers."""

    def shared_until() -> datetime | None:
        with office.store.read() as unit:
            return unit.connections.back_off_until(connection.id)

    def share(until: datetime) -> None:
        with office.store.write() as unit:
            unit.connections.back_off(connection.id, until)

    deadline = office.clock.now() + timedelta(seconds=office.settings.batch_deadline_seconds)
    return patiently(action, shared_until=shared_until, share=share, clock=office.clock, deadline=deadline, sleep=pause)


class Step:
    """One attempt of one step: measures it, and writes its row when it has ended."""

    def __init__(self, office: Workspace, run_id: int, name: str, target: object, calendars: int = 0) -> None:
        """Start the clock."""
        self._office = office
        self._run_id = run_id
        self._name = name
        self._target = str(target)
        self._calendars = calendars
        self._started = monotonic()

    def note(self, error: BusyTimeError | None = None) -> None:
        """Write how the attempt ended."""
        busy = error.back_off_seconds if isinstance(error, ServerBusyError) else None
        attempt = Attempt(
            step=self._name,
            target=self._target,
            attempt=attempt_number(),
            outcome=Outcome.FAILED if error else Outcome.APPLIED,
            duration_ms=round((monotonic() - self._started) * 1000),
            calendars=self._calendars,
            reason=error.reason if error else None,
            error_code=error.detail if error else None,
            back_off_ms=round(busy * 1000) if busy is not None else None,
        )
        with self._office.store.write() as unit:
            unit.runs.note(self._run_id, attempt, self._office.clock.now())
        say_step(attempt)
