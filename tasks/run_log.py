"""What runs say in the log: their beginning, steps and end, with the run's id on every line of the process meanwhile.

Numbers, names of flows and steps, and reasons of the closed list; never an address, a server's words or what guests wrote.
It must not know Prefect: commands that never start it write lines, too.
"""

import logging
from collections.abc import Mapping

from busytime.errors import Reason
from busytime.model import Outcome, RunStatus, Trigger
from busytime.store.runs import Attempt

_LOG = logging.getLogger("busytime.runs")


class _Present:
    """The run that is at work in this process: a worker gives each a process of its own."""

    ids: Mapping[str, object] = {}


def present_ids() -> Mapping[str, object]:
    """Return the ids of the run that is at work in this process; none where none is."""
    return _Present.ids


def say_begun(run_id: int, flow: str, trigger: Trigger, flow_run_id: str | None) -> None:
    """Say that a run has begun, and put its ids on all lines from now on."""
    _Present.ids = {"run_id": run_id} | ({"flow_run_id": flow_run_id} if flow_run_id else {})
    _LOG.info("%s began, by %s.", flow, trigger)


def say_step(attempt: Attempt) -> None:
    """Say how an attempt at a step ended."""
    level = logging.INFO if attempt.outcome is Outcome.APPLIED else logging.WARNING
    reason = f", {attempt.reason}" if attempt.reason else ""
    told = (attempt.step, attempt.target, attempt.attempt, attempt.outcome, reason, attempt.duration_ms, attempt.calendars)
    _LOG.log(level, "%s %s, attempt %d: %s%s, %d ms, %d calendars.", *told)


def say_ended(run_id: int, status: RunStatus, reason: Reason | None, counts: Mapping[str, int] | None) -> None:
    """Say how a run ended."""
    level = logging.INFO if status in {RunStatus.COMPLETED, RunStatus.SKIPPED} else logging.WARNING
    counted = "".join(f", {name} {count}" for name, count in (counts or {}).items())
    extra = None if _Present.ids.get("run_id") == run_id else {"run_id": run_id}
    _LOG.log(level, "Ended as %s%s%s.", status, f", {reason}" if reason else "", counted, extra=extra)
    _Present.ids = {}
