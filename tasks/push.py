"""The steps of a push, each retryable: it begins with what is stored, so that a write step may run again."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import TypeVar

from prefect import task
from prefect.cache_policies import NO_CACHE

from busytime.bookings import ChangeKind, ChangeResult, EntryState
from busytime.errors import BusyTimeError, FatalError, LockLostError, NoConnectionError, RestoredDatabaseError
from busytime.model import Calendar, Outcome, Role
from busytime.outcomes import LOGON_REASONS, OwnerPush
from busytime.permissions import Need, Verdict
from busytime.planning import Plan, PlannedChange, make_plan
from busytime.ports import CalendarGateway
from busytime.push_desk import PushDesk
from busytime.pushing import Leftover, give_up, push_calendar
from busytime.scope import EVERYTHING, Scope
from busytime.store.connections import StoredConnection
from busytime.store.entry_book import StoredEntryBook
from busytime.store.permissions import StoredVerdict
from tasks.books import check_not_restored, open_book
from tasks.runs import HeldLock, OpenRun
from tasks.steps import RETRIED, Step, attempt_number, is_last_word, patient
from tasks.stopping import pause
from tasks.validate import ValidationBatch, cut_batches
from tasks.workspace import Workspace, workspace

T = TypeVar("T")

#: After these errors nothing is written any more.
_NOTHING_MORE = (LockLostError, RestoredDatabaseError)

#: A lost answer is looked up at once; one that is lost again and again is left to the next push.
_PASSES = 3
#: Owners for whom nothing is sent are written down so many in a transaction: who was stopped is to end soon.
_LEFT_TOGETHER = 25


@dataclass(frozen=True, slots=True)
class OwnerBatch:
    """What is planned for one owner's calendars, of which one connection serves all.

    Args:
        run_id: The run.
        connection_id: The connection.
        owner: The owner's address.
        changes: In the plan's order.
        backfill: As the plan was made.
    """

    run_id: int
    connection_id: int
    owner: str
    changes: tuple[PlannedChange, ...]
    backfill: bool


@dataclass(frozen=True, slots=True)
class PreparedPush:
    """A plan, stored as wanted entries, and cut into batches: main calendars first, what follows them second."""

    plan: Plan
    main: tuple[OwnerBatch, ...]
    additional: tuple[OwnerBatch, ...]

    @property
    def batches(self) -> tuple[OwnerBatch, ...]:
        """Both waves."""
        return self.main + self.additional


# Its result holds what guests wrote, which Prefect keeps nowhere, whatever its settings say.
@task(name="look_for_work", cache_policy=NO_CACHE)
def look_for_work(scope: Scope) -> bool:
    """Note that a push looks at everything now, and tell whether there is something to do: a run with nothing leaves no row."""
    office = workspace()
    if scope == EVERYTHING:
        with office.store.write() as unit:
            unit.due.note_push(unit.instant)
    book = open_book(office, None, backfill=False)
    plan = make_plan(book.snapshot())
    with office.store.read() as unit:
        return bool(plan.changes or plan.refused or plan.orphans or unit.due.has_unseen())


@task(name="plan_push", cache_policy=NO_CACHE, persist_result=False)
def plan_push(run: OpenRun, forced_pages: Sequence[str], scope: Scope, *, backfill: bool) -> PreparedPush:
    """Plan, let the gate look, and store what is wanted; what the scope leaves out waits for a later push.

    Raises:
        RestoredDatabaseError: The database was restored; nothing may be written.
    """
    office = workspace()
    check_not_restored(office)
    book = open_book(office, run.run_id, backfill=backfill)
    plan = make_plan(book.snapshot(), forced_pages=forced_pages)
    plan = replace(plan, changes=tuple(book.want(plan.changes)))
    book.save([replace(entry, state=EntryState.ORPHANED) for entry in plan.orphans])
    first = [change for change in plan.changes if change.role is not Role.ADDITIONAL]
    second = [change for change in plan.changes if change.role is Role.ADDITIONAL]
    return PreparedPush(plan, *(_batches(office, run.run_id, part, scope, backfill=backfill) for part in (first, second)))


def _batches(
    office: Workspace, run_id: int, planned: Sequence[PlannedChange], scope: Scope, *, backfill: bool
) -> tuple[OwnerBatch, ...]:
    calendars, serving = _calendars(office, planned)
    changes = _chosen(planned, calendars, serving, scope)

    def place(change: PlannedChange) -> tuple[int, str]:
        return serving.get(change.calendar_id) or 0, calendars[change.calendar_id].owner

    # Sorting is stable: inside a batch the plan's order stays.
    groups = groupby(sorted(changes, key=place), key=place)
    return tuple(OwnerBatch(run_id, connection_id, owner, tuple(part), backfill) for (connection_id, owner), part in groups)


def _chosen(
    changes: Sequence[PlannedChange], calendars: Mapping[int, Calendar], serving: Mapping[int, int | None], scope: Scope
) -> list[PlannedChange]:
    return [it for it in changes if scope.connects(serving.get(it.calendar_id)) and scope.includes(calendars[it.calendar_id])]


def _calendars(office: Workspace, changes: Sequence[PlannedChange]) -> tuple[dict[int, Calendar], Mapping[int, int | None]]:
    with office.store.read() as unit:
        return {it.id: it for it in unit.roster.by_id({change.calendar_id for change in changes})}, unit.roster.serving()


@dataclass(frozen=True, slots=True)
class ForeseenChange:
    """A change that a push would make, without what guests wrote."""

    booking_key: str
    calendar: str
    change: ChangeKind


@dataclass(frozen=True, slots=True)
class ForeseenPush:
    """What a push would do, and the pages that the gate would refuse."""

    changes: tuple[ForeseenChange, ...]
    refused_pages: tuple[str, ...]


@task(name="foresee_push", cache_policy=NO_CACHE)
def foresee_push(forced_pages: Sequence[str], scope: Scope, *, backfill: bool) -> ForeseenPush:
    """Plan, and write nothing.

    Raises:
        RestoredDatabaseError: The database was restored; a push would do nothing.
    """
    office = workspace()
    check_not_restored(office)
    plan = make_plan(open_book(office, None, backfill=backfill).snapshot(), forced_pages=forced_pages)
    calendars, serving = _calendars(office, plan.changes)
    chosen = _chosen(plan.changes, calendars, serving, scope)
    foreseen = tuple(ForeseenChange(it.booking.key, calendars[it.calendar_id].label, it.kind) for it in chosen)
    return ForeseenPush(foreseen, tuple(it.page for it in plan.refused_pages))


@task(name="push_owner", **RETRIED)
def push_owner(batch: OwnerBatch) -> OwnerPush:
    """Carry out what is planned for one owner's calendars.

    When the last attempt failed too, what is left is written down as failed, or as waiting for a log-on.
    """
    office = workspace()
    step = Step(office, batch.run_id, "push_owner", batch.connection_id, len({it.calendar_id for it in batch.changes}))
    earlier, results = _ended_before(office, batch), list[ChangeResult]()
    try:
        _push(office, office.connection(batch.connection_id), batch, results)
    except BusyTimeError as error:
        step.note(error)
        if not (is_last_word(error) or isinstance(error, FatalError)):
            raise
        done = {(it.booking_key, it.calendar_id) for it in results}
        left = [it for it in batch.changes if (it.booking.key, it.calendar_id) not in done]
        return OwnerPush((*earlier, *results), error, _give_up(office, [(replace(batch, changes=tuple(left)), error)]))
    step.note()
    return OwnerPush((*earlier, *results))


def _ended_before(office: Workspace, batch: OwnerBatch) -> list[ChangeResult]:
    """Return what earlier attempts at this step have done: it is not planned again, and yet belongs to what is told."""
    if attempt_number() == 1:
        return []
    with office.store.read() as unit:
        return unit.runs.ended(batch.run_id, {change.calendar_id for change in batch.changes})


@task(name="leave_owners", cache_policy=NO_CACHE)
def leave_owners(left: Sequence[tuple[OwnerBatch, BusyTimeError]]) -> OwnerPush:
    """Write down that nothing was sent for some owners, and why: mostly because nobody can log on for them."""
    office = workspace()
    parts = [left[start : start + _LEFT_TOGETHER] for start in range(0, len(left), _LEFT_TOGETHER)]
    return OwnerPush((), None, tuple(result for part in parts for result in _give_up(office, part)))


def _push(office: Workspace, connection: StoredConnection, batch: OwnerBatch, results: list[ChangeResult]) -> None:
    check_not_restored(office)  # another owner's calendar may have told since the plan was made
    with office.store.read() as unit:
        calendars = {calendar.id: calendar for calendar in unit.roster.calendars()}
    book = open_book(office, batch.run_id, backfill=batch.backfill)
    for calendar_id, changes in _by_calendar(batch.changes).items():
        desk = open_desk(office, connection, book, calendars[calendar_id])
        left = changes
        for _ in range(_PASSES):
            done: list[ChangeResult] = []
            try:
                push_calendar(desk, calendars, left, done, pause)
            finally:
                results += done
            lost = {it.booking_key for it in done if it.outcome is Outcome.UNKNOWN}
            left = [change for change in left if change.booking.key in lost]
            if not left:
                break


def open_desk(office: Workspace, connection: StoredConnection | None, book: StoredEntryBook, calendar: Calendar) -> PushDesk:
    """Return the desk of one calendar; its server is opened when it is first asked something, if there is one."""

    def open_gateway() -> CalendarGateway:
        return office.gateway(_connected(connection))

    def ask(action: Callable[[], T], /) -> T:
        return patient(office, _connected(connection), action)

    return PushDesk(
        calendar=calendar,
        open_gateway=open_gateway,
        book=book,
        clock=office.clock,
        ask=ask,
        installation_id=office.store.installation_id,
        busy_statuses=office.settings.busy_statuses,
        new_attempt_id=partial(secrets.token_hex, 16),
        window_days=connection.window_days if connection else None,
    )


def _connected(connection: StoredConnection | None) -> StoredConnection:
    if connection is None:
        raise NoConnectionError("No connection serves this calendar: run `busytime connect EMAIL`.")
    return connection


def _give_up(office: Workspace, left: Sequence[tuple[OwnerBatch, BusyTimeError]]) -> tuple[ChangeResult, ...]:
    """Write down in one transaction why nothing is sent, unless nothing may be written any more."""
    told = [(batch, error) for batch, error in left if not isinstance(error, _NOTHING_MORE)]
    if not told:
        return ()
    first, _ = told[0]
    book = open_book(office, first.run_id, backfill=first.backfill)
    with office.store.read() as unit:
        keys = {change.calendar_id for batch, _ in told for change in batch.changes}
        calendars = {it.id: it for it in unit.roster.by_id(keys)}
    leftovers = [
        Leftover(open_desk(office, None, book, calendars[calendar_id]), changes, error, _state_after(error))
        for batch, error in told
        for calendar_id, changes in _by_calendar(batch.changes).items()
    ]
    with book.together():
        return tuple(give_up(book, leftovers))


def _state_after(error: BusyTimeError) -> EntryState:
    return EntryState.WAITING_FOR_LOG_ON if error.reason in LOGON_REASONS else EntryState.FAILED


def _by_calendar(changes: Sequence[PlannedChange]) -> dict[int, list[PlannedChange]]:
    found: dict[int, list[PlannedChange]] = {}
    for change in changes:
        found.setdefault(change.calendar_id, []).append(change)
    return found


@task(name="list_unvalidated", cache_policy=NO_CACHE)
def list_unvalidated(run: OpenRun, prepared: PreparedPush, locks: Sequence[HeldLock]) -> list[ValidationBatch]:
    """List the calendars of a plan that no validation has looked at, with the lock of a validation.

    Where a validation is at work already, it does it: entries there wait for the next push.
    """
    office = workspace()
    wanted = {change.calendar_id for change in prepared.plan.changes}
    batches: list[ValidationBatch] = []
    with office.store.write() as unit:
        for lock in locks:
            seen = unit.permissions.current(lock.connection_id)
            candidates = [
                it
                for it in unit.roster.candidates(lock.connection_id)
                if it.calendar.id in wanted and Need.WRITE in it.needs and not _is_settled(seen.get((it.calendar.id, Need.WRITE)))
            ]
            name = f"validate_delegation:{lock.connection_id}:0"
            holder, _ = office.store.take_lock(unit, name, run.run_id) if candidates else (None, None)
            if holder is not None:
                held = HeldLock(name, holder, lock.connection_id)
                batches += cut_batches(run.run_id, held, candidates, first=len(batches), probe_write=False)
    return batches


def _is_settled(verdict: StoredVerdict | None) -> bool:
    return verdict is not None and verdict.conclusion.verdict is not Verdict.UNREACHABLE


@task(name="release_validation", cache_policy=NO_CACHE)
def release_validation(batches: Sequence[ValidationBatch]) -> None:
    """Give back the locks under which a push validated."""
    for name, holder in {(batch.lock.name, batch.lock.holder) for batch in batches}:
        workspace().store.release_lock(name, holder)


@task(name="name_calendars", cache_policy=NO_CACHE)
def name_calendars(prepared: PreparedPush) -> dict[int, Calendar]:
    """Return the calendars of a plan by surrogate key."""
    return _calendars(workspace(), (*prepared.plan.changes, *prepared.plan.refused))[0]
