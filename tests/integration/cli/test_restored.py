"""A database that was restored from a backup: every command says so, and nothing is entered twice.

Here the machine was rolled back as a whole, its memory of the database included, so that only calendars give it away.
"""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from sqlite3 import connect

import pytest

from tests.flows.harness import MovedClock, spared
from tests.integration.cli.booking_desk import BookingDesk, at, booking


@pytest.fixture
def desk(home, person):
    """A page with a main and an additional calendar, and one entry in each."""
    desk = BookingDesk(home, person(), person()).open()
    desk.take(booking("B1", at(9)))
    desk.push()
    return desk


def copy(source, target):
    """Copy a database as a backup program does, all that lies in its write-ahead log included."""
    with closing(connect(source)) as old, closing(connect(target)) as new:
        old.backup(new)


@pytest.fixture
def restored(desk):
    """The same with a backup from before B1 was moved and B2 was entered, put back."""
    stored, backup = desk.home.path / "busytime.db", desk.home.directory / "backup.db"
    remembered = (desk.home.path / "busytime.db.place").read_text()
    copy(stored, backup)
    desk.take(booking("B1", at(11), revision=2), booking("B2", at(13)))
    assert {it["outcome"] for it in desk.push()["changes"]} == {"applied"}
    for name in ("busytime.db", "busytime.db-wal", "busytime.db-shm"):
        (desk.home.path / name).unlink(missing_ok=True)
    copy(backup, stored)
    (desk.home.path / "busytime.db.place").write_text(remembered)
    return desk


def test_a_push_that_meets_a_forgotten_entry_is_status_4_and_writes_nothing(restored):
    desk = restored
    held = desk.held()
    desk.take(booking("B3", at(13)))  # where B2 lies, of which these tables know nothing

    result = desk.home.call("push", "--json").ended(4)

    assert (result.json["status"], result.json["reason"]) == ("refused", "database_restored")
    assert f"busytime resync {'EMAIL'} --adopt" in result.json["message"]
    assert "Refused" in result.err
    assert desk.held() == held
    assert [row[0] for row in desk.home.query("SELECT status FROM audit_runs ORDER BY id DESC LIMIT 1")] == ["refused"]


def test_from_then_on_push_dry_run_and_status_say_so_and_nothing_is_sent(restored):
    desk = restored
    desk.take(booking("B3", at(13)))
    desk.push(status=4)
    before = desk.requests()

    told = desk.push(status=4)
    dry = desk.home.call("push", "--dry-run", "--json").ended(4)
    shown = desk.home.call("push", "--dry-run").ended(4)
    status = desk.home.call("status").ended(3)

    assert (told["status"], told["reason"], told["changes"]) == ("refused", "database_restored", [])
    assert (dry.json["status"], dry.json["reason"], dry.json["changes"]) == ("refused", "database_restored", [])
    for text in (told["message"], dry.err, shown.err):
        assert "was restored from a backup" in spared(text)
        assert "--adopt" in text
    assert shown.out == ""
    first = spared(status.out)
    assert first.startswith("RESTORED")
    assert f"busytime resync {desk.home.exchange.email} --adopt" in first
    assert desk.home.call("status", "--json").json["restored_at"] is not None
    assert desk.requests() == before


def test_a_harvest_that_meets_a_forgotten_entry_is_status_4(restored):
    clock = MovedClock()
    clock.offset = timedelta(hours=2)  # what was read back within the hour is believed
    result = restored.home.call("harvest", "--json", clock=clock).ended(4)
    assert (result.json["status"], result.json["reason"]) == ("refused", "database_restored")
    assert "--adopt" in result.json["message"]


def test_after_adopting_nothing_is_entered_twice(restored):
    desk, exchange = restored, restored.home.exchange
    desk.take(booking("B3", at(13)))
    desk.push(status=4)

    adopted = desk.home.call("resync", exchange.email, "--adopt", "--json").ended(0).json

    assert adopted == {"run_id": adopted["run_id"], "status": "completed", "adopted": 4, "silent": []}
    assert desk.home.call("status", "--json").json["restored_at"] is None
    # The guests' bookings come again: B1 is at its second revision in the calendars already, B2 is there.
    desk.take(booking("B1", at(11), revision=2), booking("B2", at(13)))
    told = desk.push(status=3)
    outcomes = {(it["booking_key"], it["outcome"]) for it in told["changes"]}
    assert ("B3", "conflict") in outcomes
    assert {outcome for key, outcome in outcomes if key != "B3"} <= {"already_applied"}
    for owner in (desk.main, desk.additional):
        assert desk.held(owner) == [("B1", at(11)), ("B2", at(13))]


def test_an_adoption_in_which_a_calendar_does_not_tell_is_status_3_and_pushes_stay_closed(restored, exchange):
    desk = restored
    desk.take(booking("B3", at(13)))
    desk.push(status=4)
    place = {"owner": desk.additional, "folder": ""}
    for grantee in (exchange.email, "Default"):
        exchange.control("POST", "/permission", place | {"grantee": grantee, "level": "None"})

    result = desk.home.call("resync", exchange.email, "--adopt").ended(3)

    text = spared(result.out)
    for word in ("2 entries taken over", "1 calendar did not tell", desk.additional, "busytime validate"):
        assert word in text
    assert desk.push(status=4)["reason"] == "database_restored"


def test_a_resync_needs_a_connected_mailbox(home, exchange):
    for options in (["--adopt", "--json"], ["--same-password"], []):
        refused = home.call("resync", exchange.email, *options).ended(5)
        assert (refused.out, f"busytime connect {exchange.email}" in refused.err) == ("", True)
    assert home.call("resync", "not an address", "--adopt").ended(2).out == ""
