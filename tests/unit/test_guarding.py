"""The guards before every request: a refusal stops all that come after it."""

import threading
from contextlib import contextmanager

import pytest

from busytime.errors import AuthenticationError, BreakerOpenError, ConfigurationError, PauseInForceError, SpoiltAnswerError
from busytime.guarding import ClaimedAttempt, ConnectionGuard


class Switch:
    """A breaker with places, in memory."""

    def __init__(self, places=2):
        self.places = threading.BoundedSemaphore(places)
        self.refusals = []
        self.taken = 0
        self.pause = 0.0

    def check(self):
        if self.refusals:
            raise BreakerOpenError("stopped")
        return self.pause

    @contextmanager
    def place(self, _check):
        with self.places:
            self.taken += 1
            yield

    def guard(self):
        return ConnectionGuard(self.check, self.place, self.refusals.append)


def refuse(guard, **how):
    with guard.permit(**how):
        raise AuthenticationError("refused")


@pytest.mark.parametrize("log_on", [True, False])
def test_nothing_passes_while_the_breaker_is_open(log_on):
    switch = Switch()
    switch.refusals.append("before")
    with pytest.raises(BreakerOpenError), switch.guard().permit(log_on=log_on):
        pytest.fail("nothing may be sent")


def test_a_refusal_opens_the_breaker_before_the_next_request_may_pass():
    switch, sent = Switch(places=1), []
    guard = switch.guard()

    def send():
        try:
            with guard.permit():
                sent.append("a request")
                raise AuthenticationError("refused")
        except (AuthenticationError, BreakerOpenError):
            pass

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sent) == 1


def test_another_error_opens_no_breaker():
    switch = Switch()
    with pytest.raises(SpoiltAnswerError), switch.guard().permit():
        raise SpoiltAnswerError("garbled")
    assert switch.refusals == []


def test_a_place_is_free_again_after_an_error():
    switch = Switch(places=1)
    guard = ConnectionGuard(lambda: 0.0, switch.place, switch.refusals.append)
    for _ in range(3):
        with pytest.raises(AuthenticationError):
            refuse(guard)
    assert len(switch.refusals) == 3


def test_a_request_that_logs_nobody_on_takes_no_place_and_stops_all_the_same():
    switch = Switch()
    with pytest.raises(AuthenticationError):
        refuse(switch.guard(), log_on=False)
    assert (switch.taken, len(switch.refusals)) == (0, 1)


def test_a_refusal_within_a_log_on_within_a_request_is_written_down_once():
    switch = Switch()
    guard = switch.guard()
    with pytest.raises(AuthenticationError), guard.permit(log_on=False):
        refuse(guard)
    assert (switch.taken, len(switch.refusals)) == (1, 1)


def test_no_request_passes_while_the_server_wants_to_be_left_alone():
    switch = Switch()
    switch.pause = 2.0
    guard = switch.guard()
    with pytest.raises(PauseInForceError) as raised, guard.permit():
        pytest.fail("nothing may be sent")
    assert raised.value.back_off_seconds == 2.0
    switch.pause = -1.0
    with guard.permit():
        pass


def test_a_claimed_attempt_passes():
    with ClaimedAttempt().permit():
        pass


def test_nothing_passes_before_a_refusal_is_written_down():
    switch, down = Switch(), [True]

    def note(error):
        if down:
            raise ConfigurationError("The database cannot be used.")
        switch.refusals.append(error)

    guard = ConnectionGuard(switch.check, switch.place, note)
    with pytest.raises(AuthenticationError):
        refuse(guard)
    for _ in range(2):
        with pytest.raises(ConfigurationError), guard.permit():
            pytest.fail("nothing may be sent")
    down.clear()
    with pytest.raises(BreakerOpenError), guard.permit():
        pytest.fail("nothing may be sent")
    assert len(switch.refusals) == 1
