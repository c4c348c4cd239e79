"""What each chart of the report shows: facts become lines, bars and lanes, and a table with the same numbers beside them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from busytime.bookings import EntryState
from busytime.counting import several
from busytime.model import LogonAnswer, RunStatus
from busytime.permissions import Need, Verdict
from busytime.report.charts import Bar, Frame, HeatMap, Lane, Mark, Timeline, bars, heat_map, timeline
from busytime.report.facts import Bookings, Coverage, Logons, Permissions, Runs
from busytime.report.period import Period
from busytime.report.svg import Drawing, Role, inline
from busytime.report.words import clean, flow_name, name_of, share_text

_WIDE, _NARROW = 960.0, 342.0


@dataclass(frozen=True, slots=True)
class Table:
    """The numbers of a chart: for who cannot see it, and for who wants to take them along."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart on the page, for two widths of screens, and its numbers."""

    wide: str
    narrow: str
    table: Table


def _picture(
    name: str, title: str, told: str, draw: Callable[[Frame], Drawing], table: Table, lefts: tuple[float, float]
) -> Picture:
    wide = Frame(f"{name}-wide", _WIDE, lefts[0], 13.0, int(lefts[0] / 8.2) or 100)
    narrow = Frame(f"{name}-narrow", _NARROW, lefts[1], 10.0, int(lefts[1] / 6.4) or 48)
    shown = {frame.name: inline(draw(frame), frame.name, title, told) for frame in (wide, narrow)}
    return Picture(shown[wide.name], shown[narrow.name], table)


def _days(period: Period) -> tuple[str, ...]:
    return tuple(f"{column:%Y-%m-%d}" for column in period.columns)


def common_domain(addresses: Iterable[str]) -> str:
    """Return the domain that all addresses have, with its @; empty where they have several, or are no addresses."""
    domains = {address.rpartition("@")[2] if "@" in address else "" for address in addresses}
    domain = domains.pop() if len(domains) == 1 else ""
    return f"@{domain}" if domain else ""


def coverage_picture(coverage: Coverage, period: Period) -> Picture:
    """Show how much of each day each calendar was known, the worst calendars one by one."""
    domain = common_domain(line.place.owner for line in coverage.worst)
    all_of_them = f"All {several(coverage.calendars, 'calendar')}"
    lines = [(all_of_them, coverage.shares)]
    lines += [
        (name_of(line.place).replace(domain, "", 1) if domain else name_of(line.place), line.shares) for line in coverage.worst
    ]

    def draw(frame: Frame) -> Drawing:
        return heat_map(HeatMap(lines, period.columns), frame)

    table = Table(
        ("calendar", "whole span", *_days(period)),
        tuple(
            (name, share_text(share), *map(share_text, shares))
            for name, share, shares in [
                (all_of_them, coverage.share, coverage.shares),
                *((name_of(line.place), line.share, line.shares) for line in coverage.worst),
            ]
        ),
    )
    told = f"Of {several(coverage.calendars, 'calendar')}, {share_text(coverage.share)} of the time was known."
    return _picture("coverage", "Coverage by calendar and day", told, draw, table, (246.0, 110.0))


_VERDICTS = {
    Verdict.GRANTED: Role.GOOD,
    Verdict.UNPROVEN: Role.MILD,
    Verdict.PENDING: Role.MILD,
    Verdict.UNREACHABLE: Role.MILD,
    Verdict.INSUFFICIENT: Role.BAD,
    Verdict.MISSING: Role.BAD,
}


def permission_picture(permissions: Permissions) -> Picture:
    """Show how many rights there are of each verdict, to read and to write."""
    counts = permissions.counts
    every = [
        Bar(verdict.value, counts.get((Need.READ, verdict), 0), counts.get((Need.WRITE, verdict), 0), role)
        for verdict, role in _VERDICTS.items()
    ]
    shown = [bar for bar in every if bar.first or bar.second]
    table = Table(("verdict", "to read", "to write"), tuple((bar.label, f"{bar.first:,}", f"{bar.second:,}") for bar in shown))
    told = "; ".join(f"{bar.label}: {bar.first} to read, {bar.second} to write" for bar in shown)
    return _picture(
        "permissions", "Rights by verdict", told, lambda frame: bars(shown, ("to read", "to write"), frame), table, (150.0, 0.0)
    )


#: How each state of an entry is said, those that need somebody first.
STATES = {
    EntryState.FAILED: ("failed", Role.BAD),
    EntryState.CONFLICT: ("in conflict", Role.BAD),
    EntryState.BLOCKED: ("blocked", Role.BAD),
    EntryState.UNKNOWN: ("answer lost", Role.BAD),
    EntryState.WAITING_FOR_LOG_ON: ("waits for a log-on", Role.BAD),
    EntryState.MOVED_BY_OWNER: ("moved by owner", Role.MILD),
    EntryState.REMOVED_BY_OWNER: ("removed by owner", Role.MILD),
    EntryState.WANTED: ("waits for a push", Role.MILD),
    EntryState.INTENDED: ("being written", Role.MILD),
    EntryState.PRESENT: ("in the calendar", Role.GOOD),
    EntryState.CANCELLED: ("taken out", Role.FAINT),
    EntryState.ORPHANED: ("left where it is", Role.FAINT),
}

#: Entries that are as they should be.
IN_PLACE = frozenset({EntryState.PRESENT, EntryState.CANCELLED, EntryState.ORPHANED})


def booking_picture(bookings: Bookings) -> Picture:
    """Show how many entries stand how."""
    counts = [
        (label, bookings.coming.get(state, 0), bookings.over.get(state, 0), role) for state, (label, role) in STATES.items()
    ]
    shown = [Bar(*bar) for bar in counts if bar[1] or bar[2]]
    table = Table(("state", "to come", "over"), tuple((bar.label, f"{bar.first:,}", f"{bar.second:,}") for bar in shown))
    told = "; ".join(f"{bar.label}: {bar.first} to come, {bar.second} over" for bar in shown)
    return _picture(
        "bookings", "Entries by state", told, lambda frame: bars(shown, ("to come", "over"), frame), table, (150.0, 0.0)
    )


_RUN_MARKS = {
    RunStatus.SKIPPED: Mark.FAINT,
    RunStatus.RUNNING: Mark.FAINT,
    RunStatus.COMPLETED: Mark.GOOD,
    RunStatus.COMPLETED_WITH_FAILURES: Mark.MILD,
    RunStatus.REFUSED: Mark.REFUSED,
    RunStatus.FAILED: Mark.FAILED,
    RunStatus.CRASHED: Mark.CRASHED,
}
_RUN_LEGEND = (
    (Mark.GOOD, "completed"),
    (Mark.MILD, "with failures"),
    (Mark.REFUSED, "refused"),
    (Mark.FAILED, "failed"),
    (Mark.CRASHED, "crashed"),
)
_FLOW_ORDER = ("harvest", "validate", "push", "resync", "discover")


def run_picture(runs: Runs, period: Period) -> Picture:
    """Show when each flow ran, and how it ended; the worst end in a slot is what is shown."""
    flows = sorted({flow for flow, _, _ in runs.slots}, key=lambda flow: (_rank(flow_name(flow)), flow))
    by_flow = {flow: {(slot, status): n for (its, slot, status), n in runs.slots.items() if its == flow} for flow in flows}
    lanes = [_lane(flow_name(flow), "run", "runs", by_flow[flow], _RUN_MARKS) for flow in flows]
    table = Table(
        ("flow", *(str(status) for status in RunStatus)),
        tuple((flow_name(flow), *(f"{_sum(by_flow[flow], status):,}" for status in RunStatus)) for flow in flows),
    )
    told = "; ".join(f"{lane.label}: {lane.told}" for lane in lanes)
    return _timeline_picture("runs", "Runs over time", told, lanes, (period, runs.slot), _RUN_LEGEND, table)


def _rank(name: str) -> int:
    return _FLOW_ORDER.index(name) if name in _FLOW_ORDER else len(_FLOW_ORDER)


_ANSWER_MARKS: Mapping[LogonAnswer | None, Mark] = {
    LogonAnswer.NOT_SENT: Mark.FAINT,
    LogonAnswer.ACCEPTED: Mark.GOOD,
    LogonAnswer.UNJUDGED: Mark.MILD,
    LogonAnswer.UNKNOWN: Mark.MILD,
    None: Mark.MILD,
    LogonAnswer.REFUSED: Mark.CRASHED,
}
_LOGON_LEGEND = (
    (Mark.GOOD, "accepted"),
    (Mark.MILD, "no verdict"),
    (Mark.CRASHED, "refused"),
    (Mark.NEW, "new password"),
)


def logon_picture(logons: Logons, period: Period, slot: timedelta) -> Picture:
    """Show when each account logged on and what its server said, and when it got a new password."""
    accounts = sorted({account for account, _, _ in logons.slots})
    by_account = {it: {(number, answer): n for (its, number, answer), n in logons.slots.items() if its == it} for it in accounts}
    lanes = []
    for account in accounts:
        lane = _lane(clean(account), "log-on", "log-ons", by_account[account], _ANSWER_MARKS)
        renewed = [(_slot(it.at, period, slot), Mark.NEW) for it in logons.secrets if it.account == account and it.version > 1]
        lanes.append(Lane(lane.label, lane.told, (*lane.marks, *renewed)))
    answers = (*LogonAnswer, None)
    table = Table(
        ("account", *(str(answer or "no answer") for answer in answers)),
        tuple((clean(it), *(f"{_sum(by_account[it], answer):,}" for answer in answers)) for it in accounts),
    )
    told = "; ".join(f"{lane.label}: {lane.told}" for lane in lanes)
    return _timeline_picture("logons", "Log-ons over time", told, lanes, (period, slot), _LOGON_LEGEND, table)


def _slot(instant: datetime, period: Period, slot: timedelta) -> int:
    return int((instant - period.columns[0]) / slot)


def _sum(counts: Mapping[tuple[int, Any], int], kind: object) -> int:
    return sum(count for (_, its), count in counts.items() if its == kind)


def _lane(label: str, noun: str, nouns: str, counts: Mapping[tuple[int, Any], int], marks: Mapping[Any, Mark]) -> Lane:
    order = list(Mark)
    worst: dict[int, Mark] = {}
    for slot, kind in counts:
        worst[slot] = max(worst.get(slot, Mark.FAINT), marks[kind], key=order.index)
    bad = sum(count for (_, kind), count in counts.items() if order.index(marks[kind]) >= order.index(Mark.REFUSED))
    told = several(sum(counts.values()), noun, nouns) + (f", {bad:,} bad" if bad else "")
    return Lane(label, told, tuple(sorted(worst.items())))


def _timeline_picture(
    name: str,
    title: str,
    told: str,
    lanes: Sequence[Lane],
    time: tuple[Period, timedelta],
    legend: Sequence[tuple[Mark, str]],
    table: Table,
) -> Picture:
    period, slot = time
    slots = round(len(period.columns) * period.step / slot)
    now = (period.as_of - period.columns[0]) / slot

    def draw(frame: Frame) -> Drawing:
        return timeline(Timeline(lanes, slots, period.columns, now if 0 <= now <= slots else None, legend), frame)

    return _picture(name, title, told, draw, table, (210.0, 0.0))
