"""Writing requests for the sandbox's own tests, valid by Microsoft's schema themselves."""

from __future__ import annotations

from lxml import etree

from tests.contract.sandbox.client import NS, Answer, Client, validate

MARKER = "b7f3a1c2-5d84-4e6b-9a0f-3c1de2975a48"
NINE, TEN = "2030-03-04T09:00:00Z", "2030-03-04T10:00:00Z"


def uri(name: str, owner: str = MARKER, kind: str = "String") -> str:
    return f'<t:ExtendedFieldURI PropertySetId="{owner}" PropertyName="{name}" PropertyType="{kind}"/>'


def extended(name: str, value: str, owner: str = MARKER) -> str:
    return f"<t:ExtendedProperty>{uri(name, owner)}<t:Value>{value}</t:Value></t:ExtendedProperty>"


def item(
    subject: str = "Visit", *, before: str = "", start: str | None = NINE, end: str | None = TEN, after: str = "", zones: str = ""
) -> str:
    """Return a `CalendarItem`; `before` goes before its times and `after` behind them."""
    times = (f"<t:Start>{start}</t:Start>" if start else "") + (f"<t:End>{end}</t:End>" if end else "")
    return f"<t:CalendarItem><t:Subject>{subject}</t:Subject>{before}{times}{after}{zones}</t:CalendarItem>"


def create(client: Client, *items: str, folder: str | None = None, sending: str | None = "SendToNone") -> Answer:
    target = "" if folder is None else f"<m:SavedItemFolderId>{folder}</m:SavedItemFolderId>"
    how = "" if sending is None else f' SendMeetingInvitations="{sending}"'
    return send(client, f"<m:CreateItem{how}>{target}<m:Items>{''.join(items)}</m:Items></m:CreateItem>")


def created(client: Client, one: str, folder: str | None = None) -> tuple[str, str]:
    """Create an item and return its id and change key."""
    answer = create(client, one, folder=folder)
    assert answer.codes == ["NoError"]
    return ids(answer)[0]


def ids(answer: Answer) -> list[tuple[str, str]]:
    return [(one.get("Id"), one.get("ChangeKey")) for one in answer.all(".//t:ItemId")]


def put(path: str, content: str) -> str:
    field = path if path.startswith("<") else f'<t:FieldURI FieldURI="{path}"/>'
    return f"<t:SetItemField>{field}<t:CalendarItem>{content}</t:CalendarItem></t:SetItemField>"


def drop(path: str) -> str:
    field = path if path.startswith("<") else f'<t:FieldURI FieldURI="{path}"/>'
    return f"<t:DeleteItemField>{field}</t:DeleteItemField>"


def update(
    client: Client,
    item_id: str,
    key: str | None,
    *updates: str,
    resolution: str = "NeverOverwrite",
    sending: str | None = "SendToNone",
) -> Answer:
    how = "" if sending is None else f' SendMeetingInvitationsOrCancellations="{sending}"'
    stamp = "" if key is None else f' ChangeKey="{key}"'
    return send(
        client,
        f'<m:UpdateItem ConflictResolution="{resolution}"{how}><m:ItemChanges><t:ItemChange>'
        f'<t:ItemId Id="{item_id}"{stamp}/><t:Updates>{"".join(updates)}</t:Updates>'
        "</t:ItemChange></m:ItemChanges></m:UpdateItem>",
    )


def delete(client: Client, *item_ids: str, how: str = "SoftDelete", sending: str | None = "SendToNone") -> Answer:
    cancel = "" if sending is None else f' SendMeetingCancellations="{sending}"'
    items = "".join(f'<t:ItemId Id="{one}"/>' for one in item_ids)
    return send(client, f'<m:DeleteItem DeleteType="{how}"{cancel}><m:ItemIds>{items}</m:ItemIds></m:DeleteItem>')


def accept(client: Client, item_id: str) -> Answer:
    content = f'<t:AcceptSharingInvitation><t:ReferenceItemId Id="{item_id}"/></t:AcceptSharingInvitation>'
    return create(client, content, sending=None)


def search(client: Client, folder: str, *, page: str = "", restriction: str = "", fields: str = "", order: str = "") -> Answer:
    """Search a folder page by page, not by a calendar view."""
    shape = "<t:BaseShape>IdOnly</t:BaseShape>" + (f"<t:AdditionalProperties>{fields}</t:AdditionalProperties>" if fields else "")
    within = f"<m:Restriction>{restriction}</m:Restriction>" if restriction else ""
    return send(
        client,
        f'<m:FindItem Traversal="Shallow"><m:ItemShape>{shape}</m:ItemShape>{page}{within}{order}'
        f"<m:ParentFolderIds>{folder}</m:ParentFolderIds></m:FindItem>",
    )


def page(offset: int, most: int, base: str = "Beginning") -> str:
    return f'<m:IndexedPageItemView MaxEntriesReturned="{most}" Offset="{offset}" BasePoint="{base}"/>'


def equal(path: str, value: str, name: str = "IsEqualTo") -> str:
    return f'<t:{name}>{path}<t:FieldURIOrConstant><t:Constant Value="{value}"/></t:FieldURIOrConstant></t:{name}>'


def found(answer: Answer) -> list[str]:
    assert answer.codes == ["NoError"]
    return [one for one, _ in ids(answer)]


def send(client: Client, content: str) -> Answer:
    """Send a request that must be valid itself, so that no test asks what nobody would."""
    spaces = " ".join(f'xmlns:{prefix}="{address}"' for prefix, address in NS.items())
    validate(etree.fromstring(f"<x {spaces}>{content}</x>")[0])
    return client.call(content)
