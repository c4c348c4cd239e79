"""What alarms are made of, told by one bounded query each: it names few owners, however many calendars are in trouble.

A connection whose breaker is open has that alarm alone: that its calendars grow old and its entries wait follows from it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, exists, func, or_, select

from busytime.alarm_words import MOST_NAMED, Trouble
from busytime.bookings import EntryState
from busytime.errors import Reason
from busytime.model import Breaker, CoverageState, RunStatus
from busytime.permissions import Verdict
from busytime.store.tables import calendars, connections, coverage, installation, owners, permissions, runs
from busytime.store.tables_booking import bookings, entries

_owner = owners.alias("owner")
_account = owners.alias("account")

#: Verdicts that, after a granted one, mean that a right is lost. What is merely unproven was proven by items that are gone.
_LOST = (Verdict.INSUFFICIENT, Verdict.MISSING, Verdict.UNREACHABLE)
#: Entries that could not be written, and that a person has to see to.
_FAILING = (EntryState.FAILED, EntryState.BLOCKED)
#: Entries that the next push usually brings on.
_ON_THEIR_WAY = (EntryState.INTENDED, EntryState.UNKNOWN, EntryState.WAITING_FOR_LOG_ON)
#: A run that came to its end lately began no longer before: a bound, so that few rows are read.
_LONGEST_RUN = timedelta(days=1)
#: Reasons of unknown coverage that are a word of the server's, however old.
_DEFINITE = tuple(reason for reason in Reason if reason.definite)
#: In use, and served by a connection that may log on.
_AT_WORK = and_(
    calendars.c.added_at.is_not(None),
    calendars.c.retired_at.is_(None),
    connections.c.closed_at.is_(None),
    connections.c.breaker == Breaker.CLOSED,
)


class AlarmFactRepository:
    """Tells what is not as it should be."""

    def __init__(self, connection: Connection) -> None:
        """Work inside the caller's transaction."""
        self._connection = connection

    def lost(self) -> list[Trouble]:
        """Return, for each connection, the calendars in which a right was granted once and is not now."""
        before = permissions.alias("before")
        granted = select(before.c.id).where(
            before.c.connection_id == permissions.c.connection_id,
            before.c.calendar_id == permissions.c.calendar_id,
            before.c.need == permissions.c.need,
            before.c.verdict == Verdict.GRANTED,
        )
        lost = select(permissions.c.id).where(
            permissions.c.calendar_id == calendars.c.id,
            permissions.c.connection_id == calendars.c.connection_id,
            permissions.c.valid_to.is_(None),
            permissions.c.verdict.in_(_LOST),
            exists(granted),
        )
        return self._troubles(_calendars(exists(lost)))

    def too_old(self, now: datetime, max_age: timedelta) -> list[Trouble]:
        """Return, for each connection, the calendars that are unknown now because their last answer is too old."""
        silent = or_(coverage.c.state == CoverageState.COVERED, coverage.c.reason.not_in(_DEFINITE))
        old = select(coverage.c.id).where(
            coverage.c.calendar_id == calendars.c.id,
            coverage.c.valid_to.is_(None),
            coverage.c.starts_at <= now,
            coverage.c.ends_at > now,
            coverage.c.as_of < now - max_age,
            silent,
        )
        return self._troubles(_calendars(exists(old)))

    def failing(self, now: datetime, stuck_before: datetime) -> list[Trouble]:
        """Return, for each connection, the entries of bookings to come that could not be written.

        Args:
            now: The present instant.
            stuck_before: What was to be written before, and neither is nor is refused, is stuck.
        """
        stuck = and_(
            entries.c.state.in_(_ON_THEIR_WAY), func.coalesce(entries.c.intended_at, entries.c.updated_at) < stuck_before
        )
        late = or_(bookings.c.ends_at > now, bookings.c.effective_ends_at > now)
        to_come = entries.c.booking_key.in_(select(bookings.c.booking_key).where(late))
        found = _in_trouble().join(entries, entries.c.calendar_id == calendars.c.id)
        return self._troubles(found.where(or_(entries.c.state.in_(_FAILING), stuck), or_(to_come, entries.c.ends_at > now)))

    def served(self) -> Mapping[int, int]:
        """Return how many calendars each connection serves."""
        query = (
            select(calendars.c.connection_id, func.count().label("found"))
            .join(connections, connections.c.id == calendars.c.connection_id)
            .where(_AT_WORK)
            .group_by(calendars.c.connection_id)
        )
        return {row.connection_id: row.found for row in self._connection.execute(query)}

    def has_work(self, since: datetime) -> bool:
        """Tell whether there has been a calendar to read, and a connection to read it through, since an instant."""
        query = (
            select(calendars.c.id)
            .join(connections, connections.c.id == calendars.c.connection_id)
            .where(_AT_WORK, calendars.c.added_at <= since, connections.c.opened_at <= since)
        )
        query = query.where(connections.c.breaker_changed_at <= since)
        return self._connection.execute(query.limit(1)).first() is not None

    def installed(self, since: datetime) -> bool:
        """Tell whether this installation, and a connection, have been there since an instant."""
        query = select(connections.c.id).where(
            connections.c.closed_at.is_(None),
            connections.c.opened_at <= since,
            exists(select(installation.c.id).where(installation.c.created_at <= since)),
        )
        return self._connection.execute(query.limit(1)).first() is not None

    def has_begun(self, flow: str, since: datetime) -> bool:
        """Tell whether a run of a flow has begun at an instant or later."""
        return self._has_run(runs.c.flow == flow, runs.c.started_at >= since, runs.c.status != RunStatus.SKIPPED)

    def has_completed(self, flow: str, since: datetime) -> bool:
        """Tell whether a run of a flow has come to its end at an instant or later."""
        done = runs.c.status.in_((RunStatus.COMPLETED, RunStatus.COMPLETED_WITH_FAILURES))
        return self._has_run(runs.c.flow == flow, runs.c.started_at >= since - _LONGEST_RUN, runs.c.finished_at >= since, done)

    def _has_run(self, *conditions: ColumnElement[bool]) -> bool:
        return self._connection.execute(select(runs.c.id).where(*conditions).limit(1)).first() is not None

    def at_work_since_before(self, instant: datetime) -> list[tuple[int, str, datetime]]:
        """Return the runs that began before an instant and have not ended, as far as is written down: key, flow, start."""
        query = (
            select(runs.c.id, runs.c.flow, runs.c.started_at)
            .where(runs.c.status == RunStatus.RUNNING, runs.c.started_at < instant)
            .order_by(runs.c.id)
        )
        return [(row.id, row.flow, row.started_at) for row in self._connection.execute(query)]

    def _troubles(self, found: Select[tuple[int, str, int]]) -> list[Trouble]:
        by_owner = found.group_by(calendars.c.connection_id, _owner.c.address).subquery()
        one = by_owner.c.connection_id
        ranked = select(
            by_owner,
            func.row_number().over(partition_by=one, order_by=by_owner.c.address).label("rank"),
            func.sum(by_owner.c.found).over(partition_by=one).label("total"),
            func.count().over(partition_by=one).label("owners"),
        ).subquery()
        query = (
            select(ranked, _account.c.address.label("email"))
            .join(connections, connections.c.id == ranked.c.connection_id)
            .join(_account, _account.c.id == connections.c.owner_id)
            .where(ranked.c.rank <= MOST_NAMED)
            .order_by(ranked.c.connection_id, ranked.c.rank)
        )
        rows = groupby(self._connection.execute(query), key=attrgetter("connection_id"))
        return [_trouble(list(of_one)) for _, of_one in rows]


def _trouble(rows: Sequence[Row[Any]]) -> Trouble:
    """Put together what the rows of one connection say: one for each owner that is named."""
    first, named = rows[0], tuple(row.address for row in rows)
    return Trouble(first.connection_id, first.email, int(first.total), named, first.owners - len(named))


def _in_trouble() -> Select[tuple[int, str, int]]:
    """Begin a query for what is in trouble in calendars at work, by connection and owner."""
    return (
        select(calendars.c.connection_id, _owner.c.address, func.count().label("found"))
        .select_from(calendars)
        .join(connections, connections.c.id == calendars.c.connection_id)
        .join(_owner, _owner.c.id == calendars.c.owner_id)
        .where(_AT_WORK)
    )


def _calendars(condition: ColumnElement[bool]) -> Select[tuple[int, str, int]]:
    return _in_trouble().where(condition)
