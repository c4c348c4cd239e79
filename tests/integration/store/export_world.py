"""Rows for exports: two runs that wrote into every table, some values at the edge, and secrets that no file may show."""

from datetime import timedelta

from sqlalchemy import insert

from busytime.store import tables as t
from busytime.store import tables_alarms as a
from busytime.store import tables_booking as b
from tests.unit.moments import MONDAY

HOUR = timedelta(hours=1)
EARLY, LATE = MONDAY, MONDAY + 24 * HOUR
SECRETS = ("SECRET-TITLE", "SECRET-PLACE", "SECRET-BODY", "SECRET-GUEST", "SECRET-CIPHER", "SECRET-WRAPPED", "SECRET-AUDIT")
HISTORY = {"opened_run_id": 1, "valid_from": EARLY}
CLOSED = HISTORY | {"closed_run_id": 2, "valid_to": LATE}
NEW = {"opened_run_id": 2, "valid_from": LATE}


def run(key, at, **more):
    given = {"flow": "harvest_busy_time", "trigger": "schedule", "actor_id": 1, "status": "completed", "counts": {"known": 1}}
    return given | {"id": key, "started_at": at, "finished_at": at + HOUR, "code_version": "1", "schema_version": "1"} | more


def interval(key, hour, **more):
    starts_at = MONDAY + hour * HOUR
    given = {"calendar_id": 1, "starts_at": starts_at, "ends_at": starts_at + HOUR, "status": "busy", "count": 1}
    return {"id": key, "closed_run_id": None, "valid_to": None} | given | more


def covered(key, hour, **more):
    starts_at = MONDAY + hour * HOUR
    given = {"calendar_id": 1, "starts_at": starts_at, "ends_at": starts_at + HOUR, "state": "covered", "reason": None}
    return {"id": key, "closed_run_id": None, "valid_to": None, "as_of": EARLY, "failures": 0} | given | more


def booking(key, name, **more):
    secret = dict(zip(("title", "location", "body", "guests"), SECRETS, strict=False))
    at = {"starts_at": EARLY, "ends_at": EARLY + HOUR, "booked_at": EARLY, "checked_at": EARLY}
    given = {"id": key, "booking_key": name, "page": "intro", "state": "scheduled", "revision": 1}
    return given | secret | at | {"refused": None, "refused_field": None, "run_id": 1} | more


def event(key, at, **more):
    given = {"id": key, "tag": "person:roster:imported", "at": at, "actor_id": 1, "run_id": None, "details": '{"added":1}'}
    return given | {"previous_hmac": str(key - 1), "hmac": str(key)} | more


def change(key, run_id, at):
    given = {"entry_id": 1, "booking_key": "BK-1", "calendar_id": 1, "change": "create", "revision": 1, "outcome": "applied"}
    return given | {"id": key, "run_id": run_id, "attempt_id": str(key), "finished_at": at}


def logon(key, at, run_id, **more):
    given = {"owner_id": 1, "by": "machine", "actor_id": 1, "answer": None, "answered_at": None, "credential_version": None}
    return given | {"id": key, "at": at, "run_id": run_id} | more


def request(key, at, **more):
    return {"id": key, "kind": "resync", "connection_id": 1, "actor_id": 1, "asked_at": at} | more


def credential(key, at, retired_at):
    sealed = {"wrapped_key": b"SECRET-WRAPPED", "ciphertext": b"SECRET-CIPHER"}
    return {"id": key, "connection_id": 1, "version": key, "created_at": at, "retired_at": retired_at, "actor_id": 1} | sealed


STEP = {"step": "harvest", "target": "1", "attempt": 1, "outcome": "applied", "duration_ms": 5, "calendars": 1}
ENTRY = {"calendar_id": 1, "state": "present", "revision": 1}
VERDICT = {"connection_id": 1, "calendar_id": 1, "required": "Editor", "verdict": "granted"}
ROWS = (
    (t.owners, [{"id": 1, "address": "ana@corp.example", "name": "SECRET-NAME"}]),
    (
        t.runs,
        [run(1, EARLY), run(2, LATE, counts={"words": 'a "b"\nç'}), run(3, LATE + HOUR, status="running", finished_at=None)],
    ),
    (t.steps, [STEP | {"id": key, "run_id": key, "finished_at": at + HOUR} for key, at in ((1, EARLY), (2, LATE))]),
    (
        t.connections,
        [
            {"id": 1, "owner_id": 1, "mode": "corporate", "ews_url": "https://mail", "auth_type": "basic", "opened_at": LATE}
            | {"breaker": "closed", "breaker_changed_at": EARLY}
        ],
    ),
    (t.credentials, [credential(1, EARLY, LATE), credential(2, LATE, None)]),
    (t.logons, [logon(1, EARLY, 1), logon(2, EARLY, None, answer="accepted", answered_at=LATE), logon(3, LATE, 2)]),
    (t.calendars, [{"id": 1, "owner_id": 1, "folder": "=1+1", "kind": "sub", "added_at": LATE}]),
    (t.permissions, [VERDICT | {"id": 1, "need": "read"} | CLOSED, VERDICT | {"id": 2, "need": "read"} | NEW]),
    (t.busy_intervals, [interval(1, 0, **CLOSED), interval(2, 1, **HISTORY), interval(3, 2, **NEW)]),
    (t.coverage, [covered(1, 0, **CLOSED), covered(2, 1, **HISTORY), covered(3, 2, **NEW)]),
    (
        b.bookings,
        [
            booking(1, "=cmd|' /C calc'!A0"),
            booking(2, "", checked_at=LATE, run_id=None),
            booking(3, "raw", checked_at=None, booked_at=None),
        ],
    ),
    (
        b.entries,
        [
            ENTRY | {"id": 1, "booking_key": "BK-1", "run_id": 1, "updated_at": EARLY},
            ENTRY | {"id": 2, "booking_key": "BK-2", "run_id": None, "updated_at": LATE},
        ],
    ),
    (t.requests, [request(1, EARLY, taken_run_id=1, done_at=EARLY + HOUR), request(2, LATE, taken_run_id=None, done_at=None)]),
    (b.changes, [change(1, 1, EARLY), change(2, 2, LATE)]),
    (a.alarms, [{"id": 1, "kind": "run_missing", "flow": "maintain", "opened_at": LATE, "returns": 0, "concerned": 1}]),
    (t.events, [event(1, EARLY), event(2, EARLY, run_id=2), event(3, LATE)]),
)


def fill(engine, rows=ROWS):
    with engine.connect().execution_options(writer=True) as connection, connection.begin():
        for table, values in rows:
            for value in values:
                connection.execute(insert(table), value)


#: Which rows of each view the first and the second run leave to the next export: what runs after them wrote, what people
#: wrote since they began, and what may have changed without a trace.
LEFT_TO_THE_NEXT = {
    "audit_runs": {1: [1, 2, 3], 2: [2, 3]},
    "audit_steps": {1: [2], 2: []},
    "audit_connections": {1: [1], 2: [1]},
    "audit_calendars": {1: [1], 2: [1]},
    "audit_permissions": {1: [1, 2], 2: []},
    "audit_busy_time": {1: [1, 3], 2: []},
    "audit_coverage": {1: [1, 2, 3], 2: [2, 3]},
    "audit_logons": {1: [1, 2, 3], 2: [2, 3]},
    "audit_credentials": {1: [1, 2], 2: [1, 2]},
    "audit_bookings": {1: [1, 2, 3], 2: [2, 3]},
    "audit_entries": {1: [1, 2], 2: [2]},
    "audit_changes": {1: [2], 2: []},
    "audit_requests": {1: [1, 2], 2: [2]},
    "audit_alarms": {1: [1], 2: [1]},
    "audit_events": {1: [1, 2, 3], 2: [3]},
}

#: Many busy intervals of one calendar, made by the database itself.
_MANY = {
    "sqlite": """
        WITH RECURSIVE numbers(n) AS (SELECT ? UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
        INSERT INTO busy_intervals (id, calendar_id, starts_at, ends_at, status, count, opened_run_id, valid_from)
        SELECT n, 1, strftime('%Y-%m-%dT%H:%M:%S', '2000-01-01', '+' || n || ' minutes') || '.000000+00:00',
            '2030-01-01T00:00:00.000000+00:00', 'busy', 1, 1, '2026-01-01T00:00:00.000000+00:00' FROM numbers""",
    "postgresql": """
        INSERT INTO busy_intervals (id, calendar_id, starts_at, ends_at, status, count, opened_run_id, valid_from)
        SELECT n, 1, timestamptz '2000-01-01Z' + n * interval '1 minute', '2030-01-01Z', 'busy', 1, 1, '2026-01-01Z'
        FROM generate_series(%s::int, %s::int) AS n""",
}


def fill_many(engine, count, first=100):
    with engine.connect().execution_options(writer=True) as connection, connection.begin():
        connection.exec_driver_sql(_MANY[engine.dialect.name], (first, first + count - 1))
