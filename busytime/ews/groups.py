"""Telling groups from persons (``ResolveNames``): a distribution list answers for its members as one merged calendar."""

from busytime.errors import AuthenticationError, FatalError, Reason, RetriableError, SkippableError
from busytime.ews.body import Element
from busytime.ews.codes import ruling_of
from busytime.ews.envelopes import carried, library_protocol, services, wrap
from busytime.ews.soap import MESSAGES, TYPES, Refusal, refusal_in, single_message
from busytime.ews.transport import Transport

#: ``MailboxType`` of what is no person's mailbox (``MailboxTypeType``, types.xsd).
_GROUPS = frozenset({"PublicDL", "PrivateDL", "GroupMailbox"})

_MAILBOXES = f"{{{MESSAGES}}}ResolutionSet/{{{TYPES}}}Resolution/{{{TYPES}}}Mailbox"
_TYPE = f"{{{TYPES}}}MailboxType"
_ADDRESS = f"{{{TYPES}}}EmailAddress"


def resolve_address(address: str) -> bytes:
    """Ask what an address belongs to, in the directory alone (``ResolveNames``)."""
    service = services.ResolveNames(protocol=library_protocol())
    # The prefix asks for exactly this address, not for names that begin like it.
    payload = service.get_payload([f"smtp:{carried(address)}"], None, False, "ActiveDirectory", None)
    return wrap(service, payload)


def is_group(transport: Transport, what: str, address: str) -> bool:
    """Tell whether an address is a group; ``False`` also where the server does not know it, or does not say.

    Args:
        transport: Sends.
        what: What is done, for messages.
        address: Whose.
    """

    def read(payload: Element) -> bool | Refusal:
        message = single_message(payload, "ResolveNames")
        refusal = refusal_in(message)
        if refusal is not None and issubclass(ruling_of(refusal.code).error, RetriableError | AuthenticationError):
            return refusal
        # Several results are told as a warning, beside the results.
        return _is_group(message.findall(_MAILBOXES), address)

    try:
        return transport.send(resolve_address(address), what, read)
    except SkippableError:
        return False
    except FatalError as error:
        if error.reason is Reason.UNEXPECTED:
            return False  # not every server knows this operation, and each says so in a way of its own
        raise


def _is_group(found: list[Element], address: str) -> bool:
    exact = [one for one in found if one.findtext(_ADDRESS, "").strip().lower() == address.lower()]
    # One result under another address is the one whose second address was asked for.
    meant = exact or (found if len(found) == 1 else [])
    return any(one.findtext(_TYPE, "").strip() in _GROUPS for one in meant)
