"""Calendars that are not as the roster says, and probes that are killed: each a verdict with a reason, none ends the run."""

from __future__ import annotations

import csv
import signal
from urllib.parse import quote

import pytest

from busytime.folder_path import FolderPath
from tests.flows.harness import book, eventually, spared
from tests.flows.permitting import grant, page, revoke, tomorrow, validate, verdicts
from tests.unit.advice.powershell_reader import parse_script_rows

HOSTILE = [
    "O'Brien's",
    '"; DROP TABLE calendars; --',
    "Q1/Q2 \\ Q3",
    "\u2018\u2019 \u00dcbersicht \u65e5\u7a0b",
    "<b>&amp;",
    "Really?2",
    "[bold red]x[/]",
    "[/x]",
    "..",
]


@pytest.fixture
def connected(home):
    """Connect once a roster is there."""

    def take(*calendars, pages=()):
        home.take_roster(*calendars, pages=pages).ended(0)
        home.connect().ended(0)

    return take


def make(exchange, owner, folder):
    return exchange.control("POST", "/calendars", {"owner": owner, "folder": folder})["id"]


def test_every_strange_calendar_has_a_verdict_and_a_reason_and_costs_no_other_one(home, exchange, person, connected):
    good, bare, group, closed = person(), person(), person(), person()
    book(exchange, good, tomorrow(8))
    exchange.control("POST", "/mailbox", {"owner": bare, "kind": "no_calendar"})
    exchange.control("POST", "/mailbox", {"owner": group, "kind": "group", "members": [good]})
    revoke(exchange, closed)
    strange = {
        "nobody@corp.example": ("missing", "mailbox_not_found"),
        "someone@elsewhere.example": ("missing", "mailbox_not_found"),
        # The server fails to make up its busy time; that may pass, so it says nothing of rights.
        bare: ("unreachable", "mailbox_unavailable"),
        group: ("missing", "is_a_group"),
        closed: ("pending", "grant_awaited"),
    }
    connected(good, *strange, f"{good}/Nowhere", pages=page("talk", good) + page("other", group))
    found = verdicts(validate(home, 3))
    assert found[good, "", "write"] == ("granted", None)
    assert found[good, "Nowhere", "read"] == ("pending", "grant_awaited")
    assert {owner: found[owner, "", "read"] for owner in strange} == strange
    assert found[group, "", "write"] == ("missing", "is_a_group")
    home.more["COLUMNS"] = "200"
    shown = home.call("validate").ended(3)
    assert all(owner in shown.out for owner in strange)


def test_group_as_a_delegate_counts_as_the_right_it_gives(home, exchange, person, connected):
    owner = person()
    book(exchange, owner, tomorrow(8))
    # The connection owes its level to a group: the list does not name it, and the rights on items tell.
    grant(exchange, owner, "None", everybody="Editor")
    connected(owner, pages=page("talk", owner))
    assert verdicts(validate(home, 0))[owner, "", "write"] == ("granted", None)


def named(home, exchange, owner, *names):
    """Make calendars of any names, each `main` on a page; return their paths."""
    for name in names:
        assert make(exchange, owner, "Tame")
        exchange.control("PATCH", "/calendars", {"owner": owner, "folder": "Tame", "name": name})
    paths = [str(FolderPath(steps=((name, 1),))) for name in names]
    file = home.directory / "roster.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        rows = [[f"talk{number}", "main", owner, path] for number, path in enumerate(paths)]
        csv.writer(stream).writerows([["page", "role", "owner", "folder"], *rows])
    home.call("roster", "import", str(file)).ended(0)
    home.connect().ended(0)
    return paths


def test_hostile_name_is_only_a_name(home, exchange, person):
    owner = person()
    paths = named(home, exchange, owner, *HOSTILE)
    expected = {"read": ("granted", None), "write": ("unproven", "not_proven")}
    assert verdicts(validate(home, 3)) == {(owner, path, need): expected[need] for path in paths for need in expected}
    home.more["COLUMNS"] = "200"
    shown = home.call("validate").ended(3).out
    assert [path for path in paths if f"{owner}/{path}" not in shown] == []
    home.call("advise", "--out", str(home.directory / "advice")).ended(0)
    script = (home.directory / "advice" / "grant-permissions.ps1").read_bytes().decode("utf-8-sig")
    assert {row.steps for row in parse_script_rows(script)} == {((name, 1),) for name in HOSTILE}


def test_line_break_in_a_name_is_shown_as_none_and_kept_out_of_the_script(home, exchange, person):
    owner = person()
    [path] = named(home, exchange, owner, "Pro\njects")
    assert verdicts(validate(home, 3))[owner, path, "read"] == ("granted", None)
    home.more["COLUMNS"] = "200"
    assert f"{owner}/Pro\ufffdjects" in home.call("validate").ended(3).out
    told = home.call("advise", "--out", str(home.directory / "advice")).ended(3).err
    assert "U+000A" in told
    script = (home.directory / "advice" / "grant-permissions.ps1").read_bytes().decode("utf-8-sig")
    assert parse_script_rows(script) == []


def test_two_folders_of_one_name_are_told_apart(home, exchange, person, connected):
    owner = person()
    make(exchange, owner, "Projects")
    second = make(exchange, owner, "Other")
    exchange.control("PATCH", "/calendars", {"owner": owner, "folder": "Other", "name": "Projects"})
    assert second
    connected(f"{owner}/Projects", f"{owner}/Projects?2", f"{owner}/Projects?3")
    home.more["BUSYTIME_GRANT_GRACE_HOURS"] = "0"
    found = verdicts(validate(home, 3))
    assert found[owner, "Projects", "read"] == found[owner, "Projects?2", "read"] == ("granted", None)
    assert found[owner, "Projects?3", "read"] == ("missing", "folder_not_found")
    ids = home.query("SELECT COUNT(DISTINCT folder_id) FROM calendars WHERE folder_id IS NOT NULL")
    assert ids == [(2,)]


def test_renamed_and_moved_calendar_keeps_its_verdict_by_the_servers_id(home, exchange, person, connected):
    owner = person()
    make(exchange, owner, "Projects")
    make(exchange, owner, "Archive")
    connected(f"{owner}/Projects")
    validate(home, 0)
    change = {"owner": owner, "folder": "Projects", "name": "Plans", "parent": "Archive"}
    exchange.control("PATCH", "/calendars", change)
    assert verdicts(validate(home, 0)) == {(owner, "Projects", "read"): ("granted", None)}
    exchange.control("DELETE", "/calendars", {"owner": owner, "folder": "Archive/Plans"})
    assert verdicts(validate(home, 3)) == {(owner, "Projects", "read"): ("missing", "folder_not_found")}
    make(exchange, owner, "Projects")
    assert verdicts(validate(home, 0)) == {(owner, "Projects", "read"): ("granted", None)}


@pytest.mark.parametrize("operation", ["GetFolder", "FindItem", "GetItem", "GetUserAvailability"])
def test_mailbox_that_fails_in_the_middle_is_unreachable_and_alone_in_that(home, exchange, person, connected, operation):
    good, ill, hidden = person(), person(), person()
    for owner in (good, ill):
        book(exchange, owner, tomorrow(8))
    grant(exchange, hidden, "None")
    mailbox = hidden if operation == "GetUserAvailability" else ill
    connected(good, ill, hidden, pages=page("talk", good, hidden) + page("other", ill))
    exchange.control("POST", "/faults", {"kind": "sick_mailbox", "mailbox": mailbox, "operation": operation})
    found = verdicts(validate(home, 3))
    assert found[good, "", "write"] == ("granted", None)
    place = (mailbox, "", "read" if mailbox == hidden else "write")
    assert found[place][0] == "unreachable"
    assert [it for it, (verdict, _) in found.items() if verdict == "unreachable"] == (
        [(ill, "", "read"), place] if operation == "GetFolder" else [place]
    )


def leftovers(exchange, owner):
    window = f"start={quote('2019-01-01T00:00:00Z')}&end={quote('2021-01-01T00:00:00Z')}"
    return exchange.control("GET", f"/appointments?owner={owner}&folder=&{window}")


@pytest.mark.processes
def test_probe_that_was_killed_leaves_one_entry_that_the_next_probe_removes(home, exchange, person, connected):
    owner = person()
    connected(owner, pages=page("talk", owner))
    exchange.control("POST", "/faults", {"kind": "delay", "operation": "UpdateItem", "seconds": 20})
    process = home.start("validate", "--probe-write", "--json")
    eventually(lambda: leftovers(exchange, owner), "the probe made its entry")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    exchange.control("DELETE", "/faults")
    (left,) = leftovers(exchange, owner)
    assert (left["status"], left["booking_key"]) == ("Free", "probe")

    found = validate(home, 0, "--probe-write")

    assert found[owner, "", "write"]["evidence"] == "probe_write"
    assert leftovers(exchange, owner) == []
    assert "crashed" in home.run_statuses()


def test_lost_answer_to_a_probe_gives_no_verdict_and_the_next_probe_clears_up(home, exchange, person, connected):
    owner = person()
    connected(owner, pages=page("talk", owner))
    exchange.control("POST", "/faults", {"kind": "drop_after", "operation": "CreateItem", "count": 1})
    assert validate(home, 3, "--probe-write")[owner, "", "write"]["verdict"] == "unreachable"
    assert len(leftovers(exchange, owner)) == 1
    assert validate(home, 0, "--probe-write")[owner, "", "write"]["verdict"] == "granted"
    assert leftovers(exchange, owner) == []


def test_right_that_is_revoked_between_the_check_and_the_harvest_is_the_harvests_reason(home, exchange, person, connected):
    owner = person()
    connected(owner)
    validate(home, 0)
    revoke(exchange, owner)
    home.harvest().ended(3)
    assert home.coverage(owner)[:2] == ("unknown", "no_access")
    assert verdicts(validate(home, 3)) == {(owner, "", "read"): ("missing", "no_access")}


def test_group_that_a_validation_found_is_refused_by_name_and_line_at_the_next_import(home, exchange, person, connected):
    good, group = person(), person()
    exchange.control("POST", "/mailbox", {"owner": group, "kind": "group", "members": [good]})
    connected(good, group, pages=page("talk", good, group))
    validate(home, 3)
    refused = home.call("roster", "import", str(home.directory / "roster.yaml")).ended(2).err
    lines = (home.directory / "roster.yaml").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        assert (f"roster.yaml:{number}: {group} is a distribution list" in spared(refused)) is (group in line)
    connected(good, pages=page("talk", good))
    validate(home, 3)
    # It is no longer on the roster, so no verdict stands: the server is asked.
    home.take_roster(good, group).ended(2)
