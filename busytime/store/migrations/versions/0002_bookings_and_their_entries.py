"""Bookings and their entries."""

from alembic import op
import sqlalchemy as sa

from busytime.store.migrations.closed_lists import add_column, lengthen, listed
from busytime.store.types import Key, Now, UtcTime


revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

#: The closed list of reasons as it is from here on; four tables had a shorter one.
_REASONS = (
    "no_access mailbox_not_found folder_not_found no_calendar no_data ends_before_start missing_answer "
    "malformed_answer answer_too_large too_many_appointments window_too_long mailbox_unavailable server_busy "
    "server_error timed_out connection_lost server_unreachable certificate_not_trusted tls_too_old not_an_ews_server "
    "ews_blocked no_mailbox logon_refused allowance_used_up breaker_open no_connection key_missing lock_lost "
    "never_harvested outdated level_too_low sub_calendar_needs_reviewer external_is_read_only grant_awaited "
    "not_proven write_denied is_a_group never_validated slot_taken main_not_there page_blocked answer_lost "
    "copied_by_owner foreign_item changed_meanwhile read_back_differs gone too_many_mailboxes paced at_work_elsewhere "
    "gate_closed database_restored not_on_roster unknown_page value_missing value_unreadable value_too_long "
    "control_characters no_utc_offset key_reserved revision_differs stopped unexpected "
).split()
_LENGTHENED = ("runs", "steps", "coverage", "permissions")
_SPECIAL = sa.text("checked_at IS NULL OR refused IS NOT NULL OR effective_ends_at IS NOT NULL")


def upgrade() -> None:
    """Apply the change."""
    for table in _LENGTHENED:
        lengthen(table, "reason", _REASONS)
    op.create_table(
        "bookings",
        sa.Column("id", Key, nullable=False, comment="Surrogate key."),
        sa.Column("booking_key", sa.Text(), nullable=False, comment="Stable outside key of the booking."),
        sa.Column("page", sa.Text(), nullable=True, comment="Name of the booking page, as given."),
        sa.Column(
            "starts_at",
            UtcTime(),
            nullable=True,
            comment="Start (UTC), as booked; NULL where a cancelled booking was never scheduled.",
        ),
        sa.Column("ends_at", UtcTime(), nullable=True, comment="End (UTC), as booked."),
        sa.Column("title", sa.Text(), nullable=True, comment="Title of the items; shown by no view."),
        sa.Column("location", sa.Text(), nullable=True, comment="Place of the items; shown by no view."),
        sa.Column("body", sa.Text(), nullable=True, comment="Text of the items; shown by no view."),
        sa.Column("guests", sa.Text(), nullable=True, comment="The guests, one a line; shown by no view."),
        sa.Column("state", sa.Text(), nullable=True, comment="What the guest wants: scheduled or cancelled."),
        sa.Column("revision", Key, nullable=False, comment="Number of the revision; the newest good one is what counts."),
        sa.Column(
            "booked_at",
            UtcTime(),
            server_default=Now(),
            nullable=True,
            comment="When (UTC) it was booked.",
        ),
        sa.Column(
            "effective_starts_at", UtcTime(), nullable=True, comment="Start (UTC) after the owner moved it; NULL = as booked."
        ),
        sa.Column("effective_ends_at", UtcTime(), nullable=True, comment="End (UTC) after the owner moved it; NULL = as booked."),
        sa.Column("effective_state", sa.Text(), nullable=True, comment="State after the owner removed it; NULL = as booked."),
        sa.Column("changed_by", sa.Text(), server_default="guest", nullable=True, comment="Who set its present time and state."),
        sa.Column("run_id", Key, nullable=True, comment="Run that wrote it; NULL where a command or another program did."),
        sa.Column(
            "checked_at",
            UtcTime(),
            nullable=True,
            comment="When (UTC) it was last found good or refused; NULL = not looked at yet.",
        ),
        sa.Column("refused", sa.Text(), nullable=True, comment="Why it is left out; it is looked at again each time."),
        sa.Column("refused_field", sa.Text(), nullable=True, comment="The column that is wrong."),
        sa.CheckConstraint("changed_by IN ('guest', 'owner')", name=op.f("ck_bookings_changed_by")),
        sa.CheckConstraint("effective_state IN ('scheduled', 'cancelled')", name=op.f("ck_bookings_effective_state")),
        sa.CheckConstraint(
            f"refused IN ({listed(_REASONS)})",
            name=op.f("ck_bookings_refused"),
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_bookings_run_id_runs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bookings")),
        sa.UniqueConstraint("booking_key", "revision", name=op.f("uq_bookings_booking_key_revision")),
        comment="One revision of a booking. Other programs may insert rows; each is checked as a line of a file is.",
    )
    op.create_index("ix_bookings_ends_at", "bookings", ["ends_at"], unique=False)
    op.create_index(
        "ix_bookings_special",
        "bookings",
        ["booking_key"],
        unique=False,
        sqlite_where=_SPECIAL,
        postgresql_where=_SPECIAL,
    )
    op.create_table(
        "entries",
        sa.Column("id", Key, nullable=False, comment="Surrogate key."),
        sa.Column("booking_key", sa.Text(), nullable=False, comment="The booking."),
        sa.Column("calendar_id", Key, nullable=False, comment="The calendar."),
        sa.Column("state", sa.Text(), nullable=False, comment="How it stands."),
        sa.Column("attempt_id", sa.Text(), nullable=True, comment="Random name of the newest intent; a row in changes ends it."),
        sa.Column("intent", sa.Text(), nullable=True, comment="What was to be done by it."),
        sa.Column("intended_revision", Key, nullable=True, comment="The booking's revision that was meant by it."),
        sa.Column("intended_starts_at", UtcTime(), nullable=True, comment="Start (UTC) that was meant by it."),
        sa.Column("intended_ends_at", UtcTime(), nullable=True, comment="End (UTC) that was meant by it."),
        sa.Column("intended_at", UtcTime(), nullable=True, comment="When (UTC) it was committed, before anything was sent."),
        sa.Column("item_id", sa.Text(), nullable=True, comment="The server's id of the item, once seen."),
        sa.Column("change_key", sa.Text(), nullable=True, comment="The item's version there."),
        sa.Column("revision", Key, nullable=True, comment="The booking's revision that was written last."),
        sa.Column("starts_at", UtcTime(), nullable=True, comment="Start (UTC) that was written, or seen, last."),
        sa.Column("ends_at", UtcTime(), nullable=True, comment="End (UTC) that was written, or seen, last."),
        sa.Column("verified_at", UtcTime(), nullable=True, comment="When (UTC) it was last read back as it should be."),
        sa.Column("reason", sa.Text(), nullable=True, comment="Why it is not as it should be."),
        sa.Column("detail", sa.Text(), nullable=True, comment="The server's response code that goes with the reason."),
        sa.Column("updated_at", UtcTime(), nullable=False, comment="Instant (UTC) of the transaction that wrote it last."),
        sa.Column("run_id", Key, nullable=True, comment="Run that wrote it last."),
        sa.CheckConstraint("intent IN ('create', 'update', 'cancel')", name=op.f("ck_entries_intent")),
        sa.CheckConstraint(
            f"reason IN ({listed(_REASONS)})",
            name=op.f("ck_entries_reason"),
        ),
        sa.CheckConstraint(
            "state IN ('wanted', 'intended', 'present', 'unknown', 'conflict', 'blocked', 'waiting_for_log_on', 'moved_by_owner', 'removed_by_owner', 'cancelled', 'failed', 'orphaned')",
            name=op.f("ck_entries_state"),
        ),
        sa.ForeignKeyConstraint(["calendar_id"], ["calendars.id"], name=op.f("fk_entries_calendar_id_calendars")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_entries_run_id_runs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entries")),
        sa.UniqueConstraint("booking_key", "calendar_id", name=op.f("uq_entries_booking_key_calendar_id")),
        comment="One booking in one calendar.",
    )
    op.create_index("ix_entries_calendar_id_state", "entries", ["calendar_id", "state"], unique=False)
    op.create_index("ix_entries_intended_at", "entries", ["intended_at"], unique=False)
    op.create_table(
        "changes",
        sa.Column("id", Key, nullable=False, comment="Surrogate key."),
        sa.Column("run_id", Key, nullable=False, comment="Run that ended the attempt."),
        sa.Column("entry_id", Key, nullable=False, comment="The entry."),
        sa.Column("attempt_id", sa.Text(), nullable=False, comment="Random name of the attempt."),
        sa.Column("booking_key", sa.Text(), nullable=False, comment="The booking."),
        sa.Column("calendar_id", Key, nullable=False, comment="The calendar."),
        sa.Column("change", sa.Text(), nullable=False, comment="What was to be done."),
        sa.Column("revision", Key, nullable=False, comment="The booking's revision that was meant."),
        sa.Column("starts_at", UtcTime(), nullable=True, comment="Start (UTC) that was meant; of a cancellation, the entry's."),
        sa.Column("ends_at", UtcTime(), nullable=True, comment="End (UTC) that was meant."),
        sa.Column("before_starts_at", UtcTime(), nullable=True, comment="Start (UTC) of the entry before it."),
        sa.Column("before_ends_at", UtcTime(), nullable=True, comment="End (UTC) of the entry before it."),
        sa.Column("outcome", sa.Text(), nullable=False, comment="How it ended."),
        sa.Column("reason", sa.Text(), nullable=True, comment="Why it was not applied."),
        sa.Column("error_code", sa.Text(), nullable=True, comment="The server's response code, where there was one."),
        sa.Column(
            "intended_at",
            UtcTime(),
            nullable=True,
            comment="When (UTC) the intent was committed; NULL where nothing was to be sent.",
        ),
        sa.Column("finished_at", UtcTime(), nullable=False, comment="Instant (UTC) of the transaction that ended it."),
        sa.CheckConstraint("change IN ('create', 'update', 'cancel')", name=op.f("ck_changes_change")),
        sa.CheckConstraint(
            "outcome IN ('applied', 'already_applied', 'conflict', 'skipped', 'refused', 'failed', 'unknown')",
            name=op.f("ck_changes_outcome"),
        ),
        sa.CheckConstraint(
            f"reason IN ({listed(_REASONS)})",
            name=op.f("ck_changes_reason"),
        ),
        sa.ForeignKeyConstraint(["calendar_id"], ["calendars.id"], name=op.f("fk_changes_calendar_id_calendars")),
        sa.ForeignKeyConstraint(["entry_id"], ["entries.id"], name=op.f("fk_changes_entry_id_entries")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_changes_run_id_runs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_changes")),
        sa.UniqueConstraint("attempt_id", name=op.f("uq_changes_attempt_id")),
        comment="One finished attempt at an entry and its outcome; append-only.",
    )
    op.create_index("ix_changes_intended_at", "changes", ["intended_at"], unique=False)
    op.create_index("ix_changes_run_id", "changes", ["run_id"], unique=False)
    op.add_column(
        "booking_pages",
        sa.Column(
            "allow_conflicts",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="Whether a taken slot does not matter.",
        ),
    )
    add_column(
        "booking_pages", "owner_changes", ["report", "follow"], "What it does when an owner moves an entry.", default="report"
    )
    op.add_column(
        "booking_pages",
        sa.Column(
            "recreate",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="Whether an entry its owner removed is made anew.",
        ),
    )
    op.add_column(
        "connections",
        sa.Column(
            "mailboxes_in_five_minutes",
            sa.Integer(),
            nullable=True,
            comment="Into how many mailboxes it takes writes in 5 minutes, once learnt.",
        ),
    )
    op.add_column(
        "installation",
        sa.Column(
            "restored_at",
            UtcTime(),
            nullable=True,
            comment="When (UTC) calendars were found to hold entries that these tables have forgotten.",
        ),
    )


def downgrade() -> None:
    """Take the change back; the longer list of reasons stays, because rows may hold them."""
    op.drop_column("installation", "restored_at")
    op.drop_column("connections", "mailboxes_in_five_minutes")
    op.drop_column("booking_pages", "recreate")
    op.drop_column("booking_pages", "owner_changes")
    op.drop_column("booking_pages", "allow_conflicts")
    op.drop_index("ix_changes_run_id", table_name="changes")
    op.drop_index("ix_changes_intended_at", table_name="changes")
    op.drop_table("changes")
    op.drop_index("ix_entries_intended_at", table_name="entries")
    op.drop_index("ix_entries_calendar_id_state", table_name="entries")
    op.drop_table("entries")
    op.drop_index(
        "ix_bookings_special",
        table_name="bookings",
        sqlite_where=_SPECIAL,
        postgresql_where=_SPECIAL,
    )
    op.drop_index("ix_bookings_ends_at", table_name="bookings")
    op.drop_table("bookings")
