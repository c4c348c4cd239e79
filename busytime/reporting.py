"""The views as data frames, for the data team; the only module that imports pandas.

It gives what an export as Parquet gives: aware times, categories for closed lists, integers that can be NULL. It needs
no key and cannot write. It is a front door, and so the only part of this package that reads the settings.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime

import pandas as pd
import pyarrow as pa

from busytime.export.arrow import batch, schema
from busytime.store.cuts import Span
from busytime.store.reading_views import ROWS_AT_ONCE, open_reader, snapshot, view_columns, view_name
from config.settings import load_settings


def frame(
    view: str,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    since_run: int | None = None,
    database_url: str | None = None,
) -> pd.DataFrame:
    """Read a view as one data frame.

    Args:
        view: Name of a view, with or without ``audit_``: ``coverage``.
        start: Aware instant: rows from before it are left out, as by `busytime audit export --from`.
        end: Aware instant: rows from it on are left out, as by `--to`.
        since_run: Rows that were not written after this run are left out, as by `--since-run`.
        database_url: Address of the database; by default the one that the settings name.

    Returns:
        A frame with the view's columns, in order of its keys.

    Raises:
        ConfigurationError: There is no such view, run or database, or a time has no offset.
    """
    with _batches(view, Span(start, end), since_run, database_url, ROWS_AT_ONCE) as (none, batches):
        return pa.Table.from_batches([none, *batches]).to_pandas()


def frames(
    view: str,
    *,
    rows_at_once: int = 100_000,
    start: datetime | None = None,
    end: datetime | None = None,
    since_run: int | None = None,
    database_url: str | None = None,
) -> Iterator[pd.DataFrame]:
    """Read a view as data frames of at most so many rows, all of one instant; only one is in memory.

    Args:
        view: As of `frame`.
        rows_at_once: How many rows a frame has at most.
        start: As of `frame`.
        end: As of `frame`.
        since_run: As of `frame`.
        database_url: As of `frame`.

    Yields:
        Frames of one type; none where there is no row.

    Raises:
        ConfigurationError: As of `frame`.
    """
    with _batches(view, Span(start, end), since_run, database_url, rows_at_once) as (_, batches):
        for one in batches:
            yield one.to_pandas()


@contextmanager
def _batches(
    view: str, span: Span, since_run: int | None, database_url: str | None, rows_at_once: int
) -> Iterator[tuple[pa.RecordBatch, Iterator[pa.RecordBatch]]]:
    """Open the database for reading, and a view in it as Arrow batches; an empty one knows all values of closed lists."""
    name = view_name(view)
    columns = view_columns(name)
    like = schema(columns)
    engine = open_reader(database_url or load_settings().database_address)
    try:
        with snapshot(engine) as views, closing(views.batches(name, span, views.since(since_run), rows_at_once)) as rows:
            yield batch((), columns, like), (batch(some, columns, like) for some in rows)
    finally:
        engine.dispose()
