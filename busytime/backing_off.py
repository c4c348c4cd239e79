"""Backing off: wait as long as a server asks, all workers of a connection together, but not beyond a deadline."""

import random
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from busytime.errors import PauseInForceError, ServerBusyError
from busytime.ports import Clock

T = TypeVar("T")

_SHORTEST_PAUSE_SECONDS = 0.5
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 60.0


def patiently(
    action: Callable[[], T],
    *,
    shared_until: Callable[[], datetime | None],
    share: Callable[[datetime], None],
    clock: Clock,
    deadline: datetime,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Do something with a server that may ask to be left alone, and return its result.

    Args:
        action: Must be safe to repeat: only reads, or writes that look up what happened first.
        shared_until: Returns until when the server asked all workers to wait.
        share: Tells the other workers until when to wait.
        clock: Tells the time.
        deadline: No pause goes beyond it.
        sleep: Waits so many seconds.

    Raises:
        ServerBusyError: The server still asks for more time than is left.
    """
    attempt = 0
    while True:
        until = shared_until()
        if until is not None and until > deadline:
            raise ServerBusyError(f"The server asked to be left alone until {until:%H:%M:%S} UTC; the next run tries again.")
        if until is not None and until > clock.now():
            sleep((until - clock.now()).total_seconds())
        try:
            return action()
        except PauseInForceError:
            continue  # somebody else's pause: to answer it with a pause of one's own would make both grow
        except ServerBusyError as error:
            # Just as long as the server says; told to come back at once, we would hammer it.
            told = error.back_off_seconds or 0.0
            pause = told if told >= _SHORTEST_PAUSE_SECONDS else _pause(attempt)
            until = clock.now() + timedelta(seconds=pause)
            share(until)
            if until > deadline:
                raise
            attempt += 1


def _pause(attempt: int) -> float:
    """Return a pause in seconds that grows with each attempt; the jitter keeps workers from coming back all at once."""
    longest: float = min(_FIRST_PAUSE_SECONDS * 2**attempt, _LONGEST_PAUSE_SECONDS)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 -- no secret
