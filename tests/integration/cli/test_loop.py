"""The whole loop by commands, each a process of its own, as a person or a scheduler runs them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from tests.flows.harness import Home, appointments, book, truth, usual_window
from tests.sandbox_fixture import running_sandbox

pytestmark = pytest.mark.processes
OWNERS = [f"owner{number:04}@corp.example" for number in range(1, 9)]
ZONE = ZoneInfo("America/New_York")
PAGE = [
    "  - name: intro-call",
    f"    time_zone: {ZONE.key}",
    '    hours: "08:00-18:00"',
    f"    main: {OWNERS[0]}",
    f"    additional: [{OWNERS[1]}]",
    f"    busy: [{OWNERS[2]}, {OWNERS[2]}/Projects]",
]


@pytest.fixture(scope="module")
def loop(tmp_path_factory, prefect_api):
    """Everything once, in the order of the README, with what each command came to."""
    with running_sandbox("--owners", "8", "--seed", "3") as exchange:
        home = Home(tmp_path_factory.mktemp("loop") / "home", exchange, prefect_api)
        exchange.control("POST", "/calendars", {"owner": OWNERS[2], "folder": "Projects"})
        start, end = usual_window()
        # A window that does not move at midnight, for the harvests that must change nothing.
        window = ("--from", f"{start:%Y-%m-%d}", "--to", f"{end:%Y-%m-%d}")
        day = start + timedelta(days=8)
        book(exchange, OWNERS[2], day.replace(hour=15), folder="Projects", status="Tentative")
        told = SimpleNamespace(home=home, exchange=exchange, day=day, before={})
        told.truth = lambda owner, folder="": truth(exchange, owner, folder, (start, end))
        told.imported = home.take_roster(*OWNERS, pages=PAGE, process=True)
        told.connected = home.connect(process=True)
        told.first = home.run("harvest", "--json", *window)
        told.second = home.run("harvest", "--json", *window)
        told.changes = change_three(exchange, day)
        told.before = {owner: home.stored(owner) for owner in OWNERS}
        told.third = home.run("harvest", *window)
        told.status = home.run("status", "--json")
        told.listed = home.run("roster", "list", "--json")
        free = ("free", "--page", "intro-call", "--from", f"{day:%Y-%m-%d}", "--to", f"{day + timedelta(days=5):%Y-%m-%d}")
        told.free = home.run(*free, "--duration", "30m", "--json")
        told.upgraded = home.run("db", "upgrade", "--json")
        yield told


def change_three(exchange, day) -> list[str]:
    """Let one owner move an appointment, one make one and one remove one; return the three."""
    mover, maker, remover = OWNERS[3], OWNERS[4], OWNERS[5]
    item = ordinary(exchange, mover)
    shown = {name: (datetime.fromisoformat(item[name]) + timedelta(minutes=7)).isoformat() for name in ("start", "end")}
    exchange.control("PATCH", f"/appointments/{item['id']}", shown)
    book(exchange, maker, day.replace(hour=4), minutes=11)
    exchange.control("DELETE", f"/appointments/{ordinary(exchange, remover)['id']}")
    return [mover, maker, remover]


def ordinary(exchange, owner):
    """Return a single appointment that takes a time which no other one of the owner's takes."""
    alone = {moment[:2] for moment, count in truth(exchange, owner).items() if count == 1}
    for item in appointments(exchange, owner):
        times = tuple(datetime.fromisoformat(item[name]) for name in ("start", "end"))
        if item["status"] == "Busy" and not item["is_recurring"] and not item["is_cancelled"] and times in alone:
            return item
    raise LookupError(owner)


def test_the_roster_import_says_what_it_took(loop):
    assert loop.imported.ended(0).json == {"calendars": {"added": 9, "kept": 0, "retired": 0}, "booking_pages": 1}


def test_connect_says_what_was_stored_and_nothing_of_the_password(loop):
    told = loop.connected.ended(0).json
    assert (told["email"], told["mode"], told["credential_version"]) == (loop.exchange.email, "corporate", 1)
    assert loop.exchange.password not in loop.connected.out + loop.connected.err


def test_a_harvest_prints_the_agreed_object_and_nothing_else(loop):
    told = loop.first.ended(0).json
    expected = sum(len(loop.truth(owner)) for owner in OWNERS)
    assert set(told) == {"run_id", "status", "calendars", "changes", "failed", "entries"}
    assert (told["status"], told["calendars"], told["failed"]) == ("completed", {"known": 9, "unknown": 0}, [])
    assert told["changes"]["closed"] == 0
    # One row of busy time each, give or take what was changed since, and one of coverage for each calendar.
    assert abs(told["changes"]["opened"] - expected - 9) <= 3
    assert loop.first.err == ""


def test_a_second_harvest_opens_and_closes_nothing(loop):
    assert loop.second.ended(0).json["changes"] == {"opened": 0, "closed": 0}


def test_what_an_owner_moved_made_or_removed_changes_exactly_these_rows(loop):
    assert "2 rows opened, 2 closed" in loop.third.ended(0).out
    rows = loop.home.query("SELECT DISTINCT owner FROM audit_busy_time WHERE closed_run_id = 3 OR opened_run_id = 3")
    assert sorted(owner for (owner,) in rows) == sorted(loop.changes)
    for owner in OWNERS:
        after = loop.home.stored(owner)
        gone, new = sum((loop.before[owner] - after).values()), sum((after - loop.before[owner]).values())
        assert (gone, new) == {loop.changes[0]: (1, 1), loop.changes[1]: (0, 1), loop.changes[2]: (1, 0)}.get(owner, (0, 0))


def test_what_is_stored_is_the_servers_truth(loop):
    for owner in OWNERS:
        assert loop.home.stored(owner) == loop.truth(owner)
    assert loop.home.stored(OWNERS[2], "Projects") == loop.truth(OWNERS[2], "Projects")


def test_free_slots_are_in_the_pages_zone_and_hours_and_overlap_nothing(loop):
    told = loop.free.ended(0).json
    assert set(told) >= {"page", "slots", "unknown"}
    assert (told["page"], told["unknown"]) == ("intro-call", [])
    slots = [tuple(datetime.fromisoformat(slot[name]) for name in ("start", "end")) for slot in told["slots"]]
    busy = [*loop.truth(OWNERS[0]), *loop.truth(OWNERS[2]), *loop.truth(OWNERS[2], "Projects")]
    assert slots
    for start, end in slots:
        assert end - start == timedelta(minutes=30)
        assert start.utcoffset() == start.replace(tzinfo=None).replace(tzinfo=ZONE).utcoffset()
        assert (start.hour, start.minute % 15) >= (8, 0)
        assert (end.hour, end.minute) <= (18, 0)
        assert not [it for it in busy if it[0] < end and it[1] > start]
    assert slots == sorted(set(slots))
    # None is left out: every quarter of an hour inside the hours is a slot or meets something.
    moment = loop.day.replace(tzinfo=ZONE).astimezone(UTC)
    offered = {start.astimezone(UTC) for start, _ in slots}
    while moment < (loop.day + timedelta(days=5)).replace(tzinfo=ZONE).astimezone(UTC):
        local, later = moment.astimezone(ZONE), moment + timedelta(minutes=30)
        inside = local.hour >= 8 and (local + timedelta(minutes=30)).strftime("%H:%M") <= "18:00" and local.hour < 18
        assert (moment in offered) == (inside and not [it for it in busy if it[0] < later and it[1] > moment])
        moment += timedelta(minutes=15)


def test_the_additional_calendar_of_a_page_is_not_read_for_its_slots(loop):
    starts = [datetime.fromisoformat(slot["start"]) for slot in loop.free.json["slots"]]
    other = loop.truth(OWNERS[1])
    assert [start for start in starts if any(it[0] <= start < it[1] for it in other)]


def test_status_shows_everything_in_the_agreed_shape(loop):
    told = loop.status.ended(0).json
    assert set(told) >= {"connections", "coverage", "permissions", "entries", "runs"}
    (connection,) = told["connections"]
    assert connection == {
        "email": loop.exchange.email,
        "mode": "corporate",
        "breaker": "closed",
        "credential_version": 1,
        "refused_logons": 0,
        "safe_after": None,
    }
    assert told["coverage"] == {"known": 9, "unknown": 0}
    assert [run["status"] for run in told["runs"]] == ["completed"] * 3
    assert told["runs"][0]["counts"] == {"known": 9, "unknown": 0, "opened": 2, "closed": 2, "failed": 0}


def test_the_roster_list_names_calendars_their_connection_and_pages(loop):
    told = loop.listed.ended(0).json
    assert set(told) == {"calendars", "booking_pages"}
    assert {(it["owner"], it["folder"], it["kind"]) for it in told["calendars"]} == {
        *((owner, "", "default") for owner in OWNERS),
        (OWNERS[2], "Projects", "sub"),
    }
    assert {it["connection"] for it in told["calendars"]} == {loop.exchange.email}
    (page,) = told["booking_pages"]
    assert (page["name"], page["main"], page["additional"]) == ("intro-call", OWNERS[0], [OWNERS[1]])
    assert page["busy"] == [OWNERS[2], f"{OWNERS[2]}/Projects"]


def test_db_upgrade_of_a_database_at_head_says_its_version(loop):
    ((version,),) = loop.home.query("SELECT version_num FROM alembic_version")
    assert loop.upgraded.ended(0).json == {"schema_version": version, "upgraded_from": None, "backup": None}


def test_every_run_notes_who_started_it_and_what_it_read(loop):
    rows = loop.home.query("SELECT flow, trigger, status, window_start, window_end FROM audit_runs ORDER BY id")
    assert {row[:3] for row in rows} == {("harvest_busy_time", "manual", "completed")}
    assert {row[3:] for row in rows} == {(rows[0][3], rows[0][4])}
    assert loop.home.query("SELECT count(*) FROM locks") == [(0,)]
