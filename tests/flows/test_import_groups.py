"""Distribution lists in a roster file: the server is asked about new owners alone, and an import never waits for it."""

from __future__ import annotations

import pytest

from tests.flows.harness import Home, spared
from tests.flows.permitting import page
from tests.sandbox_fixture import running_sandbox

WARNING = "Distribution lists were not looked for"


@pytest.fixture
def group(exchange, person):
    address = person()
    exchange.control("POST", "/mailbox", {"owner": address, "kind": "group", "members": [person()]})
    return address


@pytest.fixture
def asked(exchange):
    """Return what the server was asked since the last time: operations, whom each was about, and refused log-ons."""
    at = [entry["n"] for entry in exchange.log()[-1:]] or [0]

    def asked():
        entries = exchange.log(at[0])
        at[0] = entries[-1]["n"] if entries else at[0]
        return [entry["operation"] for entry in entries], sum(entry["refused_logon"] for entry in entries)

    return asked


def roster_rows(home):
    return home.query("SELECT count(*) FROM calendars WHERE added_at IS NOT NULL AND retired_at IS NULL")[0][0]


def test_list_is_refused_with_each_of_its_lines_and_nothing_is_stored(home, person, group):
    home.connect().ended(0)
    main = person()
    refused = home.take_roster(main, group, pages=page("talk", main, group)).ended(2)
    assert refused.out == ""
    lines = (home.directory / "roster.yaml").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        assert (f"roster.yaml:{number}: {group} is a distribution list" in spared(refused.err)) is (group in line)
    assert "2 faults" in refused.err
    assert roster_rows(home) == 0
    assert home.query("SELECT * FROM booking_pages") == []
    home.take_roster(main, pages=page("talk", main)).ended(0)


def test_new_owners_are_asked_about_once_after_one_log_on(home, person, asked):
    home.connect().ended(0)
    first, second = person(), person()
    asked()
    assert WARNING not in home.take_roster(first).ended(0).err
    assert asked() == (["GetFolder", "ResolveNames"], 0)
    home.take_roster(first).ended(0)
    home.take_roster(f"{first}/Projects", pages=page("talk", first)).ended(0)
    assert asked() == ([], 0)
    home.take_roster(first, second).ended(0)
    assert asked() == (["GetFolder", "ResolveNames"], 0)
    assert home.query('SELECT "by", answer, run_id FROM logons')[1:] == [("machine", "accepted", None)] * 2
    assert home.query("SELECT * FROM runs") == []


def test_list_that_left_the_roster_is_asked_about_again(home, person, group):
    good = person()
    home.take_roster(good, group).ended(0)
    home.take_roster(good).ended(0)
    home.connect().ended(0)
    assert f"{group} is a distribution list" in spared(home.take_roster(good, group).ended(2).err)


def test_owner_of_another_organisation_is_not_asked_about(home, exchange, person, asked):
    own = person()
    foreign = f"ida.{own}".replace("corp.example", "partner.example")
    home.connect().ended(0)
    home.take_roster(own).ended(0)
    exchange.control("POST", "/invitations", {"from": foreign, "folder": "Calendar"})
    home.call("discover", "--accept-from", "partner.example").ended(0)
    asked()
    home.take_roster(own, foreign).ended(0)
    assert asked() == ([], 0)


def test_without_a_connection_the_import_goes_on_and_says_so(home, group):
    taken = home.take_roster(group).ended(0)
    assert taken.json["calendars"]["added"] == 1
    assert f"{WARNING} among 1 new owner; `busytime validate` will tell. Why: No mailbox is connected." in spared(taken.err)
    assert WARNING not in home.take_roster(group).ended(0).err, "nobody in the file is new"


def test_refused_log_on_opens_the_breaker_and_the_next_import_sends_nothing(home, exchange, person, group, asked):
    home.connect().ended(0)
    exchange.control("POST", "/password", {"email": exchange.email, "password": "changed by the admin"})
    asked()
    taken = home.take_roster(group).ended(0)
    assert WARNING in spared(taken.err)
    assert "refused the log-on" in spared(taken.err)
    assert asked() == (["GetFolder"], 1)
    assert home.query('SELECT "by", answer FROM logons')[1:] == [("machine", "refused")]
    assert home.query("SELECT breaker FROM connections") == [("open",)]
    again = home.take_roster(group, person()).ended(0)
    assert "so nothing is sent" in spared(again.err)
    assert asked() == ([], 0)
    assert roster_rows(home) == 2


def test_log_on_refused_between_two_questions_is_counted(home, exchange, person):
    home.connect().ended(0)
    exchange.control("POST", "/faults", {"kind": "http_401", "operation": "ResolveNames", "share": 1.0, "count": 1})
    taken = home.take_roster(person(), person()).ended(0)
    assert f"{WARNING} among 2 new owners" in spared(taken.err)
    assert home.query('SELECT "by", answer FROM logons')[1:] == [("machine", "accepted"), ("machine", "refused")]
    assert home.query("SELECT breaker FROM connections") == [("open",)]


def test_list_that_was_found_before_the_server_stopped_answering_is_refused(home, exchange, person, group):
    home.connect().ended(0)
    later = f"z{person()}"
    exchange.control("POST", "/mailbox", {"owner": later, "kind": "person"})
    exchange.control("POST", "/faults", {"kind": "http_503", "operation": "ResolveNames", "share": 1.0, "mailbox": later})
    assert group in home.take_roster(group, later).ended(2).err


def test_pause_that_the_server_asks_for_is_kept_for_all_and_not_waited_for(home, exchange, person, asked):
    home.connect().ended(0)
    busy = {"kind": "server_busy", "operation": "*", "share": 1.0, "count": 1, "back_off_ms": 60_000}
    exchange.control("POST", "/faults", busy)
    owner = person()
    assert WARNING in spared(home.take_roster(owner).ended(0).err)
    asked()
    assert WARNING in spared(home.take_roster(owner, person()).ended(0).err)
    assert asked() == ([], 0)
    assert home.query("SELECT count(*) FROM connections WHERE back_off_until IS NOT NULL") == [(1,)]


def test_server_that_is_down_stops_no_import(tmp_path):
    with running_sandbox("--owners", "1") as sandbox:
        home = Home(tmp_path / "home", sandbox, None)
        home.connect().ended(0)
    taken = home.take_roster("owner0001@corp.example", process=True).ended(0)
    assert taken.json["calendars"]["added"] == 1
    assert f"{WARNING} among 1 new owner; `busytime validate` will tell." in spared(taken.err)
