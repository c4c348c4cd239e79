"""Recurring series: how they expand into occurrences.

Two kinds: a light one for "every n days at the same local time", cheap enough for thousands of
generated calendars, and one that leaves everything to iCalendar's own rules.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import icalendar
import recurring_ical_events


@dataclass(frozen=True, slots=True)
class Instance:
    """One expanded occurrence. `original` is the start that its rule gave, the identity."""

    original: datetime
    start: datetime
    end: datetime
    status: str | None = None
    subject: str | None = None
    is_exception: bool = False


@dataclass(slots=True)
class Changes:
    """What the owner did to single occurrences, by their original start."""

    moved: dict[datetime, tuple[datetime, datetime]] = field(default_factory=dict)
    deleted: set[datetime] = field(default_factory=set)

    def moved_ones(self) -> list[Instance]:
        """Return the moved occurrences that were not deleted."""
        moved = {key: times for key, times in self.moved.items() if key not in self.deleted}
        return [Instance(key, *times, is_exception=True) for key, times in moved.items()]

    def apply(self, instances: list[Instance]) -> list[Instance]:
        """Return the occurrences as they are after the owner's changes."""
        kept = []
        for instance in instances:
            if instance.original in self.deleted:
                continue
            times = self.moved.get(instance.original)
            if times is None:
                kept.append(instance)
            else:
                kept.append(replace(instance, start=times[0], end=times[1], is_exception=True))
        return kept


class Series(Protocol):
    """A rule that can be expanded over any window."""

    changes: Changes

    def expand(self, start: datetime, end: datetime) -> list[Instance]:
        """Return every occurrence that overlaps or touches the window (aware UTC)."""


@dataclass(slots=True)
class StepSeries:
    """Every `step_days` days at one local time, `count` times."""

    start: datetime
    duration: timedelta
    zone: ZoneInfo
    step_days: int
    count: int
    changes: Changes = field(default_factory=Changes)

    def expand(self, start: datetime, end: datetime) -> list[Instance]:
        """Return the occurrences that overlap or touch the window."""
        return [one for one in self.everything() if one.start <= end and one.end >= start]

    def everything(self) -> list[Instance]:
        """Return all occurrences."""
        local = self.start.astimezone(self.zone).replace(tzinfo=None)
        instances = []
        for number in range(self.count):
            # Wall-clock arithmetic: the meeting stays at ten when summer time begins.
            wall = local + timedelta(days=self.step_days * number)
            begins = wall.replace(tzinfo=self.zone).astimezone(UTC)
            instances.append(Instance(begins, begins, begins + self.duration))
        return self.changes.apply(instances)


@dataclass(slots=True)
class ComponentSeries:
    """A series as iCalendar wrote it; `recurring-ical-events` expands it."""

    calendar: icalendar.Calendar
    zone: ZoneInfo
    changes: Changes = field(default_factory=Changes)
    # Whether what has no length is left out.
    drop_empty: bool = False
    # Whether each occurrence has its own subject and status, or all have the item's.
    own_words: bool = True

    def expand(self, start: datetime, end: datetime) -> list[Instance]:
        """Return the occurrences around the window."""
        # Two days more on either side: floating times and whole days are compared without a
        # zone over there, and become instants only here.
        margin = timedelta(days=2)
        found = recurring_ical_events.of(self.calendar).between(
            (start - margin).replace(tzinfo=UTC), (end + margin).replace(tzinfo=UTC)
        )
        read = [self._instance(component) for component in found]
        kept = self.changes.apply([one for one in read if one is not None])
        # One that was moved here from far away is not found by its rule.
        known = {one.original for one in kept}
        kept += [one for one in self.changes.moved_ones() if one.original not in known]
        return [one for one in kept if one.start <= end and one.end >= start]

    def _instance(self, component: Any) -> Instance | None:
        start = instant(component["DTSTART"].dt, self.zone)
        end = instant(component["DTEND"].dt, self.zone)
        status = busy_status(component)
        if status is None or (self.drop_empty and end <= start):
            return None
        if not self.own_words:
            return Instance(start, start, end)
        recurrence = component.get("RECURRENCE-ID")
        original = start if recurrence is None else instant(recurrence.dt, self.zone)
        subject = str(component.get("SUMMARY", ""))
        return Instance(original, start, end, status, subject, is_exception=original != start)


def instant(value: date | datetime, zone: ZoneInfo) -> datetime:
    """Return the UTC instant of a date or time; dates and floating times are the zone's."""
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)  # noqa: DTZ001 (zone follows)
    if value.tzinfo is None:
        value = value.replace(tzinfo=zone)
    return value.astimezone(UTC)


def busy_status(component: Any) -> str | None:
    """Return the status of an iCalendar event, or None for one that is cancelled."""
    status = str(component.get("STATUS", "")).upper()
    if status == "CANCELLED":
        return None
    if str(component.get("TRANSP", "")).upper() == "TRANSPARENT":
        return "Free"
    return "Tentative" if status == "TENTATIVE" else "Busy"
