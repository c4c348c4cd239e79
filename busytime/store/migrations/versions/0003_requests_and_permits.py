"""Requests, permits, and what a log-on leaves."""

from alembic import op
import sqlalchemy as sa

from busytime.store.migrations.closed_lists import add_column, lengthen
from busytime.store.types import Key, UtcTime


revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

#: The closed list of reasons as it is from here on.
_REASONS = (
    "no_access mailbox_not_found folder_not_found no_calendar no_data ends_before_start missing_answer "
    "malformed_answer answer_too_large too_many_appointments window_too_long mailbox_unavailable server_busy "
    "server_error timed_out connection_lost server_unreachable certificate_not_trusted tls_too_old not_an_ews_server "
    "ews_blocked no_mailbox logon_refused allowance_used_up breaker_open no_connection key_missing lock_lost "
    "never_harvested outdated level_too_low sub_calendar_needs_reviewer external_is_read_only grant_awaited "
    "not_proven write_denied is_a_group never_validated slot_taken main_not_there page_blocked answer_lost "
    "copied_by_owner foreign_item changed_meanwhile read_back_differs gone too_many_mailboxes paced at_work_elsewhere "
    "gate_closed database_restored not_on_roster unknown_page value_missing value_unreadable value_too_long "
    "control_characters no_utc_offset key_reserved revision_differs password_expired account_disabled passwords_ended "
    "no_logon_method impersonation_denied redirected disconnected secret_renewed stopped unexpected "
).split()
_LENGTHENED = (
    ("runs", "reason"),
    ("steps", "reason"),
    ("coverage", "reason"),
    ("permissions", "reason"),
    ("entries", "reason"),
    ("changes", "reason"),
    ("bookings", "refused"),
)
_OPEN = sa.text("done_at IS NULL")


def upgrade() -> None:
    """Apply the change."""
    for table, column in _LENGTHENED:
        lengthen(table, column, _REASONS)
    op.add_column("connections", sa.Column("token_url", sa.Text(), nullable=True, comment="Where tokens are asked for, under OAuth."))
    add_column("logons", "reason", _REASONS, "Why it was refused, or not judged.")
    op.add_column("logons", sa.Column("boot", sa.Text(), nullable=True, comment="Machine and boot that claimed it."))
    op.add_column(
        "logons",
        sa.Column(
            "uptime_ms",
            Key,
            nullable=True,
            comment="Milliseconds since that boot; they tell how long ago it was, even if the clock was moved.",
        ),
    )
    op.create_table(
        "requests",
        sa.Column("id", Key, nullable=False, comment="Surrogate key."),
        sa.Column("kind", sa.Text(), nullable=False, comment="What is asked for."),
        sa.Column("connection_id", Key, nullable=True, comment="Connection that it is about; NULL = all."),
        sa.Column("actor_id", Key, nullable=False, comment="Who asked."),
        sa.Column("asked_at", UtcTime(), nullable=False, comment="When (UTC) it was asked."),
        sa.Column("taken_run_id", Key, nullable=True, comment="Run that works on it, or did so last."),
        sa.Column(
            "done_at", UtcTime(), nullable=True, comment="When (UTC) it was done; NULL while it waits, or its run is at work."
        ),
        sa.CheckConstraint("kind IN ('resync', 'validate', 'push')", name=op.f("ck_requests_kind")),
        sa.ForeignKeyConstraint(["actor_id"], ["owners.id"], name=op.f("fk_requests_actor_id_owners")),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_requests_connection_id_connections")),
        sa.ForeignKeyConstraint(["taken_run_id"], ["runs.id"], name=op.f("fk_requests_taken_run_id_runs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_requests")),
        comment="Something that a person or a program asked for.",
    )
    op.create_index("ix_requests_open", "requests", ["kind"], sqlite_where=_OPEN, postgresql_where=_OPEN)
    op.create_table(
        "permits",
        sa.Column("id", Key, nullable=False, comment="Surrogate key."),
        sa.Column("connection_id", Key, nullable=False, comment="Connection that is to log on."),
        sa.Column("host", sa.Text(), nullable=False, comment="Machine and boot of the process that asks."),
        sa.Column("process_id", sa.Integer(), nullable=False, comment="Process that asks."),
        sa.Column(
            "process_started", sa.Text(), nullable=False, comment="When that process started, as its system counts it."
        ),
        sa.Column("heartbeat_at", UtcTime(), nullable=False, comment="Last sign of life (UTC)."),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_permits_connection_id_connections")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_permits")),
        comment="Who logs on now, and who waits to: the first few of each connection may, in the order asked.",
    )
    op.create_index("ix_permits_connection_id", "permits", ["connection_id"])


def downgrade() -> None:
    """Take the change back; the longer list of reasons stays, because rows may hold them."""
    op.drop_index("ix_permits_connection_id", table_name="permits")
    op.drop_table("permits")
    op.drop_index("ix_requests_open", table_name="requests", sqlite_where=_OPEN, postgresql_where=_OPEN)
    op.drop_table("requests")
    op.drop_column("logons", "uptime_ms")
    op.drop_column("logons", "boot")
    op.drop_column("logons", "reason")
    op.drop_column("connections", "token_url")
