"""Closed lists in words: a line for every value that a check constraint lets in."""

from enum import StrEnum
from typing import NamedTuple

from busytime.alarms import AlarmKind, Word
from busytime.bookings import BookingState, ChangedBy, ChangeKind, EntryState, OwnerChanges
from busytime.errors import REASON_TEXTS, Reason
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


class ClosedList(NamedTuple):
    """A closed list: its name, its type, and a line for each value."""

    name: str
    values: type[StrEnum]
    lines: tuple[str, ...]


CLOSED_LISTS: tuple[ClosedList, ...] = (
    ClosedList("Reason", Reason, tuple(REASON_TEXTS[reason] for reason in Reason)),
    ClosedList(
        "Run status",
        RunStatus,
        (
            "it is at work",
            "all was done",
            "it was done, and some calendars or bookings are not as they should be",
            "another run of the same scope was at work",
            "it was not begun: a gate, the breaker or the log-on forbade it",
            "an error ended it; what it had committed stays",
            "its process died; the next run found it",
        ),
    ),
    ClosedList(
        "Trigger",
        Trigger,
        ("the schedule", "a person's command", "a changed password", "a row in requests"),
    ),
    ClosedList(
        "Outcome",
        Outcome,
        (
            "it was done",
            "it had been done before",
            "something else stands in the way",
            "it was left out",
            "it was not allowed",
            "an error ended it",
            "it may have happened; the next push looks it up",
        ),
    ),
    ClosedList("Coverage state", CoverageState, ("an answer covers the window", "nothing is known of the window")),
    ClosedList("Busy status", BusyStatus, ("busy", "tentatively booked", "out of office", "working elsewhere")),
    ClosedList(
        "Entry state",
        EntryState,
        (
            "it is to be made",
            "an intent is committed, its outcome is not known yet",
            "it is in the calendar as it should be",
            "a write was sent and its answer lost; the next push looks it up",
            "the slot is taken, or the item was changed by somebody",
            "the page may not be written to",
            "no log-on is possible now",
            "its owner moved it",
            "its owner removed it",
            "it is gone, as it should be",
            "it could not be written",
            "its calendar or page left the roster; it was left where it is",
        ),
    ),
    ClosedList("Change", ChangeKind, ("make an entry", "change it", "remove it")),
    ClosedList("Booking state", BookingState, ("it takes place", "it does not")),
    ClosedList("Changed by", ChangedBy, ("a guest, by a new revision", "the owner, in the calendar")),
    ClosedList("Owner changes", OwnerChanges, ("leave them, and say so", "let the booking follow them")),
    ClosedList(
        "Verdict",
        Verdict,
        (
            "the right is there",
            "there is a right, and it is too low",
            "there is no right",
            "asked for, and no right seen yet",
            "it could not be looked at",
            "some of the right is shown, not all of it",
        ),
    ),
    ClosedList("Need", Need, ("read busy time", "write entries")),
    ClosedList(
        "Evidence",
        Evidence,
        (
            "the rights that the server names with the folder",
            "the rights that the server names with items",
            "the folder's list of permissions",
            "an answer of the availability service",
            "an answer to a calendar view",
            "an entry that was written and removed again",
        ),
    ),
    ClosedList(
        "Permission level",
        PermissionLevel,
        (
            "no right",
            "sees when the owner is busy",
            "sees busy time, subjects and places",
            "reads items",
            "creates items",
            "creates and reads items, deletes own ones",
            "creates and reads items, changes and deletes own ones",
            "an Author who makes sub-folders",
            "reads, creates, changes and deletes all items",
            "an Editor who makes sub-folders",
            "all rights",
            "a combination that has no name",
            "a delegate with the level Editor",
        ),
    ),
    ClosedList("Role", Role, ("the booking goes here", "it is copied here", "busy time is read here")),
    ClosedList("Calendar kind", CalendarKind, ("the default calendar", "a sub-calendar", "one of another organisation")),
    ClosedList("Connection mode", ConnectionMode, ("the dedicated mailbox that serves everybody", "a person's own account")),
    ClosedList("Authentication", AuthType, ("Basic: each request is a log-on", "NTLM: each connection is one", "OAuth: tokens")),
    ClosedList("Breaker", Breaker, ("log-ons pass", "no log-on passes until a person acts")),
    ClosedList(
        "Log-on answer",
        LogonAnswer,
        (
            "the password is right",
            "the password is wrong, or the account is shut",
            "it was claimed and never sent",
            "the server answered without a word on the password",
            "no answer came; the directory may have counted it",
        ),
    ),
    ClosedList("Caused by", LogonBy, ("the machine by itself", "a person")),
    ClosedList("Request", RequestKind, ("make up for what was missed", "look at permissions anew", "push bookings")),
    ClosedList(
        "Alarm",
        AlarmKind,
        (
            "no log-on passes until a person acts",
            "a right that was granted is not there any more",
            "calendars are unknown, because their last answer is too old",
            "bookings cannot be written into their calendars",
            "a flow does not run, or not to its end",
        ),
    ),
    ClosedList("Word", Word, ("that the alarm stands", "that it is over")),
)
