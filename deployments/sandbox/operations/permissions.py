"""Who may do what, as the server tells it: a folder's permission list, and GetDelegate."""

from __future__ import annotations

from deployments.sandbox.model import Folder, Mailbox
from deployments.sandbox.operations.context import Context
from deployments.sandbox.organisation import DEFAULT
from deployments.sandbox.rights import LEVELS, Detail
from deployments.sandbox.soap import MESSAGES, TYPES, Element, M, OperationError, T, child_text, schema_fault, text

_READ_ITEMS = {
    Detail.NONE: "None",
    Detail.TIME: "TimeOnly",
    Detail.SUBJECT: "TimeAndSubjectAndLocation",
    Detail.FULL: "FullDetails",
}


def read_access(detail: Detail) -> str:
    """Return Exchange's word for how much of an appointment may be read."""
    return _READ_ITEMS[detail]


def permission_set(context: Context, folder: Folder) -> str:
    """Render the permission list, or deal with one who may not read it as the policy says."""
    if not context.rights(folder).owner and context.limits.permission_set != "shown":
        if context.limits.permission_set == "refused":
            raise OperationError("ErrorAccessDenied")
        return ""
    # Default comes first in every list, also where nobody ever set it.
    people = {DEFAULT: folder.permissions.get(DEFAULT, "None")} | folder.permissions
    parts = [_permission_xml(folder, person, level) for person, level in people.items()]
    return f"<t:PermissionSet><t:CalendarPermissions>{''.join(parts)}</t:CalendarPermissions></t:PermissionSet>"


def _permission_xml(folder: Folder, person: str, level: str) -> str:
    rights = folder.custom.get(person, LEVELS[level])
    scopes = ("None", "Owned", "All")
    flags = (
        ("CanCreateItems", rights.create),
        ("CanCreateSubFolders", rights.create_folders),
        ("IsFolderOwner", rights.owner),
        ("IsFolderVisible", rights.visible),
        ("IsFolderContact", rights.owner),
    )
    # A delegate is a person with a folder level; the list shows the level alone.
    shown = "Editor" if level == "delegate" else level
    read = _READ_ITEMS[rights.detail] if rights.read or not rights.visible else "None"
    return (
        f"<t:CalendarPermission><t:UserId>{_user(person)}</t:UserId>"
        + "".join(f"<t:{name}>{str(value).lower()}</t:{name}>" for name, value in flags)
        + f"<t:EditItems>{scopes[rights.edit]}</t:EditItems>"
        f"<t:DeleteItems>{scopes[rights.delete]}</t:DeleteItems>"
        f"<t:ReadItems>{read}</t:ReadItems>"
        f"<t:CalendarPermissionLevel>{shown}</t:CalendarPermissionLevel></t:CalendarPermission>"
    )


def _user(person: str) -> str:
    if person == DEFAULT:
        return "<t:DistinguishedUser>Default</t:DistinguishedUser>"
    return f"<t:PrimarySmtpAddress>{text(person)}</t:PrimarySmtpAddress><t:DisplayName>{text(person)}</t:DisplayName>"


def get_delegate(context: Context, element: Element) -> bytes:
    """Answer a GetDelegate request: to the mailbox's owner, and to nobody else."""
    address = child_text(element, f"{M}Mailbox/{T}EmailAddress")
    if address is None or element.get("IncludePermissions") is None:
        raise schema_fault("Mailbox or IncludePermissions is missing.")
    try:
        mailbox = context.mailbox(address)
        if mailbox.address != context.caller:
            raise OperationError("ErrorAccessDenied")
    except OperationError as error:
        context.note(error.code)
        return _answer("Error", _failed(error))
    asked = [(one.text or "").strip().lower() for one in element.findall(f"{M}UserIds/{T}UserId/{T}PrimarySmtpAddress")]
    detailed = element.get("IncludePermissions") in {"true", "1"}
    parts = [_delegate(context, mailbox, one, detailed=detailed) for one in asked or _delegates(mailbox)]
    shown = f"<m:ResponseMessages>{''.join(parts)}</m:ResponseMessages>" if parts else ""
    told = "<m:DeliverMeetingRequests>DelegatesAndMe</m:DeliverMeetingRequests>"
    return _answer("Success", f"<m:ResponseCode>NoError</m:ResponseCode>{shown}{told}")


def _delegates(mailbox: Mailbox) -> list[str]:
    calendar = mailbox.distinguished("calendar")
    levels = {} if calendar is None else calendar.permissions
    return [person for person, level in levels.items() if level == "delegate"]


def _delegate(context: Context, mailbox: Mailbox, person: str, *, detailed: bool) -> str:
    if person not in _delegates(mailbox):
        code = "ErrorDelegateNoUser" if context.organisation.mailbox(person) is None else "ErrorNotDelegate"
        return _one("Error", _failed(OperationError(code)))
    level = (
        "<t:DelegatePermissions><t:CalendarFolderPermissionLevel>Editor</t:CalendarFolderPermissionLevel></t:DelegatePermissions>"
    )
    user = (
        f"<m:DelegateUser><t:UserId>{_user(person)}</t:UserId>{level if detailed else ''}"
        "<t:ReceiveCopiesOfMeetingMessages>true</t:ReceiveCopiesOfMeetingMessages>"
        "<t:ViewPrivateItems>false</t:ViewPrivateItems></m:DelegateUser>"
    )
    return _one("Success", f"<m:ResponseCode>NoError</m:ResponseCode>{user}")


def _one(kind: str, content: str) -> str:
    return f'<m:DelegateUserResponseMessageType ResponseClass="{kind}">{content}</m:DelegateUserResponseMessageType>'


def _failed(error: OperationError) -> str:
    return (
        f"<m:MessageText>{text(error.message)}</m:MessageText><m:ResponseCode>{error.code}</m:ResponseCode>"
        "<m:DescriptiveLinkKey>0</m:DescriptiveLinkKey>"
    )


def _answer(kind: str, content: str) -> bytes:
    # Unlike the others this answer is itself the response message.
    return (
        f'<m:GetDelegateResponse xmlns:m="{MESSAGES}" xmlns:t="{TYPES}" ResponseClass="{kind}">{content}</m:GetDelegateResponse>'
    ).encode()
