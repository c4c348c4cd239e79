"""Autodiscover's plain XML (POX, MS-OXDSCLI): the question, and what an answer says.

The plain form, not SOAP: every server since Exchange 2007 and every other one that speaks Autodiscover has it, one
answer tells the outer and the inner address alike, and all well-known places are defined by its path.
"""

from dataclasses import dataclass
from typing import Any

from lxml import etree

from busytime.errors import Reason
from busytime.ews.body import Element, Unreadable

#: Where it is, on every host.
PATH = "/autodiscover/autodiscover.xml"

_REQUEST = "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"
_RESPONSE = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
#: Which protocol's address is taken: the one for clients outside the network, then for those inside, then the newer form of both.
_PREFERENCE = ("expr", "exch", "exhttp")


@dataclass(frozen=True, slots=True)
class Said:
    """What an answer says: settings with the EWS URLs that it names, best first, or where else to ask, or an error.

    Args:
        ews_urls: As the server wrote them.
        redirect_url: Another place to ask, as the server wrote it.
        redirect_address: Another address to ask for, as the server wrote it.
        error_code: The number of an error.
    """

    ews_urls: tuple[str, ...] = ()
    redirect_url: str | None = None
    redirect_address: str | None = None
    error_code: int | None = None


def settings_request(email: str) -> bytes:
    """Return the request for the settings of an address."""
    default: Any = {None: _REQUEST}
    root = etree.Element(f"{{{_REQUEST}}}Autodiscover", nsmap=default)
    request = etree.SubElement(root, f"{{{_REQUEST}}}Request")
    etree.SubElement(request, f"{{{_REQUEST}}}EMailAddress").text = email
    etree.SubElement(request, f"{{{_REQUEST}}}AcceptableResponseSchema").text = _RESPONSE
    return etree.tostring(root, xml_declaration=True, encoding="utf-8")


def read_answer(root: Element) -> Said:
    """Read an answer.

    Elements count by their local names: the schemas that servers and Microsoft's own pages name differ.

    Raises:
        Unreadable: It is no answer of Autodiscover.
    """
    response = _child(root, "Response")
    if etree.QName(root).localname != "Autodiscover" or response is None:
        raise Unreadable(Reason.MALFORMED_ANSWER)
    error = _child(response, "Error")
    if error is not None:
        return Said(error_code=_number(_text(error, "ErrorCode")))
    account = _child(response, "Account")
    if account is None:
        return Said()
    action = (_text(account, "Action") or "").lower()
    if action == "redirecturl":
        return Said(redirect_url=_text(account, "RedirectUrl"))
    if action == "redirectaddr":
        return Said(redirect_address=_text(account, "RedirectAddr"))
    return Said(ews_urls=_ews_urls(account))


def _ews_urls(account: Element) -> tuple[str, ...]:
    found: dict[str, list[str]] = {kind: [] for kind in _PREFERENCE}
    for protocol in _children(account, "Protocol"):
        kind = (_text(protocol, "Type") or "").lower()
        url = _text(protocol, "EwsUrl")
        if kind in found and url:
            found[kind].append(url)
    return tuple(url for kind in _PREFERENCE for url in found[kind])


def _children(element: Element, name: str) -> list[Element]:
    return [child for child in element if etree.QName(child).localname == name]


def _child(element: Element, name: str) -> Element | None:
    return next(iter(_children(element, name)), None)


def _text(element: Element, name: str) -> str | None:
    child = _child(element, name)
    return None if child is None else (child.text or "").strip() or None


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= len("4294967295") else 0
