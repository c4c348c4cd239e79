"""Runs whose process died, in Prefect's eyes: it takes them for running until somebody says otherwise."""

from contextlib import suppress
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import State
from prefect.exceptions import ObjectNotFound
from prefect.states import Crashed


def call_crashed(client: SyncPrefectClient, flow_run_id: UUID, why: str) -> None:
    """Let Prefect know that a flow run is lost, unless it has ended or is forgotten.

    Args:
        client: How to reach Prefect's server.
        flow_run_id: The flow run.
        why: What its page is to say.
    """
    lost: State[None] = Crashed(message=why)
    with suppress(ObjectNotFound):
        state = client.read_flow_run(flow_run_id).state
        if state is None or not state.is_final():
            client.set_flow_run_state(flow_run_id, lost, force=True)
