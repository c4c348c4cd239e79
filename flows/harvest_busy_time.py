"""The harvest: lock, probe, batches, and a final state that names the calendars without an answer."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from prefect import flow, unmapped
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.states import Completed, Failed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from busytime.errors import ConfigurationError
from busytime.harvesting import BatchResult
from busytime.model import RunStatus, Trigger, Window, harvest_window
from busytime.outcomes import HarvestOutcome, judge_harvest
from tasks.harvest import harvest_batch, list_batches, list_unserved, probe_connection
from tasks.runs import HeldLock, close_run, closed_on_error, open_run
from tasks.workspace import workspace

_NAMED_FAILURES = 10
#: More threads than requests at once: one batch is read while another is written.
_RUNNER: TaskRunner[PrefectFuture[Any]] = ThreadPoolTaskRunner(max_workers=4)  # type: ignore[assignment]  # its own future is narrower


@flow(name="harvest_busy_time", task_runner=_RUNNER)
def harvest_busy_time(
    window_from: datetime | None = None, window_to: datetime | None = None, trigger: Trigger = Trigger.MANUAL
) -> State[HarvestOutcome]:
    """Read everybody's busy time once, and write what changed."""
    run = open_run("harvest_busy_time", choose_window(window_from, window_to), trigger)
    if not run.locks:
        return final_state(HarvestOutcome(run.run_id, RunStatus.SKIPPED))
    with closed_on_error(run):
        probes = settled(probe_connection.map(unmapped(run), list(run.locks)))
        batches = list_batches(run, [lock for lock in probes if isinstance(lock, HeldLock)])
        results = settled(harvest_batch.map(batches))
        outcome = judge_harvest(run.run_id, probes, results, list_unserved())
        close_run(run, outcome.status, outcome.reason, outcome.counts)
    return final_state(outcome)


def choose_window(window_from: datetime | None, window_to: datetime | None) -> Window:
    """Return the window of a run: the regular one, or the one that was asked for.

    Raises:
        ConfigurationError: Only one end was given, or they are no window.
    """
    if window_from is None and window_to is None:
        office = workspace()
        return harvest_window(office.clock.now(), office.settings.horizon_days)
    if window_from is None or window_to is None:
        raise ConfigurationError("A window has two ends: give both --from and --to, or none.")
    return Window(window_from, window_to)


def settled(futures: Iterable[PrefectFuture[Any]]) -> list[object]:
    """Wait for mapped tasks, and return for each what it returned or raised."""
    return [future.result(raise_on_failure=False) for future in futures]


def final_state(outcome: HarvestOutcome) -> State[HarvestOutcome]:
    """Return a named state, so that Prefect's page tells what came out."""
    name = outcome.status.replace("_", " ").capitalize()
    if outcome.status in {RunStatus.FAILED, RunStatus.REFUSED}:
        return Failed(name=name, message=outcome.message, data=outcome)
    return Completed(name=name, message=describe(outcome.result), data=outcome)


def describe(result: BatchResult) -> str:
    """Say in one line what came out, and name the calendars that gave no answer."""
    text = f"{result.known} calendars known, {result.unknown} unknown"
    named = [f"{calendar.owner}/{calendar.folder}".rstrip("/") + f" ({calendar.reason})" for calendar in result.failed]
    if len(named) > _NAMED_FAILURES:
        named[_NAMED_FAILURES:] = [f"{len(named) - _NAMED_FAILURES} more"]
    return f"{text}; without an answer: {', '.join(named)}" if named else text
