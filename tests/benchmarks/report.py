"""What was measured, as tables: medians over the rounds, and beside each ratio its aim."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from rich.console import Console
from rich.table import Table

from tests.benchmarks.contender import Measured

#: Measured of each contender, in order of the rounds.
Results = Mapping[str, Sequence[Measured]]

FIRST, UNCHANGED = "first", "unchanged"
FLOW_FIRST, FLOW_UNCHANGED = "flow first", "flow unchanged"
SCRIPT, VIEWS, FLOOR = "script", "views", "floor"

_ROWS = {
    FIRST: "(a) first harvest, without Prefect",
    UNCHANGED: "(a) unchanged harvest, without Prefect",
    FLOW_FIRST: "(a) first harvest, the flow",
    FLOW_UNCHANGED: "(a) unchanged harvest, the flow",
    SCRIPT: "(b) get_free_busy_info and to_sql",
    VIEWS: "(c) a calendar view of each mailbox",
    FLOOR: "(d) requests and lxml, nothing stored",
}


@dataclass(frozen=True, slots=True)
class PrefectShare:
    """What Prefect takes for itself, in seconds."""

    new_server: float
    used_server: float
    empty_flow: float
    task: float


@dataclass(frozen=True, slots=True)
class Aim:
    """A ratio of two contenders, and how large or small it should be."""

    text: str
    ours: str
    theirs: str
    bound: float
    at_most: bool = False

    def ratios(self, results: Results) -> list[float]:
        """Return the ratio in each round: of speed, or of processor time where it should be small."""
        worth: Callable[[Measured], float] = cpu_of_a_calendar if self.at_most else speed
        pairs = zip(results[self.ours], results[self.theirs], strict=True)
        return [worth(ours) / worth(theirs) for ours, theirs in pairs]

    def met(self, ratio: float) -> bool:
        return ratio <= self.bound if self.at_most else ratio >= self.bound


AIMS = (
    Aim("unchanged, times (b)", UNCHANGED, SCRIPT, 8),
    Aim("unchanged, times (c)", UNCHANGED, VIEWS, 20),
    Aim("first, times (b)", FIRST, SCRIPT, 5),
    Aim("unchanged, processor time of (d)", UNCHANGED, FLOOR, 2.5, at_most=True),
    Aim("first, processor time of (d)", FIRST, FLOOR, 2.5, at_most=True),
    Aim("unchanged flow, times (b)", FLOW_UNCHANGED, SCRIPT, 8),
    Aim("unchanged flow, times (c)", FLOW_UNCHANGED, VIEWS, 20),
    Aim("first flow, times (b)", FLOW_FIRST, SCRIPT, 5),
)


def speed(measured: Measured) -> float:
    return measured.calendars_a_second


def cpu_of_a_calendar(measured: Measured) -> float:
    return measured.cpu_ms_a_calendar


def show(results: Results, prefect: PrefectShare) -> None:
    screen = Console(width=130, highlight=False)
    screen.print(_contenders(results))
    screen.print("Memory: the peak of resident memory above what the process had with everything imported, and that base.")
    screen.print(f"(c) read {results[VIEWS][0].calendars} mailboxes; its figures are for each calendar, as all are.\n")
    screen.print(_aims(results))
    screen.print(_prefect(results, prefect))


def _contenders(results: Results) -> Table:
    calendars, rounds = results[FLOOR][0].calendars, len(results[FLOOR])
    intervals = results[FLOOR][0].intervals
    table = Table(
        title=f"{calendars} calendars, {intervals} busy intervals, two requests in flight; medians of {rounds} rounds",
        title_justify="left",
    )
    table.add_column("contender", no_wrap=True)
    for heading in ("calendars/s", "slowest-fastest", "processor ms/calendar", "memory MiB (base)"):
        table.add_column(heading, justify="right")
    for name, text in _ROWS.items():
        runs = results[name]
        speeds = [speed(run) for run in runs]
        table.add_row(
            text,
            f"{median(speeds):,.0f}",
            f"{min(speeds):,.0f}-{max(speeds):,.0f}",
            f"{median(map(cpu_of_a_calendar, runs)):.2f}",
            f"{median(run.grown_mib for run in runs):.0f} ({median(run.base_mib for run in runs):.0f})",
        )
    return table


def _aims(results: Results) -> Table:
    table = Table(title="Ratios, of runs in the same round", title_justify="left")
    table.add_column("ratio")
    for heading in ("median", "all rounds", "aim", "met"):
        table.add_column(heading, justify="right")
    for aim in AIMS:
        ratios = aim.ratios(results)
        middle = median(ratios)
        table.add_row(
            aim.text,
            f"{middle:.1f}",
            " ".join(f"{ratio:.1f}" for ratio in ratios),
            f"{'at most' if aim.at_most else 'at least'} {aim.bound:g}",
            "yes" if aim.met(middle) else "[bold]no[/]",
        )
    return table


def _prefect(results: Results, prefect: PrefectShare) -> Table:
    wall = {name: median(run.wall_seconds for run in runs) for name, runs in results.items()}
    table = Table(title="Prefect's share", title_justify="left")
    table.add_column("what")
    table.add_column("seconds", justify="right")
    for text, seconds in (
        ("starting its server, in a new home", prefect.new_server),
        ("starting its server, in a used home", prefect.used_server),
        ("a flow run that does nothing", prefect.empty_flow),
        ("a task that does nothing", prefect.task),
        ("first harvest: the flow, less the same without Prefect", wall[FLOW_FIRST] - wall[FIRST]),
        ("unchanged harvest, likewise", wall[FLOW_UNCHANGED] - wall[UNCHANGED]),
    ):
        table.add_row(text, f"{seconds:.3f}")
    return table
