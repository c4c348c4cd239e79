"""Coverage: for which window a calendar's busy time is known, as of when, and why not elsewhere.

Pure rules. Rows are history: an answer of the same kind only moves `as_of` and the sliding window of the current
row; everything else closes rows and opens others.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from busytime.errors import Reason
from busytime.intervals import merge, subtract
from busytime.model import CoverageState, Unanswered, Window


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """A current row of the coverage of one calendar.

    Args:
        id: Surrogate key; ``None`` for a row that is not stored yet.
        window: What it speaks of.
        state: Covered or unknown.
        reason: Why it is unknown.
        detail: A response code or an instant that goes with the reason.
        as_of: When the last answer was asked for.
        failures: Harvests without an answer since then.
        valid_from: Since when the row stands; ``None`` for one that is not stored yet.
    """

    id: int | None
    window: Window
    state: CoverageState
    reason: Reason | None
    detail: str | None
    as_of: datetime
    failures: int = 0
    valid_from: datetime | None = None

    def fresh(self, now: datetime, max_age: timedelta) -> bool:
        """Whether its answer still counts; one from the future (a clock was set back) does not."""
        return abs(now - self.as_of) <= max_age

    def known(self, now: datetime, max_age: timedelta) -> bool:
        """Whether busy time in its window is known at this instant."""
        return self.state is CoverageState.COVERED and self.fresh(now, max_age)


@dataclass(frozen=True, slots=True)
class CoverageChanges:
    """What an answer changes in the coverage of one calendar.

    Args:
        update: Rows as they stand after the answer, changed in place: `as_of`, `failures`, sliding window.
        close: Surrogate keys of rows that are no longer true.
        open: New rows.
    """

    update: tuple[CoverageRow, ...] = ()
    close: tuple[int, ...] = ()
    open: tuple[CoverageRow, ...] = ()


def after_answer(
    rows: Sequence[CoverageRow],
    window: Window,
    answer: Unanswered | None,
    asked_at: datetime,
    max_age: timedelta,
    written_at: datetime | None = None,
) -> CoverageChanges:
    """Decide what an answer changes.

    Args:
        rows: The calendar's current rows.
        window: The window that was asked.
        answer: ``None`` for busy time, else the reason why there is none.
        asked_at: When it was asked for.
        max_age: How long an answer counts.
        written_at: The present instant, no earlier than any that history has; ``None``: just when it was asked for.
    """
    if answer is not None and not answer.reason.definite:
        return _after_silence(rows, window, answer, asked_at, max_age)
    return _after_word(rows, _row(window, answer, asked_at), written_at or asked_at, max_age)


def _row(window: Window, answer: Unanswered | None, as_of: datetime) -> CoverageRow:
    if answer is None:
        return CoverageRow(None, window, CoverageState.COVERED, None, None, as_of)
    return CoverageRow(None, window, CoverageState.UNKNOWN, answer.reason, answer.detail, as_of)


def _after_word(rows: Sequence[CoverageRow], told: CoverageRow, written_at: datetime, max_age: timedelta) -> CoverageChanges:
    """Write what the server said over the window; of older rows only what lies outside of it stays."""
    touched = [row for row in rows if told.window.overlaps(row.window.start, row.window.end)]
    going_on = (row for row in touched if _continues(row, told, written_at, max_age))
    kept = max(going_on, key=lambda row: _shared(row, told), default=None)
    left_over = tuple(piece for row in touched for piece in _outside(row, told.window, told.as_of, max_age))
    update = (replace(kept, window=told.window, as_of=told.as_of, failures=0),) if kept else ()
    close = tuple(row.id for row in touched if row is not kept and row.id is not None)
    return CoverageChanges(update, close, left_over if kept else (told, *left_over))


def _continues(row: CoverageRow, told: CoverageRow, written_at: datetime, max_age: timedelta) -> bool:
    """Whether a row may go on: the same word, and no past instant at which it was known, or was not, that would change sides.

    At any past instant T a covered row was known exactly when T <= as_of + max_age. So its `as_of` never goes back, and
    moves only until the row is outdated; or while it was known at no instant of its own, because the clock was set back.
    """
    if (row.state, row.reason, row.detail) != (told.state, told.reason, told.detail):
        return False
    in_time = written_at <= row.as_of + max_age
    never_known = row.valid_from is not None and told.as_of + max_age < row.valid_from
    return row.state is CoverageState.UNKNOWN or (row.as_of <= told.as_of and (in_time or never_known))


def _shared(row: CoverageRow, told: CoverageRow) -> timedelta:
    return min(row.window.end, told.window.end) - max(row.window.start, told.window.start)


def _outside(row: CoverageRow, window: Window, now: datetime, max_age: timedelta) -> Iterator[CoverageRow]:
    """Yield what a row says outside a window, as far as it is not over and still means something."""
    if row.state is CoverageState.COVERED and not row.fresh(now, max_age):
        return
    for start, end in subtract(row.window, [(window.start, window.end)]):
        if end > now:
            yield replace(row, id=None, window=Window(start, end), valid_from=None)


def _after_silence(
    rows: Sequence[CoverageRow], window: Window, answer: Unanswered, now: datetime, max_age: timedelta
) -> CoverageChanges:
    """Count a harvest without an answer: a calendar stays known until `max_age` is over, then the reason is written down."""
    touched = [row for row in rows if window.overlaps(row.window.start, row.window.end)]
    if not touched:
        return CoverageChanges(open=(_row(window, answer, now),))
    stays = [row for row in touched if _outlasts_silence(row, answer, now, max_age)]
    ends = [row for row in touched if row not in stays]
    return CoverageChanges(
        update=tuple(replace(row, failures=row.failures + 1) for row in stays),
        close=tuple(row.id for row in ends if row.id is not None),
        open=tuple(replace(_row(row.window, answer, row.as_of), failures=row.failures + 1) for row in ends),
    )


def _outlasts_silence(row: CoverageRow, answer: Unanswered, now: datetime, max_age: timedelta) -> bool:
    if row.state is CoverageState.COVERED:
        return row.fresh(now, max_age)
    # A definite word outlasts silence; one silence after another is told apart by its reason.
    return row.reason is None or row.reason.definite or (row.reason, row.detail) == (answer.reason, answer.detail)


@dataclass(frozen=True, slots=True)
class UnknownPart:
    """A part of a window in which a calendar's busy time is not known.

    Args:
        window: The part.
        reason: Why.
        since: Since when, where that can be told.
        detail: A response code or an instant that goes with the reason.
    """

    window: Window
    reason: Reason
    since: datetime | None
    detail: str | None = None


def unknown_parts(rows: Iterable[CoverageRow], window: Window, now: datetime, max_age: timedelta) -> list[UnknownPart]:
    """Return the parts of a window that are not known at this instant, in order of time; none means known."""
    relevant = [row for row in rows if window.overlaps(row.window.start, row.window.end)]
    known = merge((row.window.start, row.window.end) for row in relevant if row.known(now, max_age))
    parts: list[UnknownPart] = []
    for start, end in subtract(window, known):
        gap = Window(start, end)
        parts.extend(_explain(gap, [row for row in relevant if not row.known(now, max_age)], max_age))
    return sorted(parts, key=lambda part: part.window)


def _explain(gap: Window, rows: Sequence[CoverageRow], max_age: timedelta) -> Iterator[UnknownPart]:
    inside = [row for row in rows if gap.overlaps(row.window.start, row.window.end)]
    for row in inside:
        part = Window(max(gap.start, row.window.start), min(gap.end, row.window.end))
        outdated_at = row.as_of + max_age
        since = outdated_at if row.reason is None else min(outdated_at, row.valid_from or outdated_at)
        yield UnknownPart(part, row.reason or Reason.OUTDATED, since, row.detail)
    for start, end in subtract(gap, [(row.window.start, row.window.end) for row in inside]):
        yield UnknownPart(Window(start, end), Reason.NEVER_HARVESTED, None)
