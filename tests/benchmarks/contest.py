"""The parent's side: one sandbox, prepared homes, and each contender in a fresh process, one at a time."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from busytime.model import harvest_window
from config.settings import Settings
from tests.benchmarks.contender import Facts, Measured
from tests.sandbox_fixture import running_sandbox

_ROOT = Path(__file__).resolve().parents[2]
_LONGEST_SECONDS = 300


class ContenderFailedError(Exception):
    """A contender ended with an error."""


@dataclass(frozen=True, slots=True)
class Contest:
    """Everything is set up: the sandbox answers, and a home with roster and connection is ready to be copied."""

    facts: Facts
    directory: Path

    def run(self, name: str, *, facts: Facts | None = None, home: Path | None = None) -> dict[str, Any]:
        """Run a contender in a fresh process and return what it printed last."""
        environment = os.environ | {"BUSYTIME_HOME": str(home or self.directory / "no-home")}
        printed = _call(
            "-m", f"tests.benchmarks.contenders.{name}", told=(facts or self.facts).to_json(), environment=environment
        )
        found: dict[str, Any] = json.loads(printed.splitlines()[-1])
        return found

    def measure(self, name: str, *, calendars: int | None = None, home: Path | None = None) -> Measured:
        """Run a contender, on the first so many calendars if told."""
        facts = replace(self.facts, owners=self.facts.owners[:calendars])
        return Measured(**self.run(name, facts=facts, home=home))

    @contextmanager
    def fresh_home(self) -> Iterator[Path]:
        """Give a home in which nothing was harvested yet."""
        with TemporaryDirectory(dir=self.directory) as directory:
            home = Path(directory, "home")
            shutil.copytree(self.directory / "template", home)
            yield home


@contextmanager
def contest(calendars: int) -> Iterator[Contest]:
    """Set everything up, and end it all again."""
    with (
        TemporaryDirectory(prefix="busytime-bench-") as name,
        running_sandbox("--owners", str(calendars), "--warm") as sandbox,
    ):
        directory = Path(name)
        leave_settings_out(directory)
        window = harvest_window(datetime.now(UTC), Settings.model_fields["horizon_days"].default)
        owners = tuple(f"owner{number:04}@corp.example" for number in range(1, calendars + 1))
        facts = Facts(sandbox.ews_url, sandbox.ca_file, sandbox.email, sandbox.password, owners, window.start, window.end)
        _make_template(facts, directory)
        yield Contest(facts, directory)


def leave_settings_out(directory: Path) -> None:
    """Measure the defaults: no setting of the user's reaches a contender."""
    for name in [name for name in os.environ if name.startswith(("BUSYTIME_", "PREFECT_"))]:
        del os.environ[name]
    config = directory / "busytime.toml"
    config.touch()
    os.environ["BUSYTIME_CONFIG"] = str(config)


def _make_template(facts: Facts, directory: Path) -> None:
    """Connect and import the roster by the commands, as users do."""
    environment = os.environ | {"BUSYTIME_HOME": str(directory / "template")}
    roster = directory / "roster.yaml"
    roster.write_text("\n".join(["calendars:", *(f"  - owner: {owner}" for owner in facts.owners)]), encoding="utf-8")
    address = ["--ews-url", facts.ews_url, "--ca-file", facts.ca_file, "--password-stdin"]
    command = ("-m", "deployments.cli.main")
    _call(*command, "connect", facts.email, *address, told=facts.password, environment=environment)
    _call(*command, "roster", "import", str(roster), told="", environment=environment)


def _call(*arguments: str, told: str, environment: dict[str, str]) -> str:
    """Run a Python process to its end; the password goes by standard input, never by the command line."""
    done = subprocess.run(
        [sys.executable, *arguments],
        input=told,
        capture_output=True,
        text=True,
        cwd=_ROOT,
        env=environment,
        timeout=_LONGEST_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise ContenderFailedError(f"{' '.join(arguments[:2])} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout
