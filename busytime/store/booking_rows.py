"""Rows of `bookings` as they lie in the database: whoever wrote them, whatever they hold, reading them never raises.

Each row is judged anew whenever it is read, by the one rule for what is a booking; what was noted in it before only
saves work.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, LargeBinary, Select, Text, case, cast, func, select, type_coerce
from sqlalchemy.types import NullType

from busytime.bookings import Booking, BookingState, ChangedBy
from busytime.errors import ConfigurationError, Reason
from busytime.intake import BookingFault, check_booking
from busytime.model import Window
from busytime.store.tables_booking import bookings
from busytime.store.types import UtcTime

#: What another program may write, by the names of the columns.
_GIVEN = (
    "booking_key",
    "page",
    "starts_at",
    "ends_at",
    "title",
    "location",
    "body",
    "guests",
    "state",
    "revision",
    "booked_at",
)
_NOTED = (
    "effective_starts_at",
    "effective_ends_at",
    "effective_state",
    "changed_by",
    "checked_at",
    "refused",
    "refused_field",
    "blanked_at",
)


@dataclass(frozen=True, slots=True)
class BookingRow:
    """One row, and what is to be thought of it. Its representation shows nothing that its author wrote.

    Args:
        id: Its surrogate key.
        values: What the booking's author wrote, by column, of any type; times as text.
        notes: What busytime wrote beside it, by column, likewise.
        found: The booking as its author meant it, or what is wrong with it.
    """

    id: int
    values: Mapping[str, object] = field(repr=False)
    notes: Mapping[str, object]
    found: Booking | BookingFault

    @property
    def key(self) -> object:
        """Its booking key, of any type."""
        return self.values["booking_key"]

    @property
    def looked_at(self) -> bool:
        """Whether it was looked at before."""
        return self.notes["checked_at"] is not None

    @property
    def current(self) -> Booking | None:
        """The booking as it stands now: as booked, or as its owner has left it; ``None`` for a bad row."""
        if isinstance(self.found, BookingFault):
            return None
        window = _window(self.notes["effective_starts_at"], self.notes["effective_ends_at"]) or self.found.window
        cancelled = self.notes["effective_state"] == BookingState.CANCELLED
        by_owner = self.notes["changed_by"] == ChangedBy.OWNER
        return replace(
            self.found,
            window=window,
            state=BookingState.CANCELLED if cancelled else self.found.state,
            changed_by=ChangedBy.OWNER if by_owner else ChangedBy.GUEST,
        )

    @property
    def note(self) -> dict[str, Any]:
        """What is to be written beside it; nothing where that is written already."""
        if isinstance(self.found, BookingFault):
            fault = {"refused": self.found.reason, "refused_field": self.found.field}
            return {} if all(self.notes[name] == value for name, value in fault.items()) else fault
        if self.looked_at and self.notes["refused"] is None:
            return {}
        # On SQLite a time is the text that somebody wrote: from here on it sorts and compares as the contract says.
        return {"refused": None, "refused_field": None, **times_of(self.found)}


def times_of(booking: Booking) -> dict[str, datetime | None]:
    """Return a booking's times by column."""
    window = booking.window
    return {
        "starts_at": window.start if window else None,
        "ends_at": window.end if window else None,
        "booked_at": booking.booked_at,
    }


def read_rows(connection: Connection, keys: Select[Any] | Collection[str], pages: Collection[str]) -> list[BookingRow]:
    """Read all rows of some bookings, in the order in which they were written.

    Args:
        connection: The transaction.
        keys: Booking keys, at most as many as a statement may name, or a query for them.
        pages: Names of the booking pages in use.
    """
    query = _all_rows(on_postgresql=connection.dialect.name == "postgresql").where(bookings.c.booking_key.in_(keys))
    return [_judged(dict(row), pages) for row in connection.execute(query).mappings()]


def newest(rows: Iterable[BookingRow]) -> list[Booking]:
    """Return each booking at its newest good revision, in the order in which they were first written.

    A cancellation need not say of what time: it is the one that the booking had before.
    """
    good = [booking for row in rows if (booking := row.current)]
    found: dict[str, Booking | None] = dict.fromkeys(booking.key for booking in good)
    for booking in sorted(good, key=lambda it: it.revision):
        before = found[booking.key]
        found[booking.key] = replace(booking, window=booking.window or (before.window if before else None))
    return [booking for booking in found.values() if booking]


@cache
def _all_rows(*, on_postgresql: bool) -> Select[Any]:
    """Return a query for all rows; to build it takes longer than to run it."""
    columns = [_raw(bookings.c[name], on_postgresql=on_postgresql).label(name) for name in (*_GIVEN, *_NOTED)]
    return select(bookings.c.id, *columns).order_by(bookings.c.id)


def _judged(row: Mapping[str, Any], pages: Collection[str]) -> BookingRow:
    values = {name: _decoded(row[name]) for name in _GIVEN}
    notes = {name: _decoded(row[name]) for name in _NOTED}
    if notes["checked_at"] is not None and notes["refused"] is None and isinstance(values["page"], str):
        # A page that has left the roster takes no booking back that was accepted.
        pages = {*pages, values["page"]}
    return BookingRow(row["id"], values, notes, check_booking(values, pages, blanked=notes["blanked_at"] is not None))


def _raw(column: ColumnElement[Any], *, on_postgresql: bool) -> ColumnElement[Any]:
    """Select a column so that reading it cannot fail.

    PostgreSQL knows instants that Python does not, `infinity` for one. SQLite keeps whatever it is given, in any column,
    and text that is no UTF-8 fails only when it is read.
    """
    if not on_postgresql:
        return type_coerce(case((func.typeof(column) == "text", cast(column, LargeBinary)), else_=column), NullType())
    if isinstance(column.type, UtcTime):
        utc = func.timezone("UTC", column)
        written = func.to_char(utc, 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')
        return func.coalesce(case((func.isfinite(column), written)), cast(column, Text))
    return column


def _decoded(value: object) -> object:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    return value


def _window(start: object, end: object) -> Window | None:
    """Read a window that busytime wrote; ``None`` without one, or where somebody wrote another thing over it."""
    try:
        return Window(datetime.fromisoformat(str(start)), datetime.fromisoformat(str(end)))
    except (ValueError, ConfigurationError):
        return None


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that is no booking.

    Args:
        id: Its surrogate key.
        booking_key: As given, as text; of one that cannot be read, what can be shown of it.
        page: Likewise.
        revision: Likewise.
        reason: What is wrong.
        field: In which column.
    """

    id: int
    booking_key: str
    page: str
    revision: str
    reason: Reason
    field: str


def refused(rows: Iterable[BookingRow]) -> list[RefusedRow]:
    """Return the rows that are no bookings."""
    found: list[RefusedRow] = []
    for row in rows:
        if isinstance(row.found, BookingFault):
            key, page, revision = (_shown(row.values[name]) for name in ("booking_key", "page", "revision"))
            found.append(RefusedRow(row.id, key, page, revision, row.found.reason, row.found.field))
    return found


def _shown(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else "" if value is None else str(value)
