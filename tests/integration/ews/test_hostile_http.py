"""Servers that answer wrongly, slowly, too much, or not at all."""

import base64
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from busytime.errors import (
    AuthenticationError,
    BusyTimeError,
    ConfigurationError,
    FatalError,
    Reason,
    ServerBusyError,
    ServerUnavailableError,
    SpoiltAnswerError,
    TooManyMailboxesError,
    UnsupportedServerError,
)
from busytime.model import BusyTime
from tests.integration.ews.conftest import PASSWORD, WINDOW
from tests.integration.ews.failing import GOOD, failure_of
from tests.integration.ews.hostile import (
    SUBJECT,
    answering,
    availability,
    event,
    fault,
    folder_error,
    mailbox,
    response,
    serving,
)

HTML = f"<!DOCTYPE html><html><head><title>Outlook</title></head><body>{SUBJECT}</body></html>"


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
        ("401 Unauthorized", ["WWW-Authenticate: NTLM"], UnsupportedServerError, Reason.NO_LOGON_METHOD),
        ("301 Moved", ["Location: https://mail.example/owa"], UnsupportedServerError, Reason.REDIRECTED),
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


def test_closing_ends_requests_that_still_wait_for_a_connection(connect):
    under_way = threading.Event()
    closed = threading.Event()

    def play(server, connection):
        server.read_request(connection)
        under_way.set()
        closed.wait(5)
        return response(GOOD)

    with serving(play) as server, ThreadPoolExecutor(2) as threads:
        gateway = connect(server.url(), max_connections=1)
        first = threads.submit(gateway.read_availability, ["ana@corp.example"], WINDOW)
        under_way.wait(5)
        second = threads.submit(gateway.read_availability, ["bo@corp.example"], WINDOW)
        gateway.close()
        closed.set()
        assert len(first.result(5)) == 1
        with pytest.raises(ConfigurationError, match="closed"):
            second.result(5)
    assert len(server.received) == 1


def test_retry_after_is_kept(connect):
    with serving(answering("", "503 Service Unavailable", ["Retry-After: 12"])) as server:
        error = failure_of(connect(server.url()))
    assert error.back_off_seconds == 12


def test_web_mail_address_gets_the_right_one_proposed(connect):
    with serving(answering("", "302 Found", ["Location: /owa/auth/logon.aspx"])) as server:
        error = failure_of(connect(server.url("/owa/")))
    assert f"https://127.0.0.1:{server.port}/EWS/Exchange.asmx" in str(error)


def test_nothing_is_sent_to_the_host_of_a_redirect(connect):
    with (
        serving(answering(GOOD)) as other,
        serving(answering("x" * 2000, "307 Temporary Redirect", [f"Location: {other.url()}"])) as server,
    ):
        failure_of(connect(server.url()))
    assert other.connections == 0


BACK_OFF = (
    '<t:MessageXml xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types">'
    '<t:Value Name="BackOffMilliseconds">2500</t:Value></t:MessageXml>'
)


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        ("ErrorServerBusy", ServerBusyError, Reason.SERVER_BUSY),
        ("ErrorExceededConnectionCount", ServerBusyError, Reason.SERVER_BUSY),
        ("ErrorTooManyObjectsOpened", TooManyMailboxesError, Reason.TOO_MANY_MAILBOXES),
        ("ErrorPasswordExpired", AuthenticationError, Reason.PASSWORD_EXPIRED),
        ("ErrorPasswordChangeRequired", AuthenticationError, Reason.PASSWORD_EXPIRED),
        ("ErrorAccountDisabled", AuthenticationError, Reason.ACCOUNT_DISABLED),
        ("ErrorImpersonateUserDenied", UnsupportedServerError, Reason.IMPERSONATION_DENIED),
        ("ErrorInvalidExchangeImpersonationHeaderData", UnsupportedServerError, Reason.IMPERSONATION_DENIED),
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


def test_merged_mailbox_that_spoils_its_own_request_costs_the_others_nothing(connect):
    def play(server, connection):
        if b">FreeBusyMerged<" in server.read_request(connection):
            return response(SUBJECT)
        return response(availability(mailbox("", "MergedOnly"), mailbox("")))

    with serving(play) as server:
        first, second = connect(server.url()).read_availability(["ana@corp.example", "bo@corp.example"], WINDOW)
    assert first.reason is Reason.MALFORMED_ANSWER
    assert second == BusyTime(())


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
