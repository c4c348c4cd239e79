"""Permission verdicts: what the connection may do in a calendar, concluded from evidence. Pure rules.

On Exchange the folder's effective rights look the same for an Author and an Editor: `Modify` and `Delete` there mean the
folder's owner only (effective rights of a folder object). So there is a ladder of evidence, cheapest first, and
`judge` says either what is concluded or which rung is missing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
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
        calendar_view: Whether a calendar view of the folder answered.
        probe: Whether an entry could be created, changed and deleted.
    """

    folder: Rights | NoAnswer | None = None
    items: tuple[ItemRights, ...] | NoAnswer | None = None
    permission_list: tuple[PermissionLevel | None] | NoAnswer | None = None
    availability: bool | NoAnswer | None = None
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
    """

    kind: CalendarKind
    added_at: datetime


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


def judge(need: Need, subject: Subject, found: Findings, *, now: datetime, grace: timedelta) -> Conclusion | Evidence:
    """Conclude from evidence, or name the rung that is missing.

    Args:
        need: What the product needs.
        subject: The calendar.
        found: The evidence so far.
        now: The present instant.
        grace: How long a grant may take to arrive after the calendar came into the roster; until then no right at
            all is `pending`.
    """
    conclusion = _judge_write(subject, found) if need is Need.WRITE else _judge_read(subject, found)
    if isinstance(conclusion, Conclusion) and conclusion.reason is Reason.NO_ACCESS and now - subject.added_at < grace:
        return Conclusion(Verdict.PENDING, conclusion.evidence, None, Reason.GRANT_AWAITED, conclusion.detail)
    return conclusion


def with_level_of(read: Conclusion, write: Conclusion | None) -> Conclusion:
    """Give a verdict on reading the level that the verdict on writing saw: its rungs see more of the same grant."""
    if write is None or write.observed not in READING_LEVELS or read.evidence is not Evidence.FOLDER_RIGHTS:
        return read
    return replace(read, observed=write.observed)


def _judge_write(subject: Subject, found: Findings) -> Conclusion | Evidence:
    if found.probe is not None:
        return _by_probe(found.probe)
    if found.folder is None:
        return Evidence.FOLDER_RIGHTS
    if isinstance(found.folder, NoAnswer):
        return _without_folder(subject, found, found.folder)
    rights = found.folder
    if rights.read and rights.create and rights.modify and rights.delete:
        return Conclusion(Verdict.GRANTED, Evidence.FOLDER_RIGHTS, level_of(rights))
    if (rights.read and rights.create) or rights.none:
        return _by_items(rights, found)
    return _too_low(Evidence.FOLDER_RIGHTS, level_of(rights), subject)


def level_of(rights: Rights) -> PermissionLevel:
    """Name the lowest level that has these rights in a folder; on Exchange an Editor's look like an Author's."""
    if rights.read and rights.create and rights.modify and rights.delete:
        return PermissionLevel.PUBLISHING_EDITOR if rights.create_folders else PermissionLevel.EDITOR
    if not rights.read:
        return PermissionLevel.CONTRIBUTOR if rights.create else PermissionLevel.NONE
    if not rights.create:
        return PermissionLevel.REVIEWER
    return PermissionLevel.PUBLISHING_AUTHOR if rights.create_folders else PermissionLevel.NONEDITING_AUTHOR


def _too_low(evidence: Evidence, level: PermissionLevel | None, subject: Subject | None = None) -> Conclusion:
    external = subject is not None and subject.kind is CalendarKind.EXTERNAL
    reason = Reason.EXTERNAL_IS_READ_ONLY if external else Reason.LEVEL_TOO_LOW
    return Conclusion(Verdict.INSUFFICIENT, evidence, level, reason)


def _by_items(rights: Rights, found: Findings) -> Conclusion | Evidence:
    """Tell an Author from an Editor: rights on an item that somebody else made decide."""
    if found.items is None:
        return Evidence.ITEM_RIGHTS
    if isinstance(found.items, NoAnswer):
        return _unsettled(found.items) if found.items.transient else _by_list(found)
    foreign = [item.rights for item in found.items if not item.marked]
    if any(item.modify and item.delete for item in foreign):
        level = PermissionLevel.PUBLISHING_EDITOR if rights.create_folders else PermissionLevel.EDITOR
        return Conclusion(Verdict.GRANTED, Evidence.ITEM_RIGHTS, PermissionLevel.OWNER if rights.none else level)
    own = [item.rights for item in found.items if item.ours]
    if foreign:
        return _too_low(Evidence.ITEM_RIGHTS, _author_level(rights, own))
    if own and not any(item.modify for item in own):
        # Whoever may not change what it made itself is no Editor.
        return _too_low(Evidence.ITEM_RIGHTS, PermissionLevel.NONEDITING_AUTHOR)
    return _by_list(found)


def _author_level(rights: Rights, own: Sequence[Rights]) -> PermissionLevel:
    if rights.create_folders:
        return PermissionLevel.PUBLISHING_AUTHOR
    return PermissionLevel.AUTHOR if any(item.modify for item in own) else PermissionLevel.NONEDITING_AUTHOR


def _by_list(found: Findings) -> Conclusion | Evidence:
    listed = found.permission_list
    if listed is None:
        return Evidence.PERMISSION_LIST
    if isinstance(listed, NoAnswer):
        return _unsettled(listed) if listed.transient else Conclusion(Verdict.UNPROVEN, None, None, Reason.NOT_PROVEN)
    (level,) = listed
    if level in WRITING_LEVELS:
        return Conclusion(Verdict.GRANTED, Evidence.PERMISSION_LIST, level)
    if level is None or level is PermissionLevel.CUSTOM:
        # A group may grant what the list does not say of us, and Custom may be anything.
        return Conclusion(Verdict.UNPROVEN, Evidence.PERMISSION_LIST, level, Reason.NOT_PROVEN)
    return _too_low(Evidence.PERMISSION_LIST, level)


def _by_probe(probe: bool | NoAnswer) -> Conclusion:  # noqa: FBT001 -- what was found, not an option
    if isinstance(probe, NoAnswer):
        if probe.transient:
            return _unsettled(probe)
        return Conclusion(Verdict.INSUFFICIENT, Evidence.PROBE_WRITE, None, Reason.WRITE_DENIED, probe.detail)
    return Conclusion(Verdict.GRANTED, Evidence.PROBE_WRITE, PermissionLevel.EDITOR)


def _unsettled(answer: NoAnswer) -> Conclusion:
    return Conclusion(Verdict.UNREACHABLE, None, None, answer.reason, answer.detail)


def _without_folder(subject: Subject, found: Findings, answer: NoAnswer) -> Conclusion | Evidence:
    """Tell apart, where the server lets us, no such mailbox, no such folder and no right.

    "Not found" means not there or not to be seen (ErrorItemNotFound, ErrorFolderNotFound), so the availability service
    is asked whether the mailbox is there.
    """
    if answer.transient:
        return _unsettled(answer)
    if answer.reason in _PLAIN:
        return Conclusion(Verdict.MISSING, Evidence.FOLDER_RIGHTS, None, answer.reason, answer.detail)
    if found.availability is None:
        return Evidence.AVAILABILITY
    return _invisible(subject, found.availability, answer)


def _invisible(subject: Subject, availability: bool | NoAnswer, answer: NoAnswer) -> Conclusion:  # noqa: FBT001 -- what was found
    """Judge a folder that is not shown, by what the availability service says of its mailbox."""
    default = subject.kind is CalendarKind.DEFAULT
    if isinstance(availability, NoAnswer) and availability.reason in _PLAIN:
        return Conclusion(Verdict.MISSING, Evidence.AVAILABILITY, None, availability.reason, availability.detail)
    if availability is True and default:
        # Free/busy times may be shown to everybody; even so it is a level that is seen, and too low.
        return _too_low(Evidence.AVAILABILITY, PermissionLevel.FREE_BUSY_TIME_ONLY)
    reason = Reason.NO_ACCESS if default else answer.reason
    return Conclusion(Verdict.MISSING, Evidence.FOLDER_RIGHTS, None, reason, answer.detail)


#: Reasons that say plainly what is missing.
_PLAIN = frozenset({Reason.MAILBOX_NOT_FOUND, Reason.NO_CALENDAR, Reason.IS_A_GROUP})


def _judge_read(subject: Subject, found: Findings) -> Conclusion | Evidence:
    if found.folder is None:
        return Evidence.FOLDER_RIGHTS
    if isinstance(found.folder, NoAnswer) and found.folder.transient:
        return _unsettled(found.folder)
    if isinstance(found.folder, Rights) and found.folder.read:
        return Conclusion(Verdict.GRANTED, Evidence.FOLDER_RIGHTS, level_of(found.folder))
    if subject.kind is CalendarKind.DEFAULT:
        return _by_availability(found)
    return _by_view(found)


def _by_availability(found: Findings) -> Conclusion | Evidence:
    """Judge a default calendar without folder rights: whether its busy time is answered is all that counts."""
    answer = found.availability
    if answer is None:
        return Evidence.AVAILABILITY
    if isinstance(answer, NoAnswer):
        if answer.transient:
            return _unsettled(answer)
        return Conclusion(Verdict.MISSING, Evidence.AVAILABILITY, None, answer.reason, answer.detail)
    return Conclusion(Verdict.GRANTED, Evidence.AVAILABILITY, PermissionLevel.FREE_BUSY_TIME_ONLY)


def _by_view(found: Findings) -> Conclusion | Evidence:
    """Judge a sub-calendar: the availability service does not know it, only its own calendar view does."""
    if isinstance(found.folder, NoAnswer) and found.folder.reason in _PLAIN:
        return Conclusion(Verdict.MISSING, Evidence.FOLDER_RIGHTS, None, found.folder.reason, found.folder.detail)
    answer = found.calendar_view
    if answer is None:
        return Evidence.CALENDAR_VIEW
    if not isinstance(answer, NoAnswer):
        return Conclusion(Verdict.GRANTED, Evidence.CALENDAR_VIEW, PermissionLevel.REVIEWER)
    if answer.transient:
        return _unsettled(answer)
    if isinstance(found.folder, Rights):
        return Conclusion(
            Verdict.INSUFFICIENT,
            Evidence.CALENDAR_VIEW,
            level_of(found.folder),
            Reason.SUB_CALENDAR_NEEDS_REVIEWER,
            answer.detail,
        )
    return Conclusion(Verdict.MISSING, Evidence.CALENDAR_VIEW, None, answer.reason, answer.detail)
