"""Advice: what to grant where a calendar's verdict is not `granted`, in words for the calendar's owner.

A sentence works when followed: it names what to click in Outlook and in Outlook on the web, and says so where a click
cannot help. `powershell` makes a script for the admin of the same findings.
What a server or a person wrote (a folder's name) is shown, never trusted: one finding is always one line.
Pure: the standard library and pure modules only. No clock, no file, no server.
"""

import textwrap
from collections.abc import Iterable
from dataclasses import replace

from busytime.errors import REASON_TEXTS, Reason
from busytime.folder_path import FolderPath, PathKey, parse_folder_path
from busytime.granting import NOTHING_TO_GRANT, ROOT, Finding, can_be_granted, roster_findings, showable, strongest
from busytime.model import CalendarKind
from busytime.permissions import Need, PermissionLevel, Verdict

__all__ = ["Finding", "can_be_granted", "owner_sentence", "owner_text", "roster_findings"]

_LINE = 78

#: What Outlook on the web and new Outlook call a level, and what classic Outlook calls it.
_NAMES = {
    PermissionLevel.FREE_BUSY_TIME_ONLY: ("Can view when I'm busy", "Free/Busy time"),
    PermissionLevel.FREE_BUSY_DETAILS: ("Can view titles and locations", "Free/Busy time, subject, location"),
    PermissionLevel.REVIEWER: ("Can view all details", "Reviewer"),
    PermissionLevel.EDITOR: ("Can edit", "Editor"),
    PermissionLevel.DELEGATE: ("Delegate", "Delegate"),
}


def owner_sentence(finding: Finding) -> str:
    """Say in one sentence what the owner can do about a finding."""
    if finding.verdict is Verdict.GRANTED:
        return f"Nothing to do: {finding.grantee} may {_deed(finding)} {_calendar(finding)}."
    if finding.verdict is Verdict.UNREACHABLE:
        return _unreachable(finding)
    if finding.reason in NOTHING_TO_GRANT:
        return _beyond_permission(finding)
    if finding.kind is CalendarKind.EXTERNAL:
        return _external(finding)
    return f"{_opening(finding)}: {_clicks(finding)}{_showing(finding)}."


def _deed(finding: Finding) -> str:
    if finding.need is Need.WRITE:
        return "write bookings into"
    return "see busy time in" if finding.required is PermissionLevel.FREE_BUSY_TIME_ONLY else "read"


def _calendar(finding: Finding) -> str:
    """Name the calendar as its owner sees it in Outlook's list."""
    path = parse_folder_path(finding.folder)
    if not path.steps:
        return "your calendar"
    name = showable(" > ".join(name for name, _ in path.steps))
    which = " (one of several of that name)" if any(ordinal > 1 for _, ordinal in path.steps) else ""
    return f'the calendar "{name}"{which} {"beside" if path.beside else "below"} your own'


def _unreachable(finding: Finding) -> str:
    """Say that nobody need do anything, and what holds until the server answers again."""
    why = REASON_TEXTS[finding.reason] if finding.reason else "the server gave no answer"
    known = ""
    if finding.last_known is not None:
        when = f" of {finding.last_known_at:%Y-%m-%d}" if finding.last_known_at else ""
        known = f"; the last verdict{when}, {finding.last_known}, stands until then"
    return f"Nothing to do now for {_calendar(finding)}: {why}, and it is checked again at the next run{known}."


def _beyond_permission(finding: Finding) -> str:
    """Say who can help where no permission can."""
    owner, calendar = showable(finding.owner), _calendar(finding)
    if finding.reason is Reason.MAILBOX_NOT_FOUND:
        return (
            f"There is nothing you can click: the server knows no mailbox {owner}, so ask your admin to correct the address "
            "in the roster or to restore the mailbox."
        )
    if finding.reason is Reason.IS_A_GROUP:
        return (
            f"There is nothing you can click: {owner} is a distribution list and has no calendar, so ask your admin to name "
            "its members, or a shared mailbox, in the roster instead."
        )
    if finding.reason is Reason.NO_CALENDAR:
        return (
            f"The mailbox {owner} has no calendar: sign in to it once with Outlook on the web and open Calendar, and ask your "
            "admin if none appears."
        )
    return (
        f"There is nothing you can click: {calendar} belongs to another organisation and can only be read, so ask your admin "
        "for a calendar of this organisation for bookings and to keep this one in the role busy."
    )


def _external(finding: Finding) -> str:
    """Say how a calendar of another organisation is shared."""
    domain = showable(finding.owner).rpartition("@")[2]
    name = _NAMES.get(finding.required, _NAMES[PermissionLevel.REVIEWER])[0]
    return (
        f"Please share {_calendar(finding)} with {finding.grantee} from Outlook on the web: Calendar > right-click the calendar "
        f'> "Sharing and permissions" > enter {finding.grantee} > "{name}" > "Share"; the admin there then accepts it with '
        f'"busytime discover --accept-from {domain}".'
    )


def _opening(finding: Finding) -> str:
    """Say what is asked for and why, in words that a colon can follow."""
    who, calendar, deed = finding.grantee, _calendar(finding), _deed(finding)
    if finding.verdict is Verdict.UNPROVEN:
        return (
            f"Please see that {who} may edit {calendar}, or let the admin prove it with "
            '"busytime validate --probe-write"; what stands so already need not be changed'
        )
    if finding.verdict is Verdict.PENDING:
        return (
            f"Asked for, and not seen yet: if you have let {who} {deed} {calendar}, wait, because it can take 48 hours to "
            "arrive; if not"
        )
    return _opening_by_reason(finding, who, calendar, deed)


def _opening_by_reason(finding: Finding, who: str, calendar: str, deed: str) -> str:
    """Say what is asked for where something was seen, or nothing is there yet."""
    if finding.reason is Reason.FOLDER_NOT_FOUND:
        return (
            f"{who} does not see {calendar}; if you renamed, moved or deleted it, tell your admin, and if it is there, let "
            f"{who} {deed} it"
        )
    if finding.reason is Reason.WRITE_DENIED:
        return f"The server denied {who} a write, so please let it {deed} {calendar}, and ask your admin if it is so already"
    if finding.observed and finding.observed is not PermissionLevel.NONE:
        return f'Please raise what {who} may do in {calendar} from "{_name(finding.observed)}" to "{_name(finding.required)}"'
    if finding.verdict is Verdict.MISSING:
        return f"{who} has no right in {calendar} yet, so please let it {deed} it"
    return f"Please let {who} {deed} {calendar}"


def _name(level: PermissionLevel) -> str:
    """Return a level's name in classic Outlook, which is Exchange's own but for the lowest two."""
    return _NAMES[level][1] if level in _NAMES else level


def _clicks(finding: Finding) -> str:
    """Say what to click, in the words that stand on the buttons."""
    who = finding.grantee
    web, classic = _NAMES.get(finding.required, _NAMES[PermissionLevel.EDITOR])
    either = f'"{classic}" (in newer builds "{web}")'
    private = "" if finding.required is PermissionLevel.FREE_BUSY_TIME_ONLY else "; private items are not asked for"
    last = (
        f'"File" > "Account Settings" > "Delegate Access" > "Add" {who} > Calendar "Editor" > "OK"'
        if finding.required is PermissionLevel.DELEGATE
        else f'Calendar > right-click the calendar > "Properties" > "Permissions" > find or "Add" {who} > {either} > "OK"'
    )
    return (
        "in new Outlook or Outlook on the web, Calendar > right-click the calendar > "
        f'"Sharing and permissions" > find or enter {who} > "{web}" > "Share"; in classic Outlook, {last}{private}'
    )


def _showing(finding: Finding) -> str:
    """Say what else has to be shown, so that the calendar can be found; only classic Outlook has a box for that."""
    if not finding.way:
        return ""
    places = " and under ".join(map(_place_to_show, finding.way))
    return (
        f'; and so that {finding.grantee} can find it, also tick "Folder visible" for {finding.grantee}, which opens nothing, '
        f"in classic Outlook under {places}, or ask your admin to"
    )


def _place_to_show(path: FolderPath) -> str:
    if path == ROOT:
        return 'Mail > right-click your address above the Inbox > "Folder Permissions"'
    name = showable(" > ".join(name for name, _ in path.steps))
    return f'Calendar > right-click "{name}" > "Properties" > "Permissions"'


def owner_text(owner: str, findings: Iterable[Finding]) -> str:
    """Write a mail in plain text for one owner: all that concerns the owner, what to do first.

    Args:
        owner: The owner's address.
        findings: Findings of any owners; only this owner's are used, one for each calendar and connection.
    """
    mine = _each_way_once(strongest(finding for finding in findings if finding.owner.lower() == owner.lower()))
    todo = [finding for finding in mine if _asks(finding)]
    rest = [finding for finding in mine if not _asks(finding)]
    blocks = ["Hello,", _introduction(owner, mine, len(todo))]
    blocks += [_item(number, finding) for number, finding in enumerate([*todo, *rest], start=1)]
    return "\n\n".join([*blocks, *(_closing(todo) if todo else ()), "Thank you."]) + "\n"


def _each_way_once(findings: Iterable[Finding]) -> list[Finding]:
    """Keep what has to be shown at the first calendar that needs it."""
    told: set[tuple[PathKey, str]] = set()
    kept: list[Finding] = []
    for finding in findings:
        way = tuple(path for path in finding.way if (path.key, finding.grantee) not in told)
        told |= {(path.key, finding.grantee) for path in way}
        kept.append(replace(finding, way=way))
    return kept


def _asks(finding: Finding) -> bool:
    """Tell whether the owner can do something about it."""
    outside = finding.kind is CalendarKind.EXTERNAL and finding.reason not in NOTHING_TO_GRANT
    waits = finding.verdict in {Verdict.GRANTED, Verdict.UNREACHABLE}
    return not waits and (can_be_granted(finding) or outside or finding.reason is Reason.NO_CALENDAR)


def _introduction(owner: str, mine: list[Finding], todo: int) -> str:
    """Say who asks, for whom and for how much."""
    who = " and ".join(dict.fromkeys(finding.grantee for finding in mine)) or "our booking service"
    if not todo:
        return _wrap(f"There is nothing for you to do about the calendars of {showable(owner)}.")
    count = "one calendar" if todo == 1 else f"{todo} calendars"
    return _wrap(
        f"{who} looks after booking pages that use calendars of {showable(owner)}. So that guests are not booked twice, it "
        f"needs a right in {count} that only you, or your admin, can give. It takes about a minute:"
    )


def _item(number: int, finding: Finding) -> str:
    """Write one numbered item: the calendar, the pages that need it, the sentence."""
    name = _calendar(finding)
    pages = ", ".join(showable(page) for page in finding.pages)
    head = f"{number}. {name[0].upper()}{name[1:]}" + (f" (booking page: {pages})" if pages else "")
    return _wrap(head, "", "   ") + "\n" + _wrap(owner_sentence(finding), "   ", "   ")


def _closing(todo: list[Finding]) -> list[str]:
    """Say what is read, what is written, and how long it takes."""
    writes = any(finding.required is PermissionLevel.EDITOR for finding in todo)
    return [
        _wrap(
            "What it reads: when you are busy, that is start, end and status. It does not read subjects, places or people. "
            "What it writes: bookings, and it changes only what it has written itself. It does not ask for private items: "
            "if Outlook offers to show them, leave that off."
        ),
        *([_wrap('"Delegate" would work in place of "Can edit", but it is more than is needed.')] if writes else []),
        _wrap("A new right can take up to 48 hours to arrive. You need not answer, and no invitation has to be accepted by you."),
    ]


def _wrap(text: str, first: str = "", others: str = "") -> str:
    """Break lines at blanks only, so that addresses and names stay whole."""
    return textwrap.fill(
        text, _LINE, initial_indent=first, subsequent_indent=others, break_long_words=False, break_on_hyphens=False
    )
