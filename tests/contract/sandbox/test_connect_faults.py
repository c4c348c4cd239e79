"""What goes wrong when somebody connects: wrong places, blocked servers, accounts that are not as they should be."""

from __future__ import annotations

import http.client
import ssl
import urllib.parse

import exchangelib
import pytest
from exchangelib.errors import ErrorPasswordExpired, MalformedResponseError, RedirectError, UnauthorizedError

from tests.contract.sandbox import library
from tests.contract.sandbox.client import Client, calendar_of, handshake
from tests.sandbox_fixture import ControlError, running_sandbox

OWN = '<t:DistinguishedFolderId Id="calendar"/>'


def last(sandbox) -> tuple[int, str, bool]:
    entry = sandbox.log()[-1]
    return entry["http_status"], entry["code"], entry["refused_logon"]


def resolve(sandbox, monkeypatch, user: str, password: str, auth_type=exchangelib.BASIC):
    with library.trusting(sandbox, monkeypatch):
        return library.account(sandbox, exchangelib.Credentials(user, password), auth_type).protocol.resolve_names([user])


def change(sandbox, client: Client, **facts) -> None:
    sandbox.control("POST", "/account", {"email": client.user, **facts})


def test_web_mail_sends_everybody_to_its_log_on_page(client, sandbox):
    sandbox.control("POST", "/limits", {"web_mail": True})
    for path in ("/owa", "/owa/", "/OWA/somewhere"):
        answer = client.raw(b"", path=path)
        assert answer.status == 302
        place = urllib.parse.urlsplit(answer.headers["location"])
        assert place.netloc == urllib.parse.urlsplit(sandbox.ews_url).netloc
        page = client.raw(None, method="GET", path=place.path, log_on=False)
        assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert b"logonForm" in page.body
    entries = sandbox.log()[-2:]
    assert [(one["operation"], one["scheme"], one["code"]) for one in entries] == [
        ("WebMail", "basic", "Redirect"),
        ("WebMail", None, "WebPage"),
    ]


def test_a_page_at_the_ews_path_is_no_answer(client, sandbox, owner, monkeypatch):
    sandbox.control("POST", "/limits", {"ews_face": "html", "lock_after": 1})
    client.password = "wrong"
    answer = client.raw(b"")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    with pytest.raises(MalformedResponseError):
        resolve(sandbox, monkeypatch, sandbox.email, sandbox.password)
    entry = sandbox.log()[-1]
    assert (entry["operation"], entry["code"], entry["scheme"]) == ("ResolveNames", "WebPage", "basic")
    # Nobody looked at the password, so nothing is locked.
    sandbox.control("POST", "/limits", {"ews_face": "ews"})
    client.password = sandbox.password
    assert client.get_folder(calendar_of(owner)).status == 200


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("", "https://mail.other.example/EWS/Exchange.asmx"),
        ("https://mail.corp.example/owa/", "https://mail.corp.example/owa/"),
    ],
)
def test_a_redirect_to_another_host(client, sandbox, monkeypatch, target, location):
    sandbox.control("POST", "/limits", {"ews_face": "redirect", "ews_redirect": target})
    answer = client.raw(b"")
    assert (answer.status, answer.headers["location"]) == (302, location)
    with pytest.raises(RedirectError):
        resolve(sandbox, monkeypatch, sandbox.email, sandbox.password)
    assert last(sandbox) == (302, "Redirect", False)


def test_blocked_ews_is_forbidden_after_the_log_on(client, sandbox):
    sandbox.control("POST", "/limits", {"ews_face": "blocked"})
    answer = client.raw(b"")
    assert (answer.status, answer.body, answer.headers["restrict-access-confirm"]) == (403, b"", "1")
    assert last(sandbox) == (403, "EwsBlocked", False)
    client.password = "wrong"
    assert client.raw(b"").status == 401
    assert last(sandbox) == (401, "Unauthorized", True)


def test_an_account_without_a_mailbox_logs_on_and_has_no_folder(stranger, sandbox, owner):
    change(sandbox, stranger, mailbox=False)
    assert stranger.get_folder(OWN).codes == ["ErrorMissingEmailAddress"]
    sandbox.control("POST", "/limits", {"no_mailbox_code": "ErrorNonExistentMailbox"})
    assert stranger.get_folder(OWN).codes == ["ErrorNonExistentMailbox"]
    assert last(sandbox) == (200, "ErrorNonExistentMailbox", False)
    assert stranger.get_folder(calendar_of(stranger.user)).codes == ["ErrorNonExistentMailbox"]
    sandbox.control("POST", "/permission", {"owner": owner, "grantee": stranger.user, "level": "Reviewer"})
    assert stranger.get_folder(calendar_of(owner)).codes == ["NoError"]
    change(sandbox, stranger, mailbox=True)
    assert stranger.get_folder(OWN).codes == ["NoError"]


@pytest.mark.parametrize(
    ("state", "code"),
    [("expired", "ErrorPasswordExpired"), ("disabled", "ErrorAccountDisabled")],
)
def test_accounts_whose_time_is_over(stranger, sandbox, state, code):
    sandbox.control("POST", "/limits", {"lock_after": 1})
    change(sandbox, stranger, state=state)
    for _ in range(2):
        assert stranger.get_folder(OWN).fault == code
        assert last(sandbox) == (500, code, True)
    sandbox.control("POST", "/limits", {"account_refusal": "401"})
    assert stranger.get_folder(OWN).status == 401
    assert last(sandbox) == (401, code, True)
    # The password was right: nothing was counted. Who does not know it learns nothing of the state.
    right, stranger.password = stranger.password, "wrong"
    assert stranger.get_folder(OWN).status == 401
    assert last(sandbox) == (401, "Unauthorized", True)
    assert sandbox.control("POST", "/account", {"email": stranger.user, "state": "normal", "locked": False}) == {}
    stranger.password = right
    assert stranger.get_folder(OWN).codes == ["NoError"]


@pytest.mark.parametrize("auth_type", [exchangelib.BASIC, exchangelib.NTLM])
def test_exchangelib_reads_that_a_password_expired(stranger, sandbox, monkeypatch, auth_type):
    sandbox.control("POST", "/limits", {"auth": ["basic", "ntlm"]})
    change(sandbox, stranger, state="expired")
    with pytest.raises(ErrorPasswordExpired):
        resolve(sandbox, monkeypatch, stranger.user, stranger.password, auth_type)


def test_a_new_password_ends_the_expiry_and_not_the_disabling(stranger, sandbox):
    for state, status in (("expired", 200), ("disabled", 500)):
        change(sandbox, stranger, state=state)
        sandbox.control("POST", "/password", {"email": stranger.user, "password": f"new {state}"})
        stranger.password = f"new {state}"
        assert stranger.get_folder(OWN).status == status


def test_a_locked_account_looks_like_a_wrong_password_and_only_the_log_tells(stranger, sandbox, monkeypatch):
    change(sandbox, stranger, locked=True)
    locked = stranger.get_folder(OWN)
    assert last(sandbox) == (401, "AccountLocked", True)
    with pytest.raises(UnauthorizedError):
        resolve(sandbox, monkeypatch, stranger.user, stranger.password)
    change(sandbox, stranger, locked=False)
    assert stranger.get_folder(OWN).status == 200
    stranger.password = "wrong"
    wrong = stranger.get_folder(OWN)
    ignored = {"date"}
    assert {k: v for k, v in locked.headers.items() if k not in ignored} == {
        k: v for k, v in wrong.headers.items() if k not in ignored
    }
    assert (locked.status, locked.body) == (wrong.status, wrong.body)


def test_two_step_verification_needs_an_app_password(stranger, sandbox):
    sandbox.control("POST", "/limits", {"auth": ["basic", "ntlm"], "lock_after": 1})
    change(sandbox, stranger, two_step=True)
    for _ in range(2):
        assert stranger.get_folder(OWN).status == 401
        assert last(sandbox) == (401, "SecondStepRequired", True)
    assert handshake(stranger, stranger.user, stranger.password) == 401
    ordinary = stranger.password
    change(sandbox, stranger, app_password="abcd efgh ijkl mnop")
    stranger.password = "abcd efgh ijkl mnop"
    assert stranger.get_folder(OWN).status == 200
    assert handshake(stranger, stranger.user, stranger.password) == 500
    stranger.password = ordinary
    assert stranger.get_folder(OWN).status == 401
    change(sandbox, stranger, two_step=False, app_password="")
    assert stranger.get_folder(OWN).status == 200
    stranger.password = "abcd efgh ijkl mnop"
    assert stranger.get_folder(OWN).status == 401


@pytest.mark.parametrize("auth_type", [exchangelib.BASIC, exchangelib.NTLM])
def test_a_good_password_is_refused_under_load(sandbox, monkeypatch, auth_type):
    sandbox.control("POST", "/limits", {"auth": ["basic", "ntlm"], "lock_after": 1})
    sandbox.control("POST", "/faults", {"kind": "http_401", "operation": "ResolveNames", "count": 1})
    with pytest.raises(UnauthorizedError):
        resolve(sandbox, monkeypatch, sandbox.email, sandbox.password, auth_type)
    assert last(sandbox) == (401, "http_401", False)
    assert resolve(sandbox, monkeypatch, sandbox.email, sandbox.password, auth_type)


def test_a_self_signed_certificate_is_trusted_by_those_who_were_given_it():
    with running_sandbox("--owners", "1", "--self-signed") as sandbox:
        place = urllib.parse.urlsplit(sandbox.ews_url)
        stranger = http.client.HTTPSConnection("localhost", place.port, context=ssl.create_default_context(), timeout=30)
        with pytest.raises(ssl.SSLCertVerificationError) as caught:
            stranger.request("GET", place.path)
        assert caught.value.verify_code == 18
        stranger.close()
        client = Client(sandbox)
        assert client.get_folder(OWN).codes == ["NoError"]
        client.close()


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/account", {"email": "nobody@corp.example", "state": "expired"}, 404, "has no password"),
        ("/account", {"email": "EMAIL", "state": "gone"}, 400, "must be one of normal, expired, disabled"),
        ("/account", {"email": "EMAIL", "two_step": True, "locked": "yes"}, 400, "locked must be true or false"),
        ("/application", {"client_id": 7}, 400, "client_id"),
        ("/limits", {"auth": ["kerberos"]}, 400, "some of basic, ntlm, bearer"),
        ("/limits", {"auth": "basic"}, 400, "must be a list"),
        ("/limits", {"auth": ["basic", "basic"]}, 400, "must be a list"),
        ("/limits", {"logon_names": [{}]}, 400, "some of email, upn, domain"),
        ("/limits", {"ews_face": "owa"}, 400, "must be one of ews, html"),
    ],
)
def test_wrong_orders_are_refused_and_change_nothing(client, sandbox, path, body, status, message):
    before = sandbox.control("GET", "/limits")
    body = {key: sandbox.email if value == "EMAIL" else value for key, value in body.items()}
    with pytest.raises(ControlError, match=message) as caught:
        sandbox.control("POST", path, body)
    assert caught.value.status == status
    assert sandbox.control("GET", "/limits") == before
    assert client.get_folder(OWN).status == 200
