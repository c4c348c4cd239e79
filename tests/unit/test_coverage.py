"""Coverage: what an answer, a silence or a definite word changes, and what may be believed at an instant."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from busytime.coverage import CoverageRow, UnknownPart, after_answer, unknown_parts
from busytime.errors import Reason
from busytime.model import CoverageState, Unanswered, harvest_window
from tests.unit.moments import MAX_AGE, at, window

SILENCE = Unanswered(Reason.TIMED_OUT)
NO_ACCESS = Unanswered(Reason.NO_ACCESS, "ErrorNoFreeBusyAccess")
WHOLE = window(0, 600)


def covered(asked, *, span=WHOLE, key=1, failures=0):
    return CoverageRow(key, span, CoverageState.COVERED, None, None, at(asked), failures, at(asked))


def unknown(asked, answer, *, span=WHOLE, key=1, since=None):
    valid_from = at(asked if since is None else since)
    return CoverageRow(key, span, CoverageState.UNKNOWN, answer.reason, answer.detail, at(asked), 0, valid_from)


def after(rows, answer, asked, span=WHOLE):
    return after_answer(rows, span, answer, at(asked), MAX_AGE)


@pytest.mark.parametrize(("minute", "known"), [(0, True), (30, True), (31, False), (-30, True), (-31, False)])
def test_known_exactly_until_max_age_is_over_and_not_long_before_it_was_asked(minute, known):
    assert covered(0).known(at(minute), MAX_AGE) is known


def test_first_answer_opens_one_row():
    changes = after([], None, 0)
    assert (changes.update, changes.close) == ((), ())
    assert [(row.window, row.state, row.as_of) for row in changes.open] == [(WHOLE, CoverageState.COVERED, at(0))]


def test_same_answer_in_time_only_moves_as_of_and_forgets_failures():
    changes = after([covered(0, failures=2)], None, 30)
    assert (changes.close, changes.open) == ((), ())
    assert [(row.as_of, row.failures) for row in changes.update] == [(at(30), 0)]


def test_same_answer_too_late_closes_the_row_and_opens_one():
    changes = after([covered(0)], None, 31)
    assert (changes.update, changes.close) == ((), (1,))
    assert [(row.state, row.as_of) for row in changes.open] == [(CoverageState.COVERED, at(31))]


def test_definite_word_makes_unknown_at_once():
    changes = after([covered(0)], NO_ACCESS, 1)
    assert changes.close == (1,)
    assert [(row.state, row.reason, row.detail) for row in changes.open] == [
        (CoverageState.UNKNOWN, Reason.NO_ACCESS, "ErrorNoFreeBusyAccess")
    ]


@pytest.mark.parametrize("reason", [reason for reason in Reason if not reason.definite])
def test_silence_closes_nothing_that_still_counts(reason):
    changes = after([covered(0)], Unanswered(reason), 30)
    assert (changes.close, changes.open) == ((), ())
    assert [(row.state, row.as_of, row.failures) for row in changes.update] == [(CoverageState.COVERED, at(0), 1)]


def test_silence_after_max_age_writes_the_reason_down():
    changes = after([covered(0, failures=1)], SILENCE, 31)
    assert changes.close == (1,)
    assert [(row.reason, row.as_of, row.failures) for row in changes.open] == [(Reason.TIMED_OUT, at(0), 2)]


def test_repeated_silence_writes_nothing_new():
    changes = after([unknown(0, SILENCE)], SILENCE, 60)
    assert (changes.close, changes.open) == ((), ())


def test_another_silence_replaces_the_reason():
    changes = after([unknown(0, SILENCE)], Unanswered(Reason.SERVER_ERROR, "ErrorInternalServerError"), 60)
    assert changes.close == (1,)
    assert changes.open[0].reason is Reason.SERVER_ERROR


def test_silence_does_not_wipe_out_a_definite_word():
    changes = after([unknown(0, NO_ACCESS)], SILENCE, 600)
    assert (changes.close, changes.open) == ((), ())


def test_another_detail_of_a_definite_word_is_another_row():
    changes = after([unknown(0, Unanswered(Reason.ENDS_BEFORE_START, "a"))], Unanswered(Reason.ENDS_BEFORE_START, "b"), 1)
    assert (changes.close, len(changes.open)) == ((1,), 1)


def test_an_answer_after_a_definite_word_is_known_again():
    changes = after([unknown(0, NO_ACCESS)], None, 1)
    assert changes.close == (1,)
    assert changes.open[0].known(at(1), MAX_AGE)


def test_disjoint_windows_are_several_rows():
    changes = after([covered(0, span=window(0, 100))], None, 1, window(200, 300))
    assert (changes.update, changes.close, len(changes.open)) == ((), (), 1)


def test_a_word_about_a_part_leaves_the_rest_as_it_was():
    changes = after([covered(0)], NO_ACCESS, 1, window(200, 300))
    assert changes.close == (1,)
    assert [(row.window, row.state, row.as_of) for row in changes.open] == [
        (window(200, 300), CoverageState.UNKNOWN, at(1)),
        (window(0, 200), CoverageState.COVERED, at(0)),
        (window(300, 600), CoverageState.COVERED, at(0)),
    ]


def test_the_row_that_shares_most_goes_on():
    small, large = covered(0, span=window(0, 100), key=1), covered(0, span=window(100, 600), key=2)
    changes = after([small, large], None, 1)
    assert [row.id for row in changes.update] == [2]
    assert changes.close == (1,)


def test_a_day_that_the_window_left_behind_opens_no_row():
    night = datetime(2026, 11, 23, 23, 50, tzinfo=UTC)
    before = harvest_window(night, 60)
    row = CoverageRow(1, before, CoverageState.COVERED, None, None, night)
    morning = night + timedelta(minutes=20)
    changes = after_answer([row], harvest_window(morning, 60), None, morning, MAX_AGE)
    assert (changes.close, changes.open) == ((), ())
    assert changes.update[0].window == harvest_window(morning, 60)


def test_an_answer_from_the_future_does_not_go_on_after_the_clock_was_set_back():
    changes = after([covered(600)], None, 0)
    assert (changes.close, len(changes.open)) == ((1,), 1)


def test_an_answer_that_is_a_little_older_does_not_make_the_row_older():
    changes = after([covered(10)], None, 5)
    assert (changes.close, [row.as_of for row in changes.open]) == ((1,), [at(5)])


@pytest.mark.parametrize(("written", "goes_on"), [(30, True), (31, False)])
def test_an_answer_that_comes_late_opens_a_row_even_if_it_was_asked_for_in_time(written, goes_on):
    changes = after_answer([covered(0)], WHOLE, None, at(29), MAX_AGE, at(written))
    assert [row.as_of for row in changes.update] == [at(29)] * goes_on
    assert changes.close == () if goes_on else (1,)


def test_while_history_is_ahead_of_the_clock_rows_go_on():
    row = replace(covered(0), valid_from=at(180))
    assert after_answer([row], WHOLE, None, at(60), MAX_AGE, at(180)).close == ()
    assert after_answer([row], WHOLE, None, at(150), MAX_AGE, at(180)).close == (1,)


def test_unknown_parts_come_in_order_with_reason_and_since_when():
    rows = [
        unknown(0, NO_ACCESS, span=window(400, 500), since=5),
        covered(-60, span=window(100, 200), key=2),
        covered(0, span=window(200, 300), key=3),
    ]
    assert unknown_parts(rows, WHOLE, at(10), MAX_AGE) == [
        UnknownPart(window(0, 100), Reason.NEVER_HARVESTED, None),
        UnknownPart(window(100, 200), Reason.OUTDATED, at(-30)),
        UnknownPart(window(300, 400), Reason.NEVER_HARVESTED, None),
        UnknownPart(window(400, 500), Reason.NO_ACCESS, at(5), "ErrorNoFreeBusyAccess"),
        UnknownPart(window(500, 600), Reason.NEVER_HARVESTED, None),
    ]


def test_after_silence_a_part_is_unknown_since_its_answer_was_too_old():
    row = unknown(0, SILENCE, since=60)
    assert unknown_parts([row], WHOLE, at(70), MAX_AGE) == [UnknownPart(WHOLE, Reason.TIMED_OUT, at(30))]


def test_rows_outside_the_window_explain_nothing():
    assert unknown_parts([unknown(0, NO_ACCESS, span=window(600, 700)), covered(0)], WHOLE, at(1), MAX_AGE) == []
