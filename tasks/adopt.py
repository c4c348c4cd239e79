"""The steps of taking over a restored database: what calendars hold is believed, and written into the tables."""

from collections.abc import Sequence
from dataclasses import dataclass

from prefect import task
from prefect.cache_policies import NO_CACHE

from busytime.bookings import CalendarItem, booking_key_of
from busytime.errors import BusyTimeError, FatalError, SkippableError, SpoiltAnswerError
from busytime.model import Calendar
from busytime.permissions import Need
from busytime.resyncing import Adopted
from tasks.books import open_book
from tasks.push import open_desk
from tasks.runs import HeldLock, OpenRun, Part
from tasks.steps import RETRIED, Step, is_last_word
from tasks.workspace import Workspace, workspace

_CALENDARS_A_BATCH = 25


@dataclass(frozen=True, slots=True)
class AdoptionBatch(Part):
    """Some calendars of one connection that are searched for entries."""

    calendars: tuple[Calendar, ...]


@task(name="list_adoption_batches", cache_policy=NO_CACHE)
def list_adoption_batches(run: OpenRun, locks: Sequence[HeldLock]) -> list[AdoptionBatch]:
    """Cut the calendars that may hold entries into batches: those that are written to."""
    batches: list[AdoptionBatch] = []
    with workspace().store.read() as unit:
        for lock in locks:
            written = [it.calendar for it in unit.roster.candidates(lock.connection_id) if Need.WRITE in it.needs]
            for start in range(0, len(written), _CALENDARS_A_BATCH):
                part = tuple(written[start : start + _CALENDARS_A_BATCH])
                batches.append(AdoptionBatch(len(batches), run.run_id, lock, part))
    return batches


@task(name="adopt_batch", **RETRIED)
def adopt_batch(batch: AdoptionBatch) -> Adopted:
    """Search calendars for this installation's entries, and write into the tables what is there."""
    office = workspace()
    step = Step(office, batch.run_id, "adopt_batch", batch.number, len(batch.calendars))
    error: BusyTimeError | None
    try:
        adopted, error = adopt_calendars(office, batch)
    except BusyTimeError as failure:
        adopted, error = Adopted(0, batch.calendars), failure
    step.note(error)
    if error is not None and (isinstance(error, FatalError) or not is_last_word(error)):
        raise error
    return adopted


def adopt_calendars(office: Workspace, batch: AdoptionBatch) -> tuple[Adopted, SpoiltAnswerError | None]:
    """Take over what some calendars hold; those that do not tell are named.

    Returns:
        What was taken over, and why it is worth trying again: a mailbox was ill, which costs only its own calendars.

    Raises:
        RetriableError, FatalError: The server as a whole gave no answer.
    """
    connection = office.connection(batch.lock.connection_id)
    book = open_book(office, batch.run_id, backfill=False)
    found: list[tuple[int, CalendarItem, str]] = []
    silent: list[Calendar] = []
    spoilt: SpoiltAnswerError | None = None
    for calendar in batch.calendars:
        try:
            items = open_desk(office, connection, book, calendar).find_all()
        except (SkippableError, SpoiltAnswerError) as error:
            silent.append(calendar)
            spoilt = error if isinstance(error, SpoiltAnswerError) else spoilt
            continue
        keys = [(item, booking_key_of(item.marker_key, office.store.installation_id)) for item in items]
        found += [(calendar.id, item, key) for item, key in keys if key is not None]
    book.adopt(found)
    return Adopted(len(found), tuple(silent)), spoilt


@task(name="end_adoption", cache_policy=NO_CACHE)
def end_adoption(parts: Sequence[object]) -> None:
    """Let pushes write again, unless a calendar did not tell what it holds."""
    if all(isinstance(part, Adopted) and not part.silent for part in parts):
        workspace().store.clear_restored()
