"""Runs and their steps."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, select, update

from busytime import __version__
from busytime.bookings import ChangeKind, ChangeResult
from busytime.errors import Reason
from busytime.model import Outcome, RunStatus, Trigger, Window
from busytime.store.database import check_tables, head_version
from busytime.store.tables import owners, runs, steps
from busytime.store.tables_booking import changes


@dataclass(frozen=True, slots=True)
class Attempt:
    """One finished attempt of one step.

    Args:
        step: Name of the step.
        target: What it worked on; never an address.
        attempt: Number of the attempt, from 1.
        outcome: How it ended.
        duration_ms: How long it took, in milliseconds.
        calendars: How many calendars were in it.
        reason: Why it failed.
        error_code: The server's response code.
        back_off_ms: Back-off that the server asked for, in milliseconds.
    """

    step: str
    target: str
    attempt: int
    outcome: Outcome
    duration_ms: int
    calendars: int
    reason: Reason | None = None
    error_code: str | None = None
    back_off_ms: int | None = None


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as it is stored.

    Args:
        id: Its surrogate key.
        status: How it stands.
        reason: Why it was refused or failed.
        counts: The counts of its result.
    """

    id: int
    status: RunStatus
    reason: Reason | None
    counts: Mapping[str, int]


class RunRepository:
    """Opens and closes runs, and notes their steps."""

    def __init__(self, connection: Connection) -> None:
        """Work inside the caller's transaction."""
        self._connection = connection

    def open(
        self,
        flow: str,
        trigger: Trigger,
        actor_id: int,
        now: datetime,
        window: Window | None = None,
        prefect_id: str | None = None,
    ) -> int:
        """Note that a run has started, and return its id.

        Raises:
            ConfigurationError: The tables have been upgraded since this process looked at them.
        """
        statement = insert(runs).values(
            flow=flow,
            trigger=trigger,
            actor_id=actor_id,
            status=RunStatus.RUNNING,
            started_at=now,
            window_start=window.start if window else None,
            window_end=window.end if window else None,
            counts={},
            code_version=__version__,
            schema_version=head_version(),
            prefect_flow_run_id=prefect_id,
        )
        run_id = int(self._connection.execute(statement.returning(runs.c.id)).scalar_one())
        # Only now, because that waits for an upgrade that is at work: what it leaves may not be what this code knows.
        check_tables(self._connection)
        return run_id

    def close(
        self,
        run_id: int,
        status: RunStatus,
        now: datetime,
        *,
        reason: Reason | None = None,
        counts: Mapping[str, int] | None = None,
    ) -> None:
        """Note how a run ended; a run that has ended already stays as it is."""
        values: dict[str, Any] = {"status": status, "finished_at": now, "reason": reason}
        if counts is not None:
            values["counts"] = dict(counts)
        self._connection.execute(update(runs).where(runs.c.id == run_id, runs.c.status == RunStatus.RUNNING).values(values))

    def of_prefect(self, prefect_id: str) -> StoredRun | None:
        """Return the newest run of one of Prefect's flow runs; ``None`` where it has begun none."""
        query = select(runs).where(runs.c.prefect_flow_run_id == prefect_id).order_by(runs.c.id.desc()).limit(1)
        row = self._connection.execute(query).one_or_none()
        if row is None:
            return None
        return StoredRun(row.id, RunStatus(row.status), Reason(row.reason) if row.reason else None, row.counts)

    def crashed_since(self, instant: datetime) -> set[str]:
        """Return Prefect's ids of the flow runs that were found dead since an instant, and began the day before at most."""
        query = select(runs.c.prefect_flow_run_id).where(
            runs.c.started_at >= instant - timedelta(days=1),
            runs.c.status == RunStatus.CRASHED,
            runs.c.finished_at >= instant,
            runs.c.prefect_flow_run_id.is_not(None),
        )
        return set(self._connection.execute(query).scalars())

    def began_between(self, flow: str, instant: datetime, now: datetime) -> bool:
        """Tell whether a scheduled run of a flow has begun at an instant or later, and was neither skipped nor killed.

        Others do not count: they may have been limited to a part of the work. Nor do those that are said to begin later than
        now: the clock was set back since.
        """
        in_vain = (RunStatus.SKIPPED, RunStatus.CRASHED)
        query = select(runs.c.id).where(
            runs.c.flow == flow,
            runs.c.trigger == Trigger.SCHEDULE,
            runs.c.started_at.between(instant, now),
            runs.c.status.not_in(in_vain),
        )
        return self._connection.execute(query.limit(1)).first() is not None

    def is_at_work(self, flow: str) -> bool:
        """Tell whether a run of a flow has not ended, as far as is written down."""
        query = select(runs.c.id).where(runs.c.flow == flow, runs.c.status == RunStatus.RUNNING).limit(1)
        return self._connection.execute(query).first() is not None

    def actor_of(self, run_id: int) -> int:
        """Return who started a run."""
        return int(self._connection.execute(select(runs.c.actor_id).where(runs.c.id == run_id)).scalar_one())

    def note(self, run_id: int, attempt: Attempt, now: datetime) -> None:
        """Note one attempt of a step."""
        self._connection.execute(
            insert(steps).values(
                run_id=run_id,
                step=attempt.step,
                target=attempt.target,
                attempt=attempt.attempt,
                outcome=attempt.outcome,
                reason=attempt.reason,
                error_code=attempt.error_code,
                back_off_ms=attempt.back_off_ms,
                duration_ms=attempt.duration_ms,
                calendars=attempt.calendars,
                finished_at=now,
            )
        )

    def ended(self, run_id: int, calendar_ids: Collection[int]) -> list[ChangeResult]:
        """Return how a run's attempts at the entries of some calendars have ended so far, in their order."""
        query = select(changes).where(changes.c.run_id == run_id, changes.c.calendar_id.in_(calendar_ids))
        return [
            ChangeResult(
                row.booking_key,
                row.calendar_id,
                ChangeKind(row.change),
                Outcome(row.outcome),
                Reason(row.reason) if row.reason else None,
                row.error_code,
                moved=row.change == ChangeKind.UPDATE
                and (row.before_starts_at, row.before_ends_at) != (row.starts_at, row.ends_at),
            )
            for row in self._connection.execute(query.order_by(changes.c.id))
        ]

    def recent(self, limit: int) -> list[dict[str, Any]]:
        """Return the newest runs, newest first, as plain mappings."""
        query = (
            select(runs, owners.c.address.label("actor"))
            .join(owners, owners.c.id == runs.c.actor_id)
            .order_by(runs.c.id.desc())
            .limit(limit)
        )
        return [dict(row._mapping) for row in self._connection.execute(query)]  # noqa: SLF001 -- a row's documented mapping
