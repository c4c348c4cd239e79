"""Free slots: known and not busy, inside a page's hours, at multiples of its step from local midnight."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from busytime.availability import CalendarView, SlotRule, find_free
from busytime.coverage import CoverageRow
from busytime.errors import ConfigurationError, Reason
from busytime.model import BusyStatus, Calendar, CalendarKind, CoverageState, Window
from busytime.roster import Hours, parse_hours
from tests.unit.moments import MAX_AGE

EVER = Window(datetime(2000, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC))
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANA = Calendar(1, "ana@corp.example", "", CalendarKind.DEFAULT)
BO = Calendar(2, "bo@corp.example", "Projects", CalendarKind.SUB)


def known(window=EVER, as_of=NOW):
    return CoverageRow(1, window, CoverageState.COVERED, None, None, as_of, 0, as_of)


def refused(window=EVER):
    return CoverageRow(1, window, CoverageState.UNKNOWN, Reason.NO_ACCESS, None, NOW, 0, NOW)


def free(zone, first, last, hours="00:00-24:00", *, duration=60, step=60, busy=(), statuses=frozenset(BusyStatus), views=None):
    """The free slots between two local times, written as local start and end."""
    place = ZoneInfo(zone)
    window = Window(datetime.fromisoformat(first).replace(tzinfo=place), datetime.fromisoformat(last).replace(tzinfo=place))
    rule = SlotRule(place, parse_hours(hours), timedelta(minutes=duration), timedelta(minutes=step))
    views = [CalendarView(ANA, busy, [known()])] if views is None else views
    return find_free(views, window, rule, now=NOW, max_age=MAX_AGE, busy_statuses=statuses)


def starts(*args, **more):
    return [f"{start:%d %H:%M %z}" for start, _ in free(*args, **more).slots]


def berlin(text, minutes=60, status=BusyStatus.BUSY):
    start = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin"))
    return start.astimezone(UTC), start.astimezone(UTC) + timedelta(minutes=minutes), status


def test_slots_lie_inside_the_hours_and_a_slot_may_end_as_they_close():
    found = free("Europe/Berlin", "2026-06-01", "2026-06-02", "09:30-12:00", step=30).slots
    assert [f"{start:%H:%M}-{end:%H:%M}" for start, end in found] == ["09:30-10:30", "10:00-11:00", "10:30-11:30", "11:00-12:00"]


def test_slots_are_told_in_the_zone_of_the_page():
    start, end = free("Asia/Kathmandu", "2026-06-01", "2026-06-02", "09:00-10:00").slots[0]
    assert start.isoformat() == "2026-06-01T09:00:00+05:45"
    assert end.isoformat() == "2026-06-01T10:00:00+05:45"


def test_a_slot_that_touches_a_busy_interval_is_free():
    found = starts("Europe/Berlin", "2026-06-01", "2026-06-02", "09:00-12:00", busy=[berlin("2026-06-01T10:00")])
    assert found == ["01 09:00 +0200", "01 11:00 +0200"]


def test_one_minute_of_busy_time_takes_the_slot():
    assert starts("Europe/Berlin", "2026-06-01", "2026-06-02", "09:00-11:00", busy=[berlin("2026-06-01T09:59", 1)]) == [
        "01 10:00 +0200"
    ]


def test_a_status_that_is_not_busy_for_bookings_leaves_the_slot_free():
    elsewhere = [berlin("2026-06-01T09:00", status=BusyStatus.WORKING_ELSEWHERE)]
    day = ("Europe/Berlin", "2026-06-01", "2026-06-02", "09:00-10:00")
    assert starts(*day, busy=elsewhere) == []
    assert len(starts(*day, busy=elsewhere, statuses=frozenset({BusyStatus.BUSY}))) == 1


def test_every_calendar_has_to_be_known():
    views = [CalendarView(ANA, [], [known()]), CalendarView(BO, [], [])]
    found = free("Europe/Berlin", "2026-06-01", "2026-06-02", views=views)
    assert found.slots == ()
    assert [(unsure.calendar, unsure.part.reason) for unsure in found.unknown] == [(BO, Reason.NEVER_HARVESTED)]


def test_an_answer_that_is_too_old_is_no_answer():
    views = [CalendarView(ANA, [], [known(as_of=NOW - MAX_AGE - timedelta(microseconds=1))])]
    found = free("Europe/Berlin", "2026-06-01", "2026-06-02", views=views)
    assert found.slots == ()
    assert found.unknown[0].part.reason is Reason.OUTDATED
    assert found.unknown[0].part.since == NOW - timedelta(microseconds=1)


def test_only_the_part_that_is_not_known_offers_nothing():
    noon = datetime(2026, 6, 1, 10, tzinfo=UTC)  # 12:00 in Berlin
    views = [CalendarView(ANA, [], [known(Window(EVER.start, noon)), refused(Window(noon, EVER.end))])]
    assert starts("Europe/Berlin", "2026-06-01", "2026-06-02", "10:00-14:00", views=views) == ["01 10:00 +0200", "01 11:00 +0200"]


def test_slots_start_and_end_inside_the_window_that_was_asked():
    found = starts("Europe/Berlin", "2026-06-01T09:30", "2026-06-01T12:30")
    assert found == ["01 10:00 +0200", "01 11:00 +0200"]


def test_hours_that_close_at_24_offer_the_last_hour_of_the_day_and_the_first_of_the_next():
    found = starts("Europe/Berlin", "2026-06-01T22:00", "2026-06-02T02:00")
    assert found == ["01 22:00 +0200", "01 23:00 +0200", "02 00:00 +0200", "02 01:00 +0200"]


def test_no_slot_reaches_over_the_end_of_the_day():
    assert starts("Europe/Berlin", "2026-06-01T21:00", "2026-06-02T02:00", duration=90) == [
        "01 21:00 +0200",
        "01 22:00 +0200",
        "02 00:00 +0200",
    ]


def test_a_step_that_does_not_divide_the_hour_counts_from_local_midnight():
    found = starts("Europe/Berlin", "2026-06-01", "2026-06-02", "09:00-11:00", duration=20, step=25)
    assert found == ["01 09:10 +0200", "01 09:35 +0200", "01 10:00 +0200", "01 10:25 +0200"]
    assert starts("Europe/Berlin", "2026-06-01T23:00", "2026-06-02T00:30", duration=20, step=25) == [
        "01 23:20 +0200",
        "02 00:00 +0200",
    ]


@pytest.mark.parametrize(
    ("zone", "day", "next_day", "slots"),
    [
        ("Europe/Berlin", "2026-10-25", "2026-10-26", 25),
        ("Europe/Berlin", "2027-03-28", "2027-03-29", 23),
        ("America/New_York", "2026-11-01", "2026-11-02", 25),
        ("America/New_York", "2027-03-14", "2027-03-15", 23),
        ("Africa/Cairo", "2026-04-23", "2026-04-24", 24),
        ("Africa/Cairo", "2026-04-24", "2026-04-25", 23),
        ("America/Santiago", "2026-09-05", "2026-09-06", 24),
        ("Atlantic/Azores", "2026-10-24", "2026-10-25", 24),
        ("Atlantic/Azores", "2026-10-25", "2026-10-26", 25),
        ("Europe/Berlin", "2026-06-01", "2026-06-02", 24),
    ],
)
def test_a_day_offers_each_of_its_hours_when_clocks_change(zone, day, next_day, slots):
    found = [start.astimezone(UTC) for start, _ in free(zone, day, next_day).slots]
    assert len(set(found)) == len(found) == slots
    assert found == sorted(found)


def test_an_hour_that_comes_twice_is_offered_twice():
    found = starts("Europe/Berlin", "2026-10-25T01:00", "2026-10-25T04:00")
    assert found == ["25 01:00 +0200", "25 02:00 +0200", "25 02:00 +0100", "25 03:00 +0100"]
    found = starts("America/New_York", "2026-11-01T00:00", "2026-11-01T03:00", step=30, duration=30)
    assert found == [
        "01 00:00 -0400",
        "01 00:30 -0400",
        "01 01:00 -0400",
        "01 01:30 -0400",
        "01 01:00 -0500",
        "01 01:30 -0500",
        "01 02:00 -0500",
        "01 02:30 -0500",
    ]


def test_an_hour_that_does_not_exist_is_not_offered():
    assert starts("Europe/Berlin", "2027-03-28T01:00", "2027-03-28T04:00") == ["28 01:00 +0100", "28 03:00 +0200"]
    assert starts("America/New_York", "2027-03-14T01:00", "2027-03-14T04:00") == ["14 01:00 -0500", "14 03:00 -0400"]


def test_a_slot_over_the_change_keeps_its_length():
    start, end = free("Europe/Berlin", "2027-03-28T01:00", "2027-03-28T05:00", duration=120).slots[0]
    assert f"{start:%H:%M}-{end:%H:%M}" == "01:00-04:00"
    assert end.astimezone(UTC) - start.astimezone(UTC) == timedelta(hours=2)


def test_hours_that_close_in_a_time_that_does_not_exist_close_at_the_change():
    assert starts("Europe/Berlin", "2027-03-28", "2027-03-29", "01:00-02:30", duration=30, step=30) == [
        "28 01:00 +0100",
        "28 01:30 +0100",
    ]


def test_hours_that_close_in_a_time_that_comes_twice_close_the_first_time():
    found = starts("Europe/Berlin", "2026-10-25", "2026-10-26", "01:30-02:30", duration=30, step=30)
    assert found == ["25 01:30 +0200", "25 02:00 +0200"]


def test_the_last_hour_before_a_midnight_that_is_skipped_is_offered():
    assert starts("Africa/Cairo", "2026-04-23", "2026-04-25", "22:00-24:00")[:2] == ["23 22:00 +0200", "23 23:00 +0200"]


def test_a_midnight_that_comes_twice_closes_the_first_time():
    # In the Azores 24:00 of the 24th comes again an hour later.
    assert starts("Atlantic/Azores", "2026-10-24T20:00", "2026-10-25T06:00", "22:00-24:00", duration=90, step=30) == [
        "24 22:00 +0000",
        "24 22:30 +0000",
    ]


def test_clocks_that_change_by_half_an_hour():
    found = starts("Australia/Lord_Howe", "2026-04-05T01:00", "2026-04-05T03:00", duration=30, step=30)
    assert found == ["05 01:00 +1100", "05 01:30 +1100", "05 01:30 +1030", "05 02:00 +1030", "05 02:30 +1030"]


def test_a_day_that_an_island_skipped_offers_nothing():
    found = starts("Pacific/Apia", "2011-12-29", "2012-01-01", "22:00-24:00")
    assert found == ["29 22:00 -1000", "29 23:00 -1000", "31 22:00 +1400", "31 23:00 +1400"]


def test_a_page_without_calendars_to_read_is_free():
    assert len(free("UTC", "2026-06-01", "2026-06-02", views=[]).slots) == 24


@pytest.mark.parametrize(("duration", "step"), [(0, 15), (-30, 15), (30, 0), (30, -15), (30, 0.5)])
def test_a_rule_that_could_never_be_a_slot_is_refused(duration, step):
    with pytest.raises(ConfigurationError, match="write for example 30m"):
        SlotRule(ZoneInfo("UTC"), Hours(), timedelta(minutes=duration), timedelta(minutes=step))


def test_a_slot_longer_than_the_hours_is_refused():
    with pytest.raises(ConfigurationError, match="09:00-10:00"):
        SlotRule(ZoneInfo("UTC"), parse_hours("09:00-10:00"), timedelta(minutes=61), timedelta(minutes=15))
