"""A command at a terminal of its own: what it shows is read as a person reads it, and answered."""

from __future__ import annotations

import os
import pty
import select
import signal
import sys
import time

from tests.flows.harness import Home

_PATIENCE_SECONDS = 60.0


class Terminal:
    """A command that runs at a pseudo-terminal.

    Args:
        home: Where it runs.
        arguments: Python's.
    """

    def __init__(self, home: Home, *arguments: str) -> None:
        self.shown = ""
        self._read_to = 0
        self._status: int | None = None
        environment = home.environment | {"COLUMNS": "200", "TERM": "dumb"}
        self.process_id, self._terminal = pty.fork()
        if self.process_id == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background jobs inherit that it is ignored
            os.chdir(home.directory)
            os.execve(sys.executable, [sys.executable, *arguments], environment)  # noqa: S606 -- that is the point

    def expect(self, words: str) -> Terminal:
        """Wait until words are shown that were not waited for before."""
        ends_at = time.monotonic() + _PATIENCE_SECONDS
        while words not in self.shown[self._read_to :]:
            assert time.monotonic() < ends_at, f"{words!r} does not come: {self.shown!r}"
            assert self._read(), f"it ended without {words!r}: {self.shown!r}"
        self._read_to = self.shown.index(words, self._read_to) + len(words)
        return self

    def type(self, text: str) -> Terminal:
        """Type a line."""
        os.write(self._terminal, text.encode() + b"\n")
        return self

    def interrupt(self) -> Terminal:
        """Press Ctrl-C."""
        os.write(self._terminal, b"\x03")
        return self

    def ended(self, status: int) -> str:
        """Wait for the end, and return all that was shown."""
        while self._read():
            pass
        _, how = os.waitpid(self.process_id, 0)
        os.close(self._terminal)
        self._status = os.waitstatus_to_exitcode(how)
        assert self._status == status, f"status {self._status}: {self.shown}"
        assert "Traceback" not in self.shown
        return self.shown

    def close(self) -> None:
        """End what is still running."""
        if self._status is None:
            os.kill(self.process_id, signal.SIGKILL)
            os.waitpid(self.process_id, 0)
            os.close(self._terminal)

    def _read(self) -> bool:
        """Read what there is; false once the command has ended."""
        ready, _, _ = select.select([self._terminal], [], [], _PATIENCE_SECONDS)
        assert ready, f"it waits for an answer, or hangs: {self.shown!r}"
        try:
            data = os.read(self._terminal, 65536)
        except OSError:  # how Linux says that the other side is gone
            return False
        self.shown += data.decode(errors="replace").replace("\r\n", "\n")
        return bool(data)
