"""The steps of a harvest that look after entries: what owners did with them, and which bookings follow."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from prefect import task
from prefect.cache_policies import NO_CACHE

from busytime.bookings import Entry, EntryState
from busytime.errors import BusyTimeError, FatalError, SpoiltAnswerError
from busytime.model import Window
from busytime.outcomes import EntriesRead
from busytime.owner_changes import read_entries_back
from busytime.planning import FollowedChange, plan_following
from busytime.scope import Scope
from busytime.store.entry_book import StoredEntryBook
from tasks.books import open_book
from tasks.push import open_desk
from tasks.runs import HeldLock, OpenRun, Part
from tasks.steps import RETRIED, Step, is_last_word
from tasks.workspace import Workspace, workspace

#: Entries that were read back since are as they should be.
_VERIFIED_FOR = timedelta(hours=1)
_CALENDARS_A_BATCH = 25


@dataclass(frozen=True, slots=True)
class ReadBackBatch(Part):
    """Entries of some calendars of one connection.

    Args:
        entries: By calendar.
    """

    entries: tuple[tuple[Entry, ...], ...]


@task(name="list_entries_to_read_back", cache_policy=NO_CACHE)
def list_entries_to_read_back(run: OpenRun, window: Window, locks: Sequence[HeldLock], scope: Scope) -> list[ReadBackBatch]:
    """Cut the entries in the window that were not verified within the hour into batches of calendars."""
    office = workspace()
    batches: list[ReadBackBatch] = []
    with office.store.read() as unit:
        for lock in locks:
            due = unit.entries.to_read_back(lock.connection_id, window, office.clock.now() - _VERIFIED_FOR)
            chosen = {it.id for it in scope.only(unit.roster.by_id({entry.calendar_id for entry in due}))}
            calendars: dict[int, list[Entry]] = {}
            for entry in (it for it in due if it.calendar_id in chosen):
                calendars.setdefault(entry.calendar_id, []).append(entry)
            groups = [tuple(entries) for entries in calendars.values()]
            for start in range(0, len(groups), _CALENDARS_A_BATCH):
                part = tuple(groups[start : start + _CALENDARS_A_BATCH])
                batches.append(ReadBackBatch(len(batches), run.run_id, lock, part))
    return batches


@task(name="read_back_batch", **RETRIED)
def read_back_batch(batch: ReadBackBatch) -> EntriesRead:
    """Read entries back and write down how they stand; a folder that does not tell makes its entries `unknown`."""
    office = workspace()
    step = Step(office, batch.run_id, "read_back_batch", batch.number, len(batch.entries))
    read: list[Entry] = []
    try:
        read_calendars_back(office, batch, read)
    except BusyTimeError as error:
        step.note(error)
        if isinstance(error, FatalError) or not is_last_word(error):
            raise
        return EntriesRead(_count(read), error)
    step.note()
    return EntriesRead(_count(read))


def read_calendars_back(office: Workspace, batch: ReadBackBatch, changed: list[Entry]) -> None:
    """Read all calendars of a batch back; an ill mailbox costs its own entries alone.

    Raises:
        SpoiltAnswerError: One was ill; all others were read.
        RetriableError, FatalError: The server as a whole gave no answer.
    """
    spoilt: SpoiltAnswerError | None = None
    for entries in batch.entries:
        try:
            changed += read_calendar_back(office, batch, entries)
        except SpoiltAnswerError as error:
            spoilt = error
    if spoilt is not None:
        raise spoilt


def read_calendar_back(office: Workspace, batch: ReadBackBatch, entries: Sequence[Entry]) -> list[Entry]:
    """Read one calendar's entries back, and return those that came into a new state."""
    connection = office.connection(batch.lock.connection_id)
    book = open_book(office, batch.run_id, backfill=False)
    with office.store.read() as unit:
        (calendar,) = unit.roster.by_id({entry.calendar_id for entry in entries})
    bookings = book.snapshot({entry.booking_key for entry in entries}).bookings
    wanted = {booking.key: booking.window for booking in bookings if booking.window is not None}
    after = read_entries_back(open_desk(office, connection, book, calendar), entries, wanted)
    # A push may have been at one of them meanwhile: what it wrote is newer than what was read.
    book.save_read(after, before=entries)
    return [it for before, it in zip(entries, after, strict=True) if it.state is not before.state]


def _count(entries: Sequence[Entry]) -> dict[EntryState, int]:
    return {state: sum(entry.state is state for entry in entries) for state in {entry.state for entry in entries}}


@task(name="follow_owners", cache_policy=NO_CACHE)
def follow_owners(run: OpenRun) -> EntriesRead:
    """Let bookings follow what owners did, on pages that want it; a page that changes too much at once is left alone."""
    office = workspace()
    book = open_book(office, run.run_id, backfill=False)
    changes, refused = plan_following(book.snapshot())
    followed = sum(_follow(office, book, change) for change in changes)
    return EntriesRead({}, followed=followed, refused_pages=tuple(refused))


def _follow(office: Workspace, book: StoredEntryBook, change: FollowedChange) -> bool:
    """Let one booking follow its owner, unless its guest had the last word meanwhile."""
    with office.store.write() as unit:
        if not unit.bookings.follow(change.booking.key, change.booking.revision, change.window):
            return False
    if change.window is not None:
        book.save_read([replace(change.entry, state=EntryState.PRESENT)], before=[change.entry])
    return True
