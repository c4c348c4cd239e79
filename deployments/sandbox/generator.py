"""A made-up organisation of any size, the same for the same seed and day.

Calendars hold about sixty appointments in any 62 days around the anchor day: single ones, two
weekly series with a moved and a deleted occurrence, whole days, private ones, every status.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import TypeVar
from zoneinfo import ZoneInfo

from deployments.sandbox.model import Folder
from deployments.sandbox.organisation import Organisation
from deployments.sandbox.series import StepSeries

T = TypeVar("T")

DOMAIN = "corp.example"
_ZONE = ZoneInfo("Europe/Berlin")
_DAYS_BEFORE = 14
_DAYS_AFTER = 77
_SATURDAY = 5
# The chance of a first single appointment on a working day and at the weekend; a next one is half
# as likely each time. With the two series it makes about sixty appointments in 62 days.
_WORKING_DAY = 0.69
_WEEKEND = 0.06
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
_PLACES = ("", "Room Alster", "Room Elbe")
# One entry for each fiftieth of all appointments.
_STATUSES = (
    *["Busy"] * 38,
    *["Tentative"] * 5,
    *["OOF"] * 2,
    *["WorkingElsewhere"] * 2,
    *["Free"] * 3,
)
_MINUTES = (30, 30, 45, 60, 60, 90, 120)


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
        midnight, weekday = _day(anchor, day)
        rate = _WEEKEND if weekday >= _SATURDAY else _WORKING_DAY
        while chance.random() < rate:
            _add_single(organisation, calendar, chance.random, anchor, day, midnight)
            rate *= 0.5


@lru_cache(maxsize=4096)
def _day(anchor: datetime, day: int) -> tuple[datetime, int]:
    """Return the local midnight of a day, counted from the anchor, and its weekday."""
    date = anchor + timedelta(days=day)
    midnight = datetime(date.year, date.month, date.day, tzinfo=_ZONE)
    return midnight.astimezone(UTC), midnight.weekday()


def _pick(options: tuple[T, ...], chance: float) -> T:
    # Several times as fast as random.choice, which matters for thousands of owners.
    return options[int(chance * len(options))]


def _add_single(
    organisation: Organisation,
    calendar: Folder,
    chance: Callable[[], float],
    anchor: datetime,
    day: int,
    midnight: datetime,
) -> None:
    whole_days = chance() < _WHOLE_DAYS
    if whole_days:
        start, end = midnight, _day(anchor, day + 1 + int(chance() * 3))[0]
    else:
        # Counted from midnight: on the two Sundays a year when clocks change this is an hour off.
        start = midnight + timedelta(minutes=480 + 15 * int(chance() * 40))
        end = start + timedelta(minutes=_pick(_MINUTES, chance()))
    organisation.add_item(
        calendar,
        start,
        end,
        status=_pick(_STATUSES, chance()),
        subject=_pick(_SUBJECTS, chance()),
        location=_pick(_PLACES, chance()),
        is_private=chance() < _PRIVATE,
        is_all_day=whole_days,
        is_cancelled=chance() < _CANCELLED,
        time_zone=_ZONE.key,
    )


def _add_series(organisation: Organisation, calendar: Folder, chance: random.Random, anchor: datetime, hour: int) -> None:
    midnight, weekday = _day(anchor, chance.randrange(5) - _DAYS_BEFORE)
    if weekday >= _SATURDAY:
        midnight += timedelta(days=2)
    start = midnight + timedelta(hours=hour)
    duration = timedelta(minutes=_pick((30, 60), chance.random()))
    series = StepSeries(start, duration, _ZONE, step_days=7, count=(_DAYS_BEFORE + _DAYS_AFTER) // 7)
    occurrences = series.everything()
    moved = occurrences[chance.randrange(3, 6)]
    later = moved.start + timedelta(days=1)
    series.changes.moved[moved.original] = (later, later + duration)
    series.changes.deleted.add(occurrences[chance.randrange(6, 10)].original)
    organisation.add_item(
        calendar,
        start,
        start + duration,
        subject=_pick(("Team meeting", "Weekly planning"), chance.random()),
        series=series,
        time_zone=_ZONE.key,
    )
