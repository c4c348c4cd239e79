"""What a bookings file says, and what it is refused for: the line and the words."""

import io
import json
import pickle
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from busytime import bookings_file
from busytime.bookings import BookingState
from busytime.bookings_file import BookingsFileError, read_bookings

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
PAGES = {"intro-call", "talk"}
GOOD = {
    "key": "BK-1001",
    "page": "intro-call",
    "start": "2026-12-01T09:00:00+01:00",
    "end": "2026-12-01T09:30:00+01:00",
    "title": "Zanderfall",
    "state": "scheduled",
    "revision": 1,
}
HEADER = "key,page,start,end,title,state,revision"
ROW = "BK-1001,intro-call,2026-12-01T09:00:00+01:00,2026-12-01T09:30:00+01:00,Zanderfall,scheduled,1"


def line(**values) -> str:
    return json.dumps({name: value for name, value in (GOOD | values).items() if value is not ...})


@pytest.fixture
def read(tmp_path):
    def read_text(text, name="bookings.jsonl"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_bookings(path, PAGES, NOW)

    return read_text


@pytest.fixture
def refused(read):
    def refused(text, name="bookings.jsonl"):
        with pytest.raises(BookingsFileError) as caught:
            read(text, name)
        assert "nothing was changed" in str(caught.value)
        return [(fault.line, fault.message) for fault in caught.value.faults]

    return refused


def test_the_line_of_the_design_is_read(read):
    (booking,) = read(line())
    assert (booking.key, booking.page, booking.title, booking.revision) == ("BK-1001", "intro-call", "Zanderfall", 1)
    assert booking.window.start == datetime(2026, 12, 1, 8, tzinfo=UTC)
    assert (booking.state, booking.booked_at, booking.guests) == (BookingState.SCHEDULED, NOW, ())


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("blank", ["", "\n", " \n\t\n"])
def test_json_lines_and_csv_say_the_same(read, mark, end, blank):
    from_json = read(mark + blank + end.join([line(), "", line(key="BK-2", state="cancelled"), ""]))
    more = ROW.replace("BK-1001", "BK-2").replace("scheduled", "cancelled")
    from_csv = read(mark + blank + end.join([HEADER, ROW, ",,,,,,", "", more, ""]), "bookings.CSV")
    assert from_json == from_csv
    assert [booking.key for booking in from_json] == ["BK-1001", "BK-2"]


@pytest.mark.parametrize("name", ["bookings", "bookings.txt", "bookings.ndjson"])
def test_a_file_without_a_known_ending_is_read_as_it_looks(read, name):
    assert read(f"\ufeff\n {line()}", name) == read(f"\n{HEADER}\n{ROW}\n", name) == read(line())


@pytest.mark.parametrize("text", ["", "\n\n", "\ufeff", f"{HEADER}\n"])
@pytest.mark.parametrize("name", ["bookings", "bookings.csv"])
def test_a_file_without_content_has_no_booking(read, name, text):
    assert read(text, name) == []


def test_all_that_a_booking_may_hold_is_read(read):
    more = {
        "location": "Room 1",
        "body": "a\r\nb,\u2028\n",
        "guests": ["Ana <ana@corp.example>"],
        "booked_at": "2026-11-01T00:00:00Z",
    }
    header = f"{HEADER},location,body,guests,booked_at"
    row = f'{ROW},Room 1,"a\r\nb,\u2028\n",Ana <ana@corp.example>,2026-11-01T00:00:00Z'
    (booking,) = read(line(**more))
    assert [booking] == read(f"{header}\r\n{row}\r\n", "bookings.csv")
    assert (booking.location, booking.body, booking.guests) == ("Room 1", "a\nb,\u2028\n", ("Ana <ana@corp.example>",))
    assert booking.booked_at == datetime(2026, 11, 1, tzinfo=UTC)


def test_the_longest_booking_there_is_fits_a_line(read):
    row = line(body="\U0001f642" * 32_768, guests=["\U0001f642" * 320] * 200, title="\U0001f642" * 255)
    assert len(row) < bookings_file.MAX_LINE_LENGTH
    assert len(read(row)) == 1


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"start": "2026-12-01T09:00:00"}, "start has no UTC offset; add it, as in 2026-12-01T09:00:00+01:00"),
        ({"end": "2026-12-01T08:30:00+01:00"}, "end is not after the start; write a later one"),
        ({"end": "2027-12-01T08:30:00+01:00"}, "end is more than 14 days after the start; shorten it"),
        ({"page": "Talk"}, "there is no booking page 'Talk'; known are intro-call, talk"),
        ({"key": ...}, "key is missing; write a text that prints, without blanks at its ends"),
        ({"key": "probe"}, "this key is kept for busytime itself; write another one"),
        ({"title": "Zander\x07fall"}, "title holds a control character, or what is no whole character; remove it"),
        ({"body": "a\ufdd0"}, "body holds a control character, or what is no whole character; remove it"),
        ({"title": "\ud800"}, "title holds a control character, or what is no whole character; remove it"),
        ({"body": "x" * 1024**2}, "body has more than 32768 characters; shorten it"),
        ({"guests": ["x"] * 201}, "guests names more than 200 guests, or one with more than 320 characters; shorten it"),
        ({"guests": {"name": "Zanderfall"}}, "guests cannot be read; write a list of texts, or one text with a guest a line"),
        ({"state": "canceled"}, "state cannot be read; write scheduled or cancelled"),
        ({"revision": 1.5}, "revision cannot be read; write a whole number from 1 to 2147483647"),
        ({"booked_at": "now"}, "booked_at cannot be read; write a time with its offset, like 2026-12-01T09:00:00+01:00"),
        ({"colour": "green"}, "unknown field 'colour'; known are key, page, start, end, title, state, revision, location"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_fault_is_named_with_its_line_and_what_to_write(refused, values, words):
    ((number, message),) = refused(f"{line(key='BK-1')}\n\n{line(**values)}")
    assert number == 3
    assert message.startswith(words)
    assert "Zander" not in message


def test_the_same_rules_hold_for_csv(refused):
    rows = [HEADER, ROW, "", ROW.replace("BK-1001", "BK-2").replace("+01:00", ""), ROW.replace("BK-1001,intro-call", "BK-3,")]
    faults = refused("\n".join(rows), "bookings.csv")
    assert [(number, message.split(";")[0]) for number, message in faults] == [
        (4, "start has no UTC offset"),
        (4, "end has no UTC offset"),
        (5, "page is missing"),
    ]


def test_the_line_of_a_row_is_where_it_begins(refused):
    text = f'{HEADER},body\n{ROW},"a\nb\nc"\n{ROW.replace("BK-1001", "BK-2").replace("scheduled", "soon")},"a\nb"\n'
    ((number, message),) = refused(text, "bookings.csv")
    assert (number, message.split(";")[0]) == (5, "state cannot be read")


@pytest.mark.parametrize("state", ["scheduled", "cancelled"])
def test_a_key_may_stand_once_in_a_file(refused, state):
    faults = refused(f"{line()}\n{line(key='BK-2')}\n{line(revision=2, state=state)}")
    assert faults == [(3, "the key 'BK-1001' stands here again, first on line 1; keep the newest revision alone")]


def test_a_key_stands_twice_even_where_the_first_one_is_wrong(refused):
    assert [number for number, _ in refused(f"{line(title='')}\n{line()}")] == [1, 2]


def test_a_cancelled_booking_that_was_never_scheduled_is_read(read):
    (booking,) = read('{"key": "BK-9", "page": "talk", "state": "cancelled", "revision": 4}')
    assert (booking.state, booking.window) == (BookingState.CANCELLED, None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"key": "a", "key": "b"}', "the field 'key' stands twice"),
        ('{"guests": {"a": 1, "a": 2}}', "the field 'a' stands twice"),
        ('{"revision": NaN}', "NaN is no JSON"),
        ('{"revision": -Infinity}', "-Infinity is no JSON"),
        ('{"revision": ' + "9" * 5000 + "}", "a number here is too long"),
        ('{"guests": ' + "[" * 100_000, "too many lists or objects"),
        ('{"key": "a"', "this is not JSON: Expecting ',' delimiter, column 12"),
        ('{"key": "a"} {"key": "b"}', "this is not JSON: Extra data"),
        ("[{}]", "no object stands here"),
        ('"text"', "no object stands here"),
        ("null", "no object stands here"),
        ('{"title": "a\x00b"}', "this is not JSON: Invalid control character"),
    ],
    ids=lambda value: value[:20],
)
def test_what_is_no_json_object_is_refused_with_its_line(refused, text, words):
    ((number, message),) = refused(f"{line()}\n{text}\n")
    assert number == 2
    assert message.startswith(words)


@pytest.mark.parametrize(
    ("text", "number", "words"),
    [
        ("key;page;start", 1, "the first line must name the columns"),
        ("key,page,start,key", 1, "the first line must name the columns"),
        ("key,start,end", 1, "the first line must name the columns"),
        ("key,page,colour", 1, "the first line must name the columns"),
        (f"{HEADER}\n{ROW},more", 2, "8 cells instead of 7"),
        (f'{HEADER}\n{ROW}\n"BK-2,talk', 3, "this is not CSV: unexpected end of data"),
        (f"{HEADER}\n{'x' * 200_000},", 2, "this is not CSV: field larger than field limit"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_table_is_refused_with_its_line(refused, text, number, words):
    ((found, message),) = refused(text, "bookings.csv")
    assert found == number
    assert message.startswith(words)


@pytest.mark.parametrize("name", ["bookings.jsonl", "bookings.csv"])
def test_bytes_that_are_no_text_are_refused_with_every_line(refused, name):
    faults = refused(b"a\n\xff\nb\n\xc3\n", name)
    assert faults == [(number, "this is not UTF-8; save the file as UTF-8") for number in (2, 4)]


@pytest.mark.parametrize("name", ["bookings.jsonl", "bookings.csv"])
def test_a_line_of_any_length_is_refused(refused, name):
    faults = refused(f"{HEADER if name.endswith('csv') else line()}\n" + "x" * (3 * 1024**2), name)
    assert faults == [(2, "this line has 3145728 characters; a booking has at most 2097152")]


def test_a_file_that_is_too_large_is_refused(read, monkeypatch):
    monkeypatch.setattr(bookings_file, "MAX_BYTES", 1024**2)
    with pytest.raises(BookingsFileError, match="larger than 1 MiB; import it in parts"):
        read("\n" * (1024**2 + 1))


def test_so_many_faults_are_shown_and_the_others_counted(read):
    with pytest.raises(BookingsFileError) as caught:
        read("\n".join([line()] * 51))
    text = str(caught.value)
    assert "has 50 faults" in text
    assert text.count(": the key ") == 20
    assert text.endswith("\nand 30 more")


def test_a_file_that_is_something_else_is_not_read_to_its_end(refused):
    assert len(refused("x\n" * 100_000)) == bookings_file.MAX_FAULTS


def test_no_message_shows_a_title_a_text_or_a_guest(read):
    secrets = {"title": "Zander\0", "body": ["Zander"], "guests": "Zander\x01", "location": "Zander\n"}
    with pytest.raises(BookingsFileError) as caught:
        read(line(**secrets))
    assert "4 faults" in str(caught.value)
    assert "Zander" not in str(caught.value)


def test_a_page_without_a_roster_says_how_to_get_one(tmp_path):
    (tmp_path / "bookings.jsonl").write_text(line(), encoding="utf-8")
    with pytest.raises(BookingsFileError, match="busytime roster import FILE"):
        read_bookings(tmp_path / "bookings.jsonl", [], NOW)


def test_standard_input_is_read_as_it_looks(monkeypatch):
    for text in (line(), f"{HEADER}\n{ROW}"):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        assert [booking.key for booking in read_bookings(Path("-"), PAGES, NOW)] == ["BK-1001"]


def test_faults_of_standard_input_are_told_so(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"{}")))
    with pytest.raises(BookingsFileError, match="standard input:1: key is missing"):
        read_bookings(Path("-"), PAGES, NOW)
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(BookingsFileError, match="no standard input"):
        read_bookings(Path("-"), PAGES, NOW)


@pytest.mark.parametrize("name", ["", "not-there.jsonl", "a\0b"])
def test_a_file_that_cannot_be_read_is_one_clear_message(tmp_path, name):
    with pytest.raises(BookingsFileError, match=r"cannot be read|is not a file"):
        read_bookings(tmp_path / name, PAGES, NOW)


def test_the_refusal_survives_pickling(read):
    with pytest.raises(BookingsFileError) as caught:
        read("{}")
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 -- our own bytes
    assert (str(again), again.faults) == (str(caught.value), caught.value.faults)
