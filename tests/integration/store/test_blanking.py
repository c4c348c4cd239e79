"""What guests wrote goes when a booking is over, and what is left of it is never taken for a change or a new booking."""

from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event, select, update

from busytime.bookings import BookingState, EntryState
from busytime.model import Window
from busytime.planning import make_plan
from busytime.store.bookings import IntakeResult
from busytime.store.maintenance import StoredMaintenance
from busytime.store.tables import events
from busytime.store.tables_booking import bookings
from tests.integration.store.push_steps import plan, write_entry
from tests.unit.bookings.snapshots import WHEN, cancelled, make_booking

pytestmark = pytest.mark.usefixtures("calendars")
WRITTEN = {"title": "Zwiebelturm", "location": "Quarkkeulchenweg", "body": "Sauerkrautfass", "guests": ("Zanderfall",)}
WORDS = [b"Zwiebelturm", b"Quarkkeulchenweg", b"Sauerkrautfass", b"Zanderfall"]
DAYS = timedelta(days=30)


def booking(key="BK-1", **values):
    return replace(make_booking(key, **values), **WRITTEN)


@pytest.fixture
def blank(store, clock, open_run):
    """Blank as a maintenance does, and return of how many rows."""

    def blank_them():
        run_id = open_run("maintain")
        with store.write() as unit:
            holder, _ = unit.locks.take("maintain:house:0", run_id, store.process, clock.now(), holder_is_dead=True)
        tables = StoredMaintenance(store, run_id, ("maintain:house:0", holder), clock=clock)
        before = clock.now() - DAYS
        return tables.blank(tables.over(before), before)

    return blank_them


@pytest.fixture
def texts(engine):
    """Return what is left of the texts, by key and revision."""

    def left():
        columns = [bookings.c[name] for name in ("title", "location", "body", "guests")]
        with engine.connect() as connection:
            rows = connection.execute(select(bookings.c.booking_key, bookings.c.revision, bookings.c.blanked_at, *columns))
            return {(row[0], row[1]): any(row[3:]) for row in rows if any(row[3:]) == (row[2] is None)}

    return left


def over(clock, *, after=WHEN.end, seconds=1):
    """Let it be so long after an end."""
    clock.time = after + DAYS + timedelta(seconds=seconds)


def test_texts_go_thirty_days_after_the_end_and_not_a_second_earlier(take, blank, texts, clock):
    take(booking())
    over(clock, seconds=0)
    assert blank() == 0
    over(clock)
    assert (blank(), texts()) == (1, {("BK-1", 5): False})
    assert blank() == 0


def test_key_page_time_and_state_stay(take, blank, clock, store):
    take(booking())
    over(clock)
    blank()
    with store.read() as unit:
        [left] = unit.bookings.current()
        assert unit.bookings.read().refused == ()
    assert left == booking().without_texts()
    assert left.blanked


def test_every_revision_goes_with_the_last_one_and_none_before_it(take, blank, texts, clock):
    later = Window(WHEN.start + timedelta(days=90), WHEN.end + timedelta(days=90))
    take(booking(revision=1), booking(revision=2, when=later))
    over(clock)
    assert (blank(), texts()) == (0, {("BK-1", 1): True, ("BK-1", 2): True})
    over(clock, after=later.end)
    assert (blank(), texts()) == (2, {("BK-1", 1): False, ("BK-1", 2): False})


def test_a_revision_that_a_nearer_one_replaced_keeps_nothing_alive(take, blank, clock):
    later = Window(WHEN.start + timedelta(days=900), WHEN.end + timedelta(days=900))
    take(booking(revision=1, when=later), booking(revision=2))
    over(clock)
    assert blank() == 2


@pytest.mark.parametrize("by", [timedelta(days=9), timedelta(days=-9)])
def test_the_later_of_the_booked_and_the_owners_end_counts(take, blank, clock, store, by):
    take(booking())
    moved = Window(WHEN.start + by, WHEN.end + by)
    with store.write() as unit:
        unit.bookings.follow("BK-1", 5, moved)
    last = max(WHEN.end, moved.end)
    over(clock, after=last, seconds=0)
    assert blank() == 0
    over(clock, after=last)
    assert blank() == 1


def test_an_entry_that_its_owner_moved_on_keeps_the_texts_until_it_is_over_too(take, blank, clock, store, book, run_id):
    take(booking(booked_at=clock.now() + timedelta(minutes=1)))
    entry = write_entry(book, next(iter(plan(book).values())))
    later = Window(WHEN.start + timedelta(days=60), WHEN.end + timedelta(days=60))
    with store.write() as unit:
        unit.entries.write(replace(entry, state=EntryState.MOVED_BY_OWNER, window=later), run_id, unit.instant)
    over(clock)
    assert blank() == 0
    over(clock, after=later.end)
    assert blank() == 1


def test_a_cancelled_booking_goes_by_the_time_it_had(take, blank, texts, clock):
    take(booking(revision=1), replace(cancelled(revision=2, when=None), **WRITTEN))
    over(clock, seconds=0)
    assert blank() == 0
    over(clock)
    assert (blank(), texts()) == (2, {("BK-1", 1): False, ("BK-1", 2): False})


@pytest.mark.parametrize(
    ("ends_at", "title"),
    [("2026-11-23T09:30:00+00:00", "x" * 300), (None, "Zwiebelturm")],
)
def test_refused_rows_lose_their_texts_too(blank, clock, write_sql, engine, ends_at, title):
    write_sql(
        "INSERT INTO bookings (booking_key, page, starts_at, ends_at, title, state, revision, booked_at) VALUES "
        "('BK-9', 'intro-call', '2026-11-23T09:00:00+00:00', ?, ?, 'scheduled', 1, '2026-11-23T08:00:00+00:00')",
        ends_at,
        title,
    )
    assert blank() == 0
    clock.go(days=31)
    assert blank() == 1
    with engine.connect() as connection:
        assert connection.execute(select(bookings.c.title)).scalar_one() is None


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize("rubbish", ["'nonsense'", "x'ff00'", "CAST(x'ff' AS TEXT)", "1.5"])
def test_rows_that_nothing_dates_go_after_they_were_looked_at(blank, clock, write_sql, engine, rubbish):
    write_sql(
        "INSERT INTO bookings (booking_key, title, ends_at, booked_at, revision) "  # noqa: S608 -- names from above
        f"VALUES ({rubbish}, 'Zwiebelturm', {rubbish}, {rubbish}, 1)"
    )
    assert blank() == 0
    clock.go(days=29)
    assert blank() == 0
    clock.go(days=2)
    assert blank() == 1
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT title FROM bookings").scalar_one() is None


def test_a_blanked_booking_is_never_pushed_whatever_becomes_of_its_entry(take, blank, clock, store, book, run_id):
    take(booking(booked_at=clock.now() + timedelta(minutes=1)))
    entry = write_entry(book, next(iter(plan(book).values())))
    over(clock)
    assert blank() == 1
    later = Window(clock.now() + timedelta(days=1), clock.now() + timedelta(days=2))
    for state in (EntryState.PRESENT, EntryState.MOVED_BY_OWNER, EntryState.UNKNOWN, EntryState.FAILED, EntryState.CANCELLED):
        with store.write() as unit:
            unit.entries.write(replace(entry, state=state, window=later), run_id, unit.instant)
        assert make_plan(book.snapshot(["BK-1"])).changes == ()
    clock.time = WHEN.start - timedelta(days=3)
    with store.write() as unit:
        unit.entries.write(replace(entry, state=EntryState.WANTED, item_id=None, window=None), run_id, unit.instant)
    assert make_plan(book.snapshot()).changes == ()


def test_a_later_revision_of_a_blanked_booking_brings_its_own_texts(take, blank, clock, book):
    take(booking(revision=1, booked_at=clock.now() + timedelta(minutes=1)))
    over(clock)
    blank()
    ahead = Window(clock.now() + timedelta(days=1), clock.now() + timedelta(days=2))
    assert take(booking(revision=2, when=ahead, booked_at=clock.now())) == IntakeResult(later=("BK-1",))
    assert blank() == 0
    changes = make_plan(book.snapshot()).changes
    assert {it.booking.title for it in changes} == {"Zwiebelturm"}
    assert changes


def test_the_file_that_brought_it_neither_changes_it_nor_brings_its_texts_back(take, blank, texts, clock):
    given = [booking(), replace(cancelled("BK-2"), **WRITTEN)]
    take(*given)
    over(clock)
    assert blank() == 2
    assert take(*given) == IntakeResult(unchanged=2)
    assert not any(texts().values())
    elsewhere = Window(WHEN.start, WHEN.end + timedelta(hours=1))
    assert take(booking(when=elsewhere)) == IntakeResult(differing=(("BK-1", 5),))


def test_a_blanked_row_that_was_refused_makes_way_for_a_good_one_with_its_texts(take, blank, texts, clock, engine, book):
    take(booking())
    with engine.connect().execution_options(writer=True) as connection, connection.begin():
        connection.execute(update(bookings).values(state="nonsense"))
    book.snapshot(["BK-1"])
    over(clock)
    assert blank() == 1
    take(booking())
    assert texts() == {("BK-1", 5): True}


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_nothing_of_them_is_left_in_any_file(take, blank, clock, store, tmp_path):
    take(*(booking(f"BK-{number}") for number in range(300)))
    assert_found(tmp_path, "busytime.db-wal")
    assert store.empty_log()
    assert_found(tmp_path, "busytime.db")
    over(clock)
    assert blank() == 300
    assert store.empty_log()
    files = [path for path in tmp_path.iterdir() if path.is_file()]
    assert [(path.name, word) for path in files for word in WORDS if word in path.read_bytes()] == []


def assert_found(folder, name):
    """Check that the search finds what is there."""
    assert all(word in (folder / name).read_bytes() for word in WORDS)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_reader_keeps_the_log_from_being_emptied_and_nobody_waits_long(take, store, engine, monkeypatch):
    monkeypatch.setattr("busytime.store.unit_of_work._PATIENCE_WITH_READERS_MS", 10)
    with store.read() as unit:
        assert unit.bookings.current() == []
        take(booking())
        assert not store.empty_log()
    assert store.empty_log()
    with closing(engine.raw_connection()) as connection:
        assert connection.driver_connection.execute("PRAGMA busy_timeout").fetchall() == [(60_000,)]


def test_each_batch_says_in_the_audit_what_it_did(take, blank, clock, rows):
    take(booking(), booking("BK-2", state=BookingState.CANCELLED))
    over(clock)
    blank()
    assert [(row["tag"], row["details"]) for row in rows(events)] == [("machine:bookings:blanked", '{"rows": 2}')]


def test_among_many_that_are_blanked_the_others_are_found_by_an_index(engine, backend, store, clock):
    numbers = "generate_series(1, 5000) AS n" if backend == "postgresql" else "numbers"
    counted = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 5000) "
    columns = "INSERT INTO bookings (booking_key, revision, ends_at, checked_at, blanked_at) "
    when = "'2026-01-01T00:00:00.000000+00:00'" + ("::timestamptz" if backend == "postgresql" else "")
    values = f"SELECT 'BK-' || n, 1, {when}, {when}, CASE WHEN n > 50 THEN {when} END FROM {numbers}"  # noqa: S608 -- names from here
    plans = []

    def explain(_connection, cursor, statement, parameters, *_):
        if statement.startswith("SELECT bookings.id"):
            how = "EXPLAIN" if backend == "postgresql" else "EXPLAIN QUERY PLAN"
            plans.append(str(cursor.connection.cursor().execute(f"{how} {statement}", parameters).fetchall()))

    with engine.connect().execution_options(writer=True) as connection, connection.begin():
        connection.exec_driver_sql(columns + (counted if backend == "sqlite" else "") + values)
    with engine.connect().execution_options(writer=True) as connection, connection.begin():
        connection.exec_driver_sql("ANALYZE")
    event.listen(engine, "before_cursor_execute", explain)
    with store.read() as unit:
        assert len(unit.blanking.candidates(clock.now())) == 50
    assert "ix_bookings_written" in plans[0]
