"""Harvests of the whole filled store, one after another until standard input is closed: ``python -m ... URL CALENDARS``.

Answers are made up from what is stored: of every hundred appointments two are gone and two are new. What a server takes to
answer is left out, so that the database is under as much load as harvests can make.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from statistics import median
from threading import Thread
from time import monotonic

from busytime.harvesting import record_batch
from busytime.intervals import CurrentIntervals
from busytime.model import BusyStatus, BusyTime, Calendar, CalendarKind, RunStatus, Trigger, harvest_window
from busytime.reading import Reading
from busytime.store.database import open_engine
from busytime.store.unit_of_work import Store
from busytime.vault import MasterKey, Vault
from tests.benchmarks.audit_store import NOW
from tests.benchmarks.contender import OWNERS_IN_A_CALL
from tests.unit.moments import MAX_AGE, HandClock

_WINDOW = harvest_window(NOW, 60)
_OF = 50


class Harvests:
    """Harvests as long as they are wanted."""

    def __init__(self, url: str, calendars: int) -> None:
        self.clock = HandClock(NOW)
        self._store = Store(open_engine(url), Vault([MasterKey.generate()]), self.clock)
        self._calendars = [
            Calendar(key, f"owner{key:04}@corp.example", "", CalendarKind.DEFAULT) for key in range(1, calendars + 1)
        ]
        self.batches: list[float] = []

    def harvest(self, number: int) -> None:
        """Harvest every calendar once."""
        with self._store.write() as unit:
            run = unit.runs.open("harvest_busy_time", Trigger.MANUAL, 1, self.clock.now())
        for start in range(0, len(self._calendars), OWNERS_IN_A_CALL):
            batch = self._calendars[start : start + OWNERS_IN_A_CALL]
            reading = self._reading(batch, number)
            begun = monotonic()
            with self._store.write() as unit:
                record_batch(unit, batch, reading, _WINDOW, run, MAX_AGE)
            self.batches.append(monotonic() - begun)
        with self._store.write() as unit:
            unit.runs.close(run, RunStatus.COMPLETED, self.clock.now(), counts={})
        self.clock.go(minutes=5)

    def _reading(self, batch: Sequence[Calendar], number: int) -> Reading:
        with self._store.read() as unit:
            before = unit.busy_time.intervals([it.id for it in batch], _WINDOW)
        return Reading(self.clock.now(), {it.id: BusyTime(tuple(_changed(before.get(it.id, {}), number))) for it in batch})


def _changed(before: CurrentIntervals, number: int) -> Iterator[tuple[object, ...]]:
    for place, (start, end, status) in enumerate(before):
        if place % _OF != number % _OF:
            yield start, end, status
        else:
            yield start + timedelta(minutes=1), end + timedelta(minutes=1), BusyStatus.BUSY


def main(url: str, calendars: str, least: str) -> None:
    harvests = Harvests(url, int(calendars))
    waiting = Thread(target=sys.stdin.read, daemon=True)
    waiting.start()
    count, started = 0, monotonic()
    while waiting.is_alive() or count < int(least):
        harvests.harvest(count)
        count += 1
    told = {"harvests": count, "seconds": monotonic() - started, "batches": len(harvests.batches)}
    print(json.dumps(told | {"median_batch": median(harvests.batches), "slowest_batch": max(harvests.batches)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
