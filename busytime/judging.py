"""Judging: what the connection may do in a calendar, concluded from evidence. Pure rules.

On Exchange the folder's effective rights look the same for an Author and an Editor: `Modify` and `Delete` there mean the
folder's owner only (effective rights of a folder object). So there is a ladder of evidence, cheapest first, and
`judge` says either what is concluded or which rung is missing.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from busytime.errors import Reason
from busytime.model import CalendarKind
from busytime.permissions import (
    READING_LEVELS,
    WRITING_LEVELS,
    Conclusion,
    Evidence,
    Findings,
    Need,
    NoAnswer,
    PermissionLevel,
    Rights,
    Rung,
    Subject,
    Verdict,
    level_of,
)

#: Reasons that say plainly what is missing, so that no grant is waited for.
_PLAIN = frozenset({Reason.MAILBOX_NOT_FOUND, Reason.NO_CALENDAR, Reason.IS_A_GROUP})
#: Reasons behind which a grant may be that has not arrived: "not found" means not there, or not to be seen.
_AWAITED = frozenset({Reason.NO_ACCESS, Reason.FOLDER_NOT_FOUND})


def judge(need: Need, subject: Subject, found: Findings, *, now: datetime, grace: timedelta) -> Conclusion | Rung:
    """Conclude from evidence, or name the rung that is missing.

    Args:
        need: What the product needs.
        subject: The calendar.
        found: The evidence so far.
        now: The present instant.
        grace: How long a grant may take to arrive after the calendar came into the roster; until then no right at
            all is `pending`.
    """
    if subject.own and isinstance(found.folder, Rights) and _of_an_owner(found.folder):
        return Conclusion(Verdict.GRANTED, Evidence.FOLDER_RIGHTS, PermissionLevel.OWNER)
    concluded = _judge_write(subject, found) if need is Need.WRITE else _judge_read(subject, found)
    if isinstance(concluded, Rung) or subject.arrived or now - subject.added_at >= grace:
        return concluded
    if concluded.verdict is Verdict.MISSING and concluded.reason in _AWAITED:
        return replace(concluded, verdict=Verdict.PENDING, reason=Reason.GRANT_AWAITED)
    return concluded


def _of_an_owner(rights: Rights) -> bool:
    """Tell whether these are what a server tells the owner of a mailbox: every right, and on one server none at all."""
    return rights.none or (rights.read and rights.create and rights.modify and rights.delete)


def with_level_of(read: Conclusion, write: Conclusion | None) -> Conclusion:
    """Give a verdict on reading the level that the verdict on writing saw: its rungs see more of the same grant."""
    if write is None or write.observed not in READING_LEVELS or read.evidence is not Evidence.FOLDER_RIGHTS:
        return read
    return replace(read, observed=write.observed)


def _judge_write(subject: Subject, found: Findings) -> Conclusion | Rung:
    if found.probe is not None:
        return _by_probe(found.probe)
    if found.folder is None:
        return Rung.FOLDER_RIGHTS
    if isinstance(found.folder, NoAnswer):
        return _without_folder(subject, found, found.folder)
    rights = found.folder
    if not rights.none and _of_an_owner(rights):
        return Conclusion(Verdict.GRANTED, Evidence.FOLDER_RIGHTS, level_of(rights))
    if (rights.read and rights.create) or rights.none:
        return _by_items(rights, found, subject)
    return _too_low(Evidence.FOLDER_RIGHTS, level_of(rights), subject)


def _too_low(evidence: Evidence, level: PermissionLevel, subject: Subject) -> Conclusion:
    if level is PermissionLevel.NONE:
        # None is no level: a folder that shows itself and allows nothing is not a right that was seen.
        return Conclusion(Verdict.MISSING, evidence, None, Reason.NO_ACCESS)
    external = subject.kind is CalendarKind.EXTERNAL
    reason = Reason.EXTERNAL_IS_READ_ONLY if external else Reason.LEVEL_TOO_LOW
    return Conclusion(Verdict.INSUFFICIENT, evidence, level, reason)


def _by_items(rights: Rights, found: Findings, subject: Subject) -> Conclusion | Rung:
    """Tell an Author from an Editor: rights on items that somebody else made decide, where all of them say the same.

    Where they do not, one of them may be the connection's own without our marker, which an Author may change as well.
    """
    if found.items is None:
        return Rung.ITEM_RIGHTS
    if isinstance(found.items, NoAnswer):
        return _without_items(rights, found, found.items, subject)
    foreign = [item.rights for item in found.items if not item.marked]
    own = [item.rights for item in found.items if item.ours]
    if foreign and all(item.modify and item.delete for item in foreign):
        level = PermissionLevel.PUBLISHING_EDITOR if rights.create_folders else PermissionLevel.EDITOR
        # One server tells the folder's owner of no right at all.
        return Conclusion(Verdict.GRANTED, Evidence.ITEM_RIGHTS, PermissionLevel.OWNER if rights.none else level)
    if foreign and not any(item.modify and item.delete for item in foreign):
        return _too_low(Evidence.ITEM_RIGHTS, _author_level(rights, own), subject)
    if not foreign and own and not any(item.modify for item in own):
        # Whoever may not change what it made itself is no Editor.
        return _too_low(Evidence.ITEM_RIGHTS, PermissionLevel.NONEDITING_AUTHOR, subject)
    return _by_list(found, subject)


def _without_items(rights: Rights, found: Findings, answer: NoAnswer, subject: Subject) -> Conclusion | Rung:
    if answer.transient:
        return _unsettled(answer)
    if rights.none and answer.reason is Reason.NO_ACCESS:
        return _too_low(Evidence.ITEM_RIGHTS, PermissionLevel.NONE, subject)
    return _by_list(found, subject)


def _author_level(rights: Rights, own: Sequence[Rights]) -> PermissionLevel:
    if rights.none:
        return PermissionLevel.REVIEWER  # items can be read, and that is all
    if rights.create_folders:
        return PermissionLevel.PUBLISHING_AUTHOR
    return PermissionLevel.AUTHOR if any(item.modify for item in own) else PermissionLevel.NONEDITING_AUTHOR


#: Levels that explain the right to create and read, and are too low.
_AUTHORS = frozenset({PermissionLevel.NONEDITING_AUTHOR, PermissionLevel.AUTHOR, PermissionLevel.PUBLISHING_AUTHOR})


def _by_list(found: Findings, subject: Subject) -> Conclusion | Rung:
    listed = found.permission_list
    if listed is None:
        return Rung.PERMISSION_LIST
    if isinstance(listed, NoAnswer):
        return _unsettled(listed) if listed.transient else Conclusion(Verdict.UNPROVEN, None, None, Reason.NOT_PROVEN)
    (level,) = listed
    if level in WRITING_LEVELS:
        return Conclusion(Verdict.GRANTED, Evidence.PERMISSION_LIST, level)
    if level in _AUTHORS:
        return _too_low(Evidence.PERMISSION_LIST, level, subject)
    # Custom may be anything; any other level, or none, does not explain the rights that were seen: a group grants them.
    return Conclusion(Verdict.UNPROVEN, Evidence.PERMISSION_LIST, level, Reason.NOT_PROVEN)


def _by_probe(probe: bool | NoAnswer) -> Conclusion:  # noqa: FBT001 -- what was found, not an option
    """Judge by a write. It shows what can be done, not under which level: an Author may change its own entry too."""
    if not isinstance(probe, NoAnswer):
        return Conclusion(Verdict.GRANTED, Evidence.PROBE_WRITE)
    if probe.transient:
        return _unsettled(probe)
    if probe.reason is Reason.NO_ACCESS:
        return Conclusion(Verdict.INSUFFICIENT, Evidence.PROBE_WRITE, None, Reason.WRITE_DENIED, probe.detail)
    if probe.reason in _PLAIN | _AWAITED:
        return Conclusion(Verdict.MISSING, Evidence.PROBE_WRITE, None, probe.reason, probe.detail)
    # A full mailbox, for example, refuses everybody.
    return Conclusion(Verdict.UNPROVEN, Evidence.PROBE_WRITE, None, Reason.NOT_PROVEN, probe.detail)


def _unsettled(answer: NoAnswer) -> Conclusion:
    return Conclusion(Verdict.UNREACHABLE, None, None, answer.reason, answer.detail)


def _missing(evidence: Evidence, answer: NoAnswer) -> Conclusion:
    return Conclusion(Verdict.MISSING, evidence, None, answer.reason, answer.detail)


def _who(found: Findings) -> Conclusion | Rung | None:
    """Ask who answers where no folder is shown and busy time is: a distribution list does, as one merged calendar.

    Returns:
        ``None`` where it is a person.
    """
    if found.group is None:
        return Rung.GROUP
    if isinstance(found.group, NoAnswer):
        return _unsettled(found.group) if found.group.transient else None
    return Conclusion(Verdict.MISSING, Evidence.AVAILABILITY, None, Reason.IS_A_GROUP) if found.group else None


def _without_folder(subject: Subject, found: Findings, answer: NoAnswer) -> Conclusion | Rung:
    """Tell apart, where the server lets us, no such mailbox, a group, no such folder and no right.

    "Not found" means not there or not to be seen (ErrorItemNotFound, ErrorFolderNotFound), so the availability service
    is asked whether the mailbox is there.
    """
    if answer.transient:
        return _unsettled(answer)
    if answer.reason is Reason.NO_CALENDAR or subject.kind is CalendarKind.EXTERNAL:
        return _missing(Evidence.FOLDER_RIGHTS, answer)
    availability = found.availability
    if availability is None:
        return Rung.AVAILABILITY
    if isinstance(availability, NoAnswer):
        return _silent(subject, answer, availability)
    if subject.kind is not CalendarKind.DEFAULT and answer.reason not in _PLAIN:
        return _missing(Evidence.FOLDER_RIGHTS, answer)
    return _who(found) or _hidden(subject, answer)


def _hidden(subject: Subject, answer: NoAnswer) -> Conclusion:
    """Judge a folder that is not shown, of a person whose busy time is answered."""
    if subject.kind is CalendarKind.DEFAULT:
        # Free/busy times may be shown to everybody; even so it is a level that is seen, and too low.
        return _too_low(Evidence.AVAILABILITY, PermissionLevel.FREE_BUSY_TIME_ONLY, subject)
    return _missing(Evidence.FOLDER_RIGHTS, answer)


def _silent(subject: Subject, answer: NoAnswer, availability: NoAnswer) -> Conclusion:
    """Judge a folder that is not shown, of a mailbox whose busy time is not answered either."""
    if availability.reason in _PLAIN:
        return _missing(Evidence.AVAILABILITY, availability)
    if answer.reason in _PLAIN:
        return _missing(Evidence.FOLDER_RIGHTS, answer)
    if availability.transient:
        return _unsettled(availability)
    reason = Reason.NO_ACCESS if subject.kind is CalendarKind.DEFAULT else answer.reason
    return Conclusion(Verdict.MISSING, Evidence.FOLDER_RIGHTS, None, reason, answer.detail)


def _judge_read(subject: Subject, found: Findings) -> Conclusion | Rung:
    if found.folder is None:
        return Rung.FOLDER_RIGHTS
    if isinstance(found.folder, NoAnswer) and found.folder.transient:
        return _unsettled(found.folder)
    if isinstance(found.folder, Rights) and found.folder.read:
        return Conclusion(Verdict.GRANTED, Evidence.FOLDER_RIGHTS, level_of(found.folder))
    if subject.kind is CalendarKind.DEFAULT:
        return _by_availability(found)
    return _by_view(subject, found)


def _by_availability(found: Findings) -> Conclusion | Rung:
    """Judge a default calendar without folder rights: whether a person's busy time is answered is all that counts."""
    answer = found.availability
    if answer is None:
        return Rung.AVAILABILITY
    if isinstance(answer, NoAnswer):
        return _unsettled(answer) if answer.transient else _missing(Evidence.AVAILABILITY, answer)
    who = _who(found) if isinstance(found.folder, NoAnswer) else None
    return who or Conclusion(Verdict.GRANTED, Evidence.AVAILABILITY, PermissionLevel.FREE_BUSY_TIME_ONLY)


def _by_view(subject: Subject, found: Findings) -> Conclusion | Rung:
    """Judge a sub-calendar: the availability service does not know it, only its own calendar view does."""
    if isinstance(found.folder, NoAnswer) and found.folder.reason in _PLAIN:
        return _without_folder(subject, found, found.folder)
    answer = found.calendar_view
    if answer is None:
        return Rung.CALENDAR_VIEW
    if not isinstance(answer, NoAnswer):
        return Conclusion(Verdict.GRANTED, Evidence.CALENDAR_VIEW, PermissionLevel.REVIEWER)
    if answer.transient:
        return _unsettled(answer)
    level = level_of(found.folder) if isinstance(found.folder, Rights) else PermissionLevel.NONE
    if level is PermissionLevel.NONE:
        return _missing(Evidence.CALENDAR_VIEW, answer)
    reason = Reason.SUB_CALENDAR_NEEDS_REVIEWER
    return Conclusion(Verdict.INSUFFICIENT, Evidence.CALENDAR_VIEW, level, reason, answer.detail)
