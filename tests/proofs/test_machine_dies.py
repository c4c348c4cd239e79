"""A machine that dies with a run on it: another machine closes the run as crashed, and harvests on."""

from __future__ import annotations

from contextlib import ExitStack

import psutil

from tests.flows.harness import eventually
from tests.integration.cli.service_process import STARTS_WITHIN_SECONDS, said_first, second_machine, serving

#: A harvest that was whole, after one that was lost.
HARVESTED_ON = """
    SELECT whole.id FROM runs AS whole JOIN runs AS lost ON lost.flow = whole.flow AND lost.id < whole.id
    WHERE whole.flow = 'harvest_busy_time' AND whole.status = 'completed' AND lost.status = 'crashed'
"""


def harvests(home, machine):
    """Tell whether one of a machine's processes holds the lock of a harvest."""
    holders = {number for (number,) in home.query("SELECT process_id FROM locks WHERE name LIKE 'harvest_busy_time:%'")}
    return bool(holders & {it.pid for it in psutil.Process(machine.pid).children(recursive=True)})


def test_what_a_dead_machine_left_is_crashed_and_done_by_another(home, exchange, person):
    home.prefect_api = ""
    home.more["BUSYTIME_HARVEST_SCHEDULE"] = "* * * * *"
    with ExitStack() as machines:
        first, page, _ = machines.enter_context(serving(home))
        said_first(first)
        second, _, _ = machines.enter_context(serving(second_machine(home, page)))
        said_first(second)
        [worker] = [it for it in psutil.Process(first.pid).children(recursive=True) if it.cmdline()[1:3] == ["-m", "prefect"]]
        # A worker starts runs some seconds before they are due: these wait in processes of their own.
        stopped = [worker, *worker.children(recursive=True)]
        for process in stopped:
            process.suspend()
        # Before the server is slow: an import logs on as well, and two log-ons without an answer use up the machine's share.
        home.take_roster(person(), person()).ended(0)
        exchange.control("POST", "/limits", {"latency_ms": 60_000})
        eventually(lambda: harvests(home, second), "the second machine harvests", STARTS_WITHIN_SECONDS)

        for process in [*psutil.Process(second.pid).children(recursive=True), second]:
            process.kill()
        exchange.control("POST", "/limits", {"latency_ms": 0})
        for process in stopped:
            process.resume()
        eventually(lambda: home.query(HARVESTED_ON), "the first machine harvests on", STARTS_WITHIN_SECONDS)
