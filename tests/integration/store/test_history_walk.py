"""Random walks through history: whatever happens, the tables tell of every past instant what was current then.

A state machine runs harvests and validations batch by batch, real steps on a real database. Beside them stands a model of
what was current after each batch; at the end, and at any instant in between, the views have to say the same.
"""

import gc
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from busytime.errors import AuthenticationError, FatalError, Reason, ServerUnavailableError, SpoiltAnswerError
from busytime.model import BusyStatus, RunStatus, Unanswered, Window, harvest_window
from tests.integration.store.history_model import different, told
from tests.integration.store.history_scene import ANA, HISTORY_VIEWS, KINDS, OWNERS, Died, Scene
from tests.unit.moments import at

MINUTE, INSTANT = timedelta(minutes=1), timedelta(microseconds=1)
#: Up to `max_age` exactly, and just beyond it.
PAUSES = (INSTANT, MINUTE, 5 * MINUTE, 29 * MINUTE, 30 * MINUTE, 30 * MINUTE + INSTANT, 45 * MINUTE, timedelta(hours=4))
SET_BACK = (INSTANT, 10 * MINUTE, 29 * MINUTE, timedelta(hours=3))
LAGS = (timedelta(0), INSTANT, 2 * MINUTE, 4 * MINUTE)
#: The regular window, which slides; and windows of all lengths, some of them apart from each other.
WINDOWS = (None, None, (0, 600), (0, 60), (300, 500), (400, 900), (700, 800))
PLACES = (*((owner, "") for owner in OWNERS), (ANA, "Projects"))
ANSWERS = (
    None,
    Unanswered(Reason.NO_DATA),
    Unanswered(Reason.MAILBOX_NOT_FOUND, "ErrorMailRecipientNotFound"),
    Unanswered(Reason.MAILBOX_UNAVAILABLE, "ErrorMailboxStoreUnavailable"),
    Unanswered(Reason.MISSING_ANSWER),
)
FAILURES = (ServerUnavailableError, SpoiltAnswerError, AuthenticationError)
LEVELS = ("None", "None", "FreeBusyTimeOnly", "Reviewer", "Editor")

whichever = st.integers(0, 9)
places = st.sampled_from(PLACES)


def deed(name, *arguments):
    return st.tuples(st.just(name), *arguments)


#: An owner makes or cancels an appointment.
moves = st.one_of(
    deed(
        "appoint",
        places,
        st.integers(-4, 28),
        st.sampled_from([1, 1, 2, 20]),
        st.sampled_from([*BusyStatus]),
        st.sampled_from([1, 1, 2]),
    ),
    deed("cancel", places, whichever),
    deed("repeat", places, whichever),
)
#: What else happens outside before a run.
deeds = st.one_of(
    deed("wait", st.sampled_from(PAUSES)),
    deed("wait", st.sampled_from(PAUSES)),
    deed("set_the_clock_back", st.sampled_from(SET_BACK)),
    deed("grant", places, st.sampled_from(LEVELS)),
    deed("grant", places, st.sampled_from(LEVELS)),
    deed("fall_ill", st.sampled_from(OWNERS), st.sampled_from(ANSWERS), st.booleans()),
    deed("recover", st.sampled_from(OWNERS)),
    deed("break_the_server", st.sampled_from(FAILURES), st.sampled_from([1, 2, None])),
    deed("break_the_server", st.just(ServerUnavailableError), st.none()),
    deed("mend_the_server", st.sampled_from(LAGS)),
    deed("import_a_roster", st.sampled_from([0, 0, 1, 2, 3])),
)


class Walk(RuleBasedStateMachine):
    """Owners, servers and clocks at their worst, and runs that are interrupted."""

    def __init__(self, scene):
        super().__init__()
        self.scene = scene
        scene.begin()
        self.at_work, self.dead = [], []

    @property
    def clock(self):
        return self.scene.clock

    @property
    def server(self):
        return self.scene.server

    # What happens outside

    def wait(self, pause):
        self.clock.time += pause

    def set_the_clock_back(self, length):
        self.clock.time -= length

    def appoint(self, place, start, length, status, count):
        for _ in range(count):
            self.server.add(place[0], at(30 * start), at(30 * (start + length)), status, folder=place[1])

    def cancel(self, place, which):
        items = self.server.owners[place[0]].folders[place[1]].items
        if items:
            del items[list(items)[which % len(items)]]

    def repeat(self, place, which):
        """An appointment gets a second one of the same time: the count of the interval changes."""
        items = self.server.owners[place[0]].folders[place[1]].items
        if items:
            item = items[list(items)[which % len(items)]]
            self.server.add(place[0], item.start, item.end, item.status, folder=place[1])

    def grant(self, place, level):
        self.server.owners[place[0]].folders[place[1]].level = level

    def fall_ill(self, owner, answer, sick):
        self.server.owners[owner].answer, self.server.owners[owner].sick = answer, sick

    def recover(self, owner):
        self.fall_ill(owner, None, sick=False)

    def break_the_server(self, error, times):
        self.server.fail("*", lambda: error("It does not answer."), times)

    def mend_the_server(self, lag):
        self.server.mend()
        self.server.lag = lag

    def import_a_roster(self, number):
        self.scene.choose_roster(number)

    # Runs

    @initialize(lag=st.sampled_from(LAGS))
    def begin_with_all_that_there_is(self, lag):
        for kind in KINDS:
            self.run([], kind, None, 9)
        self.server.lag = lag

    @rule(
        first=st.sampled_from([None, "finish", "wake"]),
        which=whichever,
        moved=st.lists(moves, min_size=1, max_size=3),
        done=st.lists(deeds, max_size=3),
        kind=st.sampled_from(KINDS),
        span=st.sampled_from(WINDOWS),
        batches=st.sampled_from([9, 9, 0, 1]),
        killed=st.sampled_from([None, "idle", "writing"]),
        percent=st.integers(0, 100),
    )
    def step(self, first, which, moved, done, kind, span, batches, killed, percent):
        """Somebody else goes on; things happen; a run begins, and perhaps ends; and a look back."""
        if first == "finish" and self.at_work:
            self.go_on(self.at_work[which % len(self.at_work)], 1 + which)
        if first == "wake" and self.dead:
            self.wake(self.dead[which % len(self.dead)])
        work = self.run(moved + done, kind, span, batches)
        if work in self.at_work and killed:
            self.kill(work, writing=killed == "writing")
        self.look_back(percent, which % 3 - 1)

    def run(self, done, kind, span, batches):
        for name, *arguments in done:
            getattr(self, name)(*arguments)
        window = harvest_window(self.clock.now(), 1) if span is None else Window(at(span[0]), at(span[1]))
        if work := self.begin(kind, window):
            self.go_on(work, batches)
        return work

    def kill(self, work, *, writing):
        """End a process between two batches, or before one commits."""
        if writing:
            self.scene.dying = True
            self.go_on(work, 1)
            self.scene.dying = False
        else:
            self.die(work)

    def wake(self, work):
        """A process that only seemed to be dead goes on."""
        self.dead.remove(work)
        if self.scene.status(work) != RunStatus.CRASHED:
            self.go_on(work, 9)

    def begin(self, kind, window):
        """Open a run: none beside another of its kind; the runs of dead processes are closed as crashed."""
        work = self.scene.open(kind, window)
        assert (work is None) == any(it.kind == kind for it in self.at_work)
        for dead in [it for it in self.dead if it.kind == kind and work is not None]:
            assert self.scene.status(dead) == RunStatus.CRASHED
            self.wake_too_late(dead)
        return work

    def wake_too_late(self, work):
        """A process that only seemed to be dead goes on when another one has taken its place: it writes nothing."""
        self.dead.remove(work)
        if work.batches:
            with pytest.raises(FatalError):
                self.scene.do_batch(work)
            assert not different(self.scene.rows(), self.scene.seen)

    def go_on(self, work, batches):
        if work not in self.at_work:
            self.at_work.append(work)
        try:
            for _ in range(min(batches, len(work.batches))):
                self.scene.do_batch(work)
        except Died:
            self.die(work)
        except FatalError:
            self.at_work.remove(work)
            self.scene.close(work, RunStatus.FAILED)
        else:
            if not work.batches:
                self.at_work.remove(work)
                self.scene.close(work)

    def die(self, work):
        self.scene.bury(work)
        self.at_work.remove(work)
        self.dead.append(work)

    # What the tables tell

    def look_back(self, percent, nudge):
        """Any instant between the first batch and now."""
        first, last = self.scene.ledger.moments[0].time, max(self.clock.now(), self.scene.ledger.moments[-1].time)
        self.look_back_to(max(first, first + (last - first) * (percent / 100) + nudge * INSTANT))

    def look_back_to(self, instant):
        self.compare({view: self.scene.as_of(view, instant) for view in HISTORY_VIEWS}, instant)

    def compare(self, seen, instant):
        self.scene.sound = False
        then = self.scene.ledger.at(instant)
        busy = {interval_of(row): row.count for row in seen["audit_busy_time"]}
        assert not different(busy, then.busy)
        verdicts = {(row.calendar_id, row.need): verdict_of(row) for row in seen["audit_permissions"]}
        assert not different(verdicts, then.verdicts)
        assert [len(busy), len(verdicts)] == [len(seen[view]) for view in ("audit_busy_time", "audit_permissions")]
        covered = ((row.calendar_id, *told(row.state, row.reason, row.as_of, instant)) for row in seen["audit_coverage"])
        assert not different(Counter(covered), then.coverage(instant))
        self.scene.sound = True

    def teardown(self):
        """Leave no session behind, and look at everything once more."""
        for work in list(self.at_work):
            self.die(work)
        if self.scene.sound:  # else it is what went wrong last that is told
            self.compare_all()

    def compare_all(self):
        """Compare every instant of the walk and the one before it, and every span: without a gap, without an overlap."""
        ledger, rows = self.scene.ledger, {view: self.scene.as_of(view) for view in HISTORY_VIEWS}
        first = ledger.moments[0].time
        for instant in {max(first, moment.time - early) for moment in ledger.moments for early in (timedelta(0), INSTANT)}:
            self.compare({view: [row for row in its if held(row, instant)] for view, its in rows.items()}, instant)
        intervals = spans(rows["audit_busy_time"], interval_of, lambda row: row.count)
        assert not different(intervals, ledger.spans("busy"))
        verdicts = spans(rows["audit_permissions"], lambda row: (row.calendar_id, row.need), verdict_of)
        assert not different(verdicts, ledger.spans("verdicts"))


def held(row, instant):
    return row.valid_from <= instant and (row.valid_to is None or row.valid_to > instant)


def spans(rows, identity, value):
    """Return from when until when the rows of each identity held, in their order."""
    found = {}
    for row in sorted(rows, key=lambda row: row.valid_from):
        found.setdefault(identity(row), []).append((value(row), row.valid_from, row.valid_to))
    return found


def interval_of(row):
    return row.calendar_id, row.starts_at, row.ends_at, row.status


def verdict_of(row):
    return row.verdict, row.observed, row.reason


@pytest.fixture
def scene(engine, store, clock, monkeypatch, tmp_path):
    (tmp_path / "home").mkdir()
    yield Scene(engine, store, clock, monkeypatch, tmp_path / "home")
    gc.unfreeze()  # each run that is opened freezes what there is


@pytest.mark.long(backend="postgresql")
def test_the_tables_tell_of_every_past_instant_what_was_current_then(scene, backend):
    walks = settings().max_examples // {"sqlite": 3, "postgresql": 6}[backend]
    run_state_machine_as_test(lambda: Walk(scene), settings=settings(max_examples=walks, stateful_step_count=9))
