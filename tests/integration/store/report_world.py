"""Databases to make reports of: fourteen days of an office, with nothing wrong, with much wrong, and with names that attack."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import insert

from busytime.report.period import Period
from busytime.store import tables as t
from busytime.store import tables_booking as b
from tests.unit.moments import MAX_AGE

NOW = datetime(2026, 11, 23, 14, 5, tzinfo=UTC)
START = datetime(2026, 11, 10, tzinfo=UTC)
PERIOD = Period(START, NOW, NOW, MAX_AGE)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LONG_AGO = START - 30 * DAY
LAST = NOW - 5 * MINUTE
SECRETS = ("SECRET-TITLE", "SECRET-PLACE", "SECRET-BODY", "SECRET-GUEST", "SECRET-CIPHER")
#: Addresses and folders that would break out of a page, a line or the direction of writing.
ATTACKS = (
    "<script>alert(1)</script>",
    '"\' onload=alert(1) x="',
    "\u202e\u05d0\u05d1\u05d2",
    "x" * 500,
    "one\nnew line",
    "$\\frac$ {{ 7*7 }} {% raw %}",
    "</style><!--",
)


class World:
    """Rows that are to be written, table by table."""

    def __init__(self, owners=()):
        self.rows = {}
        self.actor = self.person("admin@host")
        self.add(t.runs, self.run_values("validate_delegation", LONG_AGO))
        self.calendars = [self.calendar(owner) for owner in owners]

    def add(self, table, values):
        rows = self.rows.setdefault(table, [])
        rows.append({"id": len(rows) + 1} | values)
        return len(rows)

    def person(self, address):
        return self.add(t.owners, {"address": address})

    def run_values(self, flow, at, status="completed", **more):
        given = {"flow": flow, "trigger": "schedule", "actor_id": 1, "status": status, "counts": {"known": 1}, "reason": None}
        versions = {"code_version": "1", "schema_version": "1"}
        return given | versions | {"started_at": at, "finished_at": None if status == "running" else at + MINUTE} | more

    def run(self, flow, at, status="completed", **more):
        return self.add(t.runs, self.run_values(flow, at, status, **more))

    def connect(self, address="busytime@corp.example", **more):
        owner = self.person(address)
        given = {"owner_id": owner, "mode": "corporate", "ews_url": "https://mail", "auth_type": "basic", "closed_at": None}
        changing = {"opened_at": LONG_AGO, "breaker": "closed", "breaker_changed_at": LONG_AGO, "back_off_until": None}
        self.add(t.connections, given | changing | more)
        sealed = {"wrapped_key": b"x", "ciphertext": SECRETS[4].encode(), "actor_id": 1, "retired_at": None}
        self.add(t.credentials, {"connection_id": len(self.rows[t.connections]), "version": 1, "created_at": LONG_AGO} | sealed)
        return owner

    def calendar(self, owner, folder="", **more):
        known = [row["id"] for row in self.rows[t.owners] if row["address"] == owner]
        owner_id = known[0] if known else self.person(owner)
        given = {"owner_id": owner_id, "folder": folder, "kind": "sub" if folder else "default", "connection_id": 1}
        return self.add(t.calendars, given | {"added_at": LONG_AGO, "retired_at": None} | more)

    def covered(self, calendar, since, until=None, as_of=LAST, **more):
        self.coverage(calendar, since, until, as_of, {"state": "covered", "reason": None} | more)

    def unknown(self, calendar, reason, since, until=None, failures=0):
        self.coverage(calendar, since, until, since, {"state": "unknown", "reason": reason, "failures": failures})

    def coverage(self, calendar, since, until, as_of, more):
        window = {"starts_at": as_of.replace(hour=0, minute=0) - DAY, "ends_at": as_of.replace(hour=0, minute=0) + 60 * DAY}
        held = {"opened_run_id": 1, "valid_from": since, "valid_to": until, "closed_run_id": 1 if until else None}
        self.add(t.coverage, {"calendar_id": calendar, "as_of": as_of, "failures": 0} | window | held | more)

    def right(self, calendar, verdict="granted", since=LONG_AGO, until=None, need="read", **more):
        given = {"connection_id": 1, "calendar_id": calendar, "need": need, "required": "Editor", "verdict": verdict}
        held = {"opened_run_id": 1, "valid_from": since, "valid_to": until, "closed_run_id": 1 if until else None}
        self.add(t.permissions, given | {"observed": "Editor", "reason": None} | held | more)

    def booking(self, key, starts_at, **more):
        secret = dict(zip(("title", "location", "body", "guests"), SECRETS, strict=False))
        given = {"booking_key": key, "page": "intro", "state": "scheduled", "revision": 1, "starts_at": starts_at}
        told = {
            "ends_at": starts_at + HOUR,
            "booked_at": LONG_AGO,
            "checked_at": LONG_AGO,
            "refused": None,
            "refused_field": None,
        }
        self.add(b.bookings, given | secret | told | {"effective_starts_at": None, "effective_ends_at": None} | more)

    def entry(self, key, calendar, starts_at, state="present", **more):
        self.booking(key, starts_at)
        held = {"starts_at": starts_at, "ends_at": starts_at + HOUR, "updated_at": LONG_AGO, "reason": None, "revision": 1}
        self.add(b.entries, {"booking_key": key, "calendar_id": calendar, "state": state} | held | more)

    def logon(self, owner, at, answer="accepted", by="machine", **more):
        given = {"owner_id": owner, "at": at, "by": by, "actor_id": 1, "answer": answer, "answered_at": at, "reason": None}
        self.add(t.logons, given | {"credential_version": 1} | more)

    def fill(self, engine):
        with engine.connect().execution_options(writer=True) as connection, connection.begin():
            for table, rows in sorted(self.rows.items(), key=lambda it: t.metadata.sorted_tables.index(it[0])):
                connection.execute(insert(table), rows)
        return self


def well(owners=12):
    """All is well: everything was harvested every ten minutes."""
    world = World(f"owner{number:04}@corp.example" for number in range(1, owners + 1))
    account = world.connect()
    for calendar in world.calendars:
        world.covered(calendar, LONG_AGO)
        world.right(calendar)
        world.right(calendar, need="write")
    busy_days(world, account)
    for number in range(60):
        world.entry(f"BK-{number}", world.calendars[number % owners], START + number * 9 * HOUR)
    return world


def busy_days(world, account, gaps=()):
    """Runs and log-ons of the fourteen days, but for gaps."""
    at = START
    while at < NOW:
        if not any(since <= at < until for since, until in gaps):
            world.run("harvest_busy_time", at)
            world.logon(account, at)
            if at.hour % 4 == 0:
                world.run("push_bookings", at + 5 * MINUTE)
            if at.hour == 3:
                world.run("validate_delegation", at + 7 * MINUTE)
        at += HOUR
    world.run("harvest_busy_time", LAST - MINUTE)


def troubled():
    """Much is wrong: rights lost, calendars that cannot be read, conflicts, crashes, and a gap in which nothing ran."""
    world = World(f"owner{number:04}@corp.example" for number in range(1, 26))
    account = world.connect()
    gap = (NOW - 6 * DAY, NOW - 6 * DAY + 9 * HOUR)
    for number, calendar in enumerate(world.calendars):
        _lived(world, number, calendar, gap)
        _rights(world, number, calendar)
    projects = world.calendar("owner0002@corp.example", "Projects", added_at=NOW - 4 * DAY)
    world.covered(projects, NOW - 4 * DAY + HOUR)
    world.calendar("owner0003@corp.example", "Team", added_at=NOW - DAY)
    world.covered(world.calendar("gone@corp.example", retired_at=NOW - 3 * DAY), LONG_AGO, as_of=NOW - 3 * DAY)
    busy_days(world, account, [gap])
    _bookings(world)
    _bad_days(world, account)
    return world


def _lived(world, number, calendar, gap):
    """One calendar's coverage: a few lost access, one flaps, all were unread while nothing ran."""
    world.covered(calendar, LONG_AGO, gap[1], as_of=gap[0])
    if number in {3, 4}:
        world.covered(calendar, gap[1], NOW - 2 * DAY, as_of=NOW - 2 * DAY)
        world.unknown(calendar, "no_access", NOW - 2 * DAY)
    elif number == 7:
        world.covered(calendar, gap[1], NOW - 30 * HOUR, as_of=NOW - 30 * HOUR)
        world.unknown(calendar, "mailbox_not_found", NOW - 30 * HOUR)
    elif number == 10:
        at = gap[1]
        while at < NOW - 10 * HOUR:
            world.covered(calendar, at, at + 6 * HOUR, as_of=at + 6 * HOUR)
            world.unknown(calendar, "timed_out", at + 6 * HOUR, at + 9 * HOUR, failures=9)
            at += 9 * HOUR
        world.covered(calendar, at)
    else:
        world.covered(calendar, gap[1])


def _rights(world, number, calendar):
    lost = {"observed": "FreeBusyTimeOnly", "reason": "level_too_low"}
    if number in {3, 4}:
        world.right(calendar, until=NOW - 2 * DAY)
        world.right(calendar, "missing", NOW - 2 * DAY, observed=None, reason="no_access")
    else:
        world.right(calendar)
    if number == 5:
        world.right(calendar, until=NOW - 3 * DAY, need="write")
        world.right(calendar, "insufficient", NOW - 3 * DAY, need="write", **lost)
    elif number == 6:
        world.right(calendar, "missing", until=NOW - DAY, need="write", observed=None, reason="no_access")
        world.right(calendar, since=NOW - DAY, need="write")
    elif number == 8:
        world.right(calendar, "pending", need="write", reason="grant_awaited")
    elif number < 20:
        world.right(calendar, need="write")


def _bookings(world):
    states = {70: ("conflict", "slot_taken"), 71: ("conflict", "slot_taken"), 72: ("failed", "server_error")}
    states |= {73: ("moved_by_owner", None), 74: ("blocked", "level_too_low"), 20: ("failed", "timed_out")}
    for number in range(80):
        state, reason = states.get(number, ("present", None))
        at = START + number * 5 * HOUR if number < 70 else NOW + number * HOUR
        world.entry(f"BK-{number}", world.calendars[number % 25], at, state, reason=reason)
    world.booking("BK-absent", NOW + DAY)
    world.booking("BK-bad", NOW + DAY, checked_at=NOW, refused="value_missing", refused_field="page")


def _bad_days(world, account):
    for hours, status, reason in ((20, "crashed", None), (90, "failed", "server_error"), (91, "failed", "server_error")):
        world.run("harvest_busy_time", NOW - hours * HOUR + 11 * MINUTE, status, reason=reason)
    world.run("harvest_busy_time", NOW - 50 * HOUR, "completed_with_failures")
    world.run("harvest_busy_time", LAST - MINUTE, "completed_with_failures")
    world.run("push_bookings", NOW - HOUR, "refused", reason="gate_closed")
    for hours in (100, 101):
        world.logon(account, NOW - hours * HOUR, "refused", reason="logon_refused")
    sealed = {"wrapped_key": b"x", "ciphertext": b"x", "actor_id": 1, "retired_at": None}
    world.add(t.credentials, {"connection_id": 1, "version": 2, "created_at": NOW - 99 * HOUR} | sealed)
    request = {"kind": "validate", "connection_id": 1, "actor_id": 1, "taken_run_id": None, "done_at": None}
    world.add(t.requests, request | {"asked_at": NOW - 5 * HOUR})


def stopped():
    """The password was changed on the server an hour and a half ago, and nobody has said so."""
    world = well()
    for row in world.rows[t.coverage]:
        row |= {"as_of": NOW - 95 * MINUTE}
    at = NOW - 90 * MINUTE
    world.rows[t.connections][0] |= {"breaker": "open", "breaker_changed_at": at}
    world.rows[t.runs] = [row for row in world.rows[t.runs] if row["started_at"] < at]
    world.run("harvest_busy_time", at, "refused", reason="logon_refused")
    world.logon(world.rows[t.connections][0]["owner_id"], at, "refused", reason="logon_refused")
    world.entry("BK-waits", world.calendars[0], NOW + DAY, "waiting_for_log_on")
    return world


def hostile():
    """Every name attacks the page that shows it."""
    world = World()
    account = world.connect(f"{ATTACKS[0]}@corp.example", breaker="open")
    for number, attack in enumerate(ATTACKS):
        calendar = world.calendar(f"{attack}@corp.example", attack)
        world.unknown(calendar, "no_access", NOW - DAY)
        world.right(calendar, until=NOW - DAY)
        world.right(calendar, "missing", NOW - DAY, reason="no_access")
        world.entry(attack, calendar, NOW + number * HOUR, "conflict", reason="slot_taken")
        world.run(attack, NOW - (number + 1) * HOUR, "failed", reason="server_error")
    world.logon(account, NOW - HOUR, "refused", reason="logon_refused")
    return world


def windows():
    """Answers that speak of other times than the present."""
    world = World(["ahead@corp.example", "ended@corp.example", "slid@corp.example"])
    world.connect()
    ahead, ended, slid = world.calendars
    world.covered(ahead, LONG_AGO, starts_at=NOW + 7 * DAY)
    world.covered(ended, LONG_AGO, starts_at=START, ends_at=START + 12 * DAY)
    world.covered(slid, LONG_AGO)
    return world


def unreachable():
    """A right that was lost while nobody could look, and one at which nobody can look now."""
    world = World(["lost@corp.example", "away@corp.example", "back@corp.example"])
    world.connect()
    lost, away, back = world.calendars
    world.right(lost, until=NOW - 3 * DAY)
    world.right(lost, "unreachable", NOW - 3 * DAY, NOW - 2 * DAY, reason="timed_out")
    world.right(lost, "missing", NOW - 2 * DAY, reason="no_access")
    world.right(away, until=NOW - DAY)
    world.right(away, "unreachable", NOW - DAY, reason="timed_out")
    world.right(back, until=NOW - 2 * DAY)
    world.right(back, "unreachable", NOW - 2 * DAY, NOW - DAY, reason="timed_out")
    world.right(back, since=NOW - DAY)
    return world


def crowd(owners=200):
    """More calendars than a page has lines for; every fifth lost its right."""
    world = World(f"owner{number:04}@corp.example" for number in range(1, owners + 1))
    world.connect()
    for calendar in world.calendars:
        if calendar % 5:
            world.covered(calendar, LONG_AGO)
        else:
            since = NOW - (calendar % 13 + 1) * DAY
            world.covered(calendar, LONG_AGO, since, as_of=since)
            world.unknown(calendar, "no_access", since)
    return world
