"""The look for work: every few seconds one query each for a push and a re-sync; what is due is started, once.

Events wake flows sooner, but events get lost; the rows that this looks for do not. Runs that were found dead are shown as
crashed on Prefect's page, too.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from busytime.errors import BusyTimeError
from busytime.model import RequestKind, Trigger
from busytime.store.due import ASKED_AGAIN_AFTER
from busytime.store.unit_of_work import UnitOfWork
from tasks.workspace import Workspace

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun

_LOG = logging.getLogger("busytime.serve")

LOOK_EVERY_SECONDS = 15.0
#: A flow that has begun to run looks at the tables within so long.
_LOOKS_WITHIN = timedelta(seconds=30)
#: A run that a worker took begins within so long.
_LOST = timedelta(minutes=5)
#: For so long after a run was found dead Prefect is told; its server may be away.
_TOLD_WITHIN = timedelta(hours=1)


@dataclass(slots=True)
class Errand:
    """A flow that is started when there is something for it to do.

    Args:
        deployment: Its deployment.
        trigger: What its runs say they were started by.
        is_due: Tells whether there is something to do.
        once: Whether a service starts it once at most.
        takes_requests: Whether its runs take what is asked for, which they keep if they die.
    """

    deployment: str
    trigger: Trigger
    is_due: Callable[[UnitOfWork], bool]
    once: bool = False
    takes_requests: bool = False


def errands(office: Workspace) -> list[Errand]:
    """Return what is looked for."""

    def long_ago() -> datetime:
        return office.clock.now() - ASKED_AGAIN_AFTER

    def asked(kind: RequestKind) -> Callable[[UnitOfWork], bool]:
        return lambda unit: unit.due.request(kind, long_ago())

    return [
        Errand("resync_connection/resync", Trigger.REQUEST, asked(RequestKind.RESYNC), takes_requests=True),
        Errand("validate_delegation/validate", Trigger.REQUEST, asked(RequestKind.VALIDATE), takes_requests=True),
        Errand("push_bookings/push", Trigger.REQUEST, lambda unit: unit.due.push(long_ago())),
        # Schedules begin at their next instant; who starts a service wants to see it work.
        Errand("harvest_busy_time/harvest", Trigger.SCHEDULE, lambda unit: unit.due.harvest(long_ago()), once=True),
    ]


class Dispatcher:
    """Starts what is due, on the server that `PREFECT_API_URL` names."""

    def __init__(self, office: Workspace) -> None:
        """Look nothing up yet."""
        self._office = office
        self._errands = errands(office)
        self._told: set[str] = set()

    def run(self, stopping: threading.Event) -> None:
        """Look again and again, until told to stop; a look that fails is made again."""
        while not stopping.is_set():
            try:
                for errand in list(self._errands):
                    with _going_on(f"to start {errand.deployment}"):
                        if self.look(errand) and errand.once:
                            self._errands.remove(errand)
                with _going_on("to call dead runs crashed"):
                    self.tell_of_the_dead()
            except BusyTimeError as error:
                _LOG.warning("%s", error)  # the database is away for the others, too
            stopping.wait(LOOK_EVERY_SECONDS)

    def tell_of_the_dead(self) -> None:
        """Let Prefect know of runs that were found dead: it would show them as running for ever."""
        with self._office.store.read() as unit:
            dead = unit.runs.crashed_since(self._office.clock.now() - _TOLD_WITHIN)
        if not dead <= self._told:
            from prefect.client.orchestration import get_client  # noqa: PLC0415 -- its settings are read when it is imported

            from tasks.lost_runs import call_crashed  # noqa: PLC0415 -- as above

            with get_client(sync_client=True) as client:
                for flow_run_id in dead - self._told:
                    call_crashed(client, UUID(flow_run_id), "Its process is gone; the next run goes on where it ended.")
        self._told = dead

    def look(self, errand: Errand) -> bool:
        """Start a flow if something is due and no run waits that was started for it; tell whether it was started.

        Several services may look at the same tables: each sees the runs that the others started.
        """
        if errand.takes_requests:
            self._close_dead_runs(errand.deployment.partition("/")[0])
        with self._office.store.read() as unit:
            due = errand.is_due(unit)
        if not due:
            return False
        from prefect.client.orchestration import get_client  # noqa: PLC0415 -- its settings are read when it is imported

        with get_client(sync_client=True) as client:
            deployment = client.read_deployment_by_name(errand.deployment)
            if self._is_waited_for(client, deployment.id):
                return False
            parameters = {"options": {"trigger": str(errand.trigger)}}
            client.create_flow_run_from_deployment(deployment.id, parameters=parameters)
        _LOG.info("Started %s.", errand.deployment)
        return True

    def _close_dead_runs(self, flow: str) -> None:
        """Close the runs of a flow that lost their process or their database, so that what they took is asked for again."""
        store = self._office.store
        with store.read() as unit:
            begun = {name for _, name, _ in unit.alarm_facts.at_work_since_before(self._office.clock.now())}
        if flow in begun:
            with store.write() as unit:
                store.sweep_locks(unit, f"{flow}:%")

    def _is_waited_for(self, client: "SyncPrefectClient", deployment_id: UUID) -> bool:
        """Tell whether a run was started, here, on another machine or by an event, that has not looked at the tables yet.

        One that works already does not count: what is due now came after it had looked. Nor does one that a worker took and
        did not begin: it was lost with its worker.
        """
        from prefect.client.schemas import filters  # noqa: PLC0415 -- as above
        from prefect.client.schemas.objects import StateType  # noqa: PLC0415 -- as above

        now = self._office.clock.now()
        started = client.read_flow_runs(
            deployment_filter=filters.DeploymentFilter(id=filters.DeploymentFilterId(any_=[deployment_id])),
            flow_run_filter=filters.FlowRunFilter(
                expected_start_time=filters.FlowRunFilterExpectedStartTime(before_=now),
                state=filters.FlowRunFilterState(
                    type=filters.FlowRunFilterStateType(any_=[StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING])
                ),
            ),
        )
        return any(_will_look(it, now) for it in started)


@contextmanager
def _going_on(purpose: str) -> Iterator[None]:
    """Let nothing but our own errors stop what comes next."""
    try:
        yield
    except BusyTimeError:
        raise
    except Exception as error:  # noqa: BLE001 -- Prefect raises all kinds of things when its server is away
        _LOG.warning("Prefect's server could not be asked %s (%s).", purpose, type(error).__name__)


def _will_look(run: "FlowRun", now: datetime) -> bool:
    state = run.state
    if state is None:
        return False
    return state.is_scheduled() or now - state.timestamp < (_LOST if state.is_pending() else _LOOKS_WITHIN)
