"""The steps of a maintenance: texts of bookings that are over are taken out, and what is old goes."""

from datetime import timedelta
from time import monotonic

from prefect import task
from prefect.cache_policies import NO_CACHE

from busytime.maintaining import BATCH_BOOKINGS, BATCH_ROWS, SHORTEST_PAUSE_SECONDS, OldRows, in_batches
from busytime.store.maintenance import StoredMaintenance
from config.settings import Settings
from tasks.runs import OpenRun
from tasks.steps import Step
from tasks.stopping import pause
from tasks.workspace import workspace


@task(name="blank_bookings", cache_policy=NO_CACHE)
def blank_bookings(run: OpenRun) -> int:
    """Take out what guests wrote in bookings that were over long ago; return of how many rows."""
    office = workspace()
    step, tables = Step(office, run.run_id, "blank_bookings", "bookings"), _tables(run)
    before = office.clock.now() - timedelta(days=office.settings.blank_bookings_after_days)
    over = tables.over(before)
    blanked = 0
    for start in range(0, len(over), BATCH_BOOKINGS):
        blanked += tables.blank(over[start : start + BATCH_BOOKINGS], before)
        pause(SHORTEST_PAUSE_SECONDS)
    # What was written over still lies in SQLite's write-ahead log, and in copies that upgrades made.
    office.store.empty_log()
    office.store.remove_copies(before)
    step.note()
    return blanked


@task(name="remove_old", cache_policy=NO_CACHE)
def remove_old(run: OpenRun, kind: OldRows) -> int:
    """Remove the old rows of a table, batch by batch; return how many."""
    office = workspace()
    step, tables = Step(office, run.run_id, "remove_old", kind), _tables(run)
    before = office.clock.now() - _kept(office.settings, kind)
    removed = in_batches(lambda: tables.remove(kind, before), BATCH_ROWS, seconds=monotonic, pause=pause)
    step.note()
    return removed


def _tables(run: OpenRun) -> StoredMaintenance:
    office, (lock,) = workspace(), run.locks
    return StoredMaintenance(office.store, run.run_id, (lock.name, lock.holder), clock=office.clock)


def _kept(settings: Settings, kind: OldRows) -> timedelta:
    """Return how long the rows of a table stay."""
    days = {OldRows.STEPS: settings.keep_steps_days, OldRows.EVENTS: settings.keep_events_days}
    return timedelta(days=days.get(kind, settings.keep_history_days))
