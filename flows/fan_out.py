"""What every flow shares: many tasks at once, what came of them, and a final state that says so."""

from collections.abc import Iterable
from typing import Any, TypeVar

from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.states import Completed, Failed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from busytime.model import RunStatus

T = TypeVar("T")

#: More threads than requests at once: one batch is read while another is written.
RUNNER: TaskRunner[PrefectFuture[Any]] = ThreadPoolTaskRunner(max_workers=4)  # type: ignore[assignment]  # its own future is narrower


def settled(futures: Iterable[PrefectFuture[Any]]) -> list[object]:
    """Wait for mapped tasks, and return for each what it returned or raised."""
    return [future.result(raise_on_failure=False) for future in futures]


def named_state(status: RunStatus, message: str, outcome: T) -> State[T]:
    """Return a final state with the run's status as its name, so that Prefect's page tells what came out."""
    name = status.replace("_", " ").capitalize()
    kind = Failed if status in {RunStatus.FAILED, RunStatus.REFUSED} else Completed
    return kind(name=name, message=message, data=outcome)
