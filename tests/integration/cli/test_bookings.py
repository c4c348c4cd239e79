"""Bookings by the real command: what is taken in, what is refused and with which line, and where each stands."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from tests.flows.harness import Home, Result, spared

SECRETS = ("Zwiebelturm", "Quarkkeulchen", "Blaukraut", "Rapunzel")
SECRET = dict(zip(("title", "location", "body", "guests"), SECRETS, strict=True))
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).replace(hour=9, minute=0, second=0, microsecond=0)
PAGES = [
    "  - name: intro-call",
    "    time_zone: Europe/Berlin",
    "    main: owner0001@corp.example",
    "    additional: [owner0002@corp.example]",
    "  - name: talk",
    "    main: owner0003@corp.example",
]
DOCS = Path(__file__).resolve().parents[3] / "docs" / "bookings.md"


@pytest.fixture
def ready(home) -> Home:
    """A home with two booking pages."""
    home.take_roster("owner0001@corp.example", pages=PAGES).ended(0)
    return home


@pytest.fixture(params=["sqlite", "postgresql"])
def anywhere(home, request) -> Home:
    """The same on either database."""
    if request.param == "postgresql":
        server = request.getfixturevalue("postgresql")
        home.more["BUSYTIME_DATABASE_URL"] = server.url(server.create())
    home.take_roster("owner0001@corp.example", pages=PAGES).ended(0)
    return home


def line(key: str = "BK-1", **values: Any) -> dict[str, Any]:
    """Return a booking of tomorrow as a file writes it; `...` leaves a field out."""
    whole = {"key": key, "page": "intro-call", "start": TOMORROW.isoformat(), "state": "scheduled", "revision": 1}
    whole |= {"end": (TOMORROW + timedelta(minutes=30)).isoformat()} | SECRET | values
    return {name: value for name, value in whole.items() if value is not ...}


def take(home: Home, *lines: dict[str, Any] | str, as_json: bool = True) -> Result:
    """Import a file of these lines."""
    file = home.directory / "bookings.jsonl"
    file.write_text("\n".join(it if isinstance(it, str) else json.dumps(it) for it in lines), encoding="utf-8")
    return home.call("bookings", "import", str(file), *(["--json"] if as_json else []))


def rows(home: Home) -> list[Any]:
    return home.query("SELECT booking_key, revision, state FROM bookings ORDER BY booking_key, revision")


def listed(home: Home, *args: str, status: int = 0) -> dict[str, Any]:
    """Return what the list says, by booking key."""
    return {it["booking_key"]: it for it in home.call("bookings", "list", "--json", *args).ended(status).json["bookings"]}


def execute(home: Home, statement: str, **values: Any) -> None:
    """Let another program write into the home's database."""
    address = home.more.get("BUSYTIME_DATABASE_URL", f"sqlite:///{home.path / 'busytime.db'}")
    engine = create_engine(address.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(text(statement), values)
    engine.dispose()


def assert_nothing_leaks(*results: Result) -> None:
    assert not [word for result in results for word in SECRETS if word in result.out + result.err]


def test_a_file_is_taken_whole_and_again_without_a_change(anywhere):
    lines = [line(), line("BK-2", page="talk"), {"key": "BK-3", "page": "talk", "state": "cancelled", "revision": 4}]
    first = take(anywhere, *lines).ended(0)
    assert first.json == {"bookings": {"added": 3, "later": 0, "unchanged": 0}, "older": [], "differing": []}
    again = take(anywhere, *lines).ended(0)
    assert again.json == {"bookings": {"added": 0, "later": 0, "unchanged": 3}, "older": [], "differing": []}
    assert rows(anywhere) == [("BK-1", 1, "scheduled"), ("BK-2", 1, "scheduled"), ("BK-3", 4, "cancelled")]
    assert_nothing_leaks(first, again)


def test_a_revision_that_goes_back_is_ignored_and_told(anywhere):
    take(anywhere, line(revision=3)).ended(0)
    told = take(anywhere, line(revision=2, title="Another"), line("BK-2")).ended(3).json
    assert told["older"] == [{"booking_key": "BK-1", "revision": 2, "stored_revision": 3}]
    assert told["bookings"] == {"added": 1, "later": 0, "unchanged": 0}
    assert rows(anywhere) == [("BK-1", 3, "scheduled"), ("BK-2", 1, "scheduled")]


def test_a_revision_with_other_values_is_ignored_and_told(anywhere):
    take(anywhere, line()).ended(0)
    told = take(anywhere, line(title="Another")).ended(3).json
    assert told["differing"] == [{"booking_key": "BK-1", "revision": 1, "reason": "revision_differs"}]
    assert anywhere.query("SELECT title FROM bookings") == [(SECRET["title"],)]


def test_a_later_revision_reschedules_and_cancels(ready):
    take(ready, line()).ended(0)
    later = take(ready, line(revision=2, start=(TOMORROW - timedelta(hours=1)).isoformat())).ended(0)
    assert later.json["bookings"] == {"added": 0, "later": 1, "unchanged": 0}
    assert datetime.fromisoformat(listed(ready, status=3)["BK-1"]["start"]) == TOMORROW - timedelta(hours=1)
    take(ready, {"key": "BK-1", "page": "intro-call", "state": "cancelled", "revision": 3}).ended(0)
    assert listed(ready, "--all")["BK-1"]["state"] == "cancelled"


def test_the_screen_says_what_was_ignored_and_what_comes_next(ready):
    assert "Next: busytime push." in spared(take(ready, line(revision=3), line("BK-2"), as_json=False).ended(0).out)
    result = take(ready, line(revision=2), line("BK-2", title="Another"), as_json=False).ended(3)
    told = spared(result.out)
    assert "BK-1: revision 2 is older than the stored one, 3." in told
    assert "BK-2: revision 1 is stored with other values, which stay; send changes under a later revision." in told
    assert "Next: busytime bookings list." in told
    assert_nothing_leaks(result)


def test_an_import_is_written_down_without_its_contents(ready):
    take(ready, line(), line("BK-2")).ended(0)
    ((details,),) = ready.query("SELECT details FROM audit_events WHERE tag = 'person:bookings:imported'")
    assert json.loads(details) == {"added": 2, "later": 0, "unchanged": 0, "older": 0, "differing": 0}


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_an_empty_file_says_so(ready, content):
    assert "holds no bookings; nothing was changed" in spared(take(ready, content, as_json=False).ended(0).out)
    assert take(ready, content).ended(0).json["bookings"] == {"added": 0, "later": 0, "unchanged": 0}


FAULTS = {
    "a naive time": ([line(start=f"{TOMORROW:%Y-%m-%dT%H:%M:%S}")], [1], "start has no UTC offset; add it"),
    "an end before the start": ([line(end=(TOMORROW - timedelta(1)).isoformat())], [1], "end is not after the start"),
    "an unknown page": ([line(page="Talk")], [1], "there is no booking page 'Talk'; known are intro-call, talk"),
    "a key that stands twice": ([line(), line(revision=2)], [2], "'BK-1' stands here again, first on line 1"),
    "a body of a megabyte": ([line(body="Blaukraut" * 120_000)], [1], "body has more than 32768 characters"),
    "control characters": ([line(title="Zwiebelturm\x07")], [1], "title holds a control character"),
    "a surrogate": ([line(guests=["Rapunzel\udc80"])], [1], "guests holds a control character"),
    "a scheduled booking without a title": ([line(title=...)], [1], "title is missing"),
    "half a time": ([line(state="cancelled", end=...)], [1], "end is missing"),
    "a revision of nothing": ([line(revision=0)], [1], "revision cannot be read; write a whole number from 1"),
    "the write probe's key": ([line("probe")], [1], "this key is kept for busytime itself"),
    "an unknown field": ([line(colour="green")], [1], "unknown field 'colour'; known are key, page"),
    "a line that is no JSON": ([line(), "Zwiebelturm"], [2], "this is not JSON"),
    "several": ([line(title=...), line("BK-2"), line("BK-3", page=...)], [1, 3], "is missing"),
}


@pytest.mark.parametrize(("lines", "numbers", "words"), FAULTS.values(), ids=FAULTS)
def test_a_faulty_file_is_refused_whole_with_every_line(ready, lines, numbers, words):
    result = take(ready, line("BK-0"), *lines).ended(2)
    assert result.out == ""
    assert [int(it) for it in re.findall(r"bookings\.jsonl:(\d+): ", result.err)] == [number + 1 for number in numbers]
    assert words in spared(result.err).replace("first on line 2", "first on line 1")
    assert "nothing was changed" in spared(result.err)
    assert rows(ready) == []
    assert_nothing_leaks(result)


def test_a_page_is_unknown_to_an_empty_roster(home):
    message = spared(take(home, line()).ended(2).err)
    assert "run `busytime roster import FILE` first" in message


@pytest.mark.parametrize("name", ["not-there.jsonl", "."])
def test_a_file_that_cannot_be_read_is_wrong_use(ready, name):
    result = ready.call("bookings", "import", name).ended(2)
    assert result.out == ""
    assert "bookings file" in spared(result.err)


@pytest.mark.processes
def test_standard_input_is_a_file_too(ready):
    ready.run("bookings", "import", "-", stdin=json.dumps(line())).ended(0)
    table = "key,page,state\nBK-2,talk,cancelled\n"
    assert ready.run("bookings", "import", "-", "--json", stdin=table).ended(0).json["bookings"]["added"] == 1
    assert "standard input:1: " in ready.run("bookings", "import", "-", stdin="{}").ended(2).err


def test_nothing_of_it_starts_prefect(ready):
    ready.prefect_api, ready.more["PREFECT_HOME"] = None, "/proc/nothing"
    take(ready, line()).ended(0)
    ready.call("bookings", "list").ended(3)  # nobody can log on


@pytest.fixture
def connected(ready) -> Home:
    """The same, with an open connection."""
    ready.connect().ended(0)
    return ready


def test_a_new_booking_waits_for_a_push_and_one_from_before_for_a_backfill(connected):
    early = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    take(connected, line(), line("BK-2", booked_at=early), {"key": "BK-3", "page": "talk", "state": "cancelled"}).ended(0)
    found = listed(connected)
    assert [(it["owner"], it["state"], it["next"]) for it in found["BK-1"]["entries"]] == [
        ("owner0001@corp.example", "wanted", "push"),
        ("owner0002@corp.example", "wanted", "push"),
    ]
    assert [(it["state"], it["next"]) for it in found["BK-2"]["entries"]] == [(None, "backfill")] * 2
    screen = connected.call("bookings", "list").ended(0)
    told = spared(screen.out)
    assert "Next: busytime push (2)." in told
    assert "Next: busytime push --backfill, for bookings made before the connection was opened (2)." in told
    assert_nothing_leaks(screen)


def test_without_a_connection_the_list_says_why_nothing_goes_on(ready):
    take(ready, line(page="talk")).ended(0)
    (entry,) = listed(ready, status=3)["BK-1"]["entries"]
    assert (entry["state"], entry["reason"], entry["next"]) == ("wanted", "no_connection", "log_on")
    assert "busytime status" in spared(ready.call("bookings", "list").ended(3).out)


def enter(home: Home, key: str, state: str, reason: str | None = None) -> None:
    """Put an entry of a booking into its page's calendars, in some state."""
    execute(
        home,
        "INSERT INTO entries (booking_key, calendar_id, state, reason, item_id, revision, starts_at, ends_at, updated_at) "
        "SELECT b.booking_key, a.calendar_id, :state, :reason, 'item', b.revision, b.starts_at, b.ends_at, b.checked_at "
        "FROM bookings b JOIN booking_pages p ON p.name = b.page JOIN associated_calendars a ON a.page_id = p.id "
        "WHERE b.booking_key = :key AND a.role = 'main'",
        key=key,
        state=state,
        reason=reason,
    )


def test_every_entry_is_shown_with_its_reason_and_the_next_step(connected):
    states = {"BK-1": ("present", None), "BK-2": ("conflict", "slot_taken"), "BK-3": ("removed_by_owner", None)}
    take(connected, *(line(key, page="talk") for key in states)).ended(0)
    for key, (state, reason) in states.items():
        enter(connected, key, state, reason)
    found = listed(connected, status=3)
    assert {key: (it["entries"][0]["state"], it["entries"][0]["reason"]) for key, it in found.items()} == states
    assert [found[key]["entries"][0]["next"] for key in states] == ["nothing", "reschedule", "nothing"]
    result = connected.call("bookings", "list").ended(3)
    told = spared(result.out)
    for words in ("talk, times in UTC", "conflict", f"{TOMORROW:%Y-%m-%d}", "Next: free the slot, or send a later revision"):
        assert words in told
    assert_nothing_leaks(result)


def test_pages_and_states_can_be_chosen(connected):
    take(connected, line(), line("BK-2", page="talk"), line("BK-3", page="talk")).ended(0)
    enter(connected, "BK-2", "present")
    assert set(listed(connected, "--page", "talk")) == {"BK-2", "BK-3"}
    assert set(listed(connected, "--page", "talk", "--state", "present")) == {"BK-2"}
    assert set(listed(connected, "--state", "wanted")) == {"BK-1", "BK-3"}
    assert "Booking pages: intro-call, talk" in spared(connected.call("bookings", "list", "--page", "Talk").ended(2).err)
    connected.call("bookings", "list", "--state", "sunny").ended(2)


def test_what_is_over_is_shown_when_asked_for(connected):
    yesterday = TOMORROW - timedelta(days=2)
    past = {"start": yesterday.isoformat(), "end": (yesterday + timedelta(hours=1)).isoformat()}
    take(connected, line(), line("BK-0", **past)).ended(0)
    assert set(listed(connected)) == {"BK-1"}
    found = listed(connected, "--all")
    assert {(it["state"], it["next"]) for it in found["BK-0"]["entries"]} == {(None, "nothing")}


def test_times_are_in_the_zone_of_the_page(connected):
    start = datetime(TOMORROW.year + 1, 7, 1, 22, 30, tzinfo=UTC)
    take(connected, line(start=start.isoformat(), end=(start + timedelta(hours=1)).isoformat())).ended(0)
    assert listed(connected)["BK-1"]["start"] == f"{start.year}-07-02T00:30:00+02:00"
    assert f"{start.year}-07-02" in connected.call("bookings", "list").ended(0).out


def test_a_booking_whose_page_left_the_roster_is_shown_with_what_to_do(connected):
    take(connected, line(page="talk"), line("BK-2")).ended(0)
    connected.take_roster("owner0003@corp.example", pages=PAGES[:4]).ended(0)
    found = listed(connected, "--page", "talk", status=3)["BK-1"]
    assert (found["entries"], found["reason"]) == ([], "unknown_page")
    assert "page left the roster" in spared(connected.call("bookings", "list").ended(3).out)


INSERT = (
    "INSERT INTO bookings (booking_key, page, starts_at, ends_at, title, state, revision) "
    "VALUES (:key, :page, :starts_at, :ends_at, 'Zwiebelturm', 'scheduled', 1)"
)


def test_a_bad_row_of_another_program_is_refused_and_stops_no_other(anywhere):
    when = {"starts_at": TOMORROW.isoformat(sep=" "), "ends_at": (TOMORROW + timedelta(hours=1)).isoformat(sep=" ")}
    execute(anywhere, INSERT, key="BK-1", page="talk", **when)
    execute(anywhere, INSERT, key="BK-2", page="Talk", **when)
    execute(anywhere, INSERT, key="BK-3", page="talk", starts_at=when["ends_at"], ends_at=when["starts_at"])
    result = anywhere.call("bookings", "list", "--json").ended(3)
    assert [it["booking_key"] for it in result.json["bookings"]] == ["BK-1"]
    assert [(it["booking_key"], it["reason"], it["field"]) for it in result.json["refused"]] == [
        ("BK-2", "unknown_page", "page"),
        ("BK-3", "ends_before_start", "ends_at"),
    ]
    screen = anywhere.call("bookings", "list").ended(3)
    assert "Refused rows" in screen.out
    assert "the roster has no booking page of this name" in spared(screen.out)
    assert_nothing_leaks(result, screen)


def test_a_row_without_an_offset_is_refused_on_sqlite(ready):
    execute(ready, INSERT, key="BK-1", page="talk", starts_at="2026-12-01 09:00:00", ends_at="2026-12-01 09:30:00")
    (row,) = ready.call("bookings", "list", "--json").ended(3).json["refused"]
    assert (row["reason"], row["field"]) == ("no_utc_offset", "starts_at")


def test_names_from_outside_are_shown_as_they_are(ready):
    take(ready, line("[bold]BK[/]\u00e4")).ended(0)
    execute(ready, INSERT, key="[red]\x1b[2J", page="[/]", starts_at=None, ends_at=None)
    told = ready.call("bookings", "list").ended(3).out
    assert "[bold]BK[/]ä" in told
    assert "[red]" in told
    assert "\x1b" not in told


def test_an_empty_list_says_how_bookings_come_in(ready):
    assert "busytime bookings import FILE" in spared(ready.call("bookings", "list").ended(0).out)
    limited = spared(ready.call("bookings", "list", "--state", "conflict").ended(0).out)
    assert limited.startswith("No such bookings")
    assert "import" not in limited


def blocks(language: str) -> list[str]:
    """Return the examples of the documentation in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCS.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(("language", "suffix"), [("json", "jsonl"), ("csv", "csv")])
def test_the_documented_file_is_taken(ready, language, suffix):
    (example,) = blocks(language)
    file = ready.directory / f"bookings.{suffix}"
    file.write_text(example, encoding="utf-8")
    taken = ready.call("bookings", "import", str(file), "--json").ended(0).json["bookings"]
    assert taken == {"added": 2, "later": 0, "unchanged": 0}


def test_the_documented_statement_inserts_a_good_booking(anywhere):
    on_postgresql, on_sqlite = blocks("sql")
    statement = on_postgresql if "BUSYTIME_DATABASE_URL" in anywhere.more else on_sqlite
    for _ in range(2):
        execute(anywhere, re.sub(r"(?<!:):(?=\d\d)", r"\\:", statement))
    shown = anywhere.call("bookings", "list", "--all", "--json")
    assert shown.json["refused"] == []
    assert [it["start"] for it in shown.json["bookings"]] == ["2026-12-01T09:00:00+01:00"]
