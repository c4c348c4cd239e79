"""Opening and closing a run: the row that says it works, and the locks that let it work alone."""

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from prefect import runtime, task
from prefect.cache_policies import NO_CACHE

from busytime.errors import BusyTimeError, NoConnectionError, Reason, UnsafePlanError
from busytime.model import RunStatus, Trigger, Window
from busytime.scope import EVERYTHING, Scope
from busytime.store.unit_of_work import UnitOfWork
from tasks.run_log import say_begun, say_ended
from tasks.stopping import STOPPING
from tasks.workspace import Workspace, workspace


@dataclass(frozen=True, slots=True)
class HeldLock:
    """The lock of a flow's work through one connection, or in the house itself."""

    name: str
    holder: str
    connection_id: int


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a run's work, done through one connection.

    Args:
        number: Its number in the run.
        run_id: The run.
        lock: The lock of its connection.
    """

    number: int
    run_id: int
    lock: HeldLock

    @property
    def connection_id(self) -> int:
        """The connection."""
        return self.lock.connection_id


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run that has started.

    Args:
        run_id: Its surrogate key.
        locks: One for each connection that it works through; none where others work on all of them.
    """

    run_id: int
    locks: tuple[HeldLock, ...] = field(default=())


@task(name="is_overtaken", cache_policy=NO_CACHE)
def is_overtaken(flow: str, trigger: Trigger) -> bool:
    """Tell whether a scheduled run comes so late that another one has begun since it was due.

    While a machine is off, Prefect's schedules pile up runs, which all fire when it is on again.
    """
    due = runtime.flow_run.scheduled_start_time
    if trigger is not Trigger.SCHEDULE or due is None:
        return False
    office = workspace()
    with office.store.read() as unit:
        return unit.runs.began_between(flow, due, office.clock.now())


@task(name="open_run", cache_policy=NO_CACHE)
def open_run(
    flow: str,
    trigger: Trigger,
    window: Window | None = None,
    *,
    alone: bool = True,
    scope: Scope = EVERYTHING,
) -> OpenRun:
    """Note that a run has started and take its locks; the run of a dead holder is closed as crashed.

    Args:
        flow: Name of the flow.
        trigger: What started it.
        window: What it reads.
        alone: Whether it needs each connection for itself; a run that gets none is noted as skipped. Otherwise its locks
            only show that it lives, and any number of runs have theirs.
        scope: What it works on.

    Raises:
        NoConnectionError: There is nothing to work through; that is noted too.
    """
    office = workspace()
    # By now all is imported. Prefect's some 190,000 objects stay; looking through them again and again took a quarter
    # of a harvest's processor time.
    gc.collect()
    gc.freeze()
    with office.store.write() as unit:
        # One transaction: a process that dies here leaves either nothing, or a run with the locks that give it away.
        run = _open(office, unit, flow, trigger, window, alone=alone, scope=scope)
    if run is not None and run.locks:
        say_begun(run.run_id, flow, trigger, _flow_run_id())
    if run is None:
        raise NoConnectionError("No mailbox is connected yet: run `busytime connect EMAIL`.")
    return run


#: Stands where a lock names its connection, for work that needs none.
_HOUSE = 0


@task(name="open_house_run", cache_policy=NO_CACHE)
def open_house_run(flow: str, trigger: Trigger) -> OpenRun:
    """Note that a run has started that works in the database alone, and take its lock.

    Args:
        flow: Name of the flow.
        trigger: What started it.

    Returns:
        A run without a lock, noted as skipped, where another one is at work.
    """
    office = workspace()
    with office.store.write() as unit:
        run_id = _note_start(office, unit, flow, trigger)
        lock = _take(office, unit, f"{flow}:house:0", run_id, _HOUSE)
        if lock is None:
            unit.runs.close(run_id, RunStatus.SKIPPED, office.clock.now())
        else:
            say_begun(run_id, flow, trigger, _flow_run_id())
    return OpenRun(run_id, (lock,) if lock is not None else ())


def _note_start(office: Workspace, unit: UnitOfWork, flow: str, trigger: Trigger, window: Window | None = None) -> int:
    return unit.runs.open(flow, trigger, unit.owners.id(office.desk.actor), office.clock.now(), window, _flow_run_id())


def _flow_run_id() -> str | None:
    return str(runtime.flow_run.id) if runtime.flow_run.id else None


def _open(
    office: Workspace,
    unit: UnitOfWork,
    flow: str,
    trigger: Trigger,
    window: Window | None,
    *,
    alone: bool,
    scope: Scope,
) -> OpenRun | None:
    if not alone:
        # Nobody else wants the lock of such a run, so somebody has to look which of their holders are dead.
        office.store.sweep_locks(unit, f"{flow}:%:run-%")
    connections = [it for it in unit.connections.all_open() if scope.connects(it.id)]
    now = office.clock.now()
    run_id = _note_start(office, unit, flow, trigger, window)
    shard = str(scope.shard or 0) if alone else f"run-{run_id}"
    free = [it for it in connections if not alone or _is_free(office, unit, f"{flow}:{it.id}:", scope)]
    taken = [_take(office, unit, f"{flow}:{it.id}:{shard}", run_id, it.id) for it in free]
    run = OpenRun(run_id, tuple(lock for lock in taken if lock is not None))
    if not connections:
        unit.runs.close(run_id, RunStatus.REFUSED, now, reason=Reason.NO_CONNECTION)
        return None
    if not run.locks:
        unit.runs.close(run_id, RunStatus.SKIPPED, now)
    return run


def _is_free(office: Workspace, unit: UnitOfWork, prefix: str, scope: Scope) -> bool:
    """Tell whether no other cut of a connection's calendars is at work: two cuts have calendars in common.

    A shard may be read while the run that cut it holds the connection, and beside the others of that cut.
    """
    office.store.sweep_locks(unit, f"{prefix}%")
    others = unit.locks.held(f"{prefix}%")
    whole = others.pop(f"{prefix}0", None)
    if scope.shard is None:
        return not others
    return whole == scope.cut_by and all(name.endswith(f"/{scope.shard.count}") for name in others)


def _take(office: Workspace, unit: UnitOfWork, name: str, run_id: int, connection_id: int) -> HeldLock | None:
    holder, dead_run = office.store.take_lock(unit, name, run_id)
    if dead_run is not None:
        unit.runs.close(dead_run, RunStatus.CRASHED, office.clock.now())
    return HeldLock(name, holder, connection_id) if holder is not None else None


def finish_run(
    office: Workspace, run: OpenRun, status: RunStatus, reason: Reason | None = None, counts: Mapping[str, int] | None = None
) -> None:
    """Note how a run ended, and give its locks back."""
    with office.store.write() as unit:
        unit.runs.close(run.run_id, status, office.clock.now(), reason=reason, counts=counts)
    for lock in run.locks:
        office.store.release_lock(lock.name, lock.holder)
    office.remember()
    say_ended(run.run_id, status, reason, counts)


@contextmanager
def closed_on_error(run: OpenRun) -> Iterator[None]:
    """Give the locks back when a run breaks off; a killed process cannot, and the next run does it for it."""
    STOPPING.clear()
    try:
        yield
    except BaseException as error:
        STOPPING.set()
        stopped = isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit)
        reason = error.reason if isinstance(error, BusyTimeError) else Reason.STOPPED if stopped else Reason.UNEXPECTED
        refused = isinstance(error, UnsafePlanError)
        finish_run(workspace(), run, RunStatus.REFUSED if refused else RunStatus.FAILED, reason)
        raise


@task(name="close_run", cache_policy=NO_CACHE)
def close_run(run: OpenRun, status: RunStatus, reason: Reason | None, counts: Mapping[str, int]) -> None:
    """Note how a run ended, and give its locks back."""
    finish_run(workspace(), run, status, reason, counts)
