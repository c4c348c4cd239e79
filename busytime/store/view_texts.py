"""What the views are for, in words: purpose, what one row is, an example, and what each column means.

The words of a column that a view shows under its own name are those of its table; only what a view adds is described here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column
from sqlalchemy.types import TypeEngine

from busytime.store.columns import metadata
from busytime.store.views import VIEWS


@dataclass(frozen=True, slots=True)
class ViewText:
    """A view in words.

    Args:
        base: Its base table.
        purpose: What it answers.
        row: What one row is.
        example: A query that runs on SQLite and PostgreSQL, and what it asks.
    """

    base: str
    purpose: str
    row: str
    example: tuple[str, str]


VIEW_TEXTS: dict[str, ViewText] = {
    "audit_runs": ViewText(
        "runs",
        "What ran, who or what started it, and how it ended.",
        "a run",
        (
            "The last runs that did not end well",
            (
                "SELECT id, flow, status, reason, started_at, actor FROM audit_runs\n"
                "WHERE status NOT IN ('completed', 'running', 'skipped') ORDER BY started_at DESC LIMIT 10"
            ),
        ),
    ),
    "audit_steps": ViewText(
        "steps",
        "What each run tried, how long it took, and what the server said against it.",
        "one attempt of one step of a run",
        (
            "The slowest steps",
            (
                "SELECT flow, step, count(*) AS attempts, max(duration_ms) AS slowest_ms FROM audit_steps\n"
                "GROUP BY flow, step ORDER BY slowest_ms DESC"
            ),
        ),
    ),
    "audit_connections": ViewText(
        "connections",
        "Which accounts busytime logs on with, whether they are connected, and whether the breaker lets log-ons pass.",
        "an account that is or was connected",
        (
            "What is connected, and whether it is stopped",
            (
                "SELECT account, mode, breaker, breaker_changed_at, back_off_until FROM audit_connections\n"
                "WHERE closed_at IS NULL ORDER BY account"
            ),
        ),
    ),
    "audit_calendars": ViewText(
        "calendars",
        "Which calendars there are, and which account serves them. On the roster now: `added_at IS NOT NULL AND retired_at IS "
        "NULL`; also one that no run has reached yet, of which no other view has a row.",
        "a calendar that is or was on the roster, or was found",
        (
            "What is on the roster, and no account serves",
            (
                "SELECT owner, folder, added_at FROM audit_calendars\n"
                "WHERE added_at IS NOT NULL AND retired_at IS NULL AND connection IS NULL ORDER BY owner, folder"
            ),
        ),
    ),
    "audit_permissions": ViewText(
        "permissions",
        "What a connection may do in a calendar, on what evidence, and since when. History: `valid_to IS NULL` is current.",
        "a verdict on one connection, calendar and need, for as long as it stood",
        (
            "What is not granted now",
            (
                "SELECT owner, folder, need, verdict, reason, valid_from FROM audit_permissions\n"
                "WHERE valid_to IS NULL AND verdict <> 'granted' ORDER BY owner, folder, need"
            ),
        ),
    ),
    "audit_busy_time": ViewText(
        "busy_intervals",
        "When owners are busy, and when we knew it. History: `valid_to IS NULL` is current. Read it with `audit_coverage`: "
        "where nothing covers a time, no row does not mean free.",
        "a busy interval of a calendar, as the server answered it, for as long as the server did",
        (
            "A calendar's busy time as it was known at an instant",
            (
                "SELECT starts_at, ends_at, status FROM audit_busy_time\n"
                "WHERE owner = 'ana@corp.example' AND folder = '' AND valid_from <= '2026-11-23T12:00:00.000000+00:00'\n"
                "  AND (valid_to IS NULL OR valid_to > '2026-11-23T12:00:00.000000+00:00') ORDER BY starts_at"
            ),
        ),
    ),
    "audit_coverage": ViewText(
        "coverage",
        "For which window a calendar's busy time is covered, as of when, and why not elsewhere. History: `valid_to IS NULL` is "
        "current. A covered row was known at an instant T of its validity if T <= `as_of` + `max_age`.",
        "a window of a calendar and its state, for as long as the state and its reason stood",
        (
            "Since when which calendar cannot be read, and why",
            (
                "SELECT owner, folder, reason, detail, valid_from, as_of\n"
                "FROM audit_coverage WHERE valid_to IS NULL AND state = 'unknown' ORDER BY valid_from"
            ),
        ),
    ),
    "audit_logons": ViewText(
        "logons",
        "Every attempt to log on, by whom, and what the server answered.",
        "one attempt to log on",
        (
            "Refused log-ons by account",
            (
                "SELECT account, count(*) AS refused, max(at) AS last FROM audit_logons\n"
                "WHERE answer = 'refused' GROUP BY account ORDER BY refused DESC"
            ),
        ),
    ),
    "audit_credentials": ViewText(
        "credentials",
        "Which version of a secret was in use from when to when, and who stored it; never the secret.",
        "a version of a connection's secret",
        (
            "Who changed which password",
            "SELECT account, version, actor, created_at, retired_at FROM audit_credentials\nORDER BY account, version",
        ),
    ),
    "audit_bookings": ViewText(
        "bookings",
        "What is booked. Of a row that was refused, or not looked at yet, only what says which one it is.",
        "a booking at its newest good revision; besides, a revision that was refused or not looked at yet",
        (
            "What was refused, and why",
            (
                "SELECT booking_key, refused, refused_field, checked_at FROM audit_bookings\n"
                "WHERE refused IS NOT NULL ORDER BY checked_at DESC"
            ),
        ),
    ),
    "audit_entries": ViewText(
        "entries",
        "Where each booking stands in each calendar.",
        "one booking in one calendar",
        (
            "Where a booking stands",
            (
                "SELECT owner, folder, state, reason, starts_at, ends_at, verified_at FROM audit_entries\n"
                "WHERE booking_key = 'BK-1001' ORDER BY owner, folder"
            ),
        ),
    ),
    "audit_changes": ViewText(
        "changes",
        "Everything that was done, or tried, to entries.",
        "one finished attempt at an entry",
        (
            "What was done for a booking",
            (
                "SELECT owner, folder, change, outcome, reason, finished_at FROM audit_changes\n"
                "WHERE booking_key = 'BK-1001' ORDER BY finished_at"
            ),
        ),
    ),
    "audit_requests": ViewText(
        "requests",
        "What people and programs asked for, and which run did it.",
        "a request",
        (
            "Who asked to re-sync",
            (
                "SELECT asked_at, actor, connection, taken_run_id, done_at FROM audit_requests\n"
                "WHERE kind = 'resync' ORDER BY asked_at DESC"
            ),
        ),
    ),
    "audit_alarms": ViewText(
        "alarms",
        "What a person had to see to, from when to when, and whether anybody was told.",
        "an alarm",
        (
            "What stands now, the oldest first",
            (
                "SELECT kind, connection, flow, concerned, opened_at, told_at FROM audit_alarms\n"
                "WHERE over_at IS NULL ORDER BY opened_at"
            ),
        ),
    ),
    "audit_events": ViewText(
        "events",
        "Who did what: connected, changed a password, imported, rotated keys. Chained: `busytime audit verify`.",
        "one deed",
        ("Who did what lately", "SELECT at, actor, tag, details FROM audit_events ORDER BY id DESC LIMIT 20"),
    ),
}

#: What views add to their base table's columns.
_ADDED = {
    "owner": "Address of the calendar's owner.",
    "folder": "Path below the owner's default calendar; empty = the default calendar.",
    "account": "Address of the account.",
    "connection": "Address of the connection's account; NULL where there is no connection_id.",
    "actor": "Address of who did it, or user@host.",
    "flow": "Name of the run's flow.",
}


@dataclass(frozen=True, slots=True)
class ShownColumn:
    """A column of a view.

    Args:
        name: Its name.
        type: Its type.
        nullable: Whether it may be NULL.
        comment: What it means.
        base: The base table's column of this name; ``None`` for what the view adds.
    """

    name: str
    type: TypeEngine[Any]
    nullable: bool
    comment: str
    base: Column[Any] | None


def shown_columns(view: str) -> Iterator[ShownColumn]:
    """Yield a view's columns in their order."""
    table = metadata.tables[VIEW_TEXTS[view].base]
    for shown in VIEWS[view].selected_columns:
        base = table.columns.get(shown.name)
        if base is None:
            nullable = shown.name == "connection" and table.c.connection_id.nullable is True
            yield ShownColumn(shown.name, shown.type, nullable, _ADDED[shown.name], None)
        else:
            # What a view works out from a column is NULL where there is nothing to show.
            nullable = bool(base.nullable) or not isinstance(shown, Column)
            yield ShownColumn(shown.name, base.type, nullable, base.comment or "", base)


def view_comments(view: str) -> Iterator[str]:
    """Yield the statements that write a view's words into PostgreSQL."""
    told = VIEW_TEXTS[view]
    yield f"COMMENT ON VIEW {view} IS {_quoted(f'{told.purpose} One row is {told.row}.')}"
    for shown in shown_columns(view):
        yield f"COMMENT ON COLUMN {view}.{shown.name} IS {_quoted(shown.comment)}"


def _quoted(words: str) -> str:
    return "'" + words.replace("'", "''") + "'"
