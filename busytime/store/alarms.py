"""Alarms as they are written down, and what each receiver was told of them.

A telling is claimed in a transaction, sent outside of any, and noted in another one. So of two machines that look at once one
tells; and what was claimed and not noted, whatever became of it, is told again: at least once.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, exists, func, insert, or_, select, update

from busytime.alarms import HOLD_DOWN, AlarmKind, Changes, News, StoredAlarm, Subject, Telling, Word
from busytime.store.tables import connections, installation, owners
from busytime.store.tables_alarms import alarms, tellings


class AlarmRepository:
    """Opens and ends alarms, and notes their tellings."""

    def __init__(self, connection: Connection) -> None:
        """Work inside the caller's transaction."""
        self._connection = connection

    def queue(self) -> None:
        """Wait until no other transaction looks after alarms; the others then wait for this one."""
        self._connection.execute(select(installation.c.id).with_for_update())

    def current(self, now: datetime, receivers: int) -> list[StoredAlarm]:
        """Return the alarms that stand, that may come back as the same, or whose end somebody has to be told; the oldest first.

        One of which nobody was told is forgotten when it is over.

        Args:
            now: The present instant.
            receivers: How many receivers there are.
        """
        unfinished = select(tellings.c.id).where(
            tellings.c.alarm_id == alarms.c.id, tellings.c.receiver <= receivers, tellings.c.word == Word.STANDS
        )
        lately = and_(alarms.c.told_at.is_not(None), alarms.c.over_at > now - HOLD_DOWN)
        query = (
            select(alarms, owners.c.address)
            .outerjoin(connections, connections.c.id == alarms.c.connection_id)
            .outerjoin(owners, owners.c.id == connections.c.owner_id)
            .where(or_(alarms.c.over_at.is_(None), lately, exists(unfinished)))
            .order_by(alarms.c.id)
        )
        return [_stored(row) for row in self._connection.execute(query)]

    def apply(self, changes: Changes, now: datetime) -> None:
        """Write down what stands."""
        for alarm in changes.opened:
            subject = alarm.subject
            values = {"kind": subject.kind, "connection_id": subject.connection_id, "flow": subject.flow}
            self._connection.execute(insert(alarms).values(**values, opened_at=now, returns=0, concerned=alarm.count))
        for key, count in changes.standing.items():
            row = update(alarms).where(alarms.c.id == key)
            self._connection.execute(row.where(alarms.c.concerned != count).values(concerned=count))
            back = row.where(alarms.c.over_at.is_not(None))
            self._connection.execute(back.values(over_at=None, returns=alarms.c.returns + 1))
        for key in changes.over:
            self._connection.execute(update(alarms).where(alarms.c.id == key).values(over_at=now))

    def told(self, receiver: int, alarm_ids: Iterable[int]) -> dict[int, Telling]:
        """Return what a receiver was told of some alarms."""
        query = select(tellings).where(tellings.c.receiver == receiver, tellings.c.alarm_id.in_(list(alarm_ids)))
        return {row.alarm_id: _telling(row) for row in self._connection.execute(query)}

    def claim(self, receiver: int, news: Iterable[News], now: datetime) -> None:
        """Note that a receiver is about to be told."""
        for it in news:
            known = update(tellings).where(tellings.c.alarm_id == it.alarm.id, tellings.c.receiver == receiver)
            if not self._connection.execute(known.values(claimed_at=now)).rowcount:
                values = {"alarm_id": it.alarm.id, "receiver": receiver, "claimed_at": now, "times": 0, "concerned": 0}
                self._connection.execute(insert(tellings).values(values))

    def note(self, receiver: int, news: Iterable[News], now: datetime) -> None:
        """Note that a receiver was told."""
        for it in news:
            told = it.told.after(it.word, now, it.alarm.count)
            place = update(tellings).where(tellings.c.alarm_id == it.alarm.id, tellings.c.receiver == receiver)
            values = {"word": told.word, "told_at": told.told_at, "times": told.times, "concerned": told.count}
            self._connection.execute(place.values(**values, claimed_at=None))
            self._connection.execute(update(alarms).where(alarms.c.id == it.alarm.id).values(told_at=now))

    def counts(self) -> Mapping[AlarmKind, int]:
        """Return how many alarms of each kind stand."""
        query = select(alarms.c.kind, func.count()).where(alarms.c.over_at.is_(None)).group_by(alarms.c.kind)
        return {AlarmKind(kind): count for kind, count in self._connection.execute(query)}


def _stored(row: Row[Any]) -> StoredAlarm:
    subject = Subject(AlarmKind(row.kind), row.connection_id, row.flow)
    about = row.address or row.flow
    return StoredAlarm(row.id, subject, about, row.opened_at, row.over_at, row.returns, row.concerned, row.told_at)


def _telling(row: Row[Any]) -> Telling:
    return Telling(Word(row.word) if row.word else None, row.told_at, row.times, row.concerned, row.claimed_at)
