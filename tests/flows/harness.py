"""What tests of flows and commands stand on: homes of their own, one Prefect server, and the server's truth.

A `Home` runs commands as real processes (`run`), or inside this one (`call`) where a clock has to be moved or a
process for each step would cost too much.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import create_engine, text

from busytime.model import harvest_window
from deployments.prefect_server import QUIET_SETTINGS
from tests.sandbox_fixture import RunningSandbox

STATUSES = {"Busy": "busy", "Tentative": "tentative", "OOF": "out_of_office", "WorkingElsewhere": "working_elsewhere"}
#: No command takes nearly so long; what does has hung.
PATIENCE_SECONDS = 120
_ROOT = Path(__file__).resolve().parents[2]
Moment = tuple[datetime, datetime, str]


class MovedClock:
    """The machine's clock, moved."""

    def __init__(self) -> None:
        self.offset = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def uptime(self) -> None:
        """Nothing is known of it: moved clocks stand for time that passed."""


@dataclass
class Result:
    """What a command came to."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one object on standard output; anything else there fails."""
        return json.loads(self.out)

    def ended(self, status: int) -> Result:
        """Return itself, if the command ended with this status and without a traceback."""
        shown = f"status {self.status}, output {self.out[-2000:]}, messages {self.err[-2000:]}"
        assert self.status == status, shown
        assert "Traceback" not in self.out + self.err, shown
        return self


@dataclass
class Home:
    """A BUSYTIME_HOME, and the commands that run in it."""

    path: Path
    exchange: RunningSandbox
    prefect_api: str | None
    more: dict[str, str] = field(default_factory=dict)

    @property
    def directory(self) -> Path:
        """Where commands run and files for them lie."""
        return self.path.parent

    @property
    def environment(self) -> dict[str, str]:
        """All that a command's process sees."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
        # The code beside these tests, whatever is installed.
        kept |= {"HOME": str(self.directory), "BUSYTIME_HOME": str(self.path), "PYTHONPATH": str(_ROOT)}
        return kept | ({"PREFECT_API_URL": self.prefect_api} if self.prefect_api else {}) | self.more

    def start(self, *args: str, **more: Any) -> subprocess.Popen[str]:
        """Start a command as a process."""
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | more
        command = [sys.executable, "-m", "deployments.cli.main", *args]
        return subprocess.Popen(command, cwd=self.directory, env=self.environment, text=True, **streams)

    def run(self, *args: str, stdin: str | None = None) -> Result:
        """Run a command as a process to its end."""
        process = self.start(*args, stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE)
        return finished(process, stdin)

    def call(self, *args: str, stdin: str = "", clock: MovedClock | None = None) -> Result:
        """Run a command inside this process."""
        from deployments.cli.main import main

        out, err = io.StringIO(), io.StringIO()
        with self.inside(clock), pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.stdin", io.StringIO(stdin))
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                status = main(list(args))
        return Result(status, out.getvalue(), err.getvalue())

    @contextlib.contextmanager
    def inside(self, clock: MovedClock | None = None) -> Iterator[None]:
        """Let this process see the home, and nothing else of the product's settings."""
        from tasks.workspace import workspace

        with pytest.MonkeyPatch.context() as patch:
            for name in [name for name in os.environ if name.startswith("BUSYTIME_")]:
                patch.delenv(name)
            for name, value in (QUIET_SETTINGS | self.environment).items():
                patch.setenv(name, value)
            if clock is not None:
                patch.setattr("tasks.workspace.SystemClock", lambda: clock)
            workspace.cache_clear()
            try:
                yield
            finally:
                if workspace.cache_info().currsize:
                    workspace().close()
                workspace.cache_clear()

    def connect(self, password: str | None = None, *, process: bool = False) -> Result:
        """Connect the dedicated mailbox, with its password unless another one is given."""
        exchange = self.exchange
        args = ("connect", exchange.email, "--ews-url", exchange.ews_url, "--ca-file", exchange.ca_file, "--password-stdin")
        run = self.run if process else self.call
        return run(*args, "--json", stdin=f"{password or exchange.password}\n")

    def take_roster(self, *calendars: str, pages: Sequence[str] = (), process: bool = False) -> Result:
        """Import a roster of calendars, `OWNER` or `OWNER/FOLDER`, and the YAML of booking pages."""
        lines = ["calendars:"]
        for calendar in calendars:
            owner, _, folder = calendar.partition("/")
            lines += [f"  - owner: {owner}", *([f"    folder: {folder}"] if folder else [])]
        lines += ["booking_pages:", *pages] if pages else []
        file = self.directory / "roster.yaml"
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        run = self.run if process else self.call
        return run("roster", "import", str(file), "--json")

    def harvest(self, *args: str, clock: MovedClock | None = None) -> Result:
        """Harvest inside this process, as JSON."""
        return self.call("harvest", "--json", *args, clock=clock)

    @property
    def database_address(self) -> str:
        """Where the home keeps its tables, as SQLAlchemy wants it."""
        address = self.more.get("BUSYTIME_DATABASE_URL", f"sqlite:///{self.path / 'busytime.db'}")
        return address.replace("postgresql://", "postgresql+psycopg://")

    def query(self, statement: str, **values: Any) -> list[Any]:
        """Ask the home's database."""
        engine = create_engine(self.database_address)
        try:
            with engine.connect() as connection:
                return list(connection.execute(text(statement), values).all())
        finally:
            engine.dispose()

    def stored(self, owner: str, folder: str = "") -> Counter[Moment]:
        """Return the current busy intervals of a calendar."""
        rows = self.query(
            "SELECT starts_at, ends_at, status, count FROM audit_busy_time WHERE owner = :owner AND folder = :folder "
            "AND valid_to IS NULL",
            owner=owner,
            folder=folder,
        )
        return Counter({(_instant(start), _instant(end), status): count for start, end, status, count in rows})

    def coverage(self, owner: str, folder: str = "") -> tuple[str, str | None, str | None]:
        """Return state, reason and detail of a calendar's one current coverage row."""
        ((state, reason, detail),) = self.query(
            "SELECT state, reason, detail FROM audit_coverage WHERE owner = :owner AND folder = :folder AND valid_to IS NULL",
            owner=owner,
            folder=folder,
        )
        return state, reason, detail

    def run_statuses(self) -> list[str]:
        """Return the status of every run, in order."""
        return [status for (status,) in self.query("SELECT status FROM runs ORDER BY id")]


def finished(process: subprocess.Popen[str], stdin: str | None = None, seconds: float = PATIENCE_SECONDS) -> Result:
    """Wait for a command that was started; one that does not end is killed, and fails the test."""
    try:
        out, err = process.communicate(stdin, timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        pytest.fail(f"{process.args} did not end within {seconds} s; it wrote {out!r} and {err!r}")
    return Result(process.returncode, out or "", err or "")


def _instant(value: object) -> datetime:
    return datetime.fromisoformat(str(value)).astimezone(UTC)


def eventually(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Wait until something is so, and say what was not."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds} s in vain: {what}")
        time.sleep(0.02)


def usual_window(now: datetime | None = None) -> tuple[datetime, datetime]:
    """Return the window of a regular harvest."""
    window = harvest_window(now or datetime.now(UTC), 60)
    return window.start, window.end


def appointments(
    exchange: RunningSandbox, owner: str, folder: str = "", window: tuple[datetime, datetime] | None = None
) -> list[dict[str, Any]]:
    """Return what the server itself says of a calendar."""
    start, end = (f"{instant:%Y-%m-%dT%H:%M:%SZ}" for instant in window or usual_window())
    query = urlencode({"owner": owner, "folder": folder, "start": start, "end": end})
    found: list[dict[str, Any]] = exchange.control("GET", f"/appointments?{query}")
    return found


def truth(
    exchange: RunningSandbox, owner: str, folder: str = "", window: tuple[datetime, datetime] | None = None
) -> Counter[Moment]:
    """Return the busy time that the server's own list of appointments means."""
    start, end = window or usual_window()
    busy: Counter[Moment] = Counter()
    for item in appointments(exchange, owner, folder, (start, end)):
        begins, ends = (datetime.fromisoformat(item[name]) for name in ("start", "end"))
        if item["status"] in STATUSES and not item["is_cancelled"] and begins < ends and begins < end and ends > start:
            busy[begins, ends, STATUSES[item["status"]]] += 1
    return busy


def book(exchange: RunningSandbox, owner: str, start: datetime, minutes: int = 60, **more: Any) -> str:
    """Let an owner make an appointment."""
    shown = {"start": start.isoformat(), "end": (start + timedelta(minutes=minutes)).isoformat()}
    answer = exchange.control("POST", "/appointments", {"owner": owner, "folder": "", **shown, "subject": "Zanderfall", **more})
    return str(answer["id"])


def spared(text_of_a_person: str) -> str:
    """Return a text without line breaks, as a person reads it."""
    return re.sub(r"\s+", " ", text_of_a_person).strip()
