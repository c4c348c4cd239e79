"""Cures: what helps where a calendar gives no answer, a change was not made, or the gate refused a page. Pure rules.

Commands stand between backticks; each place shows them in its own way.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from busytime.errors import Reason
from busytime.granting import showable
from busytime.outcomes import LOGON_REASONS
from busytime.planning import GATE_SHARE, RefusedPage


@dataclass(frozen=True, slots=True)
class Cure:
    """What opens a calendar again.

    Args:
        command: What to run.
        words: What comes of it, or what to do with it.
    """

    command: str
    words: str

    def __str__(self) -> str:
        """Say it in one sentence."""
        return f"`{self.command}` {self.words}"


RIGHT = Cure("busytime advise --out DIR", "writes what its owner has to grant")
ROSTER = Cure("busytime roster import FILE", "with its address put right, or without it")
CONNECTION = Cure("busytime connect EMAIL", "opens the connection that serves it")
AGAIN = Cure("busytime harvest", "tries it again, and so does the schedule")

_CURES = {
    RIGHT: {
        Reason.NO_ACCESS,
        Reason.FOLDER_NOT_FOUND,
        Reason.NO_DATA,
        Reason.LEVEL_TOO_LOW,
        Reason.SUB_CALENDAR_NEEDS_REVIEWER,
        Reason.EWS_BLOCKED,
    },
    ROSTER: {Reason.MAILBOX_NOT_FOUND, Reason.NO_CALENDAR, Reason.IS_A_GROUP},
    CONNECTION: {Reason.NO_CONNECTION, Reason.DISCONNECTED},
}


def cure_of(reason: Reason) -> Cure:
    """Return what helps a calendar that is not known, by the reason."""
    return next((cure for cure, reasons in _CURES.items() if reason in reasons), AGAIN)


_RIGHTS = frozenset(
    {
        Reason.WRITE_DENIED,
        Reason.PAGE_BLOCKED,
        Reason.NO_ACCESS,
        Reason.FOLDER_NOT_FOUND,
        Reason.LEVEL_TOO_LOW,
        Reason.NOT_PROVEN,
        Reason.GRANT_AWAITED,
        Reason.NEVER_VALIDATED,
        Reason.SUB_CALENDAR_NEEDS_REVIEWER,
        Reason.EXTERNAL_IS_READ_ONLY,
        Reason.IS_A_GROUP,
        Reason.MAILBOX_NOT_FOUND,
        Reason.NO_CALENDAR,
    }
)
_TAKEN = "`busytime free` shows other times, and the booking's next revision moves it; until then each push tries it again."
_REMOVED = (
    "what its owner removed comes back with the booking's next revision, or at each push where its page says `recreate: true`."
)
#: What to do next, for the reasons that a person can do something about.
_STEPS = {
    _TAKEN: frozenset({Reason.SLOT_TAKEN}),
    _REMOVED: frozenset({Reason.GONE, Reason.FOREIGN_ITEM}),
    "`busytime validate` shows the rights, `busytime advise --out DIR` what to grant.": _RIGHTS,
    "`busytime connect EMAIL` opens the connection that serves these calendars.": frozenset({Reason.NO_CONNECTION}),
    "`busytime push` looks up what became of lost answers, before anything is sent again.": frozenset({Reason.ANSWER_LOST}),
}
_PUSH_AGAIN = "`busytime push` tries the rest again."
#: They go with another change of the same booking, or with a message of their own.
_FOLLOW_UPS = (LOGON_REASONS - {Reason.NO_CONNECTION}) | {Reason.MAIN_NOT_THERE, Reason.GATE_CLOSED, Reason.DATABASE_RESTORED}


def steps_after_push(reasons: Iterable[Reason | None]) -> list[str]:
    """Return what to do next about changes that were not made, by their reasons."""
    found = {reason for reason in reasons if reason is not None} - _FOLLOW_UPS
    steps = [text for text, those in _STEPS.items() if found & those]
    return steps + ([_PUSH_AGAIN] if found.difference(*_STEPS.values()) else [])


def about_refused(it: RefusedPage) -> str:
    """Say which page the gate refused to a push, with its numbers, and how to overrule it."""
    page = showable(it.page)
    return (
        f"page {page}: {it.disturbed} of its {it.future} future entries would be moved or cancelled, more than {GATE_SHARE:.0%}. "
        f"Nothing of this page is sent. If that is meant: `busytime push --force {page}`"
    )


def about_not_followed(it: RefusedPage) -> str:
    """Say on which page too many bookings would have followed their owners at once, and what to do."""
    return (
        f"page {showable(it.page)}: {it.disturbed} of its {it.future} bookings would follow their owners at once, more than "
        f"{GATE_SHARE:.0%}. None of them did. If the owners mean it, import later revisions; else say `owner_changes: report` "
        "at the page, and push."
    )
