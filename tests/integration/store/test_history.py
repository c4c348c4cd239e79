"""Harvests on real tables: only changes are written, history is kept, and instants never go back."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from busytime.errors import Reason
from busytime.harvesting import record_batch
from busytime.model import BusyStatus, BusyTime, Unanswered
from busytime.reading import Reading
from busytime.store.tables import busy_intervals, coverage, installation
from tests.unit.moments import MAX_AGE, MONDAY, at, busy, window

WINDOW = window(0, 600)
ANA, BO = "ana@corp.example", "bo@corp.example"
SILENCE = Unanswered(Reason.TIMED_OUT)


@pytest.fixture
def harvest(store, clock, open_run):
    """Record answers, each for one of some calendars, as a run of its own; return the run and what came of it."""

    def record(calendars, *answers, span=WINDOW):
        run_id = open_run()
        reading = Reading(clock.now(), {calendar.id: answer for calendar, answer in zip(calendars, answers, strict=True)})
        with store.write() as unit:
            return run_id, record_batch(unit, calendars, reading, span, run_id, MAX_AGE)

    return record


def told(result):
    return result.known, result.unknown, result.opened, result.closed


def answer(*intervals):
    return BusyTime(tuple(intervals))


def current(rows, table=busy_intervals):
    return rows(table, table.c.valid_to.is_(None))


def test_first_harvest_opens_a_row_for_each_interval_and_one_of_coverage(harvest, furnish, rows, clock):
    calendars = furnish(ANA, BO)
    run_id, result = harvest(calendars, answer(busy(0, 30), busy(60, 90, BusyStatus.TENTATIVE)), answer())
    assert told(result) == (2, 0, 4, 0)
    stored = rows(busy_intervals)
    assert [(row["starts_at"], row["ends_at"], row["status"], row["count"]) for row in stored] == [
        (at(0), at(30), "busy", 1),
        (at(60), at(90), "tentative", 1),
    ]
    assert {(row["opened_run_id"], row["closed_run_id"], row["valid_to"]) for row in stored} == {(run_id, None, None)}
    covered = rows(coverage)
    assert [(row["starts_at"], row["ends_at"], row["state"], row["as_of"]) for row in covered] == [
        (WINDOW.start, WINDOW.end, "covered", clock.now())
    ] * 2
    assert len({row["valid_from"] for row in [*stored, *covered]}) == 1


def test_unchanged_harvest_opens_and_closes_nothing(harvest, furnish, rows, clock):
    calendars = furnish(ANA)
    harvest(calendars, answer(busy(0, 30), busy(60, 90)))
    before = rows(busy_intervals)
    clock.go(minutes=30)
    _, result = harvest(calendars, answer(busy(60, 90), busy(0, 30)))
    assert told(result) == (1, 0, 0, 0)
    assert rows(busy_intervals) == before
    assert [(row["as_of"], row["valid_from"], row["valid_to"]) for row in rows(coverage)] == [
        (clock.now(), before[0]["valid_from"], None)
    ]


def test_exactly_what_changed_is_closed_and_opened(harvest, furnish, rows, clock):
    calendars = furnish(ANA)
    first, _ = harvest(calendars, answer(busy(0, 30), busy(60, 90), busy(100, 110)))
    clock.go(minutes=5)
    second, result = harvest(calendars, answer(busy(0, 30), busy(60, 95), busy(100, 110, BusyStatus.OUT_OF_OFFICE)))
    assert told(result) == (1, 0, 2, 2)
    closed = rows(busy_intervals, busy_intervals.c.valid_to.is_not(None))
    assert {(row["starts_at"], row["opened_run_id"], row["closed_run_id"]) for row in closed} == {
        (at(60), first, second),
        (at(100), first, second),
    }
    opened = rows(busy_intervals, busy_intervals.c.opened_run_id == second)
    assert {row["valid_from"] for row in opened} == {row["valid_to"] for row in closed} == {clock.now()}


def test_equal_intervals_are_one_row_and_a_changed_count_is_another(harvest, furnish, rows, clock):
    calendars = furnish(ANA)
    harvest(calendars, answer(busy(0, 30), busy(0, 30)))
    clock.go(minutes=1)
    _, result = harvest(calendars, answer(busy(0, 30), busy(0, 30), busy(0, 30)))
    assert told(result) == (1, 0, 1, 1)
    assert [(row["count"], row["valid_to"] is None) for row in rows(busy_intervals)] == [(2, False), (3, True)]


def test_an_interval_that_comes_back_is_a_row_of_its_own(harvest, furnish, rows, clock):
    calendars = furnish(ANA)
    for given in (answer(busy(0, 30)), answer(), answer(busy(0, 30))):
        harvest(calendars, given)
        clock.go(minutes=1)
    assert [row["valid_to"] is None for row in rows(busy_intervals)] == [False, True]


@pytest.mark.parametrize("reason", [Reason.TIMED_OUT, Reason.NO_ACCESS, Reason.ENDS_BEFORE_START])
def test_a_failed_answer_closes_no_interval(harvest, furnish, rows, clock, reason):
    calendars = furnish(ANA, BO)
    harvest(calendars, answer(busy(0, 30)), answer(busy(0, 30)))
    before = rows(busy_intervals)
    clock.go(minutes=40)
    _, result = harvest(calendars, Unanswered(reason, "detail"), Unanswered(reason, "detail"))
    assert rows(busy_intervals) == before
    assert (result.known, result.unknown) == (0, 2)
    assert [(failed.owner, failed.reason, failed.detail) for failed in result.failed] == [
        (ANA, reason, "detail"),
        (BO, reason, "detail"),
    ]


def test_one_failed_answer_costs_nothing_until_max_age_is_over(harvest, furnish, rows, clock):
    calendars = furnish(ANA)
    harvest(calendars, answer())
    clock.go(minutes=30)
    assert told(harvest(calendars, SILENCE)[1]) == (1, 0, 0, 0)
    assert current(rows, coverage)[0]["failures"] == 1
    clock.go(minutes=1)
    assert told(harvest(calendars, SILENCE)[1]) == (0, 1, 1, 1)
    assert [(row["state"], row["reason"], row["as_of"]) for row in current(rows, coverage)] == [("unknown", "timed_out", MONDAY)]


def test_a_definite_word_makes_unknown_at_once_and_an_answer_known_again(harvest, furnish, rows, clock):
    calendars = furnish(ANA)
    harvest(calendars, answer(busy(0, 30)))
    clock.go(minutes=1)
    assert told(harvest(calendars, Unanswered(Reason.NO_DATA))[1]) == (0, 1, 1, 1)
    clock.go(minutes=1)
    assert told(harvest(calendars, answer(busy(0, 30)))[1]) == (1, 0, 1, 1)
    assert len(rows(busy_intervals)) == 1


def test_an_answer_after_a_long_pause_leaves_the_old_word_in_history(harvest, furnish, rows, clock):
    calendars = furnish(ANA)
    harvest(calendars, answer())
    clock.go(hours=2)
    assert told(harvest(calendars, answer())[1]) == (1, 0, 1, 1)
    assert [(row["as_of"], row["valid_to"]) for row in rows(coverage)] == [(MONDAY, clock.now()), (clock.now(), None)]


def test_an_answer_that_came_late_leaves_the_old_word_in_history_even_if_it_was_asked_for_in_time(
    harvest, furnish, store, open_run, rows, clock
):
    calendars = furnish(ANA)
    harvest(calendars, answer())
    clock.go(minutes=29)
    reading = Reading(clock.now(), {calendars[0].id: answer()})
    clock.go(minutes=2)
    run_id = open_run()
    with store.write() as unit:
        assert told(record_batch(unit, calendars, reading, WINDOW, run_id, MAX_AGE)) == (1, 0, 1, 1)
    assert [row["as_of"] for row in rows(coverage)] == [MONDAY, at(29)]


def test_what_history_has_as_outdated_stays_so_when_the_clock_is_set_back(harvest, furnish, rows, clock):
    ana, bo = furnish(ANA, BO)
    harvest([ana], answer())
    clock.go(minutes=40)
    harvest([bo], answer())
    clock.go(minutes=-20)
    assert told(harvest([ana], answer())[1]) == (1, 0, 1, 1)
    assert [row["as_of"] for row in rows(coverage, coverage.c.calendar_id == ana.id)] == [MONDAY, at(20)]


def test_rows_that_the_window_has_left_behind_stay_as_they_are(harvest, furnish, rows, clock):
    calendars = furnish(ANA)
    clock.go(minutes=80)
    harvest(calendars, answer(busy(0, 30), busy(60, 180), busy(200, 210)), span=window(0, 600))
    clock.go(minutes=20)
    _, result = harvest(calendars, answer(), span=window(100, 700))
    assert (result.opened, result.closed) == (0, 2)
    assert [(row["starts_at"], row["ends_at"]) for row in current(rows)] == [(at(0), at(30))]


def test_an_answered_interval_outside_the_window_is_dropped(harvest, furnish, rows):
    harvest(furnish(ANA), answer(busy(-60, 0), busy(600, 700), busy(-10, 700)))
    assert [(row["starts_at"], row["ends_at"]) for row in current(rows)] == [(at(-10), at(700))]


def test_a_calendar_that_is_not_in_the_batch_stays_as_it_is(harvest, furnish, rows, clock):
    ana, bo = furnish(ANA, BO)
    harvest([ana, bo], answer(busy(0, 30)), answer(busy(0, 30)))
    clock.go(minutes=1)
    harvest([ana], answer())
    assert [row["calendar_id"] for row in current(rows)] == [bo.id]


def test_a_batch_that_breaks_off_leaves_nothing_behind(store, furnish, run_id, rows, clock):
    calendars = furnish(ANA)
    reading = Reading(clock.now(), {calendars[0].id: answer(busy(0, 30))})

    def break_off():
        with store.write() as unit:
            record_batch(unit, calendars, reading, WINDOW, run_id, MAX_AGE)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert rows(busy_intervals) == rows(coverage) == []


def test_thousands_of_intervals_are_one_transaction(harvest, furnish, rows, clock):
    calendars = furnish(*(f"owner{number:03}@corp.example" for number in range(100)))
    given = answer(*(busy(10 * minute, 10 * minute + 5) for minute in range(60)))
    assert told(harvest(calendars, *[given] * 100)[1]) == (100, 0, 6100, 0)
    clock.go(minutes=1)
    assert told(harvest(calendars, *[given] * 100)[1]) == (100, 0, 0, 0)
    assert len(rows(busy_intervals)) == 6000


def test_what_is_read_is_what_was_written(harvest, furnish, store):
    calendars = furnish(ANA, BO)
    _, result = harvest(calendars, answer(busy(0, 30), busy(0, 30)), SILENCE)
    with store.read() as unit:
        found = unit.busy_time.intervals([calendar.id for calendar in calendars], window(29, 30))
        assert {key: list(intervals) for key, intervals in found.items()} == {calendars[0].id: [busy(0, 30)]}
        assert [count for _, count in found[calendars[0].id].values()] == [2]
        assert unit.busy_time.intervals([calendars[0].id], window(30, 40)) == {}
        assert unit.busy_time.failing([calendar.id for calendar in calendars]) == set()
        assert [len(rows) for rows in unit.busy_time.current_coverage().values()] == [1, 1]
    assert result.failed[0].owner == BO


def test_a_calendar_that_failed_after_an_answer_is_told_apart(harvest, furnish, store):
    calendars = furnish(ANA, BO)
    harvest(calendars, answer(), answer())
    harvest(calendars, answer(), SILENCE)
    with store.read() as unit:
        assert unit.busy_time.failing([calendar.id for calendar in calendars]) == {calendars[1].id}


def test_the_calendars_that_a_run_touched_are_told(harvest, furnish, store, clock):
    calendars = furnish(ANA, BO)
    first, _ = harvest(calendars, answer(busy(0, 30)), answer())
    clock.go(minutes=1)
    second, _ = harvest(calendars, answer(), answer(busy(0, 30)))
    with store.read() as unit:
        assert unit.busy_time.touched_by(first) == {calendars[0].id}
        assert unit.busy_time.touched_by(second) == {calendars[0].id, calendars[1].id}


@pytest.mark.parametrize("step", [timedelta(hours=-3), timedelta(0), timedelta(microseconds=1), timedelta(hours=1)])
def test_instants_strictly_increase_whatever_the_clock_does(store, clock, step):
    given = []
    for _ in range(4):
        with store.write() as unit:
            given.append(unit.instant)
            assert unit.instant == given[-1], "one instant for the whole transaction"
        clock.time += step
    assert given == sorted(set(given))
    if step > timedelta(microseconds=1):
        assert given[-1] == clock.now() - step


def test_the_last_instant_is_that_of_what_was_committed(store, clock, rows):
    clock.go(hours=1)

    def break_off():
        with store.write() as unit:
            assert unit.instant == clock.now()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert rows(installation)[0]["last_instant"] == MONDAY


def test_threads_never_share_an_instant(store):
    given, failures = [], []

    def work():
        try:
            for _ in range(15):
                with store.write() as unit:
                    given.append(unit.instant)
        except Exception as error:  # noqa: BLE001 -- told by the thread that asserts
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert failures == []
    assert len(set(given)) == 60


def test_history_closes_and_opens_at_the_same_instant_when_the_clock_goes_back(harvest, furnish, rows, clock):
    calendars = furnish(ANA)
    clock.go(hours=1)
    harvest(calendars, answer(busy(0, 30)))
    clock.go(minutes=-10)
    harvest(calendars, answer(busy(0, 31)))
    before, after = rows(busy_intervals)
    assert before["valid_to"] == after["valid_from"] == before["valid_from"] + timedelta(microseconds=1)


def test_reading_does_not_see_what_is_not_committed(store, engine):
    with store.write() as unit:
        unit.owners.id("somebody@corp.example")
        with store.read() as reader:
            assert reader.owners.find("somebody@corp.example") is None
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(installation)) == 1
