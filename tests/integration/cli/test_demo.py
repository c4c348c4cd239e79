"""The demo: all of it good, and nothing left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flows.harness import Home, eventually, finished

pytestmark = pytest.mark.processes


def marked(marker: str) -> list[str]:
    """Return the command lines of living processes that carry a marker in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if marker.encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def steps_of_the_readme() -> list[str]:
    """Return the steps that the README shows: what it says the demo does is what it does."""
    text = (Path(__file__).resolve().parents[3] / "README.md").read_text(encoding="utf-8")
    shown = text.partition("<!-- demo -->")[2].partition("<!-- /demo -->")[0]
    return [line[3:26].strip() for line in shown.splitlines() if line.startswith(" ✓ ")]


def test_the_demo_is_good_throughout_and_leaves_nothing_behind(tmp_path, exchange):
    directory, temporary = tmp_path / "empty", tmp_path / "temporary"
    for path in (directory, temporary):
        path.mkdir()
    home = Home(directory / "home", exchange, None)
    marker = f"DEMO_MARKER={tmp_path}"
    # Settings and servers of the user's do not reach the demo.
    home.more |= {
        "TMPDIR": str(temporary),
        "DEMO_MARKER": str(tmp_path),
        "BUSYTIME_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
        "PREFECT_API_URL": "http://127.0.0.1:1/api",
    }

    result = finished(home.start("demo", "--json")).ended(0)

    told = result.json
    assert told["good"] is True
    assert [step for step in told["steps"] if not step["good"]] == []
    assert len(told["steps"]) >= 12
    second = next(step for step in told["steps"] if step["step"] == "Second harvest")
    assert "0 rows opened, 0 closed" in second["result"]
    again = next(step for step in told["steps"] if step["step"] == "Pushed again")
    assert again["result"] == "nothing to do, 0 requests sent"
    assert [step["step"] for step in told["steps"]] == steps_of_the_readme()
    eventually(lambda: not marked(marker), f"no process of the demo is left, but there is {marked(marker)}")
    assert sorted(path for where in (directory, temporary) for path in where.rglob("*")) == []
