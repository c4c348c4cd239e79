"""The probe: one log-on before any fan-out."""

from functools import partial

from prefect import task

from busytime.errors import BusyTimeError
from busytime.probing import probe
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
        past_breaker = partial(office.gateway_past_breaker, connection)
        log_on = partial(probe, office.desk, connection, office.gateway(connection), past_breaker, run.run_id, pause)
        patient(office, connection, log_on)
    except BusyTimeError as error:
        step.note(error)
        raise
    step.note()
    return lock
