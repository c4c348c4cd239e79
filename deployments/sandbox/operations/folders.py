"""GetFolder and FindFolder."""

from __future__ import annotations

from deployments.sandbox.model import Folder
from deployments.sandbox.operations.context import Context
from deployments.sandbox.operations.shapes import Shape, read_shape, rights_xml
from deployments.sandbox.organisation import DEFAULT
from deployments.sandbox.rights import LEVELS, Detail, RightsStyle, folder_effective_rights
from deployments.sandbox.soap import Element, M, OperationError, T, failure, response, schema_fault, success, text

_DEFAULT = frozenset({"folder:DisplayName", "folder:TotalCount", "folder:ChildFolderCount"})
_READ_ITEMS = {
    Detail.NONE: "None",
    Detail.TIME: "TimeOnly",
    Detail.SUBJECT: "TimeAndSubjectAndLocation",
    Detail.FULL: "FullDetails",
}


def get_folder(context: Context, element: Element) -> bytes:
    """Answer a GetFolder request, one message for each id."""
    shape = read_shape(element, "FolderShape")
    messages = []
    for folder_id in folder_ids(element, "FolderIds"):
        try:
            xml = _folder_xml(context, context.folder(folder_id), shape)
            messages.append(success("GetFolder", f"<m:Folders>{xml}</m:Folders>"))
        except OperationError as error:
            context.note(error.code)
            messages.append(failure("GetFolder", error))
    return response("GetFolder", messages)


def find_folder(context: Context, element: Element) -> bytes:
    """Answer a FindFolder request, one message for each parent."""
    shape = read_shape(element, "FolderShape")
    traversal = element.get("Traversal")
    if traversal not in {"Shallow", "Deep", "SoftDeleted"}:
        raise schema_fault("Traversal is missing or unknown.")
    messages = []
    for parent_id in folder_ids(element, "ParentFolderIds"):
        try:
            parent = context.folder(parent_id)
            found = [] if traversal == "SoftDeleted" else _below(context, parent, traversal)
            messages.append(_found(context, found, shape))
        except OperationError as error:
            context.note(error.code)
            messages.append(failure("FindFolder", error))
    return response("FindFolder", messages)


def folder_ids(element: Element, name: str) -> list[Element]:
    """Return the folder ids below an element of that name, of which there must be one."""
    found = element.findall(f"{M}{name}/*")
    if not found or any(one.tag not in {f"{T}FolderId", f"{T}DistinguishedFolderId"} for one in found):
        raise schema_fault(f"{name} holds no folder id.")
    return found


def _below(context: Context, parent: Folder, traversal: str) -> list[Folder]:
    mailbox = context.mailbox(parent.mailbox)
    below = mailbox.children(parent, deep=traversal == "Deep")
    # A folder that the caller may not see is simply not in the list.
    return [one for one in below if context.rights(one).visible]


def _found(context: Context, folders: list[Folder], shape: Shape) -> str:
    xml = "".join(_folder_xml(context, one, shape) for one in folders)
    count = len(folders)
    return success(
        "FindFolder",
        f'<m:RootFolder IndexedPagingOffset="{count}" TotalItemsInView="{count}"'
        f' IncludesLastItemInRange="true"><t:Folders>{xml}</t:Folders></m:RootFolder>',
    )


def _folder_xml(context: Context, folder: Folder, shape: Shape) -> str:
    """Render a folder, its properties in the schema's order."""
    rights = context.rights(folder)
    mailbox = context.mailbox(folder.mailbox)
    kind = "CalendarFolder" if folder.is_calendar else "Folder"
    parts = [f'<t:FolderId Id="{folder.id}" ChangeKey="{folder.change_key}"/>']
    children = sum(1 for _ in mailbox.children(folder, deep=False))
    values = {
        "folder:ParentFolderId": _parent_xml(folder),
        "folder:FolderClass": _element("FolderClass", _folder_class(folder)),
        "folder:DisplayName": _element("DisplayName", folder.name),
        "folder:TotalCount": _element("TotalCount", str(len(folder.items) if rights.read else 0)),
        "folder:ChildFolderCount": _element("ChildFolderCount", str(children)),
        "folder:EffectiveRights": rights_xml(folder_effective_rights(rights, RightsStyle(context.limits.rights_style))),
        "folder:DistinguishedFolderId": _element("DistinguishedFolderId", folder.distinguished),
    }
    parts += [xml for field, xml in values.items() if shape.wants(field, _DEFAULT)]
    if folder.is_calendar and shape.wants("folder:PermissionSet", _DEFAULT, costly=True):
        parts.append(_permission_set(context, folder))
    if not folder.is_calendar and shape.wants("folder:UnreadCount", _DEFAULT):
        parts.append("<t:UnreadCount>0</t:UnreadCount>")
    return f"<t:{kind}>{''.join(parts)}</t:{kind}>"


def _element(name: str, value: str | None) -> str:
    return "" if value is None else f"<t:{name}>{text(value)}</t:{name}>"


def _folder_class(folder: Folder) -> str | None:
    if folder.distinguished == "root":
        return None
    return "IPF.Appointment" if folder.is_calendar else "IPF.Note"


def _parent_xml(folder: Folder) -> str:
    parent = folder.parent or folder
    return f'<t:ParentFolderId Id="{parent.id}" ChangeKey="{parent.change_key}"/>'


def _permission_set(context: Context, folder: Folder) -> str:
    """Render the permission list, or deal with one who may not read it as the policy says."""
    if not context.rights(folder).owner and context.limits.permission_set != "shown":
        if context.limits.permission_set == "refused":
            raise OperationError("ErrorAccessDenied")
        return ""
    parts = [_permission_xml(person, level) for person, level in folder.permissions.items()]
    return f"<t:PermissionSet><t:CalendarPermissions>{''.join(parts)}</t:CalendarPermissions></t:PermissionSet>"


def _permission_xml(person: str, level: str) -> str:
    rights = LEVELS[level]
    user = (
        "<t:DistinguishedUser>Default</t:DistinguishedUser>"
        if person == DEFAULT
        else f"<t:PrimarySmtpAddress>{text(person)}</t:PrimarySmtpAddress><t:DisplayName>{text(person)}</t:DisplayName>"
    )
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
        f"<t:CalendarPermission><t:UserId>{user}</t:UserId>"
        + "".join(f"<t:{name}>{str(value).lower()}</t:{name}>" for name, value in flags)
        + f"<t:EditItems>{scopes[rights.edit]}</t:EditItems>"
        f"<t:DeleteItems>{scopes[rights.delete]}</t:DeleteItems>"
        f"<t:ReadItems>{read}</t:ReadItems>"
        f"<t:CalendarPermissionLevel>{shown}</t:CalendarPermissionLevel></t:CalendarPermission>"
    )
