"""The tables of pushing: bookings, their entries in calendars, and every attempt at an entry.

`bookings` is the only table into which other programs write. What they write is checked when it is read; the table
itself refuses next to nothing, because one bad row must not keep the good ones beside it out.
"""

from sqlalchemy import Column, Index, Table, Text, UniqueConstraint, text

from busytime.bookings import BookingState, ChangedBy, ChangeKind, EntryState
from busytime.errors import Reason
from busytime.model import Outcome
from busytime.store.columns import closed, metadata, refers, surrogate_key
from busytime.store.types import Key, Now, UtcTime

#: Rows to look at whenever they were booked for; the same words as in the index on them, or it would not be used.
SPECIAL = text("checked_at IS NULL OR refused IS NOT NULL OR effective_ends_at IS NOT NULL")
#: Rows that still hold what guests wrote; the same words as in the index on them.
WRITTEN = text("blanked_at IS NULL")

bookings = Table(
    "bookings",
    metadata,
    surrogate_key(),
    Column("booking_key", Text, nullable=False, comment="Stable outside key of the booking."),
    Column("page", Text, comment="Name of the booking page, as given."),
    Column("starts_at", UtcTime, comment="Start (UTC), as booked; NULL where a cancelled booking was never scheduled."),
    Column("ends_at", UtcTime, comment="End (UTC), as booked."),
    Column("title", Text, comment="Title of the items; shown by no view."),
    Column("location", Text, comment="Place of the items; shown by no view."),
    Column("body", Text, comment="Text of the items; shown by no view."),
    Column("guests", Text, comment="The guests, one a line; shown by no view."),
    Column("state", Text, comment="What the guest wants: scheduled or cancelled."),
    Column("revision", Key, nullable=False, comment="Number of the revision; the newest good one is what counts."),
    Column("booked_at", UtcTime, server_default=Now(), comment="When (UTC) it was booked."),
    Column("effective_starts_at", UtcTime, comment="Start (UTC) after the owner moved it; NULL = as booked."),
    Column("effective_ends_at", UtcTime, comment="End (UTC) after the owner moved it; NULL = as booked."),
    *closed("effective_state", BookingState, "State after the owner removed it; NULL = as booked.", nullable=True),
    *closed("changed_by", ChangedBy, "Who set its present time and state.", nullable=True, default=ChangedBy.GUEST),
    refers("run_id", "runs.id", "Run that wrote it; NULL where a command or another program did.", nullable=True),
    Column("checked_at", UtcTime, comment="When (UTC) it was last found good or refused; NULL = not looked at yet."),
    *closed("refused", Reason, "Why it is left out; it is looked at again each time.", nullable=True),
    Column("refused_field", Text, comment="The column that is wrong."),
    Column("blanked_at", UtcTime, comment="When (UTC) title, place, text and guests were taken out; NULL = they were not."),
    UniqueConstraint("booking_key", "revision"),
    Index("ix_bookings_ends_at", "ends_at"),
    Index("ix_bookings_written", "ends_at", sqlite_where=WRITTEN, postgresql_where=WRITTEN),
    Index("ix_bookings_special", "booking_key", sqlite_where=SPECIAL, postgresql_where=SPECIAL),
    comment="One revision of a booking. Other programs may insert rows; each is checked as a line of a file is.",
)

entries = Table(
    "entries",
    metadata,
    surrogate_key(),
    Column("booking_key", Text, nullable=False, comment="The booking."),
    refers("calendar_id", "calendars.id", "The calendar."),
    *closed("state", EntryState, "How it stands."),
    Column("attempt_id", Text, comment="Random name of the newest intent; a row in changes ends it."),
    *closed("intent", ChangeKind, "What was to be done by it.", nullable=True),
    Column("intended_revision", Key, comment="The booking's revision that was meant by it."),
    Column("intended_starts_at", UtcTime, comment="Start (UTC) that was meant by it."),
    Column("intended_ends_at", UtcTime, comment="End (UTC) that was meant by it."),
    Column("intended_at", UtcTime, comment="When (UTC) it was committed, before anything was sent."),
    Column("item_id", Text, comment="The server's id of the item, once seen."),
    Column("change_key", Text, comment="The item's version there."),
    Column("revision", Key, comment="The booking's revision that was written last."),
    Column("starts_at", UtcTime, comment="Start (UTC) that was written, or seen, last."),
    Column("ends_at", UtcTime, comment="End (UTC) that was written, or seen, last."),
    Column("verified_at", UtcTime, comment="When (UTC) it was last read back as it should be."),
    *closed("reason", Reason, "Why it is not as it should be.", nullable=True),
    Column("detail", Text, comment="The server's response code that goes with the reason."),
    Column("updated_at", UtcTime, nullable=False, comment="Instant (UTC) of the transaction that wrote it last."),
    refers("run_id", "runs.id", "Run that wrote it last.", nullable=True),
    UniqueConstraint("booking_key", "calendar_id"),
    Index("ix_entries_calendar_id_state", "calendar_id", "state"),
    Index("ix_entries_intended_at", "intended_at"),
    comment="One booking in one calendar.",
)

changes = Table(
    "changes",
    metadata,
    surrogate_key(),
    refers("run_id", "runs.id", "Run that ended the attempt."),
    refers("entry_id", "entries.id", "The entry."),
    Column("attempt_id", Text, nullable=False, unique=True, comment="Random name of the attempt."),
    Column("booking_key", Text, nullable=False, comment="The booking."),
    refers("calendar_id", "calendars.id", "The calendar."),
    *closed("change", ChangeKind, "What was to be done."),
    Column("revision", Key, nullable=False, comment="The booking's revision that was meant."),
    Column("starts_at", UtcTime, comment="Start (UTC) that was meant; of a cancellation, the entry's."),
    Column("ends_at", UtcTime, comment="End (UTC) that was meant."),
    Column("before_starts_at", UtcTime, comment="Start (UTC) of the entry before it."),
    Column("before_ends_at", UtcTime, comment="End (UTC) of the entry before it."),
    *closed("outcome", Outcome, "How it ended."),
    *closed("reason", Reason, "Why it was not applied.", nullable=True),
    Column("error_code", Text, comment="The server's response code, where there was one."),
    Column("intended_at", UtcTime, comment="When (UTC) the intent was committed; NULL where nothing was to be sent."),
    Column("finished_at", UtcTime, nullable=False, comment="Instant (UTC) of the transaction that ended it."),
    Index("ix_changes_run_id", "run_id"),
    Index("ix_changes_intended_at", "intended_at"),
    Index("ix_changes_finished_at", "finished_at"),
    Index("ix_changes_booking_key", "booking_key"),
    comment="One finished attempt at an entry and its outcome; append-only.",
)
