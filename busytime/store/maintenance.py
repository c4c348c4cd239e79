"""The tables as a maintenance uses them: each call one short transaction, which checks that the run still holds its lock.

What a transaction removed it says in the audit itself: whatever becomes of the run, nothing is gone without a word.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from busytime.chain import TRIMMED
from busytime.maintaining import BATCH_ROWS, OldRows
from busytime.ports import Clock
from busytime.store.unit_of_work import Store, UnitOfWork


class StoredMaintenance:
    """One run's maintenance.

    Args:
        store: The database.
        run_id: The run.
        lock: Name and holder of its lock.
        clock: Tells the time.
        batch: Rows in one transaction.
    """

    def __init__(self, store: Store, run_id: int, lock: tuple[str, str], *, clock: Clock, batch: int = BATCH_ROWS) -> None:
        self._store = store
        self._run_id = run_id
        self._lock = lock
        self._clock = clock
        self._batch = batch
        self._first_kept: dict[OldRows, int] = {}

    def remove(self, kind: OldRows, before: datetime) -> int:
        """Remove a batch of rows that are older than an instant; return how many, nothing once no more are left."""
        if kind is OldRows.EVENTS:
            return self._trim_events(self._first_kept_of(kind, before))
        first_kept = self._first_kept_of(kind, before) if kind is OldRows.STEPS else 0
        with self._store.write() as unit:
            self._check(unit)
            if kind is OldRows.STEPS:
                removed = unit.retention.remove_steps(first_kept, self._batch)
            else:
                removed = unit.retention.remove_closed(kind, before, self._batch)
            # Last, because transactions queue for it.
            if removed:
                self._say(unit, "machine:history:trimmed", {"table": kind, "removed": removed})
        return removed

    def _first_kept_of(self, kind: OldRows, before: datetime) -> int:
        if kind not in self._first_kept:
            with self._store.read() as unit:
                self._first_kept[kind] = unit.retention.first_kept(kind, before, self._clock.now())
        return self._first_kept[kind]

    def _trim_events(self, first_kept: int) -> int:
        with self._store.write() as unit:
            self._check(unit)
            oldest = unit.retention.oldest_events(first_kept, self._batch)
            if oldest is None:
                return 0
            # Before they go: it follows the last of them where none is left.
            details = {"removed": oldest.count, "through_id": oldest.through_id, "head": oldest.head}
            self._say(unit, TRIMMED, details)
            unit.retention.remove_events(oldest)
        return oldest.count

    def over(self, before: datetime) -> list[int]:
        """Return the rows that may belong to a booking that was over before an instant."""
        with self._store.read() as unit:
            return unit.blanking.candidates(before)

    def blank(self, candidates: list[int], before: datetime) -> int:
        """Take the texts out of bookings that were over before an instant; return of how many rows."""
        with self._store.write() as unit:
            self._check(unit)
            blanked = unit.blanking.blank(candidates, before, self._clock.now())
            if blanked:
                self._say(unit, "machine:bookings:blanked", {"rows": blanked})
        return blanked

    def _check(self, unit: UnitOfWork) -> None:
        self._store.check_lock(unit, *self._lock)

    def _say(self, unit: UnitOfWork, tag: str, details: Mapping[str, Any]) -> None:
        actor_id = unit.runs.actor_of(self._run_id)
        unit.events.append(self._store.audit_key, tag, self._clock.now(), actor_id, details, self._run_id)
