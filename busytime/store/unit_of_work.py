"""Transactions: short ones, with all repositories on one connection, that commit as a whole or not at all."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from busytime.model import RunStatus
from busytime.ports import Clock
from busytime.store.alarm_facts import AlarmFactRepository
from busytime.store.alarms import AlarmRepository
from busytime.store.backups import remove_copies
from busytime.store.blanking import BlankingRepository
from busytime.store.bookings import BookingRepository
from busytime.store.busy_time import BusyTimeRepository
from busytime.store.claims import ClaimRepository
from busytime.store.connections import ConnectionRepository
from busytime.store.database import BUSY_TIMEOUT_SECONDS, translated
from busytime.store.due import DueRepository
from busytime.store.entries import EntryRepository
from busytime.store.events import EventRepository
from busytime.store.figures import FigureRepository
from busytime.store.forgetting import ForgettingRepository
from busytime.store.keys import AUDIT_KEY, KeyRepository
from busytime.store.locks import LockRepository, Process
from busytime.store.logons import LogonRepository
from busytime.store.owners import OwnerRepository
from busytime.store.permissions import PermissionRepository
from busytime.store.permits import PermitRepository
from busytime.store.place import Memory, PlaceRepository, read_memory, write_memory
from busytime.store.requests import RequestRepository
from busytime.store.retention import RetentionRepository
from busytime.store.roster import RosterRepository
from busytime.store.runs import RunRepository
from busytime.store.surroundings import SurroundingsRepository
from busytime.store.tables import installation
from busytime.vault import KEY_BYTES, Vault

#: So long the write-ahead log's emptying waits for readers; writers wait for it meanwhile.
_PATIENCE_WITH_READERS_MS = 1000


class UnitOfWork:
    """One transaction and the repositories that work in it."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        """Wrap an open transaction."""
        self._connection = connection
        self._clock = clock
        self.owners = OwnerRepository(connection)
        self.runs = RunRepository(connection)
        self.locks = LockRepository(connection)
        self.connections = ConnectionRepository(connection)
        self.logons = LogonRepository(connection)
        self.permits = PermitRepository(connection)
        self.requests = RequestRepository(connection)
        self.roster = RosterRepository(connection)
        self.busy_time = BusyTimeRepository(connection)
        self.permissions = PermissionRepository(connection)
        self.bookings = BookingRepository(connection)
        self.entries = EntryRepository(connection)
        self.claims = ClaimRepository(connection)
        self.blanking = BlankingRepository(connection)
        self.due = DueRepository(connection)
        self.figures = FigureRepository(connection)
        self.alarms = AlarmRepository(connection)
        self.alarm_facts = AlarmFactRepository(connection)
        self.retention = RetentionRepository(connection)
        self.forgetting = ForgettingRepository(connection)
        self.surroundings = SurroundingsRepository(connection)
        self.events = EventRepository(connection)
        self.keys = KeyRepository(connection)
        self.place = PlaceRepository(connection)

    @property
    def now(self) -> datetime:
        """The present instant, as the clock tells it."""
        return self._clock.now()

    @property
    def present(self) -> datetime:
        """The later of the clock and the last instant given out: unlike ``instant`` it is not taken, and nobody queues for it."""
        last: datetime = self._connection.execute(select(installation.c.last_instant)).scalar_one()
        return max(self._clock.now(), last)

    @cached_property
    def instant(self) -> datetime:
        """This transaction's instant: the later of the clock and the last one given out + 1 µs.

        Taking it makes transactions queue, so take it late; every history row of the transaction shares it.
        """
        last: datetime = self._connection.execute(select(installation.c.last_instant).with_for_update()).scalar_one()
        instant = max(self._clock.now(), last + timedelta(microseconds=1))
        self._connection.execute(update(installation).values(last_instant=instant))
        return instant

    def mark_restored(self) -> bool:
        """Note that the tables have forgotten what calendars hold, and tell whether that is new."""
        unknown = update(installation).where(installation.c.restored_at.is_(None))
        return self._connection.execute(unknown.values(restored_at=self.now)).rowcount == 1


class Store:
    """The database: opens transactions, holds run locks, and appends audit events."""

    def __init__(self, engine: Engine, vault: Vault, clock: Clock, process: Process | None = None) -> None:
        """Take an engine whose tables are at the newest version.

        Args:
            engine: The database.
            vault: Opens the audit chain's key.
            clock: Tells the time.
            process: Who holds locks; default: the running process.
        """
        self._engine = engine
        self._vault = vault
        self._clock = clock
        self.process = process or Process.this()
        self._sessions: dict[str, Connection] = {}

    @contextmanager
    def read(self) -> Iterator[UnitOfWork]:
        """Open a transaction that only reads, all of it as of one moment."""
        # SQLite does so by itself.
        as_of_one_moment = {"isolation_level": "REPEATABLE READ"} if self._on_postgresql else {}
        with translated(), self._engine.connect().execution_options(**as_of_one_moment) as connection, connection.begin():
            yield UnitOfWork(connection, self._clock)

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[UnitOfWork]:
        """Open a transaction that writes; it commits at the end, or leaves nothing behind.

        Args:
            durable: Wait for the disk, too: what comes next must not outlive it in a power failure.
        """
        options = {"writer": True, "durable": durable}
        with translated(), self._engine.connect().execution_options(**options) as connection, connection.begin():
            yield UnitOfWork(connection, self._clock)

    def dispose(self) -> None:
        """Close every connection to the database, those that hold session locks too."""
        for session in self._sessions.values():
            _end(session)
        self._sessions.clear()
        self._engine.dispose()

    def empty_log(self) -> bool:
        """Empty SQLite's write-ahead log, in which older forms of what was written over still lie.

        Returns:
            Whether it is empty: others may be reading from it. PostgreSQL keeps none in its tables' place.
        """
        if self._on_postgresql:
            return True
        with translated(), closing(self._engine.raw_connection()) as connection:  # outside of any transaction
            driver: Any = connection.driver_connection
            driver.execute(f"PRAGMA busy_timeout={_PATIENCE_WITH_READERS_MS}")
            [(busy, *_)] = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            driver.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_SECONDS * 1000}")
        return not busy

    def remove_copies(self, before: datetime) -> None:
        """Remove the copies that upgrades made of the database before an instant."""
        with translated(), self._engine.connect() as connection:
            remove_copies(connection, before)

    def make_installation(self) -> None:
        """Name this installation and make the audit chain's key, unless that is done."""
        now = self._clock.now()
        values = {
            "id": 1,
            "installation_id": secrets.token_hex(8),
            "created_at": now,
            "last_instant": now,
            "audit_key_id": self._vault.key_id,
            "audit_key": self._vault.wrap(secrets.token_bytes(KEY_BYTES), AUDIT_KEY),
        }
        insert = postgresql.insert if self._on_postgresql else sqlite.insert
        with translated(), self._engine.connect().execution_options(writer=True) as connection, connection.begin():
            # One statement: another machine may do the same at this moment.
            connection.execute(insert(installation).values(values).on_conflict_do_nothing())

    @cached_property
    def audit_key(self) -> bytes:
        """The key of the audit chain; opening it also proves that the master key is this database's.

        Raises:
            KeyMissingError: The master key is another one.
        """
        with self._engine.connect() as connection:
            row = connection.execute(select(installation.c.audit_key_id, installation.c.audit_key)).one()
        return self._vault.unwrap(row.audit_key_id, row.audit_key, AUDIT_KEY)

    @cached_property
    def installation_id(self) -> str:
        """The random name of this installation."""
        with self._engine.connect() as connection:
            return str(connection.execute(select(installation.c.installation_id)).scalar_one())

    @property
    def restored_at(self) -> datetime | None:
        """When calendars were found to hold entries that these tables have forgotten; ``None`` if they were not."""
        with translated(), self._engine.connect() as connection:
            found: datetime | None = connection.execute(select(installation.c.restored_at)).scalar_one()
        return found

    def mark_restored(self, run_id: int) -> None:
        """Note, once, that a run found the tables to have forgotten what calendars hold."""
        key = self.audit_key
        with self.write() as unit:
            if unit.mark_restored():
                actor_id = unit.runs.actor_of(run_id)
                unit.events.append(key, "machine:database:restored", self._clock.now(), actor_id, {}, run_id)

    def settle_place(self, path: Path, actor: str) -> None:
        """Compare the database with what this machine remembers of it; from the first difference on nothing is pushed.

        Args:
            path: Where it is remembered.
            actor: Who opened it.

        Raises:
            ConfigurationError: The file cannot be written.
        """
        with self.read() as unit:
            remembered = read_memory(path)
            if remembered is not None and unit.place.is_settled(unit.place.recall(remembered)):
                return
        key = self.audit_key
        with self.write(durable=True) as unit:
            memory = unit.place.recall(read_memory(path))
            write_memory(path, memory)  # first: tables that name a place which nobody remembers count as restored
            if unit.place.settle(memory, self._clock.now()):
                unit.events.append(key, "machine:database:restored", self._clock.now(), unit.owners.id(actor), {})

    def remember(self, path: Path) -> None:
        """Remember how new the database is, once that is on the disk: whatever is older later was restored.

        Raises:
            ConfigurationError: The file cannot be written.
        """
        with self.write(durable=True) as unit:
            place, newest = unit.place.named, unit.instant
        write_memory(path, Memory(place, newest))

    def clear_restored(self) -> None:
        """Note that what calendars hold was taken over."""
        with translated(), self._engine.connect().execution_options(writer=True) as connection, connection.begin():
            connection.execute(update(installation).values(restored_at=None))

    def append_event(self, tag: str, actor_id: int, details: Mapping[str, Any], run_id: int | None = None) -> None:
        """Append an audit event, in a transaction of its own."""
        key = self.audit_key
        with self.write() as unit:
            unit.events.append(key, tag, self._clock.now(), actor_id, details, run_id)

    def take_lock(self, unit: UnitOfWork, name: str, run_id: int) -> tuple[str | None, int | None]:
        """Take the lock of a scope for a run of this process, in the transaction that opens the run.

        Returns:
            The name of the holding (``None`` where another run holds it), and the run of a dead holder, to be closed.
        """
        session = self._session_lock(name)
        if self._on_postgresql and session is None:
            return None, None
        try:
            holder, dead_run = unit.locks.take(name, run_id, self.process, self._clock.now(), holder_is_dead=session is not None)
        except BaseException:
            if session is not None:
                _end(session)
            raise
        if session is not None and holder is not None:
            self._sessions[holder] = session
        return holder, dead_run

    @property
    def _on_postgresql(self) -> bool:
        return self._engine.dialect.name == "postgresql"

    def _session_lock(self, name: str) -> Connection | None:
        """Hold PostgreSQL's session lock on a connection of its own; it is free when this process ends, however it ends."""
        if not self._on_postgresql:
            return None
        with translated():
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            if LockRepository(connection).try_session_lock(name):
                return connection
            connection.close()
        return None

    def check_lock(self, unit: UnitOfWork, name: str, holder: str) -> None:
        """Check inside a batch's transaction that the lock is still held.

        Raises:
            LockLostError: It is not.
        """
        unit.locks.check(name, holder, self._clock.now())

    def sweep_locks(self, unit: UnitOfWork, pattern: str) -> None:
        """Close as crashed the runs of dead holders of some locks, and remove all locks that they held.

        Args:
            unit: The transaction.
            pattern: Names of the locks, with `%` for any text.
        """
        for dead_run in unit.locks.sweep(pattern, self.process, self._clock.now()):
            unit.runs.close(dead_run, RunStatus.CRASHED, self._clock.now())

    def release_lock(self, name: str, holder: str) -> None:
        """Give a lock back."""
        with self.write() as unit:
            unit.locks.release(name, holder)
        session = self._sessions.pop(holder, None)
        if session is not None:
            with suppress(DBAPIError):  # a session that broke has no lock any more
                LockRepository(session).free_session_lock(name)
            _end(session)


def _end(session: Connection) -> None:
    """End the server's session, and with it the lock that it holds; a pool would keep both."""
    session.invalidate()
    session.close()
