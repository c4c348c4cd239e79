"""The first tables."""

from alembic import op
import sqlalchemy as sa

from busytime.store.types import Key, UtcTime


revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "booking_pages",
        sa.Column("id", Key, nullable=False, comment="Surrogate key."),
        sa.Column("name", sa.Text(), nullable=False, comment="Its name in the roster."),
        sa.Column("time_zone", sa.Text(), nullable=False, comment="IANA name of its time zone."),
        sa.Column("opens_minute", sa.Integer(), nullable=False, comment="Opening time, minutes after local midnight."),
        sa.Column(
            "closes_minute",
            sa.Integer(),
            nullable=False,
            comment="Closing time, minutes after local midnight; 1440 = the day's end.",
        ),
        sa.Column(
            "require_proof", sa.Boolean(), nullable=False, comment="Whether a right to write that is not proven blocks it."
        ),
        sa.Column("added_at", UtcTime(), nullable=False, comment="When (UTC) it came into the roster."),
        sa.Column("retired_at", UtcTime(), nullable=True, comment="When (UTC) it left the roster."),
        sa.CheckConstraint(
            "opens_minute >= 0 AND opens_minute < closes_minute AND closes_minute <= 1440", name=op.f("ck_booking_pages_hours")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_booking_pages")),
        sa.UniqueConstraint("name", name=op.f("uq_booking_pages_name")),
        comment="What guests book on.",
    )
    op.create_table(
        "installation",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False, comment="Always 1."),
        sa.Column(
            "installation_id", sa.Text(), nullable=False, comment="Random name of this installation; part of every marker."
        ),
        sa.Column("created_at", UtcTime(), nullable=False, comment="Instant (UTC) at which the database was made."),
        sa.Column(
            "last_instant", UtcTime(), nullable=False, comment="Last instant (UTC) given to a batch transaction; never goes back."
        ),
        sa.Column("audit_key_id", sa.Text(), nullable=False, comment="Name of the master key that wraps the audit key."),
        sa.Column("audit_key", sa.LargeBinary(), nullable=False, comment="Wrapped key of the chain in events."),
        sa.CheckConstraint("id = 1", name=op.f("ck_installation_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
        comment="This installation: one row.",
    )
    op.create_table(
        "owners",
        sa.Column("id", Key, nullable=False, comment="Surrogate key."),
        sa.Column("address", sa.Text(), nullable=False, comment="E-mail address in lower case; of an actor, user@host."),
        sa.Column("name", sa.Text(), nullable=True, comment="Display name, where known."),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_owners")),
        sa.UniqueConstraint("address", name=op.f("uq_owners_address")),
        comment="A person, account or actor: the only table that holds an address; every other refers to the id.",
    )
    op.create_table(
        "connections",
        sa.Column("id", Key, nullable=False, comment="Surrogate key."),
        sa.Column("owner_id", Key, nullable=False, comment="The account."),
        sa.Column("mode", sa.Text(), nullable=False, comment="Whom it serves: everybody or its owner."),
        sa.Column("ews_url", sa.Text(), nullable=False, comment="Address of the server."),
        sa.Column("auth_type", sa.Text(), nullable=False, comment="How it logs on."),
        sa.Column(
            "ca_pem",
            sa.Text(),
            nullable=True,
            comment="Private authority of the server's certificate, as PEM; NULL = the public ones.",
        ),
        sa.Column("opened_at", UtcTime(), nullable=False, comment="Last time (UTC) at which it was connected."),
        sa.Column("closed_at", UtcTime(), nullable=True, comment="When (UTC) it was disconnected; NULL while it is connected."),
        sa.Column("breaker", sa.Text(), nullable=False, comment="No log-on passes while it is open."),
        sa.Column("breaker_changed_at", UtcTime(), nullable=False, comment="Since when (UTC) the breaker stands as it does."),
        sa.Column(
            "window_days",
            sa.Integer(),
            nullable=True,
            comment="Longest availability window that the server answered, in days, once learnt.",
        ),
        sa.Column("back_off_until", UtcTime(), nullable=True, comment="Until when (UTC) the server asked to be left alone."),
        sa.CheckConstraint("auth_type IN ('basic', 'ntlm', 'oauth')", name=op.f("ck_connections_auth_type")),
        sa.CheckConstraint("breaker IN ('closed', 'open')", name=op.f("ck_connections_breaker")),
        sa.CheckConstraint("mode IN ('corporate', 'personal')", name=op.f("ck_connections_mode")),
        sa.ForeignKeyConstraint(["owner_id"], ["owners.id"], name=op.f("fk_connections_owner_id_owners")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connections")),
        comment="An account that busytime logs on with.",
    )
    op.create_index("uq_connections_account", "connections", ["owner_id"], unique=True)
    op.create_index(
        "uq_connections_corporate",
        "connections",
        ["mode"],
        unique=True,
        sqlite_where=sa.text("mode = 'corporate' AND closed_at IS NULL"),
        postgresql_where=sa.text("mode = 'corporate' AND closed_at IS NULL"),
    )
    op.create_table(
        "runs",
        sa.Column("id", Key, nullable=False, comment="Surrogate key."),
        sa.Column("flow", sa.Text(), nullable=False, comment="Name of the flow."),
        sa.Column("trigger", sa.Text(), nullable=False, comment="What started it."),
        sa.Column("actor_id", Key, nullable=False, comment="Who started it."),
        sa.Column("status", sa.Text(), nullable=False, comment="How it stands or ended."),
        sa.Column("reason", sa.Text(), nullable=True, comment="Why it was refused or failed."),
        sa.Column("started_at", UtcTime(), nullable=False, comment="Start (UTC)."),
        sa.Column("finished_at", UtcTime(), nullable=True, comment="End (UTC); of a crashed run, when it was found dead."),
        sa.Column("window_start", UtcTime(), nullable=True, comment="Start (UTC) of the window it reads."),
        sa.Column("window_end", UtcTime(), nullable=True, comment="End (UTC) of the window it reads."),
        sa.Column(
            "counts", sa.JSON(), nullable=False, comment="Counts of its result, for example known, unknown, opened, closed."
        ),
        sa.Column("code_version", sa.Text(), nullable=False, comment="Version of busytime."),
        sa.Column("schema_version", sa.Text(), nullable=False, comment="Version of the tables."),
        sa.Column("prefect_flow_run_id", sa.Text(), nullable=True, comment="Prefect's id of the flow run."),
        sa.CheckConstraint(
            "reason IN ('no_access', 'mailbox_not_found', 'folder_not_found', 'no_calendar', 'no_data', 'ends_before_start', 'missing_answer', 'malformed_answer', 'answer_too_large', 'too_many_appointments', 'window_too_long', 'mailbox_unavailable', 'server_busy', 'server_error', 'timed_out', 'connection_lost', 'server_unreachable', 'certificate_not_trusted', 'tls_too_old', 'not_an_ews_server', 'ews_blocked', 'no_mailbox', 'logon_refused', 'allowance_used_up', 'breaker_open', 'no_connection', 'key_missing', 'lock_lost', 'never_harvested', 'outdated', 'level_too_low', 'sub_calendar_needs_reviewer', 'external_is_read_only', 'grant_awaited', 'not_proven', 'write_denied', 'is_a_group', 'stopped', 'unexpected')",
            name=op.f("ck_runs_reason"),
        ),
        sa.CheckConstraint(
            "status IN ('running', 'completed', 'completed_with_failures', 'skipped', 'refused', 'failed', 'crashed')",
            name=op.f("ck_runs_status"),
        ),
        sa.CheckConstraint("trigger IN ('schedule', 'manual', 'password_change', 'request')", name=op.f("ck_runs_trigger")),
        sa.ForeignKeyConstraint(["actor_id"], ["owners.id"], name=op.f("fk_runs_actor_id_owners")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        comment="A run: one flow run, as busytime knows it.",
    )
    op.create_index(op.f("ix_runs_started_at"), "runs", ["started_at"], unique=False)
    op.create_table(
        "calendars",
        sa.Column("id", Key, nullable=False, comment="Surrogate key."),
        sa.Column("owner_id", Key, nullable=False, comment="Whose calendar it is."),
        sa.Column(
            "folder", sa.Text(), nullable=False, comment="Path below the owner's default calendar; empty = the default calendar."
        ),
        sa.Column("kind", sa.Text(), nullable=False, comment="Default, sub or external."),
        sa.Column("folder_id", sa.Text(), nullable=True, comment="The server's id of the folder, once seen."),
        sa.Column("account_id", Key, nullable=True, comment="Account that the roster names for it."),
        sa.Column("connection_id", Key, nullable=True, comment="Connection that serves it."),
        sa.Column("pages", sa.JSON(none_as_null=True), nullable=True, comment="Booking pages that may use it; NULL = all."),
        sa.Column("found_at", UtcTime(), nullable=True, comment="When (UTC) a discovery first saw it."),
        sa.Column("missing_since", UtcTime(), nullable=True, comment="Since when (UTC) discoveries no longer see it."),
        sa.Column("added_at", UtcTime(), nullable=True, comment="When (UTC) it came into the roster; NULL = found, not in use."),
        sa.Column("retired_at", UtcTime(), nullable=True, comment="When (UTC) it left the roster."),
        sa.CheckConstraint("kind IN ('default', 'sub', 'external')", name=op.f("ck_calendars_kind")),
        sa.ForeignKeyConstraint(["account_id"], ["owners.id"], name=op.f("fk_calendars_account_id_owners")),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_calendars_connection_id_connections")),
        sa.ForeignKeyConstraint(["owner_id"], ["owners.id"], name=op.f("fk_calendars_owner_id_owners")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendars")),
        sa.UniqueConstraint("owner_id", "folder", name=op.f("uq_calendars_owner_id_folder")),
        comment="A calendar of the roster.",
    )
    op.create_index("ix_calendars_connection_id", "calendars", ["connection_id"], unique=False)
    op.create_table(
        "credentials",
        sa.Column("id", Key, nullable=False, comment="Surrogate key."),
        sa.Column("connection_id", Key, nullable=False, comment="Connection it logs on."),
        sa.Column("version", sa.Integer(), nullable=False, comment="Number of the secret, from 1 for each connection."),
        sa.Column(
            "key_id", sa.Text(), nullable=True, comment="Name of the master key that wraps the data key; NULL once destroyed."
        ),
        sa.Column(
            "wrapped_key", sa.LargeBinary(), nullable=True, comment="Data key, wrapped by the master key; NULL once destroyed."
        ),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=True, comment="User name and password, sealed; NULL once destroyed."),
        sa.Column("created_at", UtcTime(), nullable=False, comment="When (UTC) it was stored."),
        sa.Column("retired_at", UtcTime(), nullable=True, comment="When (UTC) a newer version or a disconnect ended it."),
        sa.Column("actor_id", Key, nullable=False, comment="Who stored it."),
        sa.ForeignKeyConstraint(["actor_id"], ["owners.id"], name=op.f("fk_credentials_actor_id_owners")),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_credentials_connection_id_connections")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credentials")),
        sa.UniqueConstraint("connection_id", "version", name=op.f("uq_credentials_connection_id_version")),
        comment="A version of a connection's secret; a retired one's ciphertext is destroyed, its row stays.",
    )
    op.create_table(
        "events",
        sa.Column("id", Key, nullable=False, comment="Surrogate key."),
        sa.Column("tag", sa.Text(), nullable=False, comment="What was done, as source:subject:action."),
        sa.Column("at", UtcTime(), nullable=False, comment="When (UTC)."),
        sa.Column("actor_id", Key, nullable=False, comment="Who did it."),
        sa.Column("run_id", Key, nullable=True, comment="In which run."),
        sa.Column("details", sa.Text(), nullable=False, comment="Ids and counts as JSON text; never an address or a secret."),
        sa.Column("previous_hmac", sa.Text(), nullable=False, comment="The HMAC of the row before; empty for the first."),
        sa.Column("hmac", sa.Text(), nullable=False, comment="HMAC-SHA-256 over this row and the one before, in hexadecimal."),
        sa.ForeignKeyConstraint(["actor_id"], ["owners.id"], name=op.f("fk_events_actor_id_owners")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_events_run_id_runs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sa.UniqueConstraint("previous_hmac", name=op.f("uq_events_previous_hmac")),
        comment="Who did what; append-only, chained.",
    )
    op.create_table(
        "locks",
        sa.Column("name", sa.Text(), nullable=False, comment="Flow, connection and shard."),
        sa.Column("holder", sa.Text(), nullable=False, comment="Random name of the holding."),
        sa.Column("host", sa.Text(), nullable=False, comment="Machine and boot of the holder."),
        sa.Column("process_id", sa.Integer(), nullable=False, comment="Process of the holder."),
        sa.Column("process_started", sa.Text(), nullable=False, comment="When that process started, as its system counts it."),
        sa.Column("heartbeat_at", UtcTime(), nullable=False, comment="Last sign of life (UTC)."),
        sa.Column("run_id", Key, nullable=False, comment="Run that holds it."),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_locks_run_id_runs")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_locks")),
        comment="Who works on what now; a row is gone when its run has ended.",
    )
    op.create_table(
        "logons",
        sa.Column("id", Key, nullable=False, comment="Surrogate key."),
        sa.Column("owner_id", Key, nullable=False, comment="The account, over all its connections, versions and user names."),
        sa.Column(
            "credential_version", sa.Integer(), nullable=True, comment="Version that was tried; NULL for one that was not stored."
        ),
        sa.Column("run_id", Key, nullable=True, comment="Run that tried it."),
        sa.Column("by", sa.Text(), nullable=False, comment="The machine by itself, or a person."),
        sa.Column("actor_id", Key, nullable=False, comment="Who tried it."),
        sa.Column("at", UtcTime(), nullable=False, comment="When (UTC) it was claimed, before it was sent."),
        sa.Column("answer", sa.Text(), nullable=True, comment="What came of it; NULL counts as refused."),
        sa.Column("answered_at", UtcTime(), nullable=True, comment="When (UTC) the answer came."),
        sa.Column("error_code", sa.Text(), nullable=True, comment="The server's response code, where there was one."),
        sa.CheckConstraint("answer IN ('accepted', 'refused', 'not_sent', 'unjudged', 'unknown')", name=op.f("ck_logons_answer")),
        sa.CheckConstraint("by IN ('machine', 'person')", name=op.f("ck_logons_by")),
        sa.ForeignKeyConstraint(["actor_id"], ["owners.id"], name=op.f("fk_logons_actor_id_owners")),
        sa.ForeignKeyConstraint(["owner_id"], ["owners.id"], name=op.f("fk_logons_owner_id_owners")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_logons_run_id_runs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_logons")),
        comment="One attempt to log on; append-only, the answer is written once.",
    )
    op.create_index("ix_logons_owner_id_at", "logons", ["owner_id", "at"], unique=False)
    op.create_table(
        "steps",
        sa.Column("id", Key, nullable=False, comment="Surrogate key."),
        sa.Column("run_id", Key, nullable=False, comment="Run it belongs to."),
        sa.Column("step", sa.Text(), nullable=False, comment="Name of the step."),
        sa.Column(
            "target",
            sa.Text(),
            nullable=False,
            comment="What it worked on: a batch's number or a connection's id, never an address.",
        ),
        sa.Column("attempt", sa.Integer(), nullable=False, comment="Number of the attempt, from 1."),
        sa.Column("outcome", sa.Text(), nullable=False, comment="How the attempt ended."),
        sa.Column("reason", sa.Text(), nullable=True, comment="Why it failed."),
        sa.Column("error_code", sa.Text(), nullable=True, comment="The server's response code, where there was one."),
        sa.Column("back_off_ms", sa.Integer(), nullable=True, comment="Back-off that the server asked for, in milliseconds."),
        sa.Column("duration_ms", sa.Integer(), nullable=False, comment="Duration of the attempt in milliseconds."),
        sa.Column("calendars", sa.Integer(), nullable=False, comment="Number of calendars in it."),
        sa.Column("finished_at", UtcTime(), nullable=False, comment="End (UTC) of the attempt."),
        sa.CheckConstraint(
            "outcome IN ('applied', 'already_applied', 'conflict', 'skipped', 'refused', 'failed', 'unknown')",
            name=op.f("ck_steps_outcome"),
        ),
        sa.CheckConstraint(
            "reason IN ('no_access', 'mailbox_not_found', 'folder_not_found', 'no_calendar', 'no_data', 'ends_before_start', 'missing_answer', 'malformed_answer', 'answer_too_large', 'too_many_appointments', 'window_too_long', 'mailbox_unavailable', 'server_busy', 'server_error', 'timed_out', 'connection_lost', 'server_unreachable', 'certificate_not_trusted', 'tls_too_old', 'not_an_ews_server', 'ews_blocked', 'no_mailbox', 'logon_refused', 'allowance_used_up', 'breaker_open', 'no_connection', 'key_missing', 'lock_lost', 'never_harvested', 'outdated', 'level_too_low', 'sub_calendar_needs_reviewer', 'external_is_read_only', 'grant_awaited', 'not_proven', 'write_denied', 'is_a_group', 'stopped', 'unexpected')",
            name=op.f("ck_steps_reason"),
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_steps_run_id_runs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_steps")),
        comment="One attempt of one step of a run.",
    )
    op.create_index("ix_steps_run_id", "steps", ["run_id"], unique=False)
    op.create_table(
        "associated_calendars",
        sa.Column("id", Key, nullable=False, comment="Surrogate key."),
        sa.Column("page_id", Key, nullable=False, comment="Booking page."),
        sa.Column("calendar_id", Key, nullable=False, comment="Calendar."),
        sa.Column("role", sa.Text(), nullable=False, comment="What the calendar does on the page."),
        sa.Column("added_at", UtcTime(), nullable=False, comment="When (UTC) the roster gave it this role."),
        sa.Column("retired_at", UtcTime(), nullable=True, comment="When (UTC) the roster took it away."),
        sa.CheckConstraint("role IN ('main', 'additional', 'busy')", name=op.f("ck_associated_calendars_role")),
        sa.ForeignKeyConstraint(["calendar_id"], ["calendars.id"], name=op.f("fk_associated_calendars_calendar_id_calendars")),
        sa.ForeignKeyConstraint(["page_id"], ["booking_pages.id"], name=op.f("fk_associated_calendars_page_id_booking_pages")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_associated_calendars")),
        comment="A calendar's role on a booking page.",
    )
    op.create_index(
        "uq_associated_calendars_current",
        "associated_calendars",
        ["page_id", "calendar_id", "role"],
        unique=True,
        sqlite_where=sa.text("retired_at IS NULL"),
        postgresql_where=sa.text("retired_at IS NULL"),
    )
    op.create_index(
        "uq_associated_calendars_main",
        "associated_calendars",
        ["page_id"],
        unique=True,
        sqlite_where=sa.text("retired_at IS NULL AND role = 'main'"),
        postgresql_where=sa.text("retired_at IS NULL AND role = 'main'"),
    )
    op.create_table(
        "busy_intervals",
        sa.Column("id", Key, nullable=False, comment="Surrogate key."),
        sa.Column("calendar_id", Key, nullable=False, comment="Calendar."),
        sa.Column("starts_at", UtcTime(), nullable=False, comment="Start (UTC)."),
        sa.Column("ends_at", UtcTime(), nullable=False, comment="End (UTC), after the start."),
        sa.Column("status", sa.Text(), nullable=False, comment="How the owner is occupied."),
        sa.Column("count", sa.Integer(), nullable=False, comment="How many equal intervals were answered."),
        sa.Column("opened_run_id", Key, nullable=False, comment="Run that opened the row."),
        sa.Column("closed_run_id", Key, nullable=True, comment="Run that closed the row; NULL while it is current."),
        sa.Column("valid_from", UtcTime(), nullable=False, comment="Instant (UTC) of the batch transaction that opened the row."),
        sa.Column(
            "valid_to",
            UtcTime(),
            nullable=True,
            comment="Instant (UTC) of the batch transaction that closed the row; NULL = current.",
        ),
        sa.CheckConstraint(
            "status IN ('busy', 'tentative', 'out_of_office', 'working_elsewhere')", name=op.f("ck_busy_intervals_status")
        ),
        sa.CheckConstraint("count > 0", name=op.f("ck_busy_intervals_count")),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_busy_intervals_length")),
        sa.CheckConstraint("valid_to > valid_from", name=op.f("ck_busy_intervals_validity")),
        sa.ForeignKeyConstraint(["calendar_id"], ["calendars.id"], name=op.f("fk_busy_intervals_calendar_id_calendars")),
        sa.ForeignKeyConstraint(["closed_run_id"], ["runs.id"], name=op.f("fk_busy_intervals_closed_run_id_runs")),
        sa.ForeignKeyConstraint(["opened_run_id"], ["runs.id"], name=op.f("fk_busy_intervals_opened_run_id_runs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_busy_intervals")),
        comment="History: a busy interval of a calendar, as answered; identity is calendar, start, end and status.",
    )
    op.create_index(
        "uq_busy_intervals_current",
        "busy_intervals",
        ["calendar_id", "starts_at", "ends_at", "status"],
        unique=True,
        sqlite_where=sa.text("valid_to IS NULL"),
        postgresql_where=sa.text("valid_to IS NULL"),
    )
    op.create_table(
        "coverage",
        sa.Column("id", Key, nullable=False, comment="Surrogate key."),
        sa.Column("calendar_id", Key, nullable=False, comment="Calendar."),
        sa.Column("starts_at", UtcTime(), nullable=False, comment="Start (UTC) of the window; slides in a current row."),
        sa.Column("ends_at", UtcTime(), nullable=False, comment="End (UTC) of the window; slides in a current row."),
        sa.Column("state", sa.Text(), nullable=False, comment="Covered by an answer, or unknown."),
        sa.Column("reason", sa.Text(), nullable=True, comment="Why it is unknown."),
        sa.Column(
            "detail", sa.Text(), nullable=True, comment="A response code, or the start of the appointment that could not be read."
        ),
        sa.Column("as_of", UtcTime(), nullable=False, comment="When (UTC) the last answer was asked for; updated in place."),
        sa.Column("failures", sa.Integer(), nullable=False, comment="Harvests without an answer since then; updated in place."),
        sa.Column("opened_run_id", Key, nullable=False, comment="Run that opened the row."),
        sa.Column("closed_run_id", Key, nullable=True, comment="Run that closed the row; NULL while it is current."),
        sa.Column("valid_from", UtcTime(), nullable=False, comment="Instant (UTC) of the batch transaction that opened the row."),
        sa.Column(
            "valid_to",
            UtcTime(),
            nullable=True,
            comment="Instant (UTC) of the batch transaction that closed the row; NULL = current.",
        ),
        sa.CheckConstraint("(state = 'covered') = (reason IS NULL)", name=op.f("ck_coverage_reason_given")),
        sa.CheckConstraint(
            "reason IN ('no_access', 'mailbox_not_found', 'folder_not_found', 'no_calendar', 'no_data', 'ends_before_start', 'missing_answer', 'malformed_answer', 'answer_too_large', 'too_many_appointments', 'window_too_long', 'mailbox_unavailable', 'server_busy', 'server_error', 'timed_out', 'connection_lost', 'server_unreachable', 'certificate_not_trusted', 'tls_too_old', 'not_an_ews_server', 'ews_blocked', 'no_mailbox', 'logon_refused', 'allowance_used_up', 'breaker_open', 'no_connection', 'key_missing', 'lock_lost', 'never_harvested', 'outdated', 'level_too_low', 'sub_calendar_needs_reviewer', 'external_is_read_only', 'grant_awaited', 'not_proven', 'write_denied', 'is_a_group', 'stopped', 'unexpected')",
            name=op.f("ck_coverage_reason"),
        ),
        sa.CheckConstraint("state IN ('covered', 'unknown')", name=op.f("ck_coverage_state")),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_coverage_length")),
        sa.CheckConstraint("valid_to > valid_from", name=op.f("ck_coverage_validity")),
        sa.ForeignKeyConstraint(["calendar_id"], ["calendars.id"], name=op.f("fk_coverage_calendar_id_calendars")),
        sa.ForeignKeyConstraint(["closed_run_id"], ["runs.id"], name=op.f("fk_coverage_closed_run_id_runs")),
        sa.ForeignKeyConstraint(["opened_run_id"], ["runs.id"], name=op.f("fk_coverage_opened_run_id_runs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coverage")),
        comment="History: for which window a calendar's busy time is known, as of when, and why not elsewhere.",
    )
    op.create_index(
        "uq_coverage_current",
        "coverage",
        ["calendar_id", "starts_at"],
        unique=True,
        sqlite_where=sa.text("valid_to IS NULL"),
        postgresql_where=sa.text("valid_to IS NULL"),
    )
    op.create_table(
        "permissions",
        sa.Column("id", Key, nullable=False, comment="Surrogate key."),
        sa.Column("connection_id", Key, nullable=False, comment="Connection whose right it is."),
        sa.Column("calendar_id", Key, nullable=False, comment="Calendar."),
        sa.Column("need", sa.Text(), nullable=False, comment="What the product needs there."),
        sa.Column("required", sa.Text(), nullable=False, comment="Lowest level that grants it."),
        sa.Column("observed", sa.Text(), nullable=True, comment="Level that was seen; NULL where it cannot be told."),
        sa.Column("evidence", sa.Text(), nullable=True, comment="What the verdict rests on; NULL where nothing could be seen."),
        sa.Column("verdict", sa.Text(), nullable=False, comment="The verdict."),
        sa.Column("reason", sa.Text(), nullable=True, comment="Why it is not granted."),
        sa.Column("detail", sa.Text(), nullable=True, comment="The server's response code that goes with the reason."),
        sa.Column("opened_run_id", Key, nullable=False, comment="Run that opened the row."),
        sa.Column("closed_run_id", Key, nullable=True, comment="Run that closed the row; NULL while it is current."),
        sa.Column("valid_from", UtcTime(), nullable=False, comment="Instant (UTC) of the batch transaction that opened the row."),
        sa.Column(
            "valid_to",
            UtcTime(),
            nullable=True,
            comment="Instant (UTC) of the batch transaction that closed the row; NULL = current.",
        ),
        sa.CheckConstraint(
            "evidence IN ('folder_rights', 'item_rights', 'permission_list', 'availability', 'calendar_view', 'probe_write')",
            name=op.f("ck_permissions_evidence"),
        ),
        sa.CheckConstraint("need IN ('read', 'write')", name=op.f("ck_permissions_need")),
        sa.CheckConstraint(
            "observed IN ('None', 'FreeBusyTimeOnly', 'FreeBusyTimeAndSubjectAndLocation', 'Reviewer', 'Contributor', 'NoneditingAuthor', 'Author', 'PublishingAuthor', 'Editor', 'PublishingEditor', 'Owner', 'Custom', 'delegate')",
            name=op.f("ck_permissions_observed"),
        ),
        sa.CheckConstraint(
            "reason IN ('no_access', 'mailbox_not_found', 'folder_not_found', 'no_calendar', 'no_data', 'ends_before_start', 'missing_answer', 'malformed_answer', 'answer_too_large', 'too_many_appointments', 'window_too_long', 'mailbox_unavailable', 'server_busy', 'server_error', 'timed_out', 'connection_lost', 'server_unreachable', 'certificate_not_trusted', 'tls_too_old', 'not_an_ews_server', 'ews_blocked', 'no_mailbox', 'logon_refused', 'allowance_used_up', 'breaker_open', 'no_connection', 'key_missing', 'lock_lost', 'never_harvested', 'outdated', 'level_too_low', 'sub_calendar_needs_reviewer', 'external_is_read_only', 'grant_awaited', 'not_proven', 'write_denied', 'is_a_group', 'stopped', 'unexpected')",
            name=op.f("ck_permissions_reason"),
        ),
        sa.CheckConstraint(
            "required IN ('None', 'FreeBusyTimeOnly', 'FreeBusyTimeAndSubjectAndLocation', 'Reviewer', 'Contributor', 'NoneditingAuthor', 'Author', 'PublishingAuthor', 'Editor', 'PublishingEditor', 'Owner', 'Custom', 'delegate')",
            name=op.f("ck_permissions_required"),
        ),
        sa.CheckConstraint(
            "verdict IN ('granted', 'insufficient', 'missing', 'pending', 'unreachable', 'unproven')",
            name=op.f("ck_permissions_verdict"),
        ),
        sa.CheckConstraint("valid_to > valid_from", name=op.f("ck_permissions_validity")),
        sa.ForeignKeyConstraint(["calendar_id"], ["calendars.id"], name=op.f("fk_permissions_calendar_id_calendars")),
        sa.ForeignKeyConstraint(["closed_run_id"], ["runs.id"], name=op.f("fk_permissions_closed_run_id_runs")),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_permissions_connection_id_connections")),
        sa.ForeignKeyConstraint(["opened_run_id"], ["runs.id"], name=op.f("fk_permissions_opened_run_id_runs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_permissions")),
        comment="History: the verdict for one connection, calendar and need; closed when verdict, level or reason changes.",
    )
    op.create_index("ix_permissions_calendar_id", "permissions", ["calendar_id"], unique=False)
    op.create_index(
        "uq_permissions_current",
        "permissions",
        ["connection_id", "calendar_id", "need"],
        unique=True,
        sqlite_where=sa.text("valid_to IS NULL"),
        postgresql_where=sa.text("valid_to IS NULL"),
    )


def downgrade() -> None:
    """Take the change back."""
    op.drop_index(
        "uq_permissions_current",
        table_name="permissions",
        sqlite_where=sa.text("valid_to IS NULL"),
        postgresql_where=sa.text("valid_to IS NULL"),
    )
    op.drop_index("ix_permissions_calendar_id", table_name="permissions")
    op.drop_table("permissions")
    op.drop_index(
        "uq_coverage_current",
        table_name="coverage",
        sqlite_where=sa.text("valid_to IS NULL"),
        postgresql_where=sa.text("valid_to IS NULL"),
    )
    op.drop_table("coverage")
    op.drop_index(
        "uq_busy_intervals_current",
        table_name="busy_intervals",
        sqlite_where=sa.text("valid_to IS NULL"),
        postgresql_where=sa.text("valid_to IS NULL"),
    )
    op.drop_table("busy_intervals")
    op.drop_index(
        "uq_associated_calendars_main",
        table_name="associated_calendars",
        sqlite_where=sa.text("retired_at IS NULL AND role = 'main'"),
        postgresql_where=sa.text("retired_at IS NULL AND role = 'main'"),
    )
    op.drop_index(
        "uq_associated_calendars_current",
        table_name="associated_calendars",
        sqlite_where=sa.text("retired_at IS NULL"),
        postgresql_where=sa.text("retired_at IS NULL"),
    )
    op.drop_table("associated_calendars")
    op.drop_index("ix_steps_run_id", table_name="steps")
    op.drop_table("steps")
    op.drop_index("ix_logons_owner_id_at", table_name="logons")
    op.drop_table("logons")
    op.drop_table("locks")
    op.drop_table("events")
    op.drop_table("credentials")
    op.drop_index("ix_calendars_connection_id", table_name="calendars")
    op.drop_table("calendars")
    op.drop_index(op.f("ix_runs_started_at"), table_name="runs")
    op.drop_table("runs")
    op.drop_index(
        "uq_connections_corporate",
        table_name="connections",
        sqlite_where=sa.text("mode = 'corporate' AND closed_at IS NULL"),
        postgresql_where=sa.text("mode = 'corporate' AND closed_at IS NULL"),
    )
    op.drop_index("uq_connections_account", table_name="connections")
    op.drop_table("connections")
    op.drop_table("owners")
    op.drop_table("installation")
    op.drop_table("booking_pages")
