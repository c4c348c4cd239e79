"""Booking pages: whether the verdicts let a page take bookings. Pure rules."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from busytime.model import Calendar, Role
from busytime.permissions import Conclusion, Need, Verdict, needs_of

#: Verdicts of a main calendar that block its page; without any verdict nothing is known, and nothing blocked.
_BLOCKING = frozenset({Verdict.INSUFFICIENT, Verdict.MISSING, Verdict.PENDING})


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A verdict that stands in a page's way.

    Args:
        calendar: The calendar.
        need: What the page needs there.
        conclusion: The verdict.
        blocks: Whether it blocks the page, or only warns.
    """

    calendar: Calendar
    need: Need
    conclusion: Conclusion
    blocks: bool


def obstacles(
    uses: Iterable[tuple[Role, Calendar]], verdicts: Mapping[tuple[int, Need], Conclusion], *, require_proof: bool
) -> list[Obstacle]:
    """Return what stands in a page's way: its main calendar's verdicts, and whether they block it.

    `unproven` comes with the right to create, so it warns; a page may demand the proof. A `busy` calendar without access
    is not listed: its busy time is unknown, and unknown is never free.

    Args:
        uses: The page's calendars with their roles.
        verdicts: Current verdicts by the calendar's surrogate key and need.
        require_proof: Whether the page demands a proven right to write.
    """
    found: list[Obstacle] = []
    for role, calendar in uses:
        for need in needs_of([role]) if role is Role.MAIN else ():
            conclusion = verdicts.get((calendar.id, need))
            if conclusion is None or conclusion.verdict is Verdict.GRANTED:
                continue
            unproven = conclusion.verdict is Verdict.UNPROVEN
            blocks = conclusion.verdict in _BLOCKING or (unproven and require_proof)
            if blocks or unproven:
                found.append(Obstacle(calendar, need, conclusion, blocks))
    return found
