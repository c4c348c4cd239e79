"""The harvest: lock, probe, batches, and a final state that names the calendars without an answer."""

from collections.abc import Sequence
from dataclasses import dataclass

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture

from busytime.errors import BusyTimeError
from busytime.harvesting import BatchResult
from busytime.model import RunStatus, Trigger, Window, harvest_window
from busytime.outcomes import EntriesRead, HarvestOutcome, judge_harvest
from busytime.scope import Scope
from flows.fan_out import OVERTAKEN, RUNNER, log_on, named_state, spread, telling_why
from flows.options import HarvestOptions, WindowOptions
from flows.showing import show_harvest
from tasks.given_shard import ShardOrder
from tasks.harvest import harvest_batch, list_batches, tell_unread
from tasks.read_back import follow_owners, list_entries_to_read_back, read_back_batch
from tasks.runs import OpenRun, close_run, closed_on_error, is_overtaken, open_run
from tasks.scopes import choose_scope, foresee
from tasks.shards import list_shards, run_shards
from tasks.workspace import workspace

_NAMED_FAILURES = 10
_DEFAULT = HarvestOptions()


@flow(name="harvest_busy_time", task_runner=RUNNER)
@telling_why
def harvest_busy_time(options: HarvestOptions = _DEFAULT) -> State[HarvestOutcome]:
    """Read everybody's busy time once, and write what changed; or only of some."""
    scope = scope_of(options)
    window = choose_window(options.window)
    if options.dry_run:
        return final_state(HarvestOutcome(None, RunStatus.COMPLETED, message=foresee(scope, "read")))
    if scope.shard is None and is_overtaken("harvest_busy_time", options.trigger):
        return final_state(HarvestOutcome(None, RunStatus.SKIPPED, message=OVERTAKEN))
    run = open_run("harvest_busy_time", options.trigger, window, scope=scope)
    if not run.locks:
        return named_state(RunStatus.SKIPPED, "another harvest is at work", HarvestOutcome(run.run_id, RunStatus.SKIPPED))
    with closed_on_error(run):
        good, fates = log_on(run, run.locks)
        given = give_shards(run, list_shards(good, scope), window, scope, options)
        here = [lock for lock in good if lock.connection_id not in given.connection_ids]
        batches = list_batches(run, window, here, scope)
        results = spread(harvest_batch, batches, fates)
        entries = spread(read_back_batch, list_entries_to_read_back(run, window, here, scope), fates)
        unread = tell_unread(window, fates, batches, results, scope)
        results += [unread, *given.results()]
        entries += [follow_owners(run)] if scope.shard is None else []
        outcome = judge_harvest(run.run_id, list(fates.values()), results, entries)
        close_run(run, outcome.status, outcome.reason, outcome.counts)
    show_harvest(outcome, describe(outcome))
    return final_state(outcome)


def scope_of(options: HarvestOptions) -> Scope:
    """Return what a harvest works on.

    Raises:
        ConfigurationError: A name is not in the roster.
    """
    shard = options.shard
    cut = (shard.as_shard(), shard.parent_run_id) if shard else (None, None)
    return choose_scope(options.connections, options.owners, options.pages, *cut)


@dataclass(frozen=True, slots=True)
class GivenShards:
    """Shards that runs of their own read meanwhile."""

    connection_ids: frozenset[int]
    ended: PrefectFuture[list[BatchResult | BusyTimeError]] | None

    def results(self) -> Sequence[object]:
        """Wait for them, and return what each came to."""
        return self.ended.result() if self.ended else ()


def give_shards(run: OpenRun, orders: Sequence[ShardOrder], window: Window, scope: Scope, options: HarvestOptions) -> GivenShards:
    """Have shards read by runs of their own."""
    if not orders:
        return GivenShards(frozenset(), None)
    said = options.model_dump(mode="json", exclude={"shard", "connections"}) | {"trigger": Trigger.REQUEST}
    return GivenShards(frozenset(it.connection_id for it in orders), run_shards.submit(run, orders, window, scope, said))


def choose_window(asked: WindowOptions | None) -> Window:
    """Return the window of a run: the regular one, or the one that was asked for.

    Raises:
        ConfigurationError: It is no window.
    """
    if asked is not None:
        return asked.as_window()
    office = workspace()
    return harvest_window(office.clock.now(), office.settings.horizon_days)


def final_state(outcome: HarvestOutcome) -> State[HarvestOutcome]:
    """Return a named state, so that Prefect's page tells what came out."""
    return named_state(outcome.status, outcome.message or describe(outcome, naming=True), outcome)


def describe(outcome: HarvestOutcome, *, naming: bool = False) -> str:
    """Say in one line what came out; where names are wanted, also which calendars gave no answer."""
    text = f"{outcome.result.known} calendars known, {outcome.result.unknown} unknown"
    named = _named(outcome.result) if naming else ""
    return "; ".join(filter(None, [text, named, describe_entries(outcome.entries)]))


def _named(result: BatchResult) -> str:
    named = [f"{calendar.owner}/{calendar.folder}".rstrip("/") + f" ({calendar.reason})" for calendar in result.failed]
    if len(named) > _NAMED_FAILURES:
        named[_NAMED_FAILURES:] = [f"{len(named) - _NAMED_FAILURES} more"]
    if result.failed_elsewhere:
        named.append(f"{result.failed_elsewhere} that the runs of shards name")
    return f"without an answer: {', '.join(named)}" if named else ""


def describe_entries(entries: EntriesRead) -> str:
    """Say in one line what owners did with entries; empty where they did nothing."""
    said = [f"{count} entries {state.replace('_', ' ')}" for state, count in entries.changed.items() if count]
    said += [f"{entries.followed} bookings followed"] if entries.followed else []
    said += [f"too many at once on page {it.page}: none followed" for it in entries.refused_pages]
    return "; ".join(said)
