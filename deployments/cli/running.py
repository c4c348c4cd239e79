"""Running a flow in this process, on the Prefect server that runs or on one of its own, and telling what it came to."""

import importlib
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol, TypeVar

from rich.markup import escape

from busytime.diagnoses import with_section
from busytime.errors import BusyTimeError, FatalError, Reason
from busytime.model import RunStatus
from deployments.cli.output import ExitStatus, exit_status_of_reason, finish, messages, output, print_json
from deployments.prefect_server import PrefectServerError, prefect_server
from flows.options import Options
from tasks.workspace import workspace


class RunOutcome(Protocol):
    """What the outcomes of all flows have in common."""

    @property
    def run_id(self) -> int | None:
        """The run; ``None`` where there was nothing to do."""

    @property
    def status(self) -> RunStatus:
        """How it ended."""

    @property
    def reason(self) -> Reason | None:
        """Why it was refused or failed."""

    @property
    def message(self) -> str | None:
        """What the first error said, for a person."""


T = TypeVar("T")
R = TypeVar("R", bound=RunOutcome)

#: What to do where a server that the user has named does not do its work, and where it is one of ours.
_CHECK_NAMED = "Check that the server which PREFECT_API_URL names answers, or unset it"
_AGAIN = "Its server has ended, with `busytime serve` perhaps; what was committed stays. Run the same command again"
#: An error ended these runs, and its message says what to do.
_BROKEN_OFF = frozenset({RunStatus.REFUSED, RunStatus.FAILED})


class UnexpectedEndError(FatalError):
    """A flow ended without an outcome."""


def run_flow(name: str, outcome: type[T], options: Options, *, services: bool = False) -> T:
    """Run a flow, and return its outcome.

    Args:
        name: Name of the flow and of its file.
        outcome: What it ends with.
        options: What is said to it.
        services: Whether a server that is started for it also does its own work beside it.

    Raises:
        BusyTimeError: The flow could not start, or ended without an outcome.
    """
    home = workspace().settings.home / "prefect"
    step = _CHECK_NAMED if "PREFECT_API_URL" in os.environ else _AGAIN
    with prefect_server(home, services=services):
        # Only now: Prefect reads its settings when it is imported.
        flow = getattr(importlib.import_module(f"flows.{name}"), name)
        state = _run(flow, options, f"{step}; see also the logs under {home}.")
        ended: object = state.result(raise_on_failure=False)
    if isinstance(ended, outcome):
        return ended
    if isinstance(ended, BusyTimeError):
        raise ended
    raise UnexpectedEndError(f"The run ended as {state.name}; see Prefect's logs under {home}.")


def _run(flow: Any, options: Options, step: str) -> Any:
    """Run a flow to its final state; what its own steps raise is in that state, what comes out beside it is Prefect's."""
    try:
        return flow(options, return_state=True)
    except Exception as error:  # noqa: BLE001 -- Prefect raises all kinds of things when its server is not there
        raise PrefectServerError(f"Prefect could not run the flow ({type(error).__name__}). {step}") from None


def waiting(text: str, *, quiet: bool) -> AbstractContextManager[Any]:
    """Show that something takes its time; nothing where nobody watches."""
    screen = messages()
    return nullcontext() if quiet or not screen.is_terminal else screen.status(text)


def tell_outcome(
    outcome: R,
    work: str,
    as_object: Callable[[R], dict[str, Any]],
    show: Callable[[R], None],
    *,
    as_json: bool,
    in_parts: bool = False,
) -> None:
    """Print what a run came to, and end the command with the status that it means.

    Args:
        outcome: What a flow ended with.
        work: What another run of this flow is called.
        as_object: Returns what `--json` prints besides run, status, reason and message.
        show: Prints it for a person.
        as_json: Whether to print one JSON object.
        in_parts: Whether a run that broke off has done things that are worth showing.
    """
    broken_off = outcome.status in _BROKEN_OFF
    if broken_off:
        said = with_section(outcome.message or "", outcome.reason)
        messages().print(f"[bold red]{outcome.status.capitalize()}[/]: {escape(said)}", soft_wrap=True)
    elif outcome.message:
        messages().print(f"[bold yellow]Not all was done[/]: {escape(outcome.message)}", soft_wrap=True)
    if as_json:
        why = {"reason": outcome.reason, "message": outcome.message}
        told = {"run_id": outcome.run_id, "status": outcome.status} | as_object(outcome)
        print_json(told | {name: value for name, value in why.items() if value})
    elif outcome.status is RunStatus.SKIPPED:
        output().print(f"[yellow]Skipped[/]: another {work} is at work. Nothing is to be done.")
    elif in_parts or not broken_off:
        show(outcome)
    finish(status_of(outcome))


def status_of(outcome: RunOutcome) -> ExitStatus:
    """Return the exit status that an outcome means."""
    if outcome.status in _BROKEN_OFF:
        return exit_status_of_reason(outcome.reason)
    if outcome.reason is Reason.GATE_CLOSED:
        return ExitStatus.REFUSED_BY_GATE
    return ExitStatus.NEEDS_ATTENTION if outcome.status is RunStatus.COMPLETED_WITH_FAILURES else ExitStatus.DONE
