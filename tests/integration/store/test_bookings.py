"""Bookings in the database: taken in once, and read whatever other programs wrote beside them."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text, update
from sqlalchemy.exc import IntegrityError

from busytime.bookings import BookingState, ChangedBy
from busytime.errors import Reason
from busytime.store.bookings import IntakeResult
from busytime.store.tables_booking import bookings
from tests.integration.store.push_steps import make_page
from tests.unit.bookings.snapshots import ELSEWHERE, WHEN, cancelled, make_booking
from tests.unit.moments import MONDAY, at

pytestmark = pytest.mark.usefixtures("calendars")

INSERT = "INSERT INTO bookings (booking_key, page, starts_at, ends_at, title, state, revision) VALUES "
ROW = "(?, ?, ?, ?, ?, ?, ?)"
START, END = "2026-11-23T09:00:00+00:00", "2026-11-23T09:30:00+00:00"
GOOD = ("intro-call", START, END, "Intro call", "scheduled")


@pytest.fixture
def take(store, clock):
    def take_in(*given, run_id=None):
        with store.write() as unit:
            return unit.bookings.take(given, clock.now(), run_id)

    return take_in


@pytest.fixture
def current(store):
    def newest(*keys, **more):
        with store.read() as unit:
            return unit.bookings.current(keys or None, **more)

    return newest


@pytest.fixture
def look(store, clock):
    """Look at all rows as a push does, and note what was found."""

    def look_at_them():
        with store.read() as unit:
            reading = unit.bookings.read(ends_after=clock.now())
        with store.write() as unit:
            unit.bookings.note(reading, clock.now())
        return reading

    return look_at_them


def booking(key="BK-1", revision=1, **values):
    return make_booking(key, revision=revision, **values)


def keys_of(found):
    return [it.key for it in found]


def test_new_bookings_and_later_revisions_are_added(take, current, rows, run_id):
    assert take(booking(), booking("BK-2"), run_id=run_id) == IntakeResult(added=("BK-1", "BK-2"))
    assert take(booking(revision=2, when=ELSEWHERE)) == IntakeResult(later=("BK-1",))
    assert current() == [booking(revision=2, when=ELSEWHERE), booking("BK-2")]
    assert [row["run_id"] for row in rows(bookings)] == [run_id, run_id, None]


def test_the_same_bookings_again_change_nothing(take, rows):
    given = [booking(), booking(revision=2), booking("BK-2", state=BookingState.CANCELLED, when=None)]
    take(*given)
    before = rows(bookings)
    assert take(*(replace(it, booked_at=at(5)) for it in given)) == IntakeResult(unchanged=3)
    assert rows(bookings) == before


def test_an_older_revision_and_other_values_of_the_same_one_are_told_and_left(take, current):
    take(booking(revision=3))
    told = take(
        booking(revision=2), booking(revision=3, when=ELSEWHERE), booking("BK-2", revision=7), booking("BK-2", revision=6)
    )
    assert told == IntakeResult(added=("BK-2",), older=(("BK-1", 2, 3), ("BK-2", 6, 7)), differing=(("BK-1", 3),))
    assert current() == [booking(revision=3), booking("BK-2", revision=7)]


def test_details_are_kept_and_compared(take, current):
    given = replace(booking(), location="Room 1", body="One\nTwo", guests=("Gus <gus@else.example>", "Hal"))
    take(given)
    assert current() == [given]
    assert take(given) == IntakeResult(unchanged=1)
    assert take(replace(given, guests=("Hal",))) == IntakeResult(differing=(("BK-1", 1),))


def test_more_bookings_than_a_statement_may_name(take, current):
    given = [booking(f"BK-{number:04}") for number in range(1201)]
    assert len(take(*given).added) == 1201
    assert take(*given).unchanged == 1201
    assert len(current(*keys_of(given))) == 1201


def test_a_cancellation_without_a_time_keeps_the_time_that_was_booked(take, current):
    take(booking(), cancelled(revision=2, when=None), cancelled("BK-2", when=None))
    assert current() == [cancelled(revision=2), cancelled("BK-2", when=None)]


def test_what_is_over_is_left_out_unless_its_entry_is_not(take, current, store, calendars, run_id):
    take(booking(), booking("BK-2", when=ELSEWHERE), booking("BK-3"))
    assert keys_of(current(ends_after=WHEN.end)) == ["BK-2"]
    with store.write() as unit:
        unit.entries.want([("BK-3", calendars["ana"])], run_id, unit.instant)
        [entry] = unit.entries.of(["BK-3"])["BK-3"]
        unit.entries.write(replace(entry, window=ELSEWHERE), run_id, unit.instant)
    assert keys_of(current(ends_after=WHEN.end)) == ["BK-2", "BK-3"]


def test_seven_values_are_enough_for_a_row_of_another_program(write_sql, current, look, rows):
    write_sql(INSERT + ROW, "BK-1", *GOOD, 1)
    look()
    [found] = current()
    assert (found.window, found.title, found.location, found.guests) == (WHEN, "Intro call", "", ())
    [row] = rows(bookings)
    assert row["checked_at"] == MONDAY
    assert (row["refused"], row["run_id"], row["changed_by"]) == (None, None, "guest")
    assert row["booked_at"] is not None


@pytest.mark.parametrize(
    ("wrong", "reason", "field"),
    [
        (("no-such-page", START, END, "x", "scheduled"), Reason.UNKNOWN_PAGE, "page"),
        (("intro-call", None, END, "x", "scheduled"), Reason.VALUE_MISSING, "starts_at"),
        (("intro-call", END, START, "x", "scheduled"), Reason.ENDS_BEFORE_START, "ends_at"),
        (("intro-call", START, END, None, "scheduled"), Reason.VALUE_MISSING, "title"),
        (("intro-call", START, END, "x", "perhaps"), Reason.VALUE_UNREADABLE, "state"),
        ((None, None, None, None, None), Reason.VALUE_MISSING, "page"),
    ],
)
def test_a_bad_row_between_good_ones_is_refused_by_itself(write_sql, look, current, rows, wrong, reason, field):
    write_sql(f"{INSERT}{ROW}, {ROW}, {ROW}", "BK-1", *GOOD, 1, "BK-2", *wrong, 1, "BK-3", *GOOD, 1)
    assert keys_of(look().bookings) == keys_of(current()) == ["BK-1", "BK-3"]
    assert [(row["refused"], row["refused_field"]) for row in rows(bookings)] == [(None, None), (reason, field), (None, None)]
    assert all(row["checked_at"] == MONDAY for row in rows(bookings))


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("revision", "'abc'"),
        ("revision", "1.5"),
        ("revision", "99999999999999999999"),
        ("revision", "x'ff'"),
        ("starts_at", "'2026-11-23T09:00:00'"),
        ("starts_at", "'yesterday'"),
        ("starts_at", "1764000000"),
        ("ends_at", "'9999-12-31T23:59:59+00:00'"),
        ("starts_at", "'0001-01-01T00:00:00+14:00'"),
        ("page", "x'ff00'"),
        ("title", "CAST(x'ff41' AS TEXT)"),
        ("booking_key", "CAST(x'ff41' AS TEXT)"),
        ("booking_key", "x'00'"),
        ("booked_at", "'x'"),
        ("guests", "7.5 || x'ff'"),
    ],
)
def test_whatever_sqlite_keeps_is_refused_and_never_raises(write_sql, look, current, store, column, value):
    write_sql(INSERT + ROW, "BK-1", *GOOD, 1)
    write_sql(INSERT + ROW, "BK-2", *GOOD, 2)
    write_sql(f"UPDATE bookings SET {column} = {value} WHERE booking_key = 'BK-2'")  # noqa: S608 -- values from above
    for _ in range(2):
        found = look()
        assert keys_of(found.bookings) == ["BK-1"]
        assert [row.field for row in found.refused] == [column]
    with store.read() as unit:
        assert unit.bookings.revisions(["BK-1", "BK-2"])["BK-1"] == 1
    assert keys_of(current()) == ["BK-1"]


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "start",
    ["2026-11-23 10:00:00+01:00", "2026-11-23T09:00:00Z", "2026-11-23t04:00:00-05:00", "2026-11-23T09:00:00.000+00:00"],
)
def test_a_time_in_any_offset_is_stored_in_the_form_of_all_others(write_sql, look, rows, start):
    write_sql(INSERT + ROW, "BK-1", "intro-call", start, END, "x", "scheduled", 1)
    assert look().bookings[0].window == WHEN
    assert rows(bookings)[0]["starts_at"] == WHEN.start


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
@pytest.mark.parametrize("moment", ["infinity", "-infinity", "0044-03-15 12:00:00+00 BC", "20000-01-01 00:00:00+00"])
def test_instants_that_python_does_not_know_are_refused(write_sql, look, moment):
    write_sql(INSERT + ROW, "BK-1", *GOOD, 1)
    write_sql(INSERT + ROW, "BK-2", "intro-call", moment, END, "x", "scheduled", 1)
    found = look()
    assert keys_of(found.bookings) == ["BK-1"]
    assert [row.booking_key for row in found.refused] == ["BK-2"]


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_the_sessions_time_zone_and_way_of_writing_times_do_not_matter(write_sql, engine, look):
    write_sql(INSERT + ROW, "BK-1", "intro-call", "2026-11-23 10:00:00+01", END, "x", "scheduled", 1)
    with engine.connect() as connection, connection.begin():
        name = connection.scalar(text("SELECT current_database()"))
        connection.execute(text(f"ALTER DATABASE {name} SET timezone = 'Asia/Kolkata'"))
        connection.execute(text(f"ALTER DATABASE {name} SET datestyle = 'German'"))
    engine.dispose()
    assert look().bookings[0].window == WHEN


def test_an_older_good_revision_counts_while_the_newest_is_refused(write_sql, look, current, rows):
    write_sql(INSERT + ROW, "BK-1", *GOOD, 1)
    write_sql(INSERT + ROW, "BK-1", "later-page", START, END, "x", "scheduled", 2)
    look()
    assert [it.revision for it in current("BK-1")] == [1]
    assert rows(bookings)[1]["refused"] == "unknown_page"


def test_a_refused_row_is_looked_at_again_each_time(write_sql, look, open_pages, rows, clock):
    write_sql(INSERT + ROW, "BK-1", "later-page", START, END, "x", "scheduled", 1)
    assert look().bookings == ()
    clock.go(minutes=1)
    look()
    assert rows(bookings)[0]["checked_at"] == MONDAY, "what stays as it is needs no writing"
    open_pages(make_page(), make_page("later-page"))
    assert keys_of(look().bookings) == ["BK-1"]
    assert (rows(bookings)[0]["refused"], rows(bookings)[0]["checked_at"]) == (None, at(1))


def test_an_accepted_booking_stays_one_when_its_page_leaves_the_roster(take, open_pages, look):
    take(booking())
    open_pages(make_page("another"))
    assert keys_of(look().bookings) == ["BK-1"]
    assert look().refused == ()


def test_an_accepted_row_that_was_spoilt_afterwards_is_refused(take, write_sql, look, rows):
    take(booking())
    write_sql("UPDATE bookings SET title = NULL")
    assert look().bookings == ()
    assert rows(bookings)[0]["refused_field"] == "title"


def test_a_good_booking_takes_the_place_of_a_refused_row(write_sql, look, take, current, rows):
    write_sql(INSERT + ROW, "BK-1", "no-such-page", START, END, "x", "scheduled", 1)
    look()
    assert take(booking()) == IntakeResult(added=("BK-1",))
    assert current() == [booking()]
    assert [(row["refused"], row["refused_field"]) for row in rows(bookings)] == [(None, None)]


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)  # SQLite has one writer at a time
def test_a_row_that_another_program_writes_at_the_same_moment_is_looked_at(store, clock, write_sql, monkeypatch):
    with store.write() as unit:
        repository, read = unit.bookings, type(unit.bookings)._rows
        writes = iter([(INSERT + ROW, "BK-1", *GOOD, 1)])

        def read_then_write(self, keys):
            found = read(self, keys)
            for statement in writes:
                write_sql(*statement)
            return found

        monkeypatch.setattr(type(unit.bookings), "_rows", read_then_write)
        told = repository.take([booking(), booking("BK-2")], clock.now())
    assert told == IntakeResult(added=("BK-2",), unchanged=1)


def test_a_booking_follows_its_owner_until_the_guest_has_the_next_word(store, take, current):
    take(booking(), booking("BK-2"))

    def follow(*args):
        with store.write() as unit:
            return unit.bookings.follow(*args)

    assert follow("BK-1", 1, ELSEWHERE)
    assert follow("BK-2", 1, None)
    by_owner = {"changed_by": ChangedBy.OWNER}
    assert current() == [
        replace(booking(), window=ELSEWHERE, **by_owner),
        replace(booking("BK-2"), state=BookingState.CANCELLED, **by_owner),
    ]
    assert follow("BK-2", 1, WHEN), "the owner put it back"
    assert current("BK-2") == [replace(booking("BK-2"), **by_owner)]
    assert take(booking()) == IntakeResult(unchanged=1), "what the guest booked is what is compared"
    take(booking(revision=2))
    assert current("BK-1") == [booking(revision=2)]
    assert not follow("BK-1", 1, ELSEWHERE)
    assert current("BK-1") == [booking(revision=2)]


def test_a_booking_that_was_moved_into_the_future_is_not_over(store, take, current):
    take(booking())
    with store.write() as unit:
        unit.bookings.follow("BK-1", 1, ELSEWHERE)
    assert keys_of(current(ends_after=WHEN.end)) == ["BK-1"]
    assert current(ends_after=ELSEWHERE.end) == []


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_spoilt_time_of_the_owner_counts_as_none(take, current, write_sql):
    take(booking())
    for start in ("soon", "9999-12-31T00:00:00+00:00", "2026-01-01T00:00:00"):
        write_sql("UPDATE bookings SET effective_starts_at = ?, effective_ends_at = ?, changed_by = NULL", start, END)
        assert current() == [booking()]


def seen(engine):
    with engine.connect() as connection:
        found = connection.execute(text("SELECT * FROM audit_bookings ORDER BY id")).mappings()
        return [(row["booking_key"], row["revision"], row["refused"]) for row in found]


def test_the_view_shows_each_booking_once_and_what_is_refused(take, write_sql, look, engine):
    take(booking(), booking(revision=2), booking("BK-2"))
    write_sql(INSERT + ROW, "BK-2", "no-such-page", START, END, "x", "scheduled", 2)
    assert seen(engine) == [("BK-1", 2, None), ("BK-2", 1, None), ("BK-2", None, None)]
    look()
    assert seen(engine) == [("BK-1", 2, None), ("BK-2", 1, None), ("BK-2", None, "unknown_page")]


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_the_view_can_be_read_whatever_was_refused(write_sql, look, engine):
    write_sql(INSERT + ROW, "BK-1", *GOOD, 1)
    for column in ("booking_key", "page", "starts_at", "title", "revision"):
        write_sql(INSERT + ROW, column, *GOOD, 2)
        write_sql(f"UPDATE bookings SET {column} = CAST(x'ff41' AS TEXT) WHERE booking_key = '{column}'")  # noqa: S608
    look()
    assert [refused for _, _, refused in seen(engine)] == [None, *[Reason.VALUE_UNREADABLE] * 5]


def test_no_check_of_the_table_keeps_an_insert_out(write_sql, rows, engine):
    write_sql(INSERT + ROW, "", None, None, None, None, None, -5)
    assert len(rows(bookings)) == 1
    with engine.connect().execution_options(writer=True) as connection, connection.begin():
        connection.execute(update(bookings).values(title="x" * 100_000, booked_at=MONDAY + timedelta(days=1)))


def test_neither_a_row_nor_an_error_shows_what_a_guest_wrote(take, store, engine):
    take(replace(booking(), title="Zwiebelturm", body="Quarkkeulchen", guests=("Gus",)))
    with store.read() as unit:
        assert "BK-1" in repr(unit.bookings._rows(["BK-1"]))
        assert not {"Zwiebel", "Quark", "Gus"} & set(re.findall("Zwiebel|Quark|Gus", repr(unit.bookings._rows(["BK-1"]))))
    with engine.connect() as connection, pytest.raises(IntegrityError) as caught:
        connection.execute(bookings.insert().values(booking_key=None, revision=1, title="Zwiebelturm"))
    assert "INSERT" in str(caught.value)
    assert "[SQL parameters hidden" in str(caught.value)
