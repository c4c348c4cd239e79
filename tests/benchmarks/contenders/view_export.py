"""The busy time up to an instant as one Parquet file, by the product's export: ``python -m ... URL UNTIL DIRECTORY``."""

import sys
from datetime import datetime
from pathlib import Path

from busytime.export.exporting import ExportOrder, Format, export
from busytime.store.cuts import Span
from busytime.store.reading_views import open_reader, snapshot
from tests.benchmarks.contender import measure_rows


def main(url: str, until: str, directory: str) -> None:
    end = datetime.fromisoformat(until)
    order = ExportOrder(("audit_busy_time",), Format.PARQUET, Span(end=end))

    def work() -> int:
        with snapshot(open_reader(url)) as views:
            return export(views, order, Path(directory), end).files[0].rows

    measure_rows(work)


if __name__ == "__main__":
    main(*sys.argv[1:])
