"""Outcomes: what a run came to, judged from what its steps returned. Pure rules."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from busytime.bookings import ChangeResult, EntryState
from busytime.discovering import OwnerChanges, SeenInvitation
from busytime.errors import BusyTimeError, FatalError, Reason, UnsafePlanError
from busytime.harvesting import BatchResult
from busytime.model import Calendar, Outcome, RunStatus
from busytime.permissions import Verdict
from busytime.planning import Plan, PlannedChange, RefusedPage
from busytime.verdicts import Finding

#: No log-on is possible: somebody has to act before the next run can do better.
LOGON_REASONS = frozenset(
    {
        Reason.LOGON_REFUSED,
        Reason.PASSWORD_EXPIRED,
        Reason.ACCOUNT_DISABLED,
        Reason.PASSWORDS_ENDED,
        Reason.NO_LOGON_METHOD,
        Reason.BREAKER_OPEN,
        Reason.ALLOWANCE_USED_UP,
        Reason.KEY_MISSING,
        Reason.NO_CONNECTION,
        Reason.DISCONNECTED,
    }
)

#: Outcomes after which an entry is where it should be.
DONE = frozenset({Outcome.APPLIED, Outcome.ALREADY_APPLIED})


@dataclass(frozen=True, slots=True)
class EntriesRead:
    """What reading entries back came to.

    Args:
        changed: How many entries came into a new state, by state.
        error: What ended the rest.
        followed: How many bookings followed their owners.
        refused_pages: Pages on which too many would have followed at once.
    """

    changed: Mapping[EntryState, int] = field(default_factory=dict)
    error: BusyTimeError | None = None
    followed: int = 0
    refused_pages: tuple[RefusedPage, ...] = ()


@dataclass(frozen=True, slots=True)
class HarvestOutcome:
    """What a harvest came to.

    Args:
        run_id: The run; ``None`` where nothing but a look was asked for.
        status: How it ended.
        result: Its batches, added up.
        entries: What became of the entries that were read back.
        reason: Why it was refused or failed.
        message: What the first error said, for a person.
    """

    run_id: int | None
    status: RunStatus
    result: BatchResult = field(default_factory=BatchResult)
    entries: EntriesRead = field(default_factory=EntriesRead)
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
            "failed": self.result.not_read,
            **{str(state): count for state, count in self.entries.changed.items()},
        }


@dataclass(frozen=True, slots=True)
class ValidationOutcome:
    """What a validation came to.

    Args:
        run_id: The run; ``None`` where nothing but a look was asked for.
        status: How it ended.
        findings: One for each calendar and need.
        reason: Why it was refused or failed.
        message: What the first error said, for a person.
    """

    run_id: int | None
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


@dataclass(frozen=True, slots=True)
class OwnerPush:
    """What pushing one owner's entries came to.

    Args:
        results: How the changes ended, in the order of their endings; an entry may be in it again.
        error: What ended the rest.
        left: What is written down of the rest.
    """

    results: tuple[ChangeResult, ...]
    error: BusyTimeError | None = None
    left: tuple[ChangeResult, ...] = ()


@dataclass(frozen=True, slots=True)
class PushOutcome:
    """What a push came to.

    Args:
        run_id: The run; ``None`` where nothing but a look was asked for.
        status: How it ended.
        changes: How each change ended, with its calendar, in the plan's order.
        refused_pages: Pages that the gate refused.
        reason: Why it was refused or failed.
        message: What the first error said, for a person.
    """

    run_id: int | None
    status: RunStatus
    changes: tuple[tuple[ChangeResult, Calendar], ...] = ()
    refused_pages: tuple[RefusedPage, ...] = ()
    reason: Reason | None = None
    message: str | None = None

    @property
    def counts(self) -> dict[str, int]:
        """How many of each outcome; kept with the run."""
        found = Counter(result.outcome for result, _ in self.changes)
        return {str(outcome): found[outcome] for outcome in Outcome if found[outcome]}


def first_error(fates: Sequence[object], steps: Sequence[object]) -> tuple[BusyTimeError | None, RunStatus | None]:
    """Return the error that says most of a run, and how the run ended if no connection could go on.

    Raises:
        BaseException: A step ended by an error that is none of ours; it is not judged, it is raised.
    """
    ended = [*fates, *steps]
    for step in ended:
        if isinstance(step, BaseException) and not isinstance(step, BusyTimeError):
            raise step
    errors = [step for step in ended if isinstance(step, BusyTimeError)]
    fatal = next((error for error in errors if isinstance(error, FatalError)), None)
    first = fatal or next(iter(errors), None)
    if isinstance(first, UnsafePlanError):
        return first, RunStatus.REFUSED
    # A connection that cannot go on does not end the work of the others.
    over = all(isinstance(fate, BusyTimeError) for fate in fates) if fates else fatal is not None
    if first is None or not over:
        return first, None
    return first, RunStatus.REFUSED if first.reason in LOGON_REASONS else RunStatus.FAILED


def judge_harvest(
    run_id: int,
    fates: Sequence[object],
    batches: Sequence[object],
    entries: Sequence[object] = (),
) -> HarvestOutcome:
    """Judge a harvest by what its steps returned or raised.

    Args:
        run_id: The run.
        fates: What became of each connection: any value, or the error that ended its part of the work.
        batches: For each batch its result, or its error; also one for the calendars that no batch read.
        entries: What reading entries back came to, for each batch of them, or its error.

    Raises:
        BaseException: A step ended by an error that is none of ours.
    """
    parts = [step for step in entries if isinstance(step, EntriesRead)]
    error, ended_as = first_error(fates, [*batches, *entries, *(part.error for part in parts if part.error)])
    result = sum((step for step in batches if isinstance(step, BatchResult)), BatchResult())
    read = _added_up(parts)
    whole = error is None and not result.not_read and not result.unknown and not read.refused_pages
    status = ended_as or (RunStatus.COMPLETED if whole else RunStatus.COMPLETED_WITH_FAILURES)
    return HarvestOutcome(run_id, status, result, read, error.reason if error else None, str(error) if error else None)


def _added_up(parts: Sequence[EntriesRead]) -> EntriesRead:
    changed = sum((Counter(part.changed) for part in parts), Counter())
    pages = tuple(page for part in parts for page in part.refused_pages)
    return EntriesRead(changed, followed=sum(part.followed for part in parts), refused_pages=pages)


def judge_validation(run_id: int, fates: Sequence[object], batches: Sequence[object]) -> ValidationOutcome:
    """Judge a validation by what its steps returned or raised.

    Args:
        run_id: The run.
        fates: What became of each connection: any value, or the error that ended its part of the work.
        batches: For each batch its findings, or its error.

    Raises:
        BaseException: A step ended by an error that is none of ours.
    """
    error, ended_as = first_error(fates, batches)
    findings = tuple(finding for step in batches if isinstance(step, list) for finding in step)
    whole = error is None and all(finding.conclusion.verdict is Verdict.GRANTED for finding in findings)
    status = ended_as or (RunStatus.COMPLETED if whole else RunStatus.COMPLETED_WITH_FAILURES)
    return ValidationOutcome(run_id, status, findings, error.reason if error else None, str(error) if error else None)


def judge_push(
    run_id: int, plan: Plan, calendars: Mapping[int, Calendar], fates: Sequence[object], steps: Sequence[object]
) -> PushOutcome:
    """Judge a push by what its steps returned or raised.

    Args:
        run_id: The run.
        plan: What was planned.
        calendars: The calendars of the plan, by surrogate key.
        fates: What became of each connection: any value, or the error that ended its part of the work.
        steps: For each owner and wave what its push came to, or its error.

    Raises:
        BaseException: A step ended by an error that is none of ours.
    """
    parts = [step for step in steps if isinstance(step, OwnerPush)]
    error, ended_as = first_error(fates, [*steps, *(part.error for part in parts if part.error)])
    # The last word on each entry: a lost answer may have been looked up in the same run.
    ended = {(it.booking_key, it.calendar_id): it for part in parts for it in (*part.results, *part.left)}
    refused = [_as_result(change, Outcome.REFUSED, Reason.GATE_CLOSED) for change in plan.refused]
    order = {(it.booking.key, it.calendar_id): number for number, it in enumerate((*plan.changes, *plan.refused))}
    found = sorted([*ended.values(), *refused], key=lambda it: order.get((it.booking_key, it.calendar_id), len(order)))
    whole = error is None and all(it.outcome in DONE for it in found)
    status = ended_as or (RunStatus.COMPLETED if whole else RunStatus.COMPLETED_WITH_FAILURES)
    reason, message = (error.reason, str(error)) if error else (Reason.GATE_CLOSED if refused else None, None)
    shown = tuple((it, calendars[it.calendar_id]) for it in found if it.calendar_id in calendars)
    return PushOutcome(run_id, status, shown, plan.refused_pages, reason, message)


def _as_result(change: PlannedChange, outcome: Outcome, reason: Reason) -> ChangeResult:
    return ChangeResult(change.booking.key, change.calendar_id, change.kind, outcome, reason)


def judge_discovery(
    run_id: int, fates: Sequence[object], shared: Sequence[object], batches: Sequence[object]
) -> DiscoveryOutcome:
    """Judge a discovery by what its steps returned or raised.

    Args:
        run_id: The run.
        fates: What became of each connection: any value, or the error that ended its part of the work.
        shared: For each connection its invitations and what other organisations share with it, or its error.
        batches: For each batch of owners what was seen of them, or its error.

    Raises:
        BaseException: A step ended by an error that is none of ours.
    """
    error, ended_as = first_error(fates, [*shared, *batches])
    invitations = tuple(it for step in shared if isinstance(step, tuple) for it in step[0])
    owners = [it for step in shared if isinstance(step, tuple) for it in step[1]]
    owners += [it for step in batches if isinstance(step, list) for it in step]
    whole = error is None and all(it.discovery.reason is None for it in owners)
    status = ended_as or (RunStatus.COMPLETED if whole else RunStatus.COMPLETED_WITH_FAILURES)
    reason, message = (error.reason, str(error)) if error else (None, None)
    return DiscoveryOutcome(run_id, status, tuple(owners), invitations, reason, message)
