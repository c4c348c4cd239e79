"""Moving from SQLite to PostgreSQL: every row goes over as it is, keys and the chain of events with it."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Table, func, insert, select, update
from sqlalchemy.exc import DBAPIError

from busytime.errors import ConfigurationError, FatalError
from busytime.store.columns import metadata
from busytime.store.database import check_tables, translated, upgrade
from busytime.store.tables import installation
from busytime.store.upgrading import refuse_runs

_ROWS_AT_ONCE = 2000


class NotMovedError(FatalError):
    """The database could not be moved; both are as they were."""


def move(source: Engine, target: Engine, now: datetime) -> dict[str, int]:
    """Copy all rows into an empty database, in one transaction, and let nothing be pushed from the old one any more.

    Args:
        source: The SQLite database; nobody writes into it meanwhile.
        target: A PostgreSQL database without tables, or with tables that are all empty.
        now: The present instant.

    Returns:
        How many rows of each table went over.

    Raises:
        ConfigurationError: One of them is no such database, or the target holds something.
        RunsAtWorkError: Runs are at work.
        NotMovedError: A row does not go over.
    """
    if (source.dialect.name, target.dialect.name) != ("sqlite", "postgresql"):
        raise ConfigurationError(
            "A database is moved from an SQLite file to PostgreSQL: name the file, and PostgreSQL in BUSYTIME_DATABASE_URL."
        )
    with translated(), source.connect().execution_options(writer=True, durable=True) as old, old.begin():
        check_tables(old)
        refuse_runs(old, now)
        upgrade(target)
        with target.connect() as new, new.begin():
            counts = _copy_all(old, new)
            # Where it lives is written down anew by whoever opens it first.
            new.execute(update(installation).values(lives_at=None))
        old.execute(update(installation).values(restored_at=now))
    return counts


def _copy_all(old: Connection, new: Connection) -> dict[str, int]:
    counts: dict[str, int] = {}
    for table in metadata.sorted_tables:
        if new.execute(select(func.count()).select_from(table)).scalar_one():
            raise ConfigurationError(
                f"The database that BUSYTIME_DATABASE_URL names holds rows already ({table.name}): name an empty one. "
                "Nothing was changed."
            )
        counts[table.name] = _copy(table, old, new)
        _continue_keys(table, new)
    return counts


def _copy(table: Table, old: Connection, new: Connection) -> int:
    copied = 0
    try:
        for rows in _rows(table, old):
            new.execute(insert(table), rows)
            copied += len(rows)
    except (ValueError, DBAPIError) as error:  # its words may repeat what stands in the row
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            raise
        raise NotMovedError(
            f"A row of {table.name}, one of the {_ROWS_AT_ONCE} after row {copied}, holds a value that PostgreSQL does not "
            f"take ({type(error).__name__}). Nothing was moved; correct or remove that row, and try again."
        ) from None
    return copied


def _rows(table: Table, old: Connection) -> Iterator[Sequence[dict[str, Any]]]:
    query = select(table).order_by(*table.primary_key.columns)
    for part in old.execution_options(yield_per=_ROWS_AT_ONCE).execute(query).mappings().partitions():
        yield [dict(row) for row in part]


def _continue_keys(table: Table, new: Connection) -> None:
    """Let the next key follow the last one that was copied."""
    if "id" not in table.columns:
        return
    sequence = new.exec_driver_sql(f"SELECT pg_get_serial_sequence('{table.name}', 'id')").scalar()
    last = new.execute(select(func.max(table.c.id))).scalar()
    if sequence is not None and last is not None:
        new.execute(select(func.setval(sequence, last)))
