"""A made-up organisation of any size, the same for the same seed and day.

Calendars hold about sixty appointments in any 62 days around the anchor day: single ones, two
weekly series with a moved and a deleted occurrence, whole days, private ones, every status.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from deployments.sandbox.model import Folder
from deployments.sandbox.organisation import Organisation
from deployments.sandbox.series import StepSeries

DOMAIN = "corp.example"
_ZONE = ZoneInfo("Europe/Berlin")
_DAYS_BEFORE = 70
_DAYS_AFTER = 140
# The chance of a first, second, ... single appointment on a working day and at the weekend; with
# the two series it makes about sixty in 62 days.
_WORKING_DAY = 0.66
_WEEKEND = 0.06
_SATURDAY = 5
_WHOLE_DAYS, _PRIVATE, _CANCELLED = 0.04, 0.08, 0.01
_FIRST = ("Ana", "Bo", "Chidi", "Dana", "Eva", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Keiko")
_LAST = ("Adler", "Brandt", "Costa", "Dogan", "Eriksen", "Fischer", "Gruber", "Haddad", "Ito")
_SUBJECTS = (
    "Budget review",
    "Candidate interview",
    "Customer visit",
    "Design walkthrough",
    "Dentist",
    "One-to-one",
    "Release planning",
    "Vendor negotiation",
)
_STATUSES = ("Busy", "Tentative", "OOF", "WorkingElsewhere", "Free")
_WEIGHTS = (76, 10, 4, 4, 6)


def owner_address(number: int, owners: int) -> str:
    """Return the address of the n-th owner (from 1)."""
    width = max(4, len(str(owners)))
    return f"owner{number:0{width}}@{DOMAIN}"


def populate(organisation: Organisation, owners: int, seed: int, anchor: datetime) -> None:
    """Add the owners; each calendar is made when it is first looked at.

    Args:
        organisation: Where they are added.
        owners: How many.
        seed: The same seed and anchor give the same organisation.
        anchor: The day around which the appointments lie.
    """
    midnight = anchor.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for number in range(1, owners + 1):
        address = owner_address(number, owners)
        maker: Callable[[], None] = partial(_make, organisation, address, seed, midnight)
        organisation.expect(address, maker)


def _make(organisation: Organisation, address: str, seed: int, anchor: datetime) -> None:
    chance = random.Random(f"{seed}:{address}")  # noqa: S311 (repeatable, no secret)
    name = f"{chance.choice(_FIRST)} {chance.choice(_LAST)}"
    mailbox = organisation.create_mailbox(address, name)
    calendar = mailbox.folders[4]
    for hour in (chance.randrange(8, 11), chance.randrange(13, 16)):
        _add_series(organisation, calendar, chance, anchor, hour)
    for day in range(-_DAYS_BEFORE, _DAYS_AFTER):
        date = anchor + timedelta(days=day)
        rate = _WEEKEND if date.weekday() >= _SATURDAY else _WORKING_DAY
        while chance.random() < rate:
            _add_single(organisation, calendar, chance, date)
            rate *= 0.5


def _local(date: datetime, hour: int, minute: int) -> datetime:
    wall = datetime(date.year, date.month, date.day, hour, minute, tzinfo=_ZONE)
    return wall.astimezone(UTC)


def _add_single(organisation: Organisation, calendar: Folder, chance: random.Random, date: datetime) -> None:
    status = chance.choices(_STATUSES, _WEIGHTS)[0]
    whole_day = chance.random() < _WHOLE_DAYS
    if whole_day:
        start = _local(date, 0, 0)
        end = _local(date + timedelta(days=chance.randrange(1, 4)), 0, 0)
    else:
        start = _local(date, chance.randrange(8, 18), chance.choice((0, 0, 15, 30)))
        end = start + timedelta(minutes=chance.choice((30, 30, 45, 60, 60, 90, 120)))
    organisation.add_item(
        calendar,
        start,
        end,
        status=status,
        subject=chance.choice(_SUBJECTS),
        location=chance.choice(("", "Room Alster", "Room Elbe")),
        is_private=chance.random() < _PRIVATE,
        is_all_day=whole_day,
        is_cancelled=chance.random() < _CANCELLED,
        time_zone=_ZONE.key,
    )


def _add_series(
    organisation: Organisation,
    calendar: Folder,
    chance: random.Random,
    anchor: datetime,
    hour: int,
) -> None:
    first = anchor - timedelta(days=_DAYS_BEFORE - chance.randrange(5))
    first += timedelta(days=max(0, 7 - first.weekday()) if first.weekday() >= _SATURDAY else 0)
    start = _local(first, hour, chance.choice((0, 30)))
    duration = timedelta(minutes=chance.choice((30, 60)))
    series = StepSeries(start, duration, _ZONE, step_days=7, count=30)
    occurrences = series.everything()
    moved = occurrences[chance.randrange(5, 15)]
    later = moved.start + timedelta(days=1)
    series.changes.moved[moved.original] = (later, later + duration)
    series.changes.deleted.add(occurrences[chance.randrange(15, 25)].original)
    organisation.add_item(
        calendar,
        start,
        start + duration,
        subject=chance.choice(("Team meeting", "Weekly planning")),
        series=series,
        time_zone=_ZONE.key,
    )
