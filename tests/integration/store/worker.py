"""A process of its own on a database: takes orders as lines, and answers each with one line.

Started as ``python -m tests.integration.store.worker URL KEY``; it ends with its standard input.
"""

import sys
from datetime import UTC, datetime

from busytime.errors import BusyTimeError
from busytime.model import Trigger
from busytime.store.database import open_engine
from busytime.store.entry_book import StoredEntryBook
from busytime.store.unit_of_work import Store
from busytime.vault import MasterKey, Vault


class SystemClock:
    def now(self):
        return datetime.now(UTC)

    def uptime(self):
        return None


class Worker:
    def __init__(self, url, key):
        self.clock = SystemClock()
        self.store = Store(open_engine(url), Vault([MasterKey.from_text(key)]), self.clock)
        self.holdings = {}
        self.books = {}

    def open_run(self, flow="harvest_busy_time"):
        with self.store.write() as unit:
            return unit.runs.open(flow, Trigger.MANUAL, unit.owners.id("worker@host"), self.clock.now())

    def book(self, pace=None):
        """The tables of pushing for the one run of this process."""
        if pace not in self.books:
            self.books[pace] = StoredEntryBook(self.store, self.open_run("push_bookings"), clock=self.clock, pace=pace)
        return self.books[pace]

    def claim(self, calendar_id, pace=None):
        return self.book(pace and int(pace)).claim(int(calendar_id)).value

    def hold(self, calendar_id):
        self.book().hold(int(calendar_id))
        return "held"

    def give_back(self, calendar_id, pace=None):
        self.book(pace and int(pace)).release(int(calendar_id))
        return "released"

    def take(self, name):
        """Take a lock for a new run; answer with the run, and whether the lock was free or whose it was."""
        run_id = self.open_run()
        with self.store.write() as unit:
            holder, dead_run = self.store.take_lock(unit, name, run_id)
        self.holdings[name] = holder
        return f"run {run_id} " + ("refused" if holder is None else f"after {dead_run}" if dead_run else "free")

    def batch(self, name, address):
        """Write under a lock as a batch does: the check and the work in one transaction."""
        with self.store.write() as unit:
            unit.owners.id(address)
            self.store.check_lock(unit, name, self.holdings[name])
        return "written"

    def release(self, name):
        self.store.release_lock(name, self.holdings.pop(name))
        return "released"

    def hammer(self, count):
        for number in range(int(count)):
            with self.store.write() as unit:
                instant = unit.instant
                unit.owners.id(f"{instant:%H%M%S%f}.{number}@host")
            with self.store.read() as unit:
                unit.roster.calendars()
        return "done"

    def append(self, count):
        with self.store.write() as unit:
            actor_id = unit.owners.id("worker@host")
        for number in range(int(count)):
            self.store.append_event("machine:test:appended", actor_id, {"number": number})
        return "done"


def main():
    worker = Worker(*sys.argv[1:3])
    print("ready", flush=True)
    for line in sys.stdin:
        order, *arguments = line.split()
        try:
            print(getattr(worker, order)(*arguments), flush=True)
        except BusyTimeError as error:
            print(type(error).__name__, flush=True)
    worker.store.dispose()


if __name__ == "__main__":
    main()
