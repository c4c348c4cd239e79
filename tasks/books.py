"""The tables of pushing, opened for a run or only to look. It must not know Prefect: a dry run never starts it."""

from busytime.errors import RestoredDatabaseError
from busytime.store.entry_book import StoredEntryBook
from tasks.workspace import Workspace


def open_book(office: Workspace, run_id: int | None, *, backfill: bool) -> StoredEntryBook:
    """Return the tables of pushing for one run; without a run they are only read."""
    pace = office.settings.mailboxes_in_five_minutes
    return StoredEntryBook(office.store, run_id, clock=office.clock, backfill=backfill, pace=pace)


def check_not_restored(office: Workspace) -> None:
    """Refuse to write what calendars may hold already.

    Raises:
        RestoredDatabaseError: The database was found to be restored from a backup.
    """
    since = office.store.restored_at
    if since is not None:
        raise RestoredDatabaseError(
            f"This database was restored from a backup, as was noticed at {since:%Y-%m-%d %H:%M} UTC: calendars may hold entries "
            "that it has forgotten. Nothing was written. "
            "Run `busytime resync EMAIL --adopt` to take over what the calendars hold."
        )
