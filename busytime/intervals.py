"""Busy intervals: pure rules for reading, comparing and merging them.

Intervals are kept as answered: whole, never clipped, never merged; merging is for reading them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from busytime.model import Interval, Window

#: Surrogate key and count of each current interval of a calendar.
CurrentIntervals = dict[Interval, tuple[int, int]]


def count_in_window(intervals: Iterable[Interval], window: Window) -> dict[Interval, int]:
    """Count equal intervals, and drop those that do not overlap the window that was asked.

    Some servers include both edges, and even an occurrence beyond the window (Exchange, GetUserAvailability).
    """
    start, end = window.start, window.end
    return Counter(interval for interval in intervals if interval[0] < end and interval[1] > start)


def join_parts(parts: Iterable[tuple[Window, Iterable[Interval]]]) -> dict[Interval, int]:
    """Join the answers for consecutive parts of a window.

    An interval that crosses the border between two parts is answered in both, whole: the larger count is the true
    one, not the sum.
    """
    joined: dict[Interval, int] = {}
    for window, intervals in parts:
        for interval, count in count_in_window(intervals, window).items():
            if count > joined.get(interval, 0):
                joined[interval] = count
    return joined


@dataclass(frozen=True, slots=True)
class IntervalChanges:
    """What makes the stored intervals of one calendar equal to an answer.

    Args:
        close: Surrogate keys of rows that are no longer true.
        open: Intervals that are new, or whose count changed, with their count.
    """

    close: tuple[int, ...]
    open: tuple[tuple[Interval, int], ...]


def compare(current: CurrentIntervals, answered: Mapping[Interval, int]) -> IntervalChanges:
    """Compare stored intervals with an answer for the same window.

    Args:
        current: Surrogate key and count of each current row that overlaps the answered window.
        answered: Count of each answered interval.
    """
    close = tuple(key for interval, (key, count) in current.items() if answered.get(interval) != count)
    fresh = tuple(
        (interval, count) for interval, count in answered.items() if interval not in current or current[interval][1] != count
    )
    return IntervalChanges(close, fresh)


def merge(spans: Iterable[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Merge spans that overlap or touch, in order of time."""
    merged: list[tuple[datetime, datetime]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def subtract(window: Window, spans: Sequence[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Return the parts of a window that no span covers, in order of time."""
    left: list[tuple[datetime, datetime]] = []
    start = window.start
    for busy_start, busy_end in merge(spans):
        if busy_start > start:
            left.append((start, min(busy_start, window.end)))
        start = max(start, busy_end)
        if start >= window.end:
            return left
    left.append((start, window.end))
    return [span for span in left if span[0] < span[1]]
