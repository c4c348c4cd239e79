"""The script that one would write: `get_free_busy_info` of exchangelib, 100 accounts a call, and `to_sql` of pandas.

It asks for the view `FreeBusy`, which is less to read than the library's default, and writes through the quickest
connection that pandas takes.
"""

import sqlite3
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from tests.benchmarks.contender import IN_FLIGHT, Facts, count_busy, measure
from tests.benchmarks.contenders.exchangelib_account import configure, open_account, window


def main() -> None:
    facts = Facts.read()
    configuration = configure(facts)
    start, end = window(facts)
    with tempfile.TemporaryDirectory() as directory, closing(sqlite3.connect(Path(directory, "busy.db"))) as database:

        def work() -> None:
            account = open_account(facts.email, configuration)

            def read(owners: tuple[str, ...]) -> pd.DataFrame:
                asked = [(owner, "Required", False) for owner in owners]
                views = account.protocol.get_free_busy_info(asked, start, end, requested_view="FreeBusy")
                rows = [
                    (owner, event.start, event.end, event.busy_type)
                    for owner, view in zip(owners, views, strict=True)
                    for event in view.calendar_events or ()
                ]
                return pd.DataFrame(rows, columns=["owner", "start", "end", "status"])

            with ThreadPoolExecutor(IN_FLIGHT) as pool:
                for frame in pool.map(read, facts.batches()):
                    frame.to_sql("busy", database, if_exists="append", index=False)
            database.commit()

        def count(_: None) -> int:
            rows = database.execute('SELECT "start", "end", status FROM busy')
            return count_busy(((instant(begin), instant(finish), status) for begin, finish, status in rows), facts)

        measure(len(facts.owners), work, count)


def instant(text: str) -> datetime:
    # Event times come without a zone, in the one that was asked.
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


if __name__ == "__main__":
    main()
