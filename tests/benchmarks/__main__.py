"""The benchmark of harvests, `make bench`: one sandbox, every contender in processes of its own, one after another.

It is a measurement, not a test: a missed aim is told, and the exit status stays 0. Contenders that did not read the
same are an error.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import perf_counter

from rich.console import Console

from deployments.prefect_server import prefect_server
from tests.benchmarks.contender import Measured
from tests.benchmarks.contest import Contest, contest
from tests.benchmarks.report import FIRST, FLOOR, FLOW_FIRST, FLOW_UNCHANGED, SCRIPT, UNCHANGED, VIEWS, PrefectShare, show

_QUICK_RUNS = 3
_progress = Console(stderr=True, highlight=False)


class DifferentAnswersError(Exception):
    """Two contenders read different numbers of intervals, so their speeds say nothing."""


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    options.add_argument("--calendars", type=int, default=2000)
    options.add_argument("--views", type=int, default=200, help="mailboxes that are read by calendar view")
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args()
    results: dict[str, list[Measured]] = defaultdict(list)
    _progress.print(f"Starting a sandbox of {chosen.calendars} calendars ...")
    with contest(chosen.calendars) as ring:
        views = min(chosen.views, chosen.calendars)
        _check_views(ring, views)
        for number in range(1, chosen.rounds + 1):
            _progress.print(f"Round {number} of {chosen.rounds}: without Prefect, and the others ...")
            for name, measured in _round(ring, views).items():
                results[name].append(measured)
        share = _with_prefect(ring, chosen.rounds, results)
    _check_same({name: runs for name, runs in results.items() if name != VIEWS})
    show(results, share)


def _with_prefect(ring: Contest, rounds: int, results: dict[str, list[Measured]]) -> PrefectShare:
    """Harvest through Prefect, on a server that runs already, and measure what is Prefect's own."""
    with _timed_server(ring) as new_server:
        for number in range(1, rounds + 1):
            _progress.print(f"Round {number} of {rounds}: with Prefect ...")
            for name, measured in _harvests(ring, "harvest_flow", FLOW_FIRST, FLOW_UNCHANGED).items():
                results[name].append(measured)
        own = ring.run("prefect_alone")
    with _timed_server(ring) as used_server:
        pass
    return PrefectShare(new_server, used_server, own["empty_flow"], own["task"])


@contextmanager
def _timed_server(ring: Contest) -> Iterator[float]:
    started = perf_counter()
    with prefect_server(ring.directory / "prefect"):
        yield perf_counter() - started


def _round(ring: Contest, views: int) -> dict[str, Measured]:
    """Run each once, and the quick ones several times in turn: theirs is the middle one."""
    quick = [{FLOOR: ring.measure("floor"), **_harvests(ring, "harvest_steps", FIRST, UNCHANGED)} for _ in range(_QUICK_RUNS)]
    for turn in quick:
        _check_same({name: [measured] for name, measured in turn.items()})
    return {
        **{name: sorted((turn[name] for turn in quick), key=_wall)[_QUICK_RUNS // 2] for name in (FLOOR, FIRST, UNCHANGED)},
        SCRIPT: ring.measure("free_busy_script"),
        VIEWS: ring.measure("calendar_views", calendars=views),
    }


def _wall(measured: Measured) -> float:
    return measured.wall_seconds


def _harvests(ring: Contest, contender: str, first: str, unchanged: str) -> dict[str, Measured]:
    """Harvest an empty home, and once more what did not change."""
    with ring.fresh_home() as home:
        return {name: ring.measure(contender, home=home) for name in (first, unchanged)}


def _check_views(ring: Contest, views: int) -> None:
    """Check that calendar views tell the same, on the calendars that they are asked for."""
    _check_same({name: [ring.measure(name, calendars=views)] for name in ("calendar_views", "floor")})


def _check_same(results: Mapping[str, Sequence[Measured]]) -> None:
    counts = {name: sorted({run.intervals for run in runs}) for name, runs in results.items()}
    if len({count for found in counts.values() for count in found}) != 1:
        raise DifferentAnswersError(f"intervals read by each: {counts}")


if __name__ == "__main__":
    main()
