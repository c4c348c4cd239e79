"""When a token is asked for, by whom, and what those get who wait."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from busytime.errors import AuthenticationError, ServerUnavailableError
from busytime.ews.tokens import Token, Tokens


class SignIn:
    """Gives out numbered tokens, or raises what it was told to."""

    def __init__(self, seconds=3600.0):
        self.asked = 0
        self.now = 0.0
        self.seconds = seconds
        self.takes = 0.0
        self.failure = None
        self.tokens = Tokens(self._ask, lambda: self.now)

    def _ask(self):
        self.asked += 1
        self.now += self.takes
        if self.failure is not None:
            raise self.failure
        return Token(f"token-{self.asked}", self.seconds)


@pytest.mark.parametrize(("seconds", "kept_until"), [(3600.0, 3300.0), (400.0, 200.0), (1.0, 0.5)])
def test_token_is_kept_until_its_margin(seconds, kept_until):
    sign_in = SignIn(seconds)
    assert sign_in.tokens.get() == "token-1"
    sign_in.now = kept_until - 0.1
    assert sign_in.tokens.get() == "token-1"
    sign_in.now = kept_until
    assert sign_in.tokens.get() == "token-2"


def test_life_begins_before_the_request_not_after_it():
    sign_in = SignIn(400.0)
    sign_in.takes = 150.0
    sign_in.tokens.get()
    sign_in.now, sign_in.takes = 200.0, 0.0
    assert sign_in.tokens.get() == "token-2"


def test_outage_within_the_margin_leaves_the_old_token_in_use():
    sign_in = SignIn()
    sign_in.tokens.get()
    sign_in.now, sign_in.failure = 3400.0, ServerUnavailableError("away")
    assert sign_in.tokens.get() == "token-1"
    sign_in.now += 10
    assert sign_in.tokens.get() == "token-1"
    assert sign_in.asked == 2  # not with every request
    sign_in.now = 3600.0
    with pytest.raises(ServerUnavailableError):
        sign_in.tokens.get()


def test_refusal_within_the_margin_is_told_at_once():
    sign_in = SignIn()
    sign_in.tokens.get()
    sign_in.now, sign_in.failure = 3400.0, AuthenticationError("no")
    with pytest.raises(AuthenticationError):
        sign_in.tokens.get()


def test_only_the_token_that_was_refused_is_forgotten():
    sign_in = SignIn()
    sign_in.tokens.get()
    sign_in.tokens.forget("another")
    assert sign_in.tokens.get() == "token-1"
    sign_in.tokens.forget("token-1")
    assert sign_in.tokens.get() == "token-2"


class Turnstile:
    """A lock that tells how many came."""

    def __init__(self):
        self._lock = threading.Lock()
        self.arrivals = threading.Semaphore(0)

    def __enter__(self):
        self.arrivals.release()
        self._lock.acquire()

    def __exit__(self, *_exc):
        self._lock.release()


@pytest.mark.parametrize("failing", [False, True])
def test_those_who_wait_share_one_request_and_its_failure(failing):
    all_are_there = threading.Event()
    sign_in, turnstile = SignIn(), Turnstile()
    sign_in.failure = ServerUnavailableError("away", detail="token_http_503") if failing else None
    ask = sign_in.tokens._ask
    sign_in.tokens._ask = lambda: all_are_there.wait(5) and ask()
    sign_in.tokens._lock = turnstile

    def get(_number):
        try:
            return sign_in.tokens.get()
        except ServerUnavailableError as error:
            return error

    with ThreadPoolExecutor(8) as threads:
        waiting = [threads.submit(get, number) for number in range(8)]
        for _ in range(8):
            assert turnstile.arrivals.acquire(timeout=5)
        all_are_there.set()
        outcomes = [future.result(5) for future in waiting]
    assert sign_in.asked == 1
    if failing:
        assert {error.detail for error in outcomes} == {"token_http_503"}
        assert len({id(error) for error in outcomes}) == 8
    else:
        assert outcomes == ["token-1"] * 8


def test_token_is_in_no_representation():
    assert "secret-token" not in repr(Token("secret-token", 1.0))
