"""Intervals are counted, joined and compared as answered; merging is for reading."""

from busytime.intervals import IntervalChanges, compare, count_in_window, join_parts, merge, subtract
from busytime.model import BusyStatus
from tests.unit.moments import at, busy, window


def test_intervals_outside_the_window_are_dropped_and_its_edges_are_outside():
    touching = [busy(-5, 0), busy(60, 70), busy(-20, -10), busy(80, 90)]
    inside = [busy(-5, 1), busy(59, 90), busy(-10, 100), busy(0, 60)]
    assert set(count_in_window([*touching, *inside], window(0, 60))) == set(inside)


def test_equal_intervals_are_counted():
    assert count_in_window([busy(0, 5), busy(0, 5), busy(0, 5, BusyStatus.TENTATIVE)], window(0, 60)) == {
        busy(0, 5): 2,
        busy(0, 5, BusyStatus.TENTATIVE): 1,
    }


def test_an_interval_over_a_border_counts_as_often_as_the_fuller_part_says():
    parts = [(window(0, 60), [busy(50, 70)] * 2), (window(60, 120), [busy(50, 70)])]
    assert join_parts(parts) == {busy(50, 70): 2}


def test_each_part_is_believed_only_for_its_own_window():
    assert join_parts([(window(0, 60), [busy(61, 70)]), (window(60, 120), [])]) == {}


def test_a_changed_count_closes_the_row_and_opens_one():
    assert compare({busy(0, 5): (7, 1)}, {busy(0, 5): 2}) == IntervalChanges((7,), ((busy(0, 5), 2),))


def test_a_changed_status_closes_the_row_and_opens_one():
    tentative = busy(0, 5, BusyStatus.TENTATIVE)
    assert compare({busy(0, 5): (7, 1)}, {tentative: 1}) == IntervalChanges((7,), ((tentative, 1),))


def test_an_empty_answer_closes_everything_that_was_asked_for():
    assert compare({busy(0, 5): (7, 1), busy(6, 9): (8, 3)}, {}) == IntervalChanges((7, 8), ())


def test_touching_spans_merge_and_others_do_not():
    assert merge([(at(5), at(9)), (at(0), at(5)), (at(10), at(11))]) == [(at(0), at(9)), (at(10), at(11))]


def test_nothing_is_left_of_a_window_that_is_covered():
    assert subtract(window(0, 60), [(at(-5), at(30)), (at(30), at(60))]) == []


def test_a_window_that_nothing_covers_is_left_whole():
    assert subtract(window(0, 60), [(at(-9), at(0)), (at(60), at(70))]) == [(at(0), at(60))]
