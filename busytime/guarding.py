"""The guards before every request of a connection: nothing is sent once a log-on was refused.

It must not know how requests are sent, nor where the breaker is kept.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress

from busytime.errors import AuthenticationError, BusyTimeError, PauseInForceError


class ConnectionGuard:
    """Stands before every request that the machine sends through one connection with one version of its secret."""

    def __init__(
        self,
        check: Callable[[], float],
        place: Callable[[Callable[[], object]], AbstractContextManager[None]],
        on_refusal: Callable[[AuthenticationError], None],
    ) -> None:
        """Take what it asks and does.

        Args:
            check: Raises where nothing may be sent: the breaker is open, the connection ended, its secret renewed. Else
                it returns how many seconds the server still wants to be left alone.
            place: Returns a place for one log-on, shared with all processes; calls what it is given again and again
                while it waits.
            on_refusal: Writes a refused log-on down and opens the breaker.
        """
        self._check = check
        self._place = place
        self._on_refusal = on_refusal
        self._unwritten: list[AuthenticationError] = []
        self._writing = threading.Lock()

    @contextmanager
    def permit(self, *, log_on: bool = True) -> Iterator[None]:
        """Let one request pass; one that may log on waits for a free place first, and holds it.

        Raises:
            BusyTimeError: What the check says.
            PauseInForceError: The server asked for a pause, perhaps while this request waited for its place.
        """
        with self._place(self._check) if log_on else nullcontext():
            self._write_down()
            if (left := self._check()) > 0:
                raise PauseInForceError(f"The server asked to be left alone for {left:.0f} s more.", back_off_seconds=left)
            try:
                yield
            except AuthenticationError as error:
                if not error.noted:
                    self._unwritten.append(error)
                    error.noted = True
                    with suppress(BusyTimeError):  # the database is away: nothing more is sent before it is written down
                        self._write_down()  # before the place is free: nobody may slip in between
                raise

    def _write_down(self) -> None:
        with self._writing:
            while self._unwritten:
                self._on_refusal(self._unwritten[0])
                del self._unwritten[0]


class ClaimedAttempt:
    """The guard of a log-on that was claimed by itself while nothing else may pass: the breaker does not stand in its way."""

    @contextmanager
    def permit(self, *, log_on: bool = True) -> Iterator[None]:  # noqa: ARG002 -- the protocol's signature
        """Let the request pass."""
        yield
