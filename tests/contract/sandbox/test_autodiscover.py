"""Autodiscover by SOAP and by plain XML, and what a misconfigured one says."""

from __future__ import annotations

import gc
import urllib.parse
from urllib.request import parse_http_list

import exchangelib
import pytest
import urllib3.util.connection
from exchangelib.autodiscover import Autodiscovery, autodiscover_cache
from exchangelib.autodiscover import cache as autodiscover_files
from exchangelib.errors import AutoDiscoverFailed, ErrorNonExistentMailbox, UnauthorizedError
from lxml import etree

from tests.contract.sandbox import library
from tests.contract.sandbox.client import Client

SOAP_PATH = "/autodiscover/autodiscover.svc"
# exchangelib leaves connections to whom it was redirected to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")

POX_PATH = "/Autodiscover/Autodiscover.xml"
A = "{http://schemas.microsoft.com/exchange/2010/Autodiscover}"
ASK = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:a="http://schemas.microsoft.com/exchange/2010/'
    'Autodiscover"><s:Body><a:GetUserSettingsRequestMessage><a:Request><a:Users>{users}</a:Users><a:RequestedSettings>'
    "<a:Setting>ExternalEwsUrl</a:Setting><a:Setting>MobileMailboxPolicy</a:Setting></a:RequestedSettings></a:Request>"
    "</a:GetUserSettingsRequestMessage></s:Body></s:Envelope>"
)
POX = (
    '<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"><Request>'
    "<EMailAddress>{}</EMailAddress><AcceptableResponseSchema>http://schemas.microsoft.com/exchange/autodiscover/outlook/"
    "responseschema/2006a</AcceptableResponseSchema></Request></Autodiscover>"
)


@pytest.fixture
def discover(sandbox, monkeypatch, tmp_path):
    """Let exchangelib look for an address; the names in the sandbox's certificate lead to it, no other name anywhere."""
    port = urllib.parse.urlsplit(sandbox.ews_url).port
    connect = urllib3.util.connection.create_connection
    asked = []

    def create_connection(address, *args, **kwargs):
        asked.append(address[0])
        if address[0] != "localhost" and not address[0].endswith("corp.example"):
            raise ConnectionRefusedError(address[0])
        return connect(("127.0.0.1", port), *args, **kwargs)

    monkeypatch.setattr(urllib3.util.connection, "create_connection", create_connection)
    monkeypatch.setattr(Autodiscovery, "_ensure_valid_hostname", lambda *_: None)
    monkeypatch.setattr(Autodiscovery, "_get_srv_records", lambda *_: [])
    monkeypatch.setattr(autodiscover_files, "AUTODISCOVER_PERSISTENT_STORAGE", tmp_path / "cache")

    def discover(email=None, password=None):
        asked.clear()
        credentials = exchangelib.Credentials(sandbox.email, password or sandbox.password)
        response, protocol = Autodiscovery(email=email or sandbox.email, credentials=credentials).discover()
        return response, protocol

    discover.asked = asked
    with library.trusting(sandbox, monkeypatch):
        yield discover
        autodiscover_cache.clear()
    gc.collect()


def since(sandbox) -> int:
    return sandbox.log()[-1]["n"] if sandbox.log() else 0


def told(sandbox, start: int) -> list[tuple]:
    return [(one["operation"], one["http_status"], one["refused_logon"]) for one in sandbox.log(start)]


def soap(client: Client, *addresses: str) -> etree._Element:
    users = "".join(f"<a:User><a:Mailbox>{one}</a:Mailbox></a:User>" for one in addresses)
    answer = client.raw(ASK.format(users=users).encode(), path=SOAP_PATH)
    assert answer.status == 200
    return etree.fromstring(answer.body)


def pox(client: Client, address: str) -> dict[str, str]:
    """Return the texts of the answer by their elements' names, the first of each."""
    answer = client.raw(POX.format(address).encode(), path=POX_PATH)
    assert answer.status == 200
    texts: dict[str, str] = {}
    for element in etree.fromstring(answer.body).iter():
        texts.setdefault(etree.QName(element).localname, element.text or "")
    return texts


@pytest.mark.parametrize("schemes", [["basic"], ["ntlm"]])
def test_exchangelib_discovers_the_url_and_works_with_it(discover, sandbox, owner, schemes):
    sandbox.control("POST", "/limits", {"auth": schemes})
    start = since(sandbox)
    response, protocol = discover()
    assert response.ews_url == sandbox.ews_url
    assert response.autodiscover_smtp_address == sandbox.email
    assert set(discover.asked) == {"corp.example"}
    legs = [401, 200] if schemes == ["basic"] else [401, 401, 401, 200]
    assert told(sandbox, start) == [("Autodiscover", status, False) for status in legs]
    assert sandbox.log(start)[-1]["mailboxes"] == [sandbox.email]
    assert protocol.resolve_names([owner])[0].email_address == owner


def test_a_wrong_password_is_one_refused_log_on(discover, sandbox):
    start = since(sandbox)
    with pytest.raises(UnauthorizedError):
        discover(password="wrong")
    assert told(sandbox, start) == [("Autodiscover", 401, False), ("Autodiscover", 401, True)]
    entry = sandbox.log(start)[-1]
    assert (entry["caller"], entry["scheme"], entry["code"]) == (sandbox.email, "basic", "Unauthorized")


def test_wrong_passwords_lock_the_account_here_too(sandbox, stranger):
    sandbox.control("POST", "/limits", {"lock_after": 2})
    right = stranger.password
    for stranger.password in ("wrong 1", "wrong 2", right):
        assert stranger.raw(POX.format(stranger.user).encode(), path=POX_PATH).status == 401
    assert sandbox.log()[-1]["code"] == "AccountLocked"


def test_an_expired_password_is_only_401_here(sandbox, stranger):
    sandbox.control("POST", "/account", {"email": stranger.user, "state": "expired"})
    assert stranger.raw(b"", path=SOAP_PATH).status == 401
    assert sandbox.log()[-1]["code"] == "ErrorPasswordExpired"


@pytest.mark.parametrize("path", [SOAP_PATH, POX_PATH])
def test_without_log_on_the_schemes_are_offered(client, sandbox, path):
    sandbox.control("POST", "/limits", {"auth": ["ntlm", "basic"]})
    client.connection.request("POST", path, b"", client.headers)
    response = client.connection.getresponse()
    response.read()
    offers = parse_http_list(", ".join(response.headers.get_all("www-authenticate")))
    assert (response.status, offers) == (401, ["NTLM", 'Basic realm="corp.example"'])
    entry = sandbox.log()[-1]
    assert (entry["operation"], entry["refused_logon"], entry["scheme"]) == ("Autodiscover", False, None)


def test_the_url_in_the_answer_can_be_wrong(discover, client, sandbox):
    wrong = "https://exchange.inside.example/EWS/Exchange.asmx"
    sandbox.control("POST", "/limits", {"autodiscover_ews_url": wrong})
    assert discover()[0].ews_url == wrong
    assert pox(client, sandbox.email)["EwsUrl"] == wrong


def test_plain_xml_names_the_url(client, sandbox, owner):
    texts = pox(client, owner)
    assert (texts["Action"], texts["AccountType"], texts["Type"]) == ("settings", "email", "EXCH")
    assert texts["EwsUrl"] == sandbox.ews_url
    assert texts["AutoDiscoverSMTPAddress"] == owner


def test_settings_are_answered_as_asked(client, sandbox, owner):
    root = soap(client, owner, "nobody@corp.example")
    assert [one.text for one in root.iter(f"{A}ErrorCode")] == ["NoError", "NoError", "SettingIsNotAvailable", "InvalidUser"]
    assert [one.text for one in root.iter(f"{A}Name")] == ["ExternalEwsUrl"]
    assert [one.text for one in root.iter(f"{A}SettingName")] == ["MobileMailboxPolicy"]
    entry = sandbox.log()[-1]
    assert (entry["mailboxes"], entry["code"]) == ([owner, "nobody@corp.example"], "InvalidUser")


def test_an_address_that_is_nobodys(discover, client):
    with pytest.raises(ErrorNonExistentMailbox):
        discover("nobody@corp.example")
    texts = pox(client, "nobody@corp.example")
    assert (texts["ErrorCode"], texts["Message"]) == ("500", "The e-mail address cannot be found.")


@pytest.mark.parametrize("body", [b"", b"rubbish", b"<a/>", b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'])
def test_rubbish_is_an_invalid_request(client, sandbox, body):
    answer = client.raw(body, path=POX_PATH)
    assert b"<ErrorCode>600</ErrorCode>" in answer.body
    assert b"<ErrorCode>InvalidRequest</ErrorCode>" in client.raw(body, path=SOAP_PATH).body
    assert sandbox.log()[-1]["code"] == "InvalidRequest"


def test_a_get_says_what_real_servers_say(client):
    assert b"<ErrorCode>600</ErrorCode>" in client.raw(None, method="GET", path=POX_PATH).body
    assert client.raw(None, method="GET", path=SOAP_PATH).status == 405


@pytest.mark.parametrize(("mode", "status"), [("absent", 404), ("html", 200), ("redirect", 302)])
def test_what_is_not_there_looks_at_no_password(discover, client, sandbox, mode, status):
    sandbox.control("POST", "/limits", {"autodiscover": mode, "lock_after": 1})
    client.password = "wrong"
    start = since(sandbox)
    for path in (SOAP_PATH, POX_PATH):
        answer = client.raw(b"", path=path)
        assert answer.status == status
        if mode == "redirect":
            assert answer.headers["location"] == f"https://mail.other.example{path}"
    # The password was sent all the same, and the log says so.
    assert [(one["scheme"], one["caller"], one["refused_logon"]) for one in sandbox.log(start)] == [("basic", None, False)] * 2
    with pytest.raises(AutoDiscoverFailed):
        discover()


def test_a_redirect_in_the_answer_is_followed(discover, client, sandbox):
    target = f"https://mail.corp.example{SOAP_PATH}"
    sandbox.control("POST", "/limits", {"autodiscover": "redirect_url", "autodiscover_target": target})
    response, _ = discover()
    assert response.ews_url == sandbox.ews_url
    assert discover.asked[-1] == "mail.corp.example"
    texts = pox(client, sandbox.email)
    assert (texts["Action"], texts["RedirectUrl"]) == ("redirectUrl", target)


def test_a_redirect_instead_of_an_answer_is_followed(discover, sandbox):
    target = f"https://mail.corp.example{SOAP_PATH}"
    sandbox.control("POST", "/limits", {"autodiscover": "redirect_after_logon", "autodiscover_target": target})
    assert discover()[0].ews_url == sandbox.ews_url
    assert discover.asked[-1] == "mail.corp.example"


@pytest.mark.parametrize("mode", ["redirect", "redirect_after_logon", "redirect_url"])
def test_whoever_follows_a_redirect_to_this_server_gets_the_answer(client, sandbox, mode):
    target = urllib.parse.urljoin(sandbox.ews_url, POX_PATH)
    sandbox.control("POST", "/limits", {"autodiscover": mode, "autodiscover_target": target})
    assert pox(client, sandbox.email)["EwsUrl"] == sandbox.ews_url


def test_a_redirect_after_the_log_on_leads_anywhere(discover, sandbox):
    sandbox.control("POST", "/limits", {"autodiscover": "redirect_after_logon"})
    start = since(sandbox)
    with pytest.raises(AutoDiscoverFailed):
        discover()
    assert told(sandbox, start)[:2] == [("Autodiscover", 401, False), ("Autodiscover", 302, False)]
    assert sandbox.log(start)[1]["caller"] == sandbox.email
    # exchangelib goes there; only that nobody answers keeps the password.
    assert "mail.other.example" in discover.asked


def test_a_redirect_to_another_address_is_followed_once(discover, client, sandbox, owner):
    sandbox.control("POST", "/limits", {"autodiscover": "redirect_address", "autodiscover_target": owner})
    response, _ = discover()
    assert response.autodiscover_smtp_address == owner
    assert response.ews_url == sandbox.ews_url
    texts = pox(client, sandbox.email)
    assert (texts["Action"], texts["RedirectAddr"]) == ("redirectAddr", owner)


def test_faults_can_be_ordered_for_autodiscover(client, sandbox):
    sandbox.control("POST", "/faults", {"kind": "http_503", "operation": "Autodiscover", "count": 1})
    assert client.raw(b"", path=POX_PATH).status == 503
    assert pox(client, sandbox.email)["EwsUrl"] == sandbox.ews_url
