"""What a re-sync is judged to be, and how it is told."""

from datetime import UTC, datetime, timedelta

import pytest

from busytime.errors import AuthenticationError, Reason, ServerUnavailableError
from busytime.model import Calendar, CalendarKind, RunStatus, Window
from busytime.outcomes import PushOutcome
from busytime.resyncing import CaughtUp, Missed, Part, as_part, describe, judge_resync

START = datetime(2026, 11, 23, 10, 2, tzinfo=UTC)
BO = Calendar(2, "bo@corp.example", "", CalendarKind.DEFAULT)
GOOD = Part("harvest", 3, RunStatus.COMPLETED)
WHOLE = CaughtUp(known=25, again=25, pushed=3)
WAITING = frozenset({("BK-1", 1), ("BK-2", 1), ("BK-3", 1)})


def judged(*parts, caught_up=WHOLE):
    return judge_resync(7, Missed(), caught_up, parts)


@pytest.mark.parametrize(
    ("length", "told"),
    [
        (timedelta(minutes=39), "from 10:02 to 10:41 UTC (39 minutes)"),
        (timedelta(seconds=20), "(less than a minute)"),
        (timedelta(minutes=61), "(1 hour 1 minute)"),
        (timedelta(hours=50), "from 2026-11-23 10:02 to 2026-11-25 12:02 UTC (50 hours)"),
    ],
)
def test_the_time_without_a_log_on_is_told_as_a_person_says_it(length, told):
    assert told in describe(Missed(stopped=Window(START, START + length)), WHOLE)


def test_what_was_caught_up_is_counted():
    missed = Missed(Window(START, START + timedelta(minutes=39)), frozenset(range(25)), START, WAITING)
    assert describe(missed, WHOLE) == (
        "Nothing could be read from 10:02 to 10:41 UTC (39 minutes). "
        "Caught up: 25 calendars known again, 3 bookings pushed that waited."
    )


def test_where_no_log_on_was_refused_the_oldest_gap_is_told():
    one = Missed(unknown=frozenset({1}), unknown_since=START)
    assert describe(one, WHOLE).startswith("1 calendar was not known, the first since 2026-11-23 10:02 UTC.")
    assert describe(Missed(), WHOLE).startswith("No calendar had become unknown.")


@pytest.mark.parametrize(
    "left",
    [
        CaughtUp(known=24, again=0, pushed=0, unknown=(BO,)),
        CaughtUp(known=25, again=0, pushed=0, waiting=1),
    ],
)
def test_what_the_tables_still_miss_is_never_called_complete(left):
    assert judged(GOOD, caught_up=left).status is RunStatus.COMPLETED_WITH_FAILURES


def test_all_parts_whole_and_nothing_left_is_complete():
    assert judged(GOOD, GOOD, GOOD).status is RunStatus.COMPLETED
    assert judged(GOOD, Part("push", 4, RunStatus.SKIPPED)).status is RunStatus.COMPLETED_WITH_FAILURES


def test_a_refused_log_on_says_more_than_any_other_end():
    failed = as_part("validate", ServerUnavailableError("down"))
    refused = as_part("harvest", AuthenticationError("no"))
    outcome = judged(failed, refused, GOOD)
    assert (outcome.status, outcome.reason, outcome.message) == (RunStatus.REFUSED, Reason.LOGON_REFUSED, "no")
    assert judged(failed, GOOD).status is RunStatus.FAILED


def test_a_page_that_the_gate_refused_is_the_reason():
    gate = as_part("push", PushOutcome(4, RunStatus.COMPLETED_WITH_FAILURES, reason=Reason.GATE_CLOSED))
    assert judged(GOOD, gate).reason is Reason.GATE_CLOSED


def test_an_error_that_is_none_of_ours_is_raised():
    with pytest.raises(ZeroDivisionError):
        as_part("push", ZeroDivisionError())
    with pytest.raises(TypeError):
        as_part("push", None)
