"""Outcomes: what a run came to, judged from what its steps returned. Pure rules."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from busytime.discovering import OwnerChanges, SeenInvitation
from busytime.errors import BusyTimeError, FatalError, Reason
from busytime.harvesting import BatchResult, FailedCalendar
from busytime.model import Calendar, RunStatus
from busytime.permissions import Verdict
from busytime.verdicts import Finding

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


@dataclass(frozen=True, slots=True)
class ValidationOutcome:
    """What a validation came to.

    Args:
        run_id: The run.
        status: How it ended.
        findings: One for each calendar and need.
        reason: Why it was refused or failed.
        message: What the first error said, for a person.
    """

    run_id: int
    status: RunStatus
    findings: tuple[Finding, ...] = ()
    reason: Reason | None = None
    message: str | None = None

    @property
    def counts(self) -> dict[str, int]:
        """How many of each verdict; kept with the run."""
        found = Counter(finding.conclusion.verdict for finding in self.findings)
        return {str(verdict): found[verdict] for verdict in Verdict}

    @property
    def worse(self) -> tuple[Finding, ...]:
        """What got worse since the last time."""
        return tuple(finding for finding in self.findings if finding.worse)


@dataclass(frozen=True, slots=True)
class DiscoveryOutcome:
    """What a discovery came to.

    Args:
        run_id: The run.
        status: How it ended.
        owners: Every owner that was looked at, with what that changed.
        invitations: Sharing invitations that waited.
        reason: Why it was refused or failed.
        message: What the first error said, for a person.
    """

    run_id: int
    status: RunStatus
    owners: tuple[OwnerChanges, ...] = ()
    invitations: tuple[SeenInvitation, ...] = ()
    reason: Reason | None = None
    message: str | None = None


def _first_error(probes: Sequence[object], steps: Sequence[object]) -> tuple[BusyTimeError | None, RunStatus | None]:
    """Return the error that says most of a run, and how the run ended if that error ended it.

    Raises:
        BaseException: A step ended by an error that is none of ours; it is not judged, it is raised.
    """
    ended = [*probes, *steps]
    for step in ended:
        if isinstance(step, BaseException) and not isinstance(step, BusyTimeError):
            raise step
    errors = [step for step in ended if isinstance(step, BusyTimeError)]
    fatal = next((error for error in errors if isinstance(error, FatalError)), None)
    first = fatal or next(iter(errors), None)
    if first is None or not (fatal or (probes and all(isinstance(step, BusyTimeError) for step in probes))):
        return first, None
    return first, RunStatus.REFUSED if first.reason in LOGON_REASONS else RunStatus.FAILED


def judge_harvest(
    run_id: int, probes: Sequence[object], batches: Sequence[object], unserved: Sequence[Calendar] = ()
) -> HarvestOutcome:
    """Judge a harvest by what its steps returned or raised.

    Args:
        run_id: The run.
        probes: For each connection the value that its probe returned, or its error.
        batches: For each batch its result, or its error.
        unserved: Calendars that no connection serves.

    Raises:
        BaseException: A step ended by an error that is none of ours.
    """
    error, ended_as = _first_error(probes, batches)
    lost = tuple(FailedCalendar(calendar.owner, calendar.folder, Reason.NO_CONNECTION) for calendar in unserved)
    result = sum((step for step in batches if isinstance(step, BatchResult)), BatchResult(unknown=len(lost), failed=lost))
    whole = error is None and not result.failed and not result.unknown
    status = ended_as or (RunStatus.COMPLETED if whole else RunStatus.COMPLETED_WITH_FAILURES)
    return HarvestOutcome(run_id, status, result, error.reason if error else None, str(error) if error else None)


def judge_validation(run_id: int, probes: Sequence[object], batches: Sequence[object]) -> ValidationOutcome:
    """Judge a validation by what its steps returned or raised.

    Args:
        run_id: The run.
        probes: For each connection the value that its probe returned, or its error.
        batches: For each batch its findings, or its error.

    Raises:
        BaseException: A step ended by an error that is none of ours.
    """
    error, ended_as = _first_error(probes, batches)
    findings = tuple(finding for step in batches if isinstance(step, list) for finding in step)
    whole = error is None and all(finding.conclusion.verdict is Verdict.GRANTED for finding in findings)
    status = ended_as or (RunStatus.COMPLETED if whole else RunStatus.COMPLETED_WITH_FAILURES)
    return ValidationOutcome(run_id, status, findings, error.reason if error else None, str(error) if error else None)


def judge_discovery(
    run_id: int, probes: Sequence[object], shared: Sequence[object], batches: Sequence[object]
) -> DiscoveryOutcome:
    """Judge a discovery by what its steps returned or raised.

    Args:
        run_id: The run.
        probes: For each connection the value that its probe returned, or its error.
        shared: For each connection its invitations and what other organisations share with it, or its error.
        batches: For each batch of owners what was seen of them, or its error.

    Raises:
        BaseException: A step ended by an error that is none of ours.
    """
    error, ended_as = _first_error(probes, [*shared, *batches])
    invitations = tuple(it for step in shared if isinstance(step, tuple) for it in step[0])
    owners = [it for step in shared if isinstance(step, tuple) for it in step[1]]
    owners += [it for step in batches if isinstance(step, list) for it in step]
    whole = error is None and all(it.discovery.reason is None for it in owners)
    status = ended_as or (RunStatus.COMPLETED if whole else RunStatus.COMPLETED_WITH_FAILURES)
    reason, message = (error.reason, str(error)) if error else (None, None)
    return DiscoveryOutcome(run_id, status, tuple(owners), invitations, reason, message)
