"""A look at Prefect's server every few seconds: a server that hangs still runs, and nothing else would say so."""

import logging
import threading
import time
import urllib.error
import urllib.request

_LOG = logging.getLogger("busytime.serve")
LOOK_EVERY_SECONDS = 15.0
#: One that is busy answers late; one that has not for so long hangs.
LOST_AFTER_SECONDS = 300.0
_DEADLINE_SECONDS = 10.0
#: The server is on this machine, or named by its address: no proxy of the environment stands between.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ServerWatch:
    """Knows whether Prefect's server answers."""

    def __init__(self, page: str) -> None:
        """Believe at first that it does: it has just started, or was asked.

        Args:
            page: Its address.
        """
        self._page = page
        self._silent_since: float | None = None

    @property
    def answers(self) -> bool:
        """Whether it answered the last look."""
        return self._silent_since is None

    @property
    def is_lost(self) -> bool:
        """Whether it has been silent for so long that only another start helps."""
        return self._silent_since is not None and time.monotonic() - self._silent_since > LOST_AFTER_SECONDS

    def run(self, stopping: threading.Event) -> None:
        """Look again and again, until told to stop."""
        while not stopping.wait(LOOK_EVERY_SECONDS):
            self.look()

    def look(self) -> None:
        """Ask it once, and say when that is not as it was."""
        begun = time.monotonic()
        if answers(self._page):
            if self._silent_since is not None:
                _LOG.warning("Prefect's server answers again, after %d s.", time.monotonic() - self._silent_since)
            self._silent_since = None
        elif self._silent_since is None:
            self._silent_since = begun
            _LOG.warning("Prefect's server at %s does not answer; until it does, no run is started by itself.", self._page)


def answers(page: str) -> bool:
    """Tell whether a server answers anything at all: one that wants a log-on does."""
    try:
        with _OPENER.open(f"{page}/api/health", timeout=_DEADLINE_SECONDS):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
