"""Real processes for tests, each with one line in and one line out; none outlives its test."""

import contextlib
import os
import selectors
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_SECONDS = 60


class Process:
    """A running module of the tests."""

    def __init__(self, module, *args, env=None):
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *args],
            cwd=ROOT,
            env=os.environ | (env or {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def send(self, *words):
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        self._process.stdin.flush()

    def line(self):
        """The next line, or nothing where the process has ended."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(PATIENCE_SECONDS):
                raise TimeoutError(f"no word from {self._process.args}")
        return self._process.stdout.readline().rstrip("\n")

    def ask(self, *words):
        self.send(*words)
        return self.line()

    def freeze(self):
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self._process.send_signal(signal.SIGCONT)

    def kill(self):
        """End it without a chance to clean up; until `bury` it stays in the system's list."""
        self._process.kill()
        os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)

    def status(self):
        """How it ended, once it has."""
        return self._process.wait(timeout=PATIENCE_SECONDS)

    def bury(self):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(timeout=PATIENCE_SECONDS)
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                stream.close()


@contextlib.contextmanager
def running(count, module, *args, env=None):
    """So many processes of one module, that have started and wait."""
    processes = []
    try:
        for _ in range(count):
            processes.append(Process(module, *args, env=env))  # noqa: PERF401 -- those that run have to end if one does not start
        assert [process.line() for process in processes] == ["ready"] * count
        yield processes
    finally:
        for process in processes:
            process.bury()
