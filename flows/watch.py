"""The watch: what is wrong is written down and told. It leaves no row among the runs, only among the alarms."""

from prefect import flow
from prefect.client.schemas.objects import State

from busytime.model import RunStatus
from flows.fan_out import named_state
from flows.options import WatchOptions
from flows.showing import show_watch
from tasks.alarms import tell_alarms
from tasks.telling import Told

_DEFAULT = WatchOptions()


@flow(name="watch")
def watch(options: WatchOptions = _DEFAULT) -> State[Told]:  # noqa: ARG001 -- every flow has a form
    """Look what is wrong, and tell the receivers of alarms; every few minutes."""
    told = tell_alarms()
    show_watch(told, describe(told))
    status = RunStatus.COMPLETED_WITH_FAILURES if told.failed else RunStatus.COMPLETED
    return named_state(status, describe(told), told)


def describe(told: Told) -> str:
    """Say in one line what the look came to."""
    failed = f"; nothing reached {', '.join(told.failed)}" if told.failed else ""
    return f"alarms that stand: {len(told.standing)}; messages sent: {told.sent}{failed}"
