"""Shards: parts of a very large harvest, given as runs of their own to whatever worker is free, and given again if one is lost.

What Prefect says of a shard's run is a hint, because a killed worker's runs stay as they were; our own row of it, and the
lock that it holds, are the truth. Giving a shard twice does no harm: the second run finds the lock held, and is skipped.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

from prefect import runtime, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment

from busytime.errors import BusyTimeError, FatalError, Reason, RetriableError
from busytime.harvesting import BatchResult
from busytime.model import RunStatus
from busytime.scope import Scope, Shard, shards_of
from busytime.store.runs import StoredRun
from tasks.runs import HeldLock
from tasks.stopping import pause
from tasks.workspace import workspace

#: The deployment whose runs are shards; one of its own, because the harvest's runs one at a time.
DEPLOYMENT = "harvest_busy_time/harvest-shard"

_LOOK_EVERY_SECONDS = 2.0
#: A run that no worker has begun for so long is given again: who had taken it may be gone.
_UNTAKEN = timedelta(minutes=5)
_MOST_TRIES = 5


@dataclass(frozen=True, slots=True)
class ShardOrder:
    """A shard of one connection's calendars, to be read by a run of its own.

    Args:
        email: The connection's account.
        connection_id: Its surrogate key.
        shard: Which part.
    """

    email: str
    connection_id: int
    shard: Shard


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
def run_shards(run_id: int, orders: Sequence[ShardOrder], options: dict[str, object]) -> list[BatchResult | BusyTimeError]:
    """Have all shards read, and return what each came to.

    Args:
        run_id: The run that cut them.
        orders: The shards.
        options: What else is said to each of their runs, as a form takes it.
    """
    given = [_GivenShard(run_id, order, options) for order in orders]
    while any(it.result is None for it in given):
        for it in given:
            it.look()
        pause(_LOOK_EVERY_SECONDS)
    return [it.result for it in given if it.result is not None]


@dataclass(slots=True)
class _GivenShard:
    """A shard, and the run that was last asked to read it."""

    run_id: int
    order: ShardOrder
    options: dict[str, object]
    flow_run_id: UUID | None = None
    given_at: datetime | None = None
    tries: int = 0
    result: BatchResult | BusyTimeError | None = field(default=None)

    def look(self) -> None:
        """Give the shard if nobody has it, or take what became of it."""
        if self.result is not None:
            return
        stored = self._stored()
        if stored is None and self._is_waiting():
            return
        if stored is not None and stored.status is RunStatus.RUNNING:
            return
        if stored is None or stored.status in {RunStatus.CRASHED, RunStatus.SKIPPED}:
            self._give()
        elif stored.status in {RunStatus.COMPLETED, RunStatus.COMPLETED_WITH_FAILURES}:
            known, unknown, opened, closed = (stored.counts.get(it, 0) for it in ("known", "unknown", "opened", "closed"))
            self.result = BatchResult(known, unknown, opened, closed)
        else:
            said = f"Shard {self.order.shard} of {self.order.email} ended as {stored.status}: see run {stored.id}."
            self.result = FatalError(said, reason=stored.reason)

    def _stored(self) -> StoredRun | None:
        """Return our row of its run, once it has one; a run whose process is dead is closed by this look."""
        if self.flow_run_id is None:
            return None
        office = workspace()
        with office.store.write() as unit:
            office.store.sweep_locks(unit, f"harvest_busy_time:{self.order.connection_id}:{self.order.shard}")
            return unit.runs.of_prefect(str(self.flow_run_id))

    def _is_waiting(self) -> bool:
        """Tell whether its run may still begin."""
        if self.flow_run_id is None:
            return False
        with get_client(sync_client=True) as client:
            state = client.read_flow_run(self.flow_run_id).state
        is_over = state is None or state.is_final()
        given_at = self.given_at or workspace().clock.now()
        return not is_over and workspace().clock.now() - given_at < _UNTAKEN

    def _give(self) -> None:
        if self.tries >= _MOST_TRIES:
            self.result = RetriableError(
                f"No worker ended shard {self.order.shard} of {self.order.email} in {_MOST_TRIES} tries; the next harvest "
                "tries again. Look whether workers run.",
                reason=Reason.TIMED_OUT,
            )
            return
        shard = {"index": self.order.shard.index, "count": self.order.shard.count, "parent_run_id": self.run_id}
        options = self.options | {"shard": shard, "connections": [self.order.email]}
        self.tries += 1
        self.given_at = workspace().clock.now()
        given = run_deployment(DEPLOYMENT, parameters={"options": options}, timeout=0)
        self.flow_run_id = cast("FlowRun", given).id  # without a running event loop it is no coroutine
