"""Reading the views as the data team does: without a key, without a right to write, at one instant, row by row.

It touches nothing but the views, so it works for a role that may see nothing else.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from sqlite3 import Connection as SQLiteConnection
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Connection,
    Engine,
    Integer,
    Label,
    TableClause,
    Text,
    cast,
    column,
    event,
    func,
    select,
    table,
    text,
)

from busytime.errors import ConfigurationError
from busytime.model import RunStatus
from busytime.store.cuts import MEANINGS, Since, Span, conditions
from busytime.store.database import check_version, head_version, open_engine, translated
from busytime.store.types import UtcTime
from busytime.store.views import VIEWS

#: Rows in memory at once: enough to be fast, few enough to weigh some megabytes.
ROWS_AT_ONCE = 10_000
_PREFIX = "audit_"

Batches = Generator[Sequence[Any], None, None]


class Kind(StrEnum):
    """What a column of a view holds."""

    INSTANT = "instant"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    TEXT = "text"
    CHOICE = "choice"
    JSON = "json"


_KINDS = ((UtcTime, Kind.INSTANT), (Boolean, Kind.BOOLEAN), (Integer, Kind.INTEGER), (JSON, Kind.JSON), (Text, Kind.TEXT))


@dataclass(frozen=True, slots=True)
class ViewColumn:
    """A column of a view; ``values`` are all that a choice can have."""

    name: str
    kind: Kind
    values: tuple[str, ...] = ()


def view_name(name: str) -> str:
    """Return a view's name, from the name with or without ``audit_``.

    Raises:
        ConfigurationError: There is no such view.
    """
    full = _PREFIX + name.removeprefix(_PREFIX)
    if full not in VIEWS:
        known = ", ".join(view.removeprefix(_PREFIX) for view in sorted(VIEWS))
        raise ConfigurationError(f"There is no view {name!r}; there are {known}.")
    return full


def view_columns(view: str) -> tuple[ViewColumn, ...]:
    """Return what a view's columns hold, in their order."""
    return tuple(map(_described, VIEWS[view].selected_columns))


def _described(shown: Any) -> ViewColumn:
    base = shown.element if isinstance(shown, Label) else shown
    values = getattr(base, "info", {}).get("values", ())
    kind = next(kind for type_, kind in _KINDS if isinstance(shown.type, type_))
    return ViewColumn(shown.name, Kind.CHOICE if values else kind, values)


def open_reader(url: str) -> Engine:
    """Return an engine that reads only, for a database that is there.

    Raises:
        ConfigurationError: The address is wrong, or no database is there.
    """
    engine = open_engine(url)
    if engine.dialect.name == "sqlite":
        path = engine.url.database or ""
        if not path.startswith("file:") and not Path(path).is_file():  # opening it would make an empty one
            raise ConfigurationError(f"There is no database at {path}. Set BUSYTIME_HOME or BUSYTIME_DATABASE_URL.")
        event.listen(engine, "connect", _only_read)
    return engine


def _only_read(connection: SQLiteConnection, _record: Any) -> None:
    for pragma in ("query_only=ON", "cache_size=-4096"):  # each page is read once, so a large cache would only fill up
        connection.execute(f"PRAGMA {pragma}")
    # Other programs insert into `bookings`, and SQLite takes any bytes for text: they must not end the reading.
    connection.text_factory = partial(str, encoding="utf-8", errors="backslashreplace")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The views at one instant; what is committed meanwhile is not seen."""

    connection: Connection
    schema_version: str | None

    def batches(self, view: str, span: Span, since: Since | None, rows_at_once: int = ROWS_AT_ONCE) -> Batches:
        """Yield a view's rows in order of their keys, so many at once; no more than these are in memory.

        Whoever may stop before the end closes it, and with it the server's cursor.

        Args:
            view: Full name of a view.
            span: Which part of time.
            since: After which run, if not from the beginning.
            rows_at_once: How many rows a batch has at most.
        """
        source = view_source(view)
        query = select(*map(_safe, source.c)).where(conditions(source, MEANINGS[view], span, since)).order_by(source.c.id)
        with translated(), self.connection.execution_options(yield_per=rows_at_once).execute(query) as result:
            yield from result.partitions()

    def since(self, run_id: int | None) -> Since | None:
        """Return a run as a mark; ``None`` and 0 stand for the beginning.

        Raises:
            ConfigurationError: There is no such run.
        """
        if not run_id:
            return None
        runs = view_source("audit_runs")
        with translated():
            started_at: datetime | None = self.connection.scalar(select(runs.c.started_at).where(runs.c.id == run_id))
        if started_at is None:
            raise ConfigurationError(f"There is no run {run_id}; audit_runs lists them.")
        return Since(run_id, started_at)

    def next_since_run(self) -> int:
        """Return the run after which the next export has to begin: the last one before any that is still at work."""
        runs = view_source("audit_runs")
        at_work = select(func.min(runs.c.id)).where(runs.c.status == RunStatus.RUNNING).scalar_subquery()
        last = select(func.max(runs.c.id)).where(at_work.is_(None) | (runs.c.id < at_work))
        with translated():
            return self.connection.scalar(last) or 0


def view_source(view: str) -> TableClause:
    """Return a view as something to select from, its columns with their types."""
    return table(view, *(column(shown.name, shown.type) for shown in VIEWS[view].selected_columns))


def _safe(shown: Any) -> Any:
    """SQLite keeps bytes in a column of text if another program writes them; read them as text."""
    return cast(shown, Text).label(shown.name) if isinstance(shown.type, Text) else shown


@contextmanager
def snapshot(engine: Engine) -> Iterator[Snapshot]:
    """Open the views at one instant.

    Raises:
        ConfigurationError: The database cannot be read, or its tables are older or newer than the code.
    """
    version = _version(engine)
    with translated():
        connection = engine.connect()
    with connection:
        if connection.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        yield Snapshot(connection, version)


def _version(engine: Engine) -> str | None:
    """Return the version of the tables; ``None`` for a role that may see the views alone."""
    if engine.dialect.name == "postgresql":
        may = text("SELECT coalesce(has_table_privilege(to_regclass('alembic_version'), 'SELECT'), true)")
        with translated(), engine.connect() as connection:
            if not connection.scalar(may):
                return None
    check_version(engine)
    return head_version()
