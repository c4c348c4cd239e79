"""Retention: every closed row of history and every step goes: ``python -m ... URL``, the master key on standard input."""

import json
import sys
from time import monotonic, sleep

from busytime.maintaining import BATCH_ROWS, OldRows, in_batches
from busytime.model import Trigger
from busytime.store.database import open_engine
from busytime.store.maintenance import StoredMaintenance
from busytime.store.unit_of_work import Store
from busytime.vault import MasterKey, Vault
from tests.benchmarks.audit_store import NOW
from tests.unit.moments import HandClock

_KINDS = (OldRows.PERMISSIONS, OldRows.BUSY_INTERVALS, OldRows.COVERAGE, OldRows.STEPS)


def main(url: str) -> None:
    clock = HandClock(NOW)
    store = Store(open_engine(url), Vault([MasterKey.from_text(sys.stdin.read())]), clock)
    with store.write() as unit:
        run = unit.runs.open("maintain", Trigger.MANUAL, 1, NOW)
        holder, _ = store.take_lock(unit, "maintain:house:0", run)
    assert holder is not None
    tables = StoredMaintenance(store, run, ("maintain:house:0", holder), clock=clock)
    removed, batches, started = 0, [], monotonic()
    for kind in _KINDS:

        def one(kind: OldRows = kind) -> int:
            begun = monotonic()
            count = tables.remove(kind, NOW)
            batches.append(monotonic() - begun)
            return count

        removed += in_batches(one, BATCH_ROWS, seconds=monotonic, pause=sleep)
    seconds = monotonic() - started
    store.release_lock("maintain:house:0", holder)
    print(json.dumps({"rows": removed, "seconds": seconds, "batches": len(batches), "slowest_batch": max(batches)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
