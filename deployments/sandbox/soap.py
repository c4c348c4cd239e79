"""SOAP as Exchange speaks it: reading requests safely, writing answers as text.

Answers are put together from strings, not from element objects: they are regular, and this is
several times faster. `text` is the one place where foreign text enters them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

Element = etree._Element  # noqa: SLF001 (lxml has no public name for it)

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
MESSAGES = "http://schemas.microsoft.com/exchange/services/2006/messages"
TYPES = "http://schemas.microsoft.com/exchange/services/2006/types"
ERRORS = "http://schemas.microsoft.com/exchange/services/2006/errors"
M = f"{{{MESSAGES}}}"
T = f"{{{TYPES}}}"

_PREFIX = (
    '<?xml version="1.0" encoding="utf-8"?>'
    f'<s:Envelope xmlns:s="{SOAP}"><s:Header>'
    '<h:ServerVersionInfo MajorVersion="15" MinorVersion="1" MajorBuildNumber="2507"'
    f' MinorBuildNumber="39" Version="V2017_07_11" xmlns:h="{TYPES}" xmlns="{TYPES}"/>'
    "</s:Header><s:Body>"
).encode()
_SUFFIX = b"</s:Body></s:Envelope>"
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class SoapFault(Exception):  # noqa: N818 (SOAP's own word)
    """The whole request fails.

    Args:
        code: Exchange's response code.
        message: What the server says about it.
        extra: Further XML for the fault's detail.
        availability: The availability service leaves the response code out of the detail and
            names it in the fault code only.
    """

    def __init__(self, code: str, message: str, *, extra: str = "", availability: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.extra = extra
        self.availability = availability

    def body(self) -> bytes:
        """Return the fault as a whole envelope."""
        detail = (
            f'<m:ErrorCode xmlns:m="{MESSAGES}">{self.extra or 5001}</m:ErrorCode>'
            if self.availability
            else f'<e:ResponseCode xmlns:e="{ERRORS}">{self.code}</e:ResponseCode>'
            f'<e:Message xmlns:e="{ERRORS}">{text(self.message)}</e:Message>{self.extra}'
        )
        return (
            '<?xml version="1.0" encoding="utf-8"?>'
            f'<s:Envelope xmlns:s="{SOAP}"><s:Body><s:Fault>'
            f'<faultcode xmlns:a="{TYPES}">a:{self.code}</faultcode>'
            f'<faultstring xml:lang="en-US">{text(self.message)}</faultstring>'
            f"<detail>{detail}</detail></s:Fault></s:Body></s:Envelope>"
        ).encode()


@dataclass(frozen=True, slots=True)
class Request:
    """A parsed request: the operation's name, its element, and what the header said."""

    operation: str
    element: Element
    time_zone_id: str | None
    # The address to impersonate; empty if the header names none by address, None without that header.
    impersonated: str | None


def parse(body: bytes) -> Request:
    """Read a request.

    Raises:
        SoapFault: It is not XML, carries a document type, or is no SOAP request.
    """
    root = document(body)
    if root.tag != f"{{{SOAP}}}Envelope":
        raise _invalid("The request is not a SOAP envelope.")
    content = root.find(f"{{{SOAP}}}Body")
    elements = [] if content is None else [one for one in content if isinstance(one.tag, str)]
    if len(elements) != 1 or not elements[0].tag.startswith(M):
        raise _invalid("The SOAP body does not hold exactly one operation.")
    operation = elements[0].tag.removeprefix(M).removesuffix("Request")
    zone = root.find(f"{{{SOAP}}}Header/{T}TimeZoneContext/{T}TimeZoneDefinition")
    return Request(operation, elements[0], None if zone is None else zone.get("Id"), _impersonated(root))


def _impersonated(root: Element) -> str | None:
    header = root.find(f"{{{SOAP}}}Header/{T}ExchangeImpersonation")
    if header is None:
        return None
    who = f"{T}ConnectingSID/{T}"
    return child_text(header, f"{who}PrimarySmtpAddress") or child_text(header, f"{who}SmtpAddress") or ""


def document(body: bytes) -> Element:
    """Read XML that a stranger sent.

    Raises:
        SoapFault: It is not XML, or it carries a document type.
    """
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise _invalid("The request is not well-formed XML.") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise _invalid("A document type is not allowed in a request.")
    return root


def _invalid(message: str) -> SoapFault:
    return SoapFault("ErrorSchemaValidation", f"The request failed schema validation: {message}")


def schema_fault(message: str) -> SoapFault:
    """Return the fault for a request that lacks or garbles something the schema requires."""
    return _invalid(message)


def text(value: str) -> str:
    """Return text that is safe inside an element; what XML cannot hold is left out."""
    return escape(_ILLEGAL.sub("", value))


def attribute(value: str) -> str:
    """Return a quoted attribute value."""
    return quoteattr(_ILLEGAL.sub("", value))


def local_name(element: Element) -> str:
    """Return an element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


def child_text(element: Element, path: str) -> str | None:
    """Return the stripped text below an element, or None."""
    found = element.find(path)
    if found is None or found.text is None:
        return None
    return found.text.strip() or None


def envelope(content: bytes) -> bytes:
    """Wrap an answer."""
    return b"".join((_PREFIX, content, _SUFFIX))


def response(operation: str, messages: list[str]) -> bytes:
    """Return an operation's answer with its response messages."""
    return (
        f'<m:{operation}Response xmlns:m="{MESSAGES}" xmlns:t="{TYPES}"><m:ResponseMessages>'
        f"{''.join(messages)}</m:ResponseMessages></m:{operation}Response>"
    ).encode()


def success(operation: str, content: str) -> str:
    """Return one successful response message."""
    return (
        f'<m:{operation}ResponseMessage ResponseClass="Success">'
        f"<m:ResponseCode>NoError</m:ResponseCode>{content}</m:{operation}ResponseMessage>"
    )


def failure(operation: str, error: OperationError) -> str:
    """Return one failed response message."""
    # These cannot be without their content, not even in an error (the schema says so).
    content = {
        "GetItem": "<m:Items/>",
        "CreateItem": "<m:Items/>",
        "UpdateItem": "<m:Items/>",
        "GetServerTimeZones": "<m:TimeZoneDefinitions/>",
    }
    return (
        f'<m:{operation}ResponseMessage ResponseClass="Error">'
        f"<m:MessageText>{text(error.message)}</m:MessageText>"
        f"<m:ResponseCode>{error.code}</m:ResponseCode>"
        f"<m:DescriptiveLinkKey>0</m:DescriptiveLinkKey>"
        f"{content.get(operation, '')}</m:{operation}ResponseMessage>"
    )


class OperationError(Exception):
    """One response message fails; the others of the request go on."""

    def __init__(self, code: str, message: str = "") -> None:
        self.code = code
        self.message = message or _MESSAGES.get(code, "The request failed.")
        super().__init__(self.message)


_MESSAGES = {
    "ErrorItemNotFound": "The specified object was not found in the store.",
    "ErrorFolderNotFound": "The specified folder could not be found in the store.",
    "ErrorAccessDenied": "Access is denied. Check credentials and try again.",
    "ErrorNonExistentMailbox": "The SMTP address has no mailbox associated with it.",
    "ErrorMissingEmailAddress": "When making a request as an account that does not have a mailbox, you must specify"
    " the mailbox primary SMTP address for any distinguished folder Ids.",
    "ErrorInvalidIdMalformed": "Id is malformed.",
    "ErrorCalendarViewRangeTooBig": "The specified view range exceeds the maximum range of two years.",
    "ErrorNameResolutionNoResults": "No results were found.",
    "ErrorDelegateNoUser": "The user does not exist in Active Directory.",
    "ErrorNotDelegate": "The user is not a delegate.",
    "ErrorNotSupportedSharingMessage": "The item is not a sharing message that this server supports.",
    "ErrorIrresolvableConflict": "The send or update operation could not be performed because the change key passed"
    " in the request does not match the current change key for the item.",
    "ErrorChangeKeyRequiredForWriteOperations": "A valid change key is required for this operation.",
    "ErrorInvalidChangeKey": "The change key is invalid.",
    "ErrorSendMeetingInvitationsRequired": "The SendMeetingInvitations attribute is required for calendar items.",
    "ErrorSendMeetingInvitationsOrCancellationsRequired": "The SendMeetingInvitationsOrCancellations attribute is required"
    " for calendar items.",
    "ErrorSendMeetingCancellationsRequired": "The SendMeetingCancellations attribute is required for calendar items.",
    "ErrorCalendarEndDateIsEarlierThanStartDate": "EndDate is earlier than StartDate.",
    "ErrorTooManyObjectsOpened": "Too many objects opened.",
}
