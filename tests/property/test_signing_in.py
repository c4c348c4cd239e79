"""Whoever asks first and whatever is answered, machine and people together never lock an account."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from busytime.model import LogonAnswer, LogonBy
from busytime.signing_in import LockoutPolicy, Logon, allowance
from tests.unit.moments import at

attempts = st.lists(
    st.tuples(st.integers(0, 40), st.sampled_from(LogonBy), st.sampled_from([None, *LogonAnswer, *[LogonAnswer.REFUSED] * 4])),
    max_size=40,
)


class Directory:
    """Counts as Active Directory does: a success or a whole window without a refused log-on sets it to nothing."""

    def __init__(self, window):
        self.window, self.refused, self.last = window, [], None

    def judge(self, now, by, answer):
        if self.last is not None and now - self.last >= self.window:
            self.refused.clear()
        if answer is LogonAnswer.ACCEPTED:
            self.refused.clear()
        elif answer in {None, LogonAnswer.REFUSED, LogonAnswer.UNKNOWN}:
            self.refused.append(by)
            self.last = now


@given(attempts, st.integers(2, 12), st.integers(1, 60))
def test_the_account_never_reaches_the_threshold(steps, threshold, window_minutes):
    policy = LockoutPolicy(threshold, timedelta(minutes=window_minutes))
    directory, logons, minute = Directory(policy.window), [], 0
    for wait, by, answer in steps:
        minute += wait
        before = allowance(logons, at(minute), policy)
        if before.left(by) <= 0:
            assert before.refused > 0 or threshold == 2
            continue
        logons.append(Logon(at(minute), by, answer))
        directory.judge(at(minute), by, answer)
        assert allowance(logons, at(minute), policy).refused == len(directory.refused) < threshold
        assert directory.refused.count(LogonBy.MACHINE) <= policy.machine_share
        assert directory.refused.count(LogonBy.PERSON) <= policy.person_share


@given(st.integers(2, 1000))
def test_shares_leave_one_refused_log_on_before_the_threshold(threshold):
    policy = LockoutPolicy(threshold, timedelta(minutes=30))
    assert policy.machine_share + policy.person_share <= threshold - 1
    assert 0 <= policy.machine_share <= 2
    assert 1 <= policy.person_share <= 2


@given(attempts, st.integers(2, 12))
def test_a_try_is_safe_from_when_it_says(steps, threshold):
    policy = LockoutPolicy(threshold, timedelta(minutes=30))
    logons, minute = [], 0
    for wait, by, answer in steps:
        minute += wait
        logons.append(Logon(at(minute), by, answer))
    now = allowance(logons, at(minute), policy)
    later = allowance(logons, now.safe_after or at(minute), policy)
    assert (later.refused, later.machine_left, later.person_left) == (0, policy.machine_share, policy.person_share)
