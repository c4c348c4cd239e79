"""ResolveNames, GetServerTimeZones and ConvertId."""

from __future__ import annotations

from deployments.sandbox.model import Mailbox, MailboxKind
from deployments.sandbox.operations.context import Context
from deployments.sandbox.operations.zonexml import FULL, SHORT
from deployments.sandbox.soap import (
    Element,
    M,
    OperationError,
    SoapFault,
    T,
    child_text,
    failure,
    response,
    schema_fault,
    success,
    text,
)

_MOST = 100


def resolve_names(context: Context, element: Element) -> bytes:
    """Answer a ResolveNames request from addresses and display names."""
    entry = child_text(element, f"{M}UnresolvedEntry")
    if entry is None:
        raise schema_fault("UnresolvedEntry is missing or empty.")
    wanted = entry.lower().removeprefix("smtp:")
    exact = context.organisation.mailbox(wanted)
    found = [exact] if exact is not None else _search(context, wanted)
    if not found:
        context.note("ErrorNameResolutionNoResults")
        message = failure("ResolveNames", OperationError("ErrorNameResolutionNoResults"))
        return response("ResolveNames", [message])
    return response("ResolveNames", [_resolution_set(context, found)])


def _search(context: Context, wanted: str) -> list[Mailbox]:
    # Addresses first: looking at every display name would make every lazily made mailbox.
    matching = [one for one in list(context.organisation.addresses()) if one.startswith(wanted)]
    found = [context.organisation.mailbox(one) for one in matching[: _MOST + 1]]
    return [one for one in found if one is not None]


def _resolution_set(context: Context, found: list[Mailbox]) -> str:
    shown = found[:_MOST]
    complete = "true" if len(shown) == len(found) else "false"
    content = (
        f'<m:ResolutionSet TotalItemsInView="{len(shown)}" IncludesLastItemInRange="{complete}">'
        f"{''.join(map(_resolution, shown))}</m:ResolutionSet>"
    )
    if len(found) == 1:
        return success("ResolveNames", content)
    context.note("ErrorNameResolutionMultipleResults")
    return (
        '<m:ResolveNamesResponseMessage ResponseClass="Warning">'
        "<m:MessageText>Multiple results were found.</m:MessageText>"
        "<m:ResponseCode>ErrorNameResolutionMultipleResults</m:ResponseCode>"
        f"<m:DescriptiveLinkKey>0</m:DescriptiveLinkKey>{content}</m:ResolveNamesResponseMessage>"
    )


def _resolution(mailbox: Mailbox) -> str:
    kind = "PublicDL" if mailbox.kind is MailboxKind.GROUP else "Mailbox"
    return (
        f"<t:Resolution><t:Mailbox><t:Name>{text(mailbox.name)}</t:Name>"
        f"<t:EmailAddress>{text(mailbox.address)}</t:EmailAddress>"
        f"<t:RoutingType>SMTP</t:RoutingType><t:MailboxType>{kind}</t:MailboxType>"
        "</t:Mailbox></t:Resolution>"
    )


def get_server_time_zones(context: Context, element: Element) -> bytes:
    """Answer a GetServerTimeZones request; unknown ids are left out, as Exchange does."""
    if not context.limits.server_time_zones:
        raise SoapFault("ErrorInvalidRequest", "The request is invalid.")
    full = element.get("ReturnFullTimeZoneData", "true").lower() in {"true", "1"}
    zones = FULL if full else SHORT
    ids = [(one.text or "").strip() for one in element.findall(f"{M}Ids/{T}Id")]
    shown = [zones[one] for one in (ids or zones) if one in zones]
    content = f"<m:TimeZoneDefinitions>{''.join(shown)}</m:TimeZoneDefinitions>"
    return response("GetServerTimeZones", [success("GetServerTimeZones", content)])


def convert_id(context: Context, element: Element) -> bytes:
    """Answer a ConvertId request: no id of this server has another format.

    Clients send it with a made-up id to learn the server's version from the answer's header.
    """
    context.note("ErrorInvalidIdMalformed")
    message = failure("ConvertId", OperationError("ErrorInvalidIdMalformed"))
    return response("ConvertId", [message for _ in element.findall(f"{M}SourceIds/*")])
