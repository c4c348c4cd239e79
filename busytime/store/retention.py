"""Retention: finds and removes what is old, so many rows at a time. Current rows of history never go.

Steps and events go from the oldest on, in the order in which they were written: a row that an unset clock made look old is
at least as young as the one before it.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Select, Table, delete, func, select

from busytime.maintaining import OldRows
from busytime.store.columns import metadata
from busytime.store.tables import events, steps

#: Tables whose rows go in the order in which they were written, and their instants.
_LOGS = {OldRows.STEPS: steps.c.finished_at, OldRows.EVENTS: events.c.at}


@dataclass(frozen=True, slots=True)
class OldestEvents:
    """The oldest events of the chain.

    Args:
        count: How many they are.
        through_id: The last of them.
        head: Its HMAC, which the first row that stays refers to.
    """

    count: int
    through_id: int
    head: str


class RetentionRepository:
    """Removes old rows."""

    def __init__(self, connection: Connection) -> None:
        """Work inside the caller's transaction."""
        self._connection = connection

    def first_kept(self, kind: OldRows, before: datetime, now: datetime) -> int:
        """Return the id from which on the rows of a log stay.

        Args:
            kind: Steps or events.
            before: What was written before this instant is old.
            now: The present one; a row from later than that was written under a wrong clock, and dates nothing.
        """
        at = _LOGS[kind]
        row_id = at.table.c.id
        young = select(row_id).where(at >= before, at <= now).order_by(row_id).limit(1)
        found = self._connection.scalar(young)
        if found is not None:
            return int(found)
        last_old = self._connection.scalar(select(func.max(row_id)).where(at < before))
        return int(last_old or 0) + 1

    def remove_closed(self, kind: OldRows, before: datetime, limit: int) -> int:
        """Remove rows of history that were closed before an instant; return how many."""
        table = metadata.tables[kind]
        old = select(table.c.id).where(table.c.valid_to < before).order_by(table.c.valid_to).limit(limit)
        return self._remove(table, old)

    def remove_steps(self, first_kept: int, limit: int) -> int:
        """Remove the oldest steps before the first that stays; return how many."""
        return self._remove(steps, select(steps.c.id).where(steps.c.id < first_kept).order_by(steps.c.id).limit(limit))

    def _remove(self, table: Table, old: Select[tuple[int]]) -> int:
        return self._connection.execute(delete(table).where(table.c.id.in_(old))).rowcount

    def oldest_events(self, first_kept: int, limit: int) -> OldestEvents | None:
        """Return the oldest events before the first that stays; ``None`` where there are none."""
        old = select(events.c.id).where(events.c.id < first_kept).order_by(events.c.id).limit(limit).subquery()
        count, through_id = self._connection.execute(select(func.count(), func.max(old.c.id)).select_from(old)).one()
        if not count:
            return None
        head = self._connection.execute(select(events.c.hmac).where(events.c.id == through_id)).scalar_one()
        return OldestEvents(count, through_id, head)

    def remove_events(self, oldest: OldestEvents) -> None:
        """Remove the oldest events."""
        self._connection.execute(delete(events).where(events.c.id <= oldest.through_id))
