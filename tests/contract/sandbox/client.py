"""A plain EWS client for the sandbox's own tests: one connection, every answer validated."""

from __future__ import annotations

import base64
import functools
import http.client
import ssl
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

import pytest
import spnego
from lxml import etree

from tests.sandbox_fixture import RunningSandbox

SCHEMA = Path(__file__).resolve().parents[4] / "shared" / "ews-schema" / "messages.xsd"
NS = {
    "s": "http://schemas.xmlsoap.org/soap/envelope/",
    "m": "http://schemas.microsoft.com/exchange/services/2006/messages",
    "t": "http://schemas.microsoft.com/exchange/services/2006/types",
    "e": "http://schemas.microsoft.com/exchange/services/2006/errors",
}
UTC_ZONE = (
    "<t:TimeZone><t:Bias>0</t:Bias>"
    "<t:StandardTime><t:Bias>0</t:Bias><t:Time>00:00:00</t:Time><t:DayOrder>0</t:DayOrder>"
    "<t:Month>0</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek></t:StandardTime>"
    "<t:DaylightTime><t:Bias>0</t:Bias><t:Time>00:00:00</t:Time><t:DayOrder>0</t:DayOrder>"
    "<t:Month>0</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek></t:DaylightTime></t:TimeZone>"
)


@functools.cache
def schema() -> etree.XMLSchema | None:
    """Return Microsoft's schema, or None where it is not at hand."""
    return etree.XMLSchema(etree.parse(SCHEMA)) if SCHEMA.is_file() else None


@dataclass(frozen=True)
class Answer:
    """An HTTP answer of the EWS endpoint."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> etree._Element:
        """The element inside soap:Body."""
        return etree.fromstring(self.body).find("s:Body", NS)[0]

    def all(self, path: str) -> list[etree._Element]:
        return self.content.xpath(path, namespaces=NS)

    def texts(self, path: str) -> list[str]:
        return [one.text or "" for one in self.all(path)]

    @property
    def codes(self) -> list[str]:
        return self.texts(".//m:ResponseCode")

    @property
    def fault(self) -> str:
        """The code of a SOAP fault, without its prefix."""
        assert self.status == 500
        return self.content.findtext("faultcode").partition(":")[2]


class Client:
    """One person's connection."""

    def __init__(self, sandbox: RunningSandbox, user: str | None = None, password: str | None = None) -> None:
        self.sandbox = sandbox
        self.user = user or sandbox.email
        self.password = password or sandbox.password
        self.headers = {"Content-Type": "text/xml; charset=utf-8"}
        self.last_body: bytes | None = None
        context = ssl.create_default_context(cafile=sandbox.ca_file)
        # What Python 3.13 does by itself.
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        port = urllib.parse.urlsplit(sandbox.ews_url).port
        self.connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=30)

    def close(self) -> None:
        self.connection.close()

    def raw(self, body: bytes | None, *, method: str = "POST", log_on: bool = True, path: str | None = None) -> Answer:
        self.last_body = body
        headers = dict(self.headers)
        if log_on:
            token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            headers["Authorization"] = f"Basic {token}"
        self.connection.request(method, path or urllib.parse.urlsplit(self.sandbox.ews_url).path, body, headers)
        response = self.connection.getresponse()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())

    def call(self, content: str, *, zone: str | None = None) -> Answer:
        """Send one operation; a good answer must be valid."""
        header = "" if zone is None else (f'<t:TimeZoneContext><t:TimeZoneDefinition Id="{zone}"/></t:TimeZoneContext>')
        spaces = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NS.items() if prefix != "e")
        answer = self.raw(f"<s:Envelope {spaces}><s:Header>{header}</s:Header><s:Body>{content}</s:Body></s:Envelope>".encode())
        if answer.status == 200:
            validate(answer.content)
        return answer

    def availability(
        self,
        *owners: str,
        start: str = "2030-03-01T00:00:00",
        end: str = "2030-03-15T00:00:00",
        view: str = "FreeBusy",
        zone: str = UTC_ZONE,
        interval: int = 60,
    ) -> Answer:
        mailboxes = "".join(
            f"<t:MailboxData><t:Email><t:Address>{one}</t:Address></t:Email>"
            "<t:AttendeeType>Required</t:AttendeeType></t:MailboxData>"
            for one in owners
        )
        return self.call(
            f"<m:GetUserAvailabilityRequest>{zone}<m:MailboxDataArray>{mailboxes}</m:MailboxDataArray>"
            f"<t:FreeBusyViewOptions><t:TimeWindow><t:StartTime>{start}</t:StartTime>"
            f"<t:EndTime>{end}</t:EndTime></t:TimeWindow>"
            f"<t:MergedFreeBusyIntervalInMinutes>{interval}</t:MergedFreeBusyIntervalInMinutes>"
            f"<t:RequestedView>{view}</t:RequestedView></t:FreeBusyViewOptions></m:GetUserAvailabilityRequest>"
        )

    def get_folder(self, folder: str, *fields: str, base: str = "IdOnly") -> Answer:
        return self.call(
            f"<m:GetFolder><m:FolderShape>{shape(base, fields)}</m:FolderShape><m:FolderIds>{folder}</m:FolderIds></m:GetFolder>"
        )

    def find_folder(self, folder: str, *fields: str, traversal: str = "Deep", base: str = "Default") -> Answer:
        return self.call(
            f'<m:FindFolder Traversal="{traversal}"><m:FolderShape>{shape(base, fields)}</m:FolderShape>'
            f"<m:ParentFolderIds>{folder}</m:ParentFolderIds></m:FindFolder>"
        )

    def view(
        self,
        folder: str,
        *fields: str,
        start: str = "2030-03-01T00:00:00Z",
        end: str = "2030-03-15T00:00:00Z",
        base: str = "IdOnly",
        zone: str | None = None,
    ) -> Answer:
        return self.call(
            f'<m:FindItem Traversal="Shallow"><m:ItemShape>{shape(base, fields)}</m:ItemShape>'
            f'<m:CalendarView StartDate="{start}" EndDate="{end}"/>'
            f"<m:ParentFolderIds>{folder}</m:ParentFolderIds></m:FindItem>",
            zone=zone,
        )

    def get_item(self, *ids: str, fields: tuple[str, ...] = (), base: str = "IdOnly") -> Answer:
        items = "".join(f'<t:ItemId Id="{one}"/>' for one in ids)
        return self.call(f"<m:GetItem><m:ItemShape>{shape(base, fields)}</m:ItemShape><m:ItemIds>{items}</m:ItemIds></m:GetItem>")


def shape(base: str, fields: tuple[str, ...]) -> str:
    more = "".join(f'<t:FieldURI FieldURI="{one}"/>' for one in fields)
    return f"<t:BaseShape>{base}</t:BaseShape>" + (f"<t:AdditionalProperties>{more}</t:AdditionalProperties>" if more else "")


def calendar_of(owner: str, name: str = "calendar") -> str:
    return (
        f'<t:DistinguishedFolderId Id="{name}"><t:Mailbox><t:EmailAddress>{owner}</t:EmailAddress>'
        "</t:Mailbox></t:DistinguishedFolderId>"
    )


def folder_id(value: str) -> str:
    return f'<t:FolderId Id="{value}"/>'


def validate(content: etree._Element) -> None:
    """Check an answer against the schema; without it, a test checks all but that."""
    compiled = schema()
    if compiled is None:
        return
    # A copy: validated inside its envelope, the element would keep prefixes of it.
    compiled.assertValid(etree.fromstring(etree.tostring(content)))


def require_schema() -> None:
    if schema() is None:
        pytest.skip(f"{SCHEMA} is not there")


def quoted(**values: str) -> str:
    return urllib.parse.urlencode(values)


def handshake(client: Client, user: str, password: str, *, other: Client | None = None) -> int:
    """Log on by hand, the answer sent by another connection if one is given; return the last status."""
    context = spnego.client(user, password, protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm)
    challenge = send_ntlm(client, context.step())
    assert challenge.status == 401
    scheme, _, token = challenge.headers["www-authenticate"].partition(" ")
    assert scheme == "NTLM"
    return send_ntlm(other or client, context.step(base64.b64decode(token))).status


def send_ntlm(client: Client, token: bytes) -> Answer:
    """Send one message of an NTLM log-on."""
    client.headers["Authorization"] = "NTLM " + base64.b64encode(token).decode()
    try:
        return client.raw(b"", log_on=False)
    finally:
        del client.headers["Authorization"]
