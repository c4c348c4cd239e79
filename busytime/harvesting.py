"""Harvesting: what a reading changes in the stored busy time, decided from two snapshots and written at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from busytime.coverage import CoverageChanges, CoverageRow, after_answer, unknown_parts
from busytime.errors import Reason
from busytime.intervals import CurrentIntervals, IntervalChanges, compare, count_in_window
from busytime.model import BusyAnswer, Calendar, Unanswered, Window
from busytime.ports import UnitOfWork
from busytime.reading import Reading


@dataclass(frozen=True, slots=True)
class FailedCalendar:
    """A calendar that did not answer a harvest.

    Args:
        owner: Its owner's address.
        folder: Its path.
        reason: Why.
        detail: A response code or an instant that goes with the reason.
    """

    owner: str
    folder: str
    reason: Reason
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What a batch came to.

    Args:
        known: Calendars whose busy time is known in the whole window.
        unknown: Those for which it is not.
        opened: History rows opened.
        closed: History rows closed.
        failed: Calendars without an answer, known or not.
        failed_elsewhere: How many more there are, which the runs of shards name.
    """

    known: int = 0
    unknown: int = 0
    opened: int = 0
    closed: int = 0
    failed: tuple[FailedCalendar, ...] = ()
    failed_elsewhere: int = 0

    @property
    def not_read(self) -> int:
        """How many calendars gave no answer; they are known all the same as long as an earlier one is not too old."""
        return len(self.failed) + self.failed_elsewhere

    def __add__(self, other: "BatchResult") -> "BatchResult":
        """Add up two batches."""
        return BatchResult(
            self.known + other.known,
            self.unknown + other.unknown,
            self.opened + other.opened,
            self.closed + other.closed,
            self.failed + other.failed,
            self.failed_elsewhere + other.failed_elsewhere,
        )


@dataclass(frozen=True, slots=True)
class BatchChanges:
    """What a reading changes, by the calendar's surrogate key."""

    intervals: Mapping[int, IntervalChanges]
    coverage: Mapping[int, CoverageChanges]

    @property
    def opened(self) -> int:
        """History rows that it opens."""
        return sum(len(change.open) for change in self.intervals.values()) + sum(
            len(change.open) for change in self.coverage.values()
        )

    @property
    def closed(self) -> int:
        """History rows that it closes."""
        return sum(len(change.close) for change in self.intervals.values()) + sum(
            len(change.close) for change in self.coverage.values()
        )


def decide(
    answers: Mapping[int, BusyAnswer],
    intervals: Mapping[int, CurrentIntervals],
    coverage: Mapping[int, Sequence[CoverageRow]],
    window: Window,
    asked_at: datetime,
    max_age: timedelta,
    written_at: datetime,
) -> BatchChanges:
    """Decide what answers change. Nothing is ever closed on the word of a failed or incomplete answer.

    Args:
        answers: By the calendar's surrogate key, as are the others.
        intervals: Current intervals that overlap the window.
        coverage: Current coverage.
        window: What was asked.
        asked_at: When.
        max_age: How long an answer counts.
        written_at: The present instant, no earlier than any that history has.
    """
    changed: dict[int, IntervalChanges] = {}
    covered: dict[int, CoverageChanges] = {}
    for key, answer in answers.items():
        silent = answer if isinstance(answer, Unanswered) else None
        covered[key] = after_answer(coverage.get(key, ()), window, silent, asked_at, max_age, written_at)
        if not isinstance(answer, Unanswered):
            change = compare(intervals.get(key, {}), count_in_window(answer.intervals, window))
            if change.close or change.open:
                changed[key] = change
    return BatchChanges(changed, covered)


def record_batch(
    unit: UnitOfWork, calendars: Sequence[Calendar], reading: Reading, window: Window, run_id: int, max_age: timedelta
) -> BatchResult:
    """Write what a reading changed, inside the caller's transaction, and count it.

    Args:
        unit: The transaction.
        calendars: Those of the batch.
        reading: What they answered.
        window: What was asked.
        run_id: The run that asked.
        max_age: How long an answer counts.
    """
    keys = [calendar.id for calendar in calendars]
    before = unit.busy_time.coverage(keys)
    stored = unit.busy_time.intervals(keys, window)
    changes = decide(reading.answers, stored, before, window, reading.asked_at, max_age, unit.present)
    opened, closed = changes.opened, changes.closed
    # An unchanged batch takes no instant, so that it does not queue behind others.
    instant = unit.instant if opened or closed else reading.asked_at
    unit.busy_time.write_intervals(changes.intervals, run_id, instant)
    unit.busy_time.write_coverage(changes.coverage, run_id, instant)
    after = {key: _after(before.get(key, ()), changes.coverage[key]) for key in keys}
    known = sum(not unknown_parts(after[key], window, reading.asked_at, max_age) for key in keys)
    return BatchResult(known, len(keys) - known, opened, closed, _failed(calendars, reading))


def _after(rows: Sequence[CoverageRow], changes: CoverageChanges) -> list[CoverageRow]:
    """Return the current coverage of a calendar as the changes leave it."""
    replaced = {*changes.close, *(row.id for row in changes.update)}
    return [*(row for row in rows if row.id not in replaced), *changes.update, *changes.open]


def _failed(calendars: Sequence[Calendar], reading: Reading) -> tuple[FailedCalendar, ...]:
    answers = ((calendar, reading.answers[calendar.id]) for calendar in calendars)
    return tuple(
        FailedCalendar(calendar.owner, calendar.folder, answer.reason, answer.detail)
        for calendar, answer in answers
        if isinstance(answer, Unanswered)
    )
