"""The tables: the contract with everybody who reads the database.

Every table and every column carries a comment; closed lists are check constraints. Names are fixed: readers use
the views (`views.py`), which show these columns under the same names.
"""

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from busytime.bookings import OwnerChanges
from busytime.errors import Reason
from busytime.model import (
    AuthType,
    Breaker,
    BusyStatus,
    CalendarKind,
    ConnectionMode,
    CoverageState,
    LogonAnswer,
    LogonBy,
    Outcome,
    RequestKind,
    Role,
    RunStatus,
    Trigger,
)
from busytime.permissions import Evidence, Need, PermissionLevel, Verdict
from busytime.store.columns import closed, history, metadata, refers, surrogate_key
from busytime.store.types import Key, UtcTime


def _looked_up_in(table: str, time: str) -> list[Index]:
    """Return the indexes by which readers find rows of a long history: of a calendar, as of an instant, of a run."""
    closed_only = text("closed_run_id IS NOT NULL")
    return [
        Index(f"ix_{table}_calendar_id_{time}", "calendar_id", time),
        Index(f"ix_{table}_valid_to", "valid_to"),
        Index(f"ix_{table}_opened_run_id", "opened_run_id"),
        Index(f"ix_{table}_closed_run_id", "closed_run_id", sqlite_where=closed_only, postgresql_where=closed_only),
    ]


installation = Table(
    "installation",
    metadata,
    CheckConstraint("id = 1", name="single"),
    Column("id", Integer, primary_key=True, autoincrement=False, comment="Always 1."),
    Column("installation_id", Text, nullable=False, comment="Random name of this installation; part of every marker."),
    Column("created_at", UtcTime, nullable=False, comment="Instant (UTC) at which the database was made."),
    Column("last_instant", UtcTime, nullable=False, comment="Last instant (UTC) given to a batch transaction; never goes back."),
    Column("audit_key_id", Text, nullable=False, comment="Name of the master key that wraps the audit key."),
    Column("audit_key", LargeBinary, nullable=False, comment="Wrapped key of the chain in events."),
    Column("restored_at", UtcTime, comment="When (UTC) the database was found to be restored: calendars may hold more."),
    Column("lives_at", Text, comment="Where the database lives; one that finds itself elsewhere was restored from a backup."),
    comment="This installation: one row.",
)

owners = Table(
    "owners",
    metadata,
    surrogate_key(),
    Column("address", Text, nullable=False, unique=True, comment="E-mail address in lower case; of an actor, user@host."),
    Column("name", Text, comment="Display name, where known."),
    comment="A person, account or actor: the only table that holds an address; every other refers to the id.",
)

runs = Table(
    "runs",
    metadata,
    surrogate_key(),
    Column("flow", Text, nullable=False, comment="Name of the flow."),
    *closed("trigger", Trigger, "What started it."),
    refers("actor_id", "owners.id", "Who started it."),
    *closed("status", RunStatus, "How it stands or ended."),
    *closed("reason", Reason, "Why it was refused or failed.", nullable=True),
    Column("started_at", UtcTime, nullable=False, index=True, comment="Start (UTC)."),
    Column("finished_at", UtcTime, comment="End (UTC); of a crashed run, when it was found dead."),
    Column("window_start", UtcTime, comment="Start (UTC) of the window it reads."),
    Column("window_end", UtcTime, comment="End (UTC) of the window it reads."),
    Column("counts", JSON, nullable=False, comment="Counts of its result, for example known, unknown, opened, closed."),
    Column("code_version", Text, nullable=False, comment="Version of busytime."),
    Column("schema_version", Text, nullable=False, comment="Version of the tables."),
    Column("prefect_flow_run_id", Text, comment="Prefect's id of the flow run."),
    comment="A run: one flow run, as busytime knows it.",
)

steps = Table(
    "steps",
    metadata,
    surrogate_key(),
    refers("run_id", "runs.id", "Run it belongs to."),
    Column("step", Text, nullable=False, comment="Name of the step."),
    Column(
        "target",
        Text,
        nullable=False,
        comment="What it worked on: a batch's number, a connection's id or a table's name, never an address.",
    ),
    Column("attempt", Integer, nullable=False, comment="Number of the attempt, from 1."),
    *closed("outcome", Outcome, "How the attempt ended."),
    *closed("reason", Reason, "Why it failed.", nullable=True),
    Column("error_code", Text, comment="The server's response code, where there was one."),
    Column("back_off_ms", Integer, comment="Back-off that the server asked for, in milliseconds."),
    Column("duration_ms", Integer, nullable=False, comment="Duration of the attempt in milliseconds."),
    Column("calendars", Integer, nullable=False, comment="Number of calendars in it."),
    Column("finished_at", UtcTime, nullable=False, comment="End (UTC) of the attempt."),
    Index("ix_steps_run_id", "run_id"),
    Index("ix_steps_finished_at", "finished_at"),
    comment="One attempt of one step of a run.",
)

connections = Table(
    "connections",
    metadata,
    surrogate_key(),
    refers("owner_id", "owners.id", "The account."),
    *closed("mode", ConnectionMode, "Whom it serves: everybody or its owner."),
    Column("ews_url", Text, nullable=False, comment="Address of the server."),
    *closed("auth_type", AuthType, "How it logs on."),
    Column("ca_pem", Text, comment="Private authority of the server's certificate, as PEM; NULL = the public ones."),
    Column("opened_at", UtcTime, nullable=False, comment="Last time (UTC) at which it was connected."),
    Column("closed_at", UtcTime, comment="When (UTC) it was disconnected; NULL while it is connected."),
    *closed("breaker", Breaker, "No log-on passes while it is open."),
    Column("breaker_changed_at", UtcTime, nullable=False, comment="Since when (UTC) the breaker stands as it does."),
    Column("window_days", Integer, comment="Longest availability window that the server answered, in days, once learnt."),
    Column("back_off_until", UtcTime, comment="Until when (UTC) the server asked to be left alone."),
    Column("mailboxes_in_five_minutes", Integer, comment="Into how many mailboxes it takes writes in 5 minutes, once learnt."),
    Column("token_url", Text, comment="Where tokens are asked for, under OAuth."),
    Index("uq_connections_account", "owner_id", unique=True),
    Index(
        "uq_connections_corporate",
        "mode",
        unique=True,
        sqlite_where=text("mode = 'corporate' AND closed_at IS NULL"),
        postgresql_where=text("mode = 'corporate' AND closed_at IS NULL"),
    ),
    comment="An account that busytime logs on with.",
)

credentials = Table(
    "credentials",
    metadata,
    surrogate_key(),
    refers("connection_id", "connections.id", "Connection it logs on."),
    Column("version", Integer, nullable=False, comment="Number of the secret, from 1 for each connection."),
    Column("key_id", Text, comment="Name of the master key that wraps the data key; NULL once destroyed."),
    Column("wrapped_key", LargeBinary, comment="Data key, wrapped by the master key; NULL once destroyed."),
    Column("ciphertext", LargeBinary, comment="User name and password, sealed; NULL once destroyed."),
    Column("created_at", UtcTime, nullable=False, comment="When (UTC) it was stored."),
    Column("retired_at", UtcTime, comment="When (UTC) a newer version or a disconnect ended it."),
    refers("actor_id", "owners.id", "Who stored it."),
    UniqueConstraint("connection_id", "version"),
    comment="A version of a connection's secret; a retired one's ciphertext is destroyed, its row stays.",
)

logons = Table(
    "logons",
    metadata,
    surrogate_key(),
    refers("owner_id", "owners.id", "The account, over all its connections, versions and user names."),
    Column("credential_version", Integer, comment="Version that was tried; NULL for one that was not stored."),
    refers("run_id", "runs.id", "Run that tried it.", nullable=True),
    *closed("by", LogonBy, "The machine by itself, or a person."),
    refers("actor_id", "owners.id", "Who tried it."),
    Column("at", UtcTime, nullable=False, comment="When (UTC) it was claimed, before it was sent."),
    *closed("answer", LogonAnswer, "What came of it; NULL counts as refused.", nullable=True),
    Column("answered_at", UtcTime, comment="When (UTC) the answer came."),
    Column("error_code", Text, comment="The server's response code, where there was one."),
    *closed("reason", Reason, "Why it was refused, or not judged.", nullable=True),
    Column("boot", Text, comment="Machine and boot that claimed it."),
    Column("uptime_ms", Key, comment="Milliseconds since that boot; they tell how long ago it was, even if the clock was moved."),
    Index("ix_logons_owner_id_at", "owner_id", "at"),
    comment="One attempt to log on; append-only, the answer is written once.",
)

calendars = Table(
    "calendars",
    metadata,
    surrogate_key(),
    refers("owner_id", "owners.id", "Whose calendar it is."),
    Column("folder", Text, nullable=False, comment="Path below the owner's default calendar; empty = the default calendar."),
    *closed("kind", CalendarKind, "Default, sub or external."),
    Column("folder_id", Text, comment="The server's id of the folder, once seen."),
    refers("account_id", "owners.id", "Account that the roster names for it.", nullable=True),
    refers("connection_id", "connections.id", "Connection that serves it.", nullable=True),
    Column("pages", JSON(none_as_null=True), comment="Booking pages that may use it; NULL = all."),
    Column("found_at", UtcTime, comment="When (UTC) a discovery first saw it."),
    Column("missing_since", UtcTime, comment="Since when (UTC) discoveries no longer see it."),
    Column("added_at", UtcTime, comment="When (UTC) it came into the roster; NULL = found, not in use."),
    Column("retired_at", UtcTime, comment="When (UTC) it left the roster."),
    UniqueConstraint("owner_id", "folder"),
    Index("ix_calendars_connection_id", "connection_id"),
    comment="A calendar of the roster.",
)

booking_pages = Table(
    "booking_pages",
    metadata,
    surrogate_key(),
    Column("name", Text, nullable=False, unique=True, comment="Its name in the roster."),
    Column("time_zone", Text, nullable=False, comment="IANA name of its time zone."),
    Column("opens_minute", Integer, nullable=False, comment="Opening time, minutes after local midnight."),
    Column("closes_minute", Integer, nullable=False, comment="Closing time, minutes after local midnight; 1440 = the day's end."),
    Column("require_proof", Boolean, nullable=False, comment="Whether a right to write that is not proven blocks it."),
    Column("allow_conflicts", Boolean, nullable=False, server_default=false(), comment="Whether a taken slot does not matter."),
    *closed("owner_changes", OwnerChanges, "What it does when an owner moves an entry.", default=OwnerChanges.REPORT),
    Column(
        "recreate", Boolean, nullable=False, server_default=false(), comment="Whether an entry its owner removed is made anew."
    ),
    Column("added_at", UtcTime, nullable=False, comment="When (UTC) it came into the roster."),
    Column("retired_at", UtcTime, comment="When (UTC) it left the roster."),
    CheckConstraint("opens_minute >= 0 AND opens_minute < closes_minute AND closes_minute <= 1440", name="hours"),
    comment="What guests book on.",
)

associated_calendars = Table(
    "associated_calendars",
    metadata,
    surrogate_key(),
    refers("page_id", "booking_pages.id", "Booking page."),
    refers("calendar_id", "calendars.id", "Calendar."),
    *closed("role", Role, "What the calendar does on the page."),
    Column("added_at", UtcTime, nullable=False, comment="When (UTC) the roster gave it this role."),
    Column("retired_at", UtcTime, comment="When (UTC) the roster took it away."),
    Index(
        "uq_associated_calendars_current",
        "page_id",
        "calendar_id",
        "role",
        unique=True,
        sqlite_where=text("retired_at IS NULL"),
        postgresql_where=text("retired_at IS NULL"),
    ),
    Index(
        "uq_associated_calendars_main",
        "page_id",
        unique=True,
        sqlite_where=text("retired_at IS NULL AND role = 'main'"),
        postgresql_where=text("retired_at IS NULL AND role = 'main'"),
    ),
    comment="A calendar's role on a booking page.",
)

permissions = Table(
    "permissions",
    metadata,
    surrogate_key(),
    refers("connection_id", "connections.id", "Connection whose right it is."),
    refers("calendar_id", "calendars.id", "Calendar."),
    *closed("need", Need, "What the product needs there."),
    *closed("required", PermissionLevel, "Lowest level that grants it."),
    *closed("observed", PermissionLevel, "Level that was seen; NULL where it cannot be told.", nullable=True),
    *closed("evidence", Evidence, "What the verdict rests on; NULL where nothing could be seen.", nullable=True),
    *closed("verdict", Verdict, "The verdict."),
    *closed("reason", Reason, "Why it is not granted.", nullable=True),
    Column("detail", Text, comment="The server's response code that goes with the reason."),
    *history("connection_id", "calendar_id", "need", table="permissions"),
    Index("ix_permissions_calendar_id", "calendar_id"),
    Index("ix_permissions_valid_to", "valid_to"),
    comment="History: the verdict for one connection, calendar and need; closed when verdict, level or reason changes.",
)

busy_intervals = Table(
    "busy_intervals",
    metadata,
    surrogate_key(),
    refers("calendar_id", "calendars.id", "Calendar."),
    Column("starts_at", UtcTime, nullable=False, comment="Start (UTC)."),
    Column("ends_at", UtcTime, nullable=False, comment="End (UTC), after the start."),
    *closed("status", BusyStatus, "How the owner is occupied."),
    Column("count", Integer, nullable=False, comment="How many equal intervals were answered."),
    CheckConstraint("ends_at > starts_at", name="length"),
    CheckConstraint("count > 0", name="count"),
    *history("calendar_id", "starts_at", "ends_at", "status", table="busy_intervals"),
    *_looked_up_in("busy_intervals", "ends_at"),
    comment="History: a busy interval of a calendar, as answered; identity is calendar, start, end and status.",
)

coverage = Table(
    "coverage",
    metadata,
    surrogate_key(),
    refers("calendar_id", "calendars.id", "Calendar."),
    Column("starts_at", UtcTime, nullable=False, comment="Start (UTC) of the window; slides in a current row."),
    Column("ends_at", UtcTime, nullable=False, comment="End (UTC) of the window; slides in a current row."),
    *closed("state", CoverageState, "Covered by an answer, or unknown."),
    *closed("reason", Reason, "Why it is unknown.", nullable=True),
    Column("detail", Text, comment="A response code, or the start of the appointment that could not be read."),
    Column("as_of", UtcTime, nullable=False, comment="When (UTC) the last answer was asked for; updated in place."),
    Column("failures", Integer, nullable=False, comment="Harvests without an answer since then; updated in place."),
    CheckConstraint("ends_at > starts_at", name="length"),
    CheckConstraint("(state = 'covered') = (reason IS NULL)", name="reason_given"),
    *history("calendar_id", "starts_at", table="coverage"),
    *_looked_up_in("coverage", "valid_from"),
    Index("ix_coverage_valid_from", "valid_from"),
    comment="History: for which window a calendar's busy time is known, as of when, and why not elsewhere.",
)

events = Table(
    "events",
    metadata,
    surrogate_key(),
    Column("tag", Text, nullable=False, comment="What was done, as source:subject:action."),
    Column("at", UtcTime, nullable=False, comment="When (UTC)."),
    refers("actor_id", "owners.id", "Who did it."),
    refers("run_id", "runs.id", "In which run.", nullable=True),
    Column("details", Text, nullable=False, comment="Ids and counts as JSON text; never an address or a secret."),
    Column("previous_hmac", Text, nullable=False, unique=True, comment="The HMAC of the row before; empty for the first."),
    Column("hmac", Text, nullable=False, comment="HMAC-SHA-256 over this row and the one before, in hexadecimal."),
    Index("ix_events_at", "at"),
    comment="Who did what; append-only, chained.",
)

requests = Table(
    "requests",
    metadata,
    surrogate_key(),
    *closed("kind", RequestKind, "What is asked for."),
    refers("connection_id", "connections.id", "Connection that it is about; NULL = all.", nullable=True),
    refers("actor_id", "owners.id", "Who asked."),
    Column("asked_at", UtcTime, nullable=False, comment="When (UTC) it was asked."),
    refers("taken_run_id", "runs.id", "Run that works on it, or did so last.", nullable=True),
    Column("done_at", UtcTime, comment="When (UTC) it was done; NULL while it waits, or its run is at work."),
    Index("ix_requests_open", "kind", sqlite_where=text("done_at IS NULL"), postgresql_where=text("done_at IS NULL")),
    comment="Something that a person or a program asked for.",
)

looks = Table(
    "looks",
    metadata,
    Column("name", Text, primary_key=True, comment="Who looks: push."),
    Column("looked_at", UtcTime, nullable=False, comment="Instant (UTC) of the last look; what changed since then is new."),
    Column("booking_id", Key, nullable=False, comment="Newest row of bookings that it saw."),
    comment="What was seen by the last look for work; a look that finds nothing leaves no other trace.",
)

permits = Table(
    "permits",
    metadata,
    surrogate_key(),
    refers("connection_id", "connections.id", "Connection that is to log on."),
    Column("host", Text, nullable=False, comment="Machine and boot of the process that asks."),
    Column("process_id", Integer, nullable=False, comment="Process that asks."),
    Column("process_started", Text, nullable=False, comment="When that process started, as its system counts it."),
    Column("heartbeat_at", UtcTime, nullable=False, comment="Last sign of life (UTC)."),
    Index("ix_permits_connection_id", "connection_id"),
    comment="Who logs on now, and who waits to: the first few of each connection may, in the order asked.",
)

locks = Table(
    "locks",
    metadata,
    Column("name", Text, primary_key=True, comment="Flow, connection and shard."),
    Column("holder", Text, nullable=False, comment="Random name of the holding."),
    Column("host", Text, nullable=False, comment="Machine and boot of the holder."),
    Column("process_id", Integer, nullable=False, comment="Process of the holder."),
    Column("process_started", Text, nullable=False, comment="When that process started, as its system counts it."),
    Column("heartbeat_at", UtcTime, nullable=False, comment="Last sign of life (UTC)."),
    refers("run_id", "runs.id", "Run that holds it."),
    comment="Who works on what now; a row is gone when its run has ended.",
)
