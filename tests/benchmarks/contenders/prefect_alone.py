"""Prefect's own share: what a flow run costs that does nothing, and what each task adds to it."""

import json
from statistics import median
from time import perf_counter

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.task_runners import ThreadPoolTaskRunner

from tests.benchmarks.contender import Facts

#: Few and many: the first ones pass beside what a flow run waits for anyway, so only the difference tells.
FEW, MANY = 20, 200
REPETITIONS = 3


@task(cache_policy=NO_CACHE)
def nothing(number: int) -> int:
    return number


@flow(task_runner=ThreadPoolTaskRunner(max_workers=4))
def tasks(count: int) -> None:
    nothing.map(range(count)).result()


def seconds_of(count: int) -> float:
    started = perf_counter()
    tasks(count)
    return perf_counter() - started


def main() -> None:
    Facts.read()
    seconds_of(1)  # the first run of a process connects
    rounds = [[seconds_of(count) for count in (0, FEW, MANY)] for _ in range(REPETITIONS)]
    empty, few, many = (median(column) for column in zip(*rounds, strict=True))
    print(json.dumps({"empty_flow": empty, "task": (many - few) / (MANY - FEW)}))


if __name__ == "__main__":
    main()
