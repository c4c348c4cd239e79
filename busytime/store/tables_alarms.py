"""The tables of alarms: each alarm, and what each receiver was told of it."""

from sqlalchemy import CheckConstraint, Column, Index, Integer, Table, Text, UniqueConstraint, text

from busytime.alarms import AlarmKind, Word
from busytime.store.columns import closed, metadata, refers, surrogate_key
from busytime.store.types import UtcTime

_STANDS = text("over_at IS NULL")

alarms = Table(
    "alarms",
    metadata,
    surrogate_key(),
    *closed("kind", AlarmKind, "What it is about."),
    refers("connection_id", "connections.id", "Connection that it is about.", nullable=True),
    Column("flow", Text, comment="Flow that it is about."),
    Column("opened_at", UtcTime, nullable=False, comment="When (UTC) it was first seen."),
    Column("over_at", UtcTime, comment="Since when (UTC) it is over; NULL while it stands."),
    Column("returns", Integer, nullable=False, comment="How often it came back, shortly after it was over."),
    Column(
        "concerned", Integer, nullable=False, comment="How many calendars, entries or runs were concerned when it last stood."
    ),
    Column("told_at", UtcTime, comment="When (UTC) a receiver was last told of it; NULL where none was."),
    CheckConstraint("(connection_id IS NULL) <> (flow IS NULL)", name="about_one"),
    Index("uq_alarms_connection", "kind", "connection_id", unique=True, sqlite_where=_STANDS, postgresql_where=_STANDS),
    Index("uq_alarms_flow", "kind", "flow", unique=True, sqlite_where=_STANDS, postgresql_where=_STANDS),
    Index("ix_alarms_opened_at", "opened_at"),
    comment="An alarm: something that a person has to see to, from when it was seen to when it was over.",
)

tellings = Table(
    "tellings",
    metadata,
    surrogate_key(),
    refers("alarm_id", "alarms.id", "The alarm."),
    Column("receiver", Integer, nullable=False, comment="The receiver: its position in alarm_urls, from 1."),
    *closed("word", Word, "The last word; NULL where the first was claimed and not sent yet.", nullable=True),
    Column("told_at", UtcTime, comment="When (UTC) that was sent."),
    Column("times", Integer, nullable=False, comment="How often it was told that the alarm stands, since it was last over."),
    Column("concerned", Integer, nullable=False, comment="How many there were then."),
    Column("claimed_at", UtcTime, comment="When (UTC) somebody began to tell it the next word; NULL once that was sent."),
    UniqueConstraint("alarm_id", "receiver"),
    comment="What one receiver was told of one alarm.",
)
