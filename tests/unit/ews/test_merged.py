"""Merged busy time: digits to intervals."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from busytime.errors import Reason
from busytime.ews.merged import aligned, decode, read_merged_response
from busytime.model import BusyStatus, BusyTime, Unanswered, Window
from tests.unit.ews.answers import event, response

START = datetime(2026, 11, 24, tzinfo=UTC)
STEP = timedelta(minutes=5)


def window_of(digits):
    return Window(START, START + STEP * len(digits))


@pytest.mark.parametrize(
    ("digits", "intervals"),
    [
        ("000", []),
        ("022", [(1, 3, BusyStatus.BUSY)]),
        ("1122", [(0, 2, BusyStatus.TENTATIVE), (2, 4, BusyStatus.BUSY)]),
        ("3 \n".strip(), [(0, 1, BusyStatus.OUT_OF_OFFICE)]),
    ],
)
def test_runs_become_intervals(digits, intervals):
    expected = tuple((START + STEP * first, START + STEP * last, status) for first, last, status in intervals)
    assert decode(digits, window_of(digits)) == BusyTime(expected)


@pytest.mark.parametrize(
    ("digits", "stretches", "reason"),
    [
        ("0240", 4, Reason.NO_DATA),
        ("0250", 4, Reason.MALFORMED_ANSWER),
        ("02", 4, Reason.MALFORMED_ANSWER),
        ("00000", 4, Reason.MALFORMED_ANSWER),
        ("", 4, Reason.MALFORMED_ANSWER),
        ("0a00", 4, Reason.MALFORMED_ANSWER),
    ],
)
def test_digits_that_say_nothing_are_unknown(digits, stretches, reason):
    assert decode(digits, Window(START, START + STEP * stretches)) == Unanswered(reason)


@given(st.text("0123", min_size=1, max_size=300))
def test_every_stretch_keeps_its_status(digits):
    intervals = decode(digits, window_of(digits)).intervals
    names = {"0": [], "1": ["tentative"], "2": ["busy"], "3": ["out_of_office"]}
    for place, digit in enumerate(digits):
        middle = START + STEP * place + STEP / 2
        assert [str(status) for start, end, status in intervals if start <= middle < end] == names[digit]


@given(st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)), st.timedeltas(timedelta(seconds=1), timedelta(days=60)))
def test_aligned_window_holds_the_window(start, length):
    window = Window(start.replace(tzinfo=UTC), start.replace(tzinfo=UTC) + length)
    wide = aligned(window)
    assert wide.start <= window.start < window.end <= wide.end
    assert wide.length - window.length < 2 * STEP
    assert wide.length % STEP == timedelta()
    assert wide.start.minute % 5 == wide.start.second == wide.start.microsecond == 0
    assert aligned(wide) == wide


def test_mailbox_that_tells_appointments_after_all_is_taken_at_its_word():
    node = response(event(), "FreeBusyMerged", merged="0")
    assert len(read_merged_response(node, window_of("0")).intervals) == 1


def test_mailbox_that_tells_merged_time_alone_is_decoded():
    node = response(view="MergedOnly", merged="0220", array=False)
    assert read_merged_response(node, window_of("0220")).intervals == ((START + STEP, START + 3 * STEP, BusyStatus.BUSY),)


def test_refused_mailbox_stays_refused():
    node = response(code="ErrorMailboxLogonFailed", kind="Error")
    assert read_merged_response(node, window_of("0")).reason is Reason.MAILBOX_UNAVAILABLE
