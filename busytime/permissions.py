"""Permissions: levels, rights, evidence and verdicts, as values. `judging` concludes one from the other. Pure rules."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from busytime.errors import Reason
from busytime.model import CalendarKind, Role


class Need(StrEnum):
    """What the product needs in a calendar."""

    READ = "read"
    WRITE = "write"


class PermissionLevel(StrEnum):
    """Exchange's own names of what a person may do in a calendar folder, and `delegate`."""

    NONE = "None"
    FREE_BUSY_TIME_ONLY = "FreeBusyTimeOnly"
    FREE_BUSY_DETAILS = "FreeBusyTimeAndSubjectAndLocation"
    REVIEWER = "Reviewer"
    CONTRIBUTOR = "Contributor"
    NONEDITING_AUTHOR = "NoneditingAuthor"
    AUTHOR = "Author"
    PUBLISHING_AUTHOR = "PublishingAuthor"
    EDITOR = "Editor"
    PUBLISHING_EDITOR = "PublishingEditor"
    OWNER = "Owner"
    CUSTOM = "Custom"
    DELEGATE = "delegate"


class Verdict(StrEnum):
    """What is concluded for one connection, calendar and need."""

    GRANTED = "granted"
    INSUFFICIENT = "insufficient"
    MISSING = "missing"
    PENDING = "pending"
    UNREACHABLE = "unreachable"
    UNPROVEN = "unproven"


class Rung(StrEnum):
    """A step of the ladder of evidence, in the order in which they are climbed."""

    FOLDER_RIGHTS = "folder_rights"
    ITEM_RIGHTS = "item_rights"
    PERMISSION_LIST = "permission_list"
    AVAILABILITY = "availability"
    GROUP = "group"
    CALENDAR_VIEW = "calendar_view"


class Evidence(StrEnum):
    """What a verdict rests on."""

    FOLDER_RIGHTS = "folder_rights"
    ITEM_RIGHTS = "item_rights"
    PERMISSION_LIST = "permission_list"
    AVAILABILITY = "availability"
    CALENDAR_VIEW = "calendar_view"
    PROBE_WRITE = "probe_write"


#: Levels that let the product write: create, change and delete whatever it finds under its marker.
WRITING_LEVELS = frozenset(
    {PermissionLevel.EDITOR, PermissionLevel.PUBLISHING_EDITOR, PermissionLevel.OWNER, PermissionLevel.DELEGATE}
)
#: Levels that let all items of a folder be read.
READING_LEVELS = WRITING_LEVELS | {
    PermissionLevel.REVIEWER,
    PermissionLevel.NONEDITING_AUTHOR,
    PermissionLevel.AUTHOR,
    PermissionLevel.PUBLISHING_AUTHOR,
}
#: How bad a verdict is: a change to a larger number is a change for the worse.
BADNESS = {
    Verdict.GRANTED: 0,
    Verdict.UNPROVEN: 1,
    Verdict.PENDING: 2,
    Verdict.UNREACHABLE: 2,
    Verdict.INSUFFICIENT: 3,
    Verdict.MISSING: 4,
}


@dataclass(frozen=True, slots=True)
class Rights:
    """Effective rights of the connection in a folder or on an item, as the server tells them."""

    read: bool = False
    create: bool = False
    modify: bool = False
    delete: bool = False
    create_folders: bool = False

    @property
    def none(self) -> bool:
        """Whether nothing at all is granted; one server tells the owner of a folder so."""
        return not (self.read or self.create or self.modify or self.delete or self.create_folders)


@dataclass(frozen=True, slots=True)
class ItemRights:
    """Effective rights on one item.

    Args:
        rights: As the server tells them, the item's creator taken into account.
        marked: Whether the item carries a marker of any installation.
        ours: Whether the marker is of this installation.
    """

    rights: Rights
    marked: bool = False
    ours: bool = False


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """A rung that was tried and refused.

    Args:
        reason: Why.
        detail: A response code that goes with the reason.
        transient: Whether it was throttling or transport, which says nothing about rights.
    """

    reason: Reason
    detail: str | None = None
    transient: bool = False


@dataclass(frozen=True, slots=True)
class Findings:
    """The evidence about one calendar; ``None`` stands for a rung that was not tried.

    Args:
        folder: The folder's effective rights.
        items: Rights on some of its items.
        permission_list: The connection's own level in the folder's permission list; ``None`` in a tuple of one
            where it has none.
        availability: Whether the availability service answered for the mailbox; an answer is ``True``.
        group: Whether the address is a distribution list, which has no mailbox and yet answers for its members.
        calendar_view: Whether a calendar view of the folder answered.
        probe: Whether an entry could be created, changed and deleted.
    """

    folder: Rights | NoAnswer | None = None
    items: tuple[ItemRights, ...] | NoAnswer | None = None
    permission_list: tuple[PermissionLevel | None] | NoAnswer | None = None
    availability: bool | NoAnswer | None = None
    group: bool | NoAnswer | None = None
    calendar_view: bool | NoAnswer | None = None
    probe: bool | NoAnswer | None = None


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What is concluded.

    Args:
        verdict: The verdict.
        evidence: What it rests on; ``None`` where nothing could be seen.
        observed: The level seen; ``None`` where it cannot be told. Where several levels look the same, the lowest.
        reason: Why it is not granted.
        detail: A response code that goes with the reason.
    """

    verdict: Verdict
    evidence: Evidence | None = None
    observed: PermissionLevel | None = None
    reason: Reason | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """The calendar a verdict is about.

    Args:
        kind: Default, sub or external.
        added_at: When it came into the roster.
        arrived: Whether a right was seen there before: then nobody waits for it any more.
        own: Whether it lies in the connection's own mailbox.
    """

    kind: CalendarKind
    added_at: datetime
    arrived: bool = False
    own: bool = False


def needs_of(roles: Iterable[Role]) -> tuple[Need, ...]:
    """Return what a calendar with these roles needs; one without a role is read, because a harvest reads it."""
    roles = frozenset(roles)
    read = not roles or roles & {Role.MAIN, Role.BUSY}
    write = roles & {Role.MAIN, Role.ADDITIONAL}
    return tuple(need for need, wanted in ((Need.READ, read), (Need.WRITE, write)) if wanted)


def required_level(need: Need, kind: CalendarKind) -> PermissionLevel:
    """Return the lowest level that grants a need."""
    if need is Need.WRITE:
        return PermissionLevel.EDITOR
    return PermissionLevel.FREE_BUSY_TIME_ONLY if kind is CalendarKind.DEFAULT else PermissionLevel.REVIEWER


def level_of(rights: Rights) -> PermissionLevel:
    """Name the lowest level that has these rights in a folder; on Exchange an Editor's look like an Author's."""
    if rights.read and rights.create and rights.modify and rights.delete:
        return PermissionLevel.PUBLISHING_EDITOR if rights.create_folders else PermissionLevel.EDITOR
    if not rights.read:
        return PermissionLevel.CONTRIBUTOR if rights.create else PermissionLevel.NONE
    if not rights.create:
        return PermissionLevel.REVIEWER
    return PermissionLevel.PUBLISHING_AUTHOR if rights.create_folders else PermissionLevel.NONEDITING_AUTHOR
