"""Whatever a file holds, it is a list of bookings or it is refused with lines."""

import csv
import io
import json
import tempfile
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from busytime.bookings import Booking, BookingState
from busytime.bookings_file import FIELDS, BookingsFileError, read_bookings
from busytime.intake import BookingFault, check_booking
from busytime.model import Window

PAGES = ["intro-call", "größe, 2"]
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SUFFIXES = [".csv", ".jsonl", ".json", ""]

WORDS = [
    *FIELDS,
    "BK-1",
    "intro-call",
    "2026-12-01T09:00:00+01:00",
    "2026-12-01T09:30:00Z",
    "2026-12-01",
    "scheduled",
    "cancelled",
]
SIGNS = ["{", "}", "[", "]", ": ", ",", '"', "\n", "\r\n", "\r", "\\u0000", "\\ud800", "\0", "\ufeff", "\u2028", "1", "NaN", ";"]

texts = st.one_of(st.lists(st.sampled_from(WORDS + SIGNS), max_size=60).map("".join), st.text(max_size=60))
scalars = st.one_of(st.sampled_from(WORDS), st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20))
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
objects = st.dictionaries(st.sampled_from([*FIELDS, "colour"]), values, max_size=8)
rows = st.dictionaries(
    st.sampled_from([*FIELDS.values()]),
    st.one_of(values, st.binary(max_size=8), st.datetimes(timezones=st.none() | st.timezones()), st.dates()),
)

printing = st.characters(exclude_categories=["C", "Z"])
written = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), max_size=20)
lines = st.lists(written, max_size=3).map("\n".join)
guests = st.lists(written.map(lambda text: text.replace(";", ",").strip()).filter(bool), max_size=4).map(tuple)
starts = st.datetimes(datetime(1971, 1, 1), datetime(2199, 1, 1)).map(lambda at: at.replace(microsecond=0, tzinfo=UTC))
windows = st.builds(
    lambda start, seconds: Window(start, start + timedelta(seconds=seconds)), starts, st.integers(1, 14 * 24 * 60 * 60)
)


@st.composite
def bookings(draw) -> Booking:
    """A good booking."""
    state = draw(st.sampled_from(BookingState))
    scheduled = state is BookingState.SCHEDULED
    return Booking(
        key=draw(st.text(printing, min_size=1, max_size=12).filter(lambda key: key.casefold() != "probe")),
        page=draw(st.sampled_from(PAGES)),
        window=draw(windows if scheduled else st.none() | windows),
        title=draw(written.filter(str.strip) if scheduled else written),
        state=state,
        revision=draw(st.integers(1, 2**31 - 1)),
        booked_at=draw(st.just(NOW) | starts),
        location=draw(written),
        body=draw(lines),
        guests=draw(guests),
    )


def fields_of(booking: Booking, zone: timezone) -> dict[str, object]:
    """Write a booking as a file does, its times in some zone."""
    window = booking.window
    start, end = (window.start.astimezone(zone).isoformat(), window.end.astimezone(zone).isoformat()) if window else (None, None)
    found = {"key": booking.key, "page": booking.page, "start": start, "end": end, "title": booking.title, "state": booking.state}
    found |= {"revision": booking.revision, "location": booking.location, "body": booking.body, "guests": booking.guests}
    return found | {"booked_at": booking.booked_at.isoformat()}


def read_or_refuse(raw: bytes, suffix: str) -> list[Booking] | BookingsFileError:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, f"bookings{suffix}")
        path.write_bytes(raw)
        try:
            return read_bookings(path, PAGES, NOW)
        except BookingsFileError as error:
            return error


def check(raw: bytes, suffix: str) -> None:
    outcome = read_or_refuse(raw, suffix)
    if isinstance(outcome, BookingsFileError):
        last = len(raw.decode("utf-8", "replace").splitlines()) + 1
        assert outcome.faults
        assert all(1 <= fault.line <= last for fault in outcome.faults)


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(text=texts)
def test_any_text_is_bookings_or_refused(suffix, text):
    check(text.encode(), suffix)


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(raw=st.binary(max_size=60))
def test_any_bytes_are_bookings_or_refused(suffix, raw):
    check(raw, suffix)


@given(st.lists(objects, max_size=4))
def test_any_json_is_bookings_or_refused(found):
    check("\n".join(map(json.dumps, found)).encode(), ".jsonl")


@given(rows)
def test_any_row_is_a_booking_or_has_a_fault_in_one_of_its_columns(row):
    found = check_booking(row, PAGES)
    assert isinstance(found, Booking) or (isinstance(found, BookingFault) and found.field in FIELDS.values())


zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
files = st.lists(bookings(), max_size=4, unique_by=lambda booking: booking.key)


@given(files, zones, st.booleans(), st.sampled_from([".json", ".jsonl", ""]))
def test_json_lines_say_what_was_booked(found, zone, plain, suffix):
    text = "\n".join(json.dumps(fields_of(booking, zone), ensure_ascii=plain) for booking in found)
    assert read_or_refuse(text.encode(), suffix) == found


@given(files, zones, st.sampled_from([".csv", ".CSV", ""]))
def test_csv_says_what_was_booked(found, zone, suffix):
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, list(FIELDS))
    table.writeheader()
    table.writerows(fields_of(booking, zone) | {"guests": "\n".join(booking.guests)} for booking in found)
    assert read_or_refuse(text.getvalue().encode(), suffix) == found


@given(bookings())
def test_a_booking_read_back_from_its_columns_is_the_same(booking):
    columns = {FIELDS[name]: value for name, value in fields_of(booking, UTC).items()}
    assert check_booking(columns | {"guests": "\n".join(booking.guests)}, PAGES) == booking
