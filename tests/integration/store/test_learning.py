"""What a push learns on its way: verdicts that a write settles, and how many mailboxes the server takes."""

import pytest

from busytime.errors import Reason
from busytime.model import Outcome
from busytime.permissions import Evidence, Verdict
from busytime.store.tables import connections, permissions
from tests.integration.store.push_steps import intent_for, make_page, write_entry


def verdicts(rows):
    order = ("verdict", "reason", "evidence", "detail")
    return [(*(row[name] for name in order), row["valid_to"] is None) for row in rows(permissions)]


def test_a_write_that_was_denied_overrules_the_verdict(book, calendars, judge, rows):
    judge(calendars["ana"], Verdict.GRANTED)
    book.deny_write(calendars["ana"], "ErrorAccessDenied")
    book.deny_write(calendars["ana"], "ErrorAccessDenied")
    denied = ("insufficient", "write_denied", None, "ErrorAccessDenied", True)
    assert verdicts(rows) == [("granted", None, None, None, False), denied]
    assert book.snapshot().closed_calendars[calendars["ana"]] is Reason.WRITE_DENIED


def test_a_write_that_was_denied_is_a_verdict_where_there_was_none(book, calendars, rows):
    book.deny_write(calendars["ana"], None)
    assert verdicts(rows) == [("insufficient", "write_denied", None, None, True)]


def test_a_write_proves_a_right_that_was_not_proven_and_nothing_else(book, calendars, judge, rows):
    book.prove_write(calendars["ana"])
    judge(calendars["ana"], Verdict.MISSING, Reason.NO_ACCESS)
    book.prove_write(calendars["ana"])
    assert verdicts(rows) == [("missing", "no_access", None, None, True)]
    judge(calendars["ana"], Verdict.UNPROVEN, Reason.NOT_PROVEN)
    book.prove_write(calendars["ana"])
    assert verdicts(rows)[1:] == [
        ("unproven", "not_proven", None, None, False),
        ("granted", None, Evidence.PROBE_WRITE, None, True),
    ]


@pytest.fixture
def four(corporate, open_pages):  # noqa: ARG001 -- it serves them
    """Calendars of four owners."""
    return open_pages(make_page(additional=("bo", "cy", "dan"), busy=()))


def claims(book, calendars, *owners):
    return {owner: book.claim(calendars[owner]).value for owner in owners}


def test_a_pace_lets_no_more_mailboxes_be_claimed_at_once(open_book, four):
    first, second = open_book(pace=2), open_book(pace=2)
    assert claims(first, four, "ana") == {"ana": "granted"}
    assert claims(second, four, "bo", "cy") == {"bo": "granted", "cy": "paced"}
    assert claims(first, four, "cy", "bo") == {"cy": "paced", "bo": "held_elsewhere"}
    second.release(four["bo"])
    assert claims(first, four, "cy") == {"cy": "granted"}, "nothing was written to bo"
    assert claims(open_book(), four, "dan") == {"dan": "granted"}, "nobody asked this one to keep a pace"


def test_mailboxes_that_were_just_written_to_count_for_five_minutes(open_book, four, store, clock):
    book = open_book(pace=2)
    with store.write() as unit:
        unit.entries.want([("BK-1", four[owner]) for owner in ("ana", "bo")], None, unit.instant)
        by_calendar = {it.calendar_id: it for it in unit.entries.of(["BK-1"])["BK-1"]}
    write_entry(book, by_calendar[four["ana"]], made=clock.now())
    clock.go(minutes=2)
    book.claim(four["bo"])
    book.intend(by_calendar[four["bo"]], intent_for(by_calendar[four["bo"]], made=clock.now()))
    book.release(four["bo"])
    assert claims(book, four, "cy", "ana", "bo") == {"cy": "paced", "ana": "granted", "bo": "granted"}
    book.release(four["ana"])
    book.release(four["bo"])
    clock.go(minutes=3)
    assert claims(book, four, "cy", "dan") == {"cy": "granted", "dan": "paced"}


def test_a_pace_is_learnt_and_only_goes_down(open_book, four, store, clock, rows):
    book = open_book()
    with store.write() as unit:
        unit.entries.want([("BK-1", calendar_id) for calendar_id in four.values()], None, unit.instant)
        wanted = {it.calendar_id: it for it in unit.entries.of(["BK-1"])["BK-1"]}

    def learnt():
        return rows(connections)[0]["mailboxes_in_five_minutes"]

    book.lower_pace()
    assert learnt() is None, "it writes through no connection"
    for owner in ("ana", "bo"):
        write_entry(book, wanted[four[owner]], made=clock.now())
    write_entry(book, wanted[four["cy"]], made=clock.now(), outcome=Outcome.SKIPPED)
    book.claim(four["dan"])
    book.lower_pace()
    assert learnt() == 2, "what the server did not take does not count"
    book.release(four["dan"])
    assert claims(book, four, "dan", "bo") == {"dan": "paced", "bo": "granted"}
    clock.go(minutes=5)
    book.lower_pace()
    assert learnt() == 1
    with store.write() as unit:
        endpoint = unit.connections.all_open()[0].endpoint
        unit.connections.open(unit.owners.id(endpoint.email), endpoint, unit.connections.all_open()[0].mode, clock.now())
    assert learnt() is None, "a connection that is opened anew begins anew"
