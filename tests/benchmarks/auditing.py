"""The benchmark of the audit, a part of `make bench`: `python -m tests.benchmarks.auditing`.

A store with two million rows of history on a PostgreSQL of its own: the twenty questions, each over its span, with the rows
that it read beside those that its span has; an export of a million rows beside the same by pandas; and retention of a
million rows while harvests go on. Like the other benchmarks it is a measurement, not a test.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from pandas import __version__ as pandas_version
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from tests.benchmarks.audit_spans import Asked, ask
from tests.benchmarks.audit_store import Filled, filled
from tests.questions.document import questions

#: A question reads at most so many rows for each that its span has.
_MOST_READ = 3
_HISTORY = ("busy_intervals", "coverage", "permissions")
_EXPORTED, _EXPORT_ROUNDS = 1_000_000, 3
_EXPORTS = {"view_export": "busytime audit export", "view_pandas": "pandas read_sql and to_parquet"}
_WAITS = "SELECT max(extract(epoch FROM clock_timestamp() - waitstart)) FROM pg_locks WHERE NOT granted"
_LOOK_EVERY_SECONDS = 0.002
_ROOT = Path(__file__).resolve().parents[2]
_progress = Console(stderr=True, highlight=False)
_screen = Console(width=130, highlight=False)


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m tests.benchmarks.auditing", description=__doc__)
    options.add_argument("--calendars", type=int, default=2000)
    chosen = options.parse_args()
    _progress.print(f"Filling a store of {chosen.calendars} calendars and a year (some minutes) ...")
    with filled(chosen.calendars) as store:
        _show_store(store)
        _progress.print("Asking the twenty questions ...")
        with store.engine.connect() as connection:
            _show_questions([ask(connection, question) for question in questions()])
        _progress.print("Exporting ...")
        _show_exports(store)
        _progress.print("Harvesting, and harvesting while old rows go ...")
        _show_retention(store, chosen.calendars)


def _show_store(store: Filled) -> None:
    with store.engine.connect() as connection:
        counts = {table: connection.scalar(text(f"SELECT count(*) FROM {table}")) for table in (*_HISTORY, "steps", "runs")}  # noqa: S608
        version = connection.scalar(text("SHOW server_version"))
    history = sum(counts[table] for table in _HISTORY)
    _screen.print(
        f"PostgreSQL {version}, Python {platform.python_version()}, pandas {pandas_version}; {_processors()} processors, load "
        f"{os.getloadavg()[0]:.1f}. {history:,} rows of history; {', '.join(f'{n:,} {name}' for name, n in counts.items())}."
    )


def _processors() -> int:
    return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").count("processor\t")


def _show_questions(asked: list[Asked]) -> None:
    table = Table("question", title="The twenty questions", title_justify="left")
    for heading in ("rows", "seconds", "rows read", "of its span", "read for one"):
        table.add_column(heading, justify="right")
    for one in asked:
        read, own = sum(one.read.values()), sum(one.own.values())
        table.add_row(
            f"{one.question.number}. {one.question.title}",
            f"{one.rows:,}",
            f"{one.seconds:.3f}",
            f"{read:,}",
            f"{own:,}",
            f"{one.ratio:.2f}",
        )
    _screen.print(table)
    over = [one.question.number for one in asked if one.ratio > _MOST_READ]
    met = "yes" if not over else f"[bold]no[/]: {over}"
    _screen.print(f"Rows of large tables only; the last column is of the worst table, aim at most {_MOST_READ}, met: {met}.\n")


def _show_exports(store: Filled) -> None:
    with store.engine.connect() as connection:
        where = f"SELECT valid_from FROM busy_intervals ORDER BY valid_from OFFSET {_EXPORTED} LIMIT 1"  # noqa: S608 -- a number
        until = connection.scalar(text(where))
    if until is None:
        _screen.print("Too few rows for an export of a million; give more --calendars.\n")
        return
    found: dict[str, list[Mapping[str, Any]]] = {name: [] for name in _EXPORTS}
    for _ in range(_EXPORT_ROUNDS):
        for name, runs in found.items():
            with TemporaryDirectory() as directory, _running(name, store.url, until.isoformat(), directory) as process:
                runs.append(_printed(process, ""))
    table = Table(f"audit_busy_time as Parquet, medians of {_EXPORT_ROUNDS} rounds")
    for heading in ("rows", "rows/s", "slowest-fastest", "memory MiB (base)"):
        table.add_column(heading, justify="right")
    for name, told in _EXPORTS.items():
        table.add_row(told, *_exported(found[name]))
    _screen.print(table)


def _exported(runs: list[Mapping[str, Any]]) -> Iterator[str]:
    speeds = [run["rows"] / run["seconds"] for run in runs]
    yield from (f"{runs[0]['rows']:,}", f"{median(speeds):,.0f}", f"{min(speeds):,.0f}-{max(speeds):,.0f}")
    yield f"{median(run['peak_mib'] - run['base_mib'] for run in runs):,.0f} ({median(run['base_mib'] for run in runs):.0f})"


def _show_retention(store: Filled, calendars: int) -> None:
    with _running("harvests", store.url, str(calendars), "3") as process:
        alone = _printed(process, "")
    load = os.getloadavg()[0]
    with _running("harvests", store.url, str(calendars), "1") as harvests, _running("retention", store.url) as retention:
        longest = _longest_wait(store, retention, store.key)
        removed, beside = _printed(retention, ""), _printed(harvests, "")
    _screen.print(
        f"Retention: {removed['rows']:,} rows in {removed['seconds']:.0f} s and {removed['batches']} transactions, the longest "
        f"{removed['slowest_batch']:.2f} s, while {beside['harvests']} harvests of {calendars} calendars ran; both finished. "
        f"Longest wait for a lock: {longest:.3f} s (looked at every {1000 * _LOOK_EVERY_SECONDS:.0f} ms)."
    )
    _screen.print(
        f"A harvest's transaction of 100 calendars: median {1000 * beside['median_batch']:.0f} ms, longest "
        f"{1000 * beside['slowest_batch']:.0f} ms; with no retention beside it {1000 * alone['median_batch']:.0f} and "
        f"{1000 * alone['slowest_batch']:.0f} ms. Load {load:.1f} when it began."
    )


def _longest_wait(store: Filled, retention: subprocess.Popen[str], told: str) -> float:
    """Look for waits until the retention has ended."""
    assert retention.stdin is not None
    retention.stdin.write(told)
    retention.stdin.close()
    longest = 0.0
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while retention.poll() is None:
            longest = max(longest, float(connection.scalar(text(_WAITS)) or 0))
            time.sleep(_LOOK_EVERY_SECONDS)
    return longest


@contextmanager
def _running(name: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a contender in a process of its own; it is ended if something goes wrong here."""
    command = [sys.executable, "-m", f"tests.benchmarks.contenders.{name}", *arguments]
    process = subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _printed(process: subprocess.Popen[str], told: str) -> Mapping[str, Any]:
    """Let a contender come to its end, and return what it printed last."""
    assert process.stdin is not None
    assert process.stdout is not None
    if not process.stdin.closed:
        process.stdin.write(told)
        process.stdin.close()
    printed = process.stdout.read()
    if process.wait() != 0:
        raise RuntimeError(f"a contender ended with {process.returncode}")
    found: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
