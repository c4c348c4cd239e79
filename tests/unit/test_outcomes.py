"""What a harvest came to, judged from what its steps returned or raised."""

import pytest

from busytime.errors import (
    AuthenticationError,
    BreakerOpenError,
    KeyMissingError,
    LockLostError,
    Reason,
    ServerUnavailableError,
    SpoiltAnswerError,
    UnsupportedServerError,
)
from busytime.harvesting import BatchResult, FailedCalendar
from busytime.model import RunStatus
from busytime.outcomes import judge_harvest

GOOD = BatchResult(known=3, opened=2, closed=1)
FAILED = FailedCalendar("ana@corp.example", "", Reason.TIMED_OUT)


def judged(fates, batches):
    return judge_harvest(7, fates, batches)


def test_batches_are_added_up():
    outcome = judged(["lock"], [GOOD, GOOD])
    assert (outcome.run_id, outcome.status, outcome.reason, outcome.message) == (7, RunStatus.COMPLETED, None, None)
    assert outcome.counts == {"known": 6, "unknown": 0, "opened": 4, "closed": 2, "failed": 0}


def test_a_harvest_of_nothing_is_completed():
    assert judged(["lock"], []).status is RunStatus.COMPLETED


@pytest.mark.parametrize("batch", [BatchResult(known=3, failed=(FAILED,)), BatchResult(known=2, unknown=1)])
def test_a_calendar_that_failed_or_is_unknown_is_told(batch):
    assert judged(["lock"], [GOOD, batch]).status is RunStatus.COMPLETED_WITH_FAILURES


def test_a_batch_that_failed_does_not_fail_the_others():
    outcome = judged(["lock"], [SpoiltAnswerError("garbled"), GOOD])
    assert outcome.status is RunStatus.COMPLETED_WITH_FAILURES
    assert (outcome.reason, outcome.message, outcome.result.known) == (Reason.SERVER_ERROR, "garbled", 3)


def test_one_connection_that_cannot_be_reached_does_not_fail_the_others():
    assert judged([ServerUnavailableError("down"), "lock"], [GOOD]).status is RunStatus.COMPLETED_WITH_FAILURES


def test_a_harvest_whose_every_probe_failed_has_failed():
    outcome = judged([ServerUnavailableError("down")], [])
    assert (outcome.status, outcome.reason) == (RunStatus.FAILED, Reason.SERVER_UNREACHABLE)


@pytest.mark.parametrize("error", [AuthenticationError, BreakerOpenError, KeyMissingError])
def test_without_a_log_on_a_harvest_is_refused(error):
    outcome = judged([error("no")], [])
    assert (outcome.status, outcome.reason) == (RunStatus.REFUSED, error.default_reason)


def test_a_log_on_refused_in_the_middle_refuses_the_harvest():
    error = AuthenticationError("no")
    assert judged([error], [GOOD, error]).status is RunStatus.REFUSED


@pytest.mark.parametrize("error", [AuthenticationError, BreakerOpenError, KeyMissingError, LockLostError])
def test_a_connection_that_cannot_go_on_does_not_end_the_work_of_another(error):
    outcome = judged([error("no"), "lock"], [GOOD, error("no")])
    assert (outcome.status, outcome.reason) == (RunStatus.COMPLETED_WITH_FAILURES, error.default_reason)
    assert (outcome.message, outcome.result.known) == ("no", 3)


def test_when_no_connection_can_go_on_the_harvest_has_ended():
    assert judged([BreakerOpenError("no"), AuthenticationError("no")], [GOOD]).status is RunStatus.REFUSED


@pytest.mark.parametrize("error", [LockLostError, UnsupportedServerError])
def test_another_fatal_error_fails_the_harvest(error):
    assert judged([error("no")], [GOOD, error("no")]).status is RunStatus.FAILED


def test_the_fatal_error_is_the_one_that_is_told():
    outcome = judged(["lock"], [SpoiltAnswerError("garbled"), LockLostError("taken over")])
    assert outcome.message == "taken over"


@pytest.mark.parametrize("error", [ValueError("a bug"), KeyboardInterrupt()])
def test_an_error_that_is_none_of_ours_is_raised(error):
    with pytest.raises(type(error)):
        judged(["lock"], [GOOD, error])
