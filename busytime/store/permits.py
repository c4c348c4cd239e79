"""The lines of those who log on and those who wait to: one row each, in the order asked."""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from busytime.store.locks import LockRepository, Process
from busytime.store.tables import connections, permits

#: How often somebody who waits gives a sign of life.
_BEAT = timedelta(seconds=10)


class PermitRepository:
    """Keeps the lines."""

    def __init__(self, connection: Connection) -> None:
        """Work inside the caller's transaction."""
        self._connection = connection

    def ask(self, connection_id: int, process: Process, now: datetime) -> int:
        """Stand in line, and return the number of the permit."""
        # One after the other: a smaller number that is committed later would come before one that was granted already.
        line = select(connections.c.id).where(connections.c.id == connection_id)
        self._connection.execute(line.with_for_update(key_share=True))
        statement = insert(permits).values(
            connection_id=connection_id,
            host=process.host,
            process_id=process.process_id,
            process_started=process.started,
            heartbeat_at=now,
        )
        return int(self._connection.execute(statement.returning(permits.c.id)).scalar_one())

    def place(self, permit: int, process: Process, now: datetime, silent: timedelta) -> tuple[int | None, list[int], bool]:
        """Look where in its line a permit stands.

        Args:
            permit: Its number.
            process: The process that looks.
            now: The present instant.
            silent: After how long without a sign of life a process of another machine is taken for dead.

        Returns:
            How many of living processes stand before it (``None`` where it is no longer in line), the permits of dead
            ones before it, and whether its process should give a sign of life.
        """
        # SQLite gives the number of the last row again once that is gone: it may be somebody else's now.
        mine = self._connection.execute(select(permits).where(permits.c.id == permit, *_of(process))).one_or_none()
        if mine is None:
            return None, [], False
        before = select(permits).where(permits.c.connection_id == mine.connection_id, permits.c.id < permit)
        rows = self._connection.execute(before).all()
        dead = [row.id for row in rows if not LockRepository.is_alive(row, process, now, silent)]
        return len(rows) - len(dead), dead, abs(now - mine.heartbeat_at) > _BEAT

    def beat(self, permit: int, now: datetime) -> None:
        """Give a sign of life."""
        self._connection.execute(update(permits).where(permits.c.id == permit).values(heartbeat_at=now))

    def leave(self, numbers: Collection[int], process: Process) -> None:
        """Take a process's own permits out of their line."""
        self._connection.execute(delete(permits).where(permits.c.id.in_(numbers), *_of(process)))

    def remove(self, numbers: Collection[int]) -> None:
        """Take permits out of their line."""
        self._connection.execute(delete(permits).where(permits.c.id.in_(numbers)))

    def clear(self, connection_id: int) -> None:
        """Take everybody out of a connection's line."""
        self._connection.execute(delete(permits).where(permits.c.connection_id == connection_id))


def _of(process: Process) -> tuple[ColumnElement[bool], ...]:
    return (
        permits.c.host == process.host,
        permits.c.process_id == process.process_id,
        permits.c.process_started == process.started,
    )
