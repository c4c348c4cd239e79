"""The guards before every request of a connection: nothing is sent once a log-on was refused.

It must not know how requests are sent, nor where the breaker is kept.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from busytime.errors import AuthenticationError, PauseInForceError


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

    @contextmanager
    def permit(self, *, log_on: bool = True) -> Iterator[None]:
        """Let one request pass; one that may log on waits for a free place first, and holds it.

        Raises:
            BusyTimeError: What the check says.
            PauseInForceError: The server asked for a pause, perhaps while this request waited for its place.
        """
        with self._place(self._check) if log_on else nullcontext():
            if (left := self._check()) > 0:
                raise PauseInForceError(f"The server asked to be left alone for {left:.0f} s more.", back_off_seconds=left)
            try:
                yield
            except AuthenticationError as error:
                if not error.noted:
                    self._on_refusal(error)  # before the place is free: nobody may slip in between
                    error.noted = True
                raise


class ClaimedAttempt:
    """The guard of a log-on that was claimed by itself while nothing else may pass: the breaker does not stand in its way."""

    @contextmanager
    def permit(self, *, log_on: bool = True) -> Iterator[None]:  # noqa: ARG002 -- the protocol's signature
        """Let the request pass."""
        yield
