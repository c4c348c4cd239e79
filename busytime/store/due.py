"""What is due: whether there is something to push or to re-sync, told by one query each, so that it may be asked often.

It may say yes in vain, which costs a run that finds nothing to do; it never says no for good, because a push looks at
everything from time to time anyway.
"""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, func, insert, or_, select, update

from busytime.bookings import EntryState
from busytime.model import Breaker, RequestKind, RunStatus
from busytime.store.tables import (
    associated_calendars,
    busy_intervals,
    calendars,
    connections,
    looks,
    permissions,
    requests,
    runs,
)
from busytime.store.tables_booking import bookings, entries

#: What a run took and did not end is asked for again after so long, and a push looks at everything at least so often.
ASKED_AGAIN_AFTER = timedelta(minutes=15)
#: The name under which pushes note what they have looked at.
_PUSH = "push"
#: Nobody has looked at it yet.
_UNSEEN = bookings.c.checked_at.is_(None)
#: Entries of these states are tried again only when something about them has changed.
_STUCK = (EntryState.CONFLICT, EntryState.BLOCKED, EntryState.WAITING_FOR_LOG_ON)


class DueRepository:
    """Tells what is due."""

    def __init__(self, connection: Connection) -> None:
        """Work inside the caller's transaction."""
        self._connection = connection

    def note_push(self, instant: datetime) -> None:
        """Note that a push looks at everything that is there now; call it before it looks."""
        newest = self._connection.scalar(select(func.coalesce(func.max(bookings.c.id), 0)))
        values = {"looked_at": instant, "booking_id": newest}
        if not self._connection.execute(update(looks).where(looks.c.name == _PUSH).values(values)).rowcount:
            self._connection.execute(insert(looks).values(name=_PUSH, **values))

    def push(self, at_latest: datetime) -> bool:
        """Tell whether there is something new to push, or the last look was before an instant.

        New is: a booking that came or changed, another roster, and for entries that wait for a right, a free slot or a
        log-on, another verdict, another busy time or a closed breaker.

        Args:
            at_latest: The last look should not be older than this.
        """
        query = select(or_(looks.c.looked_at < at_latest, _bookings_came(), _roster_changed(), _stuck_may_go_on()))
        found = self._connection.scalar(query.where(looks.c.name == _PUSH))
        return bool(found) if found is not None else self._never_pushed()

    def has_unseen(self) -> bool:
        """Tell whether there is a row of bookings that nobody has looked at."""
        return bool(self._connection.scalar(select(exists(select(bookings.c.id).where(_UNSEEN)))))

    def _never_pushed(self) -> bool:
        return bool(self._connection.scalar(select(exists(select(bookings.c.id)))))

    def harvest(self, at_latest: datetime) -> bool:
        """Tell whether there are calendars to read, and no run of a harvest that could do so has begun for long."""
        begun = select(runs.c.id).where(
            runs.c.flow == "harvest_busy_time", runs.c.started_at >= at_latest, runs.c.status != RunStatus.REFUSED
        )
        wanted = select(calendars.c.id).where(
            calendars.c.added_at.is_not(None), calendars.c.retired_at.is_(None), calendars.c.connection_id.is_not(None)
        )
        return bool(self._connection.scalar(select(and_(exists(wanted), ~exists(begun)))))

    def request(self, kind: RequestKind, at_latest: datetime) -> bool:
        """Tell whether something is asked for that nobody works on.

        What a run took and did not end is tried again once a breaker has changed since it began, or it began long ago.

        Args:
            kind: What is asked for.
            at_latest: A run that began before is long ago.
        """
        breaker_changed = exists(
            select(connections.c.id).where(
                connections.c.breaker_changed_at > runs.c.started_at,
                or_(requests.c.connection_id.is_(None), connections.c.id == requests.c.connection_id),
            )
        )
        again = and_(runs.c.status != RunStatus.RUNNING, or_(runs.c.started_at < at_latest, breaker_changed))
        query = (
            select(requests.c.id)
            .outerjoin(runs, runs.c.id == requests.c.taken_run_id)
            .where(_open(kind), or_(requests.c.taken_run_id.is_(None), again))
        )
        return self._connection.execute(query.limit(1)).first() is not None


def _open(kind: RequestKind) -> ColumnElement[bool]:
    return and_(requests.c.kind == kind, requests.c.done_at.is_(None))


def _any(query: Select[tuple[int]]) -> ColumnElement[bool]:
    return exists(query.correlate(looks))


def _bookings_came() -> ColumnElement[bool]:
    """A row that nobody has looked at, or one that came after the last look."""
    return or_(
        exists(select(bookings.c.id).where(_UNSEEN)),
        _any(select(bookings.c.id).where(bookings.c.id > looks.c.booking_id)),
        exists(select(requests.c.id).where(_open(RequestKind.PUSH))),
    )


def _roster_changed() -> ColumnElement[bool]:
    changed = or_(
        associated_calendars.c.added_at > looks.c.looked_at,
        associated_calendars.c.retired_at > looks.c.looked_at,
    )
    return _any(select(associated_calendars.c.id).where(changed))


def _stuck_may_go_on() -> ColumnElement[bool]:
    """An entry that could not be written, and something changed in its calendar, or in one that its page reads."""
    stuck = entries.c.state.in_(_STUCK)
    may_write = select(permissions.c.id).where(
        permissions.c.calendar_id == entries.c.calendar_id, permissions.c.valid_from > looks.c.looked_at
    )
    other = associated_calendars.alias("other")
    read_with_it = (
        select(other.c.calendar_id)
        .join(associated_calendars, associated_calendars.c.page_id == other.c.page_id)
        .where(associated_calendars.c.calendar_id == entries.c.calendar_id)
    )
    freed = select(busy_intervals.c.id).where(
        busy_intervals.c.valid_to > looks.c.looked_at,
        or_(busy_intervals.c.calendar_id == entries.c.calendar_id, busy_intervals.c.calendar_id.in_(read_with_it)),
    )
    logs_on = (
        select(connections.c.id)
        .join(calendars, calendars.c.connection_id == connections.c.id)
        .where(
            calendars.c.id == entries.c.calendar_id,
            connections.c.breaker == Breaker.CLOSED,
            connections.c.breaker_changed_at > looks.c.looked_at,
        )
    )
    return _any(
        select(entries.c.id).where(
            stuck,
            or_(
                exists(may_write.correlate(entries, looks)),
                exists(freed.correlate(entries, looks)),
                exists(logs_on.correlate(entries, looks)),
            ),
        )
    )
