"""Envelopes: the payload of an answer, faults, and the messages of a response.

Faults and response messages as in SOAP 1.1 and messages.xsd (``ResponseMessageType``).
"""

from dataclasses import dataclass
from typing import Any

from lxml import etree

from busytime.errors import AuthenticationError, Reason, RetriableError, SkippableError
from busytime.ews.body import Element, Unreadable
from busytime.ews.codes import clean_code, ruling_of
from busytime.ews.failures import limited_back_off

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
MESSAGES = "http://schemas.microsoft.com/exchange/services/2006/messages"
TYPES = "http://schemas.microsoft.com/exchange/services/2006/types"

#: Prefixes for paths into answers.
NAMESPACES = {"s": SOAP, "m": MESSAGES, "t": TYPES}

_NO_ERROR = "NoError"
#: lxml's stubs give a path's result every type there is.
_path: Any = etree.XPath
_BACK_OFF = _path('.//*[local-name()="Value"][@Name="BackOffMilliseconds"]', namespaces=NAMESPACES)
_DETAIL_CODE = _path('detail//*[local-name()="ResponseCode"]', namespaces=NAMESPACES)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a server said instead of an answer.

    Args:
        code: The response code; ``None`` where it gave none that looks like one.
        back_off_seconds: How long it wants to be left alone, in seconds.
    """

    code: str | None
    back_off_seconds: float | None = None


def payload_of(envelope: Element) -> Element | Refusal:
    """Return the first element inside the body, or what a fault says.

    Raises:
        Unreadable: It is no SOAP envelope, or one with nothing inside.
    """
    body = envelope.find(f"{{{SOAP}}}Body")
    if envelope.tag != f"{{{SOAP}}}Envelope" or body is None or len(body) == 0:
        raise Unreadable(Reason.MALFORMED_ANSWER)
    payload = body[0]
    if payload.tag != f"{{{SOAP}}}Fault":
        return payload
    found = _DETAIL_CODE(payload)
    text = found[0].text if found else payload.findtext("faultcode")
    return Refusal(clean_code(text), back_off_of(payload))


def back_off_of(element: Element) -> float | None:
    """Return the seconds that ``MessageXml`` asks for (``BackOffMilliseconds``)."""
    found = _BACK_OFF(element)
    text = found[0].text if found else None
    if text is None or not text.strip().isdigit():
        return None
    return limited_back_off(int(text.strip()[:12]) / 1000)


def refusal_in(message: Element | None) -> Refusal | None:
    """Return what a response message refuses with, or ``None`` where it is a success.

    A warning is a refusal too: it means that the server stopped before this part of the answer.

    Raises:
        Unreadable: The message is missing or has no class.
    """
    if message is None or message.get("ResponseClass") not in ("Success", "Warning", "Error"):
        raise Unreadable(Reason.MALFORMED_ANSWER)
    code = message.findtext(f"{{{MESSAGES}}}ResponseCode")
    if message.get("ResponseClass") == "Success" and (code is None or code.strip() == _NO_ERROR):
        return None
    return Refusal(clean_code(code), back_off_of(message))


def messages_of(payload: Element, operation: str, count: int) -> list[Element]:
    """Return the response messages of an answer to a request for several things, in the order asked.

    Raises:
        Unreadable: It is the answer to something else, or has more or fewer messages: nothing else says whose they are.
    """
    messages = payload.find(f"{{{MESSAGES}}}ResponseMessages")
    if payload.tag != f"{{{MESSAGES}}}{operation}Response" or messages is None or len(messages) != count:
        raise Unreadable(Reason.MALFORMED_ANSWER)
    return list(messages)


def single_message(payload: Element, operation: str) -> Element:
    """Return the one response message of an answer to a request for one thing.

    Raises:
        Unreadable: It is the answer to something else, or has no message or several.
    """
    return messages_of(payload, operation, 1)[0]


def single_folder(payload: Element) -> Element | Refusal:
    """Return the one folder of an answer to ``GetFolder``, or what the server refuses with.

    Raises:
        Unreadable: There is no folder, or several.
    """
    return _single_thing(single_message(payload, "GetFolder"), "Folders")


def single_item(message: Element) -> Element | Refusal:
    """Return the one item of a response message, or what the server refuses with.

    Raises:
        Unreadable: There is no item, or several.
    """
    return _single_thing(message, "Items")


def _single_thing(message: Element, container: str) -> Element | Refusal:
    refusal = refusal_in(message)
    if refusal is not None:
        return refusal
    things = message.find(f"{{{MESSAGES}}}{container}")
    if things is None or len(things) != 1:
        raise Unreadable(Reason.MALFORMED_ANSWER)
    return things[0]


def items_shown(payload: Element, count: int) -> list[Element | None] | Refusal:
    """Return the items of an answer to ``GetItem``, in the order asked; ``None`` for one that is refused.

    Where no item is shown, and one of them for a reason that has nothing to do with it, the answer is that refusal.

    Raises:
        Unreadable: It is no such answer, or shows no item and gives a reason that is not known.
    """
    told = [single_item(message) for message in messages_of(payload, "GetItem", count)]
    refusals = [item for item in told if isinstance(item, Refusal)]
    passing = (refusal for refusal in refusals if len(refusals) == count and _is_passing(refusal))
    shown: list[Element | None] = [None if isinstance(item, Refusal) else item for item in told]
    return next(passing, None) or shown


def _is_passing(refusal: Refusal) -> bool:
    kind = ruling_of(refusal.code).error
    if issubclass(kind, SkippableError):
        return False
    if issubclass(kind, RetriableError | AuthenticationError):
        return True
    raise Unreadable(Reason.SERVER_ERROR)


def found_in(payload: Element, operation: str) -> Element | Refusal:
    """Return the ``RootFolder`` of an answer to a search of one folder, or what the server refuses with.

    Raises:
        Unreadable: It is no such answer.
    """
    message = single_message(payload, operation)
    refusal = refusal_in(message)
    root = message.find(f"{{{MESSAGES}}}RootFolder")
    if refusal is not None:
        return refusal
    if root is None:
        raise Unreadable(Reason.MALFORMED_ANSWER)
    return root
