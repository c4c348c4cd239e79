"""A sandbox in its own process, for every test that needs a server.

Uses the standard library only. The sandbox ends with its standard input, so that none outlives
the tests even when they are killed.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[1]


class ControlError(Exception):
    """The control interface refused a call.

    Args:
        status: The HTTP status.
        message: What it said.
    """

    def __init__(self, status: int = 0, message: str = "") -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


class RunningSandbox:
    """A sandbox that runs until `stop`."""

    def __init__(self, *args: str) -> None:
        command = [sys.executable, "-m", "deployments.sandbox", "--port", "0", "--control-port"]
        self.process = subprocess.Popen(
            [*command, "0", "--json", "--exit-with-stdin", *args],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.stop()
            raise RuntimeError(f"the sandbox did not start (exit {self.process.returncode})")
        facts: dict[str, str] = json.loads(line)
        self.ews_url = facts["ews_url"]
        self.control_url = facts["control_url"]
        self.ca_file = facts["ca_file"]
        self.email = facts["email"]
        self.password = facts["password"]

    def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Call the control interface and return its JSON; `ControlError` if it refuses."""
        request = urllib.request.Request(  # noqa: S310 (http to loopback)
            self.control_url + path,
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json"},
            method=method,
        )
        # Without proxies: it is loopback, whatever the environment says.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=30) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            text = error.read().decode()
            with contextlib.suppress(ValueError):
                text = json.loads(text)["error"]
            raise ControlError(error.code, text) from None

    def log(self, since: int = 0) -> list[dict[str, Any]]:
        """Return the log entries after a number."""
        entries: list[dict[str, Any]] = self.control("GET", f"/log?since={since}")
        return entries

    def stop(self) -> int:
        """End the sandbox and return its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            status = self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
        return status


@contextlib.contextmanager
def running_sandbox(*args: str) -> Iterator[RunningSandbox]:
    """Run a sandbox for a `with` block; the arguments are its command line's."""
    sandbox = RunningSandbox(*args)
    try:
        yield sandbox
    finally:
        sandbox.stop()
