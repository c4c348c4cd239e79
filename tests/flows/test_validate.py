"""Validation by the command: rights that change, what pages make of them, and servers that do not answer."""

from __future__ import annotations

from datetime import timedelta

import pytest

from busytime.model import Trigger
from flows.options import ValidateOptions
from tests.flows.harness import book
from tests.flows.permitting import HISTORY, free, grant, page, revoke, tomorrow, validate, verdicts


@pytest.fixture
def owner(home, exchange, person):
    """One person with an appointment, `main` on one page; connected."""
    owner = person()
    book(exchange, owner, tomorrow(8))
    home.take_roster(owner, pages=page("talk", owner)).ended(0)
    home.connect().ended(0)
    return owner


def history(home, owner, need="write", folder=""):
    return home.query(HISTORY, owner=owner, folder=folder, need=need)


def test_changed_rights_show_at_the_next_run_with_the_date_and_what_was_before(home, exchange, owner):
    assert verdicts(validate(home, 0)) == {(owner, "", need): ("granted", None) for need in ("read", "write")}
    grant(exchange, owner, "Reviewer")
    found = validate(home, 3)
    assert verdicts(found)[owner, "", "write"] == ("insufficient", "level_too_low")
    assert verdicts(found)[owner, "", "read"] == ("granted", None)
    assert found[owner, "", "write"]["required"] == "Editor"
    assert found[owner, "", "write"]["observed"] == "Reviewer"
    assert '"Editor"' in found[owner, "", "write"]["advice"]
    validate(home, 3)  # nothing new, no new row
    grant(exchange, owner, "PublishingEditor")
    validate(home, 0)
    rows = history(home, owner)
    assert [(row.verdict, row.observed, row.verdict_before, row.observed_before) for row in rows] == [
        ("granted", "Editor", None, None),
        ("insufficient", "Reviewer", "granted", "Editor"),
        ("granted", "PublishingEditor", "insufficient", "Reviewer"),
    ]
    assert [row.valid_to for row in rows[:-1]] == [row.valid_from for row in rows[1:]]
    started = dict(home.query("SELECT id, started_at FROM audit_runs"))
    ended = dict(home.query("SELECT id, finished_at FROM audit_runs"))
    opened = home.query("SELECT opened_run_id, valid_from FROM audit_permissions WHERE owner = :owner", owner=owner)
    assert all(started[run_id] <= valid_from <= ended[run_id] for run_id, valid_from in opened)


def validate_by_request(home):
    from flows.validate_delegation import validate_delegation

    with home.inside():
        asked = ValidateOptions(trigger=Trigger.REQUEST)
        return validate_delegation(asked, return_state=True).result(raise_on_failure=False)


def test_what_an_import_asks_for_is_validated_once(home, owner):
    ended = validate_by_request(home)
    assert (ended.status, ended.counts["granted"]) == ("completed", 2), owner
    again = validate_by_request(home)
    assert (again.run_id, again.message) == (None, "nothing is asked for")
    assert home.run_statuses() == ["completed"]


def test_revoked_right_makes_busy_time_unknown_at_once_and_says_why(home, exchange, person):
    main, other = person(), person()
    home.take_roster(main, other, pages=page("talk", main, other)).ended(0)
    home.connect().ended(0)
    home.harvest().ended(0)
    assert len(free(home, "talk", 0)["slots"]) == 24
    revoke(exchange, other)
    found = validate(home, 3)
    assert verdicts(found)[other, "", "read"] == ("pending", "grant_awaited")  # it was never seen before
    assert home.coverage(other)[:2] == ("unknown", "no_access")
    assert home.coverage(main)[0] == "covered"
    offered = free(home, "talk", 3)
    assert offered["slots"] == []
    assert [(it["owner"], it["reason"]) for it in offered["unknown"]] == [(other, "no_access")]
    grant(exchange, other, "Reviewer")
    home.harvest().ended(0)
    assert len(free(home, "talk", 0)["slots"]) == 24


def test_refused_sub_calendar_is_unknown_from_the_validation_on(home, exchange, person):
    main = person()
    exchange.control("POST", "/calendars", {"owner": main, "folder": "Projects"})
    home.take_roster(main, f"{main}/Projects", pages=page("talk", main, f"{main}/Projects")).ended(0)
    home.connect().ended(0)
    home.harvest().ended(0)
    grant(exchange, main, "Contributor", "Projects")
    found = validate(home, 3)
    assert verdicts(found)[main, "Projects", "read"] == ("insufficient", "sub_calendar_needs_reviewer")
    assert home.coverage(main, "Projects")[:2] == ("unknown", "no_access")
    exchange.control("DELETE", "/calendars", {"owner": main, "folder": "Projects"})
    assert verdicts(validate(home, 3))[main, "Projects", "read"] == ("missing", "folder_not_found")


def test_silence_changes_no_coverage(home, exchange, owner):
    home.harvest().ended(0)
    exchange.control("POST", "/faults", {"kind": "sick_mailbox", "mailbox": owner})
    assert verdicts(validate(home, 3))[owner, "", "read"][0] == "unreachable"
    assert home.coverage(owner)[0] == "covered"


def test_main_at_reviewer_blocks_its_page_and_serves_another_one_as_busy(home, exchange, person):
    shared, other = person(), person()
    grant(exchange, shared, "Reviewer")
    book(exchange, other, tomorrow(8))
    pages = page("first", shared) + page("second", other, shared)
    home.take_roster(shared, other, pages=pages).ended(0)
    home.connect().ended(0)
    home.harvest().ended(0)
    validate(home, 3)
    first = free(home, "first", 3)
    blocked = {"owner": shared, "folder": "", "need": "write", "verdict": "insufficient", "reason": "level_too_low"}
    assert (first["slots"], first["blocked"]) == ([], [blocked])
    second = free(home, "second", 0)
    assert (len(second["slots"]), second["blocked"]) == (23, [])


def test_page_that_requires_proof_is_blocked_until_a_probe_proves_it(home, exchange, person):
    owner = person()  # an Editor's empty calendar: nothing there tells an Editor from an Author
    home.take_roster(owner, pages=page("lax", owner) + page("strict", owner, proof=True)).ended(0)
    home.connect().ended(0)
    home.harvest().ended(0)
    assert verdicts(validate(home, 3))[owner, "", "write"] == ("unproven", "not_proven")
    assert len(free(home, "lax", 0)["slots"]) == 24
    strict = free(home, "strict", 3)
    assert (strict["slots"], strict["blocked"][0]["reason"]) == ([], "not_proven")

    found = validate(home, 0, "--probe-write")

    assert (found[owner, "", "write"]["verdict"], found[owner, "", "write"]["evidence"]) == ("granted", "probe_write")
    assert (
        exchange.control("GET", f"/appointments?owner={owner}&folder=&start=2019-01-01T00:00:00Z&end=2021-01-01T00:00:00Z") == []
    )
    assert len(free(home, "strict", 0)["slots"]) == 24


def test_no_answer_keeps_the_last_verdict_and_its_date(home, exchange, owner):
    validate(home, 0)
    (before,) = history(home, owner)
    for fault in ({"kind": "sick_mailbox", "mailbox": owner}, {"kind": "malformed", "operation": "GetFolder", "mailbox": owner}):
        exchange.control("POST", "/faults", fault)
        found = validate(home, 3)
        assert found[owner, "", "write"]["verdict"] == "unreachable"
        assert "granted, stands until then" in found[owner, "", "write"]["advice"]
        exchange.control("DELETE", "/faults")
    assert history(home, owner) == [before]
    assert free(home, "talk", 3)["blocked"] == []
    validate(home, 0)
    assert history(home, owner) == [before]


def test_throttling_is_waited_for(home, exchange, owner):
    exchange.control("POST", "/faults", {"kind": "server_busy", "operation": "FindItem", "count": 1, "back_off_ms": 300})
    assert verdicts(validate(home, 0))[owner, "", "write"] == ("granted", None)


def test_stalled_mailbox_costs_its_own_verdict_alone(home, exchange, owner, person):
    other = person()
    book(exchange, other, tomorrow(9))
    home.take_roster(owner, other, pages=page("talk", owner, other)).ended(0)
    home.more["BUSYTIME_REQUEST_DEADLINE_SECONDS"] = "1"
    exchange.control("POST", "/faults", {"kind": "stalled_mailbox", "mailbox": other, "seconds": 30})
    found = verdicts(validate(home, 3))
    assert found[owner, "", "write"] == ("granted", None)
    assert found[other, "", "read"] == ("unreachable", "timed_out")


def test_right_is_awaited_for_the_time_that_is_set_and_missing_after(home, exchange, owner, clock):
    revoke(exchange, owner)
    place = (owner, "", "write")
    assert verdicts(validate(home, 3, clock=clock))[place] == ("pending", "grant_awaited")
    clock.offset = timedelta(hours=47)
    assert verdicts(validate(home, 3, clock=clock))[place] == ("pending", "grant_awaited")
    home.more["BUSYTIME_GRANT_GRACE_HOURS"] = "12"
    assert verdicts(validate(home, 3, clock=clock))[place] == ("missing", "no_access")
    del home.more["BUSYTIME_GRANT_GRACE_HOURS"]
    clock.offset = timedelta(hours=49)
    assert verdicts(validate(home, 3, clock=clock))[place] == ("missing", "no_access")
    rows = history(home, owner)
    assert [row.verdict for row in rows] == ["pending", "missing"]


def test_right_that_was_there_and_was_taken_away_is_not_awaited(home, exchange, owner):
    validate(home, 0)
    revoke(exchange, owner)
    for _ in range(2):
        found = verdicts(validate(home, 3))
        assert found == {(owner, "", need): ("missing", "no_access") for need in ("read", "write")}


def test_what_got_worse_is_named_by_the_command_and_in_the_final_state(home, exchange, owner):
    validate(home, 0)
    grant(exchange, owner, "Reviewer")
    with home.inside():
        from flows.validate_delegation import validate_delegation

        state = validate_delegation(return_state=True)
    assert state.name == "Completed with failures"
    assert f"worse than before: {owner} write (granted -> insufficient)" in state.message
    revoke(exchange, owner)
    shown = home.call("validate").ended(3)
    assert "Worse" in shown.out
    assert "insufficient -> missing" in shown.out


def test_second_validation_at_the_same_time_is_skipped(home, owner):
    with home.inside():
        from tasks.workspace import workspace

        office = workspace()
        with office.store.write() as unit:
            (connection,) = unit.connections.all_open()
            from busytime.model import Trigger

            run_id = unit.runs.open("validate_delegation", Trigger.MANUAL, unit.owners.id("a@b"), office.clock.now(), None, None)
            holder, _ = office.store.take_lock(unit, f"validate_delegation:{connection.id}:0", run_id)
        assert holder is not None
        from flows.validate_delegation import validate_delegation

        state = validate_delegation(return_state=True)
        assert state.name == "Skipped"
        office.store.release_lock(f"validate_delegation:{connection.id}:0", holder)
    assert home.query("SELECT COUNT(*) FROM audit_permissions") == [(0,)]
    validate(home, 0)
    assert history(home, owner)
