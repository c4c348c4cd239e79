"""Permits: never more log-ons of a connection at once than the machine may have refused, over all processes.

They stand in line in the database: the first few of each connection may log on, in the order asked. A process keeps a
permit for a few requests in a row, so that not every one costs a transaction, and hands it on after five seconds.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from busytime.errors import BusyTimeError

_LONGEST_LEASE_SECONDS = 5.0
_LONGEST_IDLE_SECONDS = 0.25
_LOOK_EVERY_SECONDS = 0.1


class PermitBook(Protocol):
    """The line of one connection, as the database keeps it."""

    def ask(self) -> int:
        """Stand in line, and return the number of the permit."""

    def granted(self, permit: int) -> bool | None:
        """Tell whether a permit is among the first in line; ``None`` where it is no longer in line."""

    def give_back(self, permits: list[int]) -> None:
        """Leave the line."""


@dataclass(slots=True)
class _Lease:
    permit: int
    granted_at: float
    idle_since: float = 0.0

    @property
    def is_over(self) -> bool:
        return time.monotonic() - self.granted_at >= _LONGEST_LEASE_SECONDS


class PermitLine:
    """What one process has in the line of a connection. Safe to use from several threads."""

    def __init__(self, book: PermitBook, most: int, sleep: Callable[[float], None] = time.sleep) -> None:
        """Stand nowhere yet.

        Args:
            book: The line.
            most: So many log-ons at once, over all processes.
            sleep: Waits so many seconds.
        """
        self._book = book
        self._sleep = sleep
        self._places = threading.BoundedSemaphore(most)
        self._lock = threading.Lock()
        self._idle: list[_Lease] = []

    @contextmanager
    def place(self, check: Callable[[], object]) -> Iterator[None]:
        """Hold a place for one log-on.

        Args:
            check: Is called at least every second while this thread waits; what it raises ends the waiting.
        """
        while not self._places.acquire(timeout=_LOOK_EVERY_SECONDS * 5):
            check()
        try:
            lease = self._idle_lease() or self._new_lease(check)
            try:
                yield
            finally:
                self._put_back(lease)
        finally:
            self._places.release()

    def close(self) -> None:
        """Give back what is held and not in use."""
        with self._lock:
            idle, self._idle = self._idle, []
        self._give_back(idle)

    def _idle_lease(self) -> _Lease | None:
        with self._lock:
            lease = self._idle.pop() if self._idle else None
        if lease is not None and lease.is_over:
            self._give_back([lease])
            return None
        return lease

    def _new_lease(self, check: Callable[[], object]) -> _Lease:
        permit = self._book.ask()
        try:
            while not (granted := self._book.granted(permit)):
                check()
                if granted is None:  # this process was frozen so long that others took it for dead
                    permit = self._book.ask()
                self._sleep(_LOOK_EVERY_SECONDS)
        except BaseException:
            self._book.give_back([permit])
            raise
        return _Lease(permit, time.monotonic())

    def _put_back(self, lease: _Lease) -> None:
        """Keep a lease for the next request of this process, for a moment; hand on one that is over."""
        if lease.is_over:
            self._give_back([lease])
            return
        lease.idle_since = time.monotonic()
        with self._lock:
            self._idle.append(lease)
            first = len(self._idle) == 1
        if first:
            self._look_later()

    def _look_later(self) -> None:
        timer = threading.Timer(_LONGEST_IDLE_SECONDS, self._give_idle_back)
        timer.daemon = True
        timer.start()

    def _give_idle_back(self) -> None:
        deadline = time.monotonic() - _LONGEST_IDLE_SECONDS
        with self._lock:
            old = [lease for lease in self._idle if lease.idle_since <= deadline]
            self._idle = [lease for lease in self._idle if lease.idle_since > deadline]
            left = bool(self._idle)
        try:
            self._give_back(old)
        except BusyTimeError:
            with self._lock:  # the database is away: whoever waits for them can do nothing now either
                self._idle += old
            left = True
        if left:
            self._look_later()

    def _give_back(self, leases: list[_Lease]) -> None:
        if leases:
            self._book.give_back([lease.permit for lease in leases])
