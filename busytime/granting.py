"""Findings: what is known of a calendar and need, of which `advice` and `powershell` tell owners and the admin.

Decides which findings a permission can cure, and which level serves all that is needed in one calendar.
Pure: the standard library and pure modules only. No clock, no file, no server.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime

from busytime.errors import Reason
from busytime.folder_path import FolderPath, PathKey, parse_folder_path
from busytime.model import CalendarKind, Role
from busytime.permissions import Need, PermissionLevel, Verdict, needs_of, required_level
from busytime.roster import CalendarRef, Roster

#: What breaks a line or turns the direction of writing, so that a text no longer says what it seems to say.
UNSHOWABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ud800-\udfff]")

#: Reasons that no permission cures.
NOTHING_TO_GRANT = frozenset({Reason.MAILBOX_NOT_FOUND, Reason.NO_CALENDAR, Reason.IS_A_GROUP, Reason.EXTERNAL_IS_READ_ONLY})

#: Levels by how much they let a person do, for choosing the one that serves two needs.
_RANKS = {
    PermissionLevel.FREE_BUSY_TIME_ONLY: 1,
    PermissionLevel.FREE_BUSY_DETAILS: 2,
    PermissionLevel.REVIEWER: 3,
    PermissionLevel.EDITOR: 4,
    PermissionLevel.DELEGATE: 5,
}

#: Levels that do not show that the folder is there; what Custom shows is not known.
_HIDING = frozenset(
    {
        PermissionLevel.NONE,
        PermissionLevel.FREE_BUSY_TIME_ONLY,
        PermissionLevel.FREE_BUSY_DETAILS,
        PermissionLevel.CUSTOM,
    }
)

#: The root of a mailbox, which lies above the calendar and above what lies beside it.
ROOT = FolderPath(beside=True)


@dataclass(frozen=True, slots=True)
class Finding:
    """What is known of one calendar and need.

    Args:
        owner: The owner's address.
        folder: Canonical path below the owner's calendar; empty for the default calendar.
        kind: Default, sub or external.
        need: What the product needs there.
        verdict: What was concluded; ``None`` before anybody has looked or granted.
        required: The lowest level that grants the need.
        observed: The level seen, where one was.
        reason: Why it is not granted.
        grantee: The address of the connection, to which the right is given.
        pages: Names of the booking pages that need it.
        last_known: The verdict before the calendar became unreachable.
        last_known_at: When that was concluded.
        way: Folders that have to be shown before the calendar can be found by its path; ``ROOT`` is the mailbox's root.
    """

    owner: str
    folder: str
    kind: CalendarKind
    need: Need
    verdict: Verdict | None
    required: PermissionLevel
    observed: PermissionLevel | None
    reason: Reason | None
    grantee: str
    pages: tuple[str, ...] = ()
    last_known: Verdict | None = None
    last_known_at: datetime | None = None
    way: tuple[FolderPath, ...] = ()

    @property
    def label(self) -> str:
        """The calendar's name for messages, safe to print."""
        return showable(f"{self.owner}/{self.folder}" if self.folder else self.owner)

    @property
    def place(self) -> tuple[str, PathKey, str]:
        """What is equal for two findings about one calendar and one connection."""
        return self.owner.lower(), parse_folder_path(self.folder).key, self.grantee.lower()


def showable(text: str) -> str:
    """Replace what would break a line or turn the direction of writing."""
    return UNSHOWABLE.sub("\ufffd", text)


def can_be_granted(finding: Finding) -> bool:
    """Tell whether a permission within this organisation is what is missing, so that owner or admin can give it."""
    if finding.verdict in {Verdict.GRANTED, Verdict.UNREACHABLE} or finding.kind is CalendarKind.EXTERNAL:
        return False
    return finding.reason not in NOTHING_TO_GRANT


def strongest(findings: Iterable[Finding]) -> list[Finding]:
    """Keep, for each calendar and connection, the finding whose level serves all of them.

    A finding that is granted counts only where nothing else is said of the calendar.

    Returns:
        One finding a calendar and connection, with the pages of all of them, in the order of owner and folder.
    """
    groups: dict[tuple[str, PathKey, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        groups[finding.place].append(finding)
    return [_join(groups[place]) for place in sorted(groups)]


def _join(group: list[Finding]) -> Finding:
    """Join what is said of one calendar."""
    first = max(group, key=lambda finding: (finding.verdict is not Verdict.GRANTED, can_be_granted(finding), rank(finding)))
    pages = {page: None for finding in group for page in finding.pages if finding.verdict is not Verdict.GRANTED}
    way = {path.key: path for finding in group for path in finding.way}
    return replace(first, pages=tuple(pages) or first.pages, way=tuple(way.values()))


def rank(finding: Finding) -> int:
    """Return how much the required level lets a person do."""
    return _RANKS.get(finding.required, 0)


def with_ways(findings: Sequence[Finding]) -> list[Finding]:
    """Note at each sub-calendar that nobody has seen yet what else has to be shown, so that it can be found.

    There is no call that lists what is shared: a folder is found by following its path, and a folder on the way that
    is hidden ends it (``FindFolder``). Only the default calendar may stay hidden, where the root shows what hangs on it.

    Args:
        findings: All that is known, granted or not; what is seen, or is asked for at a level that shows it, is no more
            to be shown.

    Returns:
        The findings in their order.
    """
    seen = {finding.place for finding in findings if _shows_itself(finding)}
    return [replace(finding, way=tuple(_way(finding, seen))) if _is_sought(finding) else finding for finding in findings]


def _shows_itself(finding: Finding) -> bool:
    """Tell whether the folder is seen, or will be when what is asked for is granted."""
    if finding.observed is not None and finding.observed not in _HIDING:
        return True
    return finding.required not in _HIDING and (finding.verdict is Verdict.GRANTED or can_be_granted(finding))


def _is_sought(finding: Finding) -> bool:
    """Tell whether it is a sub-calendar of which nothing was seen yet."""
    unseen = finding.verdict in {None, Verdict.PENDING, Verdict.MISSING}
    return finding.kind is CalendarKind.SUB and unseen and can_be_granted(finding)


def _way(finding: Finding, seen: AbstractSet[tuple[str, PathKey, str]]) -> Iterator[FolderPath]:
    path = parse_folder_path(finding.folder)
    owner, _, grantee = finding.place
    if path.beside or (owner, FolderPath().key, grantee) not in seen:
        yield ROOT
    for length in range(1, len(path.steps)):
        above = FolderPath(path.beside, path.steps[:length])
        if (owner, above.key, grantee) not in seen:
            yield above


def roster_findings(roster: Roster, grantee: str, kinds: Mapping[CalendarRef, CalendarKind] | None = None) -> Iterator[Finding]:
    """Yield what a whole roster needs, before anyone has granted anything.

    Args:
        roster: Calendars and booking pages.
        grantee: The address of the corporate connection; a calendar that names a personal one is granted to that.
        kinds: Kinds that are known; others follow from the path.
    """
    uses: dict[CalendarRef, list[tuple[str, Role]]] = defaultdict(list)
    for page in roster.pages:
        for role, ref in page.associated():
            uses[ref].append((page.name, role))
    for calendar in roster.calendars:
        used, to = uses[calendar.ref], calendar.connection or grantee
        kind = (kinds or {}).get(calendar.ref, CalendarKind.SUB if calendar.folder else CalendarKind.DEFAULT)
        # Nobody needs a right in a mailbox of its own.
        for need in needs_of(role for _, role in used) if to != calendar.owner else ():
            pages = tuple(dict.fromkeys(name for name, role in used if need in needs_of([role])))
            required = required_level(need, kind)
            yield Finding(calendar.owner, calendar.folder, kind, need, None, required, None, None, to, pages)
