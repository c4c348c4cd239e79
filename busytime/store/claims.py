"""Claims: one run at a time writes into a calendar.

A claim is a row among the locks, with machine and process like any other. No session of PostgreSQL stands behind it,
because a run has many: a dead process of this machine is replaced at once, one of another machine after a minute without
a sign of life.
"""

from datetime import datetime, timedelta

from sqlalchemy import Connection, Select, select, union, update

from busytime.bookings import Claim
from busytime.model import Outcome, RunStatus
from busytime.store.locks import LockRepository, Process
from busytime.store.runs import RunRepository
from busytime.store.tables import calendars, connections, locks, runs
from busytime.store.tables_booking import changes, entries

_PREFIX = "push:calendar:"
#: A server counts the mailboxes into which one account writes, over this long.
PACE_WINDOW = timedelta(minutes=5)


def claim_name(calendar_id: int) -> str:
    """Return the name of a calendar's lock."""
    return f"{_PREFIX}{calendar_id}"


class ClaimRepository:
    """Gives calendars to runs, as fast as the server takes writes into many mailboxes."""

    def __init__(self, connection: Connection) -> None:
        """Work inside the caller's transaction."""
        self._connection = connection
        self._locks = LockRepository(connection)

    def take(self, calendar_id: int, run_id: int, process: Process, now: datetime, pace: int | None) -> tuple[Claim, str | None]:
        """Claim a calendar if nobody has it and the pace allows one more mailbox.

        Args:
            calendar_id: The calendar.
            run_id: The run.
            process: Its process.
            now: The present instant.
            pace: Into how many mailboxes a connection may write in five minutes; ``None`` for as many as it likes,
                until the server says otherwise.

        Returns:
            The answer, and the name of the holding if it is granted.
        """
        serving = select(calendars.c.owner_id, calendars.c.connection_id).where(calendars.c.id == calendar_id)
        owner_id, connection_id = self._connection.execute(serving).one()
        limit = self._limit(connection_id, pace)
        # One at a time looks at a calendar; whoever comes at that moment is told that it is taken, instead of waiting for an
        # import of the roster that holds the row. Entries may refer to it meanwhile.
        place = select(calendars.c.id).where(calendars.c.id == calendar_id).with_for_update(key_share=True, skip_locked=True)
        if self._connection.execute(place).one_or_none() is None:
            return Claim.HELD_ELSEWHERE, None
        if limit is not None:
            owners = self._owners_written(connection_id, now) | self._owners_claimed(connection_id, process, now)
            if len(owners) >= limit and owner_id not in owners:
                return Claim.PACED, None
        name = claim_name(calendar_id)
        holder, dead_run = self._locks.take(name, run_id, process, now, holder_is_dead=self._run_is_over(name))
        if dead_run is not None:
            RunRepository(self._connection).close(dead_run, RunStatus.CRASHED, now)
        return (Claim.GRANTED, holder) if holder is not None else (Claim.HELD_ELSEWHERE, None)

    def learn_pace(self, connection_id: int, now: datetime) -> None:
        """Note that the server takes no more mailboxes than were written into in the last five minutes, or less."""
        learnt = self._connection.scalar(self._learnt_pace(connection_id))
        written = max(1, len(self._owners_written(connection_id, now, taken=True)))
        row = update(connections).where(connections.c.id == connection_id)
        self._connection.execute(row.values(mailboxes_in_five_minutes=min(written, learnt or written)))

    def _limit(self, connection_id: int | None, pace: int | None) -> int | None:
        if connection_id is None:
            return None
        learnt = self._learnt_pace(connection_id)
        if pace is None and self._connection.scalar(learnt) is None:
            return None
        # Who counts mailboxes waits for who counted before: two could each be the last one that is allowed.
        limits = (pace, self._connection.scalar(learnt.with_for_update(key_share=True)))
        return min(limit for limit in limits if limit is not None)

    @staticmethod
    def _learnt_pace(connection_id: int) -> Select[tuple[int | None]]:
        return select(connections.c.mailboxes_in_five_minutes).where(connections.c.id == connection_id)

    def _owners_written(self, connection_id: int | None, now: datetime, *, taken: bool = False) -> set[int]:
        """Return the owners into whose mailboxes something was sent, or, if asked for, into which the server took it."""
        # What the server refused because it were one mailbox too many has opened none: the next push does not insist.
        attempts = select(changes.c.calendar_id).where(
            changes.c.intended_at > now - PACE_WINDOW, changes.c.outcome != Outcome.SKIPPED
        )
        places = (
            attempts.where(changes.c.outcome.in_([Outcome.APPLIED, Outcome.ALREADY_APPLIED]))
            if taken
            else union(attempts, select(entries.c.calendar_id).where(entries.c.intended_at > now - PACE_WINDOW))
        )
        owners = select(calendars.c.owner_id).where(calendars.c.connection_id == connection_id, calendars.c.id.in_(places))
        return set(self._connection.execute(owners).scalars())

    def _owners_claimed(self, connection_id: int | None, process: Process, now: datetime) -> set[int]:
        """Return the owners into whose mailboxes somebody is about to write."""
        rows = self._connection.execute(select(locks).where(locks.c.name.startswith(_PREFIX))).all()
        claimed = [int(row.name.removeprefix(_PREFIX)) for row in rows if self._locks.is_alive(row, process, now)]
        query = select(calendars.c.owner_id).where(calendars.c.connection_id == connection_id, calendars.c.id.in_(claimed))
        return set(self._connection.execute(query).scalars())

    def _run_is_over(self, name: str) -> bool:
        """Tell whether a claim is left over from a run that ended without giving it back, in a process that lives on."""
        query = select(runs.c.status).join(locks, locks.c.run_id == runs.c.id).where(locks.c.name == name)
        return self._connection.scalar(query) not in {RunStatus.RUNNING, None}
