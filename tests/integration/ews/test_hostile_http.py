"""Servers that answer wrongly, slowly, too much, or not at all."""

import base64
import gzip
import logging
import socket
import traceback
from concurrent.futures import ThreadPoolExecutor

import pytest

from busytime.errors import (
    AuthenticationError,
    BusyTimeError,
    FatalError,
    Reason,
    ServerBusyError,
    ServerUnavailableError,
    SpoiltAnswerError,
    UnsupportedServerError,
)
from busytime.model import BusyTime
from tests.integration.ews.conftest import PASSWORD, WINDOW
from tests.integration.ews.hostile import (
    SUBJECT,
    answering,
    availability,
    bomb,
    event,
    fault,
    folder_error,
    mailbox,
    response,
    serving,
    soap,
)

DETAILS = f"<t:CalendarEventDetails><t:Subject>{SUBJECT}</t:Subject></t:CalendarEventDetails>"
GOOD = availability(mailbox(event("2026-11-24T09:00:00", "2026-11-24T10:00:00", more=DETAILS)))
LAUGHS = (
    '<!DOCTYPE s:Envelope [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>'
)
HTML = f"<!DOCTYPE html><html><head><title>Outlook</title></head><body>{SUBJECT}</body></html>"


def failure_of(gateway):
    """Return what reading one owner's busy time raises, after looking for leaks in all that could be printed."""
    with pytest.raises(BusyTimeError) as caught:
        gateway.read_availability(["ana@corp.example"], WINDOW)
    error = caught.value
    printed = "".join(traceback.format_exception(error)) + repr(error) + str(error.detail)
    assert SUBJECT not in printed
    assert PASSWORD not in printed
    assert "Envelope" not in printed
    assert error.__cause__ is None
    assert error.__context__ is None
    assert "ana@corp.example" in str(error)
    return error


def test_details_sent_unasked_are_never_touched(connect):
    with serving(answering(GOOD)) as server:
        (answer,) = connect(server.url()).read_availability(["ana@corp.example"], WINDOW)
    assert isinstance(answer, BusyTime)
    assert len(answer.intervals) == 1
    assert SUBJECT not in repr(answer)


def test_connection_is_kept_open_between_requests(connect):
    def play(server, connection):
        while server.read_request(connection):
            connection.sendall(response(GOOD))

    with serving(play) as server:
        gateway = connect(server.url())
        for _ in range(3):
            gateway.read_availability(["ana@corp.example"], WINDOW)
        gateway.close()
    assert (server.connections, len(server.received)) == (1, 3)


@pytest.mark.parametrize(
    ("status", "headers", "kind", "reason"),
    [
        ("401 Unauthorized", ["WWW-Authenticate: Basic"], AuthenticationError, Reason.LOGON_REFUSED),
        ("401 Unauthorized", ["Connection: close"], AuthenticationError, Reason.LOGON_REFUSED),
        ("403 Forbidden", [], UnsupportedServerError, Reason.EWS_BLOCKED),
        ("404 Not Found", [], UnsupportedServerError, Reason.NOT_AN_EWS_SERVER),
        ("405 Method Not Allowed", [], UnsupportedServerError, Reason.NOT_AN_EWS_SERVER),
        ("301 Moved", ["Location: https://mail.example/owa"], UnsupportedServerError, Reason.NOT_AN_EWS_SERVER),
        ("302 Found", ["Location: /ews/genericerrorpage.htm?x=1"], SpoiltAnswerError, Reason.SERVER_ERROR),
        ("200 OK", ["Content-Type: text/html"], UnsupportedServerError, Reason.NOT_AN_EWS_SERVER),
        ("500 Internal Server Error", [], SpoiltAnswerError, Reason.SERVER_ERROR),
        ("502 Bad Gateway", [], SpoiltAnswerError, Reason.SERVER_ERROR),
        ("503 Service Unavailable", [], ServerUnavailableError, Reason.SERVER_UNREACHABLE),
        ("503 Service Unavailable", ["Retry-After: soon"], ServerUnavailableError, Reason.SERVER_UNREACHABLE),
        ("503 Service Unavailable", ["Retry-After: 12"], ServerBusyError, Reason.SERVER_BUSY),
        ("429 Too Many Requests", [], ServerBusyError, Reason.SERVER_BUSY),
    ],
)
def test_http_statuses_are_told_apart(connect, guard, status, headers, kind, reason):
    with serving(answering(HTML, status, headers)) as server:
        error = failure_of(connect(server.url()))
    assert type(error) is kind
    assert error.reason is reason
    assert guard.left_by == [error]
    assert len(server.received) == 1


def test_error_page_without_content_is_an_error_of_the_server(connect):
    with serving(answering("", "500 Internal Server Error")) as server:
        error = failure_of(connect(server.url()))
    assert error.reason is Reason.SERVER_ERROR


def test_environment_names_no_proxy_and_no_other_log_on(connect, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else")
    netrc.chmod(0o600)
    with serving(answering(GOOD)) as proxy, serving(answering(GOOD)) as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url(""))
        monkeypatch.setenv("NETRC", str(netrc))
        connect(server.url()).read_availability(["ana@corp.example"], WINDOW)
    assert proxy.connections == 0
    expected = base64.b64encode(f"busytime@corp.example:{PASSWORD}".encode())
    assert b"Authorization: Basic " + expected in server.received[0]


def test_threads_share_the_connections_and_get_their_own_answers(connect):
    def play(server, connection):
        while request := server.read_request(connection):
            day = request.partition(b"<t:Address>owner")[2][:2].decode()
            connection.sendall(response(availability(mailbox(event(f"2026-12-{day}T09:00:00", f"2026-12-{day}T10:00:00")))))

    with serving(play) as server:
        gateway = connect(server.url(), max_connections=2)

        def read(day):
            (answer,) = gateway.read_availability([f"owner{day:02}@corp.example"], WINDOW)
            return answer.intervals[0][0].day

        with ThreadPoolExecutor(8) as threads:
            days = list(threads.map(read, [*range(1, 29)] * 2))
        gateway.close()
    assert days == [*range(1, 29)] * 2
    assert server.connections == 2


def test_retry_after_is_kept(connect):
    with serving(answering("", "503 Service Unavailable", ["Retry-After: 12"])) as server:
        error = failure_of(connect(server.url()))
    assert error.back_off_seconds == 12


def test_web_mail_address_gets_the_right_one_proposed(connect):
    with serving(answering("", "302 Found", ["Location: /owa/auth/logon.aspx"])) as server:
        error = failure_of(connect(server.url("/owa/")))
    assert "https://127.0.0.1/EWS/Exchange.asmx" in str(error)


def test_nothing_is_sent_to_the_host_of_a_redirect(connect):
    with (
        serving(answering(GOOD)) as other,
        serving(answering("x" * 2000, "307 Temporary Redirect", [f"Location: {other.url()}"])) as server,
    ):
        failure_of(connect(server.url()))
    assert other.connections == 0


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", Reason.MALFORMED_ANSWER),
        ("not xml at all", Reason.MALFORMED_ANSWER),
        ("<a><b></a>", Reason.MALFORMED_ANSWER),
        (f"<note>{SUBJECT}</note>", Reason.MALFORMED_ANSWER),
        (soap(""), Reason.MALFORMED_ANSWER),
        (soap("<m:GetFolderResponse/>"), Reason.MALFORMED_ANSWER),
        (LAUGHS + soap("&c;"), Reason.MALFORMED_ANSWER),
        (LAUGHS + GOOD, Reason.MALFORMED_ANSWER),
        ('<!DOCTYPE x SYSTEM "file:///etc/hostname">' + GOOD, Reason.MALFORMED_ANSWER),
        ("<!-- c -->\n<?pi x?>" + LAUGHS + GOOD, Reason.MALFORMED_ANSWER),
        (("\ufeff" + GOOD).encode("utf-16-le"), Reason.MALFORMED_ANSWER),
        (
            ('<?xml version="1.0" encoding="utf-7"?>' + GOOD).replace("Busy<", "\u00e4<").encode("latin-1"),
            Reason.MALFORMED_ANSWER,
        ),
        (f"<{SUBJECT.replace(' ', '_')}>&nbsp;</x>", Reason.MALFORMED_ANSWER),
    ],
)
def test_answers_that_cannot_be_read(connect, body, reason):
    with serving(answering(body)) as server:
        error = failure_of(connect(server.url()))
    assert type(error) is SpoiltAnswerError
    assert error.reason is reason


def test_characters_that_xml_forbids_do_not_spoil_an_answer(connect):
    body = GOOD.replace(SUBJECT, "bell &#x7; and &#11; and &#x41;")
    with serving(answering(body)) as server:
        (answer,) = connect(server.url()).read_availability(["ana@corp.example"], WINDOW)
    assert isinstance(answer, BusyTime)


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip"])
def test_packed_answer_is_read(connect, encoding):
    packed = gzip.compress(GOOD[:50].encode()) + gzip.compress(GOOD[50:].encode())
    with serving(answering(packed, headers=[f"Content-Encoding: {encoding}"])) as server:
        (answer,) = connect(server.url()).read_availability(["ana@corp.example"], WINDOW)
    assert isinstance(answer, BusyTime)


@pytest.mark.parametrize(
    ("body", "encoding", "reason"),
    [
        (bomb(64), "gzip", Reason.ANSWER_TOO_LARGE),
        (b" " * (2**20 + 1), "identity", Reason.ANSWER_TOO_LARGE),
        (gzip.compress(bomb(8)), "gzip, gzip", Reason.MALFORMED_ANSWER),
        (b"\x1f\x8b broken", "gzip", Reason.MALFORMED_ANSWER),
        (gzip.compress(GOOD.encode())[:-12], "gzip", Reason.CONNECTION_LOST),
        (GOOD.encode(), "br", Reason.MALFORMED_ANSWER),
    ],
)
def test_packings_have_limits(connect, body, encoding, reason):
    with serving(answering(body, headers=[f"Content-Encoding: {encoding}"])) as server:
        error = failure_of(connect(server.url(), max_answer_bytes=2**20))
    assert error.reason is reason


def test_large_answer_within_the_limit_is_read(connect):
    padding = "<!-- " + "x" * 20_000 + " -->"
    with serving(answering(GOOD.replace("<s:Body>", "<s:Body>" + padding * 600))) as server:
        (answer,) = connect(server.url()).read_availability(["ana@corp.example"], WINDOW)
    assert isinstance(answer, BusyTime)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (response(GOOD, length=len(GOOD) + 500), Reason.CONNECTION_LOST),
        (response(GOOD, length=len(GOOD) - 20), Reason.MALFORMED_ANSWER),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nabc", Reason.CONNECTION_LOST),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\nabc", Reason.CONNECTION_LOST),
        (b"", Reason.CONNECTION_LOST),
        (b"HTTP/1.1 200 OK\r\nContent-Le", Reason.MALFORMED_ANSWER),
        (SUBJECT.encode() + b"\r\n\r\n", Reason.MALFORMED_ANSWER),
    ],
)
def test_broken_http_is_a_spoilt_answer(connect, answer, reason):
    def play(server, connection):
        server.read_request(connection)
        return answer

    with serving(play) as server:
        error = failure_of(connect(server.url()))
    assert type(error) is SpoiltAnswerError
    assert error.reason in {reason, Reason.CONNECTION_LOST}


def dribble(data):
    def play(server, connection):
        server.read_request(connection)
        for place in range(len(data)):
            connection.sendall(data[place : place + 1])
            if server.closing.wait(0.05):
                return

    return play


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n"])
def test_dribble_in_headers_and_body_meets_the_deadline(connect, head):
    def play(server, connection):
        server.read_request(connection)
        connection.sendall(head)
        while not server.closing.wait(0.05):
            connection.sendall(b"X-A: b\r\n")

    with serving(play) as server:
        error = failure_of(connect(server.url(), deadline=0.5))
    assert (type(error), error.reason) == (SpoiltAnswerError, Reason.TIMED_OUT)


def test_dribbled_status_line_meets_the_deadline(connect):
    with serving(dribble(b"HTTP/1.1 200 OK" + b" " * 2000)) as server:
        error = failure_of(connect(server.url(), deadline=0.5))
    assert error.reason is Reason.TIMED_OUT


def test_endless_interim_answers_meet_the_deadline(connect):
    def play(server, connection):
        server.read_request(connection)
        while not server.closing.wait(0.01):
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

    with serving(play) as server:
        error = failure_of(connect(server.url(), deadline=0.5))
    assert error.reason is Reason.TIMED_OUT


def test_silent_server_meets_the_deadline(connect):
    def play(server, connection):
        server.read_request(connection)
        server.closing.wait(5)

    with serving(play) as server:
        error = failure_of(connect(server.url(), deadline=0.3))
    assert (type(error), error.reason) == (SpoiltAnswerError, Reason.TIMED_OUT)


def test_port_that_nobody_listens_on_is_unavailable(connect):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    error = failure_of(connect(f"http://127.0.0.1:{port}/EWS/Exchange.asmx"))
    assert (type(error), error.reason) == (ServerUnavailableError, Reason.SERVER_UNREACHABLE)


def test_name_that_does_not_resolve_is_unavailable(connect, monkeypatch):
    def no_such_name(*_args, **_kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_such_name)
    error = failure_of(connect("https://mail.corp.example/EWS/Exchange.asmx"))
    assert (type(error), error.reason) == (ServerUnavailableError, Reason.SERVER_UNREACHABLE)
    assert "mail.corp.example" in str(error)


BACK_OFF = (
    '<t:MessageXml xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types">'
    '<t:Value Name="BackOffMilliseconds">2500</t:Value></t:MessageXml>'
)


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        ("ErrorServerBusy", ServerBusyError, Reason.SERVER_BUSY),
        ("ErrorExceededConnectionCount", ServerBusyError, Reason.SERVER_BUSY),
        ("ErrorTooManyObjectsOpened", ServerBusyError, Reason.SERVER_BUSY),
        ("ErrorPasswordExpired", AuthenticationError, Reason.LOGON_REFUSED),
        ("ErrorAccountDisabled", AuthenticationError, Reason.LOGON_REFUSED),
        ("ErrorInternalServerError", SpoiltAnswerError, Reason.SERVER_ERROR),
        ("ErrorInternalServerTransientError", SpoiltAnswerError, Reason.SERVER_ERROR),
        ("ErrorMailboxDataArrayTooBig", SpoiltAnswerError, Reason.SERVER_ERROR),
        ("ErrorSomethingBrandNew", FatalError, Reason.UNEXPECTED),
        ("ErrorSchemaValidation", FatalError, Reason.UNEXPECTED),
    ],
)
def test_faults_are_translated_and_keep_their_code(connect, guard, code, kind, reason):
    with serving(answering(fault(code, BACK_OFF), "500 Internal Server Error")) as server:
        error = failure_of(connect(server.url()))
    assert (type(error), error.reason, error.detail) == (kind, reason, code)
    assert guard.left_by == [error]
    if kind is ServerBusyError:
        assert error.back_off_seconds == 2.5


def test_code_that_does_not_look_like_one_is_dropped(connect):
    with serving(answering(fault(SUBJECT), "500 Internal Server Error")) as server:
        error = failure_of(connect(server.url()))
    assert (type(error), error.detail) == (FatalError, None)


@pytest.mark.parametrize("code", ["ErrorMissingEmailAddress", "ErrorNonExistentMailbox", "ErrorFolderNotFound"])
@pytest.mark.parametrize("whole", [True, False])
def test_probe_of_an_account_without_mailbox_says_so(connect, code, whole):
    with (
        serving(answering(fault(code) if whole else folder_error(code))) as server,
        pytest.raises(UnsupportedServerError) as caught,
    ):
        connect(server.url()).probe()
    assert (caught.value.reason, caught.value.detail) == (Reason.NO_MAILBOX, code)
    assert SUBJECT not in str(caught.value)
    assert "busytime@corp.example" in str(caught.value)


def test_expired_password_inside_a_good_answer_passes_through_the_guard(connect, guard):
    with serving(answering(folder_error("ErrorPasswordExpired"))) as server, pytest.raises(AuthenticationError) as caught:
        connect(server.url()).probe()
    assert guard.left_by == [caught.value]
    assert caught.value.detail == "ErrorPasswordExpired"


def test_answer_for_fewer_mailboxes_than_asked_is_given_to_nobody(connect):
    with serving(answering(GOOD)) as server, pytest.raises(SpoiltAnswerError) as caught:
        connect(server.url()).read_availability(["ana@corp.example", "bo@corp.example"], WINDOW)
    assert caught.value.reason is Reason.MISSING_ANSWER


def test_answer_for_nobody_is_missing_for_the_one_asked(connect):
    with serving(answering(availability())) as server:
        (answer,) = connect(server.url()).read_availability(["ana@corp.example"], WINDOW)
    assert answer.reason is Reason.MISSING_ANSWER


def test_no_log_handler_sees_a_password_a_request_or_an_answer(connect):
    records = []

    class Keep(logging.Handler):
        def emit(self, record):
            records.append(self.format(record))

    root, handler = logging.getLogger(), Keep()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    odd_header = response(GOOD, headers=[f"X-Odd {SUBJECT}", ": " + SUBJECT])
    try:
        for answer in (response(HTML), response(GOOD), odd_header, response(fault("ErrorServerBusy"), "500 Oops"), b""):

            def play(server, connection, answer=answer):
                server.read_request(connection)
                return answer

            with serving(play) as server:
                gateway = connect(server.url())
                try:
                    gateway.read_availability(["ana@corp.example"], WINDOW)
                except BusyTimeError:
                    logging.getLogger("test").exception("failed")
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
    said = "\n".join(records)
    assert "failed" in said
    for secret in (PASSWORD, SUBJECT, "Authorization", "Basic ", "Envelope", "MailboxData"):
        assert secret not in said
