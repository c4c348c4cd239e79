"""What is sent to create, change and remove calendar items, and to accept a sharing invitation.

No request here makes the server send mail: ``SendToNone`` everywhere.
"""

from collections.abc import Sequence
from typing import Any

from busytime.bookings import Draft
from busytime.ews.envelopes import (
    calendar_folder,
    carried,
    instant,
    library_account,
    prop,
    services,
    util,
    windows_zone,
    wrap,
)
from busytime.ews.marker import Entry

_SILENT = "SendToNone"


def create_entry(owner: str, folder_id: str | None, entry: Any) -> bytes:
    """Ask to create an entry (``CreateItem``).

    The folder is named in ``SavedItemFolderId``: without it the item would land in the connection's own mailbox.

    Args:
        owner: Whose calendar.
        folder_id: ``None`` for the default calendar, addressed explicitly.
        entry: An ``Entry``.
    """
    service = services.CreateItem(account=library_account())
    return wrap(service, service.get_payload([entry], calendar_folder(owner, folder_id), "SaveOnly", _SILENT))


def draft_entry(draft: Draft, zone: str) -> Any:
    """Return the item that is sent for a draft.

    Args:
        draft: What it shall be.
        zone: An IANA name; the times are instants, so this is only how its owner sees them.
    """
    where = windows_zone(zone)
    return Entry(
        subject=draft.title,
        # Nothing instead of an empty text: it is left out of a new item, and deleted from one that is changed.
        body=prop.Body(draft.body) if draft.body else None,
        location=draft.location or None,
        start=instant(draft.window.start),
        end=instant(draft.window.end),
        legacy_free_busy_status="Busy",
        reminder_is_set=False,
        busytime_key=draft.marker_key,
        busytime_revision=str(draft.revision),
        _start_timezone=where,
        _end_timezone=where,
    )


#: What a change brings up to date. The key never changes; status, reminder and categories are the owner's.
DRAFTED = ("subject", "body", "location", "start", "end", "_start_timezone", "_end_timezone", "busytime_revision")


def change_entry(
    item_id: str, change_key: str | None, entry: Any, names: Sequence[str], resolution: str = "AutoResolve"
) -> bytes:
    """Ask to change some properties of an entry (``UpdateItem``).

    Args:
        item_id: The server's id.
        change_key: What the server last gave for it.
        entry: An ``Entry`` with the new values.
        names: Which of its properties are meant; one that the entry lacks is deleted.
        resolution: What to do where the item was changed meanwhile: ``AutoResolve`` may merge, ``NeverOverwrite`` refuses.
    """
    service = services.UpdateItem(account=library_account())
    target = Entry(id=carried(item_id), changekey=change_key)
    for name in names:
        setattr(target, name, getattr(entry, name))
    payload = service.get_payload(
        items=[(target, names)],
        conflict_resolution=resolution,
        message_disposition="SaveOnly",
        send_meeting_invitations_or_cancellations=_SILENT,
        suppress_read_receipts=True,
    )
    return wrap(service, payload)


def delete_entries(item_ids: Sequence[str], *, soft: bool = True) -> bytes:
    """Ask to remove items (``DeleteItem``).

    Args:
        item_ids: The server's ids.
        soft: Leave them where their owner can recover them, in the folder's own mailbox; otherwise nobody can.
    """
    service = services.DeleteItem(account=library_account())
    payload = service.get_payload(
        items=[prop.ItemId(id=carried(item_id)) for item_id in item_ids],
        delete_type="SoftDelete" if soft else "HardDelete",
        send_meeting_cancellations=_SILENT,
        affected_task_occurrences="AllOccurrences",
        suppress_read_receipts=True,
    )
    return wrap(service, payload)


def accept_sharing_invitation(invitation_id: str) -> bytes:
    """Ask to accept a sharing invitation (``CreateItem`` with ``AcceptSharingInvitation``).

    The payload is put together here: the library has the element, but its service takes only items.
    """
    service = services.CreateItem(account=library_account())
    answer = prop.AcceptSharingInvitation(reference_item_id=prop.ReferenceItemId(id=carried(invitation_id)))
    payload = util.create_element("m:CreateItem", attrs={"MessageDisposition": "SaveOnly"})
    things = util.create_element("m:Items")
    things.append(answer.to_xml(version=library_account().version))
    payload.append(things)
    return wrap(service, payload)
