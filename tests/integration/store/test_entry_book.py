"""Entries in the database: wanted, intended, concluded, read back and taken over."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import text

from busytime.bookings import CalendarItem, ChangeKind, ChangeResult, Claim, EntryState, Intent, ItemName, Unseen
from busytime.errors import LockLostError, Reason
from busytime.model import Outcome
from busytime.planning import make_plan
from busytime.store.tables import events
from busytime.store.tables_booking import changes, entries
from tests.integration.store.push_steps import booking, ending_of, intent_for, make_page, plan, write_entry
from tests.unit.bookings.snapshots import ELSEWHERE, WHEN
from tests.unit.moments import MONDAY, at, window


def test_wanted_entries_are_made_once(take, book, open_book, calendars, rows):
    take(booking())
    wanted = plan(book)
    assert set(wanted) == {("BK-1", calendars["ana"]), ("BK-1", calendars["bo"])}
    assert all(entry.state is EntryState.WANTED and entry.item_id is None for entry in wanted.values())
    other = open_book()
    bare = [replace(change, entry=None) for change in make_plan(other.snapshot()).changes]
    assert [it.entry for it in other.want(bare)] == list(wanted.values())
    assert [row["run_id"] for row in rows(entries)] == [book._run_id] * 2
    assert book.want([]) == []


def test_an_intent_is_committed_before_and_an_outcome_after(take, book, rows, clock):
    take(booking())
    entry = plan(book).popitem()[1]
    assert book.claim(entry.calendar_id) is Claim.GRANTED
    clock.go(seconds=2)
    intended = book.intend(entry, intent_for(entry, made=clock.now()))
    assert intended.lost
    assert book.snapshot(["BK-1"]).entries["BK-1"][-1] == intended
    assert rows(changes) == []
    after = replace(
        intended, state=EntryState.PRESENT, item_id="item", change_key="7", revision=1, window=WHEN, verified_at=at(3)
    )
    book.conclude(ending_of(after))
    assert book.snapshot(["BK-1"]).entries["BK-1"][-1] == after
    [change] = rows(changes)
    assert (change["entry_id"], change["run_id"], change["change"], change["outcome"]) == (
        entry.id,
        book._run_id,
        "create",
        "applied",
    )
    assert (change["starts_at"], change["ends_at"], change["before_starts_at"]) == (WHEN.start, WHEN.end, None)
    assert change["intended_at"] == MONDAY + timedelta(seconds=2)
    assert change["finished_at"] == rows(entries, entries.c.id == entry.id)[0]["updated_at"] >= change["intended_at"]


def test_an_outcome_that_is_told_twice_is_noted_once(take, book, rows):
    take(booking())
    entry = plan(book).popitem()[1]
    book.claim(entry.calendar_id)
    ending = ending_of(book.intend(entry, intent_for(entry)), Outcome.UNKNOWN, reason=Reason.ANSWER_LOST, detail="X")
    book.conclude(ending)
    book.conclude(replace(ending, outcome=Outcome.FAILED))
    assert [(row["outcome"], row["reason"], row["error_code"]) for row in rows(changes)] == [("unknown", "answer_lost", "X")]


@pytest.mark.parametrize(
    ("kind", "before", "moved"),
    [(ChangeKind.UPDATE, ELSEWHERE, True), (ChangeKind.UPDATE, WHEN, False), (ChangeKind.CREATE, None, False)],
)
def test_what_a_run_has_done_so_far_is_told_as_it_was(take, book, store, kind, before, moved):
    take(booking())
    entry = plan(book).popitem()[1]
    book.claim(entry.calendar_id)
    book.conclude(replace(ending_of(book.intend(entry, intent_for(entry, kind=kind))), before=before))
    with store.read() as unit:
        ended = unit.runs.ended(book._run_id, [entry.calendar_id])
    assert ended == [ChangeResult("BK-1", entry.calendar_id, kind, Outcome.APPLIED, moved=moved)]


def test_without_a_claim_nothing_is_written(take, book, open_book, rows):
    take(booking())
    entry = plan(book).popitem()[1]
    with pytest.raises(LockLostError):
        book.intend(entry, intent_for(entry))
    open_book().claim(entry.calendar_id)
    with pytest.raises(LockLostError):
        book.conclude(ending_of(replace(entry, intent=intent_for(entry))))
    with pytest.raises(LockLostError):
        book.hold(entry.calendar_id)
    assert rows(changes) == []
    assert {row["state"] for row in rows(entries)} == {"wanted"}


def test_entries_are_saved_as_they_were_read_back(take, book, rows):
    take(booking())
    entry = write_entry(book, plan(book).popitem()[1])
    book.save([replace(entry, verified_at=at(5), change_key="2")])
    assert book.snapshot(["BK-1"]).entries["BK-1"][-1] == replace(entry, verified_at=at(5), change_key="2")
    assert len(rows(changes)) == 1
    book.save([])


def test_a_saving_does_not_undo_an_attempt_that_began_meanwhile(take, book):
    take(booking())
    entry = write_entry(book, plan(book).popitem()[1])
    book.claim(entry.calendar_id)
    intended = book.intend(entry, intent_for(entry, "a2"))
    book.save([replace(entry, verified_at=at(5))])
    assert book.save_read([replace(entry, state=EntryState.REMOVED_BY_OWNER)], before=[entry]) == 0
    assert book.snapshot(["BK-1"]).entries["BK-1"][-1] == intended


def test_what_was_read_without_a_claim_is_written_only_over_what_it_was_read_of(take, book):
    take(booking())
    entry = write_entry(book, plan(book).popitem()[1])
    verified = replace(entry, verified_at=at(2))
    book.save([verified])
    moved = replace(entry, state=EntryState.MOVED_BY_OWNER, window=ELSEWHERE, verified_at=at(3))
    assert book.save_read([moved], before=[entry]) == 1, "when it was verified does not matter"
    assert book.save_read([verified], before=[entry]) == 0
    assert book.snapshot(["BK-1"]).entries["BK-1"][-1] == moved
    assert book.save_read([], before=[]) == 0


@pytest.mark.parametrize(
    ("state", "stored", "intended", "written", "taken"),
    [
        (EntryState.INTENDED, None, WHEN, 0, True),
        (EntryState.UNKNOWN, None, WHEN, 0, True),
        (EntryState.UNKNOWN, WHEN, ELSEWHERE, 0, True),
        (EntryState.UNKNOWN, ELSEWHERE, ELSEWHERE, 0, False),
        (EntryState.PRESENT, WHEN, WHEN, 10, True),
        (EntryState.MOVED_BY_OWNER, WHEN, ELSEWHERE, 11, True),
        (EntryState.PRESENT, WHEN, WHEN, 9, False),
        (EntryState.PRESENT, ELSEWHERE, WHEN, 11, False),
        (EntryState.PRESENT, window(90, 120), WHEN, 11, False),
        (EntryState.CANCELLED, WHEN, WHEN, 11, False),
        (EntryState.WANTED, WHEN, None, 11, False),
    ],
)
def test_a_slot_may_be_taken_by_what_no_reading_needs_to_show(
    take, book, store, clock, calendars, state, stored, intended, written, taken
):
    take(booking(), booking("BK-2"))
    wanted = plan(book)
    entry, other = wanted["BK-1", calendars["ana"]], wanted["BK-2", calendars["ana"]]
    clock.time = at(written)
    intent = intent_for(entry, when=intended) if intended else None
    with store.write() as unit:
        unit.entries.write(replace(entry, state=state, window=stored, intent=intent), None, unit.instant)
    book.claim(calendars["ana"])
    # At this time a reading was asked for; entries of its calendars count, and no others.
    assert (book.intend(other, intent_for(other), Unseen((calendars["bo"], calendars["ana"]), at(10))) is None) is taken
    assert book.snapshot(["BK-2"]).entries["BK-2"][0].lost is not taken
    assert book.intend(other, intent_for(other), Unseen((calendars["bo"],), at(10))) is not None


def test_an_entry_is_not_in_its_own_way(take, book, calendars):
    take(booking())
    entry = write_entry(book, plan(book)["BK-1", calendars["ana"]])
    book.claim(calendars["ana"])
    assert book.intend(entry, intent_for(entry, "a2"), Unseen((calendars["ana"],), at(0))) is not None


@pytest.mark.parametrize("attempt", range(5))
def test_of_two_that_want_a_slot_at_this_moment_one_gets_it(take, book, calendars, attempt):
    take(booking(), booking("BK-2"))
    wanted = plan(book)
    both = [wanted["BK-1", calendars["ana"]], wanted["BK-2", calendars["bo"]]]
    for entry in both:
        book.claim(entry.calendar_id)
    watched, start = Unseen((calendars["ana"], calendars["bo"]), at(10)), Barrier(2)

    def intend(entry):
        start.wait()
        return book.intend(entry, intent_for(entry, f"a{attempt}"), watched)

    with ThreadPoolExecutor(2) as pool:
        got = list(pool.map(intend, both))
    assert sorted(it is None for it in got) == [False, True]


def test_known_revisions_are_the_highest_of_bookings_and_entries(take, book, store, calendars):
    take(booking(), booking(revision=3), booking("BK-2"), booking("BK-3"))
    wanted = plan(book)
    with store.write() as unit:
        second, third = (wanted[key, calendars["ana"]] for key in ("BK-2", "BK-3"))
        unit.entries.write(replace(second, revision=7), None, unit.instant)
        unit.entries.write(replace(third, intent=Intent("a", ChangeKind.UPDATE, 9, WHEN, MONDAY)), None, unit.instant)
        unit.entries.want([("BK-4", calendars["ana"])], None, unit.instant)
    known = book.known_revisions(["BK-1", "BK-2", "BK-3", "BK-4", "BK-5"])
    assert known == {"BK-1": 3, "BK-2": 7, "BK-3": 9, "BK-4": 0}
    assert book.known_revisions([]) == {}


def test_that_the_database_was_restored_is_noted_once(book, store, clock, rows):
    assert store.restored_at is None
    book.mark_restored()
    clock.go(minutes=1)
    book.mark_restored()
    assert store.restored_at == MONDAY
    assert [(row["tag"], row["run_id"]) for row in rows(events)] == [("machine:database:restored", book._run_id)]
    store.clear_restored()
    assert store.restored_at is None


def make_item(name, revision=2, *, when=WHEN, made=0):
    return CalendarItem(ItemName(name, "1"), when.start, when.end, None, "marker", revision, None if made is None else at(made))


def test_adopted_entries_are_as_the_calendars_show_them(take, book, calendars):
    take(booking())
    plan(book)
    ana = calendars["ana"]
    copies = [make_item("copy", made=None), make_item("second", made=9), make_item("first", made=3)]
    book.adopt([*((ana, item, "BK-1") for item in copies), (ana, make_item("lost", None, when=ELSEWHERE), "BK-9")])
    book.adopt([])
    adopted = next(it for it in book.snapshot(["BK-1"]).entries["BK-1"] if it.calendar_id == ana)
    assert (adopted.state, adopted.item_id, adopted.revision, adopted.window) == (EntryState.PRESENT, "first", 2, WHEN)
    assert adopted.verified_at is not None
    assert book.known_revisions(["BK-1", "BK-9"]) == {"BK-1": 2, "BK-9": 0}


def test_an_item_without_a_length_is_adopted_without_a_time(book, store, calendars):
    item = replace(make_item("odd"), end=WHEN.start)
    book.adopt([(calendars["ana"], item, "BK-1")])
    with store.read() as unit:
        assert unit.entries.of(["BK-1"])["BK-1"][0].window is None


def test_entries_are_counted_by_state(take, book, store):
    take(booking(), booking("BK-2"))
    write_entry(book, plan(book).popitem()[1])
    with store.read() as unit:
        assert unit.entries.counts() == {EntryState.WANTED: 3, EntryState.PRESENT: 1}


def test_entries_with_an_item_are_due_to_be_read_back(take, book, store, corporate, calendars, open_pages):
    take(booking(), booking("BK-2", when=ELSEWHERE))
    wanted = plan(book)
    ana = calendars["ana"]
    entry = write_entry(book, wanted["BK-1", ana])
    write_entry(book, wanted["BK-2", ana], when=ELSEWHERE)

    def due(start, end, verified_before):
        with store.read() as unit:
            return [it.booking_key for it in unit.entries.to_read_back(corporate, window(start, end), at(verified_before))]

    assert due(0, 1000, 0) == ["BK-1", "BK-2"]
    assert due(0, 120, 0) == ["BK-1"]
    book.save([replace(entry, verified_at=at(5))])
    assert due(0, 1000, 5) == ["BK-2"]
    assert due(0, 1000, 6) == ["BK-1", "BK-2"]
    book.save([replace(entry, state=EntryState.REMOVED_BY_OWNER, item_id=None)])
    assert due(0, 1000, 6) == ["BK-2"]
    open_pages(make_page(main="bo", additional=()))
    assert due(0, 1000, 6) == []


def test_entries_and_changes_are_seen_with_owner_and_folder_though_their_calendar_was_retired(take, book, engine, open_pages):
    take(booking())
    for entry in plan(book).values():
        write_entry(book, entry)
    open_pages(make_page(main="dan", additional=(), busy=()))
    with engine.connect() as connection:
        for view in ("audit_entries", "audit_changes"):
            found = connection.execute(text(f"SELECT * FROM {view} ORDER BY id")).mappings().all()  # noqa: S608
            assert [(row["owner"], row["folder"]) for row in found] == [("ana@corp.example", ""), ("bo@corp.example", "")]
        assert {row["flow"] for row in found} == {"push_bookings"}
