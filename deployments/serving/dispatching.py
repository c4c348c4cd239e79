"""The look for work: every few seconds one query each for a push and a re-sync; what is due is started, once.

Events wake flows sooner, but events get lost; the rows that this looks for do not.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from busytime.errors import BusyTimeError
from busytime.model import RequestKind, Trigger
from busytime.store.unit_of_work import UnitOfWork
from tasks.workspace import Workspace

_LOG = logging.getLogger("busytime.serve")

LOOK_EVERY_SECONDS = 15.0
#: A push looks at everything at least so often, whatever the query says.
AT_THE_LATEST = timedelta(minutes=15)


@dataclass(slots=True)
class Errand:
    """A flow that is started when there is something for it to do.

    Args:
        deployment: Its deployment.
        trigger: What its runs say they were started by.
        is_due: Tells whether there is something to do.
        once: Whether it is looked for only when the service starts.
    """

    deployment: str
    trigger: Trigger
    is_due: Callable[[UnitOfWork], bool]
    once: bool = False
    flow_run_id: UUID | None = field(default=None)


def errands(office: Workspace) -> list[Errand]:
    """Return what is looked for."""

    def long_ago() -> datetime:
        return office.clock.now() - AT_THE_LATEST

    def asked(kind: RequestKind) -> Callable[[UnitOfWork], bool]:
        return lambda unit: unit.due.request(kind, long_ago())

    return [
        Errand("resync_connection/resync", Trigger.REQUEST, asked(RequestKind.RESYNC)),
        Errand("validate_delegation/validate", Trigger.REQUEST, asked(RequestKind.VALIDATE)),
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

    def run(self, stopping: threading.Event) -> None:
        """Look again and again, until told to stop; a look that fails is made again."""
        while not stopping.is_set():
            for errand in list(self._errands):
                try:
                    self.look(errand)
                    if errand.once:
                        self._errands.remove(errand)
                except BusyTimeError as error:
                    _LOG.warning("%s", error)
                except Exception as error:  # noqa: BLE001 -- Prefect raises all kinds of things when its server is away
                    _LOG.warning("Prefect's server could not be asked to start %s (%s).", errand.deployment, type(error).__name__)
            stopping.wait(LOOK_EVERY_SECONDS)

    def look(self, errand: Errand) -> bool:
        """Start a flow if something is due and the run that was started before is over; tell whether it was started."""
        with self._office.store.read() as unit:
            due = errand.is_due(unit)
        if not due or self._is_under_way(errand):
            return False
        errand.flow_run_id = _start(errand)
        _LOG.info("Started %s.", errand.deployment)
        return True

    @staticmethod
    def _is_under_way(errand: Errand) -> bool:
        if errand.flow_run_id is None:
            return False
        from prefect.client.orchestration import get_client  # noqa: PLC0415 -- its settings are read when it is imported
        from prefect.exceptions import ObjectNotFound  # noqa: PLC0415 -- as above

        with get_client(sync_client=True) as client:
            try:
                state = client.read_flow_run(errand.flow_run_id).state
            except ObjectNotFound:
                return False
        return state is not None and not state.is_final()


def _start(errand: Errand) -> UUID:
    from prefect.client.orchestration import get_client  # noqa: PLC0415 -- as above

    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name(errand.deployment)
        parameters = {"options": {"trigger": str(errand.trigger)}}
        return client.create_flow_run_from_deployment(deployment.id, parameters=parameters).id
