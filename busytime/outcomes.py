"""Outcomes: what a run came to, judged from what its steps returned. Pure rules."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from busytime.errors import BusyTimeError, FatalError, Reason
from busytime.harvesting import BatchResult, FailedCalendar
from busytime.model import Calendar, RunStatus

#: No log-on is possible: somebody has to act before the next run can do better.
LOGON_REASONS = frozenset(
    {Reason.LOGON_REFUSED, Reason.BREAKER_OPEN, Reason.ALLOWANCE_USED_UP, Reason.KEY_MISSING, Reason.NO_CONNECTION}
)


@dataclass(frozen=True, slots=True)
class HarvestOutcome:
    """What a harvest came to.

    Args:
        run_id: The run.
        status: How it ended.
        result: Its batches, added up.
        reason: Why it was refused or failed.
        message: What the first error said, for a person.
    """

    run_id: int
    status: RunStatus
    result: BatchResult = field(default_factory=BatchResult)
    reason: Reason | None = None
    message: str | None = None

    @property
    def counts(self) -> dict[str, int]:
        """The counts that are kept with the run."""
        return {
            "known": self.result.known,
            "unknown": self.result.unknown,
            "opened": self.result.opened,
            "closed": self.result.closed,
            "failed": len(self.result.failed),
        }


def judge_harvest(
    run_id: int,
    probes: Sequence[object],
    batches: Sequence[object],
    unserved: Sequence[Calendar] = (),
) -> HarvestOutcome:
    """Judge a harvest by what its steps returned or raised.

    Args:
        run_id: The run.
        probes: For each connection the value that its probe returned, or its error.
        batches: For each batch its result, or its error.
        unserved: Calendars that no connection serves.

    Raises:
        BaseException: A step ended by an error that is none of ours; it is not judged, it is raised.
    """
    steps = [*probes, *batches]
    for step in steps:
        if isinstance(step, BaseException) and not isinstance(step, BusyTimeError):
            raise step
    errors = [step for step in steps if isinstance(step, BusyTimeError)]
    lost = tuple(FailedCalendar(calendar.owner, calendar.folder, Reason.NO_CONNECTION) for calendar in unserved)
    result = sum((step for step in batches if isinstance(step, BatchResult)), BatchResult(unknown=len(lost), failed=lost))
    fatal = next((error for error in errors if isinstance(error, FatalError)), None)
    first = fatal or next(iter(errors), None)
    if fatal is not None or (probes and all(isinstance(step, BusyTimeError) for step in probes)):
        status = RunStatus.REFUSED if first and first.reason in LOGON_REASONS else RunStatus.FAILED
    elif errors or result.failed or result.unknown:
        status = RunStatus.COMPLETED_WITH_FAILURES
    else:
        status = RunStatus.COMPLETED
    return HarvestOutcome(run_id, status, result, first.reason if first else None, str(first) if first else None)
