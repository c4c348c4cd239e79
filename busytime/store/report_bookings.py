"""The report's questions about bookings: how many entries stand how, and which need somebody. Never what guests wrote."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Subquery, and_, case, func, or_, select

from busytime.bookings import BookingState, EntryState
from busytime.errors import Reason
from busytime.report.facts import Bookings, EntryFact
from busytime.report.period import Period
from busytime.standing import TROUBLED
from busytime.store.report_sql import BOOKINGS, ENTRIES, place_of

_ROWS = 12


@dataclass(frozen=True, slots=True)
class BookingQuestions:
    """Asks the views, in one transaction, about one period."""

    connection: Connection
    period: Period

    def bookings(self) -> Bookings:
        """Return where the bookings stand that are to come, or were over within the span."""
        entries = self._entries()
        grouped = select(entries.c.coming, entries.c.state, func.count()).group_by(entries.c.coming, entries.c.state)
        counts = [(coming, EntryState(state), count) for coming, state, count in self.connection.execute(grouped)]
        needy = and_(entries.c.coming == 1, entries.c.state.in_(sorted(TROUBLED)))
        total = self.connection.scalar(select(func.count()).select_from(entries).where(needy)) or 0
        soonest = select(entries).where(needy).order_by(entries.c.begins, entries.c.booking_key, entries.c.id).limit(_ROWS)
        troubled = tuple(_entry(row) for row in self.connection.execute(soonest))
        return Bookings(
            coming={state: count for coming, state, count in counts if coming},
            over={state: count for coming, state, count in counts if not coming},
            absent=self._count(self._absent()),
            refused=self._count(BOOKINGS.c.refused.is_not(None)),
            troubled=troubled,
            more=total - len(troubled),
        )

    def _count(self, condition: ColumnElement[bool]) -> int:
        return self.connection.scalar(select(func.count()).select_from(BOOKINGS).where(condition)) or 0

    def _entries(self) -> Subquery:
        """Return entries of the span and of later, with when they begin and whether they are to come."""
        period, booked = self.period, and_(BOOKINGS.c.booking_key == ENTRIES.c.booking_key, _good())
        # What was never in a calendar has no time of its own; what its owner moved has another than its booking.
        ends = func.coalesce(BOOKINGS.c.effective_ends_at, BOOKINGS.c.ends_at)
        begins = func.coalesce(BOOKINGS.c.effective_starts_at, BOOKINGS.c.starts_at)
        coming = or_(ends > period.as_of, ENTRIES.c.ends_at > period.as_of)
        return (
            select(ENTRIES, begins.label("begins"), case((coming, 1), else_=0).label("coming"))
            .select_from(ENTRIES.join(BOOKINGS, booked))
            .where(or_(coming, and_(ends >= period.start, ends < period.end)))
            .subquery()
        )

    def _absent(self) -> ColumnElement[bool]:
        """Return the condition on bookings that should have been entered somewhere by now, and are not."""
        state = func.coalesce(BOOKINGS.c.effective_state, BOOKINGS.c.state)
        ends = func.coalesce(BOOKINGS.c.effective_ends_at, BOOKINGS.c.ends_at)
        entered = select(ENTRIES.c.id).where(ENTRIES.c.booking_key == BOOKINGS.c.booking_key).exists()
        due = BOOKINGS.c.booked_at < self.period.as_of - self.period.max_age
        return and_(state == BookingState.SCHEDULED, ends > self.period.as_of, due, ~entered)


def _good() -> ColumnElement[bool]:
    """Return the condition on rows that somebody looked at and found good; of each booking the view has one."""
    return and_(BOOKINGS.c.refused.is_(None), BOOKINGS.c.checked_at.is_not(None))


def _entry(row: Any) -> EntryFact:
    reason = None if row.reason is None else Reason(row.reason)
    return EntryFact(row.booking_key, place_of(row), row.begins, EntryState(row.state), reason, row.updated_at)
