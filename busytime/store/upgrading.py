"""What surrounds an upgrade of tables that hold something: nobody at work on them, a copy, and a clear end when it fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, select
from sqlalchemy.exc import DataError, DBAPIError

from busytime.errors import BusyTimeError, FatalError, RunsAtWorkError, UpgradeFailedError
from busytime.store.backups import back_up, put_back
from busytime.store.locks import LockRepository, Process
from busytime.store.tables import runs

#: How long PostgreSQL waits for transactions that are at work on a table; whatever comes meanwhile waits behind the upgrade.
_PATIENCE_SECONDS = 30
#: PostgreSQL's words for tables that somebody else holds, and for a role that may not change them.
_HELD, _NOT_ALLOWED = frozenset({"LockNotAvailable", "DeadlockDetected"}), "InsufficientPrivilege"
_AGAIN = "Let it end, or stop it, stop the scheduler, and run the command again. Nothing was changed."


@contextmanager
def protected(connection: Connection, current: str, head: str, now: datetime | None = None) -> Iterator[Path | None]:
    """Let tables be upgraded in the caller's transaction, and leave them as they were if that fails.

    Args:
        connection: It holds the right to write, and has written nothing yet.
        current: Version of the tables.
        head: Version that they are brought to.
        now: The present instant, by which runs of other machines are taken for alive; default: the machine's clock.

    Yields:
        Where the copy is that was made before; ``None`` on PostgreSQL.

    Raises:
        ConfigurationError: No copy could be made.
        RunsAtWorkError: Somebody works with the tables.
        UpgradeFailedError: The upgrade failed; everything is as it was, and the message names the copy.
    """
    backup = None
    try:
        refuse_runs(connection, now or datetime.now(UTC))
        backup = back_up(connection, head)
        yield backup
    except BusyTimeError:
        raise
    except Exception as error:
        if (transaction := connection.get_transaction()) is not None:
            transaction.rollback()
        if isinstance(error, DBAPIError) and type(error.orig).__name__ == _NOT_ALLOWED:
            raise
        raise _told(error, current, head, backup) from error


def refuse_runs(connection: Connection, now: datetime) -> None:
    """Refuse while runs are at work: their code knows the older tables. None begins before the transaction is over.

    Raises:
        RunsAtWorkError: It names them.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_PATIENCE_SECONDS}s'")
        connection.exec_driver_sql("LOCK TABLE runs IN SHARE MODE")  # on SQLite the writing transaction keeps them out
    at_work = LockRepository(connection).runs_at_work(Process.this(), now)
    if at_work:
        flows = connection.execute(select(runs.c.flow, runs.c.id).where(runs.c.id.in_(at_work)).order_by(runs.c.id))
        told = ", ".join(f"{flow} (run {run_id})" for flow, run_id in flows)
        raise RunsAtWorkError(f"The tables cannot be upgraded or moved while work goes on: {told}. {_AGAIN}")


def _told(error: Exception, current: str, head: str, backup: Path | None) -> FatalError:
    cause = error.orig if isinstance(error, DBAPIError) else None
    if type(cause).__name__ in _HELD:
        return RunsAtWorkError(f"Another program has been at work on the tables for {_PATIENCE_SECONDS} seconds. {_AGAIN}")
    # What a migration itself says, or PostgreSQL of a value, may repeat what stands in a row.
    why = str(cause).strip().splitlines()[0] if cause and not isinstance(error, DataError) else type(error).__name__
    failed = f"The upgrade of the tables from version {current} to {head} failed: {why}."
    if backup is None:
        return UpgradeFailedError(f"{failed} It was taken back: the database is as it was, at version {current}.")
    if put_back(backup):
        return UpgradeFailedError(
            f"{failed} It was taken back: the database is as it was, at version {current}. A copy from before it is {backup}."
        )
    return UpgradeFailedError(
        f"{failed} The database could not be put back by itself: stop everything, and restore {backup} as docs/upgrading.md says."
    )
