"""Running a flow in this process, on the Prefect server that runs or on one of its own."""

import importlib
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

from busytime.errors import BusyTimeError, FatalError
from deployments.cli.output import messages
from deployments.prefect_server import PrefectServerError, prefect_server
from tasks.workspace import workspace

T = TypeVar("T")


class UnexpectedEndError(FatalError):
    """A flow ended without an outcome."""


def run_flow(name: str, outcome: type[T], **parameters: Any) -> T:
    """Run a flow, and return its outcome.

    Args:
        name: Name of the flow and of its file.
        outcome: What it ends with.
        parameters: What it takes.

    Raises:
        BusyTimeError: The flow could not start, or ended without an outcome.
    """
    home = workspace().settings.home / "prefect"
    with prefect_server(home):
        # Only now: Prefect reads its settings when it is imported.
        flow = getattr(importlib.import_module(f"flows.{name}"), name)
        state = _run(flow, parameters, home)
        ended: object = state.result(raise_on_failure=False)
    if isinstance(ended, outcome):
        return ended
    if isinstance(ended, BusyTimeError):
        raise ended
    raise UnexpectedEndError(f"The run ended as {state.name}; see Prefect's logs under {home}.")


def _run(flow: Any, parameters: dict[str, Any], home: Path) -> Any:
    """Run a flow to its final state; what its own steps raise is in that state, what comes out beside it is Prefect's."""
    try:
        return flow(**parameters, return_state=True)
    except Exception as error:  # noqa: BLE001 -- Prefect raises all kinds of things when its server is not there
        raise PrefectServerError(
            f"Prefect could not run the flow ({type(error).__name__}). Check that the server which PREFECT_API_URL names "
            f"answers, or unset it; see also the logs under {home}."
        ) from None


def waiting(text: str, *, quiet: bool) -> AbstractContextManager[Any]:
    """Show that something takes its time; nothing where nobody watches."""
    screen = messages()
    return nullcontext() if quiet or not screen.is_terminal else screen.status(text)
