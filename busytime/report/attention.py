"""What needs somebody first, in words, and what to do next. Pure rules: facts in, items out, the most urgent first."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from busytime.bookings import EntryState
from busytime.counting import several
from busytime.cures import AGAIN, CONNECTION, RIGHT, ROSTER, cure_of
from busytime.errors import REASON_TEXTS, Reason
from busytime.model import Breaker, RunStatus
from busytime.outcomes import LOGON_REASONS
from busytime.permissions import Verdict
from busytime.report.facts import LOST, ConnectionFact, Facts, RunFact, UnknownGroup
from busytime.report.words import clean, flow_name, lasting, moment, named

_STUCK = timedelta(hours=6)
_LATELY = timedelta(days=1)


class Urgency(StrEnum):
    """How soon somebody is needed: everything stands still, something is wrong, or somebody should have a look."""

    STOPPED = "stopped"
    ACT = "act"
    LOOK = "look"


class Kind(StrEnum):
    """What is the matter."""

    NOTHING_SET_UP = "nothing_set_up"
    NO_CONNECTION = "no_connection"
    BREAKER_OPEN = "breaker_open"
    RIGHTS_LOST = "rights_lost"
    RIGHTS_MISSING = "rights_missing"
    RIGHTS_AWAITED = "rights_awaited"
    RIGHTS_UNSEEN = "rights_unseen"
    CALENDARS_CLOSED = "calendars_closed"
    CALENDARS_GONE = "calendars_gone"
    CALENDARS_UNSERVED = "calendars_unserved"
    CALENDARS_UNREAD = "calendars_unread"
    NO_HARVEST = "no_harvest"
    ENTRIES = "entries"
    OWNERS_CHANGED = "owners_changed"
    NOT_ENTERED = "not_entered"
    ROWS_REFUSED = "rows_refused"
    RUN_ENDED_BADLY = "run_ended_badly"
    RUNS_CRASHED = "runs_crashed"
    RUN_STUCK = "run_stuck"
    LOGONS_REFUSED = "logons_refused"
    SERVER_BUSY = "server_busy"
    REQUESTS_WAIT = "requests_wait"


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that needs somebody.

    Args:
        kind: What is the matter.
        urgency: How soon.
        headline: The same in a few words.
        detail: Since when, why and whom it concerns.
        command: What to run next; empty where there is nothing to run.
        hint: What else may help.
    """

    kind: Kind
    urgency: Urgency
    headline: str
    detail: str
    command: str = ""
    hint: str = ""


#: Entries that need somebody: what to say of them, and what to run.
_ENTRIES = {
    EntryState.CONFLICT: (
        "in conflict",
        "The slot is taken, or somebody changed the item.",
        "busytime bookings list --state conflict",
    ),
    EntryState.BLOCKED: ("blocked", "The page may not be written to.", "busytime validate"),
    EntryState.FAILED: ("that could not be written", "The next push tries again.", "busytime push"),
    EntryState.UNKNOWN: ("of which the answer was lost", "The next push looks them up before it writes.", "busytime push"),
    EntryState.WAITING_FOR_LOG_ON: ("waiting for a log-on", "Nobody could log on for their calendars.", "busytime push"),
}
_OWNERS = {EntryState.MOVED_BY_OWNER: "moved", EntryState.REMOVED_BY_OWNER: "removed"}
_COMMANDS = {
    "harvest_busy_time": "busytime harvest",
    "validate_delegation": "busytime validate",
    "push_bookings": "busytime push",
    "discover_calendars": "busytime discover",
    "maintain": "busytime maintain",
}


def attention(facts: Facts) -> tuple[Item, ...]:
    """Return what needs somebody, the most urgent first; nothing where all is well."""
    order = list(Urgency)
    found = [item for rule in _RULES for item in rule(facts)]
    return tuple(sorted(found, key=lambda item: order.index(item.urgency)))


def _stands_still(facts: Facts) -> bool:
    """Whether there is a cause of which calendars that are not read, and runs that are refused, are only a consequence."""
    return not facts.connections or any(it.breaker is Breaker.OPEN for it in facts.connections)


def _connections(facts: Facts) -> Iterator[Item]:
    if not facts.connections:
        command = "busytime connect EMAIL"
        if not facts.coverage.calendars:
            text = "No mailbox is connected, and no calendar is on the roster yet."
            yield Item(
                Kind.NOTHING_SET_UP, Urgency.ACT, "Nothing is set up yet", text, command, "Then: busytime roster import FILE"
            )
        else:
            text = f"{several(facts.coverage.calendars, 'calendar')} on the roster cannot be read or written."
            yield Item(Kind.NO_CONNECTION, Urgency.STOPPED, "No mailbox is connected", text, command)
    elif not facts.coverage.calendars:
        text = "A mailbox is connected, and no calendar is on the roster yet."
        yield Item(Kind.NOTHING_SET_UP, Urgency.ACT, "The roster is empty", text, "busytime roster import FILE")
    for it in facts.connections:
        if it.breaker is Breaker.OPEN:
            yield _stopped(it)


def _stopped(it: ConnectionFact) -> Item:
    account = clean(it.account)
    why = REASON_TEXTS[it.refused or Reason.LOGON_REFUSED]
    detail = f"Since {moment(it.since)}: {why}. Nothing is sent, so that the account is not locked."
    same = f"busytime resync {account} --same-password"
    if it.refused is Reason.ACCOUNT_DISABLED:
        command, hint = same, "First have the account enabled."
    else:
        command, hint = f"busytime password {account}", f"If the password has not changed: {same}"
    return Item(Kind.BREAKER_OPEN, Urgency.STOPPED, f"{account} is stopped", detail, command, hint)


def _rights(facts: Facts) -> Iterator[Item]:
    counts, permissions = facts.permissions.counts, facts.permissions
    by_verdict = {verdict: sum(n for (_, its), n in counts.items() if its is verdict) for verdict in Verdict}
    advise = "busytime advise --out DIR"
    if permissions.lost and permissions.lost_since:
        rows = [row for row in permissions.rows if row.lost]
        places = list(dict.fromkeys(row.place for row in rows))
        others = ", and others" if permissions.lost > len(rows) else ""
        detail = f"The last on {moment(permissions.lost_since)}: {named(places[:3], len(places))}{others}."
        yield Item(Kind.RIGHTS_LOST, Urgency.ACT, f"{several(permissions.lost, 'right')} lost", detail, advise)
    if missing := sum(by_verdict[verdict] for verdict in LOST) - permissions.lost:
        detail = "They were never granted, or are too low. It writes down what each owner has to grant."
        yield Item(Kind.RIGHTS_MISSING, Urgency.ACT, f"{several(missing, 'right')} missing", detail, advise)
    if pending := by_verdict[Verdict.PENDING]:
        detail = "Owners were asked. A grant can take 48 hours to arrive."
        yield Item(Kind.RIGHTS_AWAITED, Urgency.LOOK, f"{several(pending, 'right')} awaited", detail, "busytime validate")
    if unseen := by_verdict[Verdict.UNREACHABLE] + by_verdict[Verdict.UNPROVEN]:
        detail = "A calendar could not be looked at, or the right to change what was written is not shown."
        command = "busytime validate --probe-write"
        yield Item(Kind.RIGHTS_UNSEEN, Urgency.LOOK, f"{several(unseen, 'right')} not proven", detail, command)


def _calendars(facts: Facts) -> Iterator[Item]:
    closed, gone, unserved, unread = _sorted_out(facts)
    if closed:
        yield _unknown(Kind.CALENDARS_CLOSED, "may not be read", closed, RIGHT.command)
    if gone:
        hint = "Take them out there, or put their addresses right."
        yield _unknown(Kind.CALENDARS_GONE, "not there", gone, ROSTER.command, hint)
    if unserved and facts.connections:
        yield _unknown(Kind.CALENDARS_UNSERVED, "served by nobody", unserved, CONNECTION.command)
    if _stands_still(facts):
        if unread and facts.connections:
            item = _unknown(Kind.CALENDARS_UNREAD, "unknown", unread, "", "They are read again as soon as the log-on works.")
            yield replace(item, urgency=Urgency.LOOK)
    elif facts.coverage.calendars and _silent(facts):
        yield _no_harvest(facts, unread)
    elif unread:
        yield _unknown(Kind.CALENDARS_UNREAD, "unknown", unread, AGAIN.command)


def _sorted_out(facts: Facts) -> tuple[list[UnknownGroup], ...]:
    """Sort the groups of unknown calendars by what helps: a right, the roster, a connection, or another try."""
    cures = (RIGHT, ROSTER, CONNECTION, AGAIN)
    return tuple([group for group in facts.unknown if cure_of(group.reason) is cure] for cure in cures)


def _unknown(kind: Kind, how: str, groups: list[UnknownGroup], command: str, hint: str = "") -> Item:
    count = sum(group.count for group in groups)
    detail = " ".join(_group_text(group, len(groups) > 1) for group in groups)
    return Item(kind, Urgency.ACT, f"{several(count, 'calendar')} {how}", detail, command, hint)


def _group_text(group: UnknownGroup, numbered: bool) -> str:  # noqa: FBT001 -- of this file alone
    parts = [f"{group.count:,}"] if numbered else []
    parts += [f"since {moment(group.since)}"] if group.since else []
    told = f"{' '.join(parts)}: {REASON_TEXTS[group.reason]}" if parts else REASON_TEXTS[group.reason]
    return f"{told[0].upper()}{told[1:]} ({named(group.examples, group.count)})."


def _silent(facts: Facts) -> bool:
    at, period = facts.runs.harvested_at, facts.period
    working = any(run.flow == "harvest_busy_time" and period.as_of - run.started_at < _STUCK for run in facts.runs.running)
    return not working and (at is None or period.as_of - at > period.max_age)


def _no_harvest(facts: Facts, unread: list[UnknownGroup]) -> Item:
    at = facts.runs.harvested_at
    headline = f"No harvest for {lasting(facts.period.as_of - at)}" if at else "No harvest yet"
    count = sum(group.count for group in unread)
    last = f"The last one ended on {moment(at)}. " if at else ""
    detail = f"{last}{several(count, 'calendar')} {'is' if count == 1 else 'are'} unknown for it."
    hint = "Then see why the schedule stands still." if at else ""
    return Item(Kind.NO_HARVEST, Urgency.ACT, headline, detail, "busytime harvest", hint)


def _entries(facts: Facts) -> Iterator[Item]:
    coming = facts.bookings.coming
    for state, (how, detail, command) in _ENTRIES.items():
        if count := coming.get(state, 0):
            waits = state is EntryState.WAITING_FOR_LOG_ON and _stands_still(facts)
            hint = "They are pushed as soon as the log-on works." if waits else ""
            noun = several(count, "entry", "entries")
            urgency = Urgency.LOOK if waits else Urgency.ACT
            yield Item(Kind.ENTRIES, urgency, f"{noun} {how}", detail, "" if waits else command, hint)
    changed = [f"{coming[state]:,} {how}" for state, how in _OWNERS.items() if coming.get(state)]
    if changed:
        detail = f"Entries of coming bookings: {', '.join(changed)}."
        yield Item(Kind.OWNERS_CHANGED, Urgency.LOOK, "Owners changed entries", detail, "busytime bookings list")
    if absent := facts.bookings.absent:
        text = "Still to come, and no push has entered it anywhere."
        headline = f"{several(absent, 'booking')} in no calendar yet"
        yield Item(Kind.NOT_ENTERED, Urgency.LOOK, headline, text, "busytime push --dry-run")
    if refused := facts.bookings.refused:
        text = "Another program wrote what is no booking as it stands."
        headline = f"{several(refused, 'row')} of bookings refused"
        yield Item(Kind.ROWS_REFUSED, Urgency.LOOK, headline, text, "busytime bookings list")


def _runs(facts: Facts) -> Iterator[Item]:
    bad = {RunStatus.FAILED, RunStatus.CRASHED, RunStatus.REFUSED}
    shown = [run for run in facts.runs.last if run.status in bad]
    for run in shown:
        if not (_stands_still(facts) and run.reason in LOGON_REASONS):
            yield _ended_badly(run, facts)
    if (crashed := facts.runs.crashed) and not any(run.status is RunStatus.CRASHED for run in shown):
        detail = "Later ones went well, and what a crashed run committed stays."
        headline = f"{several(crashed, 'run')} crashed"
        yield Item(Kind.RUNS_CRASHED, Urgency.LOOK, headline, detail, "busytime status")
    for run in facts.runs.running:
        if (length := facts.period.as_of - run.started_at) > _STUCK:
            headline = f"Run {run.id} has been at work for {lasting(length)}"
            detail = f"A {flow_name(run.flow)} that started on {moment(run.started_at)}."
            yield Item(Kind.RUN_STUCK, Urgency.LOOK, headline, detail, "busytime status")


def _ended_badly(run: RunFact, facts: Facts) -> Item:
    name = flow_name(run.flow)
    ended = "was refused" if run.status is RunStatus.REFUSED else str(run.status)
    why = REASON_TEXTS[run.reason] if run.reason else "its process died" if run.status is RunStatus.CRASHED else ""
    detail = f"Run {run.id}, {moment(run.finished_at or run.started_at)}{f': {why}' if why else ''}."
    command, hint = _COMMANDS.get(run.flow, "busytime status"), ""
    account = clean(facts.connections[0].account) if facts.connections else "EMAIL"
    if run.reason is Reason.DATABASE_RESTORED:
        command = f"busytime resync {account} --adopt"
    elif run.reason is Reason.GATE_CLOSED:
        command, hint = "busytime push --dry-run", "If the plan is right: busytime push --force PAGE"
    elif run.flow == "resync_connection":
        command = f"busytime resync {account} --same-password"
    return Item(Kind.RUN_ENDED_BADLY, Urgency.ACT, f"The last {name} {ended}", detail, command, hint)


def _servers(facts: Facts) -> Iterator[Item]:
    period, refused = facts.period, facts.logons.refused
    lately = [it for it in refused if period.as_of - it.at <= _LATELY]
    if lately and not _stands_still(facts):
        detail = f"The last one of {clean(lately[0].account)}, {moment(lately[0].at)}. Too many lock an account."
        headline = f"{several(len(lately), 'log-on')} refused within a day"
        yield Item(Kind.LOGONS_REFUSED, Urgency.LOOK, headline, detail, "busytime status")
    for it in facts.connections:
        if it.back_off_until:
            text = f"For {clean(it.account)}, until {moment(it.back_off_until)}; runs wait by themselves."
            yield Item(Kind.SERVER_BUSY, Urgency.LOOK, "The server asked to be left alone", text)
    if facts.waiting.count and facts.waiting.since:
        detail = f"The first since {moment(facts.waiting.since)}; no run has taken it up."
        headline = f"{several(facts.waiting.count, 'request')} waiting"
        yield Item(Kind.REQUESTS_WAIT, Urgency.LOOK, headline, detail, "busytime status")


_RULES: tuple[Callable[[Facts], Iterator[Item]], ...] = (_connections, _calendars, _rights, _runs, _entries, _servers)
