"""Unknown is never free, whatever is stored; and every slot keeps to the page's rule."""

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from busytime.availability import CalendarView, SlotRule, find_free
from busytime.coverage import CoverageRow
from busytime.errors import Reason
from busytime.model import BusyStatus, Calendar, CalendarKind, CoverageState, Window
from busytime.roster import Hours
from tests.unit.moments import MAX_AGE

ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Cairo", "Atlantic/Azores", "UTC")
#: Around nights in which the clocks of these zones change.
NIGHTS = [datetime(2026, month, day, tzinfo=UTC) for month, day in ((10, 25), (11, 1), (4, 5), (4, 24), (3, 29), (6, 1))]

quarters = st.integers(0, 200)


@st.composite
def spans(draw, night):
    start = draw(quarters)
    return night + timedelta(minutes=15 * start), night + timedelta(minutes=15 * (start + draw(st.integers(1, 60))))


@st.composite
def worlds(draw):
    night = draw(st.sampled_from(NIGHTS)) - timedelta(days=1)
    now = night - timedelta(days=1)
    views = []
    for key in range(draw(st.integers(1, 3))):
        intervals = [(*span, draw(st.sampled_from(BusyStatus))) for span in draw(st.lists(spans(night), max_size=4))]
        borders = sorted(draw(st.sets(st.integers(-8, 220), min_size=2, max_size=5)))
        coverage = []
        for first, last in itertools.pairwise(borders):
            part = Window(night + timedelta(minutes=15 * first), night + timedelta(minutes=15 * last))
            age = timedelta(minutes=draw(st.sampled_from([0, 30, 31])))
            state, reason = draw(
                st.sampled_from([(CoverageState.COVERED, None)] * 3 + [(CoverageState.UNKNOWN, Reason.NO_ACCESS)])
            )
            coverage.append(CoverageRow(first, part, state, reason, None, now - age, 0, now - age))
        views.append(CalendarView(Calendar(key, f"o{key}@corp.example", "", CalendarKind.DEFAULT), intervals, coverage))
    opens = draw(st.integers(0, 1380))
    hours = Hours(opens, draw(st.integers(opens + 30, 1440)))
    duration = draw(st.integers(1, hours.closes_minute - hours.opens_minute))
    zone = ZoneInfo(draw(st.sampled_from(ZONES)))
    rule = SlotRule(zone, hours, timedelta(minutes=duration), timedelta(minutes=draw(st.integers(7, 200))))
    return views, Window(*draw(spans(night))), rule, now


@given(worlds())
def test_no_slot_overlaps_what_is_unknown_or_busy_and_each_keeps_to_the_rule(world):
    views, window, rule, now = world
    counted = frozenset({BusyStatus.BUSY, BusyStatus.OUT_OF_OFFICE})
    freedom = find_free(views, window, rule, now=now, max_age=MAX_AGE, busy_statuses=counted)
    for start, end in ((start.astimezone(UTC), end.astimezone(UTC)) for start, end in freedom.slots):
        slot = Window(start, end)
        assert window.start <= start < end <= window.end
        assert slot.length == rule.duration
        for view in views:
            assert not any(slot.overlaps(*interval[:2]) for interval in view.intervals if interval[2] in counted)
            covering = sorted(
                row.window for row in view.coverage if row.state is CoverageState.COVERED and now - row.as_of <= MAX_AGE
            )
            instant = start
            for part in covering:
                instant = max(instant, part.end) if part.start <= instant else instant
            assert instant >= end, "a slot lies where a calendar is not known"
    for start, _ in freedom.slots:
        minute = start.hour * 60 + start.minute
        assert timedelta(minutes=minute) % rule.step == timedelta(0)
        assert rule.hours.opens_minute <= minute < rule.hours.closes_minute
    assert not any(
        part.window.overlaps(start.astimezone(UTC), end.astimezone(UTC))
        for part in (unsure.part for unsure in freedom.unknown)
        for start, end in freedom.slots
    )


@given(worlds(), st.integers(0, 60))
def test_slots_are_ordered_distinct_and_never_gained_by_knowing_less(world, cut):
    views, window, rule, now = world
    everything = frozenset(BusyStatus)
    slots = find_free(views, window, rule, now=now, max_age=MAX_AGE, busy_statuses=everything).slots
    instants = [start.astimezone(UTC) for start, _ in slots]
    assert instants == sorted(set(instants))
    later = find_free(views, window, rule, now=now + timedelta(minutes=cut), max_age=MAX_AGE, busy_statuses=everything).slots
    assert set(later) <= set(slots)
