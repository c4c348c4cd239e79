"""Pushing by the real flow: entries come, move, go and stay where their bookings and the roster want them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.contract.sandbox.client import Client
from tests.flows.harness import appointments
from tests.flows.pushing import WRITES, again, at, booked, booking_page, cancelled, slot

DONE = "completed"
SOME_LEFT = "completed_with_failures"


@pytest.fixture
def pair(diary, person):
    """The main and the additional calendar of the page `talk`."""
    main, additional = person(), person()
    diary.pages(booking_page(main, [additional]))
    return main, additional


def test_booking_stands_in_its_owners_own_folders_and_nowhere_else(diary, exchange, pair):
    diary.take(booked("BK-1", at(9)))
    pushed = diary.push()
    assert pushed.status == DONE
    assert pushed.changes == {("BK-1", calendar): ("create", "applied", None) for calendar in pair}
    assert [diary.ours(calendar) for calendar in pair] == [{"BK-1": slot(at(9))}] * 2
    own = appointments(exchange, exchange.email)
    assert [item for item in own if item["booking_key"]] == []
    assert diary.entries() == {("BK-1", calendar): ("present", None) for calendar in pair}
    assert diary.home.query("SELECT COUNT(*) FROM entries WHERE verified_at IS NULL") == [(0,)]


def shown(exchange, item_id, *fields):
    """Ask the server for an item as the dedicated mailbox sees it."""
    paths = "".join(f'<t:FieldURI FieldURI="{field}"/>' for field in fields)
    client = Client(exchange)
    try:
        return client.call(
            "<m:GetItem><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:BodyType>Text</t:BodyType><t:AdditionalProperties>"
            f'{paths}</t:AdditionalProperties></m:ItemShape><m:ItemIds><t:ItemId Id="{item_id}"/></m:ItemIds></m:GetItem>'
        )
    finally:
        client.close()


def test_item_is_busy_and_has_marker_texts_and_the_pages_time_zone_and_no_reminder(diary, exchange, pair):
    diary.take(booked("BK-1", at(9), revision=7, location="Room 1", body="Bring a pen", guests=("Guest One",)))
    diary.push()
    ((installation,),) = diary.home.query("SELECT installation_id FROM installation")
    fields = ("item:Body", "item:ReminderIsSet", "calendar:Location", "calendar:StartTimeZone", "calendar:EndTimeZone")
    for calendar in pair:
        (item,) = diary.items(calendar)
        assert (item["status"], item["subject"], item["is_private"]) == ("Busy", "Intro call", False)
        assert (item["marker"], item["revision"]) == (f"{installation}/BK-1", "7")
        assert item["creator"] == exchange.email
        answer = shown(exchange, item["id"], *fields)
        assert {one.get("Id") for one in answer.all(".//t:StartTimeZone | .//t:EndTimeZone")} == {"W. Europe Standard Time"}
        assert answer.texts(".//t:ReminderIsSet") == ["false"]
        assert answer.texts(".//t:Location") == ["Room 1"]
        assert answer.texts(".//t:Body") == ["Bring a pen\n\nGuest One"]


def table_rows(diary):
    return [diary.home.query(f"SELECT * FROM {table} ORDER BY id") for table in ("bookings", "entries", "changes")]  # noqa: S608


def test_second_push_sends_nothing_for_entries_and_changes_no_row(diary, pair):
    diary.take(booked("BK-1", at(9)))
    diary.push()
    before, mark = table_rows(diary), diary.mark()
    pushed = diary.push()
    assert (pushed.status, pushed.changes) == (DONE, {})
    assert [mailbox for _, mailbox in diary.requests(mark) if mailbox in pair] == []
    assert table_rows(diary) == before


def test_later_revision_moves_both_entries(diary, pair):
    booking = booked("BK-1", at(9))
    diary.take(booking)
    diary.push()
    diary.take(again(booking, at(15), 60))
    pushed = diary.push()
    assert pushed.changes == {("BK-1", calendar): ("update", "applied", None) for calendar in pair}
    assert [diary.ours(calendar) for calendar in pair] == [{"BK-1": slot(at(15), 60)}] * 2
    assert diary.items(pair[0])[0]["revision"] == "2"


def test_cancelled_booking_is_removed_from_both_and_a_second_time_is_no_fault(diary, pair):
    booking = booked("BK-1", at(9))
    diary.take(booking)
    diary.push()
    diary.take(cancelled(booking))
    pushed = diary.push()
    assert pushed.changes == {("BK-1", calendar): ("cancel", "applied", None) for calendar in pair}
    assert [diary.items(calendar) for calendar in pair] == [[], []]
    diary.take(cancelled(cancelled(booking)))
    assert (diary.push().status, diary.push().changes) == (DONE, {})
    assert set(diary.entries().values()) == {("cancelled", None)}


def test_cancelled_booking_that_its_owner_removed_already_is_done(diary, exchange, pair):
    booking = booked("BK-1", at(9))
    diary.take(booking)
    diary.push()
    for calendar in pair:
        exchange.control("DELETE", f"/appointments/{diary.items(calendar)[0]['id']}")
    diary.take(cancelled(booking))
    pushed = diary.push()
    assert pushed.changes == {("BK-1", calendar): ("cancel", "already_applied", None) for calendar in pair}


def test_cancelled_booking_is_made_again_when_it_is_booked_again(diary, pair):
    booking = booked("BK-1", at(9))
    diary.take(booking)
    diary.push()
    diary.take(cancelled(booking))
    diary.push()
    diary.take(again(cancelled(booking), at(11)))
    pushed = diary.push()
    assert pushed.changes == {("BK-1", calendar): ("create", "applied", None) for calendar in pair}
    assert [diary.ours(calendar) for calendar in pair] == [{"BK-1": slot(at(11))}] * 2


def test_entries_follow_a_page_that_changes_its_calendars(diary, person, pair):
    main, additional = pair
    other = person()
    diary.take(booked("BK-1", at(9)))
    diary.push()
    diary.pages(booking_page(other, [main]), calendars=[additional])
    pushed = diary.push()
    assert pushed.status == DONE
    assert [diary.ours(calendar) for calendar in (other, main)] == [{"BK-1": slot(at(9))}] * 2
    assert diary.items(additional) == []
    assert diary.entries()["BK-1", additional] == ("cancelled", None)


def test_calendar_that_left_the_roster_keeps_its_entry_as_orphaned_and_has_it_back_on_return(diary, pair):
    main, additional = pair
    diary.take(booked("BK-1", at(9)))
    diary.push()
    diary.pages(booking_page(main))
    mark = diary.mark()
    diary.push()
    assert diary.requests(mark, *WRITES) == []
    assert diary.ours(additional) == {"BK-1": slot(at(9))}
    assert diary.entries()["BK-1", additional][0] == "orphaned"
    diary.pages(booking_page(main, [additional]))
    pushed = diary.push()
    assert pushed.changes == {("BK-1", additional): ("update", "already_applied", None)}
    assert diary.entries()["BK-1", additional] == ("present", None)


def test_page_that_left_the_roster_leaves_its_entries_where_they_are(diary, pair):
    diary.take(booked("BK-1", at(9)))
    diary.push()
    diary.pages(booking_page(pair[0], name="other"), calendars=pair)
    diary.push()
    assert [diary.ours(calendar) for calendar in pair] == [{"BK-1": slot(at(9))}] * 2
    assert {state for state, _ in diary.entries().values()} == {"orphaned"}


LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def test_booking_made_before_the_connection_was_opened_gets_entries_only_when_asked_for(diary, pair):
    diary.take(booked("OLD", at(9), booked_at=LONG_AGO), booked("NEW", at(10)))
    diary.push()
    assert [set(diary.ours(calendar)) for calendar in pair] == [{"NEW"}] * 2
    diary.push(backfill=True)
    assert [set(diary.ours(calendar)) for calendar in pair] == [{"NEW", "OLD"}] * 2


def test_entry_of_an_old_booking_is_moved_and_removed_without_being_asked_for(diary, pair):
    moved, removed = (booked(key, at(hour), booked_at=LONG_AGO) for key, hour in (("MOVED", 9), ("REMOVED", 10)))
    diary.take(moved, removed)
    diary.push(backfill=True)
    diary.take(again(moved, at(15)), cancelled(removed))
    diary.push()
    assert [diary.ours(calendar) for calendar in pair] == [{"MOVED": slot(at(15))}] * 2


def test_booking_that_is_over_is_never_written(diary, pair):
    over = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
    diary.take(booked("BK-1", over, booked_at=LONG_AGO))
    assert diary.push(backfill=True).changes == {}
    assert [diary.items(calendar) for calendar in pair] == [[], []]


def test_row_that_another_program_wrote_is_pushed_and_a_bad_one_between_is_refused_with_its_reason(diary, pair):
    statement = (
        "INSERT INTO bookings (booking_key, page, starts_at, ends_at, title, state, revision) "
        "VALUES (:key, :page, :start, :end, 'Intro call', 'scheduled', 1)"
    )
    texts = [(f"{at(hour):%Y-%m-%dT%H:%M:%SZ}", f"{at(hour, 30):%Y-%m-%dT%H:%M:%S+00:00}") for hour in (9, 10, 11, 12)]
    pages = ["talk", "nowhere", "talk", "talk"]
    texts[2] = ("next week", texts[2][1])
    for number, ((start, end), page) in enumerate(zip(texts, pages, strict=True), start=1):
        diary.change(statement, key=f"SQL-{number}", page=page, start=start, end=end)
    # Whoever inserts does not say when it was booked: the database does, to the second at best.
    diary.change("UPDATE connections SET opened_at = '2026-01-01T00:00:00.000000+00:00'")
    diary.push()
    assert [set(diary.ours(calendar)) for calendar in pair] == [{"SQL-1", "SQL-4"}] * 2
    refused = diary.home.query("SELECT booking_key, refused, refused_field FROM bookings WHERE refused IS NOT NULL ORDER BY id")
    assert refused == [("SQL-2", "unknown_page", "page"), ("SQL-3", "value_unreadable", "starts_at")]


def test_calendar_that_no_connection_serves_waits_and_costs_no_other_one_its_entry(diary, person, pair):
    main, additional = pair
    alone = person()
    roster = diary.home.directory / "roster.yaml"
    lines = ["calendars:", f"  - owner: {alone}", "    connection: nobody@corp.example", "booking_pages:"]
    pages = [*booking_page(main, [additional]), *booking_page(alone, name="lonely")]
    roster.write_text("\n".join([*lines, *pages]), encoding="utf-8")
    diary.home.call("roster", "import", str(roster)).ended(0)
    diary.take(booked("BK-1", at(9)), booked("BK-2", at(9), page="lonely"))
    pushed = diary.push()
    assert pushed.status == SOME_LEFT
    assert pushed.changes["BK-2", alone] == ("create", "failed", "no_connection")
    assert diary.entries()["BK-2", alone] == ("waiting_for_log_on", "no_connection")
    assert [set(diary.ours(calendar)) for calendar in pair] == [{"BK-1"}] * 2


def filled(diary, page, count, first_hour=6):
    """Take bookings in, half an hour each."""
    bookings = [booked(f"{page}-{it}", at(first_hour) + it * timedelta(minutes=30), page=page) for it in range(count)]
    diary.take(*bookings)
    return bookings


def test_page_that_loses_too_many_entries_is_refused_with_its_numbers_and_the_other_one_goes_on(diary, person):
    first, second = person(), person()
    diary.pages(booking_page(first), booking_page(second, name="other"))
    talks, others = filled(diary, "talk", 10), filled(diary, "other", 9)
    diary.push()
    diary.take(*map(cancelled, talks[:3]), *map(cancelled, others[:3]))
    pushed = diary.push()
    assert pushed.status == SOME_LEFT
    assert [(it.page, it.disturbed, it.future) for it in pushed.outcome.refused_pages] == [("talk", 3, 10)]
    assert {change for place, change in pushed.changes.items() if place[1] == first} == {("cancel", "refused", "gate_closed")}
    assert (len(diary.ours(first)), len(diary.ours(second))) == (10, 6)

    assert diary.push(force_pages=("talk",)).status == DONE
    assert len(diary.ours(first)) == 7


def test_gate_looks_at_moved_entries_too_and_lets_new_ones_in_only_with_the_page(diary, person):
    main = person()
    diary.pages(booking_page(main))
    bookings = filled(diary, "talk", 10)
    diary.push()
    moved = [again(it, at(6, days=9) + number * timedelta(hours=1)) for number, it in enumerate(bookings[:3])]
    diary.take(*moved[:2])
    assert diary.push().status == DONE  # a fifth of ten is not more than a fifth
    diary.take(moved[2], again(moved[0], at(7, 30, days=9)), again(moved[1], at(8, 30, days=9)), booked("NEW", at(20)))
    pushed = diary.push()
    assert {outcome for _, outcome, _ in pushed.changes.values()} == {"refused"}
    assert "NEW" not in diary.ours(main)


def test_additional_calendar_waits_for_the_main_one(diary, person):
    main, additional = person(), person()
    diary.pages(booking_page(main, [additional]))
    diary.exchange.control("POST", "/appointments", {"owner": main, **_times(at(9)), "subject": "Zanderfall"})
    diary.take(booked("BK-1", at(9)))
    pushed = diary.push()
    assert pushed.changes["BK-1", additional][1:] == ("conflict", "slot_taken")
    assert diary.items(additional) == []


def _times(start, minutes=30):
    return {"start": start.isoformat(), "end": (start + timedelta(minutes=minutes)).isoformat()}


def test_sub_calendar_takes_entries_by_its_path(diary, exchange, person):
    owner = person()
    exchange.control("POST", "/calendars", {"owner": owner, "folder": "Projects"})
    diary.pages(booking_page(f"{owner}/Projects"))
    diary.take(booked("BK-1", at(9)))
    assert diary.push().status == DONE
    assert (diary.items(owner), diary.ours(f"{owner}/Projects")) == ([], {"BK-1": slot(at(9))})


def test_only_texts_that_change_are_written_whatever_else_is_in_the_slot(diary, exchange, pair):
    booking = booked("BK-1", at(9))
    diary.take(booking)
    diary.push()
    exchange.control("POST", "/appointments", {"owner": pair[0], **_times(at(9)), "subject": "Zanderfall"})
    diary.take(replace(again(booking), title="Second call"))
    pushed = diary.push()
    assert pushed.changes == {("BK-1", calendar): ("update", "applied", None) for calendar in pair}
    assert {item["subject"] for item in diary.items(pair[0])} == {"Zanderfall", "Second call"}
