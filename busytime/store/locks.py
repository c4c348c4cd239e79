"""The lock of a flow's scope: one run works on it, a dead one is replaced.

On PostgreSQL a session lock decides, which the server frees when the session ends. On SQLite a row decides, with
machine, process and its start: a dead process is replaced at once, one of another machine after a minute without a
sign of life. In both, every batch transaction checks the row, so that a process that was frozen and lost its lock
writes nothing when it wakes up.
"""

import hashlib
import os
import platform
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, insert, select, text, update

from busytime.errors import LockLostError
from busytime.store.tables import locks

SILENT_HOLDER = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Process:
    """A process that can hold a lock, told apart from a later one with the same number."""

    host: str
    process_id: int
    started: str

    @classmethod
    def this(cls) -> "Process":
        """Describe the running process."""
        return cls(this_boot(), os.getpid(), _started(os.getpid()) or "")

    @property
    def lives(self) -> bool:
        """Whether a process of this machine still runs."""
        return _started(self.process_id) == self.started


def this_boot() -> str:
    """Name this machine and boot: process numbers of another boot mean nothing."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    return f"{platform.node()}/{boot.read_text().strip() if boot.exists() else ''}"


def _started(process_id: int) -> str | None:
    """Tell when a process started, in the kernel's ticks, which do not move with the clock; ``None`` if it is gone.

    Where the kernel does not show them, a living process is all that can be seen.
    """
    try:
        fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return "" if not Path("/proc/self/stat").exists() and _answers(process_id) else None
    except ProcessLookupError:  # it ended between opening and reading
        return None
    # A dead process stays in the list until its parent asks for it, in a container perhaps for ever.
    return None if fields[0] in {"Z", "X"} else fields[19]


def _answers(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def session_lock_number(name: str) -> int:
    """Return the number of a lock's name for PostgreSQL's session locks."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


class LockRepository:
    """Takes, checks and releases locks by their rows."""

    def __init__(self, connection: Connection) -> None:
        """Work inside the caller's transaction."""
        self._connection = connection

    def take(
        self, name: str, run_id: int, process: Process, now: datetime, *, holder_is_dead: bool = False
    ) -> tuple[str | None, int | None]:
        """Take a lock if it is free or its holder is dead.

        Args:
            name: Flow, connection and shard.
            run_id: Run that takes it.
            process: The process that takes it.
            now: The present instant.
            holder_is_dead: The database's session lock has proved that nobody holds it.

        Returns:
            The name of the holding (``None`` where somebody else holds it), and the run of a dead holder.
        """
        row = self._connection.execute(select(locks).where(locks.c.name == name)).one_or_none()
        if row is not None and not holder_is_dead and self.is_alive(row, process, now):
            return None, None
        self._connection.execute(delete(locks).where(locks.c.name == name))
        holder = secrets.token_hex(16)
        self._connection.execute(
            insert(locks).values(
                name=name,
                holder=holder,
                host=process.host,
                process_id=process.process_id,
                process_started=process.started,
                heartbeat_at=now,
                run_id=run_id,
            )
        )
        return holder, row.run_id if row is not None else None

    @staticmethod
    def is_alive(row: Any, process: Process, now: datetime, silent: timedelta = SILENT_HOLDER) -> bool:
        """Tell whether the process of a row lives, as far as a process can see: one of another machine by its signs of life."""
        if row.host == process.host:
            return Process(row.host, row.process_id, row.process_started).lives
        heartbeat_at: datetime = row.heartbeat_at
        return abs(now - heartbeat_at) < silent

    def check(self, name: str, holder: str, now: datetime) -> None:
        """Give a sign of life, inside the batch's transaction.

        Raises:
            LockLostError: The lock has another holder.
        """
        statement = update(locks).where(locks.c.name == name, locks.c.holder == holder).values(heartbeat_at=now)
        if self._connection.execute(statement).rowcount != 1:
            raise LockLostError(
                f"Another run took over {name} while this one did not answer; nothing more is written by this one. "
                "The other run does its work; nothing is to be done."
            )

    def beat(self, run_id: int, now: datetime) -> None:
        """Give a sign of life for all that a run holds; on PostgreSQL its session gives it."""
        if not self._on_postgresql:
            self._connection.execute(update(locks).where(locks.c.run_id == run_id).values(heartbeat_at=now))

    def sweep(self, pattern: str, process: Process, now: datetime) -> list[int]:
        """Remove all that the dead holders of some locks held.

        Args:
            pattern: Names of the locks, with `%` for any text.
            process: The process that looks.
            now: The present instant.

        Returns:
            The runs of the dead.
        """
        rows = self._connection.execute(select(locks).where(locks.c.name.like(pattern)).order_by(locks.c.name)).all()
        dead = sorted({row.run_id for row in rows if not self._is_held(row, process, now)})
        if dead:
            self._connection.execute(delete(locks).where(locks.c.run_id.in_(dead)))
        return dead

    def runs_at_work(self, process: Process, now: datetime) -> list[int]:
        """Return the runs whose process lives and holds anything; of the tables it needs only what they had from the first."""
        columns = (locks.c.name, locks.c.run_id, locks.c.host, locks.c.process_id, locks.c.process_started, locks.c.heartbeat_at)
        rows = self._connection.execute(select(*columns)).all()
        return sorted({row.run_id for row in rows if self._is_held(row, process, now)})

    def held(self, pattern: str) -> dict[str, int]:
        """Return the runs that hold some locks, by the locks' names, as far as is written down.

        Args:
            pattern: Names of the locks, with `%` for any text.
        """
        query = select(locks.c.name, locks.c.run_id).where(locks.c.name.like(pattern))
        return {row.name: row.run_id for row in self._connection.execute(query)}

    def has_living_run(self, run_id: int, process: Process, now: datetime) -> bool:
        """Tell whether a run's process lives and holds a lock."""
        rows = self._connection.execute(select(locks).where(locks.c.run_id == run_id))
        return any(self.is_alive(row, process, now) for row in rows)

    def _is_held(self, row: Any, process: Process, now: datetime) -> bool:
        if row.host == process.host or not self._on_postgresql:
            return self.is_alive(row, process, now)
        # Of another machine's process only its session tells. Who gets the session lock knows that nobody has it; it is
        # given back with this transaction.
        statement = text("SELECT pg_try_advisory_xact_lock(:number)")
        return not self._connection.execute(statement, {"number": session_lock_number(row.name)}).scalar_one()

    @property
    def _on_postgresql(self) -> bool:
        return self._connection.dialect.name == "postgresql"

    def release(self, name: str, holder: str) -> None:
        """Give a lock back."""
        self._connection.execute(delete(locks).where(locks.c.name == name, locks.c.holder == holder))

    def free_session_lock(self, name: str) -> None:
        """Give PostgreSQL's session lock back now: a session that is closed may keep it until the server has seen that."""
        self._connection.execute(text("SELECT pg_advisory_unlock(:number)"), {"number": session_lock_number(name)})

    def try_session_lock(self, name: str) -> bool:
        """Take PostgreSQL's session lock of this name, which lives as long as the connection does."""
        statement = text("SELECT pg_try_advisory_lock(:number)")
        return bool(self._connection.execute(statement, {"number": session_lock_number(name)}).scalar_one())
