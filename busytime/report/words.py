"""How the report says instants, lengths, shares and names. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from busytime.counting import several
from busytime.granting import showable
from busytime.report.facts import Place

_UNITS = ((timedelta(days=1), "day"), (timedelta(hours=1), "hour"), (timedelta(minutes=1), "minute"))
#: From here on a length is said in this unit: 36 hours are easier than 1 day.
_FROM = 2
_LONGEST_NAME = 120
#: How flows are called among people.
_FLOWS = {
    "harvest_busy_time": "harvest",
    "validate_delegation": "validate",
    "push_bookings": "push",
    "discover_calendars": "discover",
    "resync_connection": "resync",
}


def moment(instant: datetime) -> str:
    """Write an instant, in UTC."""
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def lasting(length: timedelta) -> str:
    """Write a length in the largest unit of which it has two."""
    for unit, name in _UNITS:
        if length >= _FROM * unit:
            return several(int(length / unit), name)
    return "a minute" if length >= timedelta(minutes=1) else "less than a minute"


def share_text(share: float | None) -> str:
    """Write a share so that 100 % is said of the whole alone, and 0 % of nothing."""
    if share is None:
        return "-"
    if share in {0, 1}:
        return f"{share:.0%}".replace("%", " %")
    return f"{min(99.9, max(0.1, share * 100)):.1f} %"


def name_of(place: Place) -> str:
    """Return a calendar as a roster names it, without what would break a line, and not endlessly long."""
    return clean(f"{place.owner}/{place.folder}" if place.folder else place.owner)


def clean(text: str, longest: int = _LONGEST_NAME) -> str:
    """Return a text from the database with nothing in it that breaks a line or turns the direction of writing."""
    shown = showable(text)
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"


def named(places: Sequence[Place], count: int) -> str:
    """Name a few of so many calendars."""
    more = count - len(places)
    return ", ".join(map(name_of, places)) + (f" and {more:,} more" if more > 0 else "")


def flow_name(flow: str) -> str:
    """Return what people call a flow."""
    return _FLOWS.get(flow, clean(flow.replace("_", " ")))
