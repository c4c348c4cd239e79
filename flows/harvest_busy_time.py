"""The harvest: lock, probe, batches, and a final state that names the calendars without an answer."""

from datetime import datetime

from prefect import flow
from prefect.client.schemas.objects import State

from busytime.errors import ConfigurationError
from busytime.harvesting import BatchResult
from busytime.model import RunStatus, Trigger, Window, harvest_window
from busytime.outcomes import EntriesRead, HarvestOutcome, judge_harvest
from flows.fan_out import RUNNER, log_on, named_state, spread
from tasks.harvest import harvest_batch, list_batches, tell_unread
from tasks.read_back import follow_owners, list_entries_to_read_back, read_back_batch
from tasks.runs import close_run, closed_on_error, open_run
from tasks.workspace import workspace

_NAMED_FAILURES = 10


@flow(name="harvest_busy_time", task_runner=RUNNER)
def harvest_busy_time(
    window_from: datetime | None = None,
    window_to: datetime | None = None,
    trigger: Trigger = Trigger.MANUAL,
    connection_ids: list[int] | None = None,
) -> State[HarvestOutcome]:
    """Read everybody's busy time once, and write what changed; or only through some connections."""
    window = choose_window(window_from, window_to)
    run = open_run("harvest_busy_time", trigger, window, connection_ids=connection_ids)
    if not run.locks:
        return final_state(HarvestOutcome(run.run_id, RunStatus.SKIPPED))
    with closed_on_error(run):
        good, fates = log_on(run, run.locks)
        batches = list_batches(run, window, good)
        results = spread(harvest_batch, batches, fates)
        entries = spread(read_back_batch, list_entries_to_read_back(run, window, good), fates)
        entries.append(follow_owners(run))
        results.append(tell_unread(window, fates, batches, results, unserved=connection_ids is None))
        outcome = judge_harvest(run.run_id, list(fates.values()), results, entries)
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


def final_state(outcome: HarvestOutcome) -> State[HarvestOutcome]:
    """Return a named state, so that Prefect's page tells what came out."""
    said = [describe(outcome.result), describe_entries(outcome.entries)]
    return named_state(outcome.status, outcome.message or "; ".join(filter(None, said)), outcome)


def describe(result: BatchResult) -> str:
    """Say in one line what came out, and name the calendars that gave no answer."""
    text = f"{result.known} calendars known, {result.unknown} unknown"
    named = [f"{calendar.owner}/{calendar.folder}".rstrip("/") + f" ({calendar.reason})" for calendar in result.failed]
    if len(named) > _NAMED_FAILURES:
        named[_NAMED_FAILURES:] = [f"{len(named) - _NAMED_FAILURES} more"]
    return f"{text}; without an answer: {', '.join(named)}" if named else text


def describe_entries(entries: EntriesRead) -> str:
    """Say in one line what owners did with entries; empty where they did nothing."""
    said = [f"{count} entries {state.replace('_', ' ')}" for state, count in entries.changed.items() if count]
    said += [f"{entries.followed} bookings followed"] if entries.followed else []
    said += [f"too many at once on page {it.page}: none followed" for it in entries.refused_pages]
    return "; ".join(said)
