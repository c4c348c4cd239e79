"""Every attempt to log on: claimed before it is sent, answered once."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, insert, select, update

from busytime.errors import Reason
from busytime.model import LogonAnswer, LogonBy
from busytime.signing_in import LONGEST_LOGON, Logon, Uptime
from busytime.store.locks import LockRepository, Process
from busytime.store.tables import logons


class LogonRepository:
    """Notes attempts to log on."""

    def __init__(self, connection: Connection) -> None:
        """Work inside the caller's transaction."""
        self._connection = connection
        self._locks = LockRepository(connection)

    def claim(
        self,
        owner_id: int,
        by: LogonBy,
        actor_id: int,
        now: datetime,
        uptime: Uptime | None = None,
        *,
        version: int | None = None,
        run_id: int | None = None,
    ) -> int:
        """Note that a log-on is about to be sent, and return the attempt's id."""
        statement = insert(logons).values(
            owner_id=owner_id,
            by=by,
            actor_id=actor_id,
            at=now,
            boot=uptime.boot if uptime else None,
            uptime_ms=uptime.length // timedelta(milliseconds=1) if uptime else None,
            credential_version=version,
            run_id=run_id,
        )
        return int(self._connection.execute(statement.returning(logons.c.id)).scalar_one())

    def answer(
        self, logon_id: int, answer: LogonAnswer, now: datetime, reason: Reason | None = None, error_code: str | None = None
    ) -> None:
        """Note what came of an attempt, once."""
        self._connection.execute(
            update(logons)
            .where(logons.c.id == logon_id, logons.c.answer.is_(None))
            .values(answer=answer, answered_at=now, reason=reason, error_code=error_code)
        )

    def recent(self, owner_id: int, limit: int = 100) -> Sequence[Logon]:
        """Return an account's newest attempts, the oldest of them first; far more than an allowance can hold.

        Those that no directory judged are left out: while a server is down they would crowd out the ones that count.
        """
        told = logons.c.answer.is_(None) | logons.c.answer.not_in([LogonAnswer.NOT_SENT, LogonAnswer.UNJUDGED])
        query = self._of(owner_id).where(told).order_by(logons.c.id.desc()).limit(limit)
        return [_logon(row) for row in reversed(self._connection.execute(query).all())]

    def is_under_way(self, owner_id: int, process: Process, now: datetime, longest: timedelta) -> bool:
        """Tell whether a living run waits for the answer of an attempt of its own.

        Args:
            owner_id: The account.
            process: The process that looks.
            now: The present instant.
            longest: An attempt takes no longer than this.
        """
        waiting = self._of(owner_id).where(logons.c.answer.is_(None), logons.c.run_id.is_not(None))
        rows = self._connection.execute(waiting.where(logons.c.at > now - longest)).all()
        return any(self._locks.has_living_run(row.run_id, process, now) for row in rows)

    def last_accepted(self, owner_id: int, version: int | None) -> datetime | None:
        """Return when a version of the secret was last accepted."""
        query = self._of(owner_id).where(logons.c.answer == LogonAnswer.ACCEPTED, logons.c.credential_version == version)
        row = self._connection.execute(query.order_by(logons.c.id.desc()).limit(1)).one_or_none()
        return row.at if row is not None else None

    def last_refusal(self, owner_id: int) -> tuple[Reason | None, datetime] | None:
        """Return why an attempt was refused last, and when it was claimed."""
        query = self._of(owner_id).where(logons.c.answer == LogonAnswer.REFUSED).order_by(logons.c.id.desc()).limit(1)
        row = self._connection.execute(query).one_or_none()
        return (Reason(row.reason) if row.reason else None, row.at) if row is not None else None

    def stopped_since(self, owner_id: int, until: datetime) -> datetime | None:
        """Return since when no log-on with the stored secret was good before a person's good one; ``None`` if there was none.

        Args:
            owner_id: The account.
            until: When that person's log-on had been written down.
        """
        before = self._of(owner_id).where(logons.c.answered_at <= until).order_by(logons.c.id.desc())
        since = None
        for row in self._connection.execute(before):
            if row.answer == LogonAnswer.ACCEPTED and (row.by == LogonBy.MACHINE or since is not None):
                break
            if row.answer == LogonAnswer.REFUSED and row.credential_version is not None:
                since = row.at
        return since

    def claimed_since(self, owner_id: int, by: LogonBy, since: datetime) -> int:
        """Count the attempts of one cause that were claimed at an instant or later."""
        query = self._of(owner_id).where(logons.c.by == by, logons.c.at >= since)
        return len(self._connection.execute(query).all())

    @staticmethod
    def _of(owner_id: int) -> Select[Any]:
        return select(logons).where(logons.c.owner_id == owner_id)


def _logon(row: Any) -> Logon:
    answer = LogonAnswer(row.answer) if row.answer else None
    up = Uptime(row.boot, timedelta(milliseconds=row.uptime_ms)) if row.boot is not None else None
    return Logon(row.at, LogonBy(row.by), answer, up, _took(row))


def _took(row: Any) -> timedelta:
    # A clock that was set meanwhile shall not say that it took a day.
    took: timedelta = row.answered_at - row.at if row.answered_at is not None else LONGEST_LOGON
    return min(max(took, timedelta(0)), LONGEST_LOGON)
