"""How a calendar item looks in an answer: each property, in the schema's order, on demand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from deployments.sandbox.identifiers import ItemKey, item_id
from deployments.sandbox.model import Folder
from deployments.sandbox.operations.context import Context
from deployments.sandbox.operations.shapes import Shape, rights_xml
from deployments.sandbox.rights import Rights, item_effective_rights
from deployments.sandbox.soap import attribute, text
from deployments.sandbox.timeline import Occurrence
from deployments.sandbox.zones import WINDOWS_NAMES, moment_text

Flag = bool

_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
_DEFAULT = frozenset(
    {
        "item:ParentFolderId",
        "item:ItemClass",
        "item:Subject",
        "item:Sensitivity",
        "item:HasAttachments",
        "calendar:Start",
        "calendar:End",
        "calendar:LegacyFreeBusyStatus",
        "calendar:Location",
        "calendar:IsAllDayEvent",
        "calendar:IsMeeting",
        "calendar:IsCancelled",
        "calendar:IsRecurring",
        "calendar:CalendarItemType",
        "calendar:MyResponseType",
        "calendar:Organizer",
    }
)
# FindItem never tells these.
_NOT_IN_LISTS = frozenset({"item:Body", "item:TextBody", "calendar:Recurrence"})


@dataclass(frozen=True, slots=True)
class View:
    """One occurrence as one caller sees it."""

    context: Context
    folder: Folder
    one: Occurrence
    rights: Rights
    masked: bool
    listing: bool

    @property
    def zone(self) -> ZoneInfo:
        """The zone of the answer's times."""
        return self.context.zone

    def effective_rights(self) -> str:
        """Render the item's EffectiveRights."""
        own = self.one.item.creator == self.context.caller
        rights = item_effective_rights(self.rights, own=own)
        if self.listing and not self.context.limits.find_item_rights:
            rights = dict.fromkeys(rights, False)
        return rights_xml(rights)


def item_xml(context: Context, folder: Folder, one: Occurrence, shape: Shape, *, listing: bool) -> str:
    """Render a calendar item.

    Args:
        context: The request.
        folder: Where the item lies.
        one: The item at one time.
        shape: What was asked for.
        listing: Whether this is FindItem, which tells less than GetItem.
    """
    rights = context.rights(folder)
    shielded = context.limits.private_items == "masked" and not rights.private
    view = View(context, folder, one, rights, shielded and one.item.is_private, listing)
    parts = [f'<t:ItemId Id="{_id(one)}" ChangeKey="{one.item.change_key}"/>']
    for field, render in _FIELDS.items():
        if field == "extended":
            parts += [] if view.masked else shape.extended_xml(one.item.extended)
        elif not (listing and field in _NOT_IN_LISTS) and shape.wants(field, _DEFAULT):
            parts.append(render(view))
    return f"<t:CalendarItem>{''.join(parts)}</t:CalendarItem>"


def _id(one: Occurrence) -> str:
    occurrence = None if one.original is None else int(one.original.timestamp())
    return item_id(ItemKey(one.item.mailbox, one.item.number, occurrence))


def element_xml(name: str, value: str | Flag) -> str:
    """Render a property."""
    shown = str(value).lower() if isinstance(value, bool) else text(value)
    return f"<t:{name}>{shown}</t:{name}>"


def _time(name: str, pick: Callable[[View], datetime]) -> Callable[[View], str]:
    return lambda view: element_xml(name, moment_text(pick(view), view.zone))


def _parent(view: View) -> str:
    folder = view.folder
    return f'<t:ParentFolderId Id="{folder.id}" ChangeKey="{folder.change_key}"/>'


def _subject(view: View) -> str:
    return element_xml("Subject", "Private Appointment" if view.masked else view.one.subject)


def _body(view: View) -> str:
    item = view.one.item
    if view.masked:
        return '<t:Body BodyType="Text"></t:Body>'
    return f'<t:Body BodyType="{item.body_type}">{text(item.body)}</t:Body>'


def _text_body(view: View) -> str:
    body = "" if view.masked else view.one.item.body
    return f'<t:TextBody BodyType="Text" IsTruncated="false">{text(body)}</t:TextBody>'


def _location(view: View) -> str:
    return "" if view.masked else element_xml("Location", view.one.item.location)


def _type(view: View) -> str:
    one = view.one
    if one.item.series is None:
        return "Single"
    if one.original is None:
        return "RecurringMaster"
    return "Exception" if one.is_exception else "Occurrence"


def _original_start(view: View) -> str:
    original = view.one.original
    return "" if original is None else element_xml("OriginalStart", moment_text(original, view.zone))


def mailbox_xml(address: str, name: str) -> str:
    """Render a recipient."""
    return (
        f"<t:Mailbox><t:Name>{text(name)}</t:Name>"
        f"<t:EmailAddress>{text(address)}</t:EmailAddress><t:RoutingType>SMTP</t:RoutingType>"
        "<t:MailboxType>Mailbox</t:MailboxType></t:Mailbox>"
    )


def _organizer(view: View) -> str:
    if view.folder.foreign_owner is not None:
        owner = view.folder.foreign_owner
        return f"<t:Organizer>{mailbox_xml(owner, owner)}</t:Organizer>"
    mailbox = view.context.mailbox(view.one.item.mailbox)
    return f"<t:Organizer>{mailbox_xml(mailbox.address, mailbox.name)}</t:Organizer>"


def _zone(name: str, field: str) -> Callable[[View], str]:
    def render(view: View) -> str:
        item = view.one.item
        zone = getattr(item, field) or WINDOWS_NAMES.get(item.time_zone, "UTC")
        return f"<t:{name} Id={attribute(zone)} Name={attribute(zone)}/>"

    return render


def _created(view: View) -> datetime:
    return view.one.item.created or _LONG_AGO


def _modified(view: View) -> datetime:
    return view.one.item.modified or _created(view)


def _constant(name: str, value: str | Flag) -> Callable[[View], str]:
    return lambda _view: element_xml(name, value)


# Insertion order is the schema's order of elements; "extended" marks where those come.
_FIELDS: dict[str, Callable[[View], str]] = {
    "item:ParentFolderId": _parent,
    "item:ItemClass": _constant("ItemClass", "IPM.Appointment"),
    "item:Subject": _subject,
    "item:Sensitivity": lambda view: element_xml("Sensitivity", "Private" if view.one.item.is_private else "Normal"),
    "item:Body": _body,
    "item:Importance": _constant("Importance", "Normal"),
    "item:IsDraft": _constant("IsDraft", value=False),
    "item:DateTimeCreated": _time("DateTimeCreated", _created),
    "item:ReminderIsSet": lambda view: element_xml("ReminderIsSet", view.one.item.reminder_is_set),
    "item:ReminderMinutesBeforeStart": lambda view: element_xml(
        "ReminderMinutesBeforeStart", str(view.one.item.reminder_minutes)
    ),
    "item:HasAttachments": _constant("HasAttachments", value=False),
    "extended": lambda _view: "",
    "item:EffectiveRights": View.effective_rights,
    "item:LastModifiedName": lambda view: element_xml("LastModifiedName", view.one.item.modifier or view.one.item.creator),
    "item:LastModifiedTime": _time("LastModifiedTime", _modified),
    "item:TextBody": _text_body,
    "calendar:UID": lambda view: element_xml("UID", view.one.item.uid),
    "calendar:Start": _time("Start", lambda view: view.one.start),
    "calendar:End": _time("End", lambda view: view.one.end),
    "calendar:OriginalStart": _original_start,
    "calendar:IsAllDayEvent": lambda view: element_xml("IsAllDayEvent", view.one.item.is_all_day),
    "calendar:LegacyFreeBusyStatus": lambda view: element_xml("LegacyFreeBusyStatus", view.one.status),
    "calendar:Location": _location,
    "calendar:IsMeeting": _constant("IsMeeting", value=False),
    "calendar:IsCancelled": lambda view: element_xml("IsCancelled", view.one.item.is_cancelled),
    "calendar:IsRecurring": lambda view: element_xml(
        "IsRecurring", view.one.item.series is not None and view.one.original is not None
    ),
    "calendar:CalendarItemType": lambda view: element_xml("CalendarItemType", _type(view)),
    "calendar:MyResponseType": _constant("MyResponseType", "Organizer"),
    "calendar:Organizer": _organizer,
    "calendar:StartTimeZone": _zone("StartTimeZone", "start_zone"),
    "calendar:EndTimeZone": _zone("EndTimeZone", "end_zone"),
}
