"""What each run shows on Prefect's page: in a few lines what it came to, and a table of what is not as it should be.

No secret, no detail of an appointment, no title or guest of a booking. What came from outside is written by `code` and `prose`.
"""

from collections.abc import Iterable, Sequence

from busytime.advice import owner_sentence
from busytime.alarm_words import TITLES, clock_text
from busytime.alarms import StoredAlarm
from busytime.counting import several
from busytime.cures import about_not_followed, about_refused, cure_of, steps_after_push
from busytime.diagnoses import with_section
from busytime.discovering import SightingState
from busytime.errors import REASON_TEXTS, Reason
from busytime.granting import strongest
from busytime.harvesting import FailedCalendar
from busytime.maintaining import MaintenanceOutcome
from busytime.markdown import code, prose, table
from busytime.model import Calendar, RunStatus
from busytime.outcomes import DONE, DiscoveryOutcome, HarvestOutcome, PushOutcome, ValidationOutcome
from busytime.permissions import Verdict
from busytime.resyncing import ResyncOutcome
from tasks.artifacts import show
from tasks.grants import grants_of
from tasks.push import ForeseenPush
from tasks.telling import Told

#: So many rows a person looks through; what is left is told by a command.
MOST_ROWS = 100
_BROKEN_OFF = frozenset({RunStatus.REFUSED, RunStatus.FAILED})
_NEWS = frozenset(SightingState) - {SightingState.KNOWN}


def show_harvest(outcome: HarvestOutcome, said: str) -> None:
    """Show which calendars gave no answer, and what helps."""
    rows = [(_calendar(it), _why("", it.reason, it.detail), prose(str(cure_of(it.reason)))) for it in outcome.result.failed]
    counts = f"{outcome.result.known} calendars known, {outcome.result.unknown} unknown"
    pages = [f"**Refused:** {prose(about_not_followed(it))}" for it in outcome.entries.refused_pages]
    failed = _listed(("Calendar", "Why", "What to do"), rows, "busytime harvest --json")
    elsewhere = f"{outcome.result.failed_elsewhere} more that the runs of shards name" if outcome.result.failed_elsewhere else ""
    _show("harvest", counts, [_whole(said), *_message(outcome), *pages, *failed, elsewhere, _run(outcome.run_id)])


def show_validation(outcome: ValidationOutcome, said: str) -> None:
    """Show in which calendars a right is missing, and what its owner can do."""
    grants = [it for it in strongest(grants_of(outcome.findings)) if it.verdict is not Verdict.GRANTED]
    rows = [(code(it.label), _why(str(it.verdict), it.reason), prose(owner_sentence(it))) for it in grants]
    counts = ", ".join(f"{count} {verdict}" for verdict, count in outcome.counts.items() if count) or "nothing to validate"
    missing = _listed(("Calendar", "Why", "What its owner can do"), rows, "busytime advise --out DIR")
    _show("validate", counts, [_whole(said), *_message(outcome), *missing, _run(outcome.run_id)])


def show_push(outcome: PushOutcome, said: str) -> None:
    """Show which changes were not made, and what to do next; nothing where nothing was to do."""
    if not (outcome.changes or outcome.message or outcome.refused_pages):
        return
    odd = [(it, calendar) for it, calendar in outcome.changes if it.outcome not in DONE and it.reason is not Reason.GATE_CLOSED]
    rows = [(code(it.booking_key), code(calendar.label), _why(it.outcome, it.reason)) for it, calendar in odd]
    counts = ", ".join(f"{count} {name}" for name, count in outcome.counts.items()) or "nothing was done"
    pages = [f"**Refused:** {prose(about_refused(it))}" for it in outcome.refused_pages]
    left = _listed(("Booking", "Calendar", "Why"), rows, "busytime bookings list")
    steps = [f"- {prose(step)}" for step in steps_after_push(it.reason for it, _ in odd)]
    _show("push", counts, [_whole(said), *_message(outcome), *pages, *left, "\n".join(steps), _run(outcome.run_id)])


def show_plan(planned: ForeseenPush, said: str) -> None:
    """Show what a push would do."""
    rows = [(code(it.booking_key), code(it.calendar), prose(it.change)) for it in planned.changes]
    listed = _listed(("Booking", "Calendar", "Change"), rows, "busytime push --dry-run")
    _show("push-plan", f"{len(rows)} changes planned", [_whole(said), *listed])


def show_discovery(outcome: DiscoveryOutcome) -> None:
    """Show which calendars are new, renamed or missing, whose could not be seen, and which invitations wait."""
    changes = [(it.discovery.owner, change) for it in outcome.owners for change in it.changes if change.state in _NEWS]
    rows = [(code(f"{owner}/{it.folder}".rstrip("/")), prose(it.state)) for owner, it in changes]
    silent = [it.discovery for it in outcome.owners if it.discovery.reason]
    unseen = [(code(it.owner), _why("", it.reason, it.detail), prose(str(cure_of(it.reason)))) for it in silent if it.reason]
    letters = [(code(it.sender), "accepted" if it.accepted else "waits") for it in outcome.invitations]
    counts = f"{len(outcome.owners)} owners looked at, {len(rows)} calendars new, renamed or missing"
    parts = [_whole(counts), *_message(outcome), *_listed(("Calendar", "Is"), rows, "busytime discover")]
    parts += _listed(("Owner", "Why not seen", "What to do"), unseen, "busytime discover")
    parts += _listed(("Invitation from", "Is"), letters, "busytime discover")
    _show("discover", counts, [*parts, _run(outcome.run_id)])


def show_resync(outcome: ResyncOutcome, said: str) -> None:
    """Show what was missed and caught up, how each part ended, and which calendars are left."""
    parts = [f"- {it.name}: {it.status.replace('_', ' ')}, {it.left} not as it should be" for it in outcome.parts]
    left = outcome.caught_up.unknown if outcome.caught_up else outcome.silent
    rows = [(code(calendar.label),) for calendar in left]
    lines = [prose(said), *_message(outcome), "\n".join(parts), *_listed(("Without an answer",), rows, "busytime harvest --json")]
    _show("resync", "What was caught up", [*lines, _run(outcome.run_id)])


def show_maintenance(outcome: MaintenanceOutcome, said: str) -> None:
    """Show what went; nothing where nothing was old enough."""
    if any(outcome.counts.values()):
        _show("maintain", said, [_whole(said), _run(outcome.run_id)])


def show_watch(told: Told, said: str) -> None:
    """Show which alarms stand, when they were told and to whom they could not be, and which are over; nothing where none is."""
    if not (told.standing or told.over):
        return
    rows = [(*_alarm(it.alarm), prose(it.text), _told(it.alarm)) for it in told.standing]
    over = [(*_alarm(it), clock_text(it.over_at) if it.over_at else "") for it in told.over]
    stand = _listed(("Alarm", "About", "Since", "What to do", "Told"), rows, "busytime status")
    ended = _listed(("Over", "About", "Since", "Over since"), over, "busytime status")
    _show("watch", f"{several(len(rows), 'alarm')} open, {len(over)} over", [_whole(said), *stand, *ended])


def _alarm(it: StoredAlarm) -> tuple[str, str, str]:
    return TITLES[it.subject.kind], code(it.about), clock_text(it.opened_at)


def _told(it: StoredAlarm) -> str:
    return clock_text(it.told_at) if it.told_at else "nobody yet"


def _show(key: str, description: str, parts: Iterable[str]) -> None:
    show(key, "\n\n".join(filter(None, parts)), description)


def _whole(said: str) -> str:
    return f"**{prose(said[0].upper() + said[1:])}.**" if said else ""


def _message(outcome: HarvestOutcome | ValidationOutcome | PushOutcome | DiscoveryOutcome | ResyncOutcome) -> list[str]:
    """Say what ended a run or a part of it, and where the documentation says more."""
    if not outcome.message:
        return []
    head = outcome.status.capitalize() if outcome.status in _BROKEN_OFF else "Not all was done"
    return [f"**{head}:** {prose(with_section(outcome.message, outcome.reason))}"]


def _calendar(it: FailedCalendar | Calendar) -> str:
    return code(f"{it.owner}/{it.folder}".rstrip("/"))


def _why(what: str, reason: Reason | None, detail: str | None = None) -> str:
    """Say how something stands, why, and the code or instant that goes with it."""
    told = ": ".join(filter(None, [what, REASON_TEXTS[reason] if reason else ""]))
    return prose(f"{told} ({detail})" if detail else told)


def _listed(head: Sequence[str], rows: Sequence[Sequence[str]], command: str) -> list[str]:
    """Show rows as a table, so many as a person looks through, and how to see all of them; nothing where there are none."""
    more = f"{len(rows) - MOST_ROWS} more: {code(command)}" if len(rows) > MOST_ROWS else ""
    return [table(head, rows[:MOST_ROWS]), more] if rows else []


def _run(run_id: int | None) -> str:
    return f"Run {run_id} in the audit tables." if run_id is not None else ""
