"""Windows are half-open, aware and in order; secrets do not show themselves."""

import itertools
import pickle
from datetime import UTC, datetime, timedelta, timezone

import pytest

from busytime.errors import ConfigurationError
from busytime.model import Calendar, CalendarKind, Secret, Window, harvest_window
from tests.unit.moments import MONDAY, at, window

BERLIN_SUMMER = timezone(timedelta(hours=2))


@pytest.mark.parametrize(("start", "end", "name"), [(None, UTC, "start"), (UTC, None, "end")])
def test_a_window_with_a_naive_instant_is_refused(start, end, name):
    with pytest.raises(ConfigurationError, match=f"{name} .* has no UTC offset"):
        Window(datetime(2026, 1, 1, tzinfo=start), datetime(2026, 1, 2, tzinfo=end))


@pytest.mark.parametrize("length", [0, -1])
def test_a_window_that_does_not_end_after_it_starts_is_refused(length):
    with pytest.raises(ConfigurationError, match="give a later end"):
        window(0, length)


def test_order_is_judged_by_instants_not_by_clocks():
    with pytest.raises(ConfigurationError, match="give a later end"):
        Window(datetime(2026, 6, 1, 10, tzinfo=UTC), datetime(2026, 6, 1, 11, tzinfo=BERLIN_SUMMER))


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "9999-01-01T00:00:00+00:00"])
def test_an_instant_at_the_edge_of_the_calendar_is_refused(text):
    with pytest.raises(ConfigurationError, match="too far away"):
        Window(*sorted([datetime.fromisoformat(text), MONDAY]))


def test_a_window_is_kept_in_utc():
    kept = Window(datetime(2026, 6, 1, 10, tzinfo=BERLIN_SUMMER), datetime(2026, 6, 1, 11, tzinfo=BERLIN_SUMMER))
    assert kept.start.isoformat() == "2026-06-01T08:00:00+00:00"
    assert kept.start.tzinfo is UTC
    assert kept.length == timedelta(hours=1)


@pytest.mark.parametrize(
    ("start", "end", "shares"), [(-5, 0, False), (-5, 1, True), (59, 70, True), (60, 70, False), (-5, 70, True), (1, 2, True)]
)
def test_a_window_is_half_open(start, end, shares):
    assert window(0, 60).overlaps(at(start), at(end)) is shares


@pytest.mark.parametrize(("days", "lengths"), [(62, [60]), (60, [60]), (42, [42, 18]), (20, [20, 20, 20]), (59, [59, 1])])
def test_a_window_is_split_without_gap_or_overlap(days, lengths):
    whole = Window(MONDAY, MONDAY + timedelta(days=60))
    parts = list(whole.split(days))
    assert [part.length.days for part in parts] == lengths
    assert (parts[0].start, parts[-1].end) == (whole.start, whole.end)
    assert all(first.end == second.start for first, second in itertools.pairwise(parts))


@pytest.mark.parametrize("seconds", [2, 3, 3600, 86_401])
def test_halves_make_up_the_window_and_meet_at_a_whole_second(seconds):
    whole = Window(MONDAY, MONDAY + timedelta(seconds=seconds))
    first, second = whole.halves()
    assert (first.start, first.end, second.end) == (whole.start, second.start, whole.end)
    assert first.end.microsecond == 0


def test_a_harvest_reads_from_yesterday_in_whole_days():
    reading = harvest_window(datetime(2026, 11, 23, 0, 30, tzinfo=BERLIN_SUMMER), 60)
    assert reading == Window(datetime(2026, 11, 21, tzinfo=UTC), datetime(2027, 1, 21, tzinfo=UTC))


def test_a_secret_shows_nothing_of_itself():
    secret = Secret("eva", "correct horse")
    for shown in (repr(secret), str(secret), f"{secret}", f"{[secret]!r}", f"{secret!a}"):
        assert "eva" not in shown
        assert "correct" not in shown


def test_a_secret_does_not_leave_its_process():
    with pytest.raises(TypeError, match="does not leave its process"):
        pickle.dumps(Secret("eva", "correct horse"))


@pytest.mark.parametrize("password", ["correct horse", "Päßwörd 密码 🐎", '"\\\n\x00', ""])
def test_a_secret_comes_back_from_what_is_sealed(password):
    assert Secret.from_bytes(Secret("CORP\\eva", password).to_bytes()) == Secret("CORP\\eva", password)


def test_a_calendar_is_named_by_owner_and_path():
    assert Calendar(1, "ana@corp.example", "", CalendarKind.DEFAULT).label == "ana@corp.example"
    assert Calendar(1, "bo@corp.example", "A/B", CalendarKind.SUB).label == "bo@corp.example/A/B"
