"""What a harvest left in its home."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path


def stored_intervals() -> int:
    with closing(sqlite3.connect(Path(os.environ["BUSYTIME_HOME"], "busytime.db"))) as database:
        return int(database.execute("SELECT sum(count) FROM busy_intervals WHERE valid_to IS NULL").fetchone()[0])
