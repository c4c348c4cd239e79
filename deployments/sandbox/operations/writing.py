"""CreateItem and DeleteItem."""

from __future__ import annotations

from datetime import UTC, datetime

from deployments.sandbox import sharing
from deployments.sandbox.model import Folder, Item
from deployments.sandbox.operations.context import Context
from deployments.sandbox.operations.itemfields import read_item
from deployments.sandbox.operations.items import find_by_id
from deployments.sandbox.organisation import Found
from deployments.sandbox.soap import Element, M, OperationError, T, failure, local_name, response, schema_fault, success

_SENDING = frozenset({"SendToNone", "SendOnlyToAll", "SendToAllAndSaveCopy"})
_DISPOSALS = frozenset({"HardDelete", "SoftDelete", "MoveToDeletedItems"})


def create_item(context: Context, element: Element) -> bytes:
    """Answer a CreateItem request, one message for each item."""
    items = element.findall(f"{M}Items/*")
    if not items:
        raise schema_fault("Items is missing or empty.")
    sending = choice(element, "SendMeetingInvitations", _SENDING)
    target = element.find(f"{M}SavedItemFolderId/*")
    messages = []
    for one in items:
        try:
            messages.append(success("CreateItem", _create(context, one, target, sending)))
        except OperationError as error:
            context.note(error.code)
            messages.append(failure("CreateItem", error))
    return response("CreateItem", messages)


def choice(element: Element, name: str, known: frozenset[str]) -> str | None:
    """Return an attribute of the request that must be one of several words, if it is there."""
    value = element.get(name)
    if value is not None and value not in known:
        raise schema_fault(f"{name} is unknown.")
    return value


def _create(context: Context, element: Element, target: Element | None, sending: str | None) -> str:
    kind = local_name(element)
    if kind == "AcceptSharingInvitation":
        return _accept(context, element)
    if kind != "CalendarItem":
        raise OperationError("ErrorInvalidOperation", f"This server makes no {kind}.")
    if sending is None:
        raise OperationError("ErrorSendMeetingInvitationsRequired")
    draft = read_item(element)
    folder = _target(context, target)
    start, end = draft.settle(None, None, context.zone)
    # Without a word about it an item reminds of itself, as in Exchange.
    draft.values.setdefault("reminder_is_set", True)
    item = context.organisation.add_item(folder, start, end, creator=context.caller, created=datetime.now(UTC))
    draft.apply(item)
    return item_ids(item)


def _target(context: Context, target: Element | None) -> Folder:
    """Return the folder for a new item: without a word about it, the caller's own calendar."""
    if target is None:
        own = context.mailbox(context.caller).distinguished("calendar")
        if own is None:
            raise OperationError("ErrorFolderNotFound")
        return own
    folder = context.folder(target)
    if not context.rights(folder).create:
        raise OperationError("ErrorAccessDenied")
    if not folder.is_calendar:
        raise OperationError("ErrorCannotCreateCalendarItemInNonCalendarFolder")
    return folder


def item_ids(item: Item) -> str:
    """Render what the answer to a write tells of the item."""
    return f'<m:Items><t:CalendarItem><t:ItemId Id="{item.id}" ChangeKey="{item.change_key}"/></t:CalendarItem></m:Items>'


def _accept(context: Context, element: Element) -> str:
    reference = element.find(f"{T}ReferenceItemId")
    if reference is None:
        raise schema_fault("ReferenceItemId is missing.")
    found = find_by_id(context, reference)
    if found.folder.mailbox != context.caller:
        raise OperationError("ErrorAccessDenied")
    sharing.accept(context.organisation, found.item, context.limits.invitation_delay_s)
    return "<m:Items/>"


def delete_item(context: Context, element: Element) -> bytes:
    """Answer a DeleteItem request, one message for each id."""
    ids = element.findall(f"{M}ItemIds/*")
    disposal = choice(element, "DeleteType", _DISPOSALS)
    if not ids or disposal is None:
        raise schema_fault("ItemIds or DeleteType is missing.")
    sending = choice(element, "SendMeetingCancellations", _SENDING)
    messages = []
    for one in ids:
        try:
            _delete(context, find_by_id(context, one), disposal, sending)
            messages.append(success("DeleteItem", ""))
        except OperationError as error:
            context.note(error.code)
            messages.append(failure("DeleteItem", error))
    return response("DeleteItem", messages)


def _delete(context: Context, found: Found, disposal: str, sending: str | None) -> None:
    item = found.item
    if sending is None and item.sender is None:
        raise OperationError("ErrorSendMeetingCancellationsRequired")
    if not context.rights(found.folder).may_delete(own=item.creator == context.caller):
        raise OperationError("ErrorAccessDenied")
    if disposal == "MoveToDeletedItems":
        _keep(context, found)
    context.organisation.remove_item(found)


def _keep(context: Context, found: Found) -> None:
    """Put an item that is about to go into its mailbox's Deleted Items, where it has a new id."""
    if context.caller != found.folder.mailbox and not context.limits.delegate_move_to_deleted:
        raise OperationError("ErrorAccessDenied")
    bin_ = context.mailbox(found.folder.mailbox).distinguished("deleteditems")
    if bin_ is None or found.occurrence is not None or found.item.sender is not None:
        return
    item = context.organisation.add_item(bin_, found.item.start, found.item.end)
    for name in ("subject", "body", "status", "creator", "created", "extended", "location", "series"):
        setattr(item, name, getattr(found.item, name))
