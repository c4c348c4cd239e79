"""The pushing process as the state machine plays it: it can be interrupted at every port, and die there."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from busytime.bookings import ChangeResult, EntryState
from busytime.errors import AmbiguousWriteError, RetriableError
from busytime.model import BusyStatus, Outcome, Role
from busytime.owner_changes import read_entries_back
from busytime.planning import make_plan
from busytime.push_desk import PushDesk
from busytime.pushing import Leftover, give_up, push_calendar
from busytime.store.entry_book import StoredEntryBook
from tests.integration.pushing.world import ATTEMPTS, PAGES, PASSES, Died, SystemClock


@dataclass
class Turn:
    """A turn that things take once, at one point of a process's work.

    Args:
        method: What the process is about to call, or has called.
        after: Whether it has.
        number: At which call of it, from 0.
        act: What happens; it is given what was called with.
    """

    method: str
    after: bool
    number: int
    act: Callable[..., None]


class Port:
    """Stands before a port of a process, and lets a turn be taken at each call."""

    def __init__(self, port, process):
        self._port = port
        self._process = process

    def __getattr__(self, name):
        method = getattr(self._port, name)

        def call(*args, **values):
            self._process.reach(name, args, after=False)
            try:
                result = method(*args, **values)
            except AmbiguousWriteError:
                self._process.lost.append((name, args))
                raise
            if not (name == "intend" and result is None):  # then nothing was committed: somebody else has the time
                self._process.reach(name, args, after=True)
            return result

        return call


class Process:
    """A process that pushes: a gateway, a store and a run of its own."""

    def __init__(self, database, exchange, gateway, store, intents, turn=None):
        self._database = database
        self._exchange = exchange
        self._store = store
        self._intents = intents
        self._turn = turn
        self.dead = False
        self.run_id = database.open_run(store)
        self._gateway = Port(gateway, self)
        self._book = Port(StoredEntryBook(store, self.run_id, clock=SystemClock()), self)
        self._open_intents = {}
        #: What was sent without an answer.
        self.lost = []

    def reach(self, name, args, *, after):
        """Note that the process calls something, or has called it."""
        if self.dead:
            raise Died
        self._note(name, args, after=after)
        turn = self._turn
        if turn is not None and (turn.method, turn.after) == (name, after):
            turn.number -= 1
            if turn.number < 0:
                self._turn = None
                turn.act(self, *args)

    def _note(self, name, args, *, after):
        """Hold what is sent against what was committed before."""
        if name == "intend" and after:
            entry, intent, *_ = args
            self._intents[intent.attempt_id] = (self._database.owners[entry.calendar_id], entry.booking_key)
            self._open_intents[intent.attempt_id] = intent
        elif name == "conclude" and not after:
            self._open_intents.pop(args[0].attempt_id, None)
        elif name in {"create_entry", "change_entry"} and not after:
            draft = args[2]
            meant = [(it.kind.value, it.revision, it.window) for it in self._open_intents.values()]
            assert meant == [(name.split("_")[0].replace("change", "update"), draft.revision, draft.window)], (
                "sent without intent"
            )

    def die(self, *_args):
        """End here."""
        self.dead = True
        raise Died

    def push(self):
        """Push all that is planned, as the flow does; a process that dies leaves its claims to be taken."""
        try:
            self._push()
        except Died:
            self._database.bury(self.run_id)
        else:
            self._database.close_run(self._store, self.run_id)

    def _push(self):
        plan = make_plan(self._book.snapshot(), forced_pages=PAGES)
        planned = self._book.want(plan.changes)
        self._book.save(plan.orphans)
        for second in (False, True):  # main calendars first, then those that follow them
            wave = [it for it in planned if (it.role is Role.ADDITIONAL) is second]
            for owner, calendar in self._database.calendars.items():
                changes_there = [it for it in wave if it.calendar_id == calendar.id]
                if changes_there:
                    self._push_owner(owner, changes_there)

    def _push_owner(self, owner, planned):
        for attempt in range(ATTEMPTS):
            results = []
            try:
                return self._push_calendar(self._desk(owner), planned, results)
            except RetriableError as error:
                done = {it.booking_key for it in results}
                left = [it for it in planned if it.booking.key not in done]
                if attempt == ATTEMPTS - 1:
                    desk = self._desk(owner)
                    give_up(desk.book, [Leftover(desk, left, error, EntryState.FAILED)])
        return None

    def _push_calendar(self, desk, left, results):
        for _ in range(PASSES):
            done: list[ChangeResult] = []
            try:
                push_calendar(desk, {it.id: it for it in self._database.calendars.values()}, left, done, pause)
            finally:
                results += done
            lost = {it.booking_key for it in done if it.outcome is Outcome.UNKNOWN}
            left = [it for it in left if it.booking.key in lost]
            if not left:
                return

    def read_back(self):
        """Read entries back as a harvest does."""
        with self._store.read() as unit:
            stored = unit.bookings.current()
        wanted = {booking.key: booking.window for booking in stored}
        for owner, due in self._database.to_read_back().items():
            after = read_entries_back(self._desk(owner), due, wanted)
            self._book.save_read(after, before=due)
        self._database.close_run(self._store, self.run_id)

    def _desk(self, owner):
        return PushDesk(
            calendar=self._database.calendars[owner],
            open_gateway=lambda: self._gateway,
            book=self._book,
            clock=SystemClock(),
            ask=lambda action: action(),
            installation_id=self._database.installation_id,
            busy_statuses=frozenset(BusyStatus),
            new_attempt_id=partial(secrets.token_hex, 16),
        )


def pause(seconds):
    """Wait a little for who writes into the same calendar."""
    from time import sleep

    sleep(seconds / 50)
