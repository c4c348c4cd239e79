"""Re-syncs: what a connection missed, what was caught up, and what is left to do. Pure rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from busytime.counting import several
from busytime.errors import BusyTimeError, Reason
from busytime.model import Calendar, RunStatus, Window
from busytime.outcomes import (
    DONE,
    LOGON_REASONS,
    HarvestOutcome,
    PushOutcome,
    ValidationOutcome,
    first_error,
)
from busytime.permissions import Verdict

_BROKEN_OFF = frozenset({RunStatus.REFUSED, RunStatus.FAILED})
#: A booking in a calendar: its key, and the calendar's surrogate key.
Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Adopted:
    """What searching some calendars for entries came to: how many were taken over, and which calendars did not tell."""

    entries: int
    silent: tuple[Calendar, ...] = ()


@dataclass(frozen=True, slots=True)
class Missed:
    """What some connections had missed when their re-sync began.

    Args:
        stopped: From the refused log-on to the one that was good again; ``None`` where none was refused.
        unknown: Calendars that were not known.
        unknown_since: Since when the first of them was not; ``None`` where that cannot be told.
        waiting: Entries that waited for a log-on.
    """

    stopped: Window | None = None
    unknown: frozenset[int] = frozenset()
    unknown_since: datetime | None = None
    waiting: frozenset[Place] = frozenset()


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """How things stand after a re-sync.

    Args:
        known: How many calendars are known now.
        again: How many of them were not known before.
        pushed: How many bookings waited, and are where they should be.
        unknown: Calendars that are not known.
        waiting: How many entries wait for a log-on still.
    """

    known: int
    again: int
    pushed: int
    unknown: tuple[Calendar, ...] = ()
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """How one part of a re-sync ended.

    Args:
        name: `validate`, `harvest` or `push`.
        run_id: Its run; ``None`` where it could not begin.
        status: How it ended.
        reason: Why it was refused or failed.
        message: What the first error said, for a person.
        left: How many calendars, verdicts or changes are not as they should be.
    """

    name: str
    run_id: int | None
    status: RunStatus
    reason: Reason | None = None
    message: str | None = None
    left: int = 0


@dataclass(frozen=True, slots=True)
class ResyncOutcome:
    """What a re-sync came to.

    Args:
        run_id: The run; ``None`` where nothing was asked for.
        status: How it ended.
        missed: What had been missed.
        caught_up: How things stand since.
        parts: How validation, harvest and push ended.
        adopted: How many entries were taken over from a restored database's calendars.
        silent: Calendars that did not tell what they hold; while there is one, nothing is pushed.
        reason: Why it was refused or failed.
        message: What the first error said, for a person.
    """

    run_id: int | None
    status: RunStatus
    missed: Missed | None = None
    caught_up: CaughtUp | None = None
    parts: tuple[Part, ...] = ()
    adopted: int = 0
    silent: tuple[Calendar, ...] = ()
    reason: Reason | None = None
    message: str | None = None

    @property
    def counts(self) -> dict[str, int]:
        """The counts that are kept with the run."""
        if self.caught_up is None:
            return {"adopted": self.adopted, "silent": len(self.silent)}
        now = self.caught_up
        return {"known": now.known, "again": now.again, "pushed": now.pushed, "unknown": len(now.unknown), "waiting": now.waiting}


def as_part(name: str, ended: object) -> Part:
    """Judge how one part ended, by what its flow returned or raised.

    Raises:
        BaseException: It ended by an error that is none of ours.
    """
    if isinstance(ended, BusyTimeError):
        status = RunStatus.REFUSED if ended.reason in LOGON_REASONS else RunStatus.FAILED
        return Part(name, None, status, ended.reason, str(ended))
    if isinstance(ended, HarvestOutcome | ValidationOutcome | PushOutcome):
        return Part(name, ended.run_id, ended.status, ended.reason, ended.message, _left(ended))
    if isinstance(ended, BaseException):
        raise ended
    msg = f"The {name} ended without an outcome."
    raise TypeError(msg)


def _left(ended: HarvestOutcome | ValidationOutcome | PushOutcome) -> int:
    if isinstance(ended, HarvestOutcome):
        return ended.result.unknown
    if isinstance(ended, ValidationOutcome):
        return sum(finding.conclusion.verdict is not Verdict.GRANTED for finding in ended.findings)
    return sum(result.outcome not in DONE for result, _ in ended.changes)


def judge_resync(run_id: int, missed: Missed, caught_up: CaughtUp, parts: Sequence[Part]) -> ResyncOutcome:
    """Judge a re-sync by how things stand, and by how its parts ended.

    Args:
        run_id: The run.
        missed: What had been missed.
        caught_up: How things stand now.
        parts: Its parts; one that broke off breaks the re-sync off, a refused log-on before all else.
    """
    broken = sorted((it for it in parts if it.status in _BROKEN_OFF), key=lambda it: it.reason not in LOGON_REASONS)
    whole = not caught_up.unknown and not caught_up.waiting and all(it.status is RunStatus.COMPLETED for it in parts)
    status = broken[0].status if broken else RunStatus.COMPLETED if whole else RunStatus.COMPLETED_WITH_FAILURES
    gate = Reason.GATE_CLOSED if any(it.reason is Reason.GATE_CLOSED for it in parts) else None
    reason, message = (broken[0].reason, broken[0].message) if broken else (gate, None)
    return ResyncOutcome(run_id, status, missed, caught_up, tuple(parts), reason=reason, message=message)


def judge_adoption(run_id: int, fates: Sequence[object], parts: Sequence[object]) -> ResyncOutcome:
    """Judge the taking over of a restored database by what its steps returned or raised.

    Args:
        run_id: The run.
        fates: What became of each connection: any value, or the error that ended its part of the work.
        parts: For each batch of calendars what searching it came to, or its error.

    Raises:
        BaseException: A step ended by an error that is none of ours.
    """
    error, ended_as = first_error(fates, parts)
    found = [part for part in parts if isinstance(part, Adopted)]
    silent = tuple(calendar for part in found for calendar in part.silent)
    status = ended_as or (RunStatus.COMPLETED if error is None and not silent else RunStatus.COMPLETED_WITH_FAILURES)
    reason, message = (error.reason, str(error)) if error else (None, None)
    adopted = sum(part.entries for part in found)
    return ResyncOutcome(run_id, status, adopted=adopted, silent=silent, reason=reason, message=message)


def describe(missed: Missed, caught_up: CaughtUp) -> str:
    """Say in two sentences what was missed, and what was caught up."""
    return f"{_describe_missed(missed)} {_describe_caught_up(missed, caught_up)}"


def _describe_missed(missed: Missed) -> str:
    if missed.stopped is not None:
        start, end = missed.stopped.start, missed.stopped.end
        until = f"{end:%H:%M}" if start.date() == end.date() else f"{end:%Y-%m-%d %H:%M}"
        from_ = f"{start:%H:%M}" if start.date() == end.date() else f"{start:%Y-%m-%d %H:%M}"
        return f"Nothing could be read from {from_} to {until} UTC ({_length(end - start)})."
    if missed.unknown:
        since = f", the first since {missed.unknown_since:%Y-%m-%d %H:%M} UTC" if missed.unknown_since else ""
        return f"{several(len(missed.unknown), 'calendar')} {'was' if len(missed.unknown) == 1 else 'were'} not known{since}."
    return "No calendar had become unknown."


def _describe_caught_up(missed: Missed, caught_up: CaughtUp) -> str:
    if caught_up.again:
        said = [f"{several(caught_up.again, 'calendar')} known again"]
    else:
        said = [f"{several(caught_up.known, 'calendar')} known"]
    if missed.waiting:
        said.append(f"{several(caught_up.pushed, 'booking')} pushed that waited")
    return f"Caught up: {', '.join(said)}."


def _length(length: timedelta) -> str:
    minutes = round(length.total_seconds() / 60)
    if minutes < 1:
        return "less than a minute"
    hours, rest = divmod(minutes, 60)
    return " ".join(several(count, unit) for count, unit in ((hours, "hour"), (rest, "minute")) if count)
