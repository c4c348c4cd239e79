"""`busytime connect` at a real terminal: found, asked, refused, interrupted; the sandbox's log tells who saw a password."""

from __future__ import annotations

import contextlib
import re

import pytest

from tests.flows.harness import spared
from tests.integration.cli.guided_world import port_of
from tests.integration.cli.terminal import Terminal

pytestmark = pytest.mark.processes


@pytest.fixture
def told(exchange):
    """Let Autodiscover name the server by a name under the mail's own domain."""
    url = f"https://mail.corp.example:{port_of(exchange)}/EWS/Exchange.asmx"
    exchange.control("POST", "/limits", {"autodiscover_ews_url": url})
    return url


@pytest.fixture
def account(exchange):
    """Change the dedicated account; it is put back."""
    yield lambda **how: exchange.control("POST", "/account", {"email": exchange.email, **how})
    exchange.control("POST", "/account", {"email": exchange.email, "state": "normal", "two_step": False, "mailbox": True})


@pytest.fixture
def sit(home, exchange):
    """Start `busytime connect` at a terminal in the sandbox's world."""
    with contextlib.ExitStack() as stack:

        def start(*args: str, ca: bool = True) -> Terminal:
            trust = ("--ca-file", exchange.ca_file) if ca else ()
            world = ("-m", "tests.integration.cli.guided_world", str(port_of(exchange)))
            terminal = Terminal(home, *world, "connect", exchange.email, *trust, *args)
            stack.callback(terminal.close)
            return terminal

        yield start


@pytest.fixture
def sent(exchange):
    """Return the log entries of this test whose request carried a secret or a proof of one."""
    start = max((one["n"] for one in exchange.log()), default=0)
    return lambda: [one for one in exchange.log(start) if one["scheme"] is not None or one["operation"] == "token"]


def announced(shown: str) -> int:
    return len(re.findall(r"Log-on \d+ \(", shown))


def connections(home):
    return home.query("SELECT ews_url, auth_type, mode FROM connections WHERE closed_at IS NULL")


def open_claims(home):
    return home.query("SELECT count(*) FROM logons WHERE answer IS NULL")[0][0]


def nothing_stored(home):
    assert home.query("SELECT count(*) FROM connections") == [(0,)]
    assert home.query("SELECT count(*) FROM credentials") == [(0,)]
    assert open_claims(home) == 0


def test_address_and_password_are_enough(home, exchange, told, sit, sent):
    shown = sit().expect("Password of").type(exchange.password).ended(0)
    assert announced(shown) == 2
    assert "asking corp.example where the mailbox" in shown
    assert "logging on to mail.corp.example as busytime@corp.example, by Basic" in shown
    assert "Connected as busytime@corp.example" in shown
    assert "Every booking page may use every calendar" in shown
    assert "busytime roster import FILE" in shown
    assert exchange.password not in shown
    assert connections(home) == [(told, "basic", "corporate")]
    # The last one looks whether the mailbox is empty, with a password that was good.
    assert [one["operation"] for one in sent()] == ["Autodiscover", "GetFolder", "FindItem"]


@pytest.mark.long
def test_ntlm_is_chosen_where_it_is_offered(home, exchange, told, sit, sent):
    exchange.control("POST", "/limits", {"auth": ["ntlm", "basic"]})
    shown = sit().expect("Password of").type(exchange.password).ended(0)
    assert "by NTLM over a checked TLS connection" in shown
    assert connections(home) == [(told, "ntlm", "corporate")]
    assert {one["scheme"] for one in sent()} == {"ntlm"}


def test_what_was_chosen_by_hand_and_is_not_offered_is_told_before_anything_is_sent(home, exchange, sit, sent):
    shown = spared(sit("--ews-url", exchange.ews_url, "--auth", "ntlm").ended(1))
    assert "does not offer NTLM, only Basic (--auth basic); no password was sent" in shown
    assert "docs/connecting.md#log-on-method" in shown
    assert "Password of" not in shown
    assert sent() == []
    nothing_stored(home)


def test_for_a_pasted_web_mail_address_the_right_one_is_proposed(home, exchange, sit, sent):
    exchange.control("POST", "/limits", {"web_mail": True})
    pasted = exchange.ews_url.replace("/EWS/Exchange.asmx", "/owa/")
    terminal = sit("--ews-url", pasted)
    terminal.expect("address of the web mail").expect(f"Take {exchange.ews_url} instead? [y/N]").type("y")
    terminal.expect("Password of").type(exchange.password).ended(0)
    assert connections(home) == [(exchange.ews_url, "basic", "corporate")]
    assert {one["operation"] for one in sent()} == {"GetFolder", "FindItem"}


def test_a_wrong_password_then_the_right_one_within_one_command(home, exchange, told, sit, sent):
    terminal = sit().expect("Password of").type("not the password")
    terminal.expect("1 more try is safe now").expect("Try again now").type("y")
    terminal.expect("EWS URL: blank for asking corp.example again").type("")
    terminal.expect("User name: blank for").type("CORP\\busytime")
    shown = terminal.expect("Password of").type(exchange.password).ended(0)
    assert announced(shown) == 3
    log = sent()
    assert [one["refused_logon"] for one in log].count(True) == 1
    assert len(log) == announced(shown) + 1  # the look whether the mailbox is empty
    assert connections(home) == [(told, "basic", "corporate")]


def test_a_refusal_ends_what_goes_on_by_itself(home, told, sit, sent):  # noqa: ARG001 -- the server is found
    terminal = sit().expect("Password of").type("not the password").expect("Try again now").type("n")
    shown = spared(terminal.ended(5))
    assert "was not connected" in shown
    assert announced(shown) == 1
    assert len(sent()) == 1
    nothing_stored(home)


def test_two_refusals_are_the_end_and_the_next_command_asks_for_nothing(exchange, sit, sent):
    terminal = sit("--ews-url", exchange.ews_url).expect("Password of").type("wrong").expect("Try again now").type("yes")
    terminal.expect("EWS URL: blank for").type("").expect("User name").type("").expect("Password of").type("wrong too")
    shown = spared(terminal.ended(5))
    assert "No further try is safe before" in shown
    assert len(sent()) == announced(shown) == 2
    shown = spared(sit("--ews-url", exchange.ews_url).ended(5))
    assert "a try is safe again from" in shown
    assert "--force" in shown
    assert "docs/connecting.md#locked" in shown
    assert "Password of" not in shown
    assert len(sent()) == 2
    forced = sit("--ews-url", exchange.ews_url, "--force").expect("Password of").type(exchange.password).ended(0)
    assert "one more refused one can lock the account" in forced


def test_where_nothing_is_found_url_and_user_name_are_asked_for(home, exchange, sit, sent):
    exchange.control("POST", "/limits", {"autodiscover": "absent", "logon_names": ["domain"]})
    terminal = (
        sit().expect("Autodiscover tells nothing").expect("EWS URL, like").type("http://mail.corp.example/EWS/Exchange.asmx")
    )
    terminal.expect("is not https").expect("EWS URL, like").type(exchange.ews_url)
    terminal.expect("DOMAIN\\user (docs/connecting.md#user-name)").type("CORP\\busytime")
    shown = terminal.expect("Password of").type(exchange.password).ended(0)
    assert announced(shown) == 1
    assert {one["operation"] for one in sent()} == {"GetFolder", "FindItem"}
    assert connections(home) == [(exchange.ews_url, "basic", "corporate")]


@pytest.mark.parametrize("agreed", [True, False])
@pytest.mark.long(agreed=True)
def test_another_host_gets_the_password_only_if_the_person_says_so(home, exchange, sit, sent, agreed):
    """The sandbox names itself `localhost`, outside of corp.example."""
    terminal = sit().expect("Password of").type(exchange.password)
    terminal.expect("Send the password to localhost? [y/N]").type("y" if agreed else "")
    if agreed:
        terminal.ended(0)
        assert {one["operation"] for one in sent()} == {"Autodiscover", "GetFolder", "FindItem"}
        return
    terminal.expect("EWS URL, like").type("")
    assert "#ews-url" in terminal.ended(2)
    assert {one["operation"] for one in sent()} == {"Autodiscover"}
    nothing_stored(home)


def test_without_a_terminal_another_host_gets_no_password_and_the_option_is_named(home, exchange, sent):
    run = ("-m", "tests.integration.cli.guided_world", str(port_of(exchange)), "connect", exchange.email)
    terminal = Terminal(home, *run, "--ca-file", exchange.ca_file, "--password-stdin").type(exchange.password)
    shown = spared(terminal.ended(2))
    assert "leads to localhost, outside of the domain" in shown
    assert "--ews-url" in shown
    assert {one["operation"] for one in sent()} == {"Autodiscover"}
    nothing_stored(home)


@pytest.mark.parametrize(
    ("face", "status", "words", "section"),
    [
        ({"ews_face": "blocked"}, 1, "forbids EWS", "ews-blocked"),
        ({"auth": ["bearer"]}, 1, "--auth oauth", "oauth"),
    ],
)
@pytest.mark.long(words="--auth oauth")
def test_a_server_that_cannot_be_used_is_named_with_its_section(home, exchange, sit, face, status, words, section):
    exchange.control("POST", "/limits", face)
    terminal = sit("--ews-url", exchange.ews_url)
    if "ews_face" in face:
        terminal.expect("Password of").type(exchange.password)
    shown = spared(terminal.ended(status))
    assert words in shown
    assert f"docs/connecting.md#{section}" in shown
    nothing_stored(home)


@pytest.mark.parametrize(
    ("how", "status", "words", "section"),
    [
        ({"mailbox": False}, 1, "has no mailbox", "no-mailbox"),
        ({"state": "expired"}, 5, "has expired", "expired-or-disabled"),
        ({"state": "disabled"}, 5, "is disabled", "expired-or-disabled"),
    ],
)
@pytest.mark.long(words="has no mailbox")
@pytest.mark.long(words="is disabled")
def test_an_account_that_cannot_be_used_is_told_apart(home, exchange, account, sit, sent, how, status, words, section):
    account(**how)
    shown = spared(sit("--ews-url", exchange.ews_url).expect("Password of").type(exchange.password).ended(status))
    assert words in shown
    assert f"docs/connecting.md#{section}" in shown
    assert "Try again" not in shown
    assert len(sent()) == announced(shown) == 1
    nothing_stored(home)


def test_two_step_verification_is_among_the_causes(exchange, account, sit):
    account(two_step=True, app_password="an-app-password")
    terminal = sit("--ews-url", exchange.ews_url).expect("Password of").type(exchange.password)
    terminal.expect("two-step verification and wants an app password").expect("docs/connecting.md#password-refused")
    terminal.expect("Try again now").type("y").expect("EWS URL").type("").expect("User name").type("")
    terminal.expect("Password of").type("an-app-password").ended(0)


def test_a_certificate_that_is_not_trusted_names_its_authority_and_the_option(exchange, sit, sent):
    shown = spared(sit("--ews-url", exchange.ews_url, ca=False).ended(1))
    assert "it was signed by the authority" in shown
    assert "--ca-file" in shown
    assert "docs/connecting.md#certificate" in shown
    assert "Password of" not in shown
    assert sent() == []
    sit("--ews-url", exchange.ews_url).expect("Password of").type(exchange.password).ended(0)


@pytest.mark.long
def test_an_application_logs_on_with_a_token(home, exchange, sit, sent):
    exchange.control("POST", "/limits", {"auth": ["bearer"]})
    known = exchange.control("POST", "/application", {})
    root = exchange.ews_url.removesuffix("/EWS/Exchange.asmx")
    home.more["BUSYTIME_OAUTH_TOKEN_URL"] = root + known["token_path"].replace(known["tenant"], "{tenant}")
    args = ("--auth", "oauth", "--client-id", known["client_id"], "--ews-url", exchange.ews_url)
    assert "--tenant" in spared(sit(*args).ended(2))
    terminal = sit(*args, "--tenant", known["tenant"]).expect("Client secret of").type("not the secret")
    terminal.expect("Try again now").type("y").expect("Client secret of").type(known["client_secret"])
    shown = terminal.ended(0)
    assert announced(shown) == 2
    assert "by OAuth over a checked TLS connection" in shown
    assert [one["refused_logon"] for one in sent()].count(True) == 1
    again = sit().expect("Client secret of").type(known["client_secret"]).ended(0)
    assert f"busytime resync {exchange.email}" in again


@pytest.mark.parametrize("prompt", ["Password of", "Send the password to", "EWS URL, like"])
@pytest.mark.long(prompt="Send the password to")
@pytest.mark.long(prompt="EWS URL, like")
def test_ctrl_c_while_the_server_is_found_leaves_nothing(home, exchange, sit, prompt):
    terminal = sit()
    for words, answer in (("Password of", exchange.password), ("Send the password to", "n"), ("EWS URL, like", "")):
        terminal.expect(words)
        if words == prompt:
            break
        terminal.type(answer)
    shown = terminal.interrupt().ended(130)
    assert shown.rstrip().splitlines()[-1].startswith("busytime: Stopped.")
    nothing_stored(home)


@pytest.mark.parametrize("prompt", ["Try again now", "EWS URL: blank", "User name: blank", "Password of"])
@pytest.mark.long(prompt="EWS URL: blank")
@pytest.mark.long(prompt="User name: blank")
@pytest.mark.long(prompt="Password of")
def test_ctrl_c_after_a_refusal_leaves_nothing_but_the_refusal(home, exchange, sit, prompt):
    terminal = sit("--ews-url", exchange.ews_url).expect("Password of").type("not the password")
    for words, answer in (("Try again now", "y"), ("EWS URL: blank", ""), ("User name: blank", ""), ("Password of", "x")):
        terminal.expect(words)
        if words == prompt:
            break
        terminal.type(answer)
    terminal.interrupt().ended(130)
    nothing_stored(home)
    assert home.query("SELECT answer FROM logons") == [("refused",)]


@pytest.mark.long
def test_ctrl_d_ends_it_too(home, sit):
    terminal = sit("--ews-url", "https://localhost:1/EWS/Exchange.asmx").expect("EWS URL, like")
    terminal.type("\x04").ended(130)
    nothing_stored(home)
