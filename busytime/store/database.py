"""Opening a database: engine, transactions and the version of its tables.

SQLite runs in WAL mode; a write transaction begins as a writer, so that two processes wait for each other instead
of failing halfway with "database is locked".
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from busytime import __version__
from busytime.errors import ConfigurationError
from busytime.store.backups import remove_older
from busytime.store.upgrading import protected
from busytime.store.versions import fitting_version

BUSY_TIMEOUT_SECONDS = 60
#: Number of PostgreSQL's lock for upgrades; any that no other program uses.
_UPGRADE_LOCK = 0x62757379
_MIGRATIONS = Path(__file__).parent / "migrations"


def open_engine(url: str) -> Engine:
    """Return an engine for an SQLite or PostgreSQL address.

    Raises:
        ConfigurationError: The address is not one of these two; its password is not repeated.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # a password with unescaped signs may be taken for a port
        raise ConfigurationError(
            "BUSYTIME_DATABASE_URL is not a database address; write sqlite:///PATH or postgresql://USER@HOST/NAME."
        ) from None
    if parsed.get_backend_name() == "postgresql" and url.count("@") > 1:
        # The password would be cut at the first of them, and its rest taken for the host's name and shown.
        raise ConfigurationError("BUSYTIME_DATABASE_URL has a password with @ in it: write it percent-encoded, @ as %40.")
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        # An error shows the statement, and would show what guests wrote besides.
        engine = create_engine(parsed, hide_parameters=True, connect_args={"timeout": BUSY_TIMEOUT_SECONDS})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    if backend == "postgresql":
        return create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            hide_parameters=True,
            pool_pre_ping=True,
            connect_args={"connect_timeout": 10},
        )
    raise ConfigurationError(f"BUSYTIME_DATABASE_URL names {backend}; busytime runs on SQLite and PostgreSQL.")


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # the driver's own BEGIN comes too late and as a reader
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "cache_size=-65536", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writer = connection.get_execution_options().get("writer", False)
    if connection.get_execution_options().get("durable", False):
        connection.exec_driver_sql("PRAGMA synchronous=FULL")  # it stays so, at no more than the cost of waiting
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")


#: Errors of the drivers that mean the database as a whole: not there, not ours, damaged.
_UNUSABLE = frozenset({"OperationalError", "InsufficientPrivilege", "ReadOnlySqlTransaction", "DatabaseError"})


@contextmanager
def translated() -> Iterator[None]:
    """Turn a database that cannot be reached or written into one clear error.

    Raises:
        ConfigurationError: With the driver's own word on what is wrong; statements and their values are left out.
    """
    try:
        yield
    except DBAPIError as error:
        if not error.connection_invalidated and type(error.orig).__name__ not in _UNUSABLE:
            raise
        if getattr(error.orig, "sqlite_errorname", "").startswith("SQLITE_BUSY"):
            raise ConfigurationError(
                f"Another process has been writing into the database for {BUSY_TIMEOUT_SECONDS} seconds, perhaps a long "
                "`busytime db upgrade`. Wait for it, and run the command again."
            ) from None
        first_line = str(error.orig).strip().splitlines()[0] if error.orig else "no connection"
        if type(error.orig).__name__ == "InsufficientPrivilege":
            raise ConfigurationError(
                f"The database role that BUSYTIME_DATABASE_URL names may not do this: {first_line}. Use the role that "
                "docs/postgresql.md names for this command; after an upgrade, let the owner run roles.sql again."
            ) from None
        raise ConfigurationError(
            f"The database cannot be used: {first_line}. Check BUSYTIME_DATABASE_URL and BUSYTIME_HOME; "
            "if it is damaged, restore a backup."
        ) from None


def alembic_config(connection: Connection | None = None) -> Config:
    """Return alembic's configuration, working on an open connection."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


@cache
def head_version() -> str:
    """Return the version of the tables that this code works with."""
    head = ScriptDirectory.from_config(alembic_config()).get_current_head()
    if head is None:
        msg = "busytime ships without migrations"
        raise RuntimeError(msg)
    return head


def current_version(engine: Engine) -> str | None:
    """Return the version of the tables in the database; ``None`` for an empty one."""
    with translated(), engine.connect() as connection:
        return _version(connection)


def check_version(engine: Engine) -> None:
    """Refuse a database whose tables are older or newer than the code.

    Raises:
        ConfigurationError: It says what to run or to install.
    """
    with translated(), engine.connect() as connection:
        check_tables(connection)


def check_tables(connection: Connection) -> None:
    """Refuse tables that are older or newer than the code, as a transaction sees them.

    Raises:
        ConfigurationError: It says what to run or to install.
    """
    current, head = _version(connection), head_version()
    if current == head:
        return
    _refuse_newer(connection, current)
    raise ConfigurationError(
        f"The database has version {current or 'none'} of the tables, this busytime needs {head}: run `busytime db upgrade`."
    )


def _version(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _refuse_newer(connection: Connection, current: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()}
    if current is None or current in known:
        return
    fitting = fitting_version(connection, current)
    raise ConfigurationError(
        f"The database has version {current} of the tables; this busytime, {__version__}, knows them up to {head_version()}: "
        f"install {f'busytime {fitting} or newer' if fitting else 'a newer busytime'}."
    )


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What an upgrade did.

    Args:
        before: Version of the tables before it; ``None`` for an empty database.
        after: Their version now; the same where nothing was to be done.
        backup: The copy from before it; ``None`` where none was made.
    """

    before: str | None
    after: str
    backup: Path | None = None


def upgrade(engine: Engine, now: datetime | None = None) -> Upgrade:
    """Bring the tables to the newest version, in one transaction; of several machines that do so at once one does the work.

    Args:
        engine: The database.
        now: The present instant; default: the machine's clock.

    Raises:
        ConfigurationError: The database is newer than the code, or no copy of it could be made.
        RunsAtWorkError: Runs are at work.
        UpgradeFailedError: It failed, and the database is as it was.
    """
    with translated(), engine.connect().execution_options(writer=True, durable=True) as connection, connection.begin():
        if connection.dialect.name == "postgresql":  # on SQLite the writing transaction itself is the lock
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_UPGRADE_LOCK})")
        current, head = _version(connection), head_version()
        _refuse_newer(connection, current)
        if current == head:
            return Upgrade(head, head)
        with nullcontext() if current is None else protected(connection, current, head, now) as backup:
            command.upgrade(alembic_config(connection), "head")
    if backup is not None:
        remove_older(backup)
    return Upgrade(current, head, backup)
