"""A process of its own in the line of a connection's permits: takes orders as lines, and answers each with one line.

Started as ``python -m tests.integration.store.permit_worker URL KEY MOST LEASE``; it ends with its standard input.
"""

import sys
import time
from contextlib import ExitStack
from pathlib import Path

from busytime import permits
from busytime.permits import PermitLine
from busytime.store.database import open_engine
from busytime.store.locks import SILENT_HOLDER
from busytime.store.permit_book import StoredPermitBook
from busytime.store.unit_of_work import Store
from busytime.vault import MasterKey, Vault
from tests.integration.store.worker import SystemClock


class Worker:
    def __init__(self, url, key, most):
        clock = SystemClock()
        self.store = Store(open_engine(url), Vault([MasterKey.from_text(key)]), clock)
        book = StoredPermitBook(self.store, clock, 1, int(most), SILENT_HOLDER)
        self.line = PermitLine(book, int(most))
        self.held = ExitStack()

    def enter(self):
        self.held.enter_context(self.line.place(lambda: None))
        return "inside"

    def leave(self):
        self.held.close()
        self.line.close()
        return "left"

    def hammer(self, directory, count):
        """Log on again and again; answer with how many were seen inside at once."""
        mine, most = Path(directory, self._name), 0
        for _ in range(int(count)):
            with self.line.place(lambda: None):
                mine.touch()
                time.sleep(0.01)
                most = max(most, len(list(Path(directory).iterdir())))
                mine.unlink()
        self.line.close()
        return most

    def work_until(self, path):
        """Log on again and again until somebody else was inside."""
        while not Path(path).exists():
            with self.line.place(lambda: None):
                time.sleep(0.02)
        self.line.close()
        return "done"

    @property
    def _name(self):
        return str(self.store.process.process_id)


def main():
    worker = Worker(*sys.argv[1:4])
    permits._LONGEST_LEASE_SECONDS = float(sys.argv[4])
    print("ready", flush=True)
    for line in sys.stdin:
        order, *arguments = line.split()
        print(getattr(worker, order)(*arguments), flush=True)
    worker.store.dispose()


if __name__ == "__main__":
    main()
