"""What needs somebody first: each kind alone, in the right words and order, and nothing where all is well."""

from dataclasses import replace
from datetime import timedelta

import pytest

from busytime.bookings import EntryState
from busytime.errors import Reason
from busytime.model import Breaker, RunStatus
from busytime.permissions import Need, Verdict
from busytime.report.attention import Kind, Urgency, attention
from busytime.report.facts import (
    Bookings,
    ConnectionFact,
    Coverage,
    Facts,
    LogonFact,
    Logons,
    PermissionFact,
    Permissions,
    Place,
    RunFact,
    Runs,
    UnknownGroup,
    Waiting,
)
from busytime.report.period import Period
from tests.unit.moments import MAX_AGE, MONDAY

HOUR = timedelta(hours=1)
SINCE = MONDAY - 5 * HOUR
ANA = Place("ana@corp.example", "")
ACCOUNT = "busytime@corp.example"
CONNECTED = ConnectionFact(ACCOUNT, "corporate", Breaker.CLOSED, SINCE, None, None)
STOPPED = replace(CONNECTED, breaker=Breaker.OPEN, refused=Reason.LOGON_REFUSED)
LOST = PermissionFact(
    ANA, ACCOUNT, Need.READ, "Editor", None, Verdict.MISSING, Reason.NO_ACCESS, SINCE, Verdict.GRANTED, changed=True
)
WELL = Facts(
    period=Period(MONDAY - timedelta(days=14), MONDAY, MONDAY, MAX_AGE),
    connections=(CONNECTED,),
    unknown=(),
    known=3,
    coverage=Coverage(3, (1.0,), 1.0, (), 0, 0),
    worst=(),
    permissions=Permissions({(Need.READ, Verdict.GRANTED): 3}, (), 0, 0, None),
    bookings=Bookings({EntryState.PRESENT: 5}, {EntryState.FAILED: 2}, 0, 0, (), 0),
    runs=Runs({}, 4 * HOUR, (), 0, 0, 9, (), (), MONDAY - HOUR / 6),
    logons=Logons({}, 1, (), 0, ()),
    waiting=Waiting(0, None),
)


def run(status, reason=None, flow="push_bookings", started_at=SINCE):
    return RunFact(7, flow, status, reason, started_at, None if status is RunStatus.RUNNING else started_at + HOUR)


def unknown(reason, count=1, since=SINCE):
    return {"unknown": (UnknownGroup(reason, count, since, (ANA,)),)}


def entries(state):
    return {"bookings": replace(WELL.bookings, coming={state: 2})}


def rights(verdict, **more):
    return {"permissions": replace(WELL.permissions, counts={(Need.WRITE, verdict): 2}, **more)}


def ended(status, reason=None, flow="push_bookings"):
    return {"runs": replace(WELL.runs, last=(run(status, reason, flow),))}


def refused(at):
    return {"logons": replace(WELL.logons, refused=(LogonFact(ACCOUNT, at, "machine", "admin@host", 1, Reason.LOGON_REFUSED),))}


NOTHING = {"coverage": Coverage(0, (None,), None, (), 0, 0), "known": 0}
#: What differs from a world where all is well, and the one item that comes of it: its kind, urgency, command, and some words.
CASES = [
    (NOTHING | {"connections": ()}, Kind.NOTHING_SET_UP, Urgency.ACT, "busytime connect EMAIL", "roster import FILE"),
    (NOTHING, Kind.NOTHING_SET_UP, Urgency.ACT, "busytime roster import FILE", "The roster is empty"),
    ({"connections": ()}, Kind.NO_CONNECTION, Urgency.STOPPED, "busytime connect EMAIL", "3 calendars"),
    ({"connections": (STOPPED,)}, Kind.BREAKER_OPEN, Urgency.STOPPED, f"busytime password {ACCOUNT}", "--same-password"),
    (
        {"connections": (replace(STOPPED, refused=Reason.ACCOUNT_DISABLED),)},
        Kind.BREAKER_OPEN,
        Urgency.STOPPED,
        f"busytime resync {ACCOUNT} --same-password",
        "the account is disabled",
    ),
    (
        rights(Verdict.MISSING, lost=2, lost_since=SINCE, rows=(LOST,)),
        Kind.RIGHTS_LOST,
        Urgency.ACT,
        "busytime advise --out DIR",
        "2 rights lost The last on 2026-11-23 03:00 UTC: ana@corp.example, and others.",
    ),
    (rights(Verdict.INSUFFICIENT), Kind.RIGHTS_MISSING, Urgency.ACT, "busytime advise --out DIR", "2 rights missing"),
    (rights(Verdict.PENDING), Kind.RIGHTS_AWAITED, Urgency.LOOK, "busytime validate", "2 rights awaited"),
    (rights(Verdict.UNPROVEN), Kind.RIGHTS_UNSEEN, Urgency.LOOK, "busytime validate --probe-write", "2 rights not proven"),
    (rights(Verdict.UNREACHABLE), Kind.RIGHTS_UNSEEN, Urgency.LOOK, "busytime validate --probe-write", "2 rights"),
    (
        unknown(Reason.NO_ACCESS, 3),
        Kind.CALENDARS_CLOSED,
        Urgency.ACT,
        "busytime advise --out DIR",
        "Since 2026-11-23 03:00 UTC: the connection may not see this calendar's busy time (ana@corp.example and 2 more).",
    ),
    (unknown(Reason.MAILBOX_NOT_FOUND), Kind.CALENDARS_GONE, Urgency.ACT, "busytime roster import FILE", "1 calendar not there"),
    (unknown(Reason.NO_CONNECTION), Kind.CALENDARS_UNSERVED, Urgency.ACT, "busytime connect EMAIL", "served by nobody"),
    (unknown(Reason.TIMED_OUT), Kind.CALENDARS_UNREAD, Urgency.ACT, "busytime harvest", "1 calendar unknown"),
    (
        unknown(Reason.OUTDATED, 3) | {"runs": replace(WELL.runs, harvested_at=SINCE)},
        Kind.NO_HARVEST,
        Urgency.ACT,
        "busytime harvest",
        "No harvest for 5 hours The last one ended on 2026-11-23 03:00 UTC. 3 calendars are unknown for it.",
    ),
    ({"runs": replace(WELL.runs, harvested_at=None)}, Kind.NO_HARVEST, Urgency.ACT, "busytime harvest", "No harvest yet"),
    (entries(EntryState.CONFLICT), Kind.ENTRIES, Urgency.ACT, "busytime bookings list --state conflict", "2 entries in conflict"),
    (entries(EntryState.BLOCKED), Kind.ENTRIES, Urgency.ACT, "busytime validate", "2 entries blocked"),
    (entries(EntryState.FAILED), Kind.ENTRIES, Urgency.ACT, "busytime push", "could not be written"),
    (entries(EntryState.UNKNOWN), Kind.ENTRIES, Urgency.ACT, "busytime push", "answer was lost"),
    (entries(EntryState.WAITING_FOR_LOG_ON), Kind.ENTRIES, Urgency.ACT, "busytime push", "waiting for a log-on"),
    (entries(EntryState.MOVED_BY_OWNER), Kind.OWNERS_CHANGED, Urgency.LOOK, "busytime bookings list", "2 moved"),
    (entries(EntryState.REMOVED_BY_OWNER), Kind.OWNERS_CHANGED, Urgency.LOOK, "busytime bookings list", "2 removed"),
    (
        {"bookings": replace(WELL.bookings, absent=1)},
        Kind.NOT_ENTERED,
        Urgency.LOOK,
        "busytime push --dry-run",
        "1 booking in no",
    ),
    ({"bookings": replace(WELL.bookings, refused=2)}, Kind.ROWS_REFUSED, Urgency.LOOK, "busytime bookings list", "2 rows"),
    (ended(RunStatus.FAILED, Reason.SERVER_ERROR), Kind.RUN_ENDED_BADLY, Urgency.ACT, "busytime push", "The last push failed"),
    (ended(RunStatus.CRASHED), Kind.RUN_ENDED_BADLY, Urgency.ACT, "busytime push", "its process died"),
    (ended(RunStatus.REFUSED, Reason.GATE_CLOSED), Kind.RUN_ENDED_BADLY, Urgency.ACT, "busytime push --dry-run", "--force PAGE"),
    (
        ended(RunStatus.REFUSED, Reason.DATABASE_RESTORED),
        Kind.RUN_ENDED_BADLY,
        Urgency.ACT,
        f"busytime resync {ACCOUNT} --adopt",
        "The last push was refused",
    ),
    (
        ended(RunStatus.FAILED, Reason.STOPPED, "resync_connection"),
        Kind.RUN_ENDED_BADLY,
        Urgency.ACT,
        f"busytime resync {ACCOUNT} --same-password",
        "The last resync failed",
    ),
    (ended(RunStatus.FAILED, None, "tidy_up"), Kind.RUN_ENDED_BADLY, Urgency.ACT, "busytime status", "The last tidy up failed"),
    ({"runs": replace(WELL.runs, crashed=2)}, Kind.RUNS_CRASHED, Urgency.LOOK, "busytime status", "2 runs crashed"),
    (
        {"runs": replace(WELL.runs, running=(run(RunStatus.RUNNING, started_at=MONDAY - 7 * HOUR),))},
        Kind.RUN_STUCK,
        Urgency.LOOK,
        "busytime status",
        "Run 7 has been at work for 7 hours",
    ),
    (refused(SINCE), Kind.LOGONS_REFUSED, Urgency.LOOK, "busytime status", "1 log-on refused within a day"),
    (
        {"connections": (replace(CONNECTED, back_off_until=MONDAY + HOUR),)},
        Kind.SERVER_BUSY,
        Urgency.LOOK,
        "",
        "until 2026-11-23 09:00 UTC",
    ),
    ({"waiting": Waiting(1, SINCE)}, Kind.REQUESTS_WAIT, Urgency.LOOK, "busytime status", "1 request waiting"),
]


@pytest.mark.parametrize(("changed", "kind", "urgency", "command", "words"), CASES)
def test_each_kind_is_told_by_itself_with_what_to_do_next(changed, kind, urgency, command, words):
    (item,) = attention(replace(WELL, **changed))
    assert (item.kind, item.urgency, item.command) == (kind, urgency, command)
    assert words in f"{item.headline} {item.detail} {item.hint}"


def test_every_kind_has_a_case():
    assert {kind for _, kind, *_ in CASES} | {Kind.CALENDARS_UNREAD} == set(Kind)


def test_nothing_is_told_where_all_is_well():
    assert attention(WELL) == ()


QUIET = [
    refused(MONDAY - 25 * HOUR),
    {"runs": replace(WELL.runs, running=(run(RunStatus.RUNNING, started_at=MONDAY - HOUR),))},
    # A first harvest of many calendars takes its time.
    {"runs": replace(WELL.runs, harvested_at=SINCE, running=(run(RunStatus.RUNNING, flow="harvest_busy_time"),))},
    ended(RunStatus.COMPLETED_WITH_FAILURES),
    entries(EntryState.WANTED),
    entries(EntryState.CANCELLED),
]


@pytest.mark.parametrize("changed", QUIET)
def test_what_is_usual_is_not_told(changed):
    assert attention(replace(WELL, **changed)) == ()


def test_what_an_open_breaker_causes_asks_for_nothing_of_its_own():
    caused = unknown(Reason.OUTDATED, 3) | entries(EntryState.WAITING_FOR_LOG_ON)
    caused |= {"runs": replace(WELL.runs, harvested_at=SINCE, last=(run(RunStatus.REFUSED, Reason.BREAKER_OPEN),))}
    items = attention(replace(WELL, connections=(STOPPED,), **caused, **refused(SINCE)))
    assert [(it.kind, it.urgency, bool(it.command)) for it in items] == [
        (Kind.BREAKER_OPEN, Urgency.STOPPED, True),
        (Kind.CALENDARS_UNREAD, Urgency.LOOK, False),
        (Kind.ENTRIES, Urgency.LOOK, False),
    ]


def test_a_right_that_is_missing_is_told_beside_an_open_breaker():
    items = attention(replace(WELL, connections=(STOPPED,), **unknown(Reason.NO_ACCESS)))
    assert [it.kind for it in items] == [Kind.BREAKER_OPEN, Kind.CALENDARS_CLOSED]


def test_the_most_urgent_comes_first_and_groups_are_numbered():
    groups = (UnknownGroup(Reason.TIMED_OUT, 2, SINCE, (ANA,)), UnknownGroup(Reason.NEVER_HARVESTED, 1, None, (ANA,)))
    troubles = rights(Verdict.PENDING) | ended(RunStatus.FAILED)
    items = attention(replace(WELL, unknown=groups, waiting=Waiting(1, SINCE), **troubles))
    assert [it.urgency for it in items] == [Urgency.ACT, Urgency.ACT, Urgency.LOOK, Urgency.LOOK]
    assert items[0].headline == "3 calendars unknown"
    assert items[0].detail == (
        "2 since 2026-11-23 03:00 UTC: no complete answer within the deadline (ana@corp.example and 1 more). "
        "1: this window was never harvested (ana@corp.example)."
    )


def test_no_name_breaks_a_line_or_is_endless():
    account = f"\u202eone\n{'x' * 500}@corp.example"
    (item,) = attention(replace(WELL, connections=(replace(STOPPED, account=account),)))
    assert item.command.startswith("busytime password \ufffdone\ufffdxxx")
    assert len(item.command) < 200
