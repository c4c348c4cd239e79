"""Availability: when a booking page is free. Free means known and not busy; unknown is never free.

Pure rules: no clock, no store.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from busytime.coverage import CoverageRow, UnknownPart, unknown_parts
from busytime.errors import ConfigurationError
from busytime.intervals import merge, subtract
from busytime.model import BusyStatus, Calendar, Interval, Window
from busytime.roster import Hours

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class CalendarView:
    """What is stored of one calendar: its busy intervals and its coverage."""

    calendar: Calendar
    intervals: Sequence[Interval]
    coverage: Sequence[CoverageRow]


@dataclass(frozen=True, slots=True)
class UnknownCalendar:
    """A calendar that hides whether a page is free, and the part of the window it hides."""

    calendar: Calendar
    part: UnknownPart


@dataclass(frozen=True, slots=True)
class Freedom:
    """When a page is free.

    Args:
        slots: Free slots in the page's time zone, in order of time.
        unknown: Where and why it is not known.
    """

    slots: tuple[tuple[datetime, datetime], ...]
    unknown: tuple[UnknownCalendar, ...]


@dataclass(frozen=True, slots=True)
class SlotRule:
    """Which slots a page offers.

    Args:
        zone: The page's time zone.
        hours: When it is open each day, in that zone.
        duration: Length of a slot.
        step: Slots start at multiples of it from local midnight.

    Raises:
        ConfigurationError: A length is not positive, or a slot is longer than a day is open.
    """

    zone: ZoneInfo
    hours: Hours
    duration: timedelta
    step: timedelta

    def __post_init__(self) -> None:
        """Refuse what could never be a slot."""
        if self.duration <= timedelta(0) or self.step < timedelta(minutes=1):
            raise ConfigurationError("A slot's duration must be positive and its step at least a minute; write for example 30m.")
        if self.duration > timedelta(minutes=self.hours.closes_minute - self.hours.opens_minute):
            raise ConfigurationError(
                f"A slot of {self.duration} does not fit into the page's hours {self.hours}; give a shorter one."
            )


def find_free(
    views: Sequence[CalendarView],
    window: Window,
    rule: SlotRule,
    *,
    now: datetime,
    max_age: timedelta,
    busy_statuses: frozenset[BusyStatus],
) -> Freedom:
    """Find a page's free slots.

    Args:
        views: Its `main` and `busy` calendars.
        window: Where to look.
        rule: Which slots it offers.
        now: The present instant.
        max_age: How long an answer counts.
        busy_statuses: Statuses that make a time busy for bookings.

    Returns:
        The slots in which every calendar is known and none is busy, and what is not known.
    """
    unknown = tuple(
        UnknownCalendar(view.calendar, part) for view in views for part in unknown_parts(view.coverage, window, now, max_age)
    )
    taken = [(unsure.part.window.start, unsure.part.window.end) for unsure in unknown]
    taken += [(start, end) for view in views for start, end, status in view.intervals if status in busy_statuses]
    free = merge(subtract(window, taken))
    return Freedom(tuple(_fitting(free, _offered(window, rule))), unknown)


def _fitting(
    free: Sequence[tuple[datetime, datetime]], offered: Iterator[tuple[datetime, datetime]]
) -> Iterator[tuple[datetime, datetime]]:
    """Yield the offered slots that lie in a free span; both come in order of time."""
    spans = iter(free)
    span = next(spans, None)
    for slot in offered:
        while span is not None and span[1] < slot[1].astimezone(UTC):
            span = next(spans, None)
        if span is None:
            return
        if span[0] <= slot[0].astimezone(UTC):
            yield slot


def _offered(window: Window, rule: SlotRule) -> Iterator[tuple[datetime, datetime]]:
    """Yield the slots of the page inside a window, in order of time and in its zone."""
    day = window.start.astimezone(rule.zone).date() - _DAY
    last = window.end.astimezone(rule.zone).date()
    while day <= last:
        closes = _at(day, rule.hours.closes_minute, rule.zone)
        for start in _starts(day, rule):
            end = (start.astimezone(UTC) + rule.duration).astimezone(rule.zone)
            if end <= closes and window.start <= start.astimezone(UTC) and end <= window.end:
                yield start, end
        day += _DAY


def _starts(day: date, rule: SlotRule) -> list[datetime]:
    """Return the instants of a day whose clock time is a multiple of the step.

    When clocks go forward, times that do not exist are left out; when they go back, times that come twice count twice.
    """
    starts: set[datetime] = set()
    since_midnight = timedelta(0)
    opens, closes = timedelta(minutes=rule.hours.opens_minute), timedelta(minutes=rule.hours.closes_minute)
    while since_midnight < closes:
        if since_midnight >= opens:
            wall = datetime.combine(day, time()) + since_midnight
            for fold in (0, 1):
                instant = wall.replace(tzinfo=rule.zone, fold=fold).astimezone(UTC)
                if instant.astimezone(rule.zone).replace(tzinfo=None) == wall:
                    starts.add(instant)
        since_midnight += rule.step
    return [instant.astimezone(rule.zone) for instant in sorted(starts)]


def _at(day: date, minute: int, zone: ZoneInfo) -> datetime:
    """Return the first instant at which a clock shows this minute of a day; the end of the day is the next midnight.

    A minute that clocks skip counts as the instant at which they skip it: some zones go forward at midnight.
    """
    wall = datetime.combine(day, time()) + timedelta(minutes=minute)
    first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first <= second:
        return first
    offset = second.astimezone(zone).utcoffset()

    def is_over(seconds: int) -> bool:
        return (second + timedelta(seconds=seconds)).astimezone(zone).utcoffset() != offset

    return second + timedelta(seconds=bisect_left(range(int((first - second).total_seconds())), x=True, key=is_over))
