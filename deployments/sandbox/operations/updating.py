"""UpdateItem: single properties set or deleted, guarded by the change key."""

from __future__ import annotations

from datetime import UTC, datetime

from deployments.sandbox.identifiers import is_change_key
from deployments.sandbox.operations.context import Context
from deployments.sandbox.operations.itemfields import BY_URI, Draft, take
from deployments.sandbox.operations.items import find_by_id
from deployments.sandbox.operations.shapes import read_extended
from deployments.sandbox.operations.writing import choice, item_ids
from deployments.sandbox.organisation import Found
from deployments.sandbox.soap import Element, M, OperationError, T, failure, local_name, response, schema_fault, success

_RESOLUTIONS = frozenset({"NeverOverwrite", "AutoResolve", "AlwaysOverwrite"})
_SENDING = frozenset({"SendToNone", "SendOnlyToAll", "SendOnlyToChanged", "SendToAllAndSaveCopy", "SendToChangedAndSaveCopy"})


def update_item(context: Context, element: Element) -> bytes:
    """Answer an UpdateItem request, one message for each item."""
    changes = element.findall(f"{M}ItemChanges/{T}ItemChange")
    resolution = choice(element, "ConflictResolution", _RESOLUTIONS)
    if not changes or resolution is None:
        raise schema_fault("ItemChanges or ConflictResolution is missing.")
    sending = choice(element, "SendMeetingInvitationsOrCancellations", _SENDING)
    messages = []
    for one in changes:
        try:
            messages.append(success("UpdateItem", _update(context, one, resolution, sending)))
        except OperationError as error:
            context.note(error.code)
            messages.append(failure("UpdateItem", error))
    return response("UpdateItem", messages)


def _update(context: Context, change: Element, resolution: str, sending: str | None) -> str:
    updates = change.find(f"{T}Updates")
    if len(change) != 2 or updates is None or not len(updates):  # noqa: PLR2004 (an id and its updates)
        raise schema_fault("ItemChange needs an id and Updates.")
    found = find_by_id(context, change[0])
    if sending is None:
        raise OperationError("ErrorSendMeetingInvitationsOrCancellationsRequired")
    _check_allowed(context, found)
    _check_key(found, change[0].get("ChangeKey"), resolution)
    draft = _read(context, updates)
    item = found.item
    times = draft.settle(item.start, item.end, context.zone)
    if item.series is not None and times != (item.start, item.end):
        raise OperationError("ErrorInvalidOperation", "This server does not move a whole series.")
    # From here on nothing can fail: an item is changed as a whole or not at all.
    item.start, item.end = times
    draft.apply(item)
    item.changed(context.caller, datetime.now(UTC))
    found.folder.touched()
    return item_ids(item) + "<m:ConflictResults><t:Count>0</t:Count></m:ConflictResults>"


def _check_allowed(context: Context, found: Found) -> None:
    if not context.rights(found.folder).may_edit(own=found.item.creator == context.caller):
        raise OperationError("ErrorAccessDenied")
    if found.occurrence is not None or found.item.sender is not None:
        raise OperationError("ErrorInvalidOperation", "This server changes neither occurrences nor messages.")


def _check_key(found: Found, key: str | None, resolution: str) -> None:
    """Refuse a change to a state of the item that its client has not seen."""
    if not key and resolution != "AlwaysOverwrite":
        raise OperationError("ErrorChangeKeyRequiredForWriteOperations")
    if key and not is_change_key(key):
        raise OperationError("ErrorInvalidChangeKey")
    if key and key != found.item.change_key and resolution != "AlwaysOverwrite":
        raise OperationError("ErrorIrresolvableConflict")


def _read(context: Context, updates: Element) -> Draft:
    draft = Draft()
    for one in updates:
        step = Draft()
        name = _read_one(step, one)
        # A server that says NoError and forgets: what it ignores is checked all the same.
        if name != context.limits.update_ignores:
            draft.values |= step.values
            draft.extended |= step.extended
    return draft


def _read_one(draft: Draft, update: Element) -> str:
    action = local_name(update)
    if action not in {"SetItemField", "DeleteItemField", "AppendToItemField"} or not len(update):
        raise schema_fault("Updates holds something unknown.")
    if action == "AppendToItemField":
        raise OperationError("ErrorInvalidPropertyAppend")
    name = path_name(update[0])
    if action == "DeleteItemField":
        _delete(draft, update[0], name)
        return name
    content = update.findall(f"{T}CalendarItem/*")
    if len(content) != 1:
        raise OperationError("ErrorIncorrectUpdatePropertyCount")
    if take(draft, content[0]) != name:
        raise OperationError("ErrorUpdatePropertyMismatch")
    return name


def path_name(path: Element) -> str:
    """Return the name of the property that a path names."""
    if path.tag == f"{T}ExtendedFieldURI":
        return "/".join(read_extended(path).key)
    return path.get("FieldURI") or ""


def _delete(draft: Draft, path: Element, name: str) -> None:
    if path.tag == f"{T}ExtendedFieldURI":
        draft.extended[read_extended(path).key] = None
        return
    known = BY_URI.get(name)
    if known is None or known.erased is None:
        raise OperationError("ErrorInvalidPropertyDelete")
    draft.values |= known.erased
