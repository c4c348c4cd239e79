"""The benchmark of pushes, a part of `make bench`: how fast new bookings come into calendars, and at what price.

Beside it a loop over `CalendarItem.save()` of exchangelib, against the same sandbox, in the same rounds, and each in a
process of its own: `python -m tests.benchmarks.pushing`. Like the benchmark of harvests it is a measurement, not a test.
"""

import argparse
import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from deployments.prefect_server import prefect_server
from tests.benchmarks.contender import Facts, Measured
from tests.benchmarks.contest import Contest, leave_settings_out
from tests.benchmarks.push_load import A_DAY, PushLoad, slots
from tests.flows.harness import Home
from tests.sandbox_fixture import RunningSandbox, running_sandbox

FLOW, STEPS, LOOPS, LOOP = "push_flow", "push_steps", "save_loops", "save_loop"
_ROWS = {
    FLOW: "(a) push, the flow",
    STEPS: "(b) push, without Prefect",
    LOOPS: "(c) exchangelib save(), two at once",
    LOOP: "(d) exchangelib save(), one by one",
}
_OURS = (FLOW, STEPS)
#: With the fresh reading before and the reading back after it.
_MOST_REQUESTS = 4
_progress = Console(stderr=True, highlight=False)


@dataclass(frozen=True, slots=True)
class Pushed:
    """What one run of a contender took.

    Args:
        entries: Items that it wrote.
        measured: What it measured of itself.
        requests: What the server saw of it, by operation.
    """

    entries: int
    measured: Measured
    requests: Counter[str]

    @property
    def requests_an_entry(self) -> float:
        return self.requests.total() / self.entries

    @property
    def entries_a_second(self) -> float:
        return self.entries / self.measured.wall_seconds

    @property
    def cpu_ms_an_entry(self) -> float:
        return 1000 * self.measured.cpu_seconds / self.entries


@dataclass(frozen=True, slots=True)
class Ring:
    """Where contenders run."""

    contest: Contest
    exchange: RunningSandbox
    prefect_api: str
    pages: int
    latency_ms: float

    def run(self, name: str, *, doubled: bool) -> Pushed:
        """Let a contender enter new bookings into calendars of its own, and check what it did."""
        facts = self.contest.facts
        load = PushLoad.make(self.exchange, facts, self.pages, doubled=doubled)
        with TemporaryDirectory(dir=self.contest.directory) as directory:
            home = Home(Path(directory) / "home", self.exchange, self.prefect_api)
            if name in _OURS:
                load.import_into(home, facts)
            before = self.exchange.log()[-1]["n"]
            self.exchange.control("POST", "/limits", {"latency_ms": self.latency_ms})
            measured = Measured(**self.contest.run(name, facts=replace(facts, owners=load.targets), home=home.path))
            self.exchange.control("POST", "/limits", {"latency_ms": 0})
        requests = Counter(it["operation"] for it in self.exchange.log(before))
        load.check(self.exchange, facts)
        return Pushed(len(load.targets) * len(slots(facts)), measured, requests)


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m tests.benchmarks.pushing", description=__doc__)
    options.add_argument("--pages", type=int, default=25)
    options.add_argument("--each", type=int, default=40, help="bookings of each page; an even number")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--latency-ms", type=float, default=0.0, help="how long the server takes for each request")
    chosen = options.parse_args()
    with TemporaryDirectory(prefix="busytime-bench-") as directory, running_sandbox("--owners", "1") as exchange:
        leave_settings_out(Path(directory))
        contest = Contest(_facts(exchange, chosen.each), Path(directory))
        with prefect_server(Path(directory) / "prefect"):
            ring = Ring(contest, exchange, os.environ["PREFECT_API_URL"], chosen.pages, chosen.latency_ms)
            for doubled in (False, True):
                show(chosen, _rounds(ring, chosen.rounds, doubled=doubled), doubled=doubled)


def _rounds(ring: Ring, rounds: int, *, doubled: bool) -> Mapping[str, Sequence[Pushed]]:
    results: dict[str, list[Pushed]] = defaultdict(list)
    what = "main and additional calendars" if doubled else "main calendars"
    for number in range(1, rounds + 1):
        _progress.print(f"Round {number} of {rounds}: {what} ...")
        for name in _ROWS:
            results[name].append(ring.run(name, doubled=doubled))
    return results


def _facts(exchange: RunningSandbox, each: int) -> Facts:
    first = datetime.combine(datetime.now(UTC).date() + timedelta(days=3), time(), UTC)
    last = first + timedelta(days=each // A_DAY)
    return Facts(exchange.ews_url, exchange.ca_file, exchange.email, exchange.password, (), first, last)


def show(chosen: argparse.Namespace, results: Mapping[str, Sequence[Pushed]], *, doubled: bool) -> None:
    """Print the middle one of each contender's rounds, and what the requests were."""
    screen = Console(width=130, highlight=False)
    calendars = "main, additional and busy" if doubled else "main and busy"
    bookings, entries = chosen.pages * chosen.each, results[LOOP][0].entries
    screen.print(
        f"{bookings} new bookings on {chosen.pages} pages with {calendars} calendars: {entries} entries. The server takes "
        f"{chosen.latency_ms:g} ms for each request; medians of {chosen.rounds} rounds."
    )
    table = Table()
    table.add_column("contender", no_wrap=True)
    for heading in ("entries/s", "slowest-fastest", "processor ms/entry", "requests/entry"):
        table.add_column(heading, justify="right")
    for name, text in _ROWS.items():
        runs = results[name]
        speeds = [run.entries_a_second for run in runs]
        table.add_row(
            text,
            f"{median(speeds):,.0f}",
            f"{min(speeds):,.0f}-{max(speeds):,.0f}",
            f"{median(run.cpu_ms_an_entry for run in runs):.2f}",
            f"{median(run.requests_an_entry for run in runs):.2f}",
        )
    screen.print(table)
    for name in (FLOW, LOOP):
        requests = sorted(results[name][0].requests.items())
        screen.print(f"{_ROWS[name]} asked: {', '.join(f'{operation} {count}' for operation, count in requests)}.")
    most = median(run.requests_an_entry for run in results[FLOW])
    met = "yes" if most <= _MOST_REQUESTS else "[bold]no[/]"
    screen.print(f"Requests an entry, aim at most {_MOST_REQUESTS}: {most:.2f}, met: {met}.\n")


if __name__ == "__main__":
    main()
