"""The report's questions about permissions: how many there are of each verdict, what is not granted, and what changed."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Subquery, TableClause, and_, case, func, or_, select

from busytime.errors import Reason
from busytime.permissions import Need, Verdict
from busytime.report.facts import LOST, PermissionFact, Permissions
from busytime.report.period import Period
from busytime.store.report_sql import CALENDARS, PERMISSIONS, in_use, place_of

_ROWS = 25


@dataclass(frozen=True, slots=True)
class PermissionQuestions:
    """Asks the views, in one transaction, about one period."""

    connection: Connection
    period: Period

    def permissions(self) -> Permissions:
        """Return the verdicts on what each calendar's serving connection may do there."""
        row = PERMISSIONS.c
        counted = select(row.need, row.verdict, func.count()).select_from(_serving()).where(_current(PERMISSIONS))
        counts = self.connection.execute(counted.group_by(row.need, row.verdict)).all()
        told = self._told()
        rank = case((_lost(told), 0), (told.c.verdict != Verdict.GRANTED, 1), else_=2)
        few = select(told).where(self._worth_telling(told)).order_by(rank, told.c.owner, told.c.folder, told.c.need).limit(_ROWS)
        rows = tuple(self._fact(row) for row in self.connection.execute(few))
        total = self.connection.scalar(select(func.count()).select_from(told).where(self._worth_telling(told))) or 0
        lost, since = self.connection.execute(select(func.count(), func.max(told.c.since)).where(_lost(told))).one()
        by_verdict = {(Need(need), Verdict(verdict)): count for need, verdict, count in counts}
        return Permissions(by_verdict, rows, total - len(rows), lost, since)

    def _told(self) -> Subquery:
        """Return current rows that are not granted, or are new, with the verdict that stood before and since when it does not."""
        row, older = PERMISSIONS.c, PERMISSIONS.alias("older")
        same = and_(
            *(older.c[name] == row[name] for name in ("connection_id", "calendar_id", "need")),
            older.c.valid_to.is_not(None),
            # That a server could not be asked for a while is no change of the right.
            older.c.verdict.not_in([row.verdict, Verdict.UNREACHABLE]),
        )
        newest = (
            select(older.c.id).where(same).order_by(older.c.valid_to.desc()).limit(1).correlate(PERMISSIONS).scalar_subquery()
        )
        before = PERMISSIONS.alias("before")
        since = func.coalesce(before.c.valid_to, row.valid_from).label("since")
        wanted = or_(row.verdict != Verdict.GRANTED, row.valid_from >= self.period.start)
        return (
            select(PERMISSIONS, before.c.verdict.label("verdict_before"), since)
            .select_from(_serving().outerjoin(before, before.c.id == newest))
            .where(_current(PERMISSIONS), wanted)
            .subquery()
        )

    def _worth_telling(self, told: Subquery) -> ColumnElement[bool]:
        won = and_(told.c.verdict_before.is_not(None), self._changed(told))
        return or_(told.c.verdict != Verdict.GRANTED, won)

    def _changed(self, told: Subquery) -> ColumnElement[bool]:
        return and_(told.c.since >= self.period.start, told.c.since < self.period.end)

    def _fact(self, row: Any) -> PermissionFact:
        before = None if row.verdict_before is None else Verdict(row.verdict_before)
        return PermissionFact(
            place=place_of(row),
            connection=row.connection,
            need=Need(row.need),
            required=row.required,
            observed=row.observed,
            verdict=Verdict(row.verdict),
            reason=None if row.reason is None else Reason(row.reason),
            since=row.since,
            before=before,
            changed=before is not None and self.period.start <= row.since < self.period.end,
        )


def _serving() -> Any:
    """Return verdicts beside their calendars; what a connection may do that does not serve one any more says nothing."""
    serves = and_(CALENDARS.c.id == PERMISSIONS.c.calendar_id, CALENDARS.c.connection_id == PERMISSIONS.c.connection_id)
    return PERMISSIONS.join(CALENDARS, and_(serves, in_use(CALENDARS)))


def _current(permissions: TableClause) -> ColumnElement[bool]:
    return permissions.c.valid_to.is_(None)


def _lost(told: Subquery) -> ColumnElement[bool]:
    return and_(told.c.verdict_before == Verdict.GRANTED, told.c.verdict.in_(list(LOST)))
