"""What every flow shares: many tasks at once, what came of them, and a final state that says so."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar

from prefect import Task, unmapped
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.states import Completed, Failed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from prefect.utilities import callables
from pydantic import ConfigDict

from busytime.diagnoses import with_section
from busytime.errors import BusyTimeError, ConfigurationError, FatalError
from busytime.model import RunStatus
from busytime.outcomes import LOGON_REASONS
from tasks.probe import probe_connection
from tasks.runs import HeldLock, OpenRun

T = TypeVar("T")
P = ParamSpec("P")
#: What became of each connection of a run, by its id: its lock, or the error that ended its part of the work.
Fates = dict[int, object]

#: More threads than requests at once: one batch is read while another is written.
RUNNER: TaskRunner[PrefectFuture[Any]] = ThreadPoolTaskRunner(max_workers=4)  # type: ignore[assignment]  # its own future is narrower


#: What a run says that comes later than it was due, and finds that its work is done.
OVERTAKEN = "a later run was here first; nothing is to be done"

#: So many parts are begun before the first of them has ended: enough for all threads, and few enough to stop soon.
_AHEAD = 32


class OnlyOptions(callables.ParameterSchema):
    """What a deployment takes: a flow's options, and nothing beside them."""

    model_config = ConfigDict(extra="allow")

    def __init__(self, **schema: Any) -> None:
        """Say so in what Prefect makes of a flow's signature."""
        super().__init__(**schema, additionalProperties=False)


# Prefect's own schema has no word for it. Its server would take what no flow knows, and the run crash before it could say why.
callables.ParameterSchema = OnlyOptions  # type: ignore[misc]


class EndState(State[T]):
    """A final state whose name and message tell all, and whose result is the outcome, however the run ended.

    Prefect's engine asks each state for its result. That of a failed one it would raise, with a traceback in the run's log
    and the whole outcome in its words, addresses among them.
    """

    def result(self, *_: object, **__: object) -> T | Exception:  # type: ignore[override]  # the same with and without raising
        """Return the outcome, or the error of ours that stands for it; raise neither."""
        return super().result(raise_on_failure=False)


class Part(Protocol):
    """What a step works on: something of one connection."""

    @property
    def connection_id(self) -> int:
        """The connection."""


def telling_why(body: Callable[P, State[T]]) -> Callable[P, State[T]]:
    """Let a flow that an error of ours ends say why in its final state, which the page shows, instead of in a traceback."""

    @wraps(body)
    def told(*args: P.args, **kwargs: P.kwargs) -> State[T]:
        try:
            return body(*args, **kwargs)
        except BusyTimeError as error:
            refused = isinstance(error, ConfigurationError) or error.reason in LOGON_REASONS
            name = "Refused" if refused else "Failed"
            return Failed(EndState, name=name, message=with_section(str(error), error.reason), data=error)

    return told


def settled(futures: Iterable[PrefectFuture[Any]]) -> list[object]:
    """Wait for mapped tasks, and return for each what it returned or raised."""
    return [future.result(raise_on_failure=False) for future in futures]


def log_on(run: OpenRun, locks: Sequence[HeldLock]) -> tuple[list[HeldLock], Fates]:
    """Probe connections; return the locks of those that can be worked through, and what became of each."""
    probes = settled(probe_connection.map(unmapped(run), list(locks)))
    return [it for it in probes if isinstance(it, HeldLock)], {
        lock.connection_id: it for lock, it in zip(locks, probes, strict=True)
    }


def note_ends(fates: Fates, connection_ids: Iterable[int], results: Iterable[object]) -> None:
    """Note which connections something fatal has ended, among what parts of the work came to."""
    for connection_id, result in zip(connection_ids, results, strict=True):
        error = result if isinstance(result, BaseException) else getattr(result, "error", None)
        if isinstance(error, FatalError) and not isinstance(fates.get(connection_id), BaseException):
            fates[connection_id] = error


def spread(step: Task[[Any], Any], parts: Sequence[Part], fates: Fates) -> list[object]:
    """Run a step for many parts, and return for each what it returned or raised, in their order.

    Once something fatal ended a part, which is noted among the fates, no other part of its connection is begun: each of
    them has that error in its place.
    """
    ended: list[object] = []
    under_way: deque[PrefectFuture[Any] | BaseException] = deque()

    def settle_first() -> None:
        first, connection_id = under_way.popleft(), parts[len(ended)].connection_id
        result = first if isinstance(first, BaseException) else first.result(raise_on_failure=False)
        note_ends(fates, [connection_id], [result])
        ended.append(result)

    for part in parts:
        if len(under_way) >= _AHEAD:
            settle_first()
        fate = fates.get(part.connection_id)
        under_way.append(fate if isinstance(fate, BaseException) else step.submit(part))
    while under_way:
        settle_first()
    return ended


def named_state(status: RunStatus, message: str, outcome: T) -> State[T]:
    """Return a final state with the run's status as its name, so that Prefect's page tells what came out."""
    name = status.replace("_", " ").capitalize()
    kind = Failed if status in {RunStatus.FAILED, RunStatus.REFUSED} else Completed
    return kind(EndState, name=name, message=message, data=outcome)
