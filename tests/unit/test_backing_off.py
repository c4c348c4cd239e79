"""Backing off: all wait as long as the server asks, nobody beyond the deadline, and nobody hammers."""

from datetime import timedelta

import pytest

from busytime.backing_off import patiently
from busytime.errors import ServerBusyError, ServerUnavailableError
from tests.unit.moments import MONDAY, HandClock


class Office:
    """A clock that sleeping moves, an instant that workers share, and a server that is busy a few times."""

    def __init__(self, *back_offs):
        self.clock = HandClock()
        self.until = None
        self.slept = []
        self.asked = []
        self.back_offs = list(back_offs)

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.clock.go(seconds=seconds)

    def share(self, until):
        self.until = until

    def action(self):
        self.asked.append(self.clock.now())
        if self.back_offs:
            raise ServerBusyError("busy", back_off_seconds=self.back_offs.pop(0))
        return "an answer"

    def ask(self, deadline_seconds=300):
        return patiently(
            self.action,
            shared_until=lambda: self.until,
            share=self.share,
            clock=self.clock,
            deadline=MONDAY + timedelta(seconds=deadline_seconds),
            sleep=self.sleep,
        )


def test_an_answer_comes_at_once():
    office = Office()
    assert office.ask() == "an answer"
    assert (office.slept, len(office.asked)) == ([], 1)


def test_a_busy_server_is_left_alone_as_long_as_it_asks():
    office = Office(10, 20)
    assert office.ask() == "an answer"
    assert office.asked == [MONDAY, MONDAY + timedelta(seconds=10), MONDAY + timedelta(seconds=30)]


def test_the_back_off_is_shared():
    office = Office(10)
    office.ask()
    assert office.until == MONDAY + timedelta(seconds=10)


def test_what_another_worker_was_told_is_kept_to_before_asking():
    office = Office()
    office.until = MONDAY + timedelta(seconds=42)
    assert office.ask() == "an answer"
    assert office.asked == [MONDAY + timedelta(seconds=42)]


def test_a_back_off_that_is_over_delays_nothing():
    office = Office()
    office.until = MONDAY - timedelta(seconds=1)
    office.ask()
    assert office.slept == []


def test_a_back_off_beyond_the_deadline_is_raised_and_shared_without_waiting():
    office = Office(301)
    with pytest.raises(ServerBusyError) as raised:
        office.ask()
    assert raised.value.back_off_seconds == 301
    assert office.slept == []
    assert office.until == MONDAY + timedelta(seconds=301)


def test_a_shared_back_off_beyond_the_deadline_sends_nothing():
    office = Office()
    office.until = MONDAY + timedelta(seconds=301)
    with pytest.raises(ServerBusyError, match="08:05:01 UTC"):
        office.ask()
    assert (office.asked, office.slept) == ([], [])


@pytest.mark.parametrize("told", [None, 0, 0.001])
def test_pauses_grow_where_the_server_names_none_worth_the_name(told):
    office = Office(*[told] * 1000)
    with pytest.raises(ServerBusyError):
        office.ask()
    assert len(office.asked) < 20
    assert all(pause >= 0.5 for pause in office.slept)
    assert max(office.slept) <= 60
    assert office.clock.now() <= MONDAY + timedelta(seconds=300)


def test_another_error_passes_at_once():
    office = Office()

    def action():
        raise ServerUnavailableError("down")

    office.action = action
    with pytest.raises(ServerUnavailableError):
        office.ask()
    assert (office.slept, office.until) == ([], None)


def test_a_pause_of_somebody_else_is_waited_out_and_not_answered_by_a_longer_one():
    from datetime import UTC, datetime, timedelta

    from busytime.errors import PauseInForceError

    class Clock:
        at = datetime(2026, 11, 23, tzinfo=UTC)

        def now(self):
            return self.at

    clock, shared = Clock(), []
    until = [clock.at]
    asked = []

    def action():
        asked.append(clock.at)
        if len(asked) == 1:
            until[0] = clock.at + timedelta(seconds=3)  # another worker heard of it while this one waited for its place
            raise PauseInForceError("not over", back_off_seconds=3)
        return "answer"

    def sleep(seconds):
        clock.at += timedelta(seconds=seconds)

    deadline = clock.at + timedelta(minutes=5)
    answer = patiently(action, shared_until=lambda: until[0], share=shared.append, clock=clock, deadline=deadline, sleep=sleep)
    assert (answer, shared) == ("answer", [])
    assert asked[1] - asked[0] == timedelta(seconds=3)
