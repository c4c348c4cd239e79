"""A personal connection beside the corporate one: who serves what, and how each goes on without the other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from busytime.connecting import connect, disconnect, find_connection
from busytime.model import ConnectionMode, Endpoint, Secret
from tests.flows.harness import MovedClock, Result, book, truth
from tests.flows.permitting import validate, verdicts
from tests.flows.pushing import Diary, at, booked, booking_page, slot

#: Longer than an answer counts.
LATER = timedelta(hours=1)


@dataclass
class Pair:
    """A home with two connections.

    Args:
        diary: The home; the dedicated mailbox is connected.
        eva: Has a password, connects by herself, and shares nothing with the dedicated mailbox.
        bo: Shares his default calendar with the dedicated mailbox, and `Projects` with Eva alone.
    """

    diary: Diary
    eva: str
    bo: str
    password: str = "Evas eigenes Kennwort, 4711"

    @property
    def hers(self) -> list[str]:
        """The calendars that her connection serves."""
        return [self.eva, f"{self.eva}/Choir", f"{self.bo}/Projects"]

    def permit(self, owner: str, folder: str, grantee: str, level: str) -> None:
        order = {"owner": owner, "folder": folder, "grantee": grantee, "level": level}
        self.diary.exchange.control("POST", "/permission", order)

    def share_alone(self, owner: str, folder: str, grantee: str, level: str) -> None:
        """Take everybody's rights in a calendar away, but one person's."""
        for other in (self.diary.exchange.email, "Default"):
            self.permit(owner, folder, other, "None")
        if grantee != owner:
            self.permit(owner, folder, grantee, level)

    def change_password(self, password: str) -> None:
        self.diary.exchange.control("POST", "/password", {"email": self.eva, "password": password})

    def connect(self, password: str | None = None) -> None:
        """Let Eva connect."""
        exchange = self.diary.exchange
        endpoint = Endpoint(self.eva, exchange.ews_url, ca_pem=Path(exchange.ca_file).read_text(encoding="ascii"))
        secret = Secret(self.eva, password or self.password)
        with self.diary.home.inside():
            from tasks.workspace import workspace

            office = workspace()
            connect(office.desk, endpoint, secret, ConnectionMode.PERSONAL, lambda: office.open_gateway(endpoint, secret))

    def disconnect(self) -> None:
        """End Eva's connection."""
        with self.diary.home.inside():
            from tasks.workspace import workspace

            desk = workspace().desk
            disconnect(desk, find_connection(desk, self.eva))

    def roster(self, *pages: list[str]) -> Result:
        """Import the calendars of both, Bo's shared one by Eva's connection."""
        lines = ["calendars:"]
        for owner, folder, through in (
            (self.eva, "", ""),
            (self.eva, "Choir", ""),
            (self.bo, "", ""),
            (self.bo, "Projects", "x"),
        ):
            lines += [f"  - owner: {owner}"] + ([f"    folder: {folder}"] if folder else [])
            lines += [f"    connection: {self.eva}"] if through else []
        lines += ["booking_pages:", *(line for page in pages for line in page)] if pages else []
        file = self.diary.home.directory / "roster.yaml"
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return self.diary.home.call("roster", "import", str(file)).ended(0)

    def serving(self) -> dict[str, str | None]:
        """Return by calendar the account whose connection serves it."""
        rows = self.diary.home.query(
            "SELECT o.address, c.folder, a.address FROM calendars c JOIN owners o ON o.id = c.owner_id "
            "LEFT JOIN connections x ON x.id = c.connection_id LEFT JOIN owners a ON a.id = x.owner_id"
        )
        return {f"{owner}/{folder}".rstrip("/"): account for owner, folder, account in rows}

    def callers(self, since: int) -> dict[str, set[str]]:
        """Return who looked at or wrote into each mailbox since then."""
        found: dict[str, set[str]] = {}
        for entry in self.diary.exchange.log(since):
            for mailbox in entry["mailboxes"]:
                found.setdefault(mailbox, set()).add(entry["caller"])
        return found


@pytest.fixture
def pair(diary: Diary) -> Pair:
    pair = Pair(diary, diary.person(), diary.person())
    for owner, folder in ((pair.eva, "Choir"), (pair.bo, "Projects")):
        diary.exchange.control("POST", "/calendars", {"owner": owner, "folder": folder})
    pair.share_alone(pair.eva, "", pair.eva, "Owner")
    pair.share_alone(pair.eva, "Choir", pair.eva, "Owner")
    pair.share_alone(pair.bo, "Projects", pair.eva, "Editor")
    pair.change_password(pair.password)
    pair.connect()
    return pair


def test_each_calendar_is_served_by_the_connection_that_the_roster_or_its_owner_says(pair):
    pair.roster()
    assert pair.serving() == {**dict.fromkeys(pair.hers, pair.eva), pair.bo: pair.diary.exchange.email}


def test_both_connections_discover_what_is_shared_with_them(pair):
    pair.roster()
    pair.permit(pair.bo, "", pair.eva, "Reviewer")
    for folder in ("Golf", "Chess"):
        pair.diary.exchange.control("POST", "/calendars", {"owner": pair.bo, "folder": folder})
        pair.permit(pair.bo, folder, pair.diary.exchange.email, "Reviewer")
        pair.permit(pair.bo, folder, pair.eva, "None")  # a new folder takes after the one above it
    since = pair.diary.mark()

    for _ in range(2):
        pair.diary.home.call("discover", "--json").ended(0)

    assert pair.callers(since)[pair.eva] == {pair.eva}
    assert pair.callers(since)[pair.bo] == {pair.eva, pair.diary.exchange.email}
    found = pair.diary.home.query(
        "SELECT folder, missing_since FROM calendars c JOIN owners o ON o.id = c.owner_id WHERE o.address = :bo", bo=pair.bo
    )
    assert sorted((folder, missing) for folder, missing in found) == [
        ("", None),
        ("Chess", None),
        ("Golf", None),
        ("Projects", None),
    ]
    assert pair.serving()[f"{pair.bo}/Golf"] == pair.diary.exchange.email


def test_a_harvest_reads_each_calendar_through_its_connection(pair):
    pair.roster()
    for number, (owner, folder) in enumerate(((pair.eva, ""), (pair.eva, "Choir"), (pair.bo, ""), (pair.bo, "Projects"))):
        book(pair.diary.exchange, owner, at(9 + number), folder=folder)
    since = pair.diary.mark()

    pair.diary.home.harvest().ended(0)

    for owner, folder in ((pair.eva, ""), (pair.eva, "Choir"), (pair.bo, ""), (pair.bo, "Projects")):
        assert pair.diary.home.stored(owner, folder) == truth(pair.diary.exchange, owner, folder)
    assert pair.callers(since)[pair.eva] == {pair.eva}
    assert pair.callers(since)[pair.bo] == {pair.eva, pair.diary.exchange.email}


def test_a_person_owns_her_calendars_and_edits_a_shared_one(pair):
    pair.roster(booking_page(pair.eva, [f"{pair.eva}/Choir", f"{pair.bo}/Projects"], [pair.bo]))
    book(pair.diary.exchange, pair.bo, at(9), folder="Projects")  # an Editor is told from an Author by what others made
    found = validate(pair.diary.home, 0)
    assert set(verdicts(found).values()) == {("granted", None)}
    levels = {(it["owner"], it["folder"]): (it["observed"], it["evidence"]) for it in found.values() if it["need"] == "write"}
    assert levels[pair.eva, ""] == levels[pair.eva, "Choir"] == ("Owner", "folder_rights")
    assert (pair.bo, "Projects") in levels


def test_one_push_fills_a_page_whose_calendars_two_connections_serve(pair):
    diary = pair.diary
    pair.roster(booking_page(pair.eva, [pair.bo, f"{pair.bo}/Projects"], [pair.bo]))
    book(diary.exchange, pair.bo, at(9))
    diary.take(booked("TAKEN", at(9)), booked("FREE", at(11)))
    since = diary.mark()

    pushed = diary.push()

    assert pushed.status == "completed_with_failures"
    assert pushed.changes["TAKEN", pair.eva][1:] == ("conflict", "slot_taken"), "the other connection saw that Bo is busy"
    for calendar in (pair.eva, pair.bo, f"{pair.bo}/Projects"):
        assert diary.ours(calendar) == {"FREE": slot(at(11))}
    writers = {(it["caller"], *it["mailboxes"]) for it in diary.exchange.log(since) if it["operation"] == "CreateItem"}
    assert writers == {(pair.eva, pair.eva), (pair.eva, pair.bo), (diary.exchange.email, pair.bo)}


def test_bookings_from_before_her_connection_stay_out_of_her_calendars(pair):
    pair.disconnect()
    pair.roster(booking_page(pair.bo, [f"{pair.bo}/Projects"]), booking_page(pair.eva, name="hers"))
    pair.diary.take(
        booked("OLD", at(9), booked_at=datetime.now(UTC)), booked("HERS", at(10), page="hers", booked_at=datetime.now(UTC))
    )
    pair.connect()
    pair.diary.take(booked("NEW", at(12), page="hers"))
    pair.diary.push()
    assert pair.diary.ours(pair.bo) == {"OLD": slot(at(9))}
    assert pair.diary.ours(f"{pair.bo}/Projects") == {}
    assert pair.diary.ours(pair.eva) == {"NEW": slot(at(12))}


@pytest.fixture
def locked_out(pair: Pair, clock: MovedClock) -> Pair:
    """Her password has changed since all was harvested, and a booking waits for her calendar and for Bo's."""
    pair.roster(booking_page(pair.eva, name="hers"), booking_page(pair.bo, [f"{pair.bo}/Projects"]))
    pair.diary.home.harvest().ended(0)
    validate(pair.diary.home, 3)
    pair.change_password("another one, that only she knows")
    pair.diary.take(booked("HERS", at(9), page="hers"), booked("HIS", at(11)))
    clock.offset = LATER
    return pair


def test_her_changed_password_stops_her_calendars_alone(locked_out, clock):
    pair, home = locked_out, locked_out.diary.home

    first = home.harvest(clock=clock).ended(3).json

    assert (first["status"], first["reason"]) == ("completed_with_failures", "logon_refused")
    assert pair.eva in first["message"]
    assert first["calendars"] == {"known": 1, "unknown": 3}
    failed = {f"{it['owner']}/{it['folder']}".rstrip("/"): it["reason"] for it in first["failed"]}
    assert failed == dict.fromkeys(pair.hers, "logon_refused")
    shown = home.call("status", clock=clock).ended(3)
    assert "STOPPED" in shown.out
    assert f"{pair.eva}: The server refuses" in shown.out
    status = home.call("status", "--json", clock=clock).ended(3).json
    assert {it["email"]: (it["mode"], it["breaker"]) for it in status["connections"]} == {
        pair.eva: ("personal", "open"),
        pair.diary.exchange.email: ("corporate", "closed"),
    }
    assert status["coverage"] == {"known": 1, "unknown": 3}
    told = home.call("harvest", clock=clock).ended(3)
    assert "busytime password" in told.err
    assert home.run_statuses()[-2:] == ["completed_with_failures"] * 2


def test_entries_wait_for_her_log_on_and_others_are_made(locked_out):
    pair, diary = locked_out, locked_out.diary

    pushed = diary.push()

    assert pushed.status == "completed_with_failures"
    assert diary.entries() == {
        ("HERS", pair.eva): ("waiting_for_log_on", "logon_refused"),
        ("HIS", pair.bo): ("present", None),
        ("HIS", f"{pair.bo}/Projects"): ("waiting_for_log_on", "logon_refused"),
    }
    pair.connect("another one, that only she knows")
    assert diary.push().status == "completed"
    assert {state for state, _ in diary.entries().values()} == {"present"}


def test_validation_and_discovery_go_on_without_her(locked_out):
    home = locked_out.diary.home
    validated = home.call("validate", "--json").ended(3).json
    assert (validated["status"], validated["reason"]) == ("completed_with_failures", "logon_refused")
    assert {it["owner"] for it in validated["permissions"]} == {locked_out.bo}
    discovered = home.call("discover", "--json").ended(3).json
    assert (discovered["status"], discovered["reason"]) == ("completed_with_failures", "breaker_open")


def test_no_log_on_at_all_is_refused(locked_out):
    exchange = locked_out.diary.exchange
    exchange.control("POST", "/password", {"email": exchange.email, "password": "changed, too"})
    home = locked_out.diary.home
    for command in ("harvest", "validate", "discover", "push"):
        assert home.call(command, "--json").ended(5).json["status"] == "refused"


def test_a_password_that_changes_midway_ends_her_part_alone(pair):
    """Both logged on; then her first reading is refused."""
    pair.roster()
    exchange = pair.diary.exchange
    pair.diary.home.more["BUSYTIME_BATCH_SIZE"] = "1"
    exchange.control("POST", "/faults", {"kind": "http_401", "operation": "GetUserAvailability", "mailbox": pair.eva})
    printed = pair.diary.home.harvest().ended(3).json
    assert (printed["status"], printed["reason"]) == ("completed_with_failures", "logon_refused")
    assert pair.diary.home.coverage(pair.bo)[0] == "covered"


def test_without_her_the_corporate_connection_serves_her_own_calendars(pair):
    diary, home = pair.diary, pair.diary.home
    pair.roster(booking_page(pair.eva, name="hers"), booking_page(pair.bo, [f"{pair.bo}/Projects"]))
    validate(home, 3)
    home.harvest().ended(0)
    pair.disconnect()
    assert pair.serving() == {
        **dict.fromkeys((pair.eva, f"{pair.eva}/Choir", pair.bo), diary.exchange.email),
        f"{pair.bo}/Projects": None,
    }
    told = verdicts(validate(home, 3))
    assert told[pair.eva, "", "write"][0] in {"missing", "pending"}, "what she was granted counts no more"
    assert told[pair.bo, "Projects", "write"] == ("unreachable", "no_connection")
    harvested: Any = home.harvest().ended(3).json
    failed = {f"{it['owner']}/{it['folder']}".rstrip("/"): it["reason"] for it in harvested["failed"]}
    assert failed[f"{pair.bo}/Projects"] == "no_connection"
    assert pair.bo not in failed
    diary.take(booked("HERS", at(9), page="hers"), booked("HIS", at(11)))
    diary.push()
    entries = diary.entries()
    assert entries["HIS", pair.bo] == ("present", None)
    assert entries["HIS", f"{pair.bo}/Projects"] == ("waiting_for_log_on", "no_connection")
    assert entries["HERS", pair.eva][0] == "blocked"

    for folder in ("", "Choir"):
        pair.permit(pair.eva, folder, diary.exchange.email, "Editor")
    book(diary.exchange, pair.eva, at(20))
    assert verdicts(validate(home, 3))[pair.eva, "", "write"] == ("granted", None)
    assert diary.push().changes["HERS", pair.eva][1] == "applied"
