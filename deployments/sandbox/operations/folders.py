"""GetFolder and FindFolder."""

from __future__ import annotations

from deployments.sandbox.model import Folder
from deployments.sandbox.operations.context import Context
from deployments.sandbox.operations.permissions import permission_set, read_access
from deployments.sandbox.operations.shapes import Shape, read_shape, rights_xml
from deployments.sandbox.rights import RightsStyle, folder_effective_rights
from deployments.sandbox.soap import Element, M, OperationError, T, failure, response, schema_fault, success, text

_DEFAULT = frozenset({"folder:DisplayName", "folder:TotalCount", "folder:ChildFolderCount"})


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
        "extended": "",
        "folder:EffectiveRights": rights_xml(folder_effective_rights(rights, RightsStyle(context.limits.rights_style))),
        "folder:DistinguishedFolderId": _element("DistinguishedFolderId", folder.distinguished),
        # Only the calendars of other organisations have it.
        "folder:SharingEffectiveRights": _element(
            "SharingEffectiveRights", read_access(rights.detail) if folder.foreign_owner else None
        ),
    }
    for field, xml in values.items():
        if field == "extended":
            parts += shape.extended_xml(folder.extended) if context.limits.foreign_address else []
        elif shape.wants(field, _DEFAULT):
            parts.append(xml)
    if folder.is_calendar and shape.wants("folder:PermissionSet", _DEFAULT, costly=True):
        parts.append(permission_set(context, folder))
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
