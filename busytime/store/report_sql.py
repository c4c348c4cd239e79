"""What the report's questions share: seconds of instants in SQL, the same on SQLite and PostgreSQL, and calendars in use."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Float, TableClause
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from busytime.report.facts import Place
from busytime.store.reading_views import view_source


class Seconds(FunctionElement[float]):
    """An instant as seconds since 1970, so that lengths can be reckoned in SQL; good to a tenth of a millisecond."""

    type = Float()
    inherit_cache = True


@compiles(Seconds, "postgresql")
def _seconds_on_postgresql(element: Seconds, compiler: SQLCompiler, **more: Any) -> str:
    return f"CAST(EXTRACT(epoch FROM {compiler.process(element.clauses, **more)}) AS double precision)"


@compiles(Seconds, "sqlite")
def _seconds_on_sqlite(element: Seconds, compiler: SQLCompiler, **more: Any) -> str:
    return f"((julianday({compiler.process(element.clauses, **more)}) - 2440587.5) * 86400.0)"


class _OfNumbers(FunctionElement[float]):
    """A function of numbers that are not NULL: the databases disagree about NULL."""

    type = Float()
    inherit_cache = True


class Largest(_OfNumbers):
    """The largest of some numbers."""

    inherit_cache = True


class Smallest(_OfNumbers):
    """The smallest of some numbers."""

    inherit_cache = True


class Whole(_OfNumbers):
    """A number that is not negative, without its fraction."""

    inherit_cache = True


_NAMES = {
    (Largest, "postgresql"): "GREATEST({})",
    (Largest, "sqlite"): "max({})",
    (Smallest, "postgresql"): "LEAST({})",
    (Smallest, "sqlite"): "min({})",
    (Whole, "postgresql"): "CAST(floor({}) AS integer)",
    (Whole, "sqlite"): "CAST({} AS INTEGER)",
}


@compiles(_OfNumbers, "postgresql")
@compiles(_OfNumbers, "sqlite")
def _of_numbers(element: _OfNumbers, compiler: SQLCompiler, **more: Any) -> str:
    return _NAMES[type(element), compiler.dialect.name].format(compiler.process(element.clauses, **more))


def slot_of(instant: ColumnElement[Any], origin: datetime, length: float) -> Whole:
    """Return in which slot of so many seconds after an origin an instant lies, from 0."""
    return Whole((Seconds(instant) - origin.timestamp()) / length)


def instant_of(seconds: float | None) -> datetime | None:
    """Return the instant of a number of seconds, to the second."""
    return None if seconds is None else datetime.fromtimestamp(round(seconds), UTC)


def in_use(calendars: TableClause) -> ColumnElement[bool]:
    """Return the condition on calendars that are on the roster now."""
    return calendars.c.added_at.is_not(None) & calendars.c.retired_at.is_(None)


def place_of(row: Any) -> Place:
    """Return the calendar that a row tells of."""
    return Place(row.owner, row.folder)


CALENDARS = view_source("audit_calendars")
CONNECTIONS = view_source("audit_connections")
COVERAGE = view_source("audit_coverage")
PERMISSIONS = view_source("audit_permissions")
BOOKINGS = view_source("audit_bookings")
ENTRIES = view_source("audit_entries")
RUNS = view_source("audit_runs")
LOGONS = view_source("audit_logons")
CREDENTIALS = view_source("audit_credentials")
REQUESTS = view_source("audit_requests")
