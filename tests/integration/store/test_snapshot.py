"""Snapshots for a plan: bookings, entries, and what stands around them."""

import pytest

from busytime.bookings import OwnerChanges
from busytime.errors import Reason
from busytime.model import Role
from busytime.permissions import Need, Verdict
from busytime.store.entry_book import StoredEntryBook
from busytime.store.tables import connections
from busytime.store.tables_booking import bookings
from tests.integration.store.push_steps import booking, make_page, plan
from tests.unit.bookings.snapshots import BEFORE
from tests.unit.moments import MONDAY


def test_a_snapshot_shows_pages_calendars_and_connections(take, book, calendars):
    take(booking())
    found = book.snapshot()
    assert found.bookings == (booking(),)
    [page] = found.pages.values()
    assert (page.name, page.time_zone, page.busy) == ("intro-call", "Europe/Berlin", (calendars["cy"],))
    assert dict(page.targets) == {calendars["ana"]: Role.MAIN, calendars["bo"]: Role.ADDITIONAL}
    assert (page.allow_conflicts, page.owner_changes, page.recreate, page.blocked) == (False, OwnerChanges.REPORT, False, None)
    assert found.in_use == set(calendars.values())
    assert dict(found.opened_at) == dict.fromkeys(calendars.values(), MONDAY)
    assert (found.now, found.entries, found.backfill) == (MONDAY, {}, False)
    assert dict(found.closed_calendars) == dict.fromkeys(page.targets, Reason.NEVER_VALIDATED)


def test_a_page_tells_what_it_does_with_owners_doings(take, open_book, open_pages, corporate):  # noqa: ARG001
    rules = {"allow_conflicts": True, "owner_changes": OwnerChanges.FOLLOW, "recreate": True}
    open_pages(make_page(busy=("ana", "cy"), **rules), make_page("other", additional=()))
    found = open_book(backfill=True).snapshot()
    page = found.pages["intro-call"]
    assert {name: getattr(page, name) for name in rules} == rules
    assert len(page.busy) == 1, "the main calendar is read anyway"
    assert found.backfill


def test_a_snapshot_of_some_bookings_holds_these_and_their_pages(take, book, open_pages, calendars):
    open_pages(make_page(), make_page("other", main="dan", additional=(), busy=()))
    take(booking(), booking("BK-2"), booking("BK-3", page="other"))
    found = book.snapshot(["BK-2", "no such key"])
    assert [it.key for it in found.bookings] == ["BK-2"]
    assert list(found.pages) == ["intro-call"]
    assert found.in_use == set(calendars.values())
    assert book.snapshot([]).bookings == ()
    assert len(book.snapshot().bookings) == 3


def test_a_calendar_of_an_entry_is_told_though_its_page_names_it_no_more(take, book, open_pages, calendars):
    take(booking())
    plan(book)
    open_pages(make_page(additional=()), others=["bo@corp.example"])
    assert calendars["bo"] in book.snapshot(["BK-1"]).in_use
    open_pages(make_page(additional=()))
    assert calendars["bo"] not in book.snapshot(["BK-1"]).in_use


def test_what_is_over_is_not_in_a_snapshot_of_all(take, book):
    take(booking(when=BEFORE), booking("BK-2"))
    assert [it.key for it in book.snapshot().bookings] == ["BK-2"]
    assert [it.key for it in book.snapshot(["BK-1"]).bookings] == ["BK-1"]


def test_verdicts_close_calendars_and_block_pages(take, book, calendars, judge):
    take(booking())
    judge(calendars["ana"], Verdict.MISSING, Reason.NO_ACCESS, Need.READ)
    judge(calendars["bo"], Verdict.PENDING, Reason.GRANT_AWAITED)
    found = book.snapshot(["BK-1"])
    assert found.closed_calendars[calendars["bo"]] is Reason.GRANT_AWAITED
    assert found.pages["intro-call"].blocked is Reason.NO_ACCESS
    judge(calendars["ana"], Verdict.GRANTED, need=Need.READ)
    judge(calendars["ana"], Verdict.UNPROVEN, Reason.NOT_PROVEN)
    judge(calendars["bo"], Verdict.GRANTED)
    found = book.snapshot()
    assert (dict(found.closed_calendars), found.pages["intro-call"].blocked) == ({}, None)


def test_a_page_may_demand_a_proof(take, book, open_pages, calendars, judge):  # noqa: ARG001 -- the page has to be there
    open_pages(make_page(require_proof=True))
    judge(calendars["ana"], Verdict.UNPROVEN, Reason.NOT_PROVEN)
    assert book.snapshot().pages["intro-call"].blocked is Reason.NOT_PROVEN


def test_what_another_connection_may_do_does_not_count(book, calendars, judge, store):
    judge(calendars["bo"], Verdict.MISSING, Reason.NO_ACCESS)
    with store.write() as unit:
        unit.connections._connection.execute(connections.update().values(closed_at=MONDAY))
        unit.roster.assign_connections()
    found = book.snapshot()
    assert found.closed_calendars[calendars["bo"]] is Reason.NEVER_VALIDATED
    assert dict(found.opened_at) == {}


def test_a_snapshot_notes_what_it_found_of_rows_of_others_but_a_look_does_not(take, book, store, clock, write_sql, rows):
    take(booking())
    write_sql("INSERT INTO bookings (booking_key, revision) VALUES (?, ?)", "BK-2", 1)
    look = StoredEntryBook(store, None, clock=clock)
    assert [it.key for it in look.snapshot().bookings] == ["BK-1"]
    assert rows(bookings)[1]["checked_at"] is None
    book.snapshot()
    assert rows(bookings)[1]["checked_at"] == MONDAY
    with pytest.raises(RuntimeError):
        look.claim(1)
