"""A shard that was given to workers: followed until it is read, and given again when its worker is lost.

What Prefect says of a shard's run is a hint, because a killed worker's runs stay as they were; our own row of it, and the
lock that it holds, are the truth. Giving a shard twice does no harm: the second run finds the lock held, and is skipped.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar, cast
from uuid import UUID, uuid4

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, StateType, WorkerStatus
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound

from busytime.errors import BusyTimeError, FatalError, Reason, RetriableError
from busytime.harvesting import BatchResult
from busytime.model import RunStatus
from busytime.scope import Shard
from busytime.store.runs import StoredRun
from tasks.lost_runs import call_crashed
from tasks.workspace import workspace

_LOG = logging.getLogger("busytime.shards")
T = TypeVar("T")

#: The deployment whose runs are shards; one of its own, because the harvest's runs one at a time.
DEPLOYMENT = "harvest_busy_time/harvest-shard"

#: A worker that took a run has begun it by then, or is gone.
_BEGUN_WITHIN = timedelta(seconds=60)
#: By then a worker has taken it, if one is there.
_TAKEN_WITHIN = timedelta(minutes=5)
_MOST_TRIES = 5
_ENDED_WELL = {RunStatus.COMPLETED, RunStatus.COMPLETED_WITH_FAILURES}

NOBODY_TAKES = RetriableError(
    f"No worker took a shard of the harvest within {_TAKEN_WITHIN.seconds // 60} minutes; the next harvest tries again. Look "
    "whether workers run, and let each take several runs at once.",
    reason=Reason.TIMED_OUT,
)


def _now() -> datetime:
    return workspace().clock.now()


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


@dataclass(slots=True)
class GivenShard:
    """A shard, and the run that was last asked to read it.

    Args:
        run_id: The run that cut it.
        order: Which it is.
        options: What else is said to its run.
        result: What it came to, once that is settled.
    """

    run_id: int
    order: ShardOrder
    options: dict[str, object]
    result: BatchResult | BusyTimeError | None = None
    _flow_run_id: UUID | None = None
    _tries: int = 0
    _name: str = field(default_factory=lambda: uuid4().hex)
    _asked_at: datetime = field(default_factory=_now)
    _taken_at: datetime | None = None

    def look(self) -> None:
        """Give the shard if nobody has it, or take what became of it."""
        stored = self._stored()
        status = stored.status if stored else None
        if stored is not None and status in _ENDED_WELL:
            self.result = _as_result(stored)
        elif stored is not None and status is RunStatus.REFUSED:
            said = f"Shard {self.order.shard} of {self.order.email} was refused: see run {stored.id}."
            self.result = FatalError(said, reason=stored.reason)
        elif status is None and _elapsed(self._asked_at) > _TAKEN_WITHIN:
            self._end_in_prefect()  # else it would fire when a worker comes at last
            self.result = NOBODY_TAKES
        elif status is not RunStatus.RUNNING and not (status is None and self._may_begin()):
            if status in {None, RunStatus.CRASHED}:
                self._end_in_prefect()
            self._give()

    def _stored(self) -> StoredRun | None:
        """Return our row of its run, once it has one."""
        if self._flow_run_id is None:
            return None
        with workspace().store.read() as unit:
            return unit.runs.of_prefect(str(self._flow_run_id))

    def _may_begin(self) -> bool:
        """Tell whether its run may still begin; where Prefect cannot be asked, it may."""
        run = self._flow_run_id
        if run is None:
            return False
        try:
            state = _asked(lambda client: client.read_flow_run(run).state)
        except ObjectNotFound:
            return False
        if state is None or state.type is StateType.SCHEDULED:
            return True
        self._taken_at = self._taken_at or _now()
        return not state.is_final() and _elapsed(self._taken_at) < _BEGUN_WITHIN

    def _end_in_prefect(self) -> None:
        """Let Prefect know that its run is lost: a killed worker's runs stay as they were, and others might begin yet."""
        run = self._flow_run_id
        if run is None:
            return
        _asked(lambda client: call_crashed(client, run, "No worker that lives has it."))

    def _give(self) -> None:
        if self._tries >= _MOST_TRIES:
            self.result = RetriableError(
                f"No worker ended shard {self.order.shard} of {self.order.email} in {_MOST_TRIES} tries; the next harvest "
                "tries again. Look what its runs say.",
                reason=Reason.TIMED_OUT,
            )
            return
        shard = {"index": self.order.shard.index, "count": self.order.shard.count, "parent_run_id": self.run_id}
        said = {"options": self.options | {"shard": shard, "connections": [self.order.email]}}
        try:
            # The key makes one run of two requests, where the answer to the first was lost.
            given = _asked(
                lambda _: run_deployment(DEPLOYMENT, parameters=said, timeout=0, idempotency_key=f"{self._name}/{self._tries}")
            )
        except ObjectNotFound:
            self.result = FatalError(
                f"Prefect has no deployment {DEPLOYMENT}: make all that `deployments/prefect.yaml` describes."
            )
            return
        if given is not None:
            self._flow_run_id = cast("FlowRun", given).id  # without a running event loop it is no coroutine
            self._tries += 1
            self._asked_at, self._taken_at = _now(), None


def _as_result(stored: StoredRun) -> BatchResult:
    known, unknown, opened, closed, failed = (
        stored.counts.get(name, 0) for name in ("known", "unknown", "opened", "closed", "failed")
    )
    return BatchResult(known, unknown, opened, closed, failed_elsewhere=failed)


def _elapsed(since: datetime) -> timedelta:
    return _now() - since


def count_workers() -> int:
    """Return how many workers live that could take a shard, and one where that cannot be told."""

    def question(client: SyncPrefectClient) -> int:
        pool = client.read_deployment_by_name(DEPLOYMENT).work_pool_name or ""
        return sum(it.status is WorkerStatus.ONLINE for it in client.read_workers_for_work_pool(pool))

    try:
        return max(1, _asked(question) or 1)
    except ObjectNotFound:
        return 1


def _asked(question: Callable[[SyncPrefectClient], T]) -> T | None:
    """Ask Prefect; ``None`` while its server is away, for the next look.

    Raises:
        ObjectNotFound: What is asked about is not there.
    """
    try:
        with get_client(sync_client=True) as client:
            return question(client)
    except ObjectNotFound:
        raise
    except Exception as error:  # noqa: BLE001 -- Prefect raises all kinds of things when its server is away
        _LOG.warning("Prefect's server could not be asked about a shard (%s).", type(error).__name__)
        return None
