"""Where each booking stands in each calendar, and what to do next. Pure rules.

Whether a push would do anything is what the plan says; nothing here decides it anew.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from busytime.bookings import Booking, BookingState, Entry, EntryState
from busytime.errors import Reason
from busytime.planning import Snapshot, plan_booking


class NextStep(StrEnum):
    """What brings a booking on."""

    NOTHING = "nothing"
    PUSH = "push"
    BACKFILL = "backfill"
    VALIDATE = "validate"
    LOG_ON = "log_on"
    RESCHEDULE = "reschedule"
    ROSTER = "roster"


#: States of entries that are not as they should be.
TROUBLED = frozenset(
    {EntryState.CONFLICT, EntryState.BLOCKED, EntryState.FAILED, EntryState.UNKNOWN, EntryState.WAITING_FOR_LOG_ON}
)
#: Steps that bring nothing on which is not as it should be.
_USUAL = frozenset({NextStep.NOTHING, NextStep.PUSH, NextStep.BACKFILL})


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a booking stands in one calendar.

    Args:
        booking: The booking.
        calendar_id: The calendar; ``None`` where no calendar is to have it.
        entry: Its entry there; ``None`` before the first.
        reason: Why it is not as it should be.
        next: What to do.
    """

    booking: Booking
    calendar_id: int | None
    entry: Entry | None
    reason: Reason | None
    next: NextStep

    @property
    def state(self) -> EntryState | None:
        """How its entry stands; what the next push enters is ``wanted``, and what no push enters has no state."""
        if self.entry is not None:
            return self.entry.state
        return None if self.next in {NextStep.NOTHING, NextStep.BACKFILL, NextStep.ROSTER} else EntryState.WANTED

    @property
    def troubled(self) -> bool:
        """Whether it is not as it should be, and could still be."""
        return self.next not in _USUAL or (self.next is not NextStep.NOTHING and self.state in TROUBLED)


def standings(snapshot: Snapshot, booking: Booking) -> list[Standing]:
    """Return where a booking stands, its page's calendars first; one without a calendar where none is to have it.

    Args:
        snapshot: What there is, without backfill.
        booking: One of its bookings.
    """
    page = snapshot.pages.get(booking.page)
    scheduled = booking.state is BookingState.SCHEDULED
    due = {change.calendar_id for change in plan_booking(snapshot, booking)}
    early = {change.calendar_id for change in plan_booking(replace(snapshot, backfill=True), booking)} - due
    entries = {entry.calendar_id: entry for entry in snapshot.entries.get(booking.key, ())}
    targets = page.targets if page is not None and scheduled else {}
    found: list[Standing] = []
    for calendar_id in {**targets, **entries}:
        entry = entries.get(calendar_id)
        reason = entry.reason if entry else None
        step = NextStep.BACKFILL if calendar_id in early else NextStep.NOTHING
        if calendar_id in due:
            step, reason = _next_step(snapshot, booking, entry, calendar_id)
        found.append(Standing(booking, calendar_id, entry, reason, step))
    if page is None and scheduled and not found:
        return [Standing(booking, None, None, Reason.UNKNOWN_PAGE, NextStep.ROSTER)]
    return found or [Standing(booking, None, None, None, NextStep.NOTHING)]


def _next_step(snapshot: Snapshot, booking: Booking, entry: Entry | None, calendar_id: int) -> tuple[NextStep, Reason | None]:
    """Return what brings on an entry that a push is to change, and why it is not as it should be."""
    reason = entry.reason if entry else None
    if calendar_id not in snapshot.opened_at:
        return NextStep.LOG_ON, reason or Reason.NO_CONNECTION
    page = snapshot.pages.get(booking.page)
    closed = snapshot.closed_calendars.get(calendar_id) or (page.blocked if page else None)
    # A push looks by itself at a calendar that no validation has looked at.
    if closed not in {None, Reason.NEVER_VALIDATED}:
        return NextStep.VALIDATE, reason or closed
    if entry is not None and entry.state is EntryState.WAITING_FOR_LOG_ON:
        return NextStep.LOG_ON, reason
    # A booking that is cancelled asks for no slot.
    taken = entry is not None and entry.state is EntryState.CONFLICT and booking.state is BookingState.SCHEDULED
    return NextStep.RESCHEDULE if taken else NextStep.PUSH, reason
