"""OAuth: an application's secret for a token, and the token for one mailbox."""

from __future__ import annotations

import base64
import json
import time
import urllib.parse

import exchangelib
import pytest
from oauthlib.oauth2 import InvalidClientError

from deployments.sandbox.limits import Limits
from deployments.sandbox.tokens import TENANT_ID, Application, TokenError, Tokens
from tests.contract.sandbox import library
from tests.contract.sandbox.client import NS, calendar_of

SCOPE = "https://outlook.office365.com/.default"
ENVELOPE = "<s:Envelope {spaces}><s:Header>{header}</s:Header><s:Body>{content}</s:Body></s:Envelope>"
IMPERSONATION = "<t:ExchangeImpersonation><t:ConnectingSID>{}</t:ConnectingSID></t:ExchangeImpersonation>"
OWN = (
    "<m:GetFolder><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape><m:FolderIds>"
    '<t:DistinguishedFolderId Id="calendar"/></m:FolderIds></m:GetFolder>'
)


@pytest.fixture(autouse=True)
def only_tokens(sandbox):
    sandbox.control("POST", "/limits", {"auth": ["bearer"]})


@pytest.fixture
def application(sandbox):
    return sandbox.control("POST", "/application", {})


def since(sandbox) -> int:
    return sandbox.log()[-1]["n"] if sandbox.log() else 0


def ask(client, application, *, path: str | None = None, basic: bool = False, **changes: str | None):
    """Ask for a token as any client would; a field changed to None is left out."""
    fields = {
        "grant_type": "client_credentials",
        "client_id": application["client_id"],
        "client_secret": application["client_secret"],
        "scope": SCOPE,
        **changes,
    }
    client.headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if basic:
        pair = ":".join(urllib.parse.quote_plus(fields.pop(one)) for one in ("client_id", "client_secret"))
        client.headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    body = urllib.parse.urlencode({name: value for name, value in fields.items() if value is not None}).encode()
    answer = client.raw(body, log_on=False, path=path or application["token_path"])
    client.headers = {"Content-Type": "text/xml; charset=utf-8"}
    assert answer.headers["content-type"].startswith("application/json")
    return answer.status, json.loads(answer.body)


def token_of(client, application, **changes) -> str:
    status, fields = ask(client, application, **changes)
    assert (status, fields["token_type"]) == (200, "Bearer")
    return fields["access_token"]


def read(client, token: str, who: str | None, *, content: str = OWN, element: str = "PrimarySmtpAddress"):
    """Read the own calendar with a token, impersonating somebody or nobody."""
    header = "" if who is None else IMPERSONATION.format(f"<t:{element}>{who}</t:{element}>")
    spaces = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NS.items() if prefix != "e")
    client.headers["Authorization"] = f"Bearer {token}"
    try:
        return client.raw(ENVELOPE.format(spaces=spaces, header=header, content=content).encode(), log_on=False)
    finally:
        del client.headers["Authorization"]


def credentials(sandbox, application, **changes) -> exchangelib.OAuth2Credentials:
    class Local(exchangelib.OAuth2Credentials):
        @property
        def token_url(self):
            return urllib.parse.urljoin(sandbox.ews_url, application["token_path"])

    facts = {"client_id": application["client_id"], "client_secret": application["client_secret"], **changes}
    return Local(**facts, tenant_id=application["tenant_id"], identity=exchangelib.Identity(primary_smtp_address=sandbox.email))


def test_exchangelib_gets_a_token_and_impersonates_the_dedicated_mailbox(sandbox, application, owner, monkeypatch):
    start = since(sandbox)
    with library.trusting(sandbox, monkeypatch):
        account = library.account(sandbox, credentials(sandbox, application), exchangelib.OAUTH2)
        assert account.protocol.resolve_names([owner])[0].email_address == owner
        assert account.calendar.name == "Calendar"
    first, *rest = sandbox.log(start)
    assert (first["operation"], first["caller"], first["application"]) == ("token", None, application["client_id"])
    assert (first["http_status"], first["code"], first["refused_logon"]) == (200, "NoError", False)
    assert {(one["caller"], one["application"], one["scheme"]) for one in rest} == {
        (sandbox.email, application["client_id"], "bearer")
    }


def test_exchangelib_with_a_wrong_secret_is_one_refused_log_on(sandbox, application, monkeypatch):
    start = since(sandbox)
    wrong = credentials(sandbox, application, client_secret="wrong")
    with library.trusting(sandbox, monkeypatch), pytest.raises(InvalidClientError):
        library.account(sandbox, wrong, exchangelib.OAUTH2).protocol.resolve_names(["anyone"])
    (entry,) = sandbox.log(start)
    assert (entry["operation"], entry["http_status"], entry["code"]) == ("token", 401, "invalid_client")
    assert (entry["refused_logon"], entry["application"]) == (True, application["client_id"])


@pytest.mark.parametrize("basic", [False, True])
def test_a_token_opens_the_mailbox_that_is_impersonated(client, sandbox, application, basic):
    token = token_of(client, application, basic=basic)
    answer = read(client, token, sandbox.email.upper())
    assert (answer.status, answer.codes) == (200, ["NoError"])
    assert sandbox.log()[-1]["caller"] == sandbox.email
    assert sandbox.log()[-1]["mailboxes"] == [sandbox.email]


def test_both_names_of_the_tenant_are_known(client, application):
    assert token_of(client, application, path=f"/{TENANT_ID}/oauth2/v2.0/token")
    assert token_of(client, application, path="/CORP.example/oauth2/v2.0/token")


@pytest.mark.parametrize(
    ("changes", "status", "error", "number", "refused"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215, True),
        ({"client_secret": None}, 401, "invalid_client", 7000218, False),
        ({"client_id": "nobody"}, 400, "unauthorized_client", 700016, True),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003, False),
        ({"scope": "https://outlook.office365.com/EWS.AccessAsUser.All"}, 400, "invalid_scope", 1002012, False),
        ({"scope": None}, 400, "invalid_scope", 1002012, False),
        ({"path": "/elsewhere.example/oauth2/v2.0/token"}, 400, "invalid_request", 90002, False),
    ],
)
def test_refusals_carry_the_numbers_of_the_cloud(client, sandbox, application, changes, status, error, number, refused):
    answered, fields = ask(client, application, **changes)
    assert (answered, fields["error"], fields["error_codes"]) == (status, error, [number])
    assert fields["error_description"].startswith(f"AADSTS{number}: ")
    entry = sandbox.log()[-1]
    assert (entry["operation"], entry["http_status"], entry["code"], entry["refused_logon"]) == ("token", status, error, refused)


def test_a_secret_is_rotated_and_expires(client, sandbox, application):
    token = token_of(client, application)
    renewed = sandbox.control("POST", "/application", {"client_id": application["client_id"], "client_secret": "second"})
    assert renewed["client_secret"] == "second"
    assert ask(client, application)[1]["error_codes"] == [7000215]
    assert token_of(client, renewed)
    # What was issued stays good: the cloud takes back no token.
    assert read(client, token, sandbox.email).status == 200
    sandbox.control("POST", "/application", {**renewed_only(renewed), "expired": True})
    assert ask(client, renewed)[1]["error_codes"] == [7000222]
    assert sandbox.log()[-1]["refused_logon"] is True


def renewed_only(application) -> dict[str, str]:
    return {name: application[name] for name in ("client_id", "client_secret")}


def test_an_application_impersonates_or_gets_nothing(client, sandbox, application):
    token = token_of(client, application)
    for who in (None, ""):
        assert read(client, token, who).fault == "ErrorInvalidExchangeImpersonationHeaderData"
    entry = sandbox.log()[-1]
    assert (entry["caller"], entry["application"], entry["refused_logon"]) == (None, application["client_id"], False)
    assert read(client, token, "nobody@corp.example").fault == "ErrorNonExistentMailbox"


def test_impersonating_somebody_else_works_and_shows(client, sandbox, application, owner):
    token = token_of(client, application)
    assert read(client, token, owner, element="SmtpAddress").codes == ["NoError"]
    entry = sandbox.log()[-1]
    assert (entry["caller"], entry["application"]) == (owner, application["client_id"])


def test_an_application_without_the_permission_is_forbidden(client, sandbox, application):
    sandbox.control("POST", "/application", {**renewed_only(application), "permitted": False})
    answer = read(client, token_of(client, application), sandbox.email)
    assert (answer.status, answer.body) == (403, b"")
    assert "not enough scope" in answer.headers["x-ms-diagnostics"]
    assert sandbox.log()[-1]["code"] == "NotPermitted"


def test_a_token_ends_with_its_time(client, sandbox, application):
    sandbox.control("POST", "/limits", {"token_life_s": 0.2})
    token = token_of(client, application)
    time.sleep(0.25)
    answer = read(client, token, sandbox.email)
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert answer.headers["www-authenticate"].endswith('error="invalid_token"')
    entry = sandbox.log()[-1]
    assert (entry["code"], entry["refused_logon"], entry["application"]) == ("TokenExpired", False, application["client_id"])


def test_a_token_for_another_service_or_of_nobody_is_refused(client, sandbox, application):
    graph = token_of(client, application, scope="https://graph.microsoft.com/.default")
    for token, code in ((graph, "InvalidAudience"), ("made-up", "InvalidToken"), ("", "InvalidToken")):
        assert read(client, token, sandbox.email).status == 401
        assert sandbox.log()[-1]["code"] == code


def test_the_lifetime_is_told(client, sandbox, application):
    assert ask(client, application)[1]["expires_in"] == 3600
    sandbox.control("POST", "/limits", {"token_life_s": 90})
    assert ask(client, application)[1]["expires_in"] == 90


def test_the_door_names_bearer_and_nothing_outside(client, sandbox):
    answer = client.raw(b"", log_on=False)
    offer = answer.headers["www-authenticate"]
    assert offer.startswith('Bearer client_id="00000002-0000-0ff1-ce00-000000000000"')
    assert "https://localhost:" in offer
    assert "microsoft" not in offer
    # Exchange Online: a password is not looked at.
    assert client.raw(b"").status == 401
    assert sandbox.log()[-1]["code"] == "SchemeNotOffered"


def test_a_token_is_not_looked_at_where_it_is_not_offered(client, sandbox, application):
    token = token_of(client, application)
    sandbox.control("POST", "/limits", {"auth": ["basic"]})
    assert read(client, token, sandbox.email).status == 401
    assert sandbox.log()[-1]["code"] == "SchemeNotOffered"


def test_an_account_may_impersonate_nobody(client, sandbox, owner):
    sandbox.control("POST", "/limits", {"auth": ["basic"]})
    spaces = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NS.items() if prefix != "e")
    header = IMPERSONATION.format(f"<t:PrimarySmtpAddress>{owner}</t:PrimarySmtpAddress>")
    answer = client.raw(ENVELOPE.format(spaces=spaces, header=header, content=OWN).encode())
    assert answer.fault == "ErrorImpersonateUserDenied"
    assert sandbox.log()[-1]["caller"] == sandbox.email


def test_rubbish_in_a_token_request_is_refused(client, application):
    client.headers = {"Authorization": "Basic !!!"}
    for body in (b"", b"\xff\xfe", b"%%%=&&", b"{}"):
        assert client.raw(body, log_on=False, path=application["token_path"]).status == 400
    assert client.raw(None, method="GET", log_on=False, path=application["token_path"]).status == 405


def test_faults_can_be_ordered_for_token_requests(client, sandbox, application):
    sandbox.control("POST", "/faults", {"kind": "http_503", "operation": "token", "count": 1})
    client.headers = {}
    assert client.raw(b"", log_on=False, path=application["token_path"]).status == 503
    assert token_of(client, application)


def test_a_token_request_does_not_need_the_log_on_of_ews(client, application):
    assert token_of(client, application)
    assert client.get_folder(calendar_of("anyone@corp.example")).status == 401


def test_the_permission_is_that_of_the_day_of_issue():
    clock = [0.0]
    tokens = Tokens(Limits(), lambda: clock[0])
    form = {"grant_type": "client_credentials", "client_id": "App", "client_secret": "s", "scope": SCOPE}
    tokens.register(Application("app", "s", permitted=False))
    first = tokens.issue("corp.example", form)
    tokens.register(Application("app", "s"))
    assert [tokens.check(one)[0].permitted for one in (first, tokens.issue("corp.example", form))] == [False, True]
    clock[0] = 3600.0
    assert tokens.check(first)[1] == "TokenExpired"
    with pytest.raises(TokenError, match="AADSTS7000215"):
        tokens.issue("corp.example", {**form, "client_secret": "t"})


def test_every_issued_token_can_be_listed(sandbox, client, application):
    before = sandbox.control("GET", "/tokens")
    first, second = (token_of(client, application) for _ in range(2))
    assert sandbox.control("GET", "/tokens") == [*before, first, second]
