"""The owner's own doing in a calendar, and the truth about it, for the control interface."""

from __future__ import annotations

import copy as copying
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import icalendar

from deployments.sandbox import marker
from deployments.sandbox.fields import Fields
from deployments.sandbox.identifiers import ItemKey, item_id, read_item_id
from deployments.sandbox.model import STATUSES, Item
from deployments.sandbox.organisation import Found, Organisation, UnknownError
from deployments.sandbox.series import Changes, ComponentSeries
from deployments.sandbox.timeline import Occurrence

# The product's words for the states, beside Exchange's own.
_WORDS = {
    "free": "Free",
    "tentative": "Tentative",
    "busy": "Busy",
    "out_of_office": "OOF",
    "working_elsewhere": "WorkingElsewhere",
    "no_data": "NoData",
}
_YEAR = timedelta(days=366)
_COPIED = (
    "status",
    "subject",
    "location",
    "body",
    "body_type",
    "time_zone",
    "start_zone",
    "end_zone",
    "reminder_is_set",
    "reminder_minutes",
)
_FLAGS = ("is_private", "is_cancelled", "is_all_day")


def listing(organisation: Organisation, fields: Fields) -> list[dict[str, Any]]:
    """Return every item and occurrence that overlaps the window."""
    folder = organisation.folder(fields.text("owner"), fields.text("folder", ""))
    now = datetime.now(UTC)
    start = fields.time("start", now - _YEAR)
    end = fields.time("end", now + _YEAR)
    found = folder.occurrences(start, end)
    return [_shown(one) for one in found if one.start < end and (one.end > start or one.start >= start)]


def _shown(one: Occurrence) -> dict[str, Any]:
    item = one.item
    occurrence = None if one.original is None else int(one.original.timestamp())
    return {
        "id": item_id(ItemKey(item.mailbox, item.number, occurrence)),
        "start": one.start.isoformat(timespec="seconds"),
        "end": one.end.isoformat(timespec="seconds"),
        "status": one.status,
        "subject": one.subject,
        "booking_key": marker.booking_key(item),
        "marker": item.extended.get(marker.KEY),
        "revision": item.extended.get(marker.REVISION),
        "is_private": item.is_private,
        "is_cancelled": item.is_cancelled,
        "is_recurring": item.series is not None,
        "creator": item.creator,
    }


def create(organisation: Organisation, fields: Fields) -> str:
    """Make an appointment and return its id."""
    folder = organisation.folder(fields.text("owner"), fields.text("folder", ""))
    start, end = fields.time("start"), fields.time("end")
    _check_order(fields, start, end)
    zone = _zone(fields.text("time_zone", "UTC"))
    more: dict[str, Any] = {
        "status": _status(fields),
        "subject": fields.text("subject", ""),
        "location": fields.text("location", ""),
        "creator": fields.text("creator", folder.owner).lower(),
        "created": datetime.now(UTC),
        "time_zone": zone.key,
    }
    for name in _FLAGS:
        more[name] = fields.flag(name, otherwise=False)
    # Only tests need it: an owner has no way to write a marker.
    marks = {marker.KEY: fields.text("marker", ""), marker.REVISION: fields.text("revision", "")}
    more["extended"] = {key: value for key, value in marks.items() if value}
    if "rrule" in fields.values:
        more["series"] = _series(fields.text("rrule"), start, end, zone)
    return organisation.add_item(folder, start, end, **more).id


def _check_order(fields: Fields, start: datetime, end: datetime) -> None:
    # A sick server's appointments can be ordered, but not by mistake.
    if end < start and not fields.flag("allow_inverted", otherwise=False):
        raise ValueError("end is before start (say allow_inverted to have it nevertheless)")


def _status(fields: Fields, otherwise: str = "Busy") -> str:
    word = fields.text("status", otherwise)
    status = _WORDS.get(word, word)
    if status not in STATUSES:
        raise ValueError(f"status must be one of {', '.join((*_WORDS, *STATUSES))}")
    return status


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"time_zone {name!r} is not known") from None


def _series(rule: str, start: datetime, end: datetime, zone: ZoneInfo) -> ComponentSeries:
    event = icalendar.Event()
    event.add("UID", f"series-{start.timestamp():.0f}")
    event.add("DTSTART", start.astimezone(zone))
    event.add("DTEND", end.astimezone(zone))
    calendar = icalendar.Calendar()
    calendar.add_component(event)
    try:
        event.add("RRULE", icalendar.vRecur.from_ical(rule))
        series = ComponentSeries(calendar, zone, own_words=False)
        series.expand(start, end)
    except Exception as error:
        # The parser of rules raises all kinds of things; the caller is told one.
        raise ValueError(f"rrule {rule!r} is not valid") from error
    return series


def _find(organisation: Organisation, fields: Fields) -> Found:
    key = read_item_id(fields.id)
    found = None if key is None else organisation.item(key)
    if found is None:
        raise UnknownError("there is no such appointment")
    return found


def _changes(item: Item) -> Changes:
    if item.series is None:
        raise ValueError("the appointment has no occurrences")
    return item.series.changes


def change(organisation: Organisation, fields: Fields) -> str:
    """Change an appointment; the id of an occurrence changes that one's time."""
    found = _find(organisation, fields)
    item = found.item
    now = found.occurrence or item
    start, end = fields.time("start", now.start), fields.time("end", now.end)
    _check_order(fields, start, end)
    timed = bool({"start", "end"} & set(fields.values))
    if timed and found.occurrence is None and item.series is not None:
        raise ValueError("times of a series cannot be changed, only those of an occurrence")
    status = _status(fields, item.status)
    flags = {name: fields.flag(name, otherwise=getattr(item, name)) for name in _FLAGS}
    subject, location = fields.text("subject", item.subject), fields.text("location", item.location)
    if timed and found.occurrence is not None and found.occurrence.original is not None:
        _changes(item).moved[found.occurrence.original] = (start, end)
    elif timed:
        item.start, item.end = start, end
    item.status, item.subject, item.location = status, subject, location
    for name, value in flags.items():
        setattr(item, name, value)
    item.changed(found.folder.owner, datetime.now(UTC))
    found.folder.touched()
    return fields.id


def remove(organisation: Organisation, fields: Fields) -> None:
    """Remove an appointment; the id of an occurrence removes that one."""
    found = _find(organisation, fields)
    organisation.remove_item(found)


def copy(organisation: Organisation, fields: Fields) -> str:
    """Copy an appointment, its extended properties too, to the same or another start."""
    found = _find(organisation, fields)
    item = found.item
    start = fields.time("start", item.start)
    more = {name: getattr(item, name) for name in (*_COPIED, *_FLAGS)}
    more |= {
        "creator": found.folder.owner,
        "created": datetime.now(UTC),
        "extended": dict(item.extended),
        "series": copying.deepcopy(item.series) if start == item.start else None,
    }
    end = start + (item.end - item.start)
    return organisation.add_item(found.folder, start, end, **more).id
