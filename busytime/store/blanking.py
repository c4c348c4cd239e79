"""Blanking: what guests wrote is taken out of bookings that are over. Key, page, time and state stay."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection, or_, select, update

from busytime.bookings import Booking, Entry, EntryState
from busytime.intake import read_instant
from busytime.maintaining import over_since
from busytime.store.booking_rows import BookingRow, newest, read_rows
from busytime.store.bookings import BookingReading, BookingRepository
from busytime.store.entries import EntryRepository
from busytime.store.tables_booking import WRITTEN, bookings

_NOTHING = {"title": None, "location": None, "body": None, "guests": None}


class BlankingRepository:
    """Finds bookings that are over, and takes their texts out, of every revision and of refused rows too."""

    def __init__(self, connection: Connection) -> None:
        """Work inside the caller's transaction."""
        self._connection = connection
        self._bookings = BookingRepository(connection)
        self._entries = EntryRepository(connection)

    def candidates(self, before: datetime) -> list[int]:
        """Return the rows that may belong to a booking that was over before an instant."""
        # In a row that nobody found good the end may be anything.
        dubious = or_(bookings.c.ends_at.is_(None), bookings.c.refused.is_not(None), bookings.c.checked_at.is_(None))
        wanted = select(bookings.c.id).where(WRITTEN, or_(bookings.c.ends_at < before, dubious))
        return list(self._connection.execute(wanted.order_by(bookings.c.ends_at)).scalars())

    def blank(self, candidates: Collection[int], before: datetime, now: datetime) -> int:
        """Take the texts out of bookings that were over before an instant; return of how many rows.

        Args:
            candidates: Some of their rows, at most as many as a statement may name.
            before: The instant.
            now: The present one.
        """
        keys = select(bookings.c.booking_key).where(bookings.c.id.in_(candidates))
        by_key: dict[object, list[BookingRow]] = {}
        for row in read_rows(self._connection, keys, self._bookings.pages()):
            by_key.setdefault(row.key, []).append(row)
        entries = self._entries.of([key for key in by_key if isinstance(key, str)])
        over: list[int] = []
        for key, rows in by_key.items():
            since = _over_since(rows, entries.get(str(key), ()))
            if since is None:
                # Nothing in it can be dated. From now on it can: by when it was looked at.
                self._bookings.note(BookingReading((), (), tuple((row.id, row.note) for row in rows if row.note)), now)
            elif since < before:
                over += [row.id for row in rows]
        written = update(bookings).where(bookings.c.id.in_(over), WRITTEN)
        return self._connection.execute(written.values(**_NOTHING, blanked_at=now)).rowcount if over else 0


def _over_since(rows: Sequence[BookingRow], entries: Sequence[Entry]) -> datetime | None:
    """Return since when a booking is over, with all its rows and entries; a revision that a later one replaced has no say."""
    last = max((it.revision for row in rows if (it := row.current)), default=None)
    ends: list[datetime | None] = [it.window.end for it in newest(rows) if it.window]
    for row in rows:
        if not isinstance(row.found, Booking):
            ends.append(_instant(row.values["ends_at"]))
        elif row.found.revision == last and row.found.window:
            ends.append(row.found.window.end)
    windows = [it.window for it in entries if it.state is not EntryState.CANCELLED]
    windows += [it.intent.window for it in entries if it.lost and it.intent]
    ends += [window.end for window in windows if window]
    signs = [_instant(value) for row in rows for value in (row.values["booked_at"], row.notes["checked_at"])]
    return over_since(ends, signs)


def _instant(value: object) -> datetime | None:
    found = read_instant(value)
    return found if isinstance(found, datetime) else None
