"""Token endpoints that are slow, silent, garbled, elsewhere, or say no; nothing of them reaches a reader."""

import json
import logging
from urllib.parse import parse_qs

import pytest

from busytime.errors import (
    AuthenticationError,
    BusyTimeError,
    Reason,
    ServerBusyError,
    ServerUnavailableError,
    UnsupportedServerError,
)
from busytime.model import AuthType
from tests.integration.ews.conftest import PASSWORD, WINDOW
from tests.integration.ews.failing import GOOD, leak_free
from tests.integration.ews.hostile import SUBJECT, answering, response, server_context, serving

TOKEN = "a-token.of_many~parts+and/ends=="
PATH = "/tenant/oauth2/v2.0/token"


def granted(**changes):
    fields = {"token_type": "Bearer", "expires_in": 3599, "access_token": TOKEN} | changes
    return json.dumps({name: value for name, value in fields.items() if value is not None})


def said_no(error, number=None, description=SUBJECT):
    return json.dumps({"error": error, "error_description": description, "error_codes": [number] if number else []})


@pytest.fixture
def ask(connect):
    """Read busy time with a token of a server that plays something; return the answer or the error, and both servers."""

    def run(play, context=None, *, ews=GOOD, **more):
        with serving(play, context) as tokens, serving(answering(ews)) as server:
            gateway = connect(server.url(), auth_type=AuthType.OAUTH, token_url=tokens.url(PATH), **more)
            try:
                outcome = gateway.read_availability(["ana@corp.example"], WINDOW)
            except BusyTimeError as error:
                outcome = leak_free(error, TOKEN)
            return outcome, tokens, server

    return run


def test_token_is_asked_for_with_a_form_and_sent_with_the_request(ask, guard):
    outcome, tokens, server = ask(answering(granted()))
    assert len(outcome) == 1
    head, _, form = tokens.received[0].decode().partition("\r\n\r\n")
    assert head.startswith(f"POST {PATH} ")
    assert "Authorization" not in head
    assert {name: values[0] for name, values in parse_qs(form).items()} == {
        "grant_type": "client_credentials",
        "client_id": "busytime@corp.example",
        "client_secret": PASSWORD,
        "scope": "https://outlook.office365.com/.default",
    }
    assert f"Authorization: Bearer {TOKEN}".encode() in server.received[0]
    assert b"PrimarySmtpAddress>busytime@corp.example</" in server.received[0]
    assert b"X-AnchorMailbox: busytime@corp.example" in server.received[0]
    assert guard.log_ons == [True, False]


@pytest.mark.parametrize("seconds", ["3599", 1e9, None, 0.5])
def test_lives_are_read_calmly(ask, seconds):
    outcome, _, _ = ask(answering(granted(expires_in=seconds)))
    assert len(outcome) == 1


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "{",
        "[]",
        "null",
        '"text"',
        "[" * 100_000,
        b"\xff\xfe",
        "<html>" + SUBJECT,
        granted(access_token=None),
        granted(access_token=""),
        granted(access_token=5),
        granted(access_token="two\r\nlines: " + SUBJECT),
        granted(access_token="a\x00b"),
        granted(access_token="\u00fcber"),
        granted(access_token="x" * 40_000),
        granted(token_type="mac"),
        granted(token_type=5),
        granted(expires_in=-1),
        granted(expires_in=0),
        granted(expires_in=True),
        granted(expires_in="soon"),
        granted(expires_in=[]),
        granted().replace("3599", "NaN"),
        granted().replace("3599", "1e999"),
        granted().replace("3599", "9" * 5000),
    ],
)
def test_unusable_answers_may_be_tried_again_and_nothing_is_sent_with_them(ask, guard, answer):
    error, _, server = ask(answering(answer))
    assert (type(error), error.reason) == (ServerUnavailableError, Reason.MALFORMED_ANSWER)
    assert (server.connections, guard.left_by) == (0, [error])


def test_huge_answer_is_not_read(ask):
    error, _, _ = ask(answering(" " * 2**19))
    assert (type(error), error.reason) == (ServerUnavailableError, Reason.ANSWER_TOO_LARGE)


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n{"])
def test_silence_and_dribble_meet_the_deadline(ask, head):
    def play(server, connection):
        server.read_request(connection)
        connection.sendall(head)
        while not server.closing.wait(0.05) and head:
            connection.sendall(b"X-A: b\r\n")
        server.closing.wait(5)

    error, _, server = ask(play, deadline=0.4)
    # Nothing reached the calendar server, so a write would not be in doubt.
    assert (type(error), error.reason, server.connections) == (ServerUnavailableError, Reason.TIMED_OUT, 0)


def test_connection_that_closes_is_unavailable(ask):
    error, _, _ = ask(lambda server, connection: server.read_request(connection) and None)
    assert (type(error), error.reason) == (ServerUnavailableError, Reason.CONNECTION_LOST)


@pytest.mark.parametrize("status", ["302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
def test_secret_never_crosses_a_redirect(ask, status):
    with serving(answering(granted())) as other:
        error, _, _ = ask(answering("", status, [f"Location: {other.url(host='localhost')}"]))
    assert (type(error), error.reason, other.connections) == (UnsupportedServerError, Reason.REDIRECTED, 0)
    assert "localhost" in str(error)
    assert "--tenant" in str(error)


@pytest.mark.parametrize(
    ("status", "headers", "kind", "reason"),
    [
        ("404 Not Found", [], UnsupportedServerError, Reason.NOT_AN_EWS_SERVER),
        ("403 Forbidden", [], UnsupportedServerError, Reason.NOT_AN_EWS_SERVER),
        ("429 Too Many", ["Retry-After: 7"], ServerBusyError, Reason.SERVER_BUSY),
        ("503 Service Unavailable", ["Retry-After: 7"], ServerBusyError, Reason.SERVER_BUSY),
        ("503 Service Unavailable", [], ServerUnavailableError, Reason.SERVER_UNREACHABLE),
        ("500 Oops", [], ServerUnavailableError, Reason.SERVER_ERROR),
    ],
)
def test_statuses_are_told_apart(ask, status, headers, kind, reason):
    error, _, _ = ask(answering(f"<html>{SUBJECT}</html>", status, headers))
    assert (type(error), error.reason) == (kind, reason)
    assert not (error.detail or "").startswith("http_")  # which would speak of the calendar server


@pytest.mark.parametrize(
    ("answer", "kind", "reason", "detail"),
    [
        (said_no("invalid_client", 7000215), AuthenticationError, Reason.LOGON_REFUSED, "AADSTS7000215"),
        (said_no("invalid_client", 7000112), AuthenticationError, Reason.ACCOUNT_DISABLED, "AADSTS7000112"),
        (said_no("invalid_client"), AuthenticationError, Reason.LOGON_REFUSED, None),
        (
            said_no("invalid_client", None, "AADSTS7000222: " + SUBJECT),
            AuthenticationError,
            Reason.LOGON_REFUSED,
            "AADSTS7000222",
        ),
        (said_no("invalid_request", 90002), AuthenticationError, Reason.LOGON_REFUSED, "AADSTS90002"),
        (said_no("access_denied", 53003), AuthenticationError, Reason.LOGON_REFUSED, "AADSTS53003"),
        (said_no("invalid_scope", 1002012), UnsupportedServerError, Reason.NO_LOGON_METHOD, "AADSTS1002012"),
        (said_no("unsupported_grant_type"), UnsupportedServerError, Reason.NO_LOGON_METHOD, None),
        (said_no(SUBJECT), UnsupportedServerError, Reason.NO_LOGON_METHOD, None),
        (said_no("temporarily_unavailable", 90033), ServerUnavailableError, Reason.SERVER_ERROR, "AADSTS90033"),
    ],
)
def test_refusals_keep_their_number_and_no_word_of_the_server(ask, guard, answer, kind, reason, detail):
    error, _, server = ask(answering(answer, "400 Bad Request"))
    assert (type(error), error.reason, error.detail) == (kind, reason, detail)
    assert (guard.left_by, server.connections) == ([error], 0)


def test_private_sign_in_is_trusted_beside_the_public_ones(ask, authority):
    outcome, _, _ = ask(answering(granted()), server_context(authority.issue()), ca_pem=authority.pem)
    assert len(outcome) == 1


def test_sign_in_that_is_not_trusted_sees_no_secret(ask, authority):
    error, tokens, _ = ask(answering(granted()), server_context(authority.issue()))
    assert (type(error), error.reason) == (UnsupportedServerError, Reason.CERTIFICATE_NOT_TRUSTED)
    assert "Contoso private authority" in str(error)
    assert tokens.received == []


def test_sign_in_that_does_not_speak_tls_leaves_no_write_in_doubt(connect):
    with serving(lambda _server, _connection: b"HTTP/1.1 400 No\r\n\r\n") as tokens, serving(answering(GOOD)) as server:
        url = tokens.url(PATH).replace("http:", "https:")
        gateway = connect(server.url(), auth_type=AuthType.OAUTH, token_url=url)
        with pytest.raises(UnsupportedServerError) as caught:
            gateway.remove_entry("ana@corp.example", "AAMk")
    assert server.connections == 0
    assert "--tenant" in str(leak_free(caught.value))


def test_no_log_handler_sees_secret_or_token(ask, caplog):
    caplog.set_level(logging.DEBUG)
    ask(answering(granted()))
    ask(answering(granted(access_token="x\r\n" + SUBJECT)))
    ask(lambda _server, _connection: response(said_no("invalid_client", 7000215), "401 No", [f"X-Odd {SUBJECT}"]))
    assert not [word for word in (PASSWORD, TOKEN, SUBJECT, "Bearer", "client_secret") if word in caplog.text]
