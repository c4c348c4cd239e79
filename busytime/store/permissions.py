"""Verdicts: history rows, closed when verdict, level or reason changes."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from busytime.errors import Reason
from busytime.permissions import Conclusion, Evidence, Need, PermissionLevel, Verdict
from busytime.store.tables import calendars, owners, permissions

#: A statement names no more calendars than this; all are read instead.
_IN_CLAUSE = 500


@dataclass(frozen=True, slots=True)
class StoredVerdict:
    """A current verdict and since when it stands."""

    id: int
    calendar_id: int
    need: Need
    conclusion: Conclusion
    valid_from: datetime


class PermissionRepository:
    """Keeps one current verdict for each connection, calendar and need."""

    def __init__(self, connection: Connection) -> None:
        """Work inside the caller's transaction."""
        self._connection = connection

    def current(
        self, connection_id: int | None = None, *, calendar_ids: Collection[int] | None = None
    ) -> dict[tuple[int, Need], StoredVerdict]:
        """Return the current verdicts by calendar and need: of one connection, or of each calendar's serving one.

        Args:
            connection_id: The connection.
            calendar_ids: Only those of some calendars.
        """
        query = select(permissions).where(permissions.c.valid_to.is_(None))
        if calendar_ids is not None and len(calendar_ids) <= _IN_CLAUSE:
            query = query.where(permissions.c.calendar_id.in_(list(calendar_ids)))
        if connection_id is not None:
            query = query.where(permissions.c.connection_id == connection_id)
        else:
            # What a connection that was ended or replaced may do says nothing of the one that serves now.
            serving = calendars.c.connection_id == permissions.c.connection_id
            query = query.join(calendars, (calendars.c.id == permissions.c.calendar_id) & serving)
        return {(row.calendar_id, Need(row.need)): _stored(row) for row in self._connection.execute(query)}

    def groups(self) -> frozenset[str]:
        """Return the addresses that a validation found to be distribution lists."""
        named = permissions.join(calendars, calendars.c.id == permissions.c.calendar_id).join(
            owners, owners.c.id == calendars.c.owner_id
        )
        query = select(owners.c.address).select_from(named)
        found = query.where(permissions.c.valid_to.is_(None), permissions.c.reason == Reason.IS_A_GROUP)
        return frozenset(self._connection.execute(found).scalars())

    def replace(
        self,
        connection_id: int,
        calendar_id: int,
        need: Need,
        required: PermissionLevel,
        conclusion: Conclusion,
        *,
        before: StoredVerdict | None,
        run_id: int,
        instant: datetime,
    ) -> None:
        """Close the verdict that stood before, if there is one, and open the new one."""
        if before is not None:
            self.close([before.id], run_id, instant)
        self._connection.execute(
            insert(permissions).values(
                connection_id=connection_id,
                calendar_id=calendar_id,
                need=need,
                required=required,
                observed=conclusion.observed,
                evidence=conclusion.evidence,
                verdict=conclusion.verdict,
                reason=conclusion.reason,
                detail=conclusion.detail,
                opened_run_id=run_id,
                valid_from=instant,
            )
        )

    def close(self, keys: Sequence[int], run_id: int, instant: datetime) -> None:
        """Close verdicts that are no longer asked for, or no longer true."""
        for key in keys:
            statement = update(permissions).where(permissions.c.id == key)
            self._connection.execute(statement.values(closed_run_id=run_id, valid_to=instant))


def _stored(row: Any) -> StoredVerdict:
    conclusion = Conclusion(
        verdict=Verdict(row.verdict),
        evidence=Evidence(row.evidence) if row.evidence else None,
        observed=PermissionLevel(row.observed) if row.observed else None,
        reason=Reason(row.reason) if row.reason else None,
        detail=row.detail,
    )
    return StoredVerdict(row.id, row.calendar_id, Need(row.need), conclusion, row.valid_from)
