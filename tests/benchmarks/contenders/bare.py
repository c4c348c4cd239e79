"""A flow without Prefect: its own body, with each of its tasks replaced by the task's own body.

So it does what the flow does, whatever the flow will do; only Prefect's share is left out.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from prefect import Task, unmapped

from tests.benchmarks.contender import IN_FLIGHT


class BareTask:
    """A task as a plain function; mapped in as many threads as requests may be under way."""

    def __init__(self, task: Task[..., Any], pool: ThreadPoolExecutor) -> None:
        self._body = task.fn
        self._pool = pool

    def __call__(self, *args: Any, **named: Any) -> Any:
        return self._body(*args, **named)

    def map(self, *args: Any) -> list["Settled"]:
        count = next(len(arg) for arg in args if not isinstance(arg, unmapped))
        columns: list[Iterable[Any]] = [[arg.value] * count if isinstance(arg, unmapped) else arg for arg in args]
        return [self.submit(*row) for row in zip(*columns, strict=True)]

    def submit(self, *args: Any) -> "Settled":
        return Settled(self._pool.submit(self._body, *args))


class Settled:
    """What a mapped task gives back; here an error ends the measurement."""

    def __init__(self, future: Future[Any]) -> None:
        self._future = future

    def result(self, **_: Any) -> Any:
        return self._future.result()


@contextmanager
def bare_tasks(module: ModuleType) -> Iterator[None]:
    """Replace the tasks that a flow's module names; the process is measured and ends, so they stay replaced."""
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        for name, value in list(vars(module).items()):
            if isinstance(value, Task):
                setattr(module, name, BareTask(value, pool))
        yield
