"""The stage of the demo: a sandbox of its own, an empty home, and the story that is told on the screen."""

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlencode

from rich.console import Console

OWNERS = 25
PAGE = "intro-call"
PAGE_ZONE = "Europe/Berlin"

Slots = list[tuple[datetime, datetime]]


class Sandbox:
    """The local Exchange in a process of its own, and its control interface."""

    def __init__(self, facts: dict[str, str]) -> None:
        """Take what the sandbox said when it was ready."""
        self.ews_url, self.ca_file = facts["ews_url"], facts["ca_file"]
        self.email, self.password = facts["email"], facts["password"]
        self._control_url = facts["control_url"]

    def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Call the control interface, which is plain HTTP on loopback."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._control_url + path, data, {"Content-Type": "application/json"}, method=method)  # noqa: S310 -- loopback
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
            return json.loads(answer.read())

    def log(self) -> list[dict[str, Any]]:
        """Return every request so far."""
        entries: list[dict[str, Any]] = self.control("GET", "/log?since=0")
        return entries

    def appointments(self, owner: str) -> list[dict[str, Any]]:
        """Return what the server itself says of a default calendar for the next thirty days."""
        now = datetime.now(UTC)
        window = {"start": _zulu(now), "end": _zulu(now + timedelta(days=30))}
        query = urlencode({"owner": owner, "folder": "", **window})
        found: list[dict[str, Any]] = self.control("GET", f"/appointments?{query}")
        return found

    def book(self, owner: str, start: datetime, status: str, folder: str = "", **more: str) -> None:
        """Let an owner make an appointment of an hour."""
        end = start + timedelta(hours=1)
        shown = {"start": start.isoformat(timespec="seconds"), "end": end.isoformat(timespec="seconds")}
        place = {"owner": owner, "folder": folder}
        self.control("POST", "/appointments", place | shown | {"status": status, "subject": "never read"} | more)


def _zulu(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"


@contextmanager
def running_sandbox() -> Iterator[subprocess.Popen[str]]:
    """Run a sandbox that ends with this process, however that ends."""
    command = [sys.executable, "-m", "deployments.sandbox", "--port", "0", "--control-port", "0", "--owners", str(OWNERS)]
    process = subprocess.Popen(  # noqa: S603 -- this very interpreter and module
        [*command, "--json", "--exit-with-stdin"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.communicate()


@contextmanager
def empty_home() -> Iterator[Path]:
    """Work in an empty home that is removed at the end; no setting of the user's reaches it."""
    with tempfile.TemporaryDirectory(prefix="busytime-demo-") as directory:
        for name in [name for name in os.environ if name.startswith(("BUSYTIME_", "PREFECT_"))]:
            del os.environ[name]
        config = Path(directory, "busytime.toml")
        config.touch()
        os.environ |= {"BUSYTIME_HOME": str(Path(directory, "home")), "BUSYTIME_CONFIG": str(config)}
        yield Path(directory)


@dataclass
class Story:
    """What the demo did: prints each step as it ends, and remembers whether it came out as it should."""

    screen: Console
    quiet: bool
    steps: list[dict[str, Any]] = field(default_factory=list)
    _started: float = field(default_factory=monotonic)

    def tell(self, title: str, result: str, *, good: bool = True) -> None:
        """Note a step, with the seconds it took."""
        now = monotonic()
        step = {"step": title, "result": result, "good": good, "seconds": round(now - self._started, 1)}
        self._started = now
        self.steps.append(step)
        if not self.quiet:
            mark = "[green]✓[/]" if good else "[bold red]✗[/]"
            self.screen.print(f" {mark} [bold]{title:<22}[/] {result} [dim]{step['seconds']:.1f} s[/]", soft_wrap=True)

    def add(self, text: str) -> None:
        """Print a line that belongs to the step before."""
        if not self.quiet:
            self.screen.print(f"      [cyan]{text}[/]", soft_wrap=True)

    @property
    def good(self) -> bool:
        """Whether everything came out as it should."""
        return all(step["good"] for step in self.steps)


def show_log(story: Story, exchange: Sandbox) -> None:
    """Let Exchange itself say how often it was asked, and whether it ever refused a log-on."""
    log = exchange.log()
    refused = sum(entry["refused_logon"] for entry in log)
    story.tell("Exchange's own log", f"{len(log)} requests, {refused} refused log-ons", good=refused == 0)
