"""A small world to push in: a server, a database, pages, and processes that may be interrupted or die anywhere."""

import http.client
import itertools
import json
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from sqlalchemy import delete, select, update

from busytime.ews import EWSCalendarGateway
from busytime.model import ConnectionMode, Endpoint, RunStatus, Secret, Trigger, Window
from busytime.permissions import Conclusion, Evidence, Need, PermissionLevel, Verdict
from busytime.roster import WHOLE_DAY, BookingPage, CalendarRef, Roster, RosterCalendar
from busytime.store.database import open_engine, upgrade
from busytime.store.tables import locks, permissions, runs
from busytime.store.tables_booking import bookings, changes, entries
from busytime.store.unit_of_work import Store
from busytime.vault import MasterKey, Vault

ANA, BO, CY = OWNERS = ("ana@corp.example", "bo@corp.example", "cy@corp.example")
TALK, CALL, VISIT = "talk", "call", "visit"
#: One page with all roles, one whose main calendar is additional on the first, one that lets bookings overlap.
PAGES = {
    page.name: page
    for page in (
        BookingPage(TALK, "Europe/Berlin", WHOLE_DAY, CalendarRef(ANA), (CalendarRef(BO),), (CalendarRef(CY),)),
        BookingPage(CALL, "UTC", WHOLE_DAY, CalendarRef(BO)),
        BookingPage(VISIT, "America/New_York", WHOLE_DAY, CalendarRef(CY), allow_conflicts=True),
    )
}
#: As the steps of a push do: attempts after which they give up, and looks at lost answers within one attempt.
ATTEMPTS = 3
PASSES = 3


#: When no process that is still there was started.
_LONG_AGO = "long ago"


class Died(BaseException):
    """The process is no more: nothing that it would have done now happens."""


class SystemClock:
    """The present instant: the server dates what it makes by its own."""

    def now(self):
        return datetime.now(UTC)

    def uptime(self):
        return None


class OpenGuard:
    """Lets every request pass."""

    def permit(self, *, log_on=True):  # noqa: ARG002
        return nullcontext()


@dataclass(frozen=True)
class Item:
    """An item as it really is."""

    id: str
    start: datetime
    end: datetime
    status: str
    subject: str
    marker: str | None
    revision: str | None
    creator: str

    @property
    def window(self):
        return Window(self.start, self.end)

    @property
    def busy(self):
        return self.status != "Free"


class Exchange:
    """The server behind its control interface, over one connection that stays open."""

    def __init__(self, sandbox):
        self.email = sandbox.email
        self._sandbox = sandbox
        self._connection = http.client.HTTPConnection(urlsplit(sandbox.control_url).netloc, timeout=30)
        for owner in OWNERS:
            self.control("POST", "/mailbox", {"owner": owner, "kind": "person"})

    def control(self, method, path, body=None):
        self._connection.request(method, path, None if body is None else json.dumps(body))
        answer = self._connection.getresponse()
        text = answer.read()
        assert answer.status == 200, (method, path, body, text)
        return json.loads(text)

    def close(self):
        self._connection.close()

    def open_gateway(self):
        endpoint = Endpoint(self.email, self._sandbox.ews_url, ca_pem=Path(self._sandbox.ca_file).read_text())
        secret = Secret(self.email, self._sandbox.password)
        return EWSCalendarGateway(endpoint, secret, OpenGuard(), request_deadline_seconds=30)

    def endpoint(self):
        return Endpoint(self.email, self._sandbox.ews_url)

    def items(self, owner):
        """Return what is in a calendar, by id."""
        now = datetime.now(UTC)
        query = urlencode({"owner": owner, "start": now.isoformat(), "end": (now + timedelta(days=90)).isoformat()})
        return {it["id"]: _item(it) for it in self.control("GET", f"/appointments?{query}")}

    def make(self, owner, window, **more):
        times = {"start": window.start.isoformat(), "end": window.end.isoformat()}
        return self.control("POST", "/appointments", {"owner": owner, "subject": "Own", **times, **more})["id"]

    def change(self, item_id, **values):
        self.control("PATCH", f"/appointments/{item_id}", values)

    def copy(self, item_id, start):
        return self.control("POST", f"/appointments/{item_id}/copy", {"start": start.isoformat()})["id"]

    def remove(self, item_id):
        self.control("DELETE", f"/appointments/{item_id}")

    def grant(self, owner, level):
        self.control("POST", "/permission", {"owner": owner, "grantee": self.email, "level": level})

    def fault(self, kind, operation, count):
        self.control("POST", "/faults", {"kind": kind, "operation": operation, "count": count})

    def mend(self):
        self.control("DELETE", "/faults")

    def clear(self):
        """Take everything back that an example did."""
        self.mend()
        for owner in OWNERS:
            self.grant(owner, "Editor")
            for item_id in self.items(owner):
                self.remove(item_id)


def _item(it):
    times = (datetime.fromisoformat(it[name]) for name in ("start", "end"))
    return Item(it["id"], *times, it["status"], it["subject"], it["marker"], it["revision"], it["creator"])


class Database:
    """A database with a connection, a roster and pages, which two machines' processes have open."""

    def __init__(self, path, exchange):
        self._key = MasterKey.generate()
        self._engines = [open_engine(f"sqlite:///{path}") for _ in range(2)]
        upgrade(self._engines[0])
        self.store = self.open_store()
        self.store.make_installation()
        self.installation_id = self.store.installation_id
        now = datetime.now(UTC)
        with self.store.write() as unit:
            self._actor_id = unit.owners.id("admin@host")
            mailbox_id = unit.owners.id(exchange.email)
            self._connection_id = unit.connections.open(mailbox_id, exchange.endpoint(), ConnectionMode.CORPORATE, now)
            unit.roster.replace(Roster(tuple(map(RosterCalendar, OWNERS)), tuple(PAGES.values())), now)
            self.calendars = {it.owner: it for it in unit.roster.calendars()}
        self.owners = {it.id: owner for owner, it in self.calendars.items()}
        self.allow(*OWNERS)

    def open_store(self, *, other=False):
        """Return what a process that has just started knows of the tables."""
        return Store(self._engines[other], Vault([self._key]), SystemClock())

    def close(self):
        for engine in self._engines:
            engine.dispose()

    def clear(self):
        """Take everything back that an example did."""
        with self.store.write() as unit:
            for table in (changes, entries, bookings, locks, permissions, runs):
                unit._connection.execute(delete(table))
        self.allow(*OWNERS)

    def take(self, booking):
        with self.store.write() as unit:
            unit.bookings.take([booking], datetime.now(UTC))

    def marker(self, key):
        return f"{self.installation_id}/{key}"

    def entries(self):
        """Return the entries by owner and booking key."""
        with self.store.read() as unit:
            keys = unit._connection.execute(select(entries.c.booking_key)).scalars()
            found = unit.entries.of(set(keys))
        return {(self.owners[it.calendar_id], it.booking_key): it for each in found.values() for it in each}

    def outcomes(self):
        """Return the outcome of each finished attempt."""
        with self.store.read() as unit:
            return [tuple(row) for row in unit._connection.execute(select(changes.c.attempt_id, changes.c.outcome))]

    def claimed_by_the_living(self):
        """Return the names of locks whose holders are not dead."""
        with self.store.read() as unit:
            query = select(locks.c.name).where(locks.c.process_started != _LONG_AGO)
            return list(unit._connection.execute(query).scalars())

    def bury(self, run_id):
        """Make the process of a run a dead one: another one has its number now."""
        with self.store.write() as unit:
            unit._connection.execute(update(locks).where(locks.c.run_id == run_id).values(process_started=_LONG_AGO))

    def open_run(self, store):
        with store.write() as unit:
            return unit.runs.open("push_bookings", Trigger.MANUAL, self._actor_id, datetime.now(UTC))

    def close_run(self, store, run_id):
        with store.write() as unit:
            unit.runs.close(run_id, RunStatus.COMPLETED, datetime.now(UTC))

    def allow(self, *allowed):
        """Settle verdicts as a validation does that finds the rights."""
        run_id = self.open_run(self.store)
        with self.store.write() as unit:
            current = unit.permissions.current()
            for place in itertools.product((self.calendars[owner].id for owner in allowed), Need):
                before, connection_id = current.get(place), self._connection_id
                if before is None or before.conclusion.verdict is not Verdict.GRANTED:
                    granted = Conclusion(Verdict.GRANTED, Evidence.FOLDER_RIGHTS)
                    values = {"before": before, "run_id": run_id, "instant": unit.instant}
                    unit.permissions.replace(connection_id, *place, PermissionLevel.EDITOR, granted, **values)
        self.close_run(self.store, run_id)

    def to_read_back(self):
        """Return what a harvest reads back, by owner."""
        now = datetime.now(UTC)
        window = Window(now, now + timedelta(days=90))
        with self.store.read() as unit:
            due = unit.entries.to_read_back(self._connection_id, window, now + timedelta(hours=1))
        found = {}
        for entry in due:
            found.setdefault(self.owners[entry.calendar_id], []).append(entry)
        return found


def _day(days):
    return datetime.combine(datetime.now(UTC).date() + timedelta(days=days), time(9), UTC)


#: Some next to each other, some overlapping, and one that no reading shares with them.
SPANS = [(0, 30), (15, 45), (30, 60), (60, 120), (90, 105), (120, 150), (150, 180), (180, 240), (240, 270), (57600, 57630)]
WINDOWS = [Window(_day(5) + timedelta(minutes=start), _day(5) + timedelta(minutes=end)) for start, end in SPANS]
