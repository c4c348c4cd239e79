"""One contender's side: the facts it gets, and what it measures of itself. Every contender is a process of its own."""

import json
import resource
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Any

IN_FLIGHT = 2
OWNERS_IN_A_CALL = 100


@dataclass(frozen=True, slots=True)
class Facts:
    """What every contender is told: the server, whose calendars, which window."""

    ews_url: str
    ca_file: str
    email: str
    password: str
    owners: tuple[str, ...]
    window_start: datetime
    window_end: datetime

    @classmethod
    def read(cls) -> "Facts":
        told = json.loads(sys.stdin.read())
        start, end = (datetime.fromisoformat(told.pop(name)) for name in ("window_start", "window_end"))
        return cls(**told | {"owners": tuple(told["owners"])}, window_start=start, window_end=end)

    def to_json(self) -> str:
        return json.dumps(asdict(self), default=str)

    def batches(self) -> list[tuple[str, ...]]:
        return [self.owners[start : start + OWNERS_IN_A_CALL] for start in range(0, len(self.owners), OWNERS_IN_A_CALL)]


@dataclass(frozen=True, slots=True)
class Measured:
    """What one run took.

    Memory is the peak of resident memory (`ru_maxrss`); the base is that peak when everything is imported and nothing
    is read yet.
    """

    calendars: int
    intervals: int
    wall_seconds: float
    cpu_seconds: float
    base_mib: float
    peak_mib: float

    @property
    def calendars_a_second(self) -> float:
        return self.calendars / self.wall_seconds

    @property
    def cpu_ms_a_calendar(self) -> float:
        return 1000 * self.cpu_seconds / self.calendars

    @property
    def grown_mib(self) -> float:
        return self.peak_mib - self.base_mib


def measure(calendars: int, work: Callable[[], Any], count: Callable[[Any], int]) -> None:
    """Do the work once, and print what it took; how many intervals came of it is counted afterwards."""
    base, started = resource.getrusage(resource.RUSAGE_SELF), perf_counter()
    outcome = work()
    wall = perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime - base.ru_utime - base.ru_stime
    measured = Measured(calendars, count(outcome), wall, cpu, base.ru_maxrss / 1024, used.ru_maxrss / 1024)
    print(json.dumps(asdict(measured)))


def count_busy(intervals: Iterable[tuple[datetime, datetime, str]], facts: Facts) -> int:
    """Count what a harvest stores: not the free ones, and not those that only touch the window's edge."""
    return sum(status != "Free" and start < facts.window_end and end > facts.window_start for start, end, status in intervals)


def measure_rows(work: Callable[[], int]) -> None:
    """Do the work once, and print how many rows it came to, how long it took, and the memory of this very process."""
    base, started = _peak_mib(), perf_counter()
    rows = work()
    print(json.dumps({"rows": rows, "seconds": perf_counter() - started, "base_mib": base, "peak_mib": _peak_mib()}))


def _peak_mib() -> float:
    # The kernel's `ru_maxrss` begins with what the parent had.
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
