"""Time zones: Windows names, the rules an availability request carries, and times as text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from deployments.sandbox.soap import Element, T, child_text, schema_fault

WINDOWS_ZONES = {
    "UTC": "UTC",
    "W. Europe Standard Time": "Europe/Berlin",
    "Romance Standard Time": "Europe/Paris",
    "Central Europe Standard Time": "Europe/Budapest",
    "GMT Standard Time": "Europe/London",
    "Greenwich Standard Time": "Atlantic/Reykjavik",
    "Eastern Standard Time": "America/New_York",
    "Central Standard Time": "America/Chicago",
    "Mountain Standard Time": "America/Denver",
    "Pacific Standard Time": "America/Los_Angeles",
    "India Standard Time": "Asia/Kolkata",
    "Tokyo Standard Time": "Asia/Tokyo",
    "AUS Eastern Standard Time": "Australia/Sydney",
}
WINDOWS_NAMES = {iana: windows for windows, iana in WINDOWS_ZONES.items()}
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Switch:
    """When a zone changes to standard or daylight time, and its bias then (minutes)."""

    bias: int
    month: int
    order: int
    weekday: int
    hour: int
    minute: int
    # A year means one absolute date; `order` is then the day of the month.
    year: int | None = None

    def wall(self, year: int) -> datetime:
        """Return the local time of the change in a year, before the clock moves."""
        moment = datetime(year, self.month, 1, self.hour, self.minute)  # noqa: DTZ001 (wall time)
        if self.year is not None:
            return moment.replace(day=self.order)
        moment += timedelta(days=(self.weekday - moment.weekday()) % 7, weeks=self.order - 1)
        while moment.month != self.month:
            moment -= timedelta(weeks=1)
        return moment


@dataclass(frozen=True, slots=True)
class RequestZone:
    """The `TimeZone` element of an availability request (UTC = local time + bias)."""

    bias: int
    standard: Switch | None = None
    daylight: Switch | None = None

    @property
    def is_utc(self) -> bool:
        """Tell whether local time is UTC all year."""
        return self.bias == 0 and self.standard is None

    def to_local(self, moment: datetime) -> datetime:
        """Return the wall time of a UTC instant."""
        naive = moment.replace(tzinfo=None)
        return naive - timedelta(minutes=self.bias + self._bias_at(naive))

    def to_utc(self, wall: datetime) -> datetime:
        """Return the instant of a wall time; one that comes twice is the earlier."""
        guess = wall + timedelta(minutes=self.bias)
        for bias in {self._bias_at(guess), self._bias_at(guess + timedelta(hours=1)), 0}:
            moment = guess + timedelta(minutes=bias)
            if self._bias_at(moment) == bias:
                return moment.replace(tzinfo=UTC)
        return guess.replace(tzinfo=UTC)

    def _bias_at(self, utc: datetime) -> int:
        if self.standard is None or self.daylight is None:
            return 0
        begins, ends = _changes(self, (utc - timedelta(minutes=self.bias)).year)
        summer = begins <= utc < ends if begins < ends else not ends <= utc < begins
        return self.daylight.bias if summer else self.standard.bias


@lru_cache(maxsize=512)
def _changes(zone: RequestZone, year: int) -> tuple[datetime, datetime]:
    """Return the UTC instants at which daylight time begins and ends in a year."""
    assert zone.standard is not None  # noqa: S101 (asked only for zones with both)
    assert zone.daylight is not None  # noqa: S101
    begins = zone.daylight.wall(year) + timedelta(minutes=zone.bias + zone.standard.bias)
    ends = zone.standard.wall(year) + timedelta(minutes=zone.bias + zone.daylight.bias)
    return begins, ends


def read_request_zone(element: Element) -> RequestZone:
    """Read the `TimeZone` element.

    Raises:
        SoapFault: A part is missing or out of range.
    """
    try:
        bias = int(child_text(element, f"{T}Bias") or "")
        standard = _read_switch(element, "StandardTime")
        daylight = _read_switch(element, "DaylightTime")
        if standard.month == 0 or standard.bias == daylight.bias:
            return RequestZone(bias + standard.bias)
        zone = RequestZone(bias, standard, daylight)
        _changes(zone, 2000)
    except (ValueError, OverflowError) as error:
        raise schema_fault("the TimeZone element is not complete or not valid.") from error
    return zone


def _read_switch(element: Element, name: str) -> Switch:
    part = element.find(f"{T}{name}")
    if part is None:
        raise ValueError(name)
    hour, minute, *_ = (child_text(part, f"{T}Time") or "").split(":")
    day = child_text(part, f"{T}DayOfWeek") or ""
    year = child_text(part, f"{T}Year")
    switch = Switch(
        bias=int(child_text(part, f"{T}Bias") or ""),
        month=int(child_text(part, f"{T}Month") or ""),
        order=int(child_text(part, f"{T}DayOrder") or ""),
        weekday=_DAYS.index(day),
        hour=int(hour),
        minute=int(minute),
        year=int(year) if year else None,
    )
    if switch.order not in range(32) or switch.month not in range(13):
        raise ValueError(name)
    return switch


def read_time(value: str | None, *, what: str) -> datetime:
    """Read an XML time. The result is aware if the text carried an offset.

    Raises:
        SoapFault: It is missing or not a time.
    """
    match = _TIME.fullmatch((value or "").strip())
    if match is None:
        raise schema_fault(f"{what} is not a valid dateTime.")
    try:
        moment = datetime.fromisoformat(match[1] + (match[3] or "").replace("Z", "+00:00"))
        return moment.astimezone(UTC) if match[3] else moment
    except (ValueError, OverflowError) as error:
        raise schema_fault(f"{what} is not a valid dateTime.") from error


def aware(moment: datetime, zone: ZoneInfo, *, what: str) -> datetime:
    """Return a time as UTC; without an offset it is the zone's.

    Raises:
        SoapFault: It is too near to the ends of time.
    """
    try:
        return moment if moment.tzinfo else moment.replace(tzinfo=zone).astimezone(UTC)
    except OverflowError as error:
        raise schema_fault(f"{what} is not a valid dateTime.") from error


def zone_of(windows_id: str | None) -> ZoneInfo:
    """Return the zone of a `TimeZoneContext`; an unknown one counts as UTC."""
    return ZoneInfo(WINDOWS_ZONES.get(windows_id or "UTC", "UTC"))


def moment_text(moment: datetime, zone: ZoneInfo) -> str:
    """Return an item's time: `Z` for UTC, with an offset in any other zone."""
    if zone.key == "UTC":
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return moment.astimezone(zone).isoformat(timespec="seconds")
