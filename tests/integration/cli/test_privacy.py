"""No password, subject or SOAP body anywhere: a failing harvest, a server that tells too much, and every file searched."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest

from tests.flows.harness import Home, appointments, book
from tests.integration.cli.booking_desk import BODY, GUEST, TITLE, BookingDesk, at, booking
from tests.integration.cli.booking_desk import PLACE as ROOM
from tests.integration.cli.searching import be_loud, disguises

pytestmark = pytest.mark.processes
#: Words that stand in no code and no package.
SUBJECT, PLACE = "Zwiebelturmbesichtigung", "Quarkkeulchenweg"
WRONG = "wrong/pässword+with ünusual=signs&4711"
SOAP = ("<s:Envelope", "<soap:Envelope", "FreeBusyResponseArray>", "<t:CalendarEvent", "<t:Subject>", "MailboxDataArray>")
READING = "GetUserAvailability"
OWNERS = [f"owner{number:04}@corp.example" for number in range(1, 7)]


@pytest.fixture
def talkative(home, exchange):
    """A server that sends details unasked, and six owners with something to hide."""
    exchange.control("POST", "/limits", {"send_details": True, "private_items": "visible"})
    exchange.control("POST", "/calendars", {"owner": OWNERS[0], "folder": "Projects"})
    day = datetime.combine(datetime.now(UTC).date() + timedelta(days=1), time(6), UTC)
    for folder, owner in [("", owner) for owner in OWNERS] + [("Projects", OWNERS[0])]:
        book(exchange, owner, day, folder=folder, subject=SUBJECT, location=PLACE)
    home.more |= {"BUSYTIME_BATCH_SIZE": "2", "BUSYTIME_REQUEST_DEADLINE_SECONDS": "2"}
    be_loud(home)
    yield home
    exchange.control("DELETE", "/calendars", {"owner": OWNERS[0], "folder": "Projects"})


@pytest.fixture
def booked(exchange):
    """Ids of appointments that the other tests on this server must not meet."""
    ids = []
    yield ids
    for item_id in ids:
        exchange.control("DELETE", f"/appointments/{item_id}")


def test_a_failing_harvest_writes_no_password_subject_or_soap_body_anywhere(talkative, exchange, prefect_home, booked):
    home = talkative
    results = [home.run("roster", "import", str(roster(home))), home.connect(WRONG, process=True), home.connect(process=True)]
    odd = book(exchange, OWNERS[5], datetime.now(UTC) + timedelta(days=2), minutes=-30, allow_inverted=True, subject=SUBJECT)
    booked.append(odd)
    for fault in ({"kind": "malformed", "count": 1}, {"kind": "sick_mailbox", "mailbox": OWNERS[2]}):
        exchange.control("POST", "/faults", {"operation": READING} | fault)
    exchange.control("POST", "/faults", {"operation": "FindItem", "kind": "malformed"})
    results.append(home.run("harvest", "--json"))
    exchange.control("DELETE", "/faults")
    exchange.control("POST", "/password", {"email": exchange.email, "password": "another one by the admin"})
    results += [home.run("harvest"), home.run("status"), home.run("roster", "list")]

    assert [it.status for it in results] == [0, 5, 0, 3, 5, 3, 0]
    assert {it["reason"] for it in results[3].json["failed"]} == {"ends_before_start", "server_error", "malformed_answer"}
    texts = {
        str(path): path.read_bytes() for where in (home.directory, prefect_home) for path in where.rglob("*") if path.is_file()
    }
    texts |= {f"output {number}": (it.out + it.err).encode() for number, it in enumerate(results)}
    assert_the_search_looks_where_it_should(home, texts)
    needles = {word.encode() for word in (*SOAP, SUBJECT, PLACE)} | {word.encode("utf-16-le") for word in (SUBJECT, PLACE)}
    for password in (WRONG, exchange.password):
        needles |= disguises(password).keys()
    assert [(name, needle) for name, text in texts.items() for needle in needles if needle in text] == []
    header = re.compile(rb"(?i)authorization['\"]?\s*[:=]\s*b?['\"]?basic")
    assert [name for name, text in texts.items() if header.search(text)] == []


def assert_the_search_looks_where_it_should(home: Home, texts: dict[str, bytes]) -> None:
    """Check that logs were as loud as they get, and that both databases are among what is searched."""
    assert {"busytime.db", "prefect.db", "debug.log", "server.log"} <= {Path(name).name for name in texts}
    assert b"DEBUG" in (home.directory / "debug.log").read_bytes()
    for (flow_run,) in home.query("SELECT prefect_flow_run_id FROM runs"):
        known = [flow_run.encode(), bytes.fromhex(flow_run.replace("-", ""))]
        assert [name for name, text in texts.items() if "prefect.db" in name and any(it in text for it in known)]


def roster(home: Home) -> Path:
    file = home.directory / "roster.yaml"
    lines = [f"  - owner: {owner}" for owner in OWNERS] + [f"  - owner: {OWNERS[0]}", "    folder: Projects"]
    file.write_text("calendars:\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return file


@pytest.fixture
def desk(talkative, person):
    """A page whose entries are pushed while everything is logged."""
    return BookingDesk(talkative, person(), person()).open()


@pytest.mark.long
def test_what_guests_write_stands_in_bookings_and_in_calendars_alone(desk, exchange, prefect_home):
    home, times = desk.home, [at(9 + number) for number in range(4)]
    book(exchange, desk.main, times[3], subject=SUBJECT)
    results = [desk.take(*(booking(f"B{number}", start) for number, start in enumerate(times)))]
    for kind in ("drop_after", "malformed", "http_503"):
        exchange.control("POST", "/faults", {"kind": kind, "operation": "CreateItem", "count": 1})
    results += [home.run("push", "--dry-run"), home.run("push", "--json")]
    exchange.control("DELETE", "/faults")
    desk.take(booking("B0", at(14), revision=2))
    exchange.control("POST", "/faults", {"kind": "malformed", "operation": "UpdateItem", "count": 1})
    results += [home.run("push"), home.run("bookings", "list"), home.run("bookings", "list", "--json"), home.run("harvest")]

    assert [it.status for it in results] == [0, 0, 3, 3, 3, 3, 0], [it.err[-300:] for it in results]
    assert desk.held() == [("B0", at(14)), ("B1", times[1]), ("B2", times[2])]
    assert {item["subject"] for item in held(exchange, desk.main)} == {TITLE}
    written = {word.encode() for word in (TITLE, ROOM, BODY, GUEST)} | {TITLE.encode("utf-16-le"), TITLE.encode("unicode_escape")}
    places = [path for where in (home.directory, prefect_home) for path in where.rglob("*") if path.is_file()]
    own = {"busytime.db", "busytime.db-wal", "bookings.jsonl"}
    texts = {str(path): path.read_bytes() for path in places if path.name not in own}
    assert {"prefect.db", "debug.log", "server.log"} <= {Path(name).name for name in texts}
    assert b"DEBUG" in (home.directory / "debug.log").read_bytes()
    texts |= {f"output {number}": (it.out + it.err).encode() for number, it in enumerate(results)}
    tables = desk.tables()
    assert TITLE in str(tables.pop("bookings"))
    views = [name for (name,) in home.query("SELECT name FROM sqlite_master WHERE type = 'view'")]
    assert "audit_bookings" in views
    texts |= {name: str(rows).encode() for name, rows in tables.items()}
    texts |= {name: str(home.query(f'SELECT * FROM "{name}"')).encode() for name in views}  # noqa: S608 -- its own views
    assert [(name, word) for name, text in texts.items() for word in written if word in text] == []


def held(exchange, owner):
    return [item for item in appointments(exchange, owner) if item["booking_key"]]


def test_the_password_is_stored_sealed_and_in_a_file_of_the_owner_alone(home, exchange):
    home.take_roster(OWNERS[0]).ended(0)
    home.connect().ended(0)
    ((ciphertext, wrapped),) = home.query("SELECT ciphertext, wrapped_key FROM credentials")
    assert ciphertext
    assert wrapped
    for form in disguises(exchange.password):
        assert form not in ciphertext + wrapped
    assert "password" not in str(home.query("SELECT * FROM events")).lower()
