"""No secret anywhere: a long life of a connection as real processes, and everything that it left behind searched.

Old and new passwords, a wrong one, an application's secrets and its tokens are searched in every form that `searching`
knows; the user name, which is sealed with the secret, in all that is kept.
"""

from __future__ import annotations

import base64
import gzip
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from urllib.parse import quote_plus, urlsplit

import pytest

from tests.flows.harness import Home, Result, book
from tests.integration.cli.booking_desk import BookingDesk, at, booking
from tests.integration.cli.searching import be_loud, disguises, gather, traces, watched_processes

pytestmark = pytest.mark.processes
#: Each has characters that change under every encoding, and differs from the others in its middle.
OLD, NEW, NEWEST, WRONG, CLIENT, NEXT_CLIENT = (
    f"{word} «ä/ß+\\'q\"=&<%?>~€» {word}" for word in ("Altweib", "Neumond", "Neuling", "Irrlicht", "Dienstbote", "Nachfolger")
)
USER = "CORP\\busytime"


def change_password(exchange, password):
    exchange.control("POST", "/password", {"email": exchange.email, "password": password})


class Story:
    """What an admin does with one connection, and what every command printed."""

    def __init__(self, home: Home, owner: str) -> None:
        self.home = home
        self.exchange = home.exchange
        self.owner = owner
        self.results: list[Result] = []
        self.application = self.exchange.control("POST", "/application", {"client_secret": CLIENT})
        parts = urlsplit(self.exchange.ews_url)
        home.more["BUSYTIME_OAUTH_TOKEN_URL"] = f"https://{parts.netloc}{self.application['token_path']}"

    def do(self, status: int, *args: str, stdin: str | None = None) -> Result:
        """Run a command as a process."""
        result = self.home.run(*args, stdin=stdin)
        assert result.status == status, (args, result.status, result.err[-2000:])
        self.results.append(result)
        return result

    def connect(self, status: int, secret: str, *args: str) -> None:
        where = ("--ews-url", self.exchange.ews_url, "--ca-file", self.exchange.ca_file)
        self.do(status, "connect", self.exchange.email, *where, "--password-stdin", *args, stdin=f"{secret}\n")

    def fault(self, kind: str, operation: str) -> None:
        self.exchange.control("POST", "/faults", {"kind": kind, "operation": operation, "count": 1})

    def begin(self) -> None:
        """Connect, after a wrong try, and work against a server that answers badly."""
        change_password(self.exchange, OLD)
        self.connect(5, WRONG, "--auth", "basic")
        self.connect(0, OLD, "--auth", "basic", "--username", USER)
        BookingDesk(self.home, self.owner).take(booking("B1", at(9)))
        self.fault("malformed", "GetUserAvailability")
        self.do(0, "harvest", "--json")  # the answer is asked for once more
        self.fault("drop_after", "CreateItem")
        self.do(0, "push", "--json")  # looked up, and there

    def change(self) -> None:
        """Go through a change of the password, a wrong try with it, and a rotation."""
        change_password(self.exchange, NEW)
        self.do(5, "harvest")
        BookingDesk(self.home, self.owner).take(booking("B2", at(11)))
        self.do(5, "push")
        self.do(5, "password", self.exchange.email, "--password-stdin", stdin=f"{WRONG}\n")
        self.do(0, "password", self.exchange.email, "--password-stdin", "--json", stdin=f"{NEW}\n")
        self.do(0, "keys", "rotate")

    def other_ways(self) -> None:
        """Log on by NTLM under a password that `connect` is given, then by tokens, until the application's secret is another."""
        change_password(self.exchange, NEWEST)
        self.connect(0, NEWEST, "--auth", "ntlm", "--username", USER)
        self.connect(0, CLIENT, "--auth", "oauth", "--client-id", self.application["client_id"])
        shared_server, self.home.prefect_api = self.home.prefect_api, None
        self.do(0, "harvest")  # on a Prefect server of its own, below the home
        self.home.prefect_api = shared_server
        known = {"client_id": self.application["client_id"], "client_secret": NEXT_CLIENT}
        self.exchange.control("POST", "/application", known)
        self.do(5, "harvest")
        self.do(3, "status", "--json")

    @property
    def secrets(self) -> list[str]:
        """All that must be nowhere."""
        return [OLD, NEW, NEWEST, WRONG, CLIENT, NEXT_CLIENT, *self.exchange.control("GET", "/tokens")]


@pytest.fixture
def story(home, exchange, person):
    """A page with one calendar, in a home where all is loud and that has a directory for temporary files."""
    exchange.control("POST", "/limits", {"auth": ["basic", "ntlm", "bearer"]})
    be_loud(home)
    (home.directory / "tmp").mkdir()
    home.more |= {"TMPDIR": str(home.directory / "tmp"), "BUSYTIME_REQUEST_DEADLINE_SECONDS": "3"}
    owner = person()
    book(exchange, owner, at(15))  # what its owner made proves the right to write
    home.take_roster(pages=["  - name: talk", "    time_zone: Europe/Berlin", f"    main: {owner}"]).ended(0)
    return Story(home, owner)


@pytest.mark.parametrize("life", ["by password", pytest.param("every way", marks=pytest.mark.long)])
def test_no_secret_is_in_any_file_output_or_process(story, prefect_home, life):
    home = story.home
    with watched_processes(str(home.path)) as processes:
        story.begin()
        story.change()
        if life == "every way":
            story.other_ways()

    kept = gather(home.directory, prefect_home)
    printed = {f"output {number}": (it.out + it.err).encode() for number, it in enumerate(story.results)}
    assert {"busytime.db", "prefect.db", "debug.log", "server.log", "key"} <= {Path(name).name for name in kept}
    assert b"DEBUG" in kept[str(home.directory / "debug.log")]
    if life == "every way":
        assert len(story.secrets) > 6, "no token was ever issued"
        assert str(home.path / "prefect" / "prefect.db") in kept
        assert any(b"deployments.prefect_server" in text for text in processes.values()), "nobody looked at child processes"
    assert traces(kept | printed | processes, story.secrets) == []
    assert traces(kept, [USER]) == []


def test_no_secret_is_in_a_dump_of_postgresql(story, postgresql):
    home, exchange = story.home, story.exchange
    home.more["BUSYTIME_DATABASE_URL"] = postgresql.url(postgresql.create())
    home.take_roster(pages=["  - name: talk", "    time_zone: Europe/Berlin", f"    main: {story.owner}"]).ended(0)
    home.more.pop("PYTHONPATH")
    where = ("--ews-url", exchange.ews_url, "--ca-file", exchange.ca_file, "--password-stdin", "--auth", "basic")
    change_password(exchange, OLD)
    home.call("connect", exchange.email, *where, stdin=f"{WRONG}\n").ended(5)
    home.call("connect", exchange.email, *where, "--username", USER, stdin=f"{OLD}\n").ended(0)
    home.call("harvest").ended(0)
    change_password(exchange, NEW)
    home.call("harvest").ended(5)
    home.call("password", exchange.email, "--password-stdin", stdin=f"{NEW}\n").ended(0)
    home.call("keys", "rotate").ended(0)

    dump = dumped(home)
    assert exchange.email.encode() in dump
    assert b"wrapped_key" in dump
    assert traces({"dump": dump}, [OLD, NEW, WRONG, USER]) == []


def dumped(home: Home) -> bytes:
    """Dump a home's database with the program that belongs to its server."""
    ((programs,),) = home.query("SELECT setting FROM pg_config WHERE name = 'BINDIR'")
    address = home.more["BUSYTIME_DATABASE_URL"]
    return subprocess.run([Path(programs) / "pg_dump", "--inserts", address], check=True, capture_output=True).stdout


#: How somebody could write a text down without meaning to.
WRITTEN = {
    "plain": str.encode,
    "UTF-16 LE": lambda text: text.encode("utf-16-le"),
    "UTF-16 BE": lambda text: text.encode("utf-16-be"),
    "Latin 1": lambda text: text.encode("latin-1", "replace"),
    "base64": lambda text: base64.b64encode(text.encode()),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()),
    "base64 of UTF-16": lambda text: base64.b64encode(text.encode("utf-16-le")),
    "URL": lambda text: quote_plus(text).encode(),
    "JSON": lambda text: json.dumps({"it": text}).encode(),
    "JSON, not escaped": lambda text: json.dumps([text], ensure_ascii=False).encode(),
    "Python": lambda text: repr({"it": text}).encode(),
    "bytes of Python": lambda text: repr(text.encode()).encode(),
    "hex": lambda text: text.encode().hex().encode(),
    "upper hex": lambda text: text.encode().hex().upper().encode(),
    "packed": lambda text: gzip.compress(text.encode()),
    "a log-on's header": lambda text: b"Authorization: Basic " + base64.b64encode(f"busytime@corp.example:{text}".encode()),
}


@pytest.mark.parametrize("before", ["", "a", "ab"])
@pytest.mark.parametrize("way", WRITTEN)
def test_the_search_finds_what_was_written_down(tmp_path, way, before):
    """Base64 of a longer text depends on what stands before."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "some.log").write_bytes(WRITTEN[way](f"{before}{NEW}, it said"))
    assert {secret for _, secret, _ in traces(gather(tmp_path), [OLD, NEW])} == {NEW}


def test_the_search_finds_what_lies_on_two_pages_of_a_database(tmp_path):
    with closing(sqlite3.connect(tmp_path / "some.db")) as database:
        database.execute("PRAGMA page_size = 512")
        database.execute("CREATE TABLE notes (text)")
        database.executemany("INSERT INTO notes VALUES (?)", [("x" * lead + NEW + "x" * 2000,) for lead in range(400, 520, 7)])
        database.commit()
    texts = gather(tmp_path)
    plain, rows = (texts[f"{tmp_path / 'some.db'}{part}"] for part in ("", ", its rows"))
    assert plain.count(NEW.encode()) < rows.count(NEW.encode().replace(b"'", b"''")) == 18
    assert traces({"rows": rows}, [NEW])


@pytest.mark.parametrize("given", ["argument", "environment"])
def test_the_search_finds_what_a_process_was_given(tmp_path, given):
    more = {"argument": [NEW], "environment": []}[given]
    environment = {"MARK": str(tmp_path)} | ({"IT": NEW} if given == "environment" else {})
    with watched_processes(str(tmp_path)) as seen:
        subprocess.run([sys.executable, "-c", "import time; time.sleep(0.5)", *more], env=environment, check=True)
    assert {secret for _, secret, _ in traces(seen, [OLD, NEW])} == {NEW}


def test_a_secret_has_many_forms():
    assert len(disguises(NEW)) > 30
