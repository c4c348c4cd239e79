"""Where a database lives and what this machine remembers of it: one that was restored is noticed before anything is pushed.

A backup that is put back gives itself away by either: it lives elsewhere than it says, or it is older than the machine
remembers. A machine that is rolled back as a whole shows neither; there the first item that is met in a calendar does.
"""

import json
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, make_url, select, update
from sqlalchemy.exc import DBAPIError

from busytime.errors import ConfigurationError
from busytime.store.tables import installation

_SERVER = "SELECT system_identifier FROM pg_control_system()"
_TABLE = "SELECT 'installation'::regclass::oid"


@dataclass(frozen=True, slots=True)
class Memory:
    """What a machine remembers of a database.

    Args:
        place: Where it lives.
        newest: An instant that it had given out, and had written to the disk; ``None`` if none is remembered.
    """

    place: str
    newest: datetime | None = None


def memory_path(database_address: str, home: Path) -> Path:
    """Return the file of a machine's memory: beside SQLite's file, which it belongs to, or else in the home."""
    url = make_url(database_address)
    if url.get_backend_name() == "sqlite" and url.database:
        return Path(f"{url.database}.place")
    return home / "database.place"


def read_memory(path: Path) -> Memory | None:
    """Return what is remembered; ``None`` where nothing is, or nothing that can be read."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        told = json.loads(path.read_text(encoding="utf-8"))
        return Memory(str(told["place"]), datetime.fromisoformat(told["newest"]) if told["newest"] else None)
    return None


def write_memory(path: Path, memory: Memory) -> None:
    """Remember: all of it or what was remembered before, and on the disk when this returns.

    Raises:
        ConfigurationError: The file cannot be written.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    told = {"place": memory.place, "newest": memory.newest.isoformat() if memory.newest else None}
    try:
        with part.open("w", encoding="utf-8") as file:
            file.write(json.dumps(told) + "\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}. It tells a restored database.") from None


class PlaceRepository:
    """Knows where the tables say that they live."""

    def __init__(self, connection: Connection) -> None:
        """Work inside the caller's transaction."""
        self._connection = connection

    @property
    def named(self) -> str:
        """Where the tables say that they live."""
        return self._stored()[0] or ""

    def recall(self, remembered: Memory | None) -> Memory:
        """Return where the database is now, and what is remembered of its age.

        PostgreSQL tells the place itself; of SQLite's file the memory beside it does.
        """
        newest = remembered.newest if remembered else None
        if self._connection.dialect.name != "postgresql":
            return Memory(remembered.place if remembered else secrets.token_hex(16), newest)
        server = ""
        with suppress(DBAPIError), self._connection.begin_nested():  # a hosted server may keep it to itself
            server = str(self._connection.exec_driver_sql(_SERVER).scalar_one())
        return Memory(f"{server}/{self._connection.exec_driver_sql(_TABLE).scalar_one()}", newest)

    def is_settled(self, memory: Memory) -> bool:
        """Tell whether the tables agree with what is remembered, so that nothing has to be written."""
        stored, last_instant = self._stored()
        return stored is not None and not _moved(stored, memory, last_instant)

    def settle(self, memory: Memory, now: datetime) -> bool:
        """Write down where the database lives, and tell whether it was found to be restored."""
        stored, last_instant = self._stored(locking=True)
        values: dict[str, object] = {"lives_at": memory.place}
        restored = stored is not None and _moved(stored, memory, last_instant)
        if restored:
            # Instants that were given out before the restoration are not given out again.
            values |= {"restored_at": now, "last_instant": max(last_instant, memory.newest or last_instant)}
        self._connection.execute(update(installation).values(values))
        return restored

    def _stored(self, *, locking: bool = False) -> tuple[str | None, datetime]:
        query = select(installation.c.lives_at, installation.c.last_instant)
        row = self._connection.execute(query.with_for_update() if locking else query).one()
        return row.lives_at, row.last_instant


def _moved(stored: str, memory: Memory, last_instant: datetime) -> bool:
    """Tell whether a database was restored; the part of its place that somebody was not told is no evidence."""
    if memory.newest is not None and memory.newest > last_instant:
        return True
    parts = zip(stored.split("/"), memory.place.split("/"), strict=False)
    return any(was and now and was != now for was, now in parts)
