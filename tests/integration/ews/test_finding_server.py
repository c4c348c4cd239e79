"""Finding a server in the sandbox: what is told, what is sent, and who is ever shown a password."""

import urllib.parse
from pathlib import Path

import pytest

from busytime.errors import AuthenticationError, ConfigurationError, Reason, UnsupportedServerError
from busytime.ews.autodiscover_answers import PATH
from busytime.model import AuthType, Secret
from tests.integration.ews.finding import EMAIL, finder, refused, world
from tests.sandbox_fixture import running_sandbox

HOSTS = ("corp.example", "autodiscover.corp.example", "mail.corp.example")


@pytest.fixture(scope="module")
def shared():
    with running_sandbox("--owners", "2") as sandbox:
        yield sandbox, sandbox.control("GET", "/limits")


@pytest.fixture
def sandbox(shared):
    running, usual = shared
    yield running
    running.control("POST", "/limits", usual)


@pytest.fixture
def names(sandbox, monkeypatch):
    """Lead the names of the sandbox's certificate to it."""
    port = urllib.parse.urlsplit(sandbox.ews_url).port
    with world(monkeypatch) as names:
        for host in (*HOSTS, "localhost"):
            names.lead(host, 443, port)
        names.lead("localhost", port, port)
        yield names


@pytest.fixture
def found(sandbox, names):  # noqa: ARG001 -- the names lead there
    return finder(Path(sandbox.ca_file).read_text())


@pytest.fixture
def secret(sandbox):
    return Secret(sandbox.email, sandbox.password)


def since(sandbox):
    return max((one["n"] for one in sandbox.log()), default=0)


def told(sandbox, start):
    return [(one["http_status"], one["scheme"], one["refused_logon"]) for one in sandbox.log(start)]


def test_places_of_the_own_domain_are_seen_without_a_log_on(found, sandbox):
    start = since(sandbox)
    places = list(found.look(EMAIL))
    assert [(place.url, place.host, place.email) for place in places] == [
        (f"https://{host}{PATH}", host, EMAIL) for host in HOSTS[:2]
    ]
    assert {place.auth_types for place in places} == {frozenset({AuthType.BASIC})}
    assert told(sandbox, start) == [(401, None, False)] * 2


@pytest.mark.parametrize(("schemes", "sent"), [(["basic"], ["basic"]), (["ntlm", "basic"], ["ntlm", "ntlm"])])
def test_one_log_on_tells_the_url(found, sandbox, secret, schemes, sent):
    sandbox.control("POST", "/limits", {"auth": schemes})
    place = next(found.look(EMAIL))
    assert place.auth_types == {AuthType(scheme) for scheme in schemes}
    start = since(sandbox)
    assert found.ask(place, secret) == sandbox.ews_url
    log = sandbox.log(start)
    assert [one["scheme"] for one in log] == sent
    assert log[-1]["http_status"] == 200
    assert log[-1]["mailboxes"] == [EMAIL]


@pytest.mark.parametrize("scheme", ["basic", "ntlm"])
def test_a_wrong_password_is_one_refused_log_on(found, sandbox, scheme):
    sandbox.control("POST", "/limits", {"auth": [scheme]})
    place = next(found.look(EMAIL))
    start = since(sandbox)
    error = refused(lambda: found.ask(place, Secret(EMAIL, "not the password")))
    assert isinstance(error, AuthenticationError)
    assert [one["refused_logon"] for one in sandbox.log(start)].count(True) == 1
    assert sandbox.log(start)[-1]["http_status"] == 401


@pytest.mark.parametrize("mode", ["absent", "html", "redirect"])
def test_where_there_is_no_autodiscover_nothing_is_found(found, sandbox, mode):
    sandbox.control("POST", "/limits", {"autodiscover": mode})
    start = since(sandbox)
    assert list(found.look(EMAIL)) == []
    assert all(scheme is None for _, scheme, _ in told(sandbox, start))


def test_redirects_before_the_log_on_are_followed_bare(found, sandbox):
    target = f"https://mail.corp.example{PATH}"
    sandbox.control("POST", "/limits", {"autodiscover": "redirect", "autodiscover_target": target})
    start = since(sandbox)
    (place,) = found.look(EMAIL)
    assert (place.url, place.host) == (target, "mail.corp.example")
    assert sorted(status for status, _, _ in told(sandbox, start)) == [302, 302, 401, 401]
    assert all(scheme is None for _, scheme, _ in told(sandbox, start))


@pytest.mark.parametrize("mode", ["redirect_after_logon", "redirect_url"])
def test_where_a_log_on_leads_to_is_looked_at_bare(found, sandbox, secret, mode):
    target = f"https://mail.corp.example{PATH}"
    sandbox.control("POST", "/limits", {"autodiscover": mode, "autodiscover_target": target})
    place = next(found.look(EMAIL))
    start = since(sandbox)
    onward = found.ask(place, secret)
    assert (onward.url, onward.host, onward.email) == (target, "mail.corp.example", EMAIL)
    assert onward.auth_types == {AuthType.BASIC}
    assert [scheme for _, scheme, _ in told(sandbox, start)] == ["basic", None]
    assert found.ask(onward, secret) == sandbox.ews_url


@pytest.mark.parametrize("mode", ["redirect_after_logon", "redirect_url", "redirect_address"])
def test_a_place_that_leads_nowhere_says_to_give_the_url(found, names, sandbox, secret, mode):
    sandbox.control("POST", "/limits", {"autodiscover": mode})
    place = next(found.look(EMAIL))
    start = since(sandbox)
    error = refused(lambda: found.ask(place, secret))
    assert len(sandbox.log(start)) == 1
    assert {host for host, _ in names.asked} & {"mail.other.example", "autodiscover.other.example"}
    assert "--ews-url" in str(error) or error.reason is Reason.SERVER_UNREACHABLE


def test_another_address_is_asked_for_at_the_same_place(found, sandbox, secret):
    sandbox.control("POST", "/limits", {"autodiscover": "redirect_address", "autodiscover_target": "owner0001@corp.example"})
    place = next(found.look(EMAIL))
    onward = found.ask(place, secret)
    assert (onward.url, onward.email) == (place.url, "owner0001@corp.example")
    start = since(sandbox)
    assert found.ask(onward, secret) == sandbox.ews_url
    assert sandbox.log(start)[-1]["mailboxes"] == ["owner0001@corp.example"]


def test_an_address_that_is_nobodys_names_no_server(found, secret):
    place = next(found.look("nobody@corp.example"))
    error = refused(lambda: found.ask(place, secret))
    assert (type(error), error.reason, error.detail) == (
        ConfigurationError,
        Reason.MAILBOX_NOT_FOUND,
        "autodiscover_500",
    )
    assert "docs/connecting.md" in str(error)


@pytest.mark.parametrize(
    ("schemes", "offers"),
    [
        (["basic"], {AuthType.BASIC}),
        (["ntlm", "basic"], {AuthType.NTLM, AuthType.BASIC}),
        (["bearer"], {AuthType.OAUTH}),
    ],
)
def test_what_an_ews_url_offers_takes_one_bare_request(found, sandbox, schemes, offers):
    sandbox.control("POST", "/limits", {"auth": schemes})
    start = since(sandbox)
    assert found.offered(sandbox.ews_url) == offers
    assert told(sandbox, start) == [(401, None, False)]


def test_web_mail_is_no_ews_url(found, sandbox):
    error = refused(lambda: found.offered(sandbox.ews_url.replace("/EWS/Exchange.asmx", "/owa/")))
    assert (type(error), error.reason) == (UnsupportedServerError, Reason.NOT_AN_EWS_SERVER)
    assert "web mail" in str(error)
    assert "/EWS/Exchange.asmx" in str(error)


@pytest.mark.parametrize(("face", "reason"), [("html", Reason.NOT_AN_EWS_SERVER), ("redirect", Reason.REDIRECTED)])
def test_other_faces_of_an_ews_url_are_told_apart(found, sandbox, face, reason):
    sandbox.control("POST", "/limits", {"ews_face": face})
    error = refused(lambda: found.offered(sandbox.ews_url))
    assert (type(error), error.reason) == (UnsupportedServerError, reason)
