"""GetUserAvailability: everybody's busy time, a hundred mailboxes at once.

Faults of the whole request come as SOAP faults whose code stands in `faultcode` alone (seen in
public reports of Exchange's answers); a mailbox's own failure is its `FreeBusyResponse`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from deployments.sandbox.model import Mailbox, MailboxKind
from deployments.sandbox.operations.context import Context
from deployments.sandbox.operations.freebusy import Window, event, merged_digits, merged_no_data, no_data_event
from deployments.sandbox.rights import Detail
from deployments.sandbox.soap import MESSAGES, TYPES, Element, M, SoapFault, T, child_text, schema_fault, text
from deployments.sandbox.timeline import Blob, Occurrence, Page
from deployments.sandbox.zones import RequestZone, read_request_zone, read_time

# Minutes that one merged digit may stand for.
_INTERVALS = range(5, 1441)
_VIEWS = ("MergedOnly", "FreeBusy", "FreeBusyMerged", "Detailed", "DetailedMerged")
_ERRORS = {
    "ErrorMailRecipientNotFound": "Unable to resolve e-mail address to an Active Directory object.",
    "ErrorNoFreeBusyAccess": "The caller does not have access to free/busy data.",
    "ErrorFreeBusyGenerationFailed": "The default calendar could not be opened.",
    "ErrorTimeIntervalTooBig": "The requested time duration specified for FreeBusyViewOptions.TimeWindow is too long.",
}
_WORKING_HOURS = (
    b"<t:WorkingHours><t:TimeZone><t:Bias>-60</t:Bias><t:StandardTime><t:Bias>0</t:Bias>"
    b"<t:Time>03:00:00</t:Time><t:DayOrder>5</t:DayOrder><t:Month>10</t:Month>"
    b"<t:DayOfWeek>Sunday</t:DayOfWeek></t:StandardTime><t:DaylightTime><t:Bias>-60</t:Bias>"
    b"<t:Time>02:00:00</t:Time><t:DayOrder>5</t:DayOrder><t:Month>3</t:Month>"
    b"<t:DayOfWeek>Sunday</t:DayOfWeek></t:DaylightTime></t:TimeZone><t:WorkingPeriodArray>"
    b"<t:WorkingPeriod><t:DayOfWeek>Monday Tuesday Wednesday Thursday Friday</t:DayOfWeek>"
    b"<t:StartTimeInMinutes>480</t:StartTimeInMinutes>"
    b"<t:EndTimeInMinutes>1020</t:EndTimeInMinutes></t:WorkingPeriod></t:WorkingPeriodArray>"
    b"</t:WorkingHours>"
)
_OPEN = (
    b'<m:FreeBusyResponse><m:ResponseMessage ResponseClass="Success">'
    b"<m:ResponseCode>NoError</m:ResponseCode></m:ResponseMessage><m:FreeBusyView>"
    b"<t:FreeBusyViewType>%s</t:FreeBusyViewType>"
)
_CLOSE = b"</m:FreeBusyView></m:FreeBusyResponse>"


def get_user_availability(context: Context, element: Element) -> bytes:
    """Answer a GetUserAvailability request."""
    addresses = _addresses(context, element)
    window = _window(context, element)
    too_long = window.end - window.start > timedelta(days=context.limits.window_days)
    if too_long and context.limits.window_error == "fault":
        raise _fault("ErrorTimeIntervalTooBig", _too_long_text(context, window))
    parts = [f'<m:GetUserAvailabilityResponse xmlns:m="{MESSAGES}" xmlns:t="{TYPES}"><m:FreeBusyResponseArray>'.encode()]
    for address in addresses:
        code = "ErrorTimeIntervalTooBig" if too_long else None
        parts += _answer(context, address, window, code)
    parts.append(b"</m:FreeBusyResponseArray></m:GetUserAvailabilityResponse>")
    return b"".join(parts)


def _fault(code: str, message: str, extra: str = "") -> SoapFault:
    return SoapFault(code, message, extra=extra, availability=True)


def _too_long_text(context: Context, window: Window) -> str:
    return (
        f"{_ERRORS['ErrorTimeIntervalTooBig']} The allowed limit = "
        f"{context.limits.window_days:g} days; the actual limit = "
        f"{(window.end - window.start).total_seconds() / 86_400:g} days."
    )


def _addresses(context: Context, element: Element) -> list[str]:
    found = element.findall(f"{M}MailboxDataArray/{T}MailboxData")
    limit = context.limits.mailboxes_per_request
    if len(found) > limit:
        raise _fault(
            "ErrorMailboxDataArrayTooBig",
            "There are too many target users in the EmailAddress array. "
            f"The allowed size = {limit}; the actual size = {len(found)}.",
            "5002",
        )
    if not found:
        raise schema_fault("MailboxDataArray is missing or empty.")
    return [child_text(one, f"{T}Email/{T}Address") or "" for one in found]


def _window(context: Context, element: Element) -> Window:
    zone = _zone(context, element)
    options = element.find(f"{T}FreeBusyViewOptions")
    if options is None:
        raise _fault("ErrorInvalidFreeBusyViewType", "FreeBusyViewOptions is missing.")
    view = child_text(options, f"{T}RequestedView") or "FreeBusyMerged"
    if view not in _VIEWS:
        raise _fault("ErrorInvalidFreeBusyViewType", "The requested free/busy view is not valid.")
    times = [read_time(child_text(options, f"{T}TimeWindow/{T}{name}"), what=name) for name in ("StartTime", "EndTime")]
    # Times without an offset are local to the zone that the request carries.
    start, end = (zone.to_utc(one) if one.tzinfo is None else one for one in times)
    if end <= start:
        raise _fault(
            "ErrorInvalidTimeInterval",
            "The time duration specified for FreeBusyViewOptions.TimeWindow is invalid.",
        )
    interval = child_text(options, f"{T}MergedFreeBusyIntervalInMinutes") or "30"
    if not interval.isdecimal() or int(interval) not in _INTERVALS:
        raise _fault(
            "ErrorInvalidMergedFreeBusyInterval",
            "The merged free/busy interval must be from 5 to 1440 minutes.",
        )
    return Window(start, end, zone, view, int(interval))


def _zone(context: Context, element: Element) -> RequestZone:
    part = element.find(f"{T}TimeZone")
    if part is not None:
        return read_request_zone(part)
    if context.zone_id is None:
        raise _fault("ErrorTimeZone", "The request carries no time zone.")
    offset = datetime.now(UTC).astimezone(context.zone).utcoffset() or timedelta()
    return RequestZone(-int(offset.total_seconds() // 60))


def _answer(context: Context, address: str, window: Window, code: str | None) -> list[bytes]:
    mailbox = context.organisation.mailbox(address)
    if mailbox is None:
        code = "ErrorMailRecipientNotFound"
    elif code is None:
        detail = _detail(context, mailbox)
        if mailbox.kind is MailboxKind.NO_CALENDAR:
            code = "ErrorFreeBusyGenerationFailed"
        elif detail is Detail.NONE:
            code = "ErrorNoFreeBusyAccess"
        else:
            return _view(context, mailbox, window, detail)
    context.note(code or "")
    return [_failed(code or "")]


def _failed(code: str) -> bytes:
    return (
        '<m:FreeBusyResponse><m:ResponseMessage ResponseClass="Error">'
        f"<m:MessageText>{text(_ERRORS[code])}</m:MessageText>"
        f"<m:ResponseCode>{code}</m:ResponseCode><m:DescriptiveLinkKey>0</m:DescriptiveLinkKey>"
        "</m:ResponseMessage><m:FreeBusyView><t:FreeBusyViewType>None</t:FreeBusyViewType>"
        "</m:FreeBusyView></m:FreeBusyResponse>"
    ).encode()


def _detail(context: Context, mailbox: Mailbox) -> Detail:
    if mailbox.kind is MailboxKind.GROUP:
        return Detail.TIME
    calendar = mailbox.folders.get(4)
    return Detail.TIME if calendar is None else context.rights(calendar).detail


def _view(context: Context, mailbox: Mailbox, window: Window, detail: Detail) -> list[bytes]:
    view, details = _answered_view(context, window.view, detail)
    if mailbox.kind is MailboxKind.NO_VIEW:
        return [_OPEN % b"None", _CLOSE]
    if mailbox.kind is MailboxKind.MERGED_ONLY:
        view = "MergedOnly"
    parts = [_OPEN % view.encode()]
    page = _page(context, mailbox, window)
    if "Merged" in window.view:
        no_data = mailbox.kind is MailboxKind.NO_DATA
        digits = merged_no_data(window) if no_data else merged_digits(page, window)
        parts.append(b"<t:MergedFreeBusy>%s</t:MergedFreeBusy>" % digits.encode())
    if view != "MergedOnly":
        parts.append(b"<t:CalendarEventArray>")
        if mailbox.kind is MailboxKind.NO_DATA:
            parts.append(no_data_event(window))
        else:
            parts += _events(context, page, window, details)
        parts += [b"</t:CalendarEventArray>", _WORKING_HOURS]
    parts.append(_CLOSE)
    return parts


def _answered_view(context: Context, asked: str, detail: Detail) -> tuple[str, Detail | None]:
    """Return the view that is answered, and how much detail goes into it (None: none)."""
    if context.limits.send_details and asked != "MergedOnly":
        return ("DetailedMerged" if "Merged" in asked else "Detailed"), Detail.FULL
    if asked.startswith("Detailed"):
        if detail >= Detail.SUBJECT:
            return asked, detail
        return asked.replace("Detailed", "FreeBusy"), None
    return asked, None


def _page(context: Context, mailbox: Mailbox, window: Window) -> Page:
    if mailbox.kind is not MailboxKind.GROUP:
        calendar = mailbox.folders[4]
        return calendar.timeline.page(calendar.items.values(), window.start, window.end)
    together: list[Occurrence] = []
    for address in mailbox.members:
        member = context.organisation.mailbox(address)
        if member is not None and member.kind is MailboxKind.PERSON:
            together += _page(context, member, window).all
    return Page(window.start, window.end, together)


def warm(mailbox: Mailbox, around: datetime) -> None:
    """Render a calendar in advance, as the usual request for the next two months wants it."""
    calendar = mailbox.folders[4]
    page = calendar.timeline.page(calendar.items.values(), around - timedelta(days=1), around + timedelta(days=62))
    _blob(page, RequestZone(0), None, private=False)


def _blob(page: Page, zone: RequestZone, details: Detail | None, *, private: bool) -> Blob:
    return page.blob((zone, details, private), lambda one: event(one, zone, details, private=private))


def _events(context: Context, page: Page, window: Window, details: Detail | None) -> list[bytes]:
    blob = _blob(page, window.zone, details, private=context.limits.send_details)
    early, first, last = page.select(
        int(window.start.timestamp()),
        int(window.end.timestamp()),
        inclusive=context.limits.inclusive_edges,
    )
    if context.limits.beyond_window and last < len(page.busy):
        last += 1
    room = context.limits.availability_items
    early = early[:room]
    last = min(last, first + room - len(early))
    parts = [blob.data[blob.offsets[i] : blob.offsets[i + 1]] for i in early]
    parts.append(blob.data[blob.offsets[first] : blob.offsets[last]])
    return parts
