"""Alarms in the tables: of two that look at once one tells, a restart neither repeats nor forgets, and a lost claim runs out."""

import threading

import pytest

from busytime.alarms import AlarmKind, News, Subject, Word
from busytime.store.tables_alarms import alarms, tellings
from busytime.store.unit_of_work import Store
from tests.integration.store.alarm_steps import claim, tell
from tests.unit.moments import at

MISSING = Subject(AlarmKind.RUN_MISSING, flow="maintain")


@pytest.fixture
def breaker(corporate):
    return Subject(AlarmKind.BREAKER_OPENED, corporate)


def test_an_alarm_is_written_down_from_its_begin_to_its_end(store, clock, breaker, rows):
    assert tell(store, clock, breaker) == [(breaker, Word.STANDS)]
    clock.go(minutes=5)
    assert tell(store, clock, breaker) == []
    assert tell(store, clock) == [(breaker, Word.OVER)]
    [row] = rows(alarms)
    assert (row["kind"], row["connection_id"], row["opened_at"], row["over_at"]) == ("breaker_opened", 1, at(0), at(5))
    assert row["told_at"] == at(5)
    [telling] = rows(tellings)
    assert (telling["receiver"], telling["word"], telling["claimed_at"]) == (1, "over", None)


def test_an_address_stands_beside_the_alarm_and_not_in_it(store, clock, breaker):
    [told] = claim(store, clock, breaker)
    assert told.alarm.about == "busytime@corp.example"


def test_a_restart_neither_repeats_nor_forgets(engine, store, clock, breaker):
    tell(store, clock, breaker)
    again = Store(engine, store._vault, clock)
    assert tell(again, clock, breaker) == []
    clock.go(minutes=61)
    assert tell(again, clock, breaker) == [(breaker, Word.STANDS)]
    assert tell(again, clock) == [(breaker, Word.OVER)]


def test_what_was_claimed_and_not_noted_is_told_again(store, clock, breaker):
    assert len(claim(store, clock, breaker)) == 1
    clock.go(minutes=1)
    assert claim(store, clock, breaker) == []
    clock.go(minutes=1)
    assert tell(store, clock, breaker) == [(breaker, Word.STANDS)]


def test_each_receiver_is_told_by_itself(store, clock, breaker):
    assert tell(store, clock, breaker, receiver=1) == [(breaker, Word.STANDS)]
    assert tell(store, clock, breaker, receiver=2) == [(breaker, Word.STANDS)]
    assert tell(store, clock, receiver=2) == [(breaker, Word.OVER)]
    assert tell(store, clock, receiver=1) == [(breaker, Word.OVER)]


def test_one_that_comes_back_soon_is_the_same_row(store, clock, breaker, rows):
    tell(store, clock, breaker)
    tell(store, clock)
    clock.go(minutes=14)
    assert tell(store, clock, breaker, concerned=7) == []
    [row] = rows(alarms)
    assert (row["over_at"], row["returns"], row["concerned"]) == (None, 1, 7)
    clock.go(minutes=1)
    assert tell(store, clock, breaker) == [(breaker, Word.STANDS)]


def test_one_of_which_nobody_was_told_is_forgotten_when_it_is_over(store, clock):
    assert tell(store, clock, MISSING) == []
    assert tell(store, clock) == []
    with store.read() as unit:
        assert unit.alarms.current(clock.now(), 1) == []


def test_a_receiver_that_was_taken_out_of_the_settings_keeps_no_alarm(store, clock, breaker):
    tell(store, clock, breaker, receiver=3)
    clock.go(minutes=1)
    claim(store, clock, receiver=1)
    clock.go(minutes=20)
    with store.read() as unit:
        assert unit.alarms.current(clock.now(), 3) != []
        assert unit.alarms.current(clock.now(), 2) == []


def test_counts_are_of_alarms_that_stand(store, clock, breaker):
    claim(store, clock, breaker, MISSING)
    claim(store, clock, breaker)
    with store.read() as unit:
        assert unit.alarms.counts() == {AlarmKind.BREAKER_OPENED: 1}


def test_of_many_that_look_at_once_one_tells(engine, store, clock, breaker, rows):
    ready, told = threading.Barrier(4), []

    def look():
        own = Store(engine, store._vault, clock)
        ready.wait()
        told.extend(claim(own, clock, breaker, MISSING))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(it.alarm.subject, it.word) for it in told if isinstance(it, News)] == [(breaker, Word.STANDS)]
    assert len(rows(alarms)) == 2
