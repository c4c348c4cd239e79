"""The harvest without Prefect: the flow's own body, with each of its tasks replaced by the task's own body.

So it does what the flow does, whatever the flow will do; only Prefect's share is left out.
"""

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from prefect import Task, unmapped

from busytime.outcomes import HarvestOutcome
from flows import harvest_busy_time as flow_module
from tasks.workspace import workspace
from tests.benchmarks.contender import IN_FLIGHT, Facts, measure
from tests.benchmarks.contenders.stored import stored_intervals


class BareTask:
    """A task as a plain function; mapped in as many threads as requests may be under way."""

    def __init__(self, task: Task[..., Any], pool: ThreadPoolExecutor) -> None:
        self._body = task.fn
        self._pool = pool

    def __call__(self, *args: Any) -> Any:
        return self._body(*args)

    def map(self, *args: Any) -> list["Settled"]:
        count = next(len(arg) for arg in args if not isinstance(arg, unmapped))
        columns: list[Iterable[Any]] = [[arg.value] * count if isinstance(arg, unmapped) else arg for arg in args]
        return [Settled(self._pool.submit(self._body, *row)) for row in zip(*columns, strict=True)]


class Settled:
    """What a mapped task gives back; here an error ends the measurement."""

    def __init__(self, future: Future[Any]) -> None:
        self._future = future

    def result(self, **_: Any) -> Any:
        return self._future.result()


def main() -> None:
    facts = Facts.read()
    workspace()
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        for name, value in list(vars(flow_module).items()):
            if isinstance(value, Task):
                setattr(flow_module, name, BareTask(value, pool))
        measure(len(facts.owners), harvest, lambda outcome: checked(outcome, facts))
    workspace().close()


def harvest() -> HarvestOutcome:
    outcome: HarvestOutcome = flow_module.harvest_busy_time.fn().result()
    return outcome


def checked(outcome: HarvestOutcome, facts: Facts) -> int:
    """Refuse what was no good harvest, or changed something the second time; return how many intervals are stored."""
    result = outcome.result
    is_first = outcome.run_id == 1
    if result.known != len(facts.owners) or bool(result.opened) is not is_first or result.closed:
        raise RuntimeError(f"the harvest came to {result}")
    return stored_intervals()


if __name__ == "__main__":
    main()
