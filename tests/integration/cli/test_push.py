"""`busytime push` as people and programs use it: what it prints, how it ends, and what it leaves alone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.flows.harness import book, spared
from tests.integration.cli.booking_desk import BODY, GUEST, PLACE, TITLE, BookingDesk, at, booking

KEYS = {"booking_key", "owner", "folder", "change", "outcome", "reason"}


@pytest.fixture
def desk(home, person):
    """A page with a main and an additional calendar."""
    return BookingDesk(home, person(), person()).open()


@pytest.fixture
def full(home, person):
    """A page of one calendar with ten entries."""
    desk = BookingDesk(home, person()).open()
    desk.take(*(booking(f"B{number}", at(8 + number)) for number in range(10)))
    assert len(desk.push()["changes"]) == 10
    return desk


def moved(count: int) -> list[dict]:
    """Return later revisions of some of the ten, two days later."""
    return [booking(f"B{number}", at(8 + number, days=7), revision=2) for number in range(count)]


def test_a_push_prints_the_agreed_object_and_each_entry_is_there_once(desk):
    desk.take(booking("B1", at(9)), booking("B2", at(10)))

    result = desk.home.run("push", "--json").ended(0)

    told = result.json
    assert set(told) == {"run_id", "status", "changes"}
    assert told["status"] == "completed"
    assert all(set(change) == KEYS for change in told["changes"])
    assert {tuple(change.values()) for change in told["changes"]} == {
        (key, owner, "", "create", "applied", None) for key in ("B1", "B2") for owner in (desk.main, desk.additional)
    }
    assert len(told["changes"]) == 4
    for owner in (desk.main, desk.additional):
        assert desk.held(owner) == [("B1", at(9)), ("B2", at(10))]
    ((status,),) = desk.home.query("SELECT status FROM audit_runs WHERE id = :id", id=told["run_id"])
    assert status == "completed"


def test_nothing_to_do_says_so_and_sends_nothing(desk):
    desk.take(booking("B1", at(9)))
    desk.push()
    before, logons = desk.requests(), desk.tables()["logons"]

    result = desk.home.call("push").ended(0)

    assert "nothing to do" in result.out
    assert "Nothing was sent" in result.out
    assert desk.push()["changes"] == []
    assert desk.requests() == before
    assert desk.tables()["logons"] == logons


def test_a_summary_counts_what_was_done(desk):
    desk.take(booking("B1", at(9)), booking("B2", at(10)), booking("B3", at(12)))
    assert "6 created." in desk.home.call("push").ended(0).out
    desk.take(booking("B1", at(11), revision=2), {"key": "B2", "page": "talk", "state": "cancelled", "revision": 2})
    desk.take(booking("B3", at(12), revision=2, title="Another title"))
    assert "2 moved, 2 updated, 2 cancelled." in desk.home.call("push").ended(0).out
    assert desk.held() == [("B1", at(11)), ("B3", at(12))]


def test_a_dry_run_prints_the_plan_as_json_and_leaves_everything_as_it_is(desk):
    desk.take(booking("B1", at(9)), booking("B2", at(10)))
    desk.push()
    desk.take(booking("B1", at(11), revision=2), {"key": "B2", "page": "talk", "state": "cancelled", "revision": 2})
    desk.take(booking("B3", at(12)))
    # Other programs write into this table: what they wrote is looked at, and not even that is noted.
    insert(desk, "ROW", at(13))
    desk.home.prefect_api = "http://127.0.0.1:1/api"  # a run could not even begin
    before, requests, files = desk.tables(), desk.requests(), everything(desk)

    told = desk.push("--dry-run")
    shown = desk.home.call("push", "--dry-run").ended(0)

    assert (set(told), told["run_id"], told["status"]) == ({"run_id", "status", "changes"}, None, "planned")
    assert all(set(change) == KEYS for change in told["changes"])
    assert {(it["booking_key"], it["owner"], it["change"], it["outcome"], it["reason"]) for it in told["changes"]} == {
        (key, owner, change, "planned", None)
        for key, change in (("B1", "update"), ("B2", "cancel"), ("B3", "create"), ("ROW", "create"))
        for owner in (desk.main, desk.additional)
    }
    assert "Nothing was sent or written" in shown.out
    assert desk.tables() == before
    assert desk.requests() == requests
    assert everything(desk) == files


def insert(desk, key, start):
    from sqlalchemy import create_engine, text

    engine = create_engine(f"sqlite:///{desk.home.path / 'busytime.db'}")
    with engine.begin() as connection:
        values = {"key": key, "title": TITLE, "start": start.isoformat(), "end": (start + timedelta(minutes=30)).isoformat()}
        connection.execute(
            text(
                "INSERT INTO bookings (booking_key, page, starts_at, ends_at, title, state, revision) "
                "VALUES (:key, 'talk', :start, :end, :title, 'scheduled', 1)"
            ),
            values,
        )
    engine.dispose()


def everything(desk):
    """Return the names of all files around the home, but those that any reader of the database makes."""
    passing = {"busytime.db-shm", "busytime.db-wal"}
    return sorted(str(path) for path in desk.home.directory.rglob("*") if path.name not in passing)


def test_a_dry_run_shows_new_and_old_times_in_the_pages_zone_and_no_title(desk):
    from zoneinfo import ZoneInfo

    zone = ZoneInfo("Europe/Berlin")
    desk.take(booking("B1", at(9)), booking("B2", at(10)))
    desk.push()
    desk.take(booking("B1", at(11), revision=2), {"key": "B2", "page": "talk", "state": "cancelled", "revision": 2})
    desk.take(booking("B3", at(23, days=6)))
    text = desk.home.call("push", "--dry-run").ended(0).out
    for when in (at(11), at(9), at(10), at(23, days=6)):
        assert f"{when.astimezone(zone):%H:%M}-{(when + timedelta(minutes=30)).astimezone(zone):%H:%M}" in text
    for word in (desk.main, desk.additional, "create", "move", "cancel", "Europe/Berlin", "2 to create", "2 to move"):
        assert word in text
    for word in (TITLE, PLACE, BODY, GUEST):
        assert word not in text


def test_a_dry_run_in_an_empty_home_has_nothing_to_do(home):
    home.prefect_api = "http://127.0.0.1:1/api"
    assert "Nothing to do" in home.call("push", "--dry-run").ended(0).out
    assert home.call("push", "--dry-run", "--json").ended(0).json == {"run_id": None, "status": "planned", "changes": []}


def test_a_taken_slot_is_status_3_and_says_what_to_do(desk, exchange):
    book(exchange, desk.main, at(9))
    desk.take(booking("B1", at(9)), booking("B2", at(12)))

    result = desk.home.call("push").ended(3)

    text = spared(result.out)
    for word in ("B1", "conflict", "2 created; 2 conflicts.", "Next: busytime free"):
        assert word in text
    assert TITLE not in result.out + result.err
    told = desk.push(status=3)
    assert {(it["booking_key"], it["outcome"], it["reason"]) for it in told["changes"]} == {("B1", "conflict", "slot_taken")}
    assert told["status"] == "completed_with_failures"
    assert desk.held() == [("B2", at(12))]


def test_a_lost_answer_is_looked_up_in_the_same_push(desk, exchange):
    exchange.control("POST", "/faults", {"kind": "drop_after", "operation": "CreateItem", "count": 1})
    desk.take(booking("B1", at(9)))
    told = desk.push()
    assert [it["outcome"] for it in told["changes"]] == ["already_applied", "applied"]
    assert desk.held() == desk.held(desk.additional) == [("B1", at(9))]


def test_a_refused_write_is_status_3_and_names_the_commands_that_help(desk, exchange):
    desk.home.call("validate").ended(3)  # nothing shows yet whether entries can be changed
    exchange.control("POST", "/permission", {"owner": desk.main, "folder": "", "grantee": exchange.email, "level": "Reviewer"})
    desk.take(booking("B1", at(9)))
    text = spared(desk.home.call("push").ended(3).out)
    for word in ("refused", "busytime validate", "busytime advise --out DIR"):
        assert word in text
    assert desk.held() == []


def test_the_gate_refuses_a_page_with_its_numbers_and_force_lets_it_pass(full):
    full.take(*moved(3))
    before = full.held()

    dry = full.push("--dry-run", status=4)
    told = full.push(status=4)

    assert told["refused_pages"] == dry["refused_pages"] == [{"page": "talk", "disturbed": 3, "future": 10}]
    assert {(it["booking_key"], it["change"], it["outcome"], it["reason"]) for it in told["changes"]} == {
        (f"B{number}", "update", "refused", "gate_closed") for number in range(3)
    }
    assert (told["status"], told["reason"]) == ("completed_with_failures", "gate_closed")
    for arguments in (("push",), ("push", "--dry-run")):
        text = spared(full.home.call(*arguments).ended(4).out)
        for word in ("page talk: 3 of its 10 future entries", "more than 20%", "busytime push --force talk"):
            assert word in text
    assert full.held() == before
    assert [it["outcome"] for it in full.push("--dry-run", "--force", "talk")["changes"]] == ["planned"] * 3
    assert [it["outcome"] for it in full.push("--force", "talk")["changes"]] == ["applied"] * 3
    assert {at(8 + number, days=7) for number in range(3)} <= {start for _, start in full.held()}


def test_a_page_that_nobody_knows_cannot_be_forced(desk):
    before = desk.tables()["runs"]
    for more in ((), ("--dry-run",)):
        result = desk.home.call("push", "--force", "tlak", *more).ended(2)
        assert result.out == ""
        assert "'tlak'" in result.err
        assert "Booking pages: talk." in result.err
    assert desk.tables()["runs"] == before


def test_bookings_from_before_the_connection_need_backfill(desk):
    early = (at(9) - timedelta(days=30)).isoformat()
    desk.take(booking("OLD", at(9), booked_at=early), booking("NEW", at(10)))
    assert {it["booking_key"] for it in desk.push("--dry-run")["changes"]} == {"NEW"}
    assert {it["booking_key"] for it in desk.push()["changes"]} == {"NEW"}
    assert {it["booking_key"] for it in desk.push("--dry-run", "--backfill")["changes"]} == {"OLD"}
    assert {it["booking_key"] for it in desk.push("--backfill")["changes"]} == {"OLD"}
    assert desk.held() == [("NEW", at(10)), ("OLD", at(9))]


def test_a_refused_password_is_status_5_and_entries_wait(desk, exchange):
    desk.take(booking("B1", at(9)))
    exchange.control("POST", "/password", {"email": exchange.email, "password": "another one by the admin"})

    result = desk.home.call("push", "--json").ended(5)

    told = result.json
    assert (told["status"], told["reason"]) == ("refused", "logon_refused")
    assert {(it["outcome"], it["reason"]) for it in told["changes"]} == {("failed", "logon_refused")}
    assert f"busytime connect {exchange.email}" in told["message"]
    assert "Refused" in result.err
    assert desk.states() == {"B1": "waiting_for_log_on"}
    again = desk.home.call("push").ended(5)  # the breaker is open, and nothing is asked
    assert "B1" in again.out
    status = spared(desk.home.call("status").ended(3).out)
    assert "2 waits for a log-on" in status


def test_without_a_connection_a_push_is_status_5_and_says_how_to_connect(home, person):
    home.take_roster(pages=["  - name: talk", f"    main: {person()}"]).ended(0)
    result = home.call("push", "--json").ended(5)
    assert "busytime connect EMAIL" in result.err


def test_status_counts_entries_and_says_where_to_look(desk, exchange):
    assert desk.home.call("status", "--json").json["entries"] == {}
    book(exchange, desk.main, at(9))
    desk.take(booking("B1", at(9)), booking("B2", at(10)))
    desk.push(status=3)
    result = desk.home.call("status", "--json").ended(3)
    assert result.json["entries"] == {"conflict": 2, "present": 2}
    text = spared(desk.home.call("status").ended(3).out)
    assert "Entries: 2 in the calendar, 2 conflict." in text
    assert "busytime bookings list" in text


def test_a_server_that_answers_nobody_is_status_1_and_the_next_push_goes_on(desk, exchange):
    desk.take(booking("B1", at(9)))
    exchange.control("POST", "/faults", {"kind": "http_503", "operation": "*"})

    result = desk.home.call("push", "--json").ended(1)

    told = result.json
    assert (told["status"], told["reason"]) == ("failed", "server_unreachable")
    assert {(it["outcome"], it["reason"]) for it in told["changes"]} == {("failed", "server_unreachable")}
    assert "Failed" in result.err
    exchange.control("DELETE", "/faults")
    assert {it["outcome"] for it in desk.push()["changes"]} == {"applied"}
    assert desk.held() == [("B1", at(9))]
