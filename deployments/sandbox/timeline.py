"""The occurrences of one calendar, expanded and sorted once, then answered by bisection.

A page covers whole years. Its availability answer is rendered once into one byte string, so that
a window is a slice of it: this is what lets one core answer thousands of calendars a second.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deployments.sandbox.model import Item
    from deployments.sandbox.series import Instance

_MAX_PAGES = 6
_MAX_BLOBS = 6
_EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An appointment at one time: a single item, or one occurrence of a series."""

    item: Item
    start: datetime
    end: datetime
    status: str
    subject: str
    # The start that the rule gave; None for a single item.
    original: datetime | None = None
    is_exception: bool = False


class Blob:
    """The rendered availability events of a page, and where each begins."""

    __slots__ = ("data", "offsets")

    def __init__(self, fragments: list[bytes]) -> None:
        self.data = b"".join(fragments)
        self.offsets = [0]
        for fragment in fragments:
            self.offsets.append(self.offsets[-1] + len(fragment))


class Page:
    """All occurrences of a calendar that touch some years, sorted by start."""

    def __init__(self, start: datetime, end: datetime, occurrences: list[Occurrence]) -> None:
        self.start = start
        self.end = end
        self.all = sorted(occurrences, key=lambda one: (one.start, one.end, one.item.number))
        # What was cancelled takes no time: views show it, availability does not.
        self.busy = [one for one in self.all if not one.item.is_cancelled]
        self.starts = [int(one.start.timestamp()) for one in self.busy]
        self.ends = [int(one.end.timestamp()) for one in self.busy]
        self.longest = max((end - start for start, end in zip(self.starts, self.ends, strict=True)), default=0)
        self._blobs: dict[object, Blob] = {}

    def touching(self, start: datetime, end: datetime) -> list[Occurrence]:
        """Return what overlaps or touches the window, cancelled ones included."""
        return [one for one in self.all if one.start <= end and one.end >= start]

    def select(self, start: int, end: int, *, inclusive: bool) -> tuple[list[int], int, int]:
        """Find what availability answers for a window of UTC seconds.

        Returns:
            The indices of what began before the window and reaches into it, then the range
            `[first, last)` of what begins inside it.
        """
        first = bisect_left(self.starts, start)
        last = bisect_right(self.starts, end) if inclusive else bisect_left(self.starts, end)
        early = bisect_left(self.starts, start - self.longest)
        reaching = start if inclusive else start + 1
        return [i for i in range(early, first) if self.ends[i] >= reaching], first, last

    def blob(self, key: object, render: Callable[[Occurrence], bytes]) -> Blob:
        """Return the rendered events for one way of rendering, made at first use."""
        blob = self._blobs.get(key)
        if blob is None:
            if len(self._blobs) >= _MAX_BLOBS:
                self._blobs.clear()
            blob = self._blobs[key] = Blob([render(one) for one in self.busy])
        return blob


@dataclass(slots=True)
class Timeline:
    """The pages of one calendar. Forgotten whenever an item changes."""

    pages: list[Page] = field(default_factory=list)

    def clear(self) -> None:
        """Forget everything."""
        self.pages.clear()

    def page(self, items: Iterable[Item], start: datetime, end: datetime) -> Page:
        """Return a page that covers the window, expanding the series if need be."""
        for page in self.pages:
            if page.start <= start and end <= page.end:
                return page
        items = list(items)
        if any(item.series for item in items):
            low = datetime(start.year, 1, 1, tzinfo=UTC)
            high = datetime(min(end.year + 1, 9999), 1, 1, tzinfo=UTC)
        else:
            low = datetime(1, 1, 1, tzinfo=UTC)
            high = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
        page = Page(low, high, [one for item in items for one in _expand(item, low, high)])
        if len(self.pages) >= _MAX_PAGES:
            del self.pages[0]
        self.pages.append(page)
        return page


def _expand(item: Item, start: datetime, end: datetime) -> Iterable[Occurrence]:
    if item.series is None:
        yield Occurrence(item, item.start, item.end, item.status, item.subject)
        return
    # Rules are not followed to the ends of time: dates cannot be added to there.
    start, end = max(start, _EARLIEST), min(end, _LATEST)
    if start >= end:
        return
    for one in item.series.expand(start, end):
        yield _occurrence(item, one)


def _occurrence(item: Item, one: Instance) -> Occurrence:
    return Occurrence(
        item,
        one.start,
        one.end,
        item.status if one.status is None else one.status,
        item.subject if one.subject is None else one.subject,
        one.original,
        one.is_exception,
    )
