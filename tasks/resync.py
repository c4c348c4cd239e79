"""The steps of a re-sync: which requests it takes, what had been missed, and how things stand afterwards."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from prefect import task
from prefect.cache_policies import NO_CACHE

from busytime.bookings import EntryState
from busytime.coverage import unknown_parts
from busytime.model import Calendar, RequestKind, Window
from busytime.resyncing import CaughtUp, Missed, Place
from busytime.store.requests import OpenRequest
from busytime.store.unit_of_work import UnitOfWork
from tasks.runs import OpenRun
from tasks.stopping import pause
from tasks.workspace import Workspace, workspace

#: A run that takes longer goes on without us: what it does is in the tables, and who waits is told.
_PATIENCE = timedelta(minutes=2)
_LOOK_EVERY_SECONDS = 0.5
_THERE = frozenset({EntryState.PRESENT, EntryState.CANCELLED})


@task(name="list_asked", cache_policy=NO_CACHE)
def list_asked() -> list[int]:
    """List the connections for which a re-sync is asked; requests for one that was ended are done."""
    office = workspace()
    with office.store.write() as unit:
        ids = {it.id for it in unit.connections.all_open()}
        asked = unit.requests.all_open(RequestKind.RESYNC)
        unit.requests.drop([it for it in asked if it.connection_id not in ids | {None}], office.clock.now())
    wanted = {it.connection_id for it in asked}
    return sorted(ids if None in wanted else ids & wanted)


@task(name="take_requests", cache_policy=NO_CACHE)
def take_requests(run: OpenRun) -> Missed | None:
    """Take the requests that are about this run's connections, and note what was missed; ``None`` if there are none left."""
    office, held = workspace(), {lock.connection_id for lock in run.locks}
    with office.store.write() as unit:
        covered = held | ({None} if held >= {it.id for it in unit.connections.all_open()} else set())
        taken = [it for it in unit.requests.waiting(RequestKind.RESYNC) if it.connection_id in covered]
        unit.requests.take(taken, run.run_id)
        return _missed(office, unit, held, taken) if taken else None


def _missed(office: Workspace, unit: UnitOfWork, connection_ids: Collection[int], taken: Iterable[OpenRequest]) -> Missed:
    now = office.clock.now()
    unknown = {calendar.id: since for calendar, known, since in _look(office, unit, connection_ids) if not known}
    first = min((since for since in unknown.values() if since is not None), default=None)
    waiting = {(it.booking_key, it.calendar_id) for it in unit.entries.waiting_for_log_on(connection_ids, now)}
    asked_at = min(it.asked_at for it in taken)
    return Missed(_stopped(unit, connection_ids, asked_at), frozenset(unknown), first, frozenset(waiting))


def _stopped(unit: UnitOfWork, connection_ids: Collection[int], until: datetime) -> Window | None:
    """Return from when to when log-ons were refused: a request is written together with the good log-on that ended it."""
    accounts = [it.owner_id for it in unit.connections.all_open() if it.id in connection_ids]
    found = [unit.logons.stopped_since(account_id, until) for account_id in accounts]
    since = min((it for it in found if it is not None), default=None)
    return Window(since, until) if since is not None and since < until else None


def _look(office: Workspace, unit: UnitOfWork, connection_ids: Iterable[int]) -> Iterator[tuple[Calendar, bool, datetime | None]]:
    """Yield each calendar of some connections, whether it is known now, and if it is not, since when."""
    now = office.clock.now()
    moment, coverage = Window(now, now + timedelta(seconds=1)), unit.busy_time.current_coverage()
    for connection_id in connection_ids:
        for calendar in unit.roster.calendars(connection_id=connection_id):
            parts = unknown_parts(coverage.get(calendar.id, ()), moment, now, office.settings.max_age)
            since = min((part.since for part in parts if part.since is not None), default=None)
            yield calendar, not parts, since


@task(name="look_again", cache_policy=NO_CACHE)
def look_again(run: OpenRun, missed: Missed) -> CaughtUp:
    """Look how things stand in the tables: what they do not show was not done, whoever was to do it."""
    office, held = workspace(), {lock.connection_id for lock in run.locks}
    with office.store.read() as unit:
        looked = list(_look(office, unit, held))
        unknown = tuple(calendar for calendar, known, _ in looked if not known)
        again = missed.unknown & {calendar.id for calendar, known, _ in looked if known}
        waiting = unit.entries.waiting_for_log_on(held, office.clock.now())
        pushed = _pushed(unit, missed.waiting)
    return CaughtUp(len(looked) - len(unknown), len(again), pushed, unknown, len(waiting))


def _pushed(unit: UnitOfWork, waited: Collection[Place]) -> int:
    """Count the bookings of which every entry that waited is where it should be."""
    found = unit.entries.of({key for key, _ in waited})
    states = {(entry.booking_key, entry.calendar_id): entry.state for entries in found.values() for entry in entries}
    return sum(_is_there(key, waited, states) for key in {key for key, _ in waited})


def _is_there(key: str, waited: Collection[Place], states: Mapping[Place, EntryState]) -> bool:
    return all(states.get(place) in _THERE for place in waited if place[0] == key)


@task(name="end_requests", cache_policy=NO_CACHE)
def end_requests(run: OpenRun) -> None:
    """Note that what was taken is done, however well it went.

    A request asks for one re-sync, not for a good one: what is left stays in the tables, where the schedule's runs find
    it, and a new password writes a request of its own. Only a run that did not come to its end leaves its requests open.
    """
    office = workspace()
    with office.store.write() as unit:
        unit.requests.done(run.run_id, office.clock.now())


@task(name="await_end", cache_policy=NO_CACHE)
def await_end(flow: str) -> None:
    """Wait until no run of a flow is at work, but not for long."""
    office = workspace()
    deadline = office.clock.now() + _PATIENCE
    while office.clock.now() < deadline:
        with office.store.read() as unit:
            if not unit.runs.is_at_work(flow):
                return
        pause(_LOOK_EVERY_SECONDS)
