"""What a push may do: verdicts before it, denied writes in it, and rights that go and come back."""

from __future__ import annotations

from tests.flows.harness import book
from tests.flows.permitting import grant, revoke, validate
from tests.flows.pushing import WRITES, again, at, booked, booking_page, cancelled, slot


def verdict(diary, owner, need="write"):
    """Return the current verdict of a calendar, with its reason and evidence."""
    ((verdict, reason, evidence),) = diary.home.query(
        "SELECT verdict, reason, evidence FROM audit_permissions WHERE owner = :owner AND need = :need AND valid_to IS NULL",
        owner=owner,
        need=need,
    )
    return verdict, reason, evidence


def test_calendar_that_was_never_validated_is_validated_first(diary, exchange, person):
    good, closed = person(), person()
    grant(exchange, closed, "Reviewer")
    book(exchange, good, at(9, days=2))
    diary.pages(booking_page(good), booking_page(closed, name="other"))
    diary.take(booked("BK-1", at(9)), booked("BK-2", at(9), page="other"))
    mark = diary.mark()
    pushed = diary.push()
    assert verdict(diary, good) == ("granted", None, "item_rights")
    assert pushed.changes["BK-2", closed] == ("create", "refused", "level_too_low")
    assert diary.requests(mark, *WRITES) == [("CreateItem", good)]
    assert diary.entries()["BK-2", closed] == ("blocked", "level_too_low")


def test_calendar_with_a_verdict_is_not_validated_again(diary, person):
    main = person()
    diary.pages(booking_page(main))
    diary.take(booked("BK-1", at(9)))
    diary.push()
    diary.take(booked("BK-2", at(10)))
    mark = diary.mark()
    diary.push()
    assert ("GetFolder", main) not in diary.requests(mark)


def test_verdict_of_the_main_calendar_blocks_the_whole_page(diary, exchange, person):
    main, additional = person(), person()
    grant(exchange, main, "Reviewer")
    diary.pages(booking_page(main, [additional]))
    diary.take(booked("BK-1", at(9)))
    mark = diary.mark()
    pushed = diary.push()
    assert set(pushed.changes.values()) == {("create", "refused", "level_too_low")}
    assert diary.requests(mark, *WRITES) == []


def test_unproven_right_is_tried_and_granted_by_the_first_verified_entry(diary, person):
    main = person()  # an Editor's empty calendar: nothing there tells an Editor from an Author
    diary.pages(booking_page(main))
    validate(diary.home, 3)
    assert verdict(diary, main)[:2] == ("unproven", "not_proven")
    diary.take(booked("BK-1", at(9)))
    diary.push()
    assert verdict(diary, main)[0] == "granted"


def test_page_that_requires_proof_gets_nothing_without_it(diary, person):
    main = person()
    diary.pages(booking_page(main, require_proof=True))
    diary.take(booked("BK-1", at(9)))
    mark = diary.mark()
    assert diary.push().changes == {("BK-1", main): ("create", "refused", "not_proven")}
    assert diary.requests(mark, *WRITES) == []
    validate(diary.home, 0, "--probe-write")
    diary.push()
    assert diary.ours(main) == {"BK-1": slot(at(9))}


def test_denied_write_overrules_the_verdict_and_is_the_last_one_in_that_calendar(diary, exchange, person):
    main, other = person(), person()
    for owner in (main, other):
        book(exchange, owner, at(9, days=2))
    diary.pages(booking_page(main), booking_page(other, name="other"))
    validate(diary.home, 0)
    grant(exchange, main, "Reviewer")
    diary.take(*(booked(f"BK-{hour}", at(hour)) for hour in (9, 10, 11)), booked("OTHER", at(9), page="other"))
    mark = diary.mark()
    pushed = diary.push()
    assert sorted(diary.requests(mark, *WRITES)) == sorted([("CreateItem", main), ("CreateItem", other)])
    assert {pushed.changes[f"BK-{hour}", main] for hour in (9, 10, 11)} == {("create", "refused", "write_denied")}
    assert pushed.changes["OTHER", other][1] == "applied"
    assert verdict(diary, main)[:2] == ("insufficient", "write_denied")
    assert {diary.entries()[f"BK-{hour}", main] for hour in (9, 10, 11)} == {("blocked", "write_denied")}

    grant(exchange, main, "Editor")
    validate(diary.home, 0)
    diary.push()
    assert len(diary.ours(main)) == 3


def test_right_to_change_that_is_missing_is_found_by_the_first_update(diary, exchange, person):
    main = person()
    diary.pages(booking_page(main))
    booking, second = booked("BK-1", at(9)), booked("BK-2", at(10))
    diary.take(booking, second)
    diary.push()
    grant(exchange, main, "Reviewer")
    diary.take(again(booking, at(14)), cancelled(second))
    pushed = diary.push()
    assert pushed.changes["BK-1", main] == ("update", "refused", "write_denied")
    assert diary.ours(main) == {"BK-1": slot(at(9)), "BK-2": slot(at(10))}


def test_right_that_was_taken_away_cancels_nothing_and_removes_nothing(diary, exchange, person):
    main = person()
    diary.pages(booking_page(main))
    booking, moved = booked("BK-1", at(9)), booked("BK-2", at(10))
    diary.take(booking, moved)
    diary.push()
    revoke(exchange, main)
    diary.take(cancelled(booking), again(moved, at(14)))
    pushed = diary.push()
    assert {outcome for _, outcome, _ in pushed.changes.values()} == {"failed"}
    assert diary.ours(main) == {"BK-1": slot(at(9)), "BK-2": slot(at(10))}
    assert {state for state, _ in diary.entries().values()} == {"blocked"}

    grant(exchange, main, "Editor")
    assert diary.push().status == "completed"
    assert diary.ours(main) == {"BK-2": slot(at(14))}


def test_calendar_that_is_gone_blocks_its_entries_alone(diary, exchange, person):
    main, additional = person(), person()
    exchange.control("POST", "/calendars", {"owner": additional, "folder": "Projects"})
    diary.pages(booking_page(main, [f"{additional}/Projects"]))
    booking = booked("BK-1", at(9))
    diary.take(booking)
    diary.push()
    exchange.control("DELETE", "/calendars", {"owner": additional, "folder": "Projects"})
    diary.take(again(booking, at(14)))
    pushed = diary.push()
    assert pushed.changes["BK-1", main][1] == "applied"
    assert pushed.changes["BK-1", f"{additional}/Projects"] == ("update", "failed", "folder_not_found")
    assert diary.entries()["BK-1", f"{additional}/Projects"] == ("blocked", "folder_not_found")
