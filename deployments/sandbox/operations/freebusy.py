"""How one appointment, and one merged stream, look in an availability answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from deployments.sandbox.identifiers import ItemKey, item_id
from deployments.sandbox.rights import Detail
from deployments.sandbox.soap import text
from deployments.sandbox.timeline import Occurrence, Page
from deployments.sandbox.zones import RequestZone

# Working elsewhere is merged as free: there are digits for four states and "no data" only.
_DIGITS = {"Free": 0, "Tentative": 1, "Busy": 2, "OOF": 3, "NoData": 4, "WorkingElsewhere": 0}


@dataclass(frozen=True, slots=True)
class Window:
    """What an availability request asks for; start and end are aware UTC."""

    start: datetime
    end: datetime
    zone: RequestZone
    view: str
    interval_minutes: int

    @property
    def slots(self) -> int:
        """The number of merged digits; a last part of an interval counts as one."""
        seconds = (self.end - self.start).total_seconds()
        return int(-(-seconds // (self.interval_minutes * 60)))


def _local(moment: datetime, zone: RequestZone) -> str:
    # In UTC, which nearly everybody asks for, there is nothing to convert; this is the hot path.
    return moment.isoformat()[:19] if zone.is_utc else zone.to_local(moment).isoformat(timespec="seconds")


def event(one: Occurrence, zone: RequestZone, details: Detail | None, *, private: bool) -> bytes:
    """Render one appointment.

    Args:
        one: The appointment.
        zone: The zone of the answer's times.
        details: How much to tell beside the time; None for nothing.
        private: Whether a private appointment's subject is told as well.
    """
    more = "" if details is None else _details(one, details, private=private)
    return (
        f"<t:CalendarEvent><t:StartTime>{_local(one.start, zone)}</t:StartTime>"
        f"<t:EndTime>{_local(one.end, zone)}</t:EndTime>"
        f"<t:BusyType>{one.status}</t:BusyType>{more}</t:CalendarEvent>"
    ).encode()


def _details(one: Occurrence, details: Detail, *, private: bool) -> str:
    item = one.item
    told = private or not item.is_private
    parts = []
    if details is Detail.FULL:
        occurrence = None if one.original is None else int(one.original.timestamp())
        parts.append(f"<t:ID>{item_id(ItemKey(item.mailbox, item.number, occurrence))}</t:ID>")
    if told:
        parts.append(f"<t:Subject>{text(one.subject)}</t:Subject>")
        parts.append(f"<t:Location>{text(item.location)}</t:Location>")
    flags = {
        "IsMeeting": False,
        "IsRecurring": item.series is not None,
        "IsException": one.is_exception,
        "IsReminderSet": False,
        "IsPrivate": item.is_private,
    }
    parts += [f"<t:{name}>{str(flag).lower()}</t:{name}>" for name, flag in flags.items()]
    return f"<t:CalendarEventDetails>{''.join(parts)}</t:CalendarEventDetails>"


def no_data_event(window: Window) -> bytes:
    """Render the one event that says that nothing is known of the window."""
    return (
        f"<t:CalendarEvent><t:StartTime>{_local(window.start, window.zone)}</t:StartTime>"
        f"<t:EndTime>{_local(window.end, window.zone)}</t:EndTime>"
        "<t:BusyType>NoData</t:BusyType></t:CalendarEvent>"
    ).encode()


def merged_no_data(window: Window) -> str:
    """Return the digits of a calendar of which nothing is known."""
    return "4" * window.slots


def merged_digits(page: Page, window: Window) -> str:
    """Return one digit an interval: the strongest status that overlaps it."""
    digits = [0] * window.slots
    start = int(window.start.timestamp())
    end = int(window.end.timestamp())
    step = window.interval_minutes * 60
    early, first, last = page.select(start, end, inclusive=False)
    for index in [*early, *range(first, last)]:
        digit = _DIGITS[page.busy[index].status]
        low = max(0, (page.starts[index] - start) // step)
        high = min(len(digits), -(-(page.ends[index] - start) // step))
        for slot in range(low, high):
            digits[slot] = max(digits[slot], digit)
    return "".join(map(str, digits))
