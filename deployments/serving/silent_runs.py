"""Runs whose process or machine is gone: Prefect is told to call them crashed once their heartbeat has stopped.

Our own tables do not need it; the page would show such a run as running for ever, and its place among the runs that may be
active at once would stay taken.
"""

from datetime import timedelta

from busytime.model import RunStatus
from deployments.prefect_server import HEARTBEAT_SECONDS

_SILENT = timedelta(seconds=3 * HEARTBEAT_SECONDS)
#: What the last states of runs are called. "Running" is none: Prefect tells it after the first sign of life.
_ENDS = ("Cancelled", "TimedOut", *(it.replace("_", " ").capitalize() for it in RunStatus if it is not RunStatus.RUNNING))
_NAME = "busytime: a silent run has crashed"


def crash_silent_runs() -> None:
    """Make the automation on the server that `PREFECT_API_URL` names, if it is not there yet."""
    # Prefect's settings are read when it is imported.
    from prefect.client.orchestration import get_client  # noqa: PLC0415
    from prefect.client.schemas.objects import StateType  # noqa: PLC0415
    from prefect.events.actions import ChangeFlowRunState  # noqa: PLC0415
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture  # noqa: PLC0415
    from prefect.events.schemas.events import ResourceSpecification  # noqa: PLC0415

    with get_client(sync_client=True) as client:
        if client.read_automations_by_name(_NAME):
            return
        trigger = EventTrigger(
            after={"prefect.flow-run.heartbeat"},
            expect={f"prefect.flow-run.{name}" for name in ("heartbeat", *_ENDS)},
            match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=_SILENT,
        )
        said = f"No sign of life for {_SILENT.total_seconds():.0f} s: its process or its machine is gone."
        crash = ChangeFlowRunState(state=StateType.CRASHED, message=said)
        client.create_automation(AutomationCore(name=_NAME, description=said, trigger=trigger, actions=[crash]))
