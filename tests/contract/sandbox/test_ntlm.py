"""NTLM: a log-on of a connection in three requests, and the names that the directory knows."""

from __future__ import annotations

import base64

import exchangelib
import pytest
import spnego
from exchangelib.errors import UnauthorizedError

from deployments.sandbox import ntlm
from tests.contract.sandbox import library
from tests.contract.sandbox.client import Client, calendar_of, handshake, send_ntlm


@pytest.fixture(autouse=True)
def only_ntlm(sandbox, monkeypatch):
    sandbox.control("POST", "/limits", {"auth": ["ntlm"]})
    with library.trusting(sandbox, monkeypatch):
        yield


def since(sandbox) -> int:
    return sandbox.log()[-1]["n"] if sandbox.log() else 0


def steps(sandbox, start: int) -> list[tuple[int, str, bool]]:
    return [(one["http_status"], one["code"], one["refused_logon"]) for one in sandbox.log(start)]


def test_exchangelib_logs_on_once_for_a_connection(sandbox, owner):
    credentials = exchangelib.Credentials(sandbox.email, sandbox.password)
    start = since(sandbox)
    protocol = library.account(sandbox, credentials, exchangelib.NTLM).protocol
    for _ in range(3):
        (found,) = protocol.resolve_names([owner])
        assert found.email_address == owner
    good = (200, "NoError", False)
    assert steps(sandbox, start) == [(401, "NoCredentials", False), (401, "Challenge", False), good, good, good]
    assert [one["scheme"] for one in sandbox.log(start)] == [None, "ntlm", "ntlm", None, None]
    assert {one["caller"] for one in sandbox.log(start)[2:]} == {sandbox.email}


def test_exchangelib_finds_the_log_on_by_itself(sandbox, owner):
    credentials = exchangelib.Credentials(f"CORP\\{sandbox.email.split('@')[0]}", sandbox.password)
    account = library.account(sandbox, credentials, exchangelib.NTLM, owner, guess=True)
    assert account.protocol.auth_type == exchangelib.NTLM
    assert account.calendar.name == "Calendar"


@pytest.mark.parametrize("offered", [["ntlm", "basic"], ["basic", "ntlm"]])
def test_ntlm_works_beside_basic(sandbox, owner, client, offered):
    sandbox.control("POST", "/limits", {"auth": offered})
    credentials = exchangelib.Credentials(sandbox.email, sandbox.password)
    assert library.account(sandbox, credentials, exchangelib.NTLM).protocol.resolve_names([owner])
    assert client.get_folder(calendar_of(owner)).status == 200
    offer = client.raw(b"", log_on=False).headers["www-authenticate"]
    assert offer == {"ntlm": "NTLM", "basic": 'Basic realm="corp.example"'}[offered[-1]]


def test_a_wrong_password_is_one_refused_log_on_although_it_takes_three_answers(sandbox):
    credentials = exchangelib.Credentials(sandbox.email, "wrong")
    start = since(sandbox)
    with pytest.raises(UnauthorizedError):
        library.account(sandbox, credentials, exchangelib.NTLM).protocol.resolve_names(["anyone"])
    assert steps(sandbox, start) == [(401, "NoCredentials", False), (401, "Challenge", False), (401, "Unauthorized", True)]
    assert sandbox.log(start)[-1]["caller"] == sandbox.email


def test_wrong_passwords_lock_the_account_one_by_one(sandbox, stranger):
    sandbox.control("POST", "/limits", {"lock_after": 2})
    start = since(sandbox)
    for password in ("wrong 1", "wrong 2", stranger.password):
        assert handshake(stranger, stranger.user, password) == 401
    codes = [code for _, code, refused in steps(sandbox, start) if refused]
    assert codes == ["Unauthorized", "Unauthorized", "AccountLocked"]


def test_passwords_before_the_present_one_do_not_count(sandbox, stranger):
    sandbox.control("POST", "/limits", {"lock_after": 1})
    before = stranger.password
    sandbox.control("POST", "/password", {"email": stranger.user, "password": "pässwörd: mit €"})
    assert handshake(stranger, stranger.user, before) == 401
    assert handshake(stranger, stranger.user, "pässwörd: mit €") == 500


def test_further_requests_pass_on_that_connection_and_on_no_other(sandbox, stranger):
    other = Client(sandbox, stranger.user, stranger.password)
    assert handshake(stranger, stranger.user, stranger.password) == 500
    assert stranger.raw(b"", log_on=False).status == 500
    assert other.raw(b"", log_on=False).status == 401
    other.close()
    # The connection stays good when the password changes: that is what makes it one log-on.
    sandbox.control("POST", "/password", {"email": stranger.user, "password": "another"})
    assert stranger.raw(b"", log_on=False).status == 500


def test_an_answer_to_the_challenge_of_another_connection_proves_nothing(sandbox, stranger):
    other = Client(sandbox, stranger.user, stranger.password)
    start = since(sandbox)
    assert handshake(stranger, stranger.user, stranger.password, other=other) == 401
    assert steps(sandbox, start)[-1] == (401, "NoCredentials", False)
    other.close()


def test_an_answer_cannot_be_used_twice(stranger):
    context = spnego.client(stranger.user, stranger.password, protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm)
    token = base64.b64decode(send_ntlm(stranger, context.step()).headers["www-authenticate"].partition(" ")[2])
    answer = context.step(token)
    assert send_ntlm(stranger, answer).status == 500
    assert send_ntlm(stranger, answer).status == 401
    assert stranger.raw(b"", log_on=False).status == 401


@pytest.mark.parametrize(
    ("forms", "known"),
    [
        (["email", "upn", "domain"], {"email", "upn", "domain", "bare"}),
        (["email"], {"email"}),
        (["upn"], {"upn"}),
        (["domain"], {"domain", "bare"}),
    ],
)
def test_the_forms_of_a_name_are_switched(sandbox, stranger, forms, known):
    short = stranger.user.split("@")[0]
    names = {
        "email": stranger.user,
        "upn": f"{short}@corp.local",
        "domain": f"CORP\\{short}",
        "bare": short,
        "other": f"OTHER\\{short}",
    }
    sandbox.control("POST", "/limits", {"logon_names": forms, "auth": ["ntlm", "basic"], "lock_after": 1})
    for form, name in names.items():
        basic = Client(sandbox, name, stranger.password)
        passed = {basic.raw(b"").status == 500, handshake(stranger, name, stranger.password) == 500}
        basic.close()
        assert passed == {form in known}, form
    # A name that the directory does not know counts against nobody.
    assert handshake(stranger, names["other"], "wrong") == 401
    assert sandbox.log()[-1]["caller"] is None


def test_basic_is_not_even_looked_at_where_it_is_not_offered(client, sandbox):
    sandbox.control("POST", "/limits", {"lock_after": 1})
    client.password = "wrong"
    start = since(sandbox)
    assert [client.raw(b"").status for _ in range(2)] == [401, 401]
    assert steps(sandbox, start) == [(401, "SchemeNotOffered", False)] * 2
    assert handshake(client, sandbox.email, sandbox.password) == 500


@pytest.mark.parametrize("rubbish", [b"", b"x", b"NTLMSSP\x00", b"NTLMSSP\x00\x03\x00\x00\x00" + b"\xff" * 60, b"\x00" * 99])
def test_rubbish_is_refused_and_hurts_nobody(stranger, rubbish):
    assert send_ntlm(stranger, rubbish).status == 401
    context = spnego.client(stranger.user, stranger.password, protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm)
    send_ntlm(stranger, context.step())
    assert send_ntlm(stranger, rubbish).status == 401
    assert handshake(stranger, stranger.user, stranger.password) == 500


def test_broken_messages_are_one_kind_of_error():
    context = spnego.client("eva", "secret", protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm)
    challenge = ntlm.challenge(context.step())
    good = context.step(challenge.message)
    assert challenge.answer(good).proves("secret")
    assert not challenge.answer(good).proves("Secret")
    for length in range(len(good)):
        try:
            answer = challenge.answer(good[:length])
        except ntlm.NtlmError:
            continue
        assert not answer.proves("another")
    with pytest.raises(ntlm.NtlmError):
        challenge.answer(challenge.message)


def test_version_1_is_refused(monkeypatch):
    monkeypatch.setenv("LM_COMPAT_LEVEL", "2")
    context = spnego.client("eva", "secret", protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm)
    challenge = ntlm.challenge(context.step())
    with pytest.raises(ntlm.NtlmError, match="version 2"):
        challenge.answer(context.step(challenge.message))
