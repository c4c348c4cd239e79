"""Autodiscover: where a mailbox's EWS is, asked by SOAP and by the older plain XML (POX)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from deployments.sandbox import pages
from deployments.sandbox.answers import Answer
from deployments.sandbox.arrivals import EWS_PATH, OTHER_HOST, Arrival, Entry, Incoming
from deployments.sandbox.directory import Directory
from deployments.sandbox.door import Door
from deployments.sandbox.limits import Limits
from deployments.sandbox.model import Mailbox
from deployments.sandbox.organisation import Organisation
from deployments.sandbox.soap import SOAP, Element, SoapFault, document, local_name, text

_SOAP_PATH = "/autodiscover/autodiscover.svc"
_POX_PATH = "/autodiscover/autodiscover.xml"
PATHS = frozenset({_SOAP_PATH, _POX_PATH})
_NAME = "Autodiscover"
_A = "http://schemas.microsoft.com/exchange/2010/Autodiscover"
_ADDRESSING = "http://www.w3.org/2005/08/addressing"
_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
_POX = "http://schemas.microsoft.com/exchange/autodiscover"
_RESPONSE = f"{_POX}/responseschema/2006"
_OUTLOOK = f"{_POX}/outlook/responseschema/2006a"
_SCHEMAS = "Exchange2007, Exchange2007_SP1, Exchange2010, Exchange2010_SP1, Exchange2010_SP2, Exchange2013, Exchange2013_SP1"


@dataclass(frozen=True, slots=True)
class _Found:
    """What there is to say about one address."""

    mailbox: Mailbox | None
    url: str
    redirect: str | None


@dataclass(frozen=True, slots=True)
class Autodiscover:
    """What answers at both paths."""

    organisation: Organisation
    directory: Directory
    door: Door
    limits: Limits

    def receive(self, arrival: Arrival) -> Incoming:
        """Read a request and look at its log-on."""
        instead = self._before_logon(arrival)
        if instead is not None:
            return Incoming(_NAME, [], Entry(), lambda: instead)
        entry = self.door.enter(arrival)
        try:
            root = document(arrival.body)
        except SoapFault:
            root = None
        is_soap = arrival.path.lower() == _SOAP_PATH
        wanted, settings = _read(root)

        def run() -> Answer:
            if self._redirects(arrival, "redirect_after_logon"):
                return pages.moved(self._target(arrival))
            if is_soap:
                return self._soap(arrival, wanted, settings)
            return self._pox(arrival, wanted[0] if wanted else "")

        return Incoming(_NAME, [one.lower() for one in wanted], entry, run)

    def _before_logon(self, arrival: Arrival) -> Answer | None:
        if self.limits.autodiscover == "absent":
            return Answer(404, b"", "NotFound", content_type=pages.HTML)
        if self.limits.autodiscover == "html":
            return pages.page()
        return pages.moved(self._target(arrival)) if self._redirects(arrival, "redirect") else None

    def _redirects(self, arrival: Arrival, way: str) -> bool:
        # Whoever followed and asks at the target gets the answer, if the target is this server too.
        return self.limits.autodiscover == way and self._target(arrival).lower() != arrival.url.lower()

    def _target(self, arrival: Arrival) -> str:
        return self.limits.autodiscover_target or OTHER_HOST + arrival.path

    def _find(self, arrival: Arrival, address: str) -> _Found:
        account = self.directory.account(address)
        mailbox = self.organisation.mailbox(address)
        if account is not None and not account.has_mailbox:
            mailbox = None
        url = self.limits.autodiscover_ews_url or arrival.origin + EWS_PATH
        target = None
        if self._redirects(arrival, "redirect_url"):
            target = self._target(arrival)
        elif self.limits.autodiscover == "redirect_address":
            other = self.limits.autodiscover_target or f"{address.partition('@')[0]}@other.example"
            target = None if other.lower() == address.lower() else other
        return _Found(mailbox, url, target)

    def _soap(self, arrival: Arrival, wanted: list[str], settings: list[str]) -> Answer:
        if arrival.method != "POST":
            return Answer(405, b"", "MethodNotAllowed")
        if not wanted:
            return Answer(200, _soap_answer("", "InvalidRequest", "The request has no user."), "InvalidRequest")
        code = "NoError"
        users: list[str] = []
        for address in wanted:
            found = self._find(arrival, address)
            one = self._user_code(found)
            code = one if code == "NoError" else code
            users.append(_user_response(one, found, address, settings))
        return Answer(200, _soap_answer("".join(users), "NoError", ""), code)

    def _user_code(self, found: _Found) -> str:
        if found.redirect is not None:
            return "RedirectUrl" if self.limits.autodiscover == "redirect_url" else "RedirectAddress"
        return "InvalidUser" if found.mailbox is None else "NoError"

    def _pox(self, arrival: Arrival, address: str) -> Answer:
        if arrival.method != "POST" or "@" not in address:
            return Answer(200, _pox_error(600, "Invalid Request"), "InvalidRequest")
        found = self._find(arrival, address)
        code = self._user_code(found)
        if found.redirect is not None:
            action = "redirectUrl" if code == "RedirectUrl" else "redirectAddr"
            element = "RedirectUrl" if code == "RedirectUrl" else "RedirectAddr"
            account = f"<Action>{action}</Action><{element}>{text(found.redirect)}</{element}>"
            return Answer(200, _pox_answer(_OUTLOOK, f"<Account>{account}</Account>"), code)
        if found.mailbox is None:
            return Answer(200, _pox_error(500, "The e-mail address cannot be found."), code)
        protocols = "".join(
            f"<Protocol><Type>{kind}</Type><Server>localhost</Server><EwsUrl>{text(found.url)}</EwsUrl></Protocol>"
            for kind in ("EXCH", "EXPR")
        )
        person = (
            f"<User><DisplayName>{text(found.mailbox.name)}</DisplayName>"
            f"<AutoDiscoverSMTPAddress>{text(found.mailbox.address)}</AutoDiscoverSMTPAddress></User>"
        )
        account = f"<Account><AccountType>email</AccountType><Action>settings</Action>{protocols}</Account>"
        return Answer(200, _pox_answer(_OUTLOOK, person + account), code)


def _read(root: Element | None) -> tuple[list[str], list[str]]:
    """Return the addresses that a request asks about, and the settings that it wants; both schemas in one."""
    wanted: list[str] = []
    settings: list[str] = []
    for element in () if root is None else root.iter():
        value = (element.text or "").strip()
        if local_name(element) in {"Mailbox", "EMailAddress"} and value:
            wanted.append(value)
        elif local_name(element) == "Setting" and value:
            settings.append(value)
    return wanted, settings


def _user_response(code: str, found: _Found, address: str, settings: list[str]) -> str:
    redirect = '<RedirectTarget i:nil="true"/>'
    if found.redirect is not None:
        redirect = f"<RedirectTarget>{text(found.redirect)}</RedirectTarget>"
    known: dict[str, str] = {}
    if code == "NoError" and found.mailbox is not None:
        known = {
            "UserDisplayName": found.mailbox.name,
            "AutoDiscoverSMTPAddress": found.mailbox.address,
            "InternalEwsUrl": found.url,
            "ExternalEwsUrl": found.url,
            "EwsSupportedSchemas": _SCHEMAS,
        }
    given = "".join(
        f'<UserSetting i:type="StringSetting"><Name>{name}</Name><Value>{text(value)}</Value></UserSetting>'
        for name, value in known.items()
        if name in settings
    )
    missing = "".join(
        "<UserSettingError><ErrorCode>SettingIsNotAvailable</ErrorCode>"
        f"<ErrorMessage>The setting is not available.</ErrorMessage><SettingName>{text(name)}</SettingName></UserSettingError>"
        for name in settings
        if known and name not in known
    )
    message = {"NoError": "No error.", "InvalidUser": f"The e-mail address {address} cannot be found."}.get(code, "Redirected.")
    return (
        f"<UserResponse><ErrorCode>{code}</ErrorCode><ErrorMessage>{text(message)}</ErrorMessage>{redirect}"
        f"<UserSettingErrors>{missing}</UserSettingErrors><UserSettings>{given}</UserSettings></UserResponse>"
    )


def _soap_answer(users: str, code: str, message: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        f'<s:Envelope xmlns:s="{SOAP}" xmlns:a="{_ADDRESSING}"><s:Header>'
        f'<a:Action s:mustUnderstand="1">{_A}/Autodiscover/GetUserSettingsResponse</a:Action>'
        f'<h:ServerVersionInfo xmlns:h="{_A}"><h:MajorVersion>15</h:MajorVersion><h:MinorVersion>1</h:MinorVersion>'
        "<h:MajorBuildNumber>2507</h:MajorBuildNumber><h:MinorBuildNumber>39</h:MinorBuildNumber>"
        "<h:Version>Exchange2015</h:Version></h:ServerVersionInfo></s:Header><s:Body>"
        f'<GetUserSettingsResponseMessage xmlns="{_A}"><Response xmlns:i="{_INSTANCE}">'
        f"<ErrorCode>{code}</ErrorCode><ErrorMessage>{text(message)}</ErrorMessage><UserResponses>{users}</UserResponses>"
        "</Response></GetUserSettingsResponseMessage></s:Body></s:Envelope>"
    ).encode()


def _pox_answer(schema: str, content: str) -> bytes:
    return (
        f'<?xml version="1.0" encoding="utf-8"?><Autodiscover xmlns="{_RESPONSE}">'
        f'<Response xmlns="{schema}">{content}</Response></Autodiscover>'
    ).encode()


def _pox_error(number: int, message: str) -> bytes:
    moment = datetime.now(UTC).strftime("%H:%M:%S.%f")
    return _pox_answer(
        _RESPONSE,
        f'<Error Time="{moment}" Id="1"><ErrorCode>{number}</ErrorCode><Message>{message}</Message><DebugData/></Error>',
    )
