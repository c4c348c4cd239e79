"""Times and lengths as people type them."""

import re
from datetime import UTC, date, datetime, timedelta, tzinfo

from busytime.errors import ConfigurationError

_LENGTH = re.compile(r"(?:(\d{1,3})h)?(?:(\d{1,5})m)?")


def parse_instant(text: str, option: str, zone: tzinfo = UTC) -> datetime:
    """Read an instant with its offset, or a date, which means midnight in `zone`.

    Raises:
        ConfigurationError: It is neither.
    """
    try:
        if len(text) == len("2026-12-01"):
            return datetime.combine(date.fromisoformat(text), datetime.min.time(), zone)
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"{option} {text!r} is no time; write a date (2026-12-01) or a time with its offset (2026-12-01T09:00:00+01:00)."
        ) from None
    if instant.tzinfo is None:
        raise ConfigurationError(f"{option} {text!r} has no offset; add one, for example {text}+00:00.")
    return instant


def parse_length(text: str, option: str) -> timedelta:
    """Read a length of time: `30m`, `1h`, `1h30m`.

    Raises:
        ConfigurationError: It is none.
    """
    match = _LENGTH.fullmatch(text.strip())
    if not match or not any(match.groups()):
        raise ConfigurationError(f"{option} {text!r} is no length of time; write for example 30m, 1h or 1h30m.")
    hours, minutes = (int(part or 0) for part in match.groups())
    return timedelta(hours=hours, minutes=minutes)
