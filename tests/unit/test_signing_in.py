"""The allowance: how many refused log-ons an account may still cause."""

from datetime import timedelta

import pytest

from busytime.model import LogonAnswer, LogonBy
from busytime.signing_in import LockoutPolicy, Logon, Uptime, allowance
from tests.unit.moments import at

WINDOW = timedelta(minutes=30)
MACHINE, PERSON = LogonBy.MACHINE, LogonBy.PERSON
REFUSED, ACCEPTED, NOT_SENT = LogonAnswer.REFUSED, LogonAnswer.ACCEPTED, LogonAnswer.NOT_SENT


def left(logons, minute, threshold=5):
    found = allowance([Logon(at(when), by, answer) for when, by, answer in logons], at(minute), LockoutPolicy(threshold, WINDOW))
    return found.refused, found.machine_left, found.person_left


@pytest.mark.parametrize(("threshold", "machine", "person"), [(2, 0, 1), (3, 1, 1), (4, 1, 2), (5, 2, 2), (10, 2, 2)])
def test_shares_of_a_fresh_account(threshold, machine, person):
    assert left([], 0, threshold) == (0, machine, person)


@pytest.mark.parametrize(
    ("threshold", "logons", "expected"),
    [
        (2, [PERSON], (1, 0, 0)),
        (3, [MACHINE], (1, 0, 1)),
        (3, [PERSON], (1, 1, 0)),
        (3, [MACHINE, PERSON], (2, 0, 0)),
        (5, [MACHINE], (1, 1, 2)),
        (5, [MACHINE] * 2, (2, 0, 2)),
        (5, [MACHINE] * 2 + [PERSON], (3, 0, 1)),
        (5, [MACHINE] * 2 + [PERSON] * 2, (4, 0, 0)),
        (5, [PERSON] * 2, (2, 2, 0)),
        (5, [MACHINE] * 3, (3, 0, 1)),
        (5, [MACHINE] * 4, (4, 0, 0)),
        (10, [MACHINE] * 2 + [PERSON] * 2, (4, 0, 0)),
    ],
)
def test_what_is_left_after_refused_log_ons(threshold, logons, expected):
    assert left([(0, by, REFUSED) for by in logons], 1, threshold) == expected


@pytest.mark.parametrize("answer", [None, LogonAnswer.UNKNOWN, REFUSED])
def test_an_attempt_without_a_known_answer_counts_as_refused(answer):
    assert left([(0, MACHINE, answer)], 1) == (1, 1, 2)


@pytest.mark.parametrize("answer", [NOT_SENT, LogonAnswer.UNJUDGED])
def test_an_attempt_that_no_directory_saw_counts_nothing(answer):
    assert left([(0, MACHINE, answer)], 1) == (0, 2, 2)


def test_a_log_on_that_succeeds_resets_the_count():
    assert left([(0, MACHINE, REFUSED), (1, PERSON, REFUSED), (2, PERSON, ACCEPTED)], 3) == (0, 2, 2)


def test_refused_log_ons_after_a_success_count_anew():
    assert left([(0, MACHINE, REFUSED), (1, PERSON, ACCEPTED), (2, MACHINE, REFUSED)], 3) == (1, 1, 2)


@pytest.mark.parametrize(("minute", "refused"), [(29, 1), (30, 0)])
def test_a_whole_window_without_a_refused_log_on_resets_the_count(minute, refused):
    assert left([(0, MACHINE, REFUSED)], minute)[0] == refused


def test_each_refused_log_on_starts_the_window_anew():
    logons = [(0, MACHINE, REFUSED), (29, MACHINE, REFUSED), (58, PERSON, REFUSED)]
    assert left(logons, 87) == (3, 0, 1)
    assert left(logons, 88) == (0, 2, 2)


def test_attempts_that_count_nothing_do_not_lengthen_the_window():
    assert left([(0, MACHINE, REFUSED), (20, MACHINE, NOT_SENT)], 30) == (0, 2, 2)


def test_a_gap_of_a_window_between_refused_log_ons_resets_the_count():
    assert left([(0, MACHINE, REFUSED), (1, MACHINE, REFUSED), (31, MACHINE, REFUSED)], 32) == (1, 1, 2)


def test_a_clock_that_was_set_back_does_not_reset_the_count():
    assert left([(60, MACHINE, REFUSED), (0, MACHINE, REFUSED)], 1) == (2, 0, 2)


def test_a_try_is_safe_again_a_window_after_the_last_refused_log_on():
    logons = [Logon(at(0), MACHINE, REFUSED), Logon(at(7), PERSON, None)]
    assert allowance(logons, at(8), LockoutPolicy(5, WINDOW)).safe_after == at(37)
    assert allowance([], at(8), LockoutPolicy(5, WINDOW)).safe_after is None


def up(boot, minutes):
    return Uptime(boot, timedelta(minutes=minutes))


def test_a_clock_that_was_set_forward_makes_no_try_safe():
    logons = [Logon(at(0), MACHINE, REFUSED, up("a", 100))]
    tomorrow = at(24 * 60)
    left = allowance(logons, tomorrow, LockoutPolicy(5, WINDOW), up("a", 101))
    assert (left.refused, left.safe_after) == (1, tomorrow + timedelta(minutes=29))
    assert allowance(logons, tomorrow, LockoutPolicy(5, WINDOW), up("a", 130)).refused == 0


def test_a_clock_that_was_set_back_keeps_no_try_unsafe_for_longer_than_the_window():
    logons = [Logon(at(24 * 60), MACHINE, REFUSED, up("a", 100))]
    assert allowance(logons, at(1), LockoutPolicy(5, WINDOW), up("a", 101)).safe_after == at(30)
    assert allowance(logons, at(30), LockoutPolicy(5, WINDOW), up("a", 130)).refused == 0


def test_after_another_boot_the_clock_tells():
    logons = [Logon(at(0), MACHINE, REFUSED, up("a", 100))]
    assert allowance(logons, at(29), LockoutPolicy(5, WINDOW), up("b", 500)).refused == 1
    assert allowance(logons, at(30), LockoutPolicy(5, WINDOW), up("b", 1)).refused == 0
    assert allowance([Logon(at(60), MACHINE, REFUSED)], at(0), LockoutPolicy(5, WINDOW)).safe_after == at(30)


def test_a_window_begins_with_the_answer_and_not_with_the_claim():
    logons = [Logon(at(0), MACHINE, REFUSED, took=timedelta(minutes=1))]
    assert allowance(logons, at(30), LockoutPolicy(5, WINDOW)).safe_after == at(31)
    logons.append(Logon(at(30), MACHINE, REFUSED))
    assert allowance(logons, at(30), LockoutPolicy(5, WINDOW)).refused == 2


def test_a_success_says_nothing_of_what_was_under_way_with_it():
    slow = Logon(at(0), PERSON, REFUSED, took=timedelta(minutes=2))
    done = Logon(at(0), PERSON, REFUSED)
    accepted = Logon(at(1), MACHINE, ACCEPTED)
    assert allowance([slow, done, accepted], at(3), LockoutPolicy(5, WINDOW)).refused == 1


def test_the_window_goes_on_from_whichever_was_answered_last():
    logons = [Logon(at(0), PERSON, REFUSED, took=timedelta(minutes=2)), Logon(at(1), MACHINE, REFUSED)]
    assert allowance(logons, at(3), LockoutPolicy(5, WINDOW)).safe_after == at(32)
