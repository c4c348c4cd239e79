"""Old rows in bulk, and maintenances in a store: what tests of retention stand on."""

from datetime import timedelta

from sqlalchemy import func, insert, select

from busytime.maintaining import OldRows
from busytime.store.columns import metadata
from busytime.store.maintenance import StoredMaintenance
from tests.unit.moments import MONDAY

LOCK = "maintain:house:0"
DAY = timedelta(days=1)
HISTORY = (OldRows.PERMISSIONS, OldRows.BUSY_INTERVALS, OldRows.COVERAGE)


def open_maintenance(store, run_id, clock, **more):
    """Take the lock for a run, and return its maintenance; ``None`` where another one holds it."""
    with store.write() as unit:
        holder, dead = store.take_lock(unit, LOCK, run_id)
    return None if holder is None else StoredMaintenance(store, run_id, (LOCK, holder), clock=clock, **more), dead


def history_row(kind, number, run_id, calendar_id, closed_at):
    """One row of history; current where it was not closed."""
    starts_at = MONDAY + timedelta(minutes=number)
    row = {
        "calendar_id": calendar_id,
        "opened_run_id": run_id,
        "closed_run_id": run_id if closed_at else None,
        "valid_from": MONDAY - 2000 * DAY,
        "valid_to": closed_at,
    }
    window = {"starts_at": starts_at, "ends_at": starts_at + timedelta(minutes=1)}
    own = {
        OldRows.PERMISSIONS: {"connection_id": 1, "need": "read", "required": "Reviewer", "verdict": "granted"},
        OldRows.BUSY_INTERVALS: window | {"status": "busy", "count": 1},
        OldRows.COVERAGE: window | {"state": "covered", "as_of": MONDAY, "failures": 0},
    }
    return row | own[kind]


def step_row(run_id, finished_at):
    zeros = {"attempt": 1, "duration_ms": 1, "calendars": 0}
    return {"run_id": run_id, "step": "s", "target": "1", "outcome": "applied", "finished_at": finished_at} | zeros


def write_rows(engine, kind, given):
    with engine.connect().execution_options(writer=True) as connection, connection.begin():
        connection.execute(insert(metadata.tables[kind]), given)


def count(engine, kind):
    with engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(metadata.tables[kind])).scalar_one()
