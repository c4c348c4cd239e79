"""Runs that are limited to some owners, pages or accounts, and runs that only look."""

from __future__ import annotations

import pytest

from busytime.errors import ConfigurationError
from flows.options import HarvestOptions, PushOptions, ValidateOptions
from tests.flows.pushing import at, booked, booking_page


@pytest.fixture
def two_pages(diary, person):
    """Two pages with a main calendar each, and a calendar on neither, each with a booking or an appointment."""
    ana, bo, chris = person(), person(), person()
    diary.pages(booking_page(ana, name="talk"), booking_page(bo, name="visit"), calendars=[chris])
    diary.take(booked("BK-1", at(9), page="talk"), booked("BK-2", at(9), page="visit"))
    return ana, bo, chris


def run(diary, flow_name, options):
    """Run a flow; return what it came to, and the operations that the server saw meanwhile."""
    import importlib

    before = diary.exchange.log()[-1]["n"]
    flow = getattr(importlib.import_module(f"flows.{flow_name}"), flow_name)
    outcome = diary._run(flow, None, options)
    return outcome, [entry["operation"] for entry in diary.exchange.log(before)]


def covered(diary):
    found = diary.home.query("SELECT owner FROM audit_coverage WHERE valid_to IS NULL AND state = 'covered'")
    return {owner for (owner,) in found}


def test_a_harvest_reads_the_owners_and_the_pages_that_it_is_limited_to(diary, two_pages):
    ana, bo, chris = two_pages
    first, _ = run(diary, "harvest_busy_time", HarvestOptions(owners=(chris.upper(),)))
    assert (first.status, first.result.known) == ("completed", 1)
    assert covered(diary) == {chris}
    second, _ = run(diary, "harvest_busy_time", HarvestOptions(owners=(chris,), pages=("visit",)))
    assert second.result.known == 2
    assert covered(diary) == {bo, chris}
    whole, _ = run(diary, "harvest_busy_time", HarvestOptions(connections=(diary.exchange.email,)))
    assert whole.result.known == 3
    assert covered(diary) == {ana, bo, chris}


def test_a_validation_and_a_push_work_on_one_page_alone(diary, two_pages):
    ana, bo, _ = two_pages
    validated, _ = run(diary, "validate_delegation", ValidateOptions(pages=("talk",)))
    assert {it.candidate.calendar.owner for it in validated.findings} == {ana}
    pushed, _ = run(diary, "push_bookings", PushOptions(pages=("talk",)))
    assert [(it.booking_key, it.outcome) for it, _ in pushed.changes] == [("BK-1", "applied")]
    assert (list(diary.ours(ana)), list(diary.ours(bo))) == (["BK-1"], [])
    pushed, _ = run(diary, "push_bookings", PushOptions())
    assert [it.booking_key for it, _ in pushed.changes] == ["BK-2"], "what was left out waits for a later push"


@pytest.mark.parametrize(
    ("flow", "options", "told"),
    [
        ("harvest_busy_time", HarvestOptions(dry_run=True), "would be read: 3 through"),
        ("validate_delegation", ValidateOptions(dry_run=True, pages=("talk",)), "would be validated: 1 through"),
        ("push_bookings", PushOptions(dry_run=True, pages=("talk",)), "1 changes planned; nothing was sent"),
    ],
)
@pytest.mark.usefixtures("two_pages")
def test_a_dry_run_sends_and_writes_nothing(diary, flow, options, told):
    outcome, sent = run(diary, flow, options)
    assert (outcome.run_id, outcome.status) == (None, "completed")
    assert told in outcome.message
    assert sent == []
    written = "(SELECT count(*) FROM runs) + (SELECT count(*) FROM entries) + (SELECT count(*) FROM steps)"
    assert diary.home.query("SELECT " + written) == [(0,)]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"owners": ("nobody@corp.example",)}, r"nobody@corp\.example is not in the roster"),
        ({"pages": ("tlak",)}, r"no booking page 'tlak'\. Booking pages: talk, visit"),
        ({"connections": ("eva@corp.example",)}, r"eva@corp\.example is not connected"),
    ],
)
@pytest.mark.usefixtures("two_pages")
def test_a_name_that_nobody_knows_is_refused_before_anything_is_sent(diary, options, told):
    before = diary.exchange.log()[-1]["n"]
    with pytest.raises(ConfigurationError, match=told):
        diary.push(**options)
    assert diary.exchange.log(before) == []
    assert diary.home.query("SELECT count(*) FROM runs") == [(0,)]
