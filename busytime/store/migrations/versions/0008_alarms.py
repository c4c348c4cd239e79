"""Alarms, and what each receiver was told of them."""

import sqlalchemy as sa
from alembic import op

from busytime.store.types import Key, UtcTime


revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_STANDS = sa.text("over_at IS NULL")
_KINDS = "'breaker_opened', 'permissions_lost', 'coverage_too_old', 'entries_failing', 'run_missing'"


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "alarms",
        sa.Column("id", Key, nullable=False, comment="Surrogate key."),
        sa.Column("kind", sa.Text(), nullable=False, comment="What it is about."),
        sa.Column("connection_id", Key, comment="Connection that it is about."),
        sa.Column("flow", sa.Text(), comment="Flow that it is about."),
        sa.Column("opened_at", UtcTime(), nullable=False, comment="When (UTC) it was first seen."),
        sa.Column("over_at", UtcTime(), comment="Since when (UTC) it is over; NULL while it stands."),
        sa.Column("returns", sa.Integer(), nullable=False, comment="How often it came back, shortly after it was over."),
        sa.Column(
            "concerned",
            sa.Integer(),
            nullable=False,
            comment="How many calendars, entries or runs were concerned when it last stood.",
        ),
        sa.Column("told_at", UtcTime(), comment="When (UTC) a receiver was last told of it; NULL where none was."),
        sa.CheckConstraint("(connection_id IS NULL) <> (flow IS NULL)", name=op.f("ck_alarms_about_one")),
        sa.CheckConstraint(f"kind IN ({_KINDS})", name=op.f("ck_alarms_kind")),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_alarms_connection_id_connections")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarms")),
        comment="An alarm: something that a person has to see to, from when it was seen to when it was over.",
    )
    for name, column in (("uq_alarms_connection", "connection_id"), ("uq_alarms_flow", "flow")):
        op.create_index(name, "alarms", ["kind", column], unique=True, sqlite_where=_STANDS, postgresql_where=_STANDS)
    op.create_index("ix_alarms_opened_at", "alarms", ["opened_at"])
    op.create_table(
        "tellings",
        sa.Column("id", Key, nullable=False, comment="Surrogate key."),
        sa.Column("alarm_id", Key, nullable=False, comment="The alarm."),
        sa.Column("receiver", sa.Integer(), nullable=False, comment="The receiver: its position in alarm_urls, from 1."),
        sa.Column("word", sa.Text(), comment="The last word; NULL where the first was claimed and not sent yet."),
        sa.Column("told_at", UtcTime(), comment="When (UTC) that was sent."),
        sa.Column(
            "times",
            sa.Integer(),
            nullable=False,
            comment="How often it was told that the alarm stands, since it was last over.",
        ),
        sa.Column("concerned", sa.Integer(), nullable=False, comment="How many there were then."),
        sa.Column(
            "claimed_at", UtcTime(), comment="When (UTC) somebody began to tell it the next word; NULL once that was sent."
        ),
        sa.CheckConstraint("word IN ('stands', 'over')", name=op.f("ck_tellings_word")),
        sa.ForeignKeyConstraint(["alarm_id"], ["alarms.id"], name=op.f("fk_tellings_alarm_id_alarms")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tellings")),
        sa.UniqueConstraint("alarm_id", "receiver", name=op.f("uq_tellings_alarm_id_receiver")),
        comment="What one receiver was told of one alarm.",
    )


def downgrade() -> None:
    """Take the change back."""
    op.drop_table("tellings")
    op.drop_table("alarms")
