"""Which values are a booking, and what is wrong with those that are none."""

import dataclasses
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from busytime.bookings import Booking, BookingState
from busytime.errors import Reason
from busytime.intake import MAX_REVISION, BookingFault, check_booking, examine_booking
from busytime.model import Window

PAGES = ["intro-call", "Größe"]
NINE = datetime(2026, 12, 1, 8, tzinfo=UTC)
GOOD = {
    "booking_key": "BK-1001",
    "page": "intro-call",
    "starts_at": "2026-12-01T09:00:00+01:00",
    "ends_at": "2026-12-01T09:30:00+01:00",
    "title": "Intro call",
    "state": "scheduled",
    "revision": 1,
    "booked_at": "2026-11-20T12:00:00.123456Z",
}
CANCELLED = {name: GOOD[name] for name in ("booking_key", "page", "booked_at")} | {"state": "cancelled"}
#: What a value may be where another program wrote it.
RUBBISH = [
    b"BK-1001",
    1.5,
    float("nan"),
    Decimal(1),
    True,
    {},
    {"a": 1},
    {1},
    [None, 1],
    [["a"]],
    [b"a"],
    object(),
    date(2026, 12, 1),
    10**5000,
    "\ud800",
    "\0",
]


def booking(**values) -> Booking:
    found = check_booking(GOOD | values, PAGES)
    assert isinstance(found, Booking), found
    return found


def faults(**values) -> list[tuple[str, str]]:
    found = examine_booking(GOOD | values, PAGES)
    assert not isinstance(found, Booking)
    assert check_booking(GOOD | values, PAGES) == found[0]
    return [(fault.reason.value, fault.field) for fault in found]


def test_a_good_booking_is_taken_as_it_is():
    assert booking() == Booking(
        "BK-1001",
        "intro-call",
        Window(NINE, NINE + timedelta(minutes=30)),
        "Intro call",
        BookingState.SCHEDULED,
        1,
        datetime(2026, 11, 20, 12, 0, 0, 123456, UTC),
    )


def test_what_is_not_said_has_its_default():
    values = {name: value for name, value in GOOD.items() if name not in {"state", "revision"}}
    assert check_booking(values, PAGES) == booking() == booking(location=None, body=None, guests=None)


@pytest.mark.parametrize(
    "start",
    [
        "2026-12-01T08:00:00Z",
        "2026-12-01t08:00:00z",
        "2026-12-01T08:00:00.000Z",
        "2026-12-01T08:00:00.0000000Z",
        "2026-12-01 09:00:00+01",
        "2026-12-01 09:00:00+0100",
        "2026-12-01T08:00:00.000000+00:00",
        "2026-12-01T08:00:00-00:00",
        NINE,
        NINE.astimezone(timezone(timedelta(hours=-11))),
    ],
)
def test_an_instant_is_read_as_people_programs_and_databases_write_it(start):
    assert booking(starts_at=start).window == booking().window


@pytest.mark.parametrize(
    "start", ["2026-12-01T09:00:00", "2026-12-01 09:00:00.000000", "2026-12-01T09:00", datetime(2026, 12, 1, 9)]
)
def test_a_naive_time_is_refused(start):
    assert faults(starts_at=start) == [("no_utc_offset", "starts_at")]
    assert faults(booked_at=start) == [("no_utc_offset", "booked_at")]


@pytest.mark.parametrize(
    "start",
    [
        "2026-12-01",
        "2026-12-01T09:00+01:00",
        "2026-12-01T09:00:00.5+01:00",
        "2026-12-01T09:00:60+01:00",
        "2026-12-01T24:00:00+01:00",
        "2026-02-30T09:00:00+01:00",
        "2026-12-01T09:00:00+24:00",
        "2026-12-01T09:00:00+01:60",
        "2026-W49-2T09:00:00+01:00",
        "20261201T090000Z",
        " 2026-12-01T09:00:00Z",
        "2026-12-01T09:00:00Z\n",
        "٢٠٢٦-12-01T09:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "1969-12-31T23:59:59Z",
        "2200-01-01T00:00:00Z",
        "9999-12-31T23:59:59-14:00",
        "tomorrow",
        1_796_112_000,
        NINE.replace(microsecond=1),
        datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-14)), microsecond=0),
    ],
)
def test_what_is_no_time_at_a_whole_second_is_refused(start):
    assert faults(starts_at=start) == [("value_unreadable", "starts_at")]


@pytest.mark.parametrize("end", ["2026-12-01T09:00:00+01:00", "2026-12-01T08:59:59+01:00", "2026-12-01T09:30:00+02:00"])
def test_an_end_that_is_not_after_the_start_is_refused(end):
    assert faults(ends_at=end) == [("ends_before_start", "ends_at")]


def test_a_booking_of_more_than_two_weeks_is_refused():
    assert booking(ends_at=NINE + timedelta(days=14)).window.length == timedelta(days=14)
    assert faults(ends_at=NINE + timedelta(days=14, seconds=1)) == [("value_too_long", "ends_at")]


def test_a_cancelled_booking_needs_neither_times_nor_title():
    found = check_booking(CANCELLED, PAGES)
    assert isinstance(found, Booking)
    assert (found.state, found.window, found.title) == (BookingState.CANCELLED, None, "")
    assert booking(state="cancelled").window == booking().window


@pytest.mark.parametrize(("given", "missing"), [("starts_at", "ends_at"), ("ends_at", "starts_at")])
def test_half_a_time_is_refused_even_where_none_is_needed(given, missing):
    found = check_booking(CANCELLED | {given: NINE}, PAGES)
    assert found == BookingFault(Reason.VALUE_MISSING, missing)


@pytest.mark.parametrize("name", ["booking_key", "page", "starts_at", "ends_at", "title", "booked_at"])
@pytest.mark.parametrize("nothing", [None, ""])
def test_what_a_scheduled_booking_needs_is_missed(name, nothing):
    assert faults(**{name: nothing}) == [("value_missing", name)]


@pytest.mark.parametrize("key", [" BK-1", "BK-1 ", "BK\u00a01", "BK\u200b1", "BK\u202e1", 1001])
def test_a_key_that_reads_in_two_ways_is_refused(key):
    assert faults(booking_key=key) == [("value_unreadable", "booking_key")]


@pytest.mark.parametrize("key", ["BK/1 ä/ö", "x" * 200, "probe-1", "🙂"])
def test_a_key_may_be_any_text_that_prints(key):
    assert booking(booking_key=key).key == key


@pytest.mark.parametrize("key", ["probe", "Probe"])
def test_the_key_of_the_write_probe_is_refused(key):
    assert faults(booking_key=key) == [("key_reserved", "booking_key")]


@pytest.mark.parametrize("page", ["Intro-call", "intro-call ", "talk", "\ud800"])
def test_a_page_is_named_exactly(page):
    assert faults(page=page) == [("unknown_page", "page")]
    assert booking(page="Größe").page == "Größe"


@pytest.mark.parametrize(("name", "longest"), [("booking_key", 200), ("title", 255), ("location", 255), ("body", 32_768)])
def test_a_text_has_a_longest_length(name, longest):
    booking(**{name: "ä" * longest})
    assert faults(**{name: "ä" * (longest + 1)}) == [("value_too_long", name)]


def test_a_body_of_a_megabyte_is_refused():
    assert faults(body="x" * 1024**2) == [("value_too_long", "body")]


@pytest.mark.parametrize("name", ["booking_key", "title", "location", "body", "guests"])
@pytest.mark.parametrize("sign", ["\0", "\x07", "\x1b", "\x7f", "\x85", "\r", "\ud800", "\ufdd0", "\ufdef", "\ufffe", "\uffff"])
def test_what_no_calendar_can_hold_is_refused(name, sign):
    assert faults(**{name: f"a{sign}b"}) == [("control_characters", name)]


@pytest.mark.parametrize("name", ["booking_key", "title", "location"])
@pytest.mark.parametrize("sign", ["\n", "\t"])
def test_only_the_body_has_lines(name, sign):
    assert faults(**{name: f"a{sign}b"}) == [("control_characters", name)]
    assert booking(body="a\r\nb\n\tc").body == "a\nb\n\tc"


@pytest.mark.parametrize(
    "guests",
    [
        ["Ana <ana@corp.example>", "bo@corp.example"],
        ("Ana <ana@corp.example>", None, " bo@corp.example "),
        "Ana <ana@corp.example>\r\nbo@corp.example\n",
        "Ana <ana@corp.example>; bo@corp.example;",
        ["Ana <ana@corp.example>;bo@corp.example"],
    ],
)
def test_guests_are_a_list_or_a_text(guests):
    found = booking(guests=guests).guests
    assert found == ("Ana <ana@corp.example>", "bo@corp.example")
    assert booking(guests="\n".join(found)).guests == found


def test_guests_are_bounded():
    assert len(booking(guests=["a"] * 200).guests) == 200
    assert faults(guests=["a"] * 201) == [("value_too_long", "guests")]
    assert faults(guests=["a" * 321]) == [("value_too_long", "guests")]


@pytest.mark.parametrize(("revision", "number"), [(7, 7), ("7", 7), ("007", 7), (MAX_REVISION, MAX_REVISION), (None, 1)])
def test_a_revision_is_a_number_from_1(revision, number):
    assert booking(revision=revision).revision == number


@pytest.mark.parametrize(
    "revision", [0, -1, "0", "-1", "+1", " 1", "1.0", "", "one", "\u0667", 1.0, True, MAX_REVISION + 1, "9999999999", "9" * 5000]
)
def test_what_is_no_revision_is_refused(revision):
    assert faults(revision=revision) == [("value_unreadable", "revision")]


@pytest.mark.parametrize("state", ["Scheduled", "", "done", 1, ["scheduled"]])
def test_an_unknown_state_is_refused(state):
    assert faults(state=state) == [("value_unreadable", "state")]


def test_all_that_is_wrong_is_told_in_order():
    wrong = faults(booking_key="", page="talk", starts_at="soon", title=None, revision=0, body="\0")
    assert wrong == [
        ("value_missing", "booking_key"),
        ("unknown_page", "page"),
        ("value_unreadable", "starts_at"),
        ("value_missing", "title"),
        ("value_unreadable", "revision"),
        ("control_characters", "body"),
    ]


@pytest.mark.parametrize("name", [*GOOD, "location", "body", "guests"])
@pytest.mark.parametrize("value", RUBBISH, ids=lambda value: type(value).__name__)
def test_rubbish_is_refused_with_the_name_of_its_column(name, value):
    assert {field for _, field in faults(**{name: value})} == {name}


def test_nothing_is_a_fault_not_an_error():
    assert check_booking({}, []) == BookingFault(Reason.VALUE_MISSING, "booking_key")


def test_a_booking_survives_its_own_columns():
    found = booking(body="a\r\nb", guests="a; b", location="Room 1", revision=3)
    values = dataclasses.asdict(found) | {"booking_key": found.key}
    values |= {"starts_at": found.window.start, "ends_at": found.window.end}
    assert check_booking(values, PAGES) == found


def test_a_blanked_row_is_a_good_booking_without_a_title():
    found = check_booking(GOOD | {"title": None}, PAGES, blanked=True)
    assert found == booking().without_texts()
    assert check_booking(GOOD | {"title": None}, PAGES) == BookingFault(Reason.VALUE_MISSING, "title")
