"""Entries and the attempts at them: what is in which calendar of which booking, as far as the tables know."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Connection, Insert, Select, Table, and_, bindparam, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from busytime.bookings import LOST, CalendarItem, ChangeKind, Ending, Entry, EntryState, Intent, Unseen
from busytime.errors import Reason
from busytime.model import Window
from busytime.store.bookings import in_parts
from busytime.store.tables import calendars
from busytime.store.tables_booking import bookings, changes, entries
from busytime.store.types import UtcTime

#: In these states an item should be in the calendar.
_THERE = frozenset({EntryState.PRESENT, EntryState.MOVED_BY_OWNER})


class EntryRepository:
    """Keeps one entry for each booking and calendar."""

    def __init__(self, connection: Connection) -> None:
        """Work inside the caller's transaction."""
        self._connection = connection

    def of(self, keys: Collection[str]) -> dict[str, list[Entry]]:
        """Return the entries of some bookings, by booking key."""
        found: dict[str, list[Entry]] = {}
        for part in in_parts(keys):
            query = select(entries).where(entries.c.booking_key.in_(part)).order_by(entries.c.id)
            for row in self._connection.execute(query):
                found.setdefault(row.booking_key, []).append(_entry(row))
        return found

    def want(self, places: Collection[tuple[str, int]], run_id: int | None, instant: datetime) -> None:
        """Make an entry that is `wanted` for each booking key and calendar that has none."""
        rows = [
            {
                "booking_key": key,
                "calendar_id": calendar_id,
                "state": EntryState.WANTED,
                "updated_at": instant,
                "run_id": run_id,
            }
            for key, calendar_id in places
        ]
        if rows:
            # Another run may want the same at this moment.
            statement = self._insert(entries).on_conflict_do_nothing(index_elements=["booking_key", "calendar_id"])
            self._connection.execute(statement, rows)

    def write(self, entry: Entry, run_id: int | None, instant: datetime, *, before: Entry | None = None) -> bool:
        """Write an entry as it stands now.

        Args:
            entry: The entry.
            run_id: The run that writes it.
            instant: The transaction's instant.
            before: Write only if it still stands so, its verification apart.

        Returns:
            Whether it was written.
        """
        values = _values(entry) | {"updated_at": instant, "run_id": run_id}
        if before is None:
            return self._connection.execute(_WRITE, {"entry_id": entry.id} | values).rowcount == 1
        unchanged = {name: value for name, value in _values(before).items() if name != "verified_at"}
        as_before = (entries.c[name].is_not_distinct_from(value) for name, value in unchanged.items())
        statement = update(entries).where(entries.c.id == entry.id, *as_before)
        return self._connection.execute(statement.values(values)).rowcount == 1

    def save(self, read: Sequence[Entry], run_id: int | None, instant: datetime) -> None:
        """Write entries as they were read back; where another attempt has begun meanwhile, the entry stays as it is."""
        rows = [
            {"entry_id": it.id, "last_attempt": it.intent.attempt_id if it.intent else None}
            | _values(it)
            | {"updated_at": instant, "run_id": run_id}
            for it in read
        ]
        if rows:
            self._connection.execute(_SAVE, rows)

    def add_change(self, ending: Ending, run_id: int, instant: datetime) -> None:
        """Note how an attempt ended, once: what is noted stays, however often it is told."""
        row = {
            "run_id": run_id,
            "entry_id": ending.entry.id,
            "attempt_id": ending.attempt_id,
            "booking_key": ending.entry.booking_key,
            "calendar_id": ending.entry.calendar_id,
            "change": ending.kind,
            "revision": ending.revision,
            "outcome": ending.outcome,
            "reason": ending.reason,
            "error_code": ending.detail,
            "intended_at": ending.intended_at,
            "finished_at": instant,
        }
        windows = _times(ending.window) | _times(ending.before, "before_")
        self._connection.execute(_ADD_CHANGE[self._connection.dialect.name], row | windows)

    def adopt(self, found: Sequence[tuple[int, CalendarItem, str]], run_id: int | None, instant: datetime) -> None:
        """Believe calendars: each item is the entry of its booking, whatever the tables held of it.

        Of several items with one marker the one that was made first is the entry; the others are copies.

        Args:
            found: Calendar, item and booking key.
            run_id: The run that found them.
            instant: The transaction's instant; they were read before.
        """
        first: dict[tuple[str, int], CalendarItem] = {}
        for calendar_id, item, key in sorted(found, key=lambda it: (it[1].created_at is None, it[1].created_at or instant)):
            first.setdefault((key, calendar_id), item)
        self.want(first.keys(), run_id, instant)
        for (key, calendar_id), item in first.items():
            row = update(entries).where(entries.c.booking_key == key, entries.c.calendar_id == calendar_id)
            seen = {
                "state": EntryState.PRESENT,
                "item_id": item.item_id,
                "change_key": item.name.change_key or None,
                "revision": item.revision,
                **_times(Window(item.start, item.end) if item.start < item.end else None),
                "verified_at": instant,
                "reason": None,
                "detail": None,
            }
            self._connection.execute(row.values(**seen, updated_at=instant, run_id=run_id))

    def counts(self, *, ends_after: datetime | None = None) -> dict[EntryState, int]:
        """Return how many entries are in each state, of bookings that are not over if an instant is given.

        States without any are left out.
        """
        query = select(entries.c.state, func.count()).group_by(entries.c.state)
        if ends_after is not None:
            # What was never in a calendar has no time of its own; its booking has.
            late = or_(bookings.c.ends_at > ends_after, bookings.c.effective_ends_at > ends_after)
            booked = entries.c.booking_key.in_(select(bookings.c.booking_key).where(late))
            query = query.where(or_(booked, entries.c.ends_at > ends_after))
        return {EntryState(state): count for state, count in self._connection.execute(query)}

    def waiting_for_log_on(self, connection_ids: Collection[int], ends_after: datetime) -> list[Entry]:
        """Return the entries that wait until somebody can log on for their calendars; those of bookings that are over do not."""
        late = or_(bookings.c.ends_at > ends_after, bookings.c.effective_ends_at > ends_after)
        query = (
            select(entries)
            .join(calendars, calendars.c.id == entries.c.calendar_id)
            .where(
                calendars.c.connection_id.in_(connection_ids),
                entries.c.state == EntryState.WAITING_FOR_LOG_ON,
                entries.c.booking_key.in_(select(bookings.c.booking_key).where(late)),
            )
            .order_by(entries.c.id)
        )
        return [_entry(row) for row in self._connection.execute(query)]

    def to_read_back(self, connection_id: int, window: Window, verified_before: datetime) -> list[Entry]:
        """Return the entries that a connection may read back: those with an item, in calendars in use that it serves.

        Args:
            connection_id: The connection.
            window: Only those in this window.
            verified_before: Only those that were not read back since.
        """
        query = (
            select(entries)
            .join(calendars, calendars.c.id == entries.c.calendar_id)
            .where(
                calendars.c.connection_id == connection_id,
                calendars.c.retired_at.is_(None),
                entries.c.state.in_(_THERE),
                entries.c.item_id.is_not(None),
                _overlaps("", window.start, window.end),
                or_(entries.c.verified_at.is_(None), entries.c.verified_at < verified_before),
            )
            .order_by(entries.c.calendar_id, entries.c.id)
        )
        return [_entry(row) for row in self._connection.execute(query)]

    def is_in_the_way(self, unseen: Unseen, booking_key: str, window: Window | None) -> bool:
        """Tell whether another booking's entry may lie in a window though the reading need not show it."""
        if window is None:
            return False
        asked = {"places": list(unseen.calendar_ids), "since": unseen.since, "key": booking_key}
        return self._connection.execute(_IN_THE_WAY, asked | {"start": window.start, "end": window.end}).first() is not None

    def revisions(self, keys: Collection[str]) -> dict[str, int]:
        """Return the highest revision of each booking that an entry has, or was to have; 0 where none is known of it."""
        found: dict[str, int] = {}
        for key, its_entries in self.of(keys).items():
            known = [it.revision or 0 for it in its_entries] + [it.intent.revision for it in its_entries if it.intent]
            found[key] = max(known)
        return found

    def _insert(self, table: Table) -> Any:
        """Begin an insert that can leave out what is there."""
        return (postgresql.insert if self._connection.dialect.name == "postgresql" else sqlite.insert)(table)


def _overlaps(
    prefix: str, start: datetime | BindParameter[datetime], end: datetime | BindParameter[datetime]
) -> ColumnElement[bool]:
    return and_(entries.c[f"{prefix}starts_at"] < end, entries.c[f"{prefix}ends_at"] > start)


def _in_the_way() -> Select[tuple[int]]:
    slot = [bindparam("start", type_=UtcTime()), bindparam("end", type_=UtcTime())]
    lost = and_(entries.c.state.in_(LOST), or_(_overlaps("", *slot), _overlaps("intended_", *slot)))
    fresh = and_(entries.c.state.in_(_THERE), entries.c.updated_at >= bindparam("since"), _overlaps("", *slot))
    places = entries.c.calendar_id.in_(bindparam("places", expanding=True))
    return select(entries.c.id).where(places, entries.c.booking_key != bindparam("key"), or_(lost, fresh)).limit(1)


# They run for every entry, and to put them together costs more than to run them.
_IN_THE_WAY = _in_the_way()
_WRITE = update(entries).where(entries.c.id == bindparam("entry_id"))
_ADD_CHANGE: dict[str, Insert] = {
    "postgresql": postgresql.insert(changes).on_conflict_do_nothing(index_elements=["attempt_id"]),
    "sqlite": sqlite.insert(changes).on_conflict_do_nothing(index_elements=["attempt_id"]),
}
_SAVE = _WRITE.where(entries.c.attempt_id.is_not_distinct_from(bindparam("last_attempt")))


def _times(window: Window | None, prefix: str = "") -> dict[str, datetime | None]:
    start, end = (window.start, window.end) if window else (None, None)
    return {f"{prefix}starts_at": start, f"{prefix}ends_at": end}


def _window(start: datetime | None, end: datetime | None) -> Window | None:
    return Window(start, end) if start and end else None


def _values(entry: Entry) -> dict[str, Any]:
    intent = entry.intent
    return {
        "state": entry.state,
        "attempt_id": intent.attempt_id if intent else None,
        "intent": intent.kind if intent else None,
        "intended_revision": intent.revision if intent else None,
        **_times(intent.window if intent else None, "intended_"),
        "intended_at": intent.at if intent else None,
        "item_id": entry.item_id,
        "change_key": entry.change_key,
        "revision": entry.revision,
        **_times(entry.window),
        "verified_at": entry.verified_at,
        "reason": entry.reason,
        "detail": entry.detail,
    }


def _entry(row: Any) -> Entry:
    intent = None
    if row.attempt_id is not None:
        meant = _window(row.intended_starts_at, row.intended_ends_at)
        intent = Intent(row.attempt_id, ChangeKind(row.intent), row.intended_revision, meant, row.intended_at)
    return Entry(
        id=row.id,
        booking_key=row.booking_key,
        calendar_id=row.calendar_id,
        state=EntryState(row.state),
        intent=intent,
        item_id=row.item_id,
        change_key=row.change_key,
        revision=row.revision,
        window=_window(row.starts_at, row.ends_at),
        verified_at=row.verified_at,
        reason=Reason(row.reason) if row.reason else None,
        detail=row.detail,
    )
