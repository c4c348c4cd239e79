"""The report's questions about coverage: what was known when, what is unknown now, and which calendars are the worst.

What was known at an instant T of the past: a covered row held then, T is no later than its `as_of` + `max_age`, and it spoke
of T. Its window slides while it is current, so of one that reached back before its `as_of` only the end counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any

from sqlalchemy import CTE, ColumnElement, Connection, Select, Subquery, and_, case, func, literal, or_, select

from busytime.errors import Reason
from busytime.model import CoverageState
from busytime.report.facts import Coverage, CoverageLine, Place, UnknownGroup, WorstCalendar
from busytime.report.period import Period
from busytime.store.report_sql import CALENDARS, COVERAGE, Largest, Seconds, Smallest, in_use, instant_of, place_of

_LINES = 30
_WORST = 10
_EXAMPLES = 3
#: Calendars that were unknown for less were known all the time.
_MOMENT = timedelta(minutes=1)
_COVERED = COVERAGE.c.state == CoverageState.COVERED


@dataclass(frozen=True, slots=True)
class CoverageQuestions:
    """Asks the views, in one transaction, about one period."""

    connection: Connection
    period: Period

    def coverage(self) -> Coverage:
        """Return what was known of the calendars in use, over all of them and of the worst one by one."""
        each = self._by_calendar()
        columns = [*self._columns(each), (each.c.known, each.c.expected)]
        sums = [func.coalesce(func.sum(column), 0.0) for pair in columns for column in pair]
        brief = case((each.c.expected - each.c.known < _MOMENT.total_seconds(), 1), else_=0)
        count, whole, *totals = self.connection.execute(select(func.count(), func.coalesce(func.sum(brief), 0), *sums)).one()
        *shares, share = self._shares(totals)
        # Where nearly all were known all the time, ten lines show it.
        worst = self.connection.execute(_worst_first(each).limit(min(_LINES, max(_WORST, count - whole)))).all()
        return Coverage(
            calendars=count,
            shares=tuple(shares),
            share=share,
            worst=tuple(map(self._line, worst)),
            others=count - len(worst),
            others_whole=min(whole, count - len(worst)),
        )

    def _by_calendar(self) -> Subquery:
        """Return the seconds that each calendar was known, and that it was on the roster, in each column and in all."""
        held, period = self._held(), self.period
        added, now = Seconds(CALENDARS.c.added_at), literal(period.end.timestamp())
        edges = [instant.timestamp() for instant in (*period.columns, period.columns[-1] + period.step)]
        asked: list[ColumnElement[Any]] = [CALENDARS.c.id.label("calendar_id"), CALENDARS.c.owner, CALENDARS.c.folder]
        for number, (start, end) in enumerate([*pairwise(edges), (period.start.timestamp(), edges[-1])]):
            since, until = Largest(literal(start), literal(period.start.timestamp())), Smallest(literal(end), now)
            name = str(number) if number < len(period.columns) else ""
            overlap = Largest(Smallest(held.c.ends, until) - Largest(held.c.begins, since), literal(0.0))
            asked += [
                func.coalesce(func.sum(overlap), 0.0).label(f"known{name}"),
                Largest(until - Largest(since, added), literal(0.0)).label(f"expected{name}"),
            ]
        grouped = (CALENDARS.c.id, CALENDARS.c.owner, CALENDARS.c.folder, CALENDARS.c.added_at)
        joined = held.join(CALENDARS, CALENDARS.c.id == held.c.calendar_id)
        return select(*asked).select_from(joined).group_by(*grouped).subquery()

    def _held(self) -> CTE:
        """Return from when to when each covered row made its calendar known, as seconds, as far as that is in the span.

        Each calendar has one more row of no length: so none is missing, and none has to be looked for.
        """
        row, period = COVERAGE.c, self.period
        end = literal(period.end.timestamp())
        ahead = case((row.starts_at > row.as_of, Seconds(row.starts_at)), else_=literal(0.0))
        begins = Largest(Seconds(row.valid_from), ahead, Seconds(CALENDARS.c.added_at))
        fresh_until = Seconds(row.as_of) + period.max_age.total_seconds()
        ends = Smallest(func.coalesce(Seconds(row.valid_to), end), fresh_until, Seconds(row.ends_at))
        inside = and_(row.valid_from < period.end, or_(row.valid_to.is_(None), row.valid_to > period.start))
        covered = (
            select(row.calendar_id, begins.label("begins"), ends.label("ends"))
            .select_from(COVERAGE.join(CALENDARS, CALENDARS.c.id == row.calendar_id))
            .where(_COVERED, inside, in_use(CALENDARS))
        )
        each = select(CALENDARS.c.id, literal(0.0), literal(0.0)).where(in_use(CALENDARS))
        return (
            covered.union_all(each)
            .cte("held")
            .prefix_with("MATERIALIZED")  # else each column would reckon the seconds of each row anew
        )

    def _columns(self, each: Subquery) -> list[tuple[ColumnElement[float], ColumnElement[float]]]:
        return [(each.c[f"known{number}"], each.c[f"expected{number}"]) for number in range(len(self.period.columns))]

    @staticmethod
    def _shares(seconds: Sequence[float]) -> list[float | None]:
        """Return the share that each pair of numbers makes: known, and expected."""
        pairs = zip(seconds[::2], seconds[1::2], strict=True)
        return [min(1.0, known / expected) if expected else None for known, expected in pairs]

    def _line(self, row: Any) -> CoverageLine:
        _, _, _, *seconds = row
        *shares, share = self._shares(seconds)
        unknown = timedelta(seconds=round(max(0.0, row.expected - row.known)))
        return CoverageLine(row.calendar_id, place_of(row), tuple(shares), 1.0 if share is None else share, unknown)

    def worst(self, coverage: Coverage) -> tuple[WorstCalendar, ...]:
        """Return the worst calendars with why, as far as any was unknown for a minute."""
        lines = [line for line in coverage.worst[:_WORST] if line.unknown >= _MOMENT]
        row, period = COVERAGE.c, self.period
        inside = and_(row.valid_from < period.end, or_(row.valid_to.is_(None), row.valid_to > period.start))
        theirs = row.calendar_id.in_([line.calendar_id for line in lines])
        newest = func.row_number().over(partition_by=row.calendar_id, order_by=row.valid_from.desc())
        unknown = select(COVERAGE, newest.label("newest")).where(theirs, inside, row.state == CoverageState.UNKNOWN).subquery()
        last = {it.calendar_id: it for it in self.connection.execute(select(unknown).where(unknown.c.newest == 1))}
        began = func.sum(case((row.valid_from >= period.start, 1), else_=0))
        lost = select(row.calendar_id, began).where(theirs, inside, row.state == CoverageState.UNKNOWN).group_by(row.calendar_id)
        times = {key: int(count) for key, count in self.connection.execute(lost)}
        failing = select(row.calendar_id, func.max(row.failures)).where(theirs, row.valid_to.is_(None)).group_by(row.calendar_id)
        failures = {key: int(count) for key, count in self.connection.execute(failing)}
        return tuple(_why(line, last.get(line.calendar_id), times, failures) for line in lines)

    def unknown(self) -> tuple[int, tuple[UnknownGroup, ...]]:
        """Return how many calendars are known now, and the others by reason with some of them."""
        told = self._told_of_now()
        counted = select(told.c.reason, func.count(), func.min(told.c.since)).group_by(told.c.reason)
        groups = {reason: (count, instant_of(since)) for reason, count, since in self.connection.execute(counted)}
        number = func.row_number().over(partition_by=told.c.reason, order_by=(told.c.owner, told.c.folder))
        numbered = select(told, number.label("number")).where(told.c.reason.is_not(None)).subquery()
        few = select(numbered).where(numbered.c.number <= _EXAMPLES).order_by(numbered.c.number)
        examples: dict[str, list[Place]] = {}
        for row in self.connection.execute(few):
            examples.setdefault(row.reason, []).append(place_of(row))
        count = self.connection.scalar(select(func.count()).select_from(CALENDARS).where(in_use(CALENDARS))) or 0
        if never := count - sum(its for its, _ in groups.values()):
            groups[Reason.NEVER_HARVESTED], examples[Reason.NEVER_HARVESTED] = (never, None), self._never_harvested()
        known, _ = groups.pop(None, (0, None))
        found = [UnknownGroup(Reason(it), count, since, tuple(examples[it])) for it, (count, since) in groups.items()]
        return known, tuple(sorted(found, key=lambda group: (-group.count, group.reason)))

    def _speaks(self) -> ColumnElement[bool]:
        """Return the condition on rows that say what is known now."""
        row, now = COVERAGE.c, self.period.as_of
        return and_(row.valid_to.is_(None), row.starts_at <= now, row.ends_at > now)

    def _told_of_now(self) -> Subquery:
        """Return each calendar of which a row speaks, with why it is not known now and since when; no reason means known."""
        row, now = COVERAGE.c, self.period.as_of
        fresh_until = Seconds(row.as_of) + self.period.max_age.total_seconds()
        outdated = case((fresh_until < now.timestamp(), Reason.OUTDATED), else_=None)
        since = case((row.reason.is_not(None), Smallest(fresh_until, Seconds(row.valid_from))), else_=fresh_until)
        return (
            select(row.owner, row.folder, func.coalesce(row.reason, outdated).label("reason"), since.label("since"))
            .select_from(COVERAGE.join(CALENDARS, CALENDARS.c.id == row.calendar_id))
            .where(self._speaks(), in_use(CALENDARS))
            .subquery()
        )

    def _never_harvested(self) -> list[Place]:
        """Return some calendars of which no row speaks."""
        spoken = select(COVERAGE.c.id).where(COVERAGE.c.calendar_id == CALENDARS.c.id, self._speaks()).exists()
        order = (CALENDARS.c.owner, CALENDARS.c.folder)
        few = select(*order).where(in_use(CALENDARS), ~spoken).order_by(*order).limit(_EXAMPLES)
        return [place_of(row) for row in self.connection.execute(few)]


def _worst_first(each: Subquery) -> Select[Any]:
    return select(each).order_by((each.c.expected - each.c.known).desc(), each.c.owner, each.c.folder)


def _why(line: CoverageLine, last: Any, lost: dict[int, int], failures: dict[int, int]) -> WorstCalendar:
    """Say why a calendar was unknown last; where no row says so, no harvest came in time."""
    key = line.calendar_id
    silent = Reason.OUTDATED if line.share else Reason.NEVER_HARVESTED
    reason, since, until = (Reason(last.reason), last.valid_from, last.valid_to) if last else (silent, None, None)
    return WorstCalendar(line, lost.get(key, 0), failures.get(key, 0), reason, since, until)
