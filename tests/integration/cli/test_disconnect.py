"""`busytime disconnect`, personal connections beside the corporate one, and connecting again."""

from __future__ import annotations

import pytest

from tests.flows.harness import spared
from tests.integration.cli.terminal import Terminal

PERSON = "owner0001@corp.example"
OTHER = "owner0002@corp.example"
SECRET = "the person's own password"


@pytest.fixture
def connected(home):
    """A home with two calendars and the corporate connection."""
    home.take_roster(PERSON, OTHER).ended(0)
    home.connect().ended(0)
    return home


@pytest.fixture
def join(home, exchange):
    """Connect an account, or try to."""

    def connect(email=PERSON, *args, password=SECRET):
        exchange.control("POST", "/password", {"email": PERSON, "password": SECRET})
        how = ("--ews-url", exchange.ews_url, "--ca-file", exchange.ca_file, "--password-stdin", "--json")
        return home.call("connect", email, *how, *args, stdin=f"{password}\n")

    return connect


def secrets_left(home):
    return home.query("SELECT count(*) FROM credentials WHERE ciphertext IS NOT NULL")[0][0]


def serving(home):
    return home.query(
        "SELECT o.address, c.mode FROM calendars k JOIN owners o ON o.id = k.owner_id "
        "LEFT JOIN connections c ON c.id = k.connection_id ORDER BY o.address"
    )


def test_an_ended_connection_keeps_nothing_that_opens_it(connected, exchange):
    printed = connected.call("disconnect", exchange.email, "--yes", "--json").ended(0).json
    assert printed == {"email": exchange.email, "calendars": 2, "served_by_another": 0, "waiting_entries": 0}
    assert secrets_left(connected) == 0
    assert serving(connected) == [(PERSON, None), (OTHER, None)]
    tags = [tag for (tag,) in connected.query("SELECT tag FROM audit_events ORDER BY id")]
    assert tags.count("person:connection:closed") == 1
    assert connected.query("SELECT count(*) FROM audit_logons") != [(0,)]
    assert "busytime connect" in spared(connected.harvest().ended(5).err)


def test_what_is_not_connected_is_status_5(home, exchange):
    result = home.call("disconnect", exchange.email, "--yes").ended(5)
    assert f"busytime connect {exchange.email}" in spared(result.err)


def test_without_a_terminal_a_disconnect_wants_yes(connected, exchange):
    result = connected.call("disconnect", exchange.email).ended(2)
    assert "--yes" in result.err
    assert secrets_left(connected) == 1


@pytest.mark.processes
@pytest.mark.parametrize(("answer", "left"), [("y", 0), ("", 1)])
def test_a_person_is_asked_first(connected, exchange, answer, left):
    terminal = Terminal(connected, "-m", "deployments.cli.main", "disconnect", exchange.email)
    shown = spared(terminal.expect("It serves 2 calendars. [y/N]").type(answer).ended(0))
    assert ("Its secret is destroyed" in shown) == (left == 0)
    assert secrets_left(connected) == left


@pytest.mark.processes
def test_ctrl_c_at_the_question_ends_no_connection(connected, exchange):
    terminal = Terminal(connected, "-m", "deployments.cli.main", "disconnect", exchange.email)
    terminal.expect("[y/N]").interrupt().ended(130)
    assert secrets_left(connected) == 1


def test_connecting_again_begins_anew_after_a_disconnect_and_goes_on_without(connected, exchange):
    opened = "SELECT opened_at FROM connections"
    (first,) = connected.query(opened)
    assert connected.connect().ended(0).json["again"] is True
    assert connected.query(opened) == [first]
    connected.call("disconnect", exchange.email, "--yes").ended(0)
    printed = connected.connect().ended(0).json
    assert printed["again"] is False
    ((second,),) = connected.query(opened)
    assert second > first[0]


def test_connected_again_it_needs_nothing_but_the_password(connected, exchange):
    result = connected.call("connect", exchange.email, "--password-stdin", stdin=f"{exchange.password}\n").ended(0)
    assert f"busytime resync {exchange.email}" in spared(result.out)


def test_a_personal_connection_serves_its_person_beside_the_corporate_one(connected, join):
    assert join(PERSON, "--personal").ended(0).json["mode"] == "personal"
    assert serving(connected) == [(PERSON, "personal"), (OTHER, "corporate")]
    connected.harvest().ended(0)
    printed = connected.call("disconnect", PERSON, "--yes", "--json").ended(0).json
    assert printed["served_by_another"] == 1
    assert serving(connected) == [(PERSON, "corporate"), (OTHER, "corporate")]


@pytest.mark.usefixtures("connected")
@pytest.mark.parametrize(("email", "args"), [(PERSON, ("--corporate",)), ("busytime@corp.example", ("--personal",))])
def test_a_second_connection_is_refused_before_anything_is_sent(exchange, join, email, args):
    before = exchange.log()
    message = spared(join(email, *args).ended(2).err)
    assert f"busytime disconnect {exchange.email}" in message
    assert exchange.log() == before


def test_a_dedicated_mailbox_that_is_not_empty_is_warned_about(home, exchange):
    home.connect().ended(0)
    exchange.control("POST", "/appointments", {
        "owner": exchange.email, "folder": "", "start": "2026-12-01T09:00:00+00:00", "end": "2026-12-01T10:00:00+00:00",
        "status": "Busy", "subject": "not here",
    })  # fmt: skip
    (item,) = exchange.control(
        "GET", f"/appointments?owner={exchange.email}&folder=&start=2026-12-01T00:00:00%2B00:00&end=2026-12-02T00:00:00%2B00:00"
    )
    result = home.call("connect", exchange.email, "--password-stdin", stdin=f"{exchange.password}\n").ended(0)
    exchange.control("DELETE", f"/appointments/{item['id']}")
    assert "Its own calendar is not empty" in spared(result.out)


@pytest.mark.parametrize(
    ("password", "end"),
    [("pässwörd ☂ 密码", "\n"), ("pässwörd ☂ 密码", "\r\n"), (" two blanks ", ""), ("x" * 1024, "\n")],
    ids=["non-ascii", "windows", "blanks", "1024"],
)
def test_a_password_arrives_as_it_was_typed_whatever_ends_its_line(home, exchange, password, end):
    exchange.control("POST", "/password", {"email": exchange.email, "password": password})
    args = ("connect", exchange.email, "--ews-url", exchange.ews_url, "--ca-file", exchange.ca_file, "--password-stdin")
    home.call(*args, stdin=password + end).ended(0)


@pytest.mark.parametrize(
    "args",
    [
        ("--auth", "oauth", "--username", "x"),
        ("--tenant", "corp.example"),
        ("--auth", "oauth", "--tenant", "corp.example/../x", "--client-id", "x"),
        ("--auth", "oauth", "--tenant", "corp.example"),
        ("--auth", "oauth", "--client-id", "x"),
    ],
)
def test_options_that_do_not_go_together_are_wrong_use(home, exchange, args):
    before = exchange.log()
    how = ("--ews-url", exchange.ews_url, "--ca-file", exchange.ca_file, "--password-stdin")
    home.call("connect", exchange.email, *how, *args, stdin="x\n").ended(2)
    assert exchange.log() == before
