"""Comparing settles what was answered, and merging keeps exactly the instants it was given."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from busytime.intervals import compare, count_in_window, join_parts, merge, subtract
from busytime.model import BusyStatus
from tests.unit.moments import at, busy, window

minutes = st.integers(-20, 80)
spans = st.lists(st.tuples(minutes, minutes).filter(lambda span: span[0] < span[1]), max_size=8)
counts = st.dictionaries(
    st.builds(
        lambda start, length, status: busy(start, start + length, status), minutes, st.integers(1, 5), st.sampled_from(BusyStatus)
    ),
    st.integers(1, 3),
    max_size=8,
)


def instants(pieces):
    return {minute for start, end in pieces for minute in range(start, end)}


def minutes_of(pieces):
    zero = at(0)
    return [
        ((start - zero).seconds // 60 + (start - zero).days * 1440, (end - zero).seconds // 60 + (end - zero).days * 1440)
        for start, end in pieces
    ]


def stored(answered):
    return {interval: (key, count) for key, (interval, count) in enumerate(answered.items())}


def apply(current, changes):
    kept = {interval: count for interval, (key, count) in current.items() if key not in changes.close}
    assert not kept.keys() & {interval for interval, _ in changes.open}, "a row is opened beside a current one"
    return kept | dict(changes.open)


@given(spans, st.randoms(use_true_random=False))
def test_merging_is_idempotent_order_free_and_loses_nothing(pieces, random):
    moments = [(at(start), at(end)) for start, end in pieces]
    merged = merge(moments)
    random.shuffle(moments)
    assert merge(moments) == merged == merge(merged)
    assert instants(minutes_of(merged)) == instants(pieces)
    assert all(first[1] < second[0] for first, second in itertools.pairwise(merged))


@given(spans, minutes, st.integers(1, 60))
def test_what_is_left_of_a_window_is_what_no_span_covers(pieces, start, length):
    left = subtract(window(start, start + length), [(at(first), at(last)) for first, last in pieces])
    assert instants(minutes_of(left)) == instants([(start, start + length)]) - instants(pieces)
    assert left == sorted(left)


@given(counts)
def test_comparing_with_itself_changes_nothing(answered):
    changes = compare(stored(answered), answered)
    assert (changes.close, changes.open) == ((), ())


@given(counts, counts)
def test_applying_the_changes_makes_the_stored_equal_to_the_answer(before, answered):
    assert apply(stored(before), compare(stored(before), answered)) == answered


@given(counts, counts)
def test_nothing_is_closed_or_opened_that_did_not_change(before, answered):
    changes = compare(stored(before), answered)
    same = {interval for interval in before if answered.get(interval) == before[interval]}
    assert not same & {interval for interval, _ in changes.open}
    assert len(changes.close) == len(before) - len(same)


@given(counts, st.integers(1, 59))
def test_a_window_asked_in_two_parts_answers_as_the_whole(answered, border):
    listed = [interval for interval, count in answered.items() for _ in range(count)]
    parts = [(window(0, border), listed), (window(border, 60), listed)]
    assert join_parts(parts) == count_in_window(listed, window(0, 60))
