"""Schedules in the nights in which clocks are changed: as Prefect itself will make runs of them."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from prefect.server.schemas.schedules import CronSchedule

from config.settings import Settings, load_settings
from deployments.serving.deploying import described

BERLIN = ZoneInfo("Europe/Berlin")
#: The day begins and ends at local midnight; one has 25 hours and one 23.
NIGHTS = {"autumn": (datetime(2026, 10, 25, tzinfo=BERLIN), 25), "spring": (datetime(2027, 3, 28, tzinfo=BERLIN), 23)}
DEFAULTS = Settings.model_fields


def starts(name, zone, first, last, **settings):
    """Return when Prefect starts runs of a deployment between two local midnights."""
    begin, end = first.astimezone(UTC), last.astimezone(UTC)
    deployments = described(load_settings(schedule_time_zone=zone, **settings))["deployments"]
    [[said]] = [it["schedules"] for it in deployments if it["name"] == name]
    schedule = CronSchedule(cron=said["cron"], timezone=said["timezone"])
    dates = asyncio.run(schedule.get_dates(n=2000, start=begin, end=end - timedelta(microseconds=1)))
    return [date.astimezone(UTC) for date in dates]


@pytest.mark.parametrize("night", NIGHTS)
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_a_harvest_every_five_minutes_is_neither_doubled_nor_skipped(night, zone):
    day, hours = NIGHTS[night]
    found = starts("harvest", zone, day, day + timedelta(days=1))
    first = day.astimezone(UTC)
    assert found == [first + timedelta(minutes=5 * number) for number in range(hours * 12)]


@pytest.mark.parametrize("night", NIGHTS)
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
@pytest.mark.parametrize("cron", [DEFAULTS["validate_schedule"].default, "30 2 * * *", "0 0 * * *"])
def test_what_is_done_daily_is_done_once(night, zone, cron):
    """Half past two is there twice in autumn, and not at all in spring."""
    day, _ = NIGHTS[night]
    begin, end = (day.replace(tzinfo=ZoneInfo(zone)) + timedelta(days=days) for days in (-2, 3))
    found = starts("validate", zone, begin, end, validate_schedule=cron)
    days = Counter(date.astimezone(ZoneInfo(zone)).date() for date in found)
    assert set(days.values()) == {1}, days
    assert len(days) == 5
