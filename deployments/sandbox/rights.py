"""What each calendar permission level allows, and how a server tells it.

Pure: this module knows levels and rights, not folders, items or requests.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any


class Scope(IntEnum):
    """Which items of a folder a right covers."""

    NONE = 0
    OWN = 1
    ALL = 2


class Detail(IntEnum):
    """How much of an appointment the availability service tells."""

    NONE = 0
    TIME = 1
    SUBJECT = 2
    FULL = 3


class RightsStyle(StrEnum):
    """How a folder's EffectiveRights are computed."""

    EXCHANGE = "exchange"
    ITEMS = "items"


@dataclass(frozen=True, slots=True)
class Rights:
    """What one person may do in one folder."""

    detail: Detail = Detail.NONE
    visible: bool = False
    read: bool = False
    create: bool = False
    edit: Scope = Scope.NONE
    delete: Scope = Scope.NONE
    create_folders: bool = False
    owner: bool = False
    private: bool = False

    def may_edit(self, *, own: bool) -> bool:
        """Tell whether an item may be changed, given whether its creator asks."""
        return self.edit is Scope.ALL or (own and self.edit is Scope.OWN)

    def may_delete(self, *, own: bool) -> bool:
        """Tell whether an item may be removed, given whether its creator asks."""
        return self.delete is Scope.ALL or (own and self.delete is Scope.OWN)


_FULL = Detail.FULL
_EDITOR = Rights(_FULL, visible=True, read=True, create=True, edit=Scope.ALL, delete=Scope.ALL)

LEVELS: dict[str, Rights] = {
    "None": Rights(),
    "FreeBusyTimeOnly": Rights(Detail.TIME),
    "FreeBusyTimeAndSubjectAndLocation": Rights(Detail.SUBJECT),
    "Reviewer": Rights(_FULL, visible=True, read=True),
    "Contributor": Rights(Detail.TIME, visible=True, create=True),
    "NoneditingAuthor": Rights(_FULL, visible=True, read=True, create=True, delete=Scope.OWN),
    "Author": Rights(_FULL, visible=True, read=True, create=True, edit=Scope.OWN, delete=Scope.OWN),
    "PublishingAuthor": Rights(
        _FULL,
        visible=True,
        read=True,
        create=True,
        edit=Scope.OWN,
        delete=Scope.OWN,
        create_folders=True,
    ),
    "Editor": _EDITOR,
    "PublishingEditor": Rights(
        _FULL,
        visible=True,
        read=True,
        create=True,
        edit=Scope.ALL,
        delete=Scope.ALL,
        create_folders=True,
    ),
    "Owner": Rights(
        _FULL,
        visible=True,
        read=True,
        create=True,
        edit=Scope.ALL,
        delete=Scope.ALL,
        create_folders=True,
        owner=True,
    ),
    # Custom stands for "a mixture without a name"; here: reads and changes, but creates nothing.
    "Custom": Rights(_FULL, visible=True, read=True, edit=Scope.ALL),
    "delegate": _EDITOR,
}

# The right, below all levels, to see that a folder is there.
FOLDER_VISIBLE = "FolderVisible"

MAILBOX_OWNER = Rights(
    _FULL,
    visible=True,
    read=True,
    create=True,
    edit=Scope.ALL,
    delete=Scope.ALL,
    create_folders=True,
    owner=True,
    private=True,
)

# The root of somebody else's mailbox: it may be named, and nothing may be done in it.
ROOT_VISITOR = Rights(visible=True)

EffectiveRights = dict[str, bool]


def _effective(rights: Rights, *, create: bool, folders: bool, delete: bool, modify: bool) -> EffectiveRights:
    return {
        "CreateAssociated": rights.owner,
        "CreateContents": create,
        "CreateHierarchy": folders,
        "Delete": delete,
        "Modify": modify,
        "Read": rights.read,
        "ViewPrivateItems": rights.private,
    }


def folder_effective_rights(rights: Rights, style: RightsStyle) -> EffectiveRights:
    """Compute the EffectiveRights of a folder.

    On Exchange they speak of the folder object, so that Modify and Delete mean the folder's
    owner only; other servers derive them from what may be done to the items inside.
    """
    items_style = style is RightsStyle.ITEMS
    return _effective(
        rights,
        create=rights.create,
        folders=rights.create_folders,
        delete=rights.owner or (items_style and rights.delete is Scope.ALL),
        modify=rights.owner or (items_style and rights.edit is Scope.ALL),
    )


def item_effective_rights(rights: Rights, *, own: bool) -> EffectiveRights:
    """Compute the EffectiveRights of an item, its creator included."""
    return _effective(
        rights,
        create=False,
        folders=False,
        delete=rights.may_delete(own=own),
        modify=rights.may_edit(own=own),
    )


_WORDS: dict[type, dict[object, Any]] = {
    bool: {True: True, False: False},
    Scope: {one.name.lower(): one for one in Scope},
    Detail: {one.name.lower(): one for one in Detail},
}


def custom_rights(given: dict[str, object]) -> Rights:
    """Read rights that were spelled out, by the names of the fields of `Rights`.

    Raises:
        ValueError: A name or a value is unknown.
    """
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in Rights.__slots__:
            raise ValueError(f"rights: {name!r} is unknown; known are {', '.join(Rights.__slots__)}")
        words = _WORDS[type(getattr(Rights(), name))]
        if not isinstance(value, str | bool) or value not in words:
            raise ValueError(f"rights: {name} must be one of {', '.join(str(one).lower() for one in words)}")
        values[name] = words[value]
    return Rights(**values)
