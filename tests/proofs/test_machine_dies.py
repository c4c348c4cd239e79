"""A machine that dies with a run on it: another machine closes the run as crashed, and harvests on."""

from __future__ import annotations

from contextlib import ExitStack

import psutil

from tests.flows.harness import eventually
from tests.integration.cli.service_process import STARTS_WITHIN_SECONDS, said_first, second_machine, serving


def test_what_a_dead_machine_left_is_crashed_and_done_by_another(home, exchange, person):
    home.prefect_api = ""
    home.more["BUSYTIME_HARVEST_SCHEDULE"] = "* * * * *"
    with ExitStack() as machines:
        first, page, _ = machines.enter_context(serving(home))
        said_first(first)
        second, _, _ = machines.enter_context(serving(second_machine(home, page)))
        said_first(second)
        [worker] = [it for it in psutil.Process(first.pid).children(recursive=True) if it.cmdline()[1:3] == ["-m", "prefect"]]
        worker.suspend()
        exchange.control("POST", "/limits", {"latency_ms": 60_000})
        home.take_roster(person(), person()).ended(0)
        eventually(lambda: "running" in home.run_statuses(), "the second machine harvests", STARTS_WITHIN_SECONDS)

        for process in [*psutil.Process(second.pid).children(recursive=True), second]:
            process.kill()
        exchange.control("POST", "/limits", {"latency_ms": 0})
        worker.resume()
        ours = {"completed", "crashed"}
        eventually(lambda: ours <= set(home.run_statuses()), "the first machine harvests on", STARTS_WITHIN_SECONDS)
