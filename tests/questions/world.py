"""A small company for the twenty questions: three days, five calendars, and a diary of what really happened.

Everything is written by the repositories and the core, as flows do it. The diary is kept beside, in plain values: the truth
is worked out from it and never from the tables.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from sqlalchemy import Engine

from busytime.errors import Reason
from busytime.harvesting import BatchResult, record_batch
from busytime.model import (
    BusyAnswer,
    BusyStatus,
    BusyTime,
    ConnectionMode,
    Endpoint,
    Interval,
    LogonAnswer,
    LogonBy,
    Outcome,
    RequestKind,
    RunStatus,
    Trigger,
    Unanswered,
    harvest_window,
)
from busytime.permissions import Conclusion, Evidence, Need, PermissionLevel, Verdict, required_level
from busytime.reading import Reading
from busytime.roster import Roster, RosterCalendar
from busytime.store.runs import Attempt
from busytime.store.unit_of_work import Store
from busytime.vault import MasterKey, Vault
from tests.integration.store.push_steps import make_page
from tests.questions import pushes
from tests.unit.moments import MAX_AGE, MONDAY, HandClock

EVERY, TICKS = timedelta(minutes=30), 120
HARVEST, VALIDATE = "harvest_busy_time", "validate_delegation"
CORPORATE, ADMIN, SCHEDULER = "busytime@corp.example", "admin@host", "scheduler@host"
ANA, BO, CY, DEE, ELI = (f"{name}@corp.example" for name in ("ana", "bo", "cy", "dee", "eli"))
Place = tuple[str, str]
PLACES: tuple[Place, ...] = ((ANA, ""), (BO, ""), (BO, "Projects"), (CY, ""), (DEE, ""), (ELI, ""))


def hour(day: int, hour_: int, minute: int = 0) -> datetime:
    """Return an instant of the world's November; the 23rd is a Monday."""
    return MONDAY.replace(day=day, hour=hour_, minute=minute)


#: Who left the roster, and when.
RETIRED = {(ELI, ""): hour(24, 20, 10)}
#: Who gives no answer, from when to when, and why.
SILENCES = (
    ((BO, ""), hour(24, 9), hour(24, 11, 30), Reason.NO_ACCESS),
    ((BO, "Projects"), hour(24, 9), hour(24, 10), Reason.NO_ACCESS),
    ((CY, ""), hour(24, 12), hour(24, 14), Reason.TIMED_OUT),
    ((BO, ""), hour(25, 6), hour(25, 7), Reason.ENDS_BEFORE_START),
    ((DEE, ""), hour(25, 10), hour(26, 0), Reason.NO_DATA),
)
#: When no harvest ran, and when one was refused or crashed.
OUTAGE = (hour(24, 2), hour(24, 4))
BROKEN = {hour(23, 12): (RunStatus.REFUSED, Reason.BREAKER_OPEN), hour(24, 18): (RunStatus.CRASHED, None)}
#: Verdicts as validations found them: those of one instant in one transaction.
VERDICTS = (
    (hour(23, 8), BO, Need.READ, Verdict.GRANTED, None),
    (hour(23, 8), BO, Need.WRITE, Verdict.GRANTED, None),
    (hour(23, 8), DEE, Need.READ, Verdict.GRANTED, None),
    (hour(24, 9), BO, Need.READ, Verdict.MISSING, Reason.NO_ACCESS),
    (hour(24, 9), BO, Need.WRITE, Verdict.UNPROVEN, Reason.NOT_PROVEN),
    (hour(24, 9), DEE, Need.READ, Verdict.UNREACHABLE, Reason.TIMED_OUT),
    (hour(24, 10), BO, Need.READ, Verdict.MISSING, Reason.MAILBOX_NOT_FOUND),
    (hour(24, 12), BO, Need.READ, Verdict.GRANTED, None),
    (hour(24, 12), BO, Need.WRITE, Verdict.GRANTED, None),
    (hour(24, 12), DEE, Need.READ, Verdict.GRANTED, None),
    (hour(25, 10), DEE, Need.READ, Verdict.INSUFFICIENT, Reason.LEVEL_TOO_LOW),
)
LOGONS = (
    (hour(23, 11, 50), LogonBy.MACHINE, SCHEDULER, 1, LogonAnswer.REFUSED),
    (hour(23, 11, 55), LogonBy.MACHINE, SCHEDULER, 1, LogonAnswer.REFUSED),
    (hour(23, 12, 5), LogonBy.PERSON, ADMIN, 2, LogonAnswer.REFUSED),
    (hour(23, 12, 10), LogonBy.PERSON, ADMIN, 3, LogonAnswer.ACCEPTED),
)
PASSWORDS = ((hour(23, 8), 1), (hour(23, 12, 10), 2))
RESYNCS = ((hour(23, 12, 10), RunStatus.COMPLETED), (hour(25, 15, 5), None))


@dataclass
class Diary:
    """What really happened, in plain values."""

    answers: dict[Place, list[tuple[datetime, int, BusyAnswer]]] = field(default_factory=dict)
    runs: list[tuple[int, str, datetime, RunStatus, Reason | None]] = field(default_factory=list)
    steps: list[tuple[datetime, Attempt]] = field(default_factory=list)
    resync_runs: list[int | None] = field(default_factory=list)
    pushed: list[pushes.Pushed] = field(default_factory=list)

    def good(self, place: Place) -> list[tuple[datetime, int, Counter[Interval]]]:
        """Return a calendar's good answers: when, in which run, and how often each interval was in it."""
        return [(at, run, Counter(it.intervals)) for at, run, it in self.answers[place] if isinstance(it, BusyTime)]


class World:
    """The company while it plays."""

    def __init__(self, engine: Engine) -> None:
        self.clock, self.diary, self._dice = HandClock(), Diary(), Random(7)  # noqa: S311 -- a play, no secret
        self._vault = Vault([MasterKey.generate()])
        self.store = Store(engine, self._vault, self.clock)
        self.store.make_installation()
        self._agenda = {place: self._first_agenda() for place in PLACES}
        with self.store.write() as unit:
            self._actors = {address: unit.owners.id(address) for address in (ADMIN, SCHEDULER, CORPORATE)}
            endpoint = Endpoint(CORPORATE, "https://mail/EWS")
            now = self.clock.now()
            self._connection = unit.connections.open(self._actors[CORPORATE], endpoint, ConnectionMode.CORPORATE, now)
        self._take_roster()

    def play(self) -> Diary:
        """Let three days go by."""
        for tick in range(TICKS):
            self.clock.time = MONDAY + tick * EVERY
            self._people_do_something()
            self._validate()
            self._harvest()
            self._log_on()
            self._push()
            self._leave()
        return self.diary

    def _take_roster(self) -> None:
        """Take in whoever has not left."""
        now = self.clock.now()
        there = tuple(RosterCalendar(*place) for place in PLACES if place not in RETIRED or now < RETIRED[place])
        with self.store.write() as unit:
            unit.roster.replace(Roster(there, (make_page(),)), now)
            self.calendars = {(it.owner, it.folder): it for it in unit.roster.calendars()}

    def open_run(self, flow: str, trigger: Trigger = Trigger.SCHEDULE, actor: str = SCHEDULER) -> int:
        """Open a run; its end is told to `end_run`."""
        with self.store.write() as unit:
            return unit.runs.open(flow, trigger, self._actors[actor], self.clock.now())

    def end_run(
        self, run: int, flow: str, status: RunStatus, reason: Reason | None = None, counts: Mapping[str, int] | None = None
    ) -> None:
        """Close a run, and write it into the diary."""
        with self.store.write() as unit:
            unit.runs.close(run, status, self.clock.now(), reason=reason, counts=counts)
        self.diary.runs.append((run, flow, self.clock.now(), status, reason))

    # -- busy time

    def _first_agenda(self) -> list[Interval]:
        away = (hour(28, 10), MONDAY + timedelta(days=8), BusyStatus.OUT_OF_OFFICE)  # over the end of a week
        return [*(self._appointment(MONDAY, 16 * 24 * 60) for _ in range(12)), away]

    def _appointment(self, after: datetime, minutes: int) -> Interval:
        start = after + timedelta(minutes=15 * self._dice.randrange(1, minutes // 15))
        return start, start + timedelta(minutes=self._dice.choice((15, 30, 60, 150))), self._dice.choice(list(BusyStatus))

    def _people_do_something(self) -> None:
        """Let people put in, take out and double what lies ahead; what has begun stays as it is."""
        for agenda in self._agenda.values():
            ahead = [it for it in agenda if it[0] > self.clock.now() + EVERY]
            match self._dice.randrange(12):
                case 0:
                    agenda.append(self._appointment(self.clock.now() + EVERY, 14 * 24 * 60))
                case 1 if ahead:
                    agenda.remove(self._dice.choice(ahead))
                case 2 if ahead:
                    agenda.append(self._dice.choice(ahead))

    def _harvest(self) -> None:
        now = self.clock.now()
        if OUTAGE[0] <= now < OUTAGE[1]:
            return
        run = self.open_run(HARVEST)
        if now in BROKEN:
            self.end_run(run, HARVEST, *BROKEN[now])
            return
        answers = {place: self._answer(place, now) for place in self.calendars}
        failed = sum(isinstance(answer, Unanswered) for answer in answers.values())
        status = RunStatus.COMPLETED_WITH_FAILURES if failed else RunStatus.COMPLETED
        result = self._record(run, answers, failed)
        for place, answer in answers.items():
            self.diary.answers.setdefault(place, []).append((now, run, answer))
        self.end_run(run, HARVEST, status, counts={"opened": result.opened, "closed": result.closed, "failed": failed})

    def _record(self, run: int, answers: Mapping[Place, BusyAnswer], failed: int) -> BatchResult:
        now, calendars = self.clock.now(), list(self.calendars.values())
        took = 100 + 10 * failed + self._dice.randrange(50)
        step = Attempt("harvest_batch", "0", 1, Outcome.FAILED if failed > 1 else Outcome.APPLIED, took, len(calendars))
        self.diary.steps.append((now, step))
        reading = Reading(now, {self.calendars[place].id: answer for place, answer in answers.items()})
        with self.store.write() as unit:
            unit.runs.note(run, step, now)
            return record_batch(unit, calendars, reading, harvest_window(now, 60), run, MAX_AGE)

    def _answer(self, place: Place, now: datetime) -> BusyAnswer:
        reasons = [reason for silent, start, end, reason in SILENCES if silent == place and start <= now < end]
        return Unanswered(reasons[0]) if reasons else BusyTime(tuple(self._agenda[place]))

    # -- rights, log-ons, bookings

    def _validate(self) -> None:
        found = [it for it in VERDICTS if it[0] == self.clock.now()]
        if not found:
            return
        run = self.open_run(VALIDATE)
        with self.store.write() as unit:
            for _, owner, need, verdict, reason in found:
                calendar = self.calendars[owner, ""]
                observed = PermissionLevel.EDITOR if verdict is Verdict.GRANTED else PermissionLevel.NONE
                unit.permissions.replace(
                    self._connection,
                    calendar.id,
                    need,
                    required_level(need, calendar.kind),
                    Conclusion(verdict, Evidence.FOLDER_RIGHTS, observed, reason),
                    before=unit.permissions.current().get((calendar.id, need)),
                    run_id=run,
                    instant=unit.instant,
                )
        self.end_run(run, VALIDATE, RunStatus.COMPLETED)

    def _log_on(self) -> None:
        """Let log-ons, passwords and re-syncs of the half-hour that begins now happen, each at its own minute."""
        begun = self.clock.now()
        for at, by, actor, version, answer in (it for it in LOGONS if begun <= it[0] < begun + EVERY):
            reason = Reason.LOGON_REFUSED if answer is LogonAnswer.REFUSED else None
            with self.store.write() as unit:
                key = unit.logons.claim(self._actors[CORPORATE], by, self._actors[actor], at, version=version)
                unit.logons.answer(key, answer, at + timedelta(seconds=1), reason)
        for at, version in (it for it in PASSWORDS if begun <= it[0] < begun + EVERY):
            with self.store.write() as unit:
                sealed = self._vault.seal(b"secret", f"secret-{version}")
                unit.connections.store_secret(self._connection, version, sealed, self._actors[ADMIN], at)
        for at, status in (it for it in RESYNCS if begun <= it[0] < begun + EVERY):
            self._resync(at, status)

    def _resync(self, at: datetime, status: RunStatus | None) -> None:
        self.clock.time = at
        with self.store.write() as unit:
            unit.requests.ask(RequestKind.VALIDATE, self._actors[ADMIN], at)
            unit.requests.ask(RequestKind.RESYNC, self._actors[ADMIN], at, self._connection)
        run = None
        if status is not None:
            run = self.open_run("resync_connection", Trigger.PASSWORD_CHANGE, ADMIN)
            with self.store.write() as unit:
                unit.requests.take(unit.requests.waiting(RequestKind.RESYNC), run)
            self.clock.go(minutes=3)
            with self.store.write() as unit:
                unit.requests.done(run, self.clock.now())
            self.end_run(run, "resync_connection", status)
        self.diary.resync_runs.append(run)

    def _leave(self) -> None:
        for left in RETIRED.values():
            if self.clock.time <= left < self.clock.time + EVERY:
                self.clock.time = left
                self._take_roster()

    def _push(self) -> None:
        begun = self.clock.time
        for at, deed in pushes.DEEDS:
            if begun <= at < begun + EVERY:
                self.clock.time = at
                deed(self)


def play(engine: Engine) -> Diary:
    """Let the company's three days take place in an empty database, and return what really happened."""
    return World(engine).play()
