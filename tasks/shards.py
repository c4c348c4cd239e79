"""Shards: parts of a very large harvest, given as runs of their own to whatever worker is free.

No more of them are out at once than the workers that live can take soon, so that a shard which waits longer has no
worker, and other flows' runs find one. What becomes of each is followed in `tasks.given_shard`.
"""

from collections.abc import Mapping, Sequence

from prefect import runtime, task
from prefect.cache_policies import NO_CACHE

from busytime.errors import BusyTimeError
from busytime.harvesting import BatchResult
from busytime.model import Window
from busytime.scope import Scope, shards_of
from tasks.given_shard import NOBODY_TAKES, GivenShard, ShardOrder, count_workers
from tasks.harvest import count_unread
from tasks.runs import HeldLock, OpenRun
from tasks.stopping import pause
from tasks.workspace import workspace

_LOOK_EVERY_SECONDS = 2.0
#: One is read while the next one starts; more would only wait for permits and for each other.
_OUT_PER_WORKER = 2


@task(name="list_shards", cache_policy=NO_CACHE)
def list_shards(locks: Sequence[HeldLock], scope: Scope) -> list[ShardOrder]:
    """Cut the calendars of connections that serve more than a run reads into shards, where workers could take them.

    A run that was started by hand reads all by itself: nobody may be there to take anything.
    """
    office = workspace()
    if scope.shard is not None or not runtime.deployment.id:
        return []
    orders: list[ShardOrder] = []
    with office.store.read() as unit:
        for lock in locks:
            count = len(scope.only(unit.roster.calendars(connection_id=lock.connection_id)))
            email = office.connection(lock.connection_id).email
            orders += [ShardOrder(email, lock.connection_id, it) for it in shards_of(count, office.settings.shard_size)]
    return orders


@task(name="run_shards", cache_policy=NO_CACHE)
def run_shards(
    run: OpenRun, orders: Sequence[ShardOrder], window: Window, scope: Scope, options: dict[str, object]
) -> list[BatchResult | BusyTimeError]:
    """Have all shards read, and return what each came to; and one more result for the calendars of those that were lost.

    Args:
        run: The run that cut them.
        orders: The shards.
        window: What it reads.
        scope: What it works on.
        options: What else is said to each of their runs, as a form takes it.

    Raises:
        LockLostError: Another run was taken for the one that cut them; no more shards are given.
    """
    waiting = list(orders)
    out: list[GivenShard] = []
    ended: list[GivenShard] = []
    while waiting or out:
        _bury_the_dead(run, orders)
        for it in out:
            it.look()
        ended += [it for it in out if it.result is not None]
        out = [it for it in out if it.result is None]
        if any(it.result is NOBODY_TAKES for it in ended):
            waiting.clear()
        while waiting and len(out) < _OUT_PER_WORKER * count_workers():
            out.append(GivenShard(run.run_id, waiting.pop(0), options))
            out[-1].look()
        pause(_LOOK_EVERY_SECONDS)
    results = dict.fromkeys(orders, NOBODY_TAKES) | {it.order: it.result for it in ended if it.result is not None}
    return [
        *results.values(),
        _unread({it: error for it, error in results.items() if isinstance(error, BusyTimeError)}, window, scope),
    ]


def _unread(lost: Mapping[ShardOrder, BusyTimeError], window: Window, scope: Scope) -> BatchResult:
    """Count the calendars of shards that were lost."""
    with workspace().store.read() as unit:
        missed = {
            calendar: error.reason
            for order, error in lost.items()
            for calendar in scope.only(unit.roster.calendars(connection_id=order.connection_id))
            if order.shard.holds(calendar.owner)
        }
        return count_unread(unit, missed, window)


def _bury_the_dead(run: OpenRun, orders: Sequence[ShardOrder]) -> None:
    """Close the runs of shards whose process is dead; and see whether this run is still taken for alive itself."""
    office = workspace()
    with office.store.write() as unit:
        for lock in run.locks:
            office.store.check_lock(unit, lock.name, lock.holder)
        for connection_id in {it.connection_id for it in orders}:
            office.store.sweep_locks(unit, f"harvest_busy_time:{connection_id}:%/%")
