"""Access tokens of one gateway: kept in memory alone, renewed before they end, asked for by one thread for all."""

import copy
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from busytime.errors import BusyTimeError, RetriableError
from busytime.ews.secrecy import KeepsSecret

#: How long before its end a token is renewed, in seconds; half of its life, if that is less.
_MARGIN_SECONDS = 300.0
#: How long an old token serves before a new one is asked for again, in seconds.
_PAUSE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Token:
    """An access token.

    Args:
        value: What is sent.
        seconds: How long it is good.
    """

    value: str = field(repr=False)
    seconds: float


class Tokens(KeepsSecret):
    """Hands out the token. Safe to use from several threads."""

    def __init__(self, ask: Callable[[], Token], clock: Callable[[], float] = time.monotonic) -> None:
        """Take where tokens come from.

        Args:
            ask: Asks for one; a single request.
            clock: Seconds.
        """
        self._ask = ask
        self._clock = clock
        self._lock = threading.Lock()
        self._value: str | None = None
        self._renew_at = self._ends_at = 0.0
        self._answers = 0
        self._failure: BusyTimeError | None = None

    def get(self) -> str:
        """Return a token that is good for a while.

        Raises:
            BusyTimeError: None could be had. Those who waited meanwhile share the failure instead of asking again.
        """
        answers = self._answers
        with self._lock:
            if self._value is not None and self._clock() < self._renew_at:
                return self._value
            if self._answers != answers and self._failure is not None:
                raise copy.copy(self._failure)
            return self._renewed()

    def forget(self, value: str) -> None:
        """Forget a token that the server did not take, unless there is a newer one already."""
        with self._lock:
            if self._value == value:
                self._value = None

    def _renewed(self) -> str:
        asked_at = self._clock()
        self._failure = None
        try:
            token = self._ask()
        except BusyTimeError as error:
            if self._value is not None and isinstance(error, RetriableError) and self._clock() < self._ends_at:
                # The old one is still good: no reason to stop, nor to ask with every request.
                self._renew_at = min(self._ends_at, self._clock() + _PAUSE_SECONDS)
                return self._value
            self._failure = copy.copy(error)
            raise
        finally:
            self._answers += 1
        self._ends_at = asked_at + token.seconds
        self._renew_at = self._ends_at - min(_MARGIN_SECONDS, token.seconds / 2)
        self._value = token.value
        return token.value
