"""What clients may write into a calendar item: each property read, checked and kept.

A property that is not listed here is not kept; one that only the server may set is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from deployments.sandbox.model import STATUSES, Item
from deployments.sandbox.operations.shapes import ExtendedKey, read_extended
from deployments.sandbox.soap import Element, OperationError, T, local_name, schema_fault
from deployments.sandbox.zones import WINDOWS_ZONES, read_time

Values = dict[str, Any]
_LONGEST = timedelta(days=5 * 366)
_YEARS = range(1602, 4500)
_PRIVATE = {"Normal": False, "Personal": False, "Private": True, "Confidential": True}
_MOST_MINUTES = 2_629_800


@dataclass(frozen=True, slots=True)
class Property:
    """One property that clients may write.

    Attributes:
        uri: Its name in a `FieldURI`.
        read: What its element means for the item's fields.
        erased: What deleting it means for them; None if it cannot be deleted.
    """

    uri: str
    read: Callable[[Element], Values]
    erased: Values | None = None


@dataclass(slots=True)
class Draft:
    """Changes to an item that were read and not yet made. A value of None removes a property."""

    values: Values = field(default_factory=dict)
    extended: dict[ExtendedKey, str | None] = field(default_factory=dict)

    def settle(self, start: datetime | None, end: datetime | None, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """Return the item's times after the changes, as UTC.

        Args:
            start: Its present start, None for a new item.
            end: Its present end.
            zone: The request's zone, for times without an offset.

        Raises:
            OperationError: A time is missing, or they do not make an appointment.
        """
        named = WINDOWS_ZONES.get(self.values.get("start_zone", ""))
        zone = zone if named is None else ZoneInfo(named)
        start, end = (_absolute(self.values.pop(name, now), zone) for name, now in (("start", start), ("end", end)))
        if end < start:
            raise OperationError("ErrorCalendarEndDateIsEarlierThanStartDate")
        if end - start > _LONGEST:
            raise OperationError("ErrorCalendarDurationIsTooLong")
        return start, end

    def apply(self, item: Item) -> None:
        """Make the changes, but for the times."""
        for name, value in self.values.items():
            setattr(item, name, value)
        for key, text in self.extended.items():
            if text is None:
                item.extended.pop(key, None)
            else:
                item.extended[key] = text


def _absolute(moment: datetime | None, zone: ZoneInfo) -> datetime:
    if moment is None:
        raise OperationError("ErrorRequiredPropertyMissing", "Start and End are required.")
    if moment.year not in _YEARS:
        raise OperationError("ErrorCalendarOutOfRange", "The date is out of range.")
    return moment if moment.tzinfo else moment.replace(tzinfo=zone).astimezone(UTC)


def read_item(element: Element) -> Draft:
    """Read a whole `CalendarItem`.

    Raises:
        OperationError: A property cannot be set.
        SoapFault: A value is not of its type.
    """
    draft = Draft()
    for part in element:
        take(draft, part)
    return draft


def take(draft: Draft, part: Element) -> str:
    """Read one property's element into a draft and return the property's name.

    Raises:
        OperationError: It cannot be set.
        SoapFault: Its value is not of its type.
    """
    name = local_name(part)
    if part.tag == f"{T}ExtendedProperty":
        path = part.find(f"{T}ExtendedFieldURI")
        if path is None:
            raise schema_fault("ExtendedProperty holds no ExtendedFieldURI.")
        key = read_extended(path).key
        draft.extended[key] = _extended_value(part)
        return "/".join(key)
    known = PROPERTIES.get(name)
    if known is not None:
        draft.values |= known.read(part)
        return known.uri
    if name not in _NOT_KEPT:
        raise OperationError("ErrorInvalidPropertySet", f"The property {name} cannot be set.")
    return name


def _extended_value(part: Element) -> str:
    value = part.find(f"{T}Value")
    if value is None:
        raise OperationError("ErrorInvalidExtendedPropertyValue")
    return value.text or ""


def _text(name: str) -> Callable[[Element], Values]:
    return lambda element: {name: element.text or ""}


def _flag(name: str) -> Callable[[Element], Values]:
    return lambda element: {name: _choice(element, {"true": True, "1": True, "false": False, "0": False})}


def _choice(element: Element, known: Mapping[str, Any]) -> Any:
    word = (element.text or "").strip()
    if word not in known:
        raise schema_fault(f"{word!r} is not valid for {local_name(element)}.")
    return known[word]


def _time(name: str) -> Callable[[Element], Values]:
    return lambda element: {name: read_time(element.text, what=local_name(element))}


def _body(element: Element) -> Values:
    kind = element.get("BodyType")
    if kind not in {"Text", "HTML"}:
        raise schema_fault("BodyType is missing or unknown.")
    return {"body": element.text or "", "body_type": kind}


def _minutes(element: Element) -> Values:
    word = (element.text or "").strip()
    if not word.isdecimal() or int(word) > _MOST_MINUTES:
        raise schema_fault("ReminderMinutesBeforeStart is not a number of minutes.")
    return {"reminder_minutes": int(word)}


def _zone(name: str) -> Callable[[Element], Values]:
    def read(element: Element) -> Values:
        zone = element.get("Id") or ""
        # Windows has many more than this server can reckon with; all are named alike.
        if zone not in WINDOWS_ZONES and not zone.endswith(" Standard Time") and not zone.startswith("UTC"):
            raise OperationError("ErrorCalendarInvalidTimeZone")
        return {name: zone}

    return read


PROPERTIES: dict[str, Property] = {
    "Subject": Property("item:Subject", _text("subject"), {"subject": ""}),
    "Sensitivity": Property("item:Sensitivity", lambda one: {"is_private": _choice(one, _PRIVATE)}),
    "Body": Property("item:Body", _body, {"body": "", "body_type": "Text"}),
    "ReminderIsSet": Property("item:ReminderIsSet", _flag("reminder_is_set"), {"reminder_is_set": False}),
    "ReminderMinutesBeforeStart": Property("item:ReminderMinutesBeforeStart", _minutes, {"reminder_minutes": 15}),
    "Start": Property("calendar:Start", _time("start")),
    "End": Property("calendar:End", _time("end")),
    "IsAllDayEvent": Property("calendar:IsAllDayEvent", _flag("is_all_day")),
    "LegacyFreeBusyStatus": Property(
        "calendar:LegacyFreeBusyStatus", lambda one: {"status": _choice(one, dict(zip(STATUSES, STATUSES, strict=True)))}
    ),
    "Location": Property("calendar:Location", _text("location"), {"location": ""}),
    "StartTimeZone": Property("calendar:StartTimeZone", _zone("start_zone"), {"start_zone": ""}),
    "EndTimeZone": Property("calendar:EndTimeZone", _zone("end_zone"), {"end_zone": ""}),
}
BY_URI = {one.uri: one for one in PROPERTIES.values()}
_NOT_KEPT = frozenset(
    {
        "ItemClass",
        "Categories",
        "Importance",
        "ReminderDueBy",
        "Culture",
        "UID",
        "IsResponseRequested",
        "RequiredAttendees",
        "OptionalAttendees",
        "Resources",
        "MeetingTimeZone",
        "ConferenceType",
        "AllowNewTimeProposal",
    }
)
