"""The probe: one log-on before any fan-out."""

from functools import partial

from prefect import task

from busytime.errors import BusyTimeError
from tasks.runs import HeldLock, OpenRun
from tasks.steps import RETRIED, Step, patient
from tasks.stopping import pause
from tasks.workspace import workspace


@task(name="probe_connection", **RETRIED)
def probe_connection(run: OpenRun, lock: HeldLock) -> HeldLock:
    """Log on once; return the connection's lock, for the steps behind it."""
    office = workspace()
    connection = office.connection(lock.connection_id)
    step = Step(office, run.run_id, "probe_connection", connection.id)
    try:
        patient(office, connection, partial(office.log_on, connection, run.run_id, pause))
    except BusyTimeError as error:
        step.note(error)
        raise
    step.note()
    return lock
