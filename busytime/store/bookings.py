"""Bookings: revisions are added, never rewritten; the newest good one is what counts."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, bindparam, or_, select, union, update
from sqlalchemy.dialects import postgresql, sqlite

from busytime.bookings import LOST, Booking, BookingState, ChangedBy, EntryState
from busytime.model import Window
from busytime.store.booking_rows import BookingRow, RefusedRow, newest, read_rows, refused, times_of
from busytime.store.tables import booking_pages
from busytime.store.tables_booking import SPECIAL, bookings, entries

_T = TypeVar("_T")
_IN_CLAUSE = 500


def in_parts(values: Collection[_T]) -> Iterator[list[_T]]:
    """Cut values into parts that one statement may name."""
    whole = list(values)
    for start in range(0, len(whole), _IN_CLAUSE):
        yield whole[start : start + _IN_CLAUSE]


@dataclass(frozen=True, slots=True)
class IntakeResult:
    """What became of bookings that were taken in.

    Args:
        added: Keys that are new.
        later: Keys with a later revision than before.
        unchanged: How many were there already, with the same values.
        older: Keys whose stored revision is later than the one given, with both: given, stored.
        differing: Keys whose revision is stored with other values; what is stored stays.
    """

    added: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    unchanged: int = 0
    older: tuple[tuple[str, int, int], ...] = ()
    differing: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class BookingReading:
    """What the table holds of some bookings.

    Args:
        bookings: At their newest good revision, as they stand now.
        refused: Rows that are no bookings.
        notes: What is to be written beside rows, because they were not looked at before or stand otherwise now.
    """

    bookings: tuple[Booking, ...]
    refused: tuple[RefusedRow, ...]
    notes: tuple[tuple[int, dict[str, Any]], ...]


class _Shelf:
    """Sorts bookings that are given by what is stored of them."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._result = IntakeResult()
        self._known: set[str] = set()

    @property
    def result(self) -> IntakeResult:
        """What became of all of them."""
        return self._result

    def sort_in(self, given: Iterable[Booking], rows: Iterable[BookingRow]) -> list[Booking]:
        """Return the bookings that are to be written; note what becomes of the others."""
        stored: dict[str, dict[int, Booking]] = {}
        for row in rows:
            if isinstance(row.found, Booking):
                stored.setdefault(row.found.key, {})[row.found.revision] = row.found
        self._known |= stored.keys()
        new: list[Booking] = []
        for booking in given:
            revisions = stored.setdefault(booking.key, {})
            if booking.revision > max(revisions, default=0):
                revisions[booking.revision] = booking
                new.append(booking)
            else:
                self._leave(booking, revisions)
        return new

    def _leave(self, booking: Booking, revisions: Mapping[int, Booking]) -> None:
        """Note why a booking is not written."""
        result, last, same = self._result, max(revisions), revisions.get(booking.revision)
        if same is not None and same.blanked:  # what was taken out does not come back with the file that brought it
            booking = booking.without_texts()
        # When it was booked is the present instant where nobody said it, so it tells no two bookings apart.
        if same is not None and replace(same, booked_at=booking.booked_at) == booking:
            self._result = replace(result, unchanged=result.unchanged + 1)
        elif booking.revision == last:
            self._result = replace(result, differing=(*result.differing, (booking.key, last)))
        else:
            self._result = replace(result, older=(*result.older, (booking.key, booking.revision, last)))

    def took(self, written: Iterable[Booking]) -> None:
        """Note what was written."""
        added: list[str] = []
        later: list[str] = []
        for booking in written:
            (later if booking.key in self._known else added).append(booking.key)
            self._known.add(booking.key)
        self._result = replace(self._result, added=(*self._result.added, *added), later=(*self._result.later, *later))


class BookingRepository:
    """Takes bookings in, and tells which revision counts."""

    def __init__(self, connection: Connection) -> None:
        """Work inside the caller's transaction."""
        self._connection = connection

    def take(self, given: Sequence[Booking], now: datetime, run_id: int | None = None) -> IntakeResult:
        """Add new bookings and later revisions; a row that was refused makes way for a good one.

        Args:
            given: Checked bookings, in the order in which they were written.
            now: The present instant.
            run_id: The run that takes them; ``None`` where a command does.
        """
        shelf = _Shelf()
        while given:
            rows = self._rows({booking.key for booking in given})
            new = shelf.sort_in(given, rows)
            given = self._add(new, {(row.key, row.values["revision"]): row.id for row in rows}, now, run_id)
            shelf.took([booking for booking in new if booking not in given])
        return shelf.result

    def _add(
        self, new: Sequence[Booking], there: Mapping[tuple[object, object], int], now: datetime, run_id: int | None
    ) -> list[Booking]:
        """Write rows, and return the bookings that another program wrote at the same moment: what it wrote is looked at."""
        fresh: list[Booking] = []
        for booking in new:
            replaced = there.get((booking.key, booking.revision))
            if replaced is None:
                fresh.append(booking)
            else:
                row = update(bookings).where(bookings.c.id == replaced)
                self._connection.execute(row.values(_values(booking, now, run_id)))
        if not fresh:
            return []
        insert_new = postgresql.insert if self._connection.dialect.name == "postgresql" else sqlite.insert
        statement = insert_new(bookings).on_conflict_do_nothing(index_elements=["booking_key", "revision"])
        returning = statement.returning(bookings.c.booking_key, bookings.c.revision)
        written = self._connection.execute(returning, [_values(booking, now, run_id) for booking in fresh])
        keys = {(row.booking_key, row.revision) for row in written}
        return [booking for booking in fresh if (booking.key, booking.revision) not in keys]

    def read(self, keys: Collection[str] | None = None, *, ends_after: datetime | None = None) -> BookingReading:
        """Read bookings, and judge every row of them anew; what another program wrote never raises.

        Args:
            keys: Which; ``None`` for all.
            ends_after: Leave out what ended before, in its calendars too. Rows that are not good are read all the same.
        """
        rows = self._rows(keys) if keys is not None else read_rows(self._connection, _wanted(ends_after), self.pages())
        found = newest(rows)
        if ends_after is not None:
            late = self._ending_after(ends_after)
            found = [it for it in found if it.key in late or (it.window is not None and it.window.end > ends_after)]
        return BookingReading(tuple(found), tuple(refused(rows)), tuple((row.id, row.note) for row in rows if row.note))

    def current(self, keys: Collection[str] | None = None, *, ends_after: datetime | None = None) -> list[Booking]:
        """Return bookings at their newest good revision, as they stand now; see ``read``."""
        return list(self.read(keys, ends_after=ends_after).bookings)

    def note(self, reading: BookingReading, now: datetime) -> None:
        """Write beside rows that they were found good, or what is wrong with them."""
        for columns, rows in _alike(reading.notes).items():
            statement = update(bookings).where(bookings.c.id == bindparam("row_id"))
            values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in columns} | {"checked_at": now}
            parameters = [{"row_id": key} | {f"new_{name}": value for name, value in note.items()} for key, note in rows]
            self._connection.execute(statement.values(values), parameters)

    def follow(self, booking_key: str, revision: int, window: Window | None) -> bool:
        """Let a booking follow what its owner did: another time, or none any more.

        Returns:
            Whether it does; a guest who has written a later revision meanwhile has the last word.
        """
        if [it.revision for it in self.current([booking_key])] != [revision]:
            return False
        changed = {
            "effective_starts_at": window.start if window else None,
            "effective_ends_at": window.end if window else None,
            "effective_state": None if window else BookingState.CANCELLED,
            "changed_by": ChangedBy.OWNER,
        }
        row = update(bookings).where(bookings.c.booking_key == booking_key, bookings.c.revision == revision)
        self._connection.execute(row.values(changed))
        return True

    def revisions(self, keys: Collection[str]) -> dict[str, int]:
        """Return the highest revision of each booking that stands in a row which is not refused."""
        found: dict[str, int] = {}
        for part in in_parts(keys):
            for row in read_rows(self._connection, part, ()):
                revision = row.values["revision"]
                if row.notes["refused"] is None and isinstance(revision, int) and isinstance(row.key, str):
                    found[row.key] = max(revision, found.get(row.key, revision))
        return found

    def pages(self) -> frozenset[str]:
        """Return the names of the booking pages in use."""
        query = select(booking_pages.c.name).where(booking_pages.c.retired_at.is_(None))
        return frozenset(self._connection.execute(query).scalars())

    def _rows(self, keys: Collection[str]) -> list[BookingRow]:
        pages = self.pages()
        return [row for part in in_parts(keys) for row in read_rows(self._connection, part, pages)]

    def _ending_after(self, instant: datetime) -> set[str]:
        return set(self._connection.execute(_entries_ending_after(instant)).scalars())


def _entries_ending_after(instant: datetime) -> Select[tuple[str]]:
    meant = entries.c.state.in_(LOST) & (entries.c.intended_ends_at > instant)
    return select(entries.c.booking_key).where(entries.c.state != EntryState.CANCELLED, or_(entries.c.ends_at > instant, meant))


def _wanted(ends_after: datetime | None) -> Any:
    """Return a query for the keys of bookings that may not be over, and of those to be looked at in any case."""
    if ends_after is None:
        return select(bookings.c.booking_key)
    late = select(bookings.c.booking_key).where(bookings.c.ends_at > ends_after)
    return union(late, select(bookings.c.booking_key).where(SPECIAL), _entries_ending_after(ends_after))


def _values(booking: Booking, now: datetime, run_id: int | None) -> dict[str, Any]:
    return {
        "booking_key": booking.key,
        "page": booking.page,
        **times_of(booking),
        "title": booking.title,
        "location": booking.location,
        "body": booking.body,
        "guests": "\n".join(booking.guests),
        "state": booking.state,
        "revision": booking.revision,
        "run_id": run_id,
        "checked_at": now,
        "refused": None,
        "refused_field": None,
        "blanked_at": None,
    }


def _alike(notes: Iterable[tuple[int, dict[str, Any]]]) -> dict[tuple[str, ...], list[tuple[int, dict[str, Any]]]]:
    """Put together what one statement can write."""
    found: dict[tuple[str, ...], list[tuple[int, dict[str, Any]]]] = {}
    for key, note in notes:
        found.setdefault(tuple(note), []).append((key, note))
    return found
