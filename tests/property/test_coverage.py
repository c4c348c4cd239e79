"""Coverage over any history of answers, silences and windows, with a clock that may be set back."""

import itertools
from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from busytime.coverage import after_answer, unknown_parts
from busytime.errors import Reason
from busytime.model import CoverageState, Unanswered, harvest_window
from tests.unit.moments import MAX_AGE, MONDAY, at, window

definite = st.builds(
    Unanswered, st.sampled_from([reason for reason in Reason if reason.definite]), st.sampled_from([None, "a", "b"])
)
silent = st.builds(Unanswered, st.sampled_from([Reason.TIMED_OUT, Reason.SERVER_ERROR]), st.none())
tens = st.integers(-10, 60).map(lambda ten: ten * 10)
WHOLE = window(0, 600)
windows = st.tuples(tens, tens).filter(lambda span: span[0] < span[1])


class Table:
    """Rows of one calendar, kept as the store keeps them: closed or changed in place, never taken away."""

    def __init__(self):
        self.current = {}
        self.closed = []
        self.opened = 0

    def write(self, changes, now):
        for key in changes.close:
            self.closed.append((self.current.pop(key), now))
        for row in changes.update:
            assert row.id in self.current, "a row is changed that is not current"
            assert row.state is self.current[row.id].state
            self.current[row.id] = row
        for row in changes.open:
            self.opened += 1
            self.current[self.opened] = replace(row, id=self.opened, valid_from=now)

    @property
    def rows(self):
        return list(self.current.values())


class AnyHistory(RuleBasedStateMachine):
    """Beside the rows stands what was last said of every ten minutes, and when."""

    def __init__(self):
        super().__init__()
        self.table = Table()
        self.said = {}
        self.minute = 0
        self.set_back = False

    @property
    def now(self):
        return at(self.minute)

    @initialize(minute=st.integers(0, 100))
    def begin(self, minute):
        self.minute = minute

    @rule(minutes=st.integers(0, 45))
    def wait(self, minutes):
        self.minute += minutes

    @rule(minutes=st.integers(1, 200))
    def set_the_clock_back(self, minutes):
        self.minute -= minutes
        self.set_back = True

    @rule(span=windows)
    def answer(self, span):
        self.ask(span, None)
        again = after_answer(self.table.rows, window(*span), None, self.now + MAX_AGE, MAX_AGE)
        assert (again.close, again.open) == ((), ()), "an unchanged answer within max_age opens or closes a row"

    @rule(span=windows, word=definite)
    def refuse(self, span, word):
        self.ask(span, word)
        parts = unknown_parts(self.table.rows, window(*span), self.now, MAX_AGE)
        assert {(part.reason, part.detail) for part in parts} == {(word.reason, word.detail)}
        assert sum((part.window.length for part in parts), timedelta()) == window(*span).length

    @rule(span=windows, silence=silent)
    def say_nothing(self, span, silence):
        counting = {row.id for row in self.table.rows if row.known(self.now, MAX_AGE)}
        changes = after_answer(self.table.rows, window(*span), silence, self.now, MAX_AGE)
        assert not counting & set(changes.close), "silence closed a row that still counts"
        assert not any(row.state is CoverageState.COVERED for row in changes.open)
        self.table.write(changes, self.now)

    def ask(self, span, answer):
        self.table.write(after_answer(self.table.rows, window(*span), answer, self.now, MAX_AGE), self.now)
        self.said |= dict.fromkeys(range(*span, 10), (answer is None, self.minute))

    def is_known(self, ten):
        return not unknown_parts(self.table.rows, window(ten, ten + 10), self.now, MAX_AGE)

    @invariant()
    def no_two_current_rows_overlap(self):
        rows = sorted(self.table.rows, key=lambda row: row.window)
        assert all(first.window.end <= second.window.start for first, second in itertools.pairwise(rows))

    @invariant()
    def nothing_is_known_that_was_not_answered_in_time(self):
        for ten in range(-100, 600, 10):
            busy_time, asked = self.said.get(ten, (False, 0))
            if self.is_known(ten):
                assert busy_time
                assert abs(self.minute - asked) <= 30

    @precondition(lambda self: not self.set_back)
    @invariant()
    def what_was_answered_in_time_is_known(self):
        for ten in range(-100, 600, 10):
            busy_time, asked = self.said.get(ten, (False, 0))
            if busy_time and self.minute - asked <= 30 and ten >= self.minute:
                assert self.is_known(ten)

    @invariant()
    def known_and_unknown_parts_make_up_the_window(self):
        whole = window(-100, 600)
        parts = unknown_parts(self.table.rows, whole, self.now, MAX_AGE)
        assert [part.window for part in parts] == sorted(part.window for part in parts)
        known = sum(self.is_known(ten) for ten in range(-100, 600, 10))
        assert sum((part.window.length for part in parts), timedelta()) == timedelta(minutes=700 - known * 10)


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(max_examples=max(40, settings().max_examples // 4), stateful_step_count=20)


@given(st.lists(st.tuples(st.integers(1, 45), st.one_of(st.none(), silent, definite)), max_size=12))
def test_history_tells_for_every_past_instant_whether_it_was_known(steps):
    table, minute, then = Table(), 0, []
    for wait, answer in steps:
        for _ in range(wait):
            then.append((at(minute), not unknown_parts(table.rows, WHOLE, at(minute), MAX_AGE)))
            minute += 1
        table.write(after_answer(table.rows, WHOLE, answer, at(minute), MAX_AGE), at(minute))
    history = [*table.closed, *((row, at(minute + 1)) for row in table.rows)]
    for instant, was_known in then:
        rows = [row for row, closed in history if row.valid_from <= instant < closed and row.state is CoverageState.COVERED]
        assert any(instant <= row.as_of + MAX_AGE for row in rows) is was_known


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans()), min_size=1, max_size=60), st.integers(0, 1440), st.integers(1, 60))
def test_a_sliding_window_opens_and_closes_nothing_while_answers_come_in_time(steps, start, horizon):
    now = MONDAY + timedelta(minutes=start)
    table = Table()
    table.write(after_answer([], harvest_window(now, horizon), None, now, MAX_AGE), now)
    answered = now
    for minutes, silence in steps:
        now += timedelta(minutes=minutes)
        answer = Unanswered(Reason.TIMED_OUT) if silence and now - answered < MAX_AGE / 2 else None
        late = now - answered > MAX_AGE
        changes = after_answer(table.rows, harvest_window(now, horizon), answer, now, MAX_AGE)
        table.write(changes, now)
        assert late or (changes.close, changes.open) == ((), ())
        answered = now if answer is None else answered
    assert len(table.rows) == 1
