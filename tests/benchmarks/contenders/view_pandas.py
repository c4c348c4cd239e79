"""The same file by the script that one would write: `read_sql` and `to_parquet` of pandas."""

import sys
from datetime import datetime
from pathlib import Path

import pandas as pd
from sqlalchemy import create_engine, make_url, text

from tests.benchmarks.contender import measure_rows


def main(url: str, until: str, directory: str) -> None:
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))

    def work() -> int:
        query = text("SELECT * FROM audit_busy_time WHERE valid_from < :until ORDER BY id")
        with engine.connect() as connection:
            frame = pd.read_sql(query, connection, params={"until": datetime.fromisoformat(until)})
        frame.to_parquet(Path(directory, "audit_busy_time.parquet"))
        return len(frame)

    measure_rows(work)


if __name__ == "__main__":
    main(*sys.argv[1:])
