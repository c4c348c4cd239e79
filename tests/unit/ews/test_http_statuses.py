"""What an HTTP status says about logging on, with the next step."""

import pytest
import requests

from busytime.errors import AuthenticationError, Reason, UnsupportedServerError
from busytime.ews.failures import Request
from busytime.ews.http_statuses import offered_schemes, status_error
from busytime.model import AuthType

ONLINE, OWN = "https://outlook.office365.com/EWS/Exchange.asmx", "https://mail.corp.example/EWS/Exchange.asmx"


def answer(status, **headers):
    response = requests.Response()
    response.status_code = status
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    response.request = requests.Request("POST", OWN).prepare()
    return response


def error_of(url, status, auth_type=AuthType.BASIC, **headers):
    return status_error(answer(status, **headers), Request("eva@corp.example", url, "Logging on as eva@corp.example"), auth_type)


@pytest.mark.parametrize(
    ("header", "schemes"),
    [
        ("", ()),
        ("Negotiate, NTLM", ("NTLM", "Negotiate")),
        ('Basic realm="x, NTLM y \\" , Bearer"', ("Basic",)),
        ('Bearer client_id="a", trusted_issuers="b,c", Basic Realm=""', ("Basic", "Bearer")),
        ("NTLM TlRMTVNTUAAC==", ("NTLM",)),
        ("Digest realm=x, Weird", ()),
        ("basic", ("Basic",)),
    ],
)
def test_offers_are_read_whatever_stands_between_them(header, schemes):
    assert offered_schemes(answer(401, WWW_Authenticate=header)) == schemes


@pytest.mark.parametrize("auth_type", [AuthType.BASIC, AuthType.NTLM])
@pytest.mark.parametrize("offer", ["", 'Basic Realm=""', 'Bearer client_id="x"'])
def test_exchange_online_takes_no_password(auth_type, offer):
    error = error_of(ONLINE, 401, auth_type, WWW_Authenticate=offer)
    assert (type(error), error.reason) == (UnsupportedServerError, Reason.PASSWORDS_ENDED)
    assert "--auth oauth" in str(error)


def test_refused_password_names_the_usual_causes_and_both_commands():
    error = error_of(OWN, 401, WWW_Authenticate="Basic")
    assert type(error) is AuthenticationError
    for words in ("user name or the password is wrong", "locked", "two-step", "app password", "DOMAIN\\user", "busytime connect"):
        assert words in str(error)


@pytest.mark.parametrize(
    ("auth_type", "offer", "words"),
    [
        (AuthType.BASIC, "Negotiate, NTLM", "does not offer Basic, only NTLM, Negotiate"),
        (AuthType.OAUTH, "Basic", "does not offer Bearer, only Basic"),
        (AuthType.NTLM, "Negotiate", "only Negotiate"),
    ],
)
def test_way_that_is_not_offered_is_no_refusal(auth_type, offer, words):
    error = error_of(OWN, 401, auth_type, WWW_Authenticate=offer)
    assert (type(error), error.reason) == (UnsupportedServerError, Reason.NO_LOGON_METHOD)
    assert words in str(error)


def test_offers_that_nobody_knows_are_not_quoted():
    assert type(error_of(OWN, 401, WWW_Authenticate="Takeover realm=x")) is AuthenticationError
    assert "Takeover" not in str(error_of(OWN, 401, WWW_Authenticate="Takeover, NTLM"))


def test_exchange_online_that_forbids_ews_says_until_when_it_lasts():
    error = error_of(ONLINE, 403)
    assert error.reason is Reason.EWS_BLOCKED
    for words in ("2026-10-01", "2027-04-01", "EwsEnabled"):
        assert words in str(error)
        assert words not in str(error_of(OWN, 403))


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("https://other.corp.example/x?secret", "another host, other.corp.example"),
        ("/owa/auth", "leads to another address"),
        ("https://MAIL.corp.example/owa", "another page of its own"),
        ("https://a b/", "leads to another address"),
        ("https://[bad", "leads to another address"),
        ("https://" + "x" * 300, "leads to another address"),
        ("https://evil`rm`.example/", "leads to another address"),
    ],
)
def test_redirect_names_the_host_alone_if_it_is_a_plain_name(location, words):
    error = error_of(OWN, 302, Location=location)
    assert (type(error), error.reason) == (UnsupportedServerError, Reason.REDIRECTED)
    assert words in str(error)
    assert "secret" not in str(error)
    assert "`rm`" not in str(error)
    assert "--ews-url" in str(error)


def test_redirect_of_a_web_mail_proposes_the_right_address():
    error = error_of("https://mail.corp.example/owa/", 302, Location="/owa/auth/logon.aspx")
    assert OWN in str(error)
