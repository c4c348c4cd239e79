"""Alarms in words: what stands, and what to do next. Pure rules.

No word is about what an appointment or a booking says. At most ten owners are named.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from busytime.alarms import Alarm, AlarmKind, News, StoredAlarm, Subject, Word
from busytime.counting import several

#: So many owners are named for an alarm, and so many alarms in one part of a message.
MOST_NAMED = 10
#: The heading in `docs/operations.md` that each kind has, and by which it is called.
TITLES = {
    AlarmKind.BREAKER_OPENED: "Breaker opened",
    AlarmKind.PERMISSIONS_LOST: "Permissions lost",
    AlarmKind.COVERAGE_TOO_OLD: "Coverage too old",
    AlarmKind.ENTRIES_FAILING: "Entries failing",
    AlarmKind.RUN_MISSING: "A run is missing",
}

#: The command that runs a flow by hand.
_COMMANDS = {
    "harvest_busy_time": "harvest",
    "validate_delegation": "validate",
    "push_bookings": "push",
    "resync_connection": "resync EMAIL",
    "discover_calendars": "discover",
    "maintain": "maintain",
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Calendars or entries of one connection that are not as they should be.

    Args:
        connection_id: The connection.
        email: Its account.
        count: How many.
        owners: The first few addresses of their owners.
        more_owners: How many owners there are besides.
    """

    connection_id: int
    email: str
    count: int
    owners: tuple[str, ...]
    more_owners: int = 0

    @property
    def named(self) -> str:
        """The owners in words."""
        return ", ".join(self.owners) + (f" and {self.more_owners} more" if self.more_owners else "")


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent, as plain text."""

    title: str
    body: str


def breaker_opened(connection_id: int, stopped: str) -> Alarm:
    """Return the alarm of a breaker that is open; why and what helps is said already."""
    return Alarm(Subject(AlarmKind.BREAKER_OPENED, connection_id), stopped)


def permissions_lost(it: Trouble) -> Alarm:
    """Return the alarm of rights that were granted and are not any more."""
    text = (
        f"{it.email} may no longer do what it could in {several(it.count, 'calendar')}, of {it.named}. Run `busytime validate`, "
        "which says why, and `busytime advise --out DIR`, which says what to grant; or take them out of the roster."
    )
    return Alarm(Subject(AlarmKind.PERMISSIONS_LOST, it.connection_id), text, it.count)


def coverage_too_old(it: Trouble, calendars: int) -> Alarm:
    """Return the alarm of calendars whose last answer counts no more.

    Args:
        it: Which ones.
        calendars: How many calendars the connection serves.
    """
    text = (
        f"{it.count} of {calendars} calendars of {it.email} are unknown, because their last answer is too old: those of "
        f"{it.named}. Nobody can be booked there. Run `busytime harvest`, which names the reason for each."
    )
    return Alarm(Subject(AlarmKind.COVERAGE_TOO_OLD, it.connection_id), text, it.count)


def entries_failing(it: Trouble) -> Alarm:
    """Return the alarm of bookings that do not reach their calendars."""
    text = (
        f"{several(it.count, 'entry', 'entries')} of bookings could not be written through {it.email}, in calendars of "
        f"{it.named}. Run `busytime bookings list`, which says why and what to do for each."
    )
    return Alarm(Subject(AlarmKind.ENTRIES_FAILING, it.connection_id), text, it.count)


def run_missing(flow: str, missing: str, since: datetime) -> Alarm:
    """Return the alarm of a flow that does not run, or not to its end.

    Args:
        flow: Name of the flow.
        missing: What is missing, as the begin of a sentence.
        since: For how long at least.
    """
    return Alarm(Subject(AlarmKind.RUN_MISSING, flow=flow), f"{missing} since {clock_text(since)}. {_help(flow)}")


def run_silent(flow: str, run_id: int, started_at: datetime) -> Alarm:
    """Return the alarm of a run that should be at work, and of which nothing is left."""
    text = f"Run {run_id}, of {clock_text(started_at)}, shows no sign of life; the next one closes it. {_help(flow)}"
    return Alarm(Subject(AlarmKind.RUN_MISSING, flow=flow), text)


def _help(flow: str) -> str:
    return (
        f"Look whether `busytime serve`, or a worker, is running; `busytime {_COMMANDS.get(flow, 'status')}` is the way by hand."
    )


def trial(machine: str) -> Message:
    """Return the message that shows whether a receiver is reached."""
    text = f"This is a test from busytime on {machine}. Alarms will come this way; nothing is to be done."
    return Message("busytime: a test", text)


def compose(told: Sequence[News], standing: Mapping[Subject, Alarm], machine: str) -> Message:
    """Return the one message that tells all news.

    Args:
        told: The news; one at least.
        standing: What stands now.
        machine: Where busytime runs.
    """
    new = [it for it in told if it.is_new]
    still = [it for it in told if it.word is Word.STANDS and not it.is_new]
    over = [it for it in told if it.word is Word.OVER]
    parts = [
        *_part("New:", [_stands(it.alarm, standing) for it in new]),
        *_part("Still:", [_stands(it.alarm, standing) for it in still]),
        *_part("Over:", [_over(it.alarm) for it in over]),
        f"From busytime on {machine}. `busytime status` shows how things stand.",
    ]
    counts = {"new": len(new), "still open": len(still), "over": len(over)}
    return Message(f"busytime: {_title(told, counts)}", "\n\n".join(parts))


def _title(told: Sequence[News], counts: Mapping[str, int]) -> str:
    """Name the one alarm that it is about, or count them."""
    said = [(count, how) for how, count in counts.items() if count]
    if len(told) > 1:
        return f"alarms: {', '.join(f'{count} {how}' for count, how in said)}"
    [(_, how)], alarm = said, told[0].alarm
    return f"{how}: {TITLES[alarm.subject.kind]}, {alarm.about}"


def _part(head: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield head
        yield from lines[:MOST_NAMED]
    if len(lines) > MOST_NAMED:
        yield f"And {len(lines) - MOST_NAMED} more."


def _stands(alarm: StoredAlarm, standing: Mapping[Subject, Alarm]) -> str:
    title = TITLES[alarm.subject.kind]
    said = standing[alarm.subject].text
    return f'- {title}: {alarm.about}, since {clock_text(alarm.opened_at)}.\n  {said}\n  See docs/operations.md, "{title}".'


def _over(alarm: StoredAlarm) -> str:
    since = f", over since {clock_text(alarm.over_at)}" if alarm.over_at else ""
    return f"- {TITLES[alarm.subject.kind]}: {alarm.about}, since {clock_text(alarm.opened_at)}{since}. Nothing is to be done."


def clock_text(instant: datetime) -> str:
    """Return an instant as a person reads it."""
    return f"{instant:%Y-%m-%d %H:%M} UTC"
