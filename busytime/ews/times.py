"""Instants as servers write them, to aware UTC and back."""

import re
from datetime import UTC, datetime, timedelta

_INSTANT = re.compile(
    r"\s*(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?\s*(Z|[+-]\d\d:\d\d)?\s*",
)


def parse_instant(text: str) -> datetime:
    """Parse an ``xs:dateTime``; without an offset it is UTC, the zone that every request asks for.

    Any number of fractional digits is taken, and midnight may be written as 24:00.

    Raises:
        ValueError: It is not an instant.
    """
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise ValueError("not an instant")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction, offset = match.group(7), match.group(8)
    midnight = hour == 24 and minute == second == 0  # noqa: PLR2004 -- xs:dateTime allows it
    instant = datetime(year, month, day, 0 if midnight else hour, minute, second, int((fraction or "0")[:6].ljust(6, "0")), UTC)
    shift = timedelta(days=1) if midnight else timedelta()
    if offset and offset != "Z":
        away = timedelta(hours=int(offset[1:3]), minutes=int(offset[4:6]))
        shift += away if offset[0] == "-" else -away
    try:
        return instant + shift
    except OverflowError:
        pass
    raise ValueError("not an instant of the calendar")


class InstantCache(dict[str, datetime]):
    """Texts to instants for one answer: appointments share their times, so most are parsed once."""

    def __missing__(self, text: str) -> datetime:
        """Parse a text that was not met before."""
        try:
            # Exchange's own form, far quicker than any pattern; fails on a text that brings its own offset.
            instant = datetime.fromisoformat(text + "+00:00")
        except ValueError:
            instant = parse_instant(text)
        if instant.tzinfo is None:  # a date alone: what was added was taken for its time
            raise ValueError("not an instant")
        self[text] = instant
        return instant

    def find(self, text: str | None) -> datetime | None:
        """Return the instant that a text says, or ``None`` where it says none."""
        try:
            return self[(text or "").strip()]
        except ValueError:
            return None
