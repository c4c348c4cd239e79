"""The copy of an SQLite database that is made before an upgrade, beside the database, and putting it back.

A transaction takes back an upgrade that fails; the copy is for what a transaction cannot take back, and for a person who
wants the older version again. It holds no master key, and what it holds is encrypted as it is in the database.
"""

import errno
import os
import re
import shutil
import sqlite3
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from busytime.errors import ConfigurationError

_MARK, _PART = ".before-", ".part"
#: What SQLite leaves beside a file that it was writing when it was killed.
_BESIDE = ("", "-wal", "-shm", "-journal")
#: The copy, and as much again for what the upgrade writes.
_TIMES_ITS_SIZE = 2
_BUSY_SECONDS = 60


def back_up(connection: Connection, version: str) -> Path | None:
    """Copy the database as it stands, inside the writing transaction that is about to upgrade it.

    Args:
        connection: It holds the right to write and has written nothing yet, so nobody can change what is copied.
        version: Version of the tables that the upgrade leads to.

    Returns:
        Where the copy is; ``None`` on PostgreSQL and for a database that is not in a file.

    Raises:
        ConfigurationError: There is no room for it, or the directory cannot be written.
    """
    database = _file_of(connection)
    if database is None:
        return None
    backup = database.with_name(f"{database.name}{_MARK}{version}")
    part = backup.with_name(backup.name + _PART)
    try:
        _check_room(connection, database)
        _remove(part)
        _copy(database, part)
        part.replace(backup)
        _sync(backup.parent)
    except (OSError, sqlite3.Error) as error:
        with suppress(OSError):
            _remove(part)
        word = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigurationError(
            f"The database could not be copied to {backup} before the upgrade: {word}. Nothing was changed; see that there is "
            "room and that the directory can be written, and run `busytime db upgrade` again."
        ) from None
    return backup


def put_back(backup: Path) -> bool:
    """Make a database what its copy is, unless it has the same tables and version already.

    Returns:
        Whether the database is now as it was.
    """
    with suppress(sqlite3.Error), closing(_open(backup)) as copy, closing(_open(_database_of(backup))) as database:
        if _tables(database) != _tables(copy):
            copy.backup(database)
        return _tables(database) == _tables(copy)
    return False


def remove_older(backup: Path) -> None:
    """Remove the copies that earlier upgrades made; they hold what has been blanked or forgotten since."""
    for found in _copies(_database_of(backup)):
        if found != backup:
            with suppress(OSError):  # the upgrade is done all the same
                _remove(found)


def remove_copies(connection: Connection, before: datetime) -> None:
    """Remove the copies that upgrades made before an instant.

    Raises:
        ConfigurationError: One cannot be removed.
    """
    database = _file_of(connection)
    for found in _copies(database) if database is not None else ():
        try:
            if found.stat().st_mtime < before.timestamp():
                _remove(found)
        except OSError as error:
            raise ConfigurationError(f"{found} is old and cannot be removed: {error.strerror}. Remove it.") from None


def _copies(database: Path) -> list[Path]:
    ours = re.compile(re.escape(database.name + _MARK) + rf"\d+({re.escape(_PART)})?")
    return [found for found in database.parent.iterdir() if ours.fullmatch(found.name)]


def _file_of(connection: Connection) -> Path | None:
    if connection.dialect.name != "sqlite":
        return None
    path = connection.exec_driver_sql("SELECT file FROM pragma_database_list WHERE name = 'main'").scalar_one()
    return Path(path) if path else None


def _database_of(backup: Path) -> Path:
    return backup.with_name(backup.name.rpartition(_MARK)[0])


def _check_room(connection: Connection, database: Path) -> None:
    size = connection.exec_driver_sql("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").scalar_one()
    needed, free = _TIMES_ITS_SIZE * size, shutil.disk_usage(database.parent).free
    if free < needed:
        raise OSError(errno.ENOSPC, f"it takes {needed / 1e6:.1f} MB, and {free / 1e6:.1f} MB are free")


def _copy(database: Path, part: Path) -> None:
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with closing(_open(database)) as source, closing(_open(part)) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, complete without a log beside it
    _sync(part)


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)


def _tables(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    """Return what a database consists of, and its version."""
    version = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    return connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY type, name").fetchall() + version


def _remove(path: Path) -> None:
    for end in _BESIDE:
        path.with_name(path.name + end).unlink(missing_ok=True)


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
