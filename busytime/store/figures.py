"""Figures for watching: how old coverage is, and what steps and log-ons came to lately."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, func, select

from busytime.store.tables import calendars, coverage, logons, steps


class FigureRepository:
    """Counts."""

    def __init__(self, connection: Connection) -> None:
        """Work inside the caller's transaction."""
        self._connection = connection

    def oldest_answer(self) -> datetime | None:
        """Return when the calendar was asked whose last answer is the oldest; ``None`` where none has answered."""
        query = (
            select(func.min(coverage.c.as_of))
            .join(calendars, calendars.c.id == coverage.c.calendar_id)
            .where(coverage.c.valid_to.is_(None), calendars.c.retired_at.is_(None), calendars.c.added_at.is_not(None))
        )
        oldest: datetime | None = self._connection.scalar(query)
        return oldest

    def steps(self) -> Mapping[tuple[str, str], tuple[int, int]]:
        """Return for each step and outcome how many attempts are on record, and their back-off in milliseconds."""
        query = select(steps.c.step, steps.c.outcome, func.count(), func.coalesce(func.sum(steps.c.back_off_ms), 0)).group_by(
            steps.c.step, steps.c.outcome
        )
        return {(step, outcome): (count, back_off) for step, outcome, count, back_off in self._connection.execute(query)}

    def logons(self) -> Mapping[str, int]:
        """Return how many log-ons had each answer; one without an answer counts as ``unanswered``."""
        query = select(logons.c.answer, func.count()).group_by(logons.c.answer)
        return {answer or "unanswered": count for answer, count in self._connection.execute(query)}
