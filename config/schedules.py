"""When a schedule of the settings has come round lately."""

from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo

from cronsim import CronSim


def came_round(schedule: str, time_zone: str, before: datetime, times: int = 1) -> datetime | None:
    """Return when a schedule came round before an instant; ``None`` where it did not so often.

    Args:
        schedule: Cron expression with five fields.
        time_zone: IANA name of its time zone.
        before: Aware instant.
        times: How many times back: 1 is the last time.
    """
    back = CronSim(schedule, before.astimezone(ZoneInfo(time_zone)), reverse=True)
    found = next(islice(back, times - 1, None), None)
    return found.astimezone(UTC) if found is not None else None
