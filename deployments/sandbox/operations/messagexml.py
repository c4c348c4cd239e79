"""How a message looks in an answer: the sharing invitations of the inbox."""

from __future__ import annotations

from collections.abc import Callable

from deployments.sandbox import sharing
from deployments.sandbox.model import Folder, Item
from deployments.sandbox.operations.context import Context
from deployments.sandbox.operations.itemxml import element_xml, mailbox_xml
from deployments.sandbox.operations.shapes import Shape, rights_xml
from deployments.sandbox.rights import item_effective_rights
from deployments.sandbox.zones import moment_text

_DEFAULT = frozenset({"item:ItemClass", "item:Subject", "item:Sensitivity", "item:DateTimeSent", "message:From"})
# FindItem never tells these.
_NOT_IN_LISTS = frozenset({"item:Body", "item:ResponseObjects", "message:ToRecipients"})


def message_xml(context: Context, folder: Folder, item: Item, shape: Shape, *, listing: bool) -> str:
    """Render a message.

    Args:
        context: The request.
        folder: Where the message lies.
        item: The message.
        shape: What was asked for.
        listing: Whether this is FindItem, which tells less than GetItem.
    """
    parts = [f'<t:ItemId Id="{item.id}" ChangeKey="{item.change_key}"/>']
    for field, show in _FIELDS.items():
        if field == "extended":
            parts += shape.extended_xml(item.extended)
        elif not (listing and field in _NOT_IN_LISTS) and shape.wants(field, _DEFAULT):
            parts.append(show(context, folder, item))
    return f"<t:Message>{''.join(parts)}</t:Message>"


_Show = Callable[[Context, Folder, Item], str]


def _constant(name: str, value: str) -> _Show:
    return lambda _context, _folder, _item: element_xml(name, value)


def _arrived(name: str) -> _Show:
    return lambda context, _folder, item: element_xml(name, moment_text(item.start, context.zone))


def _responses(context: Context, _folder: Folder, item: Item) -> str:
    pending = sharing.is_pending(context.organisation, item)
    return f"<t:ResponseObjects>{'<t:AcceptSharingInvitation/>' if pending else ''}</t:ResponseObjects>"


def _sender(name: str) -> _Show:
    def show(_context: Context, _folder: Folder, item: Item) -> str:
        title, address = item.sender or ("", "")
        return f"<t:{name}>{mailbox_xml(address, title)}</t:{name}>"

    return show


def _recipients(context: Context, folder: Folder, _item: Item) -> str:
    owner = context.mailbox(folder.mailbox)
    return f"<t:ToRecipients>{mailbox_xml(owner.address, owner.name)}</t:ToRecipients>"


def _rights(context: Context, folder: Folder, _item: Item) -> str:
    return rights_xml(item_effective_rights(context.rights(folder), own=False))


# Insertion order is the schema's order of elements; "extended" marks where those come.
_FIELDS: dict[str, _Show] = {
    "item:ParentFolderId": lambda _context, folder, _item: (
        f'<t:ParentFolderId Id="{folder.id}" ChangeKey="{folder.change_key}"/>'
    ),
    "item:ItemClass": lambda _context, _folder, item: element_xml("ItemClass", item.item_class),
    "item:Subject": lambda _context, _folder, item: element_xml("Subject", item.subject),
    "item:Sensitivity": _constant("Sensitivity", "Normal"),
    "item:Body": lambda _context, _folder, _item: '<t:Body BodyType="Text"/>',
    "item:DateTimeReceived": _arrived("DateTimeReceived"),
    "item:DateTimeSent": _arrived("DateTimeSent"),
    "item:DateTimeCreated": _arrived("DateTimeCreated"),
    "item:ResponseObjects": _responses,
    "item:HasAttachments": _constant("HasAttachments", "true"),
    "extended": _constant("", ""),
    "item:EffectiveRights": _rights,
    "message:Sender": _sender("Sender"),
    "message:ToRecipients": _recipients,
    "message:From": _sender("From"),
    "message:IsRead": _constant("IsRead", "false"),
}
