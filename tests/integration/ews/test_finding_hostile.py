"""Finding a server among hosts that mislead, stall, flood or lie: what is found, and what no host is ever shown."""

import base64
import contextlib
import logging
import time
from pathlib import Path

import pytest

from busytime.errors import (
    AuthenticationError,
    ConfigurationError,
    Reason,
    ServerUnavailableError,
    SpoiltAnswerError,
    UnsupportedServerError,
)
from busytime.ews.autodiscover_answers import PATH
from busytime.model import AuthType, Secret
from busytime.server_finding import LogOnPlace
from tests.integration.ews.conftest import PASSWORD
from tests.integration.ews.finding import EMAIL, by_host, error, finder, moved, refused, serving, settings, wants, world
from tests.integration.ews.hostile import SUBJECT, response, server_context

OWN = "autodiscover.corp.example"
FOREIGN = "mail.other.example"
EWS = "https://mail.corp.example/EWS/Exchange.asmx"
BASIC = frozenset({AuthType.BASIC})
SECRET = Secret(EMAIL, PASSWORD)


@pytest.fixture
def names(monkeypatch):
    with world(monkeypatch, {"_autodiscover._tcp.corp.example.": [f"0 0 443 {FOREIGN}."]}) as names:
        yield names


@pytest.fixture
def quiet(monkeypatch):
    """Names without SRV records."""
    with world(monkeypatch) as names:
        yield names


@pytest.fixture
def host(authority, quiet):
    """Run a host with a good certificate until the test ends."""
    with contextlib.ExitStack() as stack:

        def run(name, play, *, days=2, certified=None):
            context = server_context(authority.issue(host=certified or name, days=days))
            server = stack.enter_context(serving(play, context))
            quiet.lead(name, 443, server.port)
            return server

        yield run


def place(offers=BASIC, name=OWN):
    return LogOnPlace(f"https://{name}{PATH}", name, EMAIL, offers)


def heads(server):
    return [request.partition(b"\r\n\r\n")[0].lower() for request in server.received]


def answering(data):
    return lambda server, connection: data if server.read_request(connection) else None


def test_own_places_come_first_and_each_once(host, authority, quiet):
    own = host(OWN, answering(wants("NTLM", 'Basic realm="a, Bearer b"')))
    other = host(FOREIGN, answering(wants("Basic")))
    host("corp.example", answering(moved(f"https://{FOREIGN}{PATH}")))
    with serving(answering(moved(f"https://{OWN}{PATH}"))) as plain:
        quiet.lead(OWN, 80, plain.port)
        places = list(finder(authority.pem).look(EMAIL))
    assert places == [place(frozenset({AuthType.NTLM, AuthType.BASIC})), place(name=FOREIGN)]
    (request,) = plain.received
    assert request.startswith(b"GET " + PATH.encode())
    assert EMAIL.encode() not in request
    for head in [*heads(own), *heads(other), *heads(plain)]:
        assert b"authorization" not in head
        assert b"cookie" not in head


def test_srv_records_are_asked_last(names, authority):
    with serving(answering(wants("Basic")), server_context(authority.issue(host=FOREIGN))) as server:
        names.lead(FOREIGN, 443, server.port)
        assert list(finder(authority.pem).look(EMAIL)) == [place(name=FOREIGN)]


def test_what_plain_http_says_beside_a_redirect_to_https_counts_for_nothing(quiet, authority):
    for answer in (wants("Basic"), response(settings(("EXPR", EWS))), moved(f"http://{OWN}/x"), moved("javascript:x")):
        with serving(answering(answer)) as plain:
            quiet.lead(OWN, 80, plain.port)
            assert list(finder(authority.pem).look(EMAIL)) == []
            assert len(plain.received) == 1


@pytest.mark.parametrize("target", [f"http://{OWN}{PATH}", f"https://{OWN}{PATH}", "https://user:x@a.example/", ""])
def test_redirects_in_a_circle_or_without_https_end_the_look(host, authority, target):
    server = host(OWN, answering(moved(target)))
    assert list(finder(authority.pem).look(EMAIL)) == []
    assert len(server.received) == 1


def test_an_endless_chain_is_left_after_five_redirects(host, authority):
    count = iter(range(100))
    server = host(OWN, lambda server, connection: server.read_request(connection) and moved(f"/{next(count)}"))
    assert list(finder(authority.pem).look(EMAIL)) == []
    assert len(server.received) == 6


def test_cookies_are_not_carried_on(host, authority):
    first = response("", "302 Found", [f"Location: https://{OWN}/b", "Set-Cookie: a=b; Path=/"])
    server = host(OWN, by_host({OWN: [first, wants("Basic")]}))
    assert len(list(finder(authority.pem).look(EMAIL))) == 1
    assert all(b"cookie" not in head for head in heads(server))


def test_a_domain_where_nobody_answers_costs_one_short_look(monkeypatch):
    with world(monkeypatch, None) as names, serving(lambda server, _: server.closing.wait(5) and None) as silent:
        for name in ("corp.example", OWN):
            names.lead(name, 443, silent.port)
        names.lead(OWN, 80, silent.port)
        started = time.monotonic()
        assert list(finder(None, 0.5).look(EMAIL)) == []
        assert silent.connections == 3
        assert time.monotonic() - started < 4  # one deadline for all together, far from ten requests' worth


def test_a_chain_of_slow_redirects_shares_one_deadline(host, authority):
    def play(server, connection):
        server.read_request(connection)
        server.closing.wait(0.2)
        return moved(f"/{len(server.received)}")

    server = host(OWN, play)
    assert list(finder(authority.pem, 0.5).look(EMAIL)) == []
    assert len(server.received) < 5


def test_an_own_place_with_a_strange_certificate_is_reported_when_nothing_was_found(host, authority):
    server = host(OWN, answering(wants("Basic")))
    failure = refused(lambda: list(finder(None).look(EMAIL)))
    assert (type(failure), failure.reason) == (UnsupportedServerError, Reason.CERTIFICATE_NOT_TRUSTED)
    assert OWN in str(failure)
    assert "Contoso private authority" in str(failure)
    assert server.received == []
    host("corp.example", answering(wants("Basic")))
    assert list(finder(authority.pem).look(EMAIL)) == [place(name="corp.example"), place()]


def test_a_certificate_for_another_host_is_no_place(host, authority):
    server = host(OWN, answering(wants("Basic")), certified=FOREIGN)
    failure = refused(lambda: list(finder(authority.pem).look(EMAIL)))
    assert "another host name" in str(failure)
    failure = refused(lambda: finder(authority.pem).ask(place(), SECRET))
    assert failure.reason is Reason.CERTIFICATE_NOT_TRUSTED
    assert server.received == []


def test_what_is_wrong_with_somebody_elses_certificate_is_not_reported(host, authority):
    host(OWN, answering(moved(f"https://{FOREIGN}{PATH}")))
    host(FOREIGN, answering(wants("Basic")), days=-1)
    assert list(finder(authority.pem).look(EMAIL)) == []


def test_nothing_of_a_log_on_is_logged(host, authority, caplog):
    caplog.set_level(logging.DEBUG)
    host(OWN, answering(response(settings(more=SUBJECT))))
    refused(lambda: finder(authority.pem).ask(place(), SECRET))
    for part in (PASSWORD, base64.b64encode(f"{EMAIL}:{PASSWORD}".encode()).decode(), SUBJECT, "Authorization"):
        assert part not in caplog.text


@pytest.mark.parametrize(
    "answer",
    [
        response(settings(("EXPR", "http://mail.corp.example/EWS"), ("EXCH", "https://evil.example\\.corp.example/"))),
        response(settings()),
        response(error("601")),
        response("<!DOCTYPE html><html><body>" + SUBJECT + "</body></html>"),
        response('<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><Autodiscover>&b;</Autodiscover>'),
        response("rubbish"),
        response("", "404 Not Found"),
        response("", "403 Forbidden"),
        response("", "500 Internal Server Error"),
        response(settings(action="redirectUrl", more="<RedirectUrl>http://a.example/</RedirectUrl>")),
        response(settings(action="redirectAddr", more=f"<RedirectAddr>{EMAIL}</RedirectAddr>")),
        response(settings(action="redirectAddr", more="<RedirectAddr>x/../y</RedirectAddr>")),
        response(settings(action="redirectAddr", more="<RedirectAddr>a@nowhere.example</RedirectAddr>")),
        moved("http://mail.corp.example/"),
        moved(f"https://{OWN}{PATH}"),
    ],
)
def test_answers_that_name_no_server_say_to_give_the_url(host, authority, answer):
    server = host(OWN, by_host({OWN: [answer, wants("Basic")]}))
    failure = refused(lambda: finder(authority.pem).ask(place(), SECRET))
    assert type(failure) is ConfigurationError
    assert "--ews-url" in str(failure)
    assert "docs/connecting.md#ews-url" in str(failure)
    assert [b"authorization: basic" in head for head in heads(server)] == [True, False][: len(server.received)]


def test_the_section_that_messages_name_is_there():
    page = Path(__file__).resolve().parents[3] / "docs" / "connecting.md"
    assert '<a id="ews-url"></a>' in page.read_text()


def test_a_redirect_is_never_followed_with_the_password(host, authority):
    own = host(OWN, answering(moved(f"https://{FOREIGN}{PATH}")))
    other = host(FOREIGN, answering(wants("Basic")))
    assert finder(authority.pem).ask(place(), SECRET) == place(name=FOREIGN)
    assert [b"authorization" in head for head in heads(own) + heads(other)] == [True, False]


def test_a_redirect_to_a_certificate_that_is_not_trusted_says_so(host, authority):
    host(OWN, answering(moved(f"https://{FOREIGN}{PATH}")))
    other = host(FOREIGN, answering(wants("Basic")), days=-1)
    failure = refused(lambda: finder(authority.pem).ask(place(), SECRET))
    assert failure.reason is Reason.CERTIFICATE_NOT_TRUSTED
    assert FOREIGN in str(failure)
    assert other.received == []


@pytest.mark.parametrize("schemes", [["Basic"], [], ["Basic", "Negotiate"]])
def test_a_refusal_is_asked_once(host, authority, schemes):
    server = host(OWN, answering(wants(*schemes)))
    assert type(refused(lambda: finder(authority.pem).ask(place(), SECRET))) is AuthenticationError
    assert len(server.received) == 1


def test_the_password_is_not_shown_where_ntlm_is_offered(host, authority):
    server = host(OWN, answering(wants("NTLM", "Basic")))
    failure = refused(lambda: finder(authority.pem).ask(place(frozenset({AuthType.NTLM, AuthType.BASIC})), SECRET))
    assert failure.reason is not Reason.LOGON_REFUSED
    assert all(b"authorization: ntlm" in head for head in heads(server))


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        (place(frozenset({AuthType.OAUTH})), Reason.PASSWORDS_ENDED),
        (place(frozenset()), Reason.NO_LOGON_METHOD),
        (place(name="autodiscover-s.outlook.com"), Reason.PASSWORDS_ENDED),
    ],
)
def test_nothing_is_sent_where_no_password_is_taken(quiet, where, reason):
    failure = refused(lambda: finder(None).ask(where, SECRET))
    assert (type(failure), failure.reason, quiet.asked) == (UnsupportedServerError, reason, [])


@pytest.mark.parametrize(
    "where",
    [
        LogOnPlace(f"https://{FOREIGN}{PATH}", OWN, EMAIL, BASIC),
        LogOnPlace(f"http://{OWN}{PATH}", OWN, EMAIL, BASIC),
        LogOnPlace(f"https://{FOREIGN}\\.corp.example/", f"{FOREIGN}\\.corp.example", EMAIL, BASIC),
    ],
)
def test_a_place_that_is_not_its_host_is_shown_nothing(quiet, where):
    assert type(refused(lambda: finder(None).ask(where, SECRET))) is ConfigurationError
    assert quiet.asked == []


def test_a_huge_answer_is_not_read_to_its_end(host, authority):
    host(OWN, answering(response(settings(more="<x>" + "a" * 2**21 + "</x>"))))
    failure = refused(lambda: finder(authority.pem).ask(place(), SECRET))
    assert (type(failure), failure.reason) == (ConfigurationError, Reason.ANSWER_TOO_LARGE)


def test_a_dribbled_answer_meets_the_deadline(host, authority):
    def play(server, connection):
        server.read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n")
        while not server.closing.wait(0.05):
            connection.sendall(b"<")

    host(OWN, play)
    failure = refused(lambda: finder(authority.pem, 0.5).ask(place(), SECRET))
    assert (type(failure), failure.reason) == (SpoiltAnswerError, Reason.TIMED_OUT)


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        (wants("Digest realm=x", "Negotiate"), UnsupportedServerError, Reason.NO_LOGON_METHOD),
        (wants(), UnsupportedServerError, Reason.NO_LOGON_METHOD),
        (response("<html>" + SUBJECT + "</html>"), UnsupportedServerError, Reason.NOT_AN_EWS_SERVER),
        (response("", "404 Not Found"), UnsupportedServerError, Reason.NOT_AN_EWS_SERVER),
        (response("", "403 Forbidden"), UnsupportedServerError, Reason.EWS_BLOCKED),
        (moved("https://a.example/"), UnsupportedServerError, Reason.REDIRECTED),
        (response("", "500 Oh"), SpoiltAnswerError, Reason.SERVER_ERROR),
        (response("", "503 Later"), ServerUnavailableError, Reason.SERVER_UNREACHABLE),
    ],
)
def test_what_stands_at_an_ews_url_is_told_apart(host, authority, answer, kind, reason):
    server = host("mail.corp.example", answering(answer))
    failure = refused(lambda: finder(authority.pem).offered(EWS))
    assert (type(failure), failure.reason) == (kind, reason)
    assert "mail.corp.example" in str(failure)
    (head,) = heads(server)
    assert b"authorization" not in head


def test_exchange_online_takes_tokens_whatever_it_offers(host, authority):
    host("outlook.office365.com", answering(wants('Basic realm=""', "Bearer")))
    assert finder(authority.pem).offered("https://outlook.office365.com/EWS/Exchange.asmx") == {AuthType.OAUTH}


@pytest.mark.parametrize("url", ["http://mail.corp.example/EWS/Exchange.asmx", "mail.corp.example", "https://a:b@corp.example/"])
def test_an_ews_url_that_is_none_is_refused_unasked(quiet, url):
    with pytest.raises(ConfigurationError):
        finder(None).offered(url)
    assert quiet.asked == []
