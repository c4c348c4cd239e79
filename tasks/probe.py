"""The probe: one log-on before any fan-out."""

from functools import partial

from prefect import task

from busytime.connecting import probe
from busytime.errors import BusyTimeError
from tasks.runs import HeldLock, OpenRun
from tasks.steps import RETRIED, Step, patient
from tasks.workspace import workspace


@task(name="probe_connection", **RETRIED)
def probe_connection(run: OpenRun, lock: HeldLock) -> HeldLock:
    """Log on once; return the connection's lock, for the steps behind it."""
    office = workspace()
    connection = office.connection(lock.connection_id)
    step = Step(office, run.run_id, "probe_connection", connection.id)
    try:
        patient(office, connection, partial(probe, office.desk, connection, office.gateway(connection), run.run_id))
    except BusyTimeError as error:
        step.note(error)
        raise
    step.note()
    return lock
