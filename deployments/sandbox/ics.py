"""Real calendars: iCalendar files loaded as an owner's default calendar.

What the server then answers for a window equals, as a set of (start, end, status), what
`recurring-ical-events` says of the file. So every event goes through that package, grouped by
its UID with all its changed occurrences, and nothing is interpreted twice.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import icalendar

from deployments.sandbox.model import Folder
from deployments.sandbox.organisation import Organisation
from deployments.sandbox.series import ComponentSeries, busy_status, instant

_OTHERWISE = "Europe/Berlin"


def load(organisation: Organisation, path: Path, owner: str) -> int:
    """Put the events of a file into an owner's default calendar.

    Args:
        organisation: Where the owner is, or is made.
        path: The file.
        owner: The owner's address.

    Returns:
        How many series and single events were loaded.

    Raises:
        ValueError: The file is not an iCalendar file.
    """
    try:
        calendar = icalendar.Calendar.from_ical(path.read_bytes())
    except (ValueError, OSError) as error:
        raise ValueError(f"{path}: not a readable iCalendar file ({error})") from error
    if organisation.mailbox(owner) is None:
        organisation.create_mailbox(owner, owner.split("@", 1)[0])
    folder = organisation.folder(owner, "")
    zone = _zone(calendar)
    groups: dict[str, list[Any]] = {}
    for number, event in enumerate(calendar.walk("VEVENT")):
        groups.setdefault(str(event.get("UID", f"without-{number}")), []).append(event)
    for events in groups.values():
        _add(organisation, folder, calendar, events, zone)
    return len(groups)


def _zone(calendar: Any) -> ZoneInfo:
    try:
        return ZoneInfo(str(calendar.get("X-WR-TIMEZONE", _OTHERWISE)))
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo(_OTHERWISE)


def _add(organisation: Organisation, folder: Folder, calendar: Any, events: list[Any], zone: ZoneInfo) -> None:
    group = icalendar.Calendar()
    # The calendar's own zone changes how series expand, so it goes with them.
    for name in ("VERSION", "PRODID", "X-WR-TIMEZONE"):
        if name in calendar:
            group.add(name, calendar[name])
    for event in events:
        group.add_component(event)
    first = next((one for one in events if "RECURRENCE-ID" not in one), events[0])
    if "DTSTART" not in first:
        return
    start = instant(first["DTSTART"].dt, zone)
    series = ComponentSeries(group, zone, drop_empty=True)
    if len(events) == 1 and not {"RRULE", "RDATE", "RECURRENCE-ID"} & set(first):
        for one in series.expand(start, start):
            organisation.add_item(
                folder,
                one.start,
                one.end,
                status=one.status,
                subject=one.subject,
                is_all_day=not hasattr(first["DTSTART"].dt, "hour"),
                is_private=str(first.get("CLASS", "PUBLIC")).upper() != "PUBLIC",
                time_zone=zone.key,
            )
        return
    organisation.add_item(
        folder,
        start,
        start,
        status=busy_status(first) or "Busy",
        subject=str(first.get("SUMMARY", "")),
        series=series,
        time_zone=zone.key,
    )
