"""How many requests a validation costs, counted in the server's own log: `python -m tests.benchmarks.validation`.

Every calendar has items that somebody else made and is `main` on a page, so both needs are judged. The figures are
requests a calendar, the log-on probe included; a batch of 100 calendars shares its requests for rights on items.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from deployments.prefect_server import prefect_server
from tests.flows.harness import Home
from tests.flows.permitting import validate
from tests.sandbox_fixture import RunningSandbox, running_sandbox

#: Requests a calendar that are not to be exceeded.
MOST = {"items": 1.3, "exchange": 2.3}


@dataclass(frozen=True)
class Cost:
    """What one validation cost.

    Args:
        style: How the server computes a folder's rights.
        calendars: How many were validated.
        requests: Requests by operation.
        verdicts: Verdicts by name.
    """

    style: str
    calendars: int
    requests: Counter[str]
    verdicts: Counter[str]

    @property
    def each(self) -> float:
        """Requests a calendar."""
        return sum(self.requests.values()) / self.calendars


def measure(home: Home, exchange: RunningSandbox, style: str, calendars: int) -> Cost:
    """Validate generated calendars in a home that has none yet, and count what reaches the server."""
    exchange.control("POST", "/limits", {"rights_style": style})
    owners = [f"owner{number:04}@corp.example" for number in range(1, calendars + 1)]
    pages = [line for number, owner in enumerate(owners) for line in (f"  - name: page{number}", f"    main: {owner}")]
    home.take_roster(*owners, pages=pages).ended(0)
    home.connect().ended(0)
    before = exchange.log()[-1]["n"]
    found = validate(home, 0)
    requests = Counter(entry["operation"] for entry in exchange.log(before))
    return Cost(style, calendars, requests, Counter(it["verdict"] for it in found.values()))


def main() -> None:
    """Measure both styles, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calendars", type=int, default=1000)
    calendars = parser.parse_args().calendars
    print(f"{'style':<10}{'calendars':>10}{'requests':>10}{'each':>8}{'most':>6}  by operation")
    with tempfile.TemporaryDirectory() as directory, prefect_server(Path(directory) / "prefect") as api:
        os.environ["PREFECT_API_URL"] = api
        for style, most in MOST.items():
            with running_sandbox("--owners", str(calendars)) as exchange:
                path = Path(directory) / style / "home"
                path.parent.mkdir()
                cost = measure(Home(path, exchange, api), exchange, style, calendars)
            operations = ", ".join(f"{name} {count}" for name, count in sorted(cost.requests.items()))
            total = sum(cost.requests.values())
            print(f"{style:<10}{calendars:>10}{total:>10}{cost.each:>8.3f}{most:>6}  {operations}; {dict(cost.verdicts)}")


if __name__ == "__main__":
    main()
