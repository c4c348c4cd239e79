"""A scene for walks through history: real steps on a real database, an organisation in memory, and a clock moved by hand."""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import column, delete, select, table, update

from busytime.claiming import Desk
from busytime.errors import BusyTimeError
from busytime.model import ConnectionMode, Endpoint, Role, RunStatus, Trigger, Unanswered
from busytime.permissions import Need
from busytime.roster import WHOLE_DAY, BookingPage, CalendarRef, Roster, RosterCalendar
from busytime.scope import EVERYTHING
from busytime.store.columns import metadata
from busytime.store.locks import LockRepository
from busytime.store.tables import busy_intervals, coverage, installation, locks, permissions, runs
from busytime.store.views import VIEWS
from config.settings import load_settings
from tasks import harvest, validate
from tasks import runs as run_steps
from tasks.workspace import Workspace
from tests.fakes.in_memory_gateway import InMemoryCalendarGateway
from tests.integration.store.history_model import Ledger, different
from tests.unit.moments import MONDAY, busy

ANA, BO, CY = OWNERS = ("ana@corp.example", "bo@corp.example", "cy@corp.example")
#: What everybody's calendar holds at first.
APPOINTED = (busy(0, 30), busy(30, 60), busy(30, 60), busy(450, 480))
#: Default calendars and one sub-calendar, which is read by other requests.
PROJECTS = CalendarRef(ANA, "Projects")
CALENDARS = (*map(CalendarRef, OWNERS), PROJECTS)
NEEDS = {Role.MAIN: {Need.WRITE, Need.READ}, Role.ADDITIONAL: {Need.WRITE}, Role.BUSY: {Need.READ}}
HARVEST, VALIDATION = KINDS = ("harvest_busy_time", "validate_delegation")
HISTORY = (busy_intervals, coverage, permissions)
HISTORY_VIEWS = ("audit_busy_time", "audit_coverage", "audit_permissions")
#: What may change in a row of coverage as long as it is current.
MOVES = {"as_of", "failures", "starts_at", "ends_at"}


def page(main, additional=(), busy=()):
    return BookingPage("talk", "UTC", WHOLE_DAY, CalendarRef(main), tuple(map(CalendarRef, additional)), busy)


def roster(refs, *pages):
    return Roster(tuple(RosterCalendar(ref.owner, ref.folder) for ref in refs), pages)


ROSTERS = (
    roster(CALENDARS, page(ANA, [BO], (CalendarRef(CY), PROJECTS))),
    roster(CALENDARS, page(CY, [ANA, BO], (CalendarRef(BO), PROJECTS))),
    roster(CALENDARS[:3], page(BO, [], (CalendarRef(ANA),))),
    roster(CALENDARS[2:]),
)


class Died(BaseException):
    """The process is no more: what its transaction held is taken back."""


class SlowGateway(InMemoryCalendarGateway):
    """Each request takes its time."""

    def __init__(self, clock):
        super().__init__()
        self._clock = clock
        self.lag = timedelta(0)

    def _request(self, *args):
        self._clock.time += self.lag
        super()._request(*args)


class Office(Workspace):
    """The workspace of the steps, with this gateway in place of a server."""

    server = None

    def gateway(self, connection):  # noqa: ARG002 -- there is one
        return self.server


@dataclass
class Work:
    """A run at work, or dead, with the batches that are left."""

    kind: str
    run: object
    batches: list
    window: object = None


class Scene:
    """Runs harvests and validations batch by batch, tells the model what they read, and watches the rows."""

    def __init__(self, engine, store, clock, patch, home):
        self.engine, self.store, self.clock = engine, store, clock
        settings = load_settings(home=home, batch_size=2)
        self.office = Office(settings, Desk(store, None, clock, None, "machine@host"))
        for module in (harvest, validate, run_steps):
            patch.setattr(module, "workspace", lambda: self.office)
        patch.setattr(validate, "_BATCH_SIZE", 2)
        patch.setattr(harvest, "read_batch", self._spied(harvest.read_batch))
        # The last that each kind of batch writes: who dies there has written everything, and committed nothing.
        patch.setattr(harvest, "record_batch", self._deadly(harvest.record_batch))
        patch.setattr(validate, "_write_denials", self._deadly(validate._write_denials))

    def _spied(self, read_batch):
        """Keep what was read, or why nothing was."""

        def read(*args, **values):
            try:
                self.reading = read_batch(*args, **values)
            except BusyTimeError as error:
                self.silence = Unanswered(error.reason, error.detail)
                raise
            return self.reading

        return read

    def _deadly(self, write):
        def written(*args):
            result = write(*args)
            if self.dying:
                self.dying = False
                raise Died
            return result

        return written

    def begin(self):
        """Begin from nothing: no row of history, everybody's calendar open."""
        self.clock.time = MONDAY
        self.server = self.office.server = SlowGateway(self.clock)
        self.ledger, self.seen = Ledger(), {}
        self.dying, self.sound = False, True
        self.last_instant = MONDAY
        with self.engine.connect().execution_options(writer=True) as connection, connection.begin():
            for it in reversed(metadata.sorted_tables):
                if it is not installation:
                    connection.execute(delete(it))
            connection.execute(update(installation).values(last_instant=MONDAY))
        for owner in OWNERS:
            self.server.add_owner(owner, APPOINTED)
        self.server.add_folder(ANA, "Projects", APPOINTED)
        self._connect()
        self.choose_roster(0)

    def _connect(self):
        account = Endpoint("busytime@corp.example", "https://mail/EWS")
        with self.store.write() as unit:
            unit.connections.open(unit.owners.id(account.email), account, ConnectionMode.CORPORATE, self.clock.now())

    def choose_roster(self, number):
        """Import another roster; what it lacks is retired."""
        self.roster = ROSTERS[number]
        with self.store.write() as unit:
            unit.roster.replace(self.roster, self.clock.now())
            self.keys = {CalendarRef(it.owner, it.folder): it.id for it in unit.roster.calendars()}

    def wanted(self):
        """Return the needs that the roster has now, by calendar; one that no page uses is read."""
        needs = {(self.keys[ref], need) for it in self.roster.pages for role, ref in it.associated() for need in NEEDS[role]}
        return needs | {(key, Need.READ) for key in self.keys.values() if (key, Need.WRITE) not in needs}

    # Runs

    def open(self, kind, window=None):
        """Begin a run; ``None`` where another one is at work."""
        run = run_steps.open_run.fn(kind, Trigger.MANUAL, window)
        if not run.locks:
            return None
        if kind == HARVEST:
            return Work(kind, run, harvest.list_batches.fn(run, window, run.locks, EVERYTHING), window)
        batches = validate.list_validation_batches.fn(run, run.locks, EVERYTHING, probe_write=False)
        self.ledger.forget_needs(self.wanted())
        self.committed(run)
        return Work(kind, run, batches)

    def do_batch(self, work):
        """Do the next batch, and tell the model what came of it."""
        batch, self.reading = work.batches.pop(0), None
        if work.kind == HARVEST:
            harvest.harvest_batch.fn(batch)
            self._tell_answers(batch)
        else:
            for it in validate.validate_batch.fn(batch):
                self.ledger.conclude(it.candidate.calendar.id, it.need, it.conclusion, self.clock.now())
        self.committed(work.run)

    def _tell_answers(self, batch):
        if self.reading is None:  # the server as a whole gave no answer
            answers, asked_at = dict.fromkeys(batch.calendar_ids, self.silence), self.clock.now()
        else:
            answers, asked_at = self.reading.answers, self.reading.asked_at
        for key, answer in answers.items():
            self.ledger.answer(key, batch.window, answer, asked_at)

    def close(self, work, status=RunStatus.COMPLETED):
        """End a run as its flow does."""
        run_steps.close_run.fn(work.run, status, None, {})

    def bury(self, work):
        """Let the process of a run be dead, for all that others can see of it."""
        with self.engine.connect().execution_options(writer=True) as connection, connection.begin():
            connection.execute(update(locks).where(locks.c.run_id == work.run.run_id).values(process_started="long ago"))
        for lock in work.run.locks:
            session = self.store._sessions.pop(lock.holder, None)
            if session is not None:
                LockRepository(session).free_session_lock(lock.name)  # the server may see only later that it has ended
                session.invalidate()
                session.close()

    def status(self, work):
        with self.engine.connect() as connection:
            return connection.scalar(select(runs.c.status).where(runs.c.id == work.run.run_id))

    # Rows

    def rows(self):
        """Return every row of history by table and key."""
        with self.engine.connect() as connection:
            found = [(it.name, row) for it in HISTORY for row in connection.execute(select(it)).mappings()]
        return {(name, row["id"]): dict(row) for name, row in found}

    def as_of(self, name, instant=None):
        """Return a view's rows, all or those that held at an instant."""
        view = table(name, *(column(it.name, it.type) for it in VIEWS[name].selected_columns))
        query = select(view)
        if instant is not None:
            query = query.where(view.c.valid_from <= instant, view.c.valid_to.is_(None) | (view.c.valid_to > instant))
        with self.engine.connect() as connection:
            return connection.execute(query).all()

    def committed(self, run):
        """Note in the model that a batch has committed, and look at every row of history."""
        with self.engine.connect() as connection:
            last = connection.scalar(select(installation.c.last_instant))
        self.sound = False
        given, rows = last > self.last_instant, self.rows()
        self._watch(rows, run.run_id, last if given else None)
        self.seen, self.last_instant = rows, last
        self.ledger.commit(last if given else max(last, self.clock.now()), given=given)
        self._compare_coverage()
        self.sound = True

    def _compare_coverage(self):
        """What is covered now is in one row each, with its window and its age."""
        current = [row for (name, _), row in self.seen.items() if name == "coverage" and row["valid_to"] is None]
        names = ("calendar_id", "starts_at", "ends_at", "state", "reason", "detail", "as_of")
        assert not different(Counter(tuple(row[name] for name in names) for row in current), self.ledger.current_coverage())

    def _watch(self, rows, run_id, instant):
        """No row is taken away or rewritten; what opened or closed did so by this run, at this instant."""
        assert not self.seen.keys() - rows.keys(), "a row is gone"
        for key, row in rows.items():
            old = self.seen.get(key)
            if old is None:
                assert (row["opened_run_id"], row["valid_from"]) == (run_id, instant)
                assert row["valid_to"] is None
                continue
            changed = {name for name in row if row[name] != old[name]}
            if changed & {"valid_to", "closed_run_id"}:
                assert (old["valid_to"], row["closed_run_id"], row["valid_to"]) == (None, run_id, instant)
                changed -= {"valid_to", "closed_run_id"}
                assert not changed, "a row is closed as it stands"
            if changed:
                assert key[0] == "coverage"
                assert changed <= MOVES
                assert row["valid_to"] is None
                assert row["state"] == "unknown" or row["as_of"] >= old["as_of"], "an answer gets no older"
