"""An alarm is told at once, again after an hour, then daily, and once that it is over; one that comes and goes is held down."""

import pytest

from busytime.alarms import Word
from tests.unit.alarms.desk import BREAKER, COVERAGE, HARVEST, AlarmDesk

DAY = 24 * 60


@pytest.fixture
def desk():
    return AlarmDesk()


def minutes_told(desk, word, subject=BREAKER):
    return [minute for minute, about, told in desk.sent if (about, told) == (subject, word)]


def test_one_that_stands_is_told_at_once_after_an_hour_and_then_daily(desk):
    for minute in range(0, 3 * DAY, 5):
        desk.look(minute, [BREAKER])
    assert minutes_told(desk, Word.STANDS) == [0, 60, 60 + DAY, 60 + 2 * DAY]


def test_its_end_is_told_at_once_and_only_once(desk):
    desk.look(0, [BREAKER])
    assert desk.look(3, []) == {BREAKER: Word.OVER}
    assert [desk.look(minute, []) for minute in range(4, 100)] == [{}] * 96


def test_one_that_waits_to_be_told_and_goes_away_is_never_told(desk):
    assert desk.look(0, [HARVEST, COVERAGE]) == {}
    assert desk.look(4, []) == {}
    assert desk.look(5, [HARVEST]) == {}, "it has to wait anew"
    assert desk.look(10, [HARVEST]) == {HARVEST: Word.STANDS}


def test_what_opens_together_is_told_in_one_message(desk):
    desk.look(0, [HARVEST, COVERAGE])
    assert desk.look(10, [HARVEST, COVERAGE, BREAKER]) == dict.fromkeys([HARVEST, COVERAGE, BREAKER], Word.STANDS)


def test_one_that_comes_and_goes_every_minute_is_told_as_one_that_stands(desk):
    for minute in range(DAY):
        desk.look(minute, [BREAKER] if minute % 2 == 0 else [])
    assert minutes_told(desk, Word.STANDS) == [0, 16, 76]
    assert minutes_told(desk, Word.OVER) == [1], "after that it never stays away"
    for minute in range(DAY, DAY + 60):
        desk.look(minute, [])
    assert len(minutes_told(desk, Word.OVER)) == 2


def test_one_that_comes_back_much_later_is_a_new_one(desk):
    desk.look(0, [BREAKER])
    desk.look(1, [])
    assert desk.look(17, [BREAKER]) == {BREAKER: Word.STANDS}
    assert [row.returns for row in desk.rows.values()] == [0, 0]


def test_one_that_has_become_twice_as_large_is_told_again(desk):
    desk.look(0, {COVERAGE: 3})
    assert desk.look(10, {COVERAGE: 3}) == {COVERAGE: Word.STANDS}
    assert desk.look(26, {COVERAGE: 5}) == {}
    assert desk.look(27, {COVERAGE: 6}) == {COVERAGE: Word.STANDS}
    assert desk.look(28, {COVERAGE: 600}) == {}, "not at once again"


def test_repetitions_fall_together(desk):
    desk.look(0, [BREAKER])
    for minute in range(40, 4 * DAY, 5):
        desk.look(minute, [BREAKER, HARVEST])
    last = {subject: max(minutes_told(desk, Word.STANDS, subject)) for subject in (BREAKER, HARVEST)}
    assert last[BREAKER] == last[HARVEST]


def test_what_was_not_sent_is_tried_again_after_a_while(desk):
    desk.look(0, [BREAKER], answers=False)
    assert desk.look(1, [BREAKER]) == {}, "somebody may still be sending it"
    assert desk.look(2, [BREAKER]) == {BREAKER: Word.STANDS}
    desk.look(3, [], answers=False)
    assert desk.look(90, []) == {BREAKER: Word.OVER}


def test_a_clock_that_is_set_back_neither_floods_nor_forgets(desk):
    desk.look(120, [BREAKER])
    told = [minute for minute in range(60, 200) if desk.look(minute, [BREAKER])]
    assert told == [180]
    assert desk.look(130, []) == {BREAKER: Word.OVER}
