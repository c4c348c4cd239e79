"""A look at what stands, and telling it: gathered from the tables, claimed, sent, noted. It must not know Prefect.

So a service can look even when Prefect is broken, which is what a missing run may come from.
"""

import logging
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from busytime.alarm_words import (
    breaker_opened,
    compose,
    coverage_too_old,
    entries_failing,
    permissions_lost,
    run_missing,
    run_silent,
)
from busytime.alarms import Alarm, News, StoredAlarm, Subject, Word, news, settle
from busytime.model import Breaker
from busytime.probing import stopped_message
from busytime.store.unit_of_work import UnitOfWork
from config.schedules import came_round
from tasks.receivers import DEADLINE_SECONDS, Receiver, send
from tasks.workspace import Workspace

_LOG = logging.getLogger("busytime.alarms")

#: A harvest is missed after three of its times, and no sooner than this.
_HARVESTS_MISSED = 3
_HARVEST_MISSED_AFTER = timedelta(minutes=15)
#: What runs daily is missed after a day and so long.
_LATE = timedelta(hours=2)
_DAY = timedelta(days=1)
#: What is on its way to a calendar for so long is stuck; pushes come every 15 minutes.
_STUCK_AFTER = timedelta(minutes=45)
#: A run that began lately may not have given a sign of life yet.
_SILENT_AFTER = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Standing:
    """An alarm that stands.

    Args:
        alarm: As it is written down.
        text: What is wrong and what to do next.
    """

    alarm: StoredAlarm
    text: str


@dataclass(frozen=True, slots=True)
class Told:
    """What a look came to.

    Args:
        standing: The alarms that stand, the oldest first.
        over: Those whose end was now to be told.
        sent: How many messages were sent.
        failed: The receivers that took none, and why; they are tried again at a later look.
    """

    standing: tuple[Standing, ...] = ()
    over: tuple[StoredAlarm, ...] = ()
    sent: int = 0
    failed: tuple[str, ...] = ()


def look_and_tell(office: Workspace, receivers: Sequence[Receiver], seconds: float = DEADLINE_SECONDS) -> Told:
    """Look what stands, write it down, and tell the receivers what they are to know.

    Args:
        office: The opened home.
        receivers: Whom to tell.
        seconds: How long sending may take; no transaction is open meanwhile.
    """
    with office.store.read() as unit:
        standing = tuple(gather(office, unit))
        known = unit.alarms.current(office.clock.now(), len(receivers))
    if not standing and not known:
        return Told()
    claimed = _claim(office, standing, receivers)
    said = {alarm.subject: alarm for alarm in standing}
    messages = {receiver: compose(told, said, platform.node()) for receiver, told in claimed.items()}
    ended = send(messages, seconds) if messages else {}
    sent = {receiver: claimed[receiver] for receiver, fault in ended.items() if fault is None}
    _note(office, sent)
    failed = tuple(f"{receiver}: {fault}" for receiver, fault in ended.items() if fault)
    if failed:
        _LOG.warning("Alarms could not be sent to %s; they are tried again in a few minutes.", ", ".join(failed))
    over = {it.alarm.id: it.alarm for found in claimed.values() for it in found if it.word is Word.OVER}
    return Told(_standing(office, said, len(receivers)), tuple(over.values()), len(sent), failed)


def _claim(office: Workspace, standing: Sequence[Alarm], receivers: Sequence[Receiver]) -> dict[Receiver, list[News]]:
    """Write down what stands, and claim what each receiver is to be told: of two that look at once, one gets it."""
    now = office.clock.now()
    with office.store.write() as unit:
        unit.alarms.queue()
        unit.alarms.apply(settle(unit.alarms.current(now, len(receivers)), standing), now)
        stored = unit.alarms.current(now, len(receivers))
        claimed: dict[Receiver, list[News]] = {}
        for receiver in receivers:
            told = unit.alarms.told(receiver.position, [it.id for it in stored])
            if found := news(stored, told, now):
                unit.alarms.claim(receiver.position, found, now)
                claimed[receiver] = found
    return claimed


def _note(office: Workspace, sent: Mapping[Receiver, Sequence[News]]) -> None:
    if sent:
        with office.store.write() as unit:
            for receiver, found in sent.items():
                unit.alarms.note(receiver.position, found, office.clock.now())


def _standing(office: Workspace, said: Mapping[Subject, Alarm], receivers: int) -> tuple[Standing, ...]:
    with office.store.read() as unit:
        stored = unit.alarms.current(office.clock.now(), receivers)
    return tuple(Standing(it, said[it.subject].text) for it in stored if it.over_at is None and it.subject in said)


def gather(office: Workspace, unit: UnitOfWork) -> Iterator[Alarm]:
    """Yield the alarms that stand now."""
    now, facts = office.clock.now(), unit.alarm_facts
    for connection in unit.connections.all_open():
        if connection.breaker is Breaker.OPEN:
            yield breaker_opened(connection.id, stopped_message(unit, connection))
    yield from map(permissions_lost, facts.lost())
    if old := facts.too_old(now, office.settings.max_age):
        served = facts.served()
        yield from (coverage_too_old(it, served[it.connection_id]) for it in old)
    yield from map(entries_failing, facts.failing(now, now - _STUCK_AFTER))
    missing = {it.subject: it for it in (*_silent(office, unit, now), *_missing(office, unit, now))}
    yield from missing.values()


def _missing(office: Workspace, unit: UnitOfWork, now: datetime) -> Iterator[Alarm]:
    """Yield the flows of which no run has begun, or come to its end, for too long."""
    settings, facts = office.settings, unit.alarm_facts
    zone = settings.schedule_time_zone
    since = _no_later(now - _HARVEST_MISSED_AFTER, came_round(settings.harvest_schedule, zone, now, _HARVESTS_MISSED))
    if since and facts.has_work(since) and not facts.has_begun("harvest_busy_time", since):
        yield run_missing("harvest_busy_time", "No harvest has begun", since)
    since = _daily(settings.validate_schedule, zone, now)
    if since and facts.has_work(since) and not facts.has_completed("validate_delegation", since):
        yield run_missing("validate_delegation", "No validation has come to its end", since)
    since = _daily(settings.maintain_schedule, zone, now)
    if since and facts.installed(since) and not facts.has_completed("maintain", since):
        yield run_missing("maintain", "No maintenance has come to its end", since)


def _daily(schedule: str, zone: str, now: datetime) -> datetime | None:
    return _no_later(now - _DAY - _LATE, came_round(schedule, zone, now - _LATE))


def _no_later(limit: datetime, came: datetime | None) -> datetime | None:
    """Return the earlier of two instants; a schedule that has never come round misses nothing."""
    return min(limit, came) if came is not None else None


def _silent(office: Workspace, unit: UnitOfWork, now: datetime) -> Iterator[Alarm]:
    """Yield the flows with a run that should be at work, and of which nothing holds a lock any more."""
    begun = unit.alarm_facts.at_work_since_before(now - _SILENT_AFTER)
    alive = set(unit.locks.runs_at_work(office.store.process, now)) if begun else set()
    for run_id, flow, started_at in begun:
        if run_id not in alive:
            yield run_silent(flow, run_id, started_at)
