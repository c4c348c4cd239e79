"""The error tree and the closed list of reasons.

The class of an error says what the caller does next, the leaf says what happened. A message names the
mailbox, the operation and the reader's next step; never a subject, a secret or a server's own text.
Pure: the standard library only.
"""

from enum import StrEnum
from typing import Any


class Reason(StrEnum):
    """Why something is not as it should be: one list for tables, messages and machine output."""

    NO_ACCESS = "no_access"
    MAILBOX_NOT_FOUND = "mailbox_not_found"
    FOLDER_NOT_FOUND = "folder_not_found"
    NO_CALENDAR = "no_calendar"
    NO_DATA = "no_data"
    ENDS_BEFORE_START = "ends_before_start"
    MISSING_ANSWER = "missing_answer"
    MALFORMED_ANSWER = "malformed_answer"
    ANSWER_TOO_LARGE = "answer_too_large"
    TOO_MANY_APPOINTMENTS = "too_many_appointments"
    WINDOW_TOO_LONG = "window_too_long"
    MAILBOX_UNAVAILABLE = "mailbox_unavailable"
    SERVER_BUSY = "server_busy"
    SERVER_ERROR = "server_error"
    TIMED_OUT = "timed_out"
    CONNECTION_LOST = "connection_lost"
    SERVER_UNREACHABLE = "server_unreachable"
    CERTIFICATE_NOT_TRUSTED = "certificate_not_trusted"
    TLS_TOO_OLD = "tls_too_old"
    NOT_AN_EWS_SERVER = "not_an_ews_server"
    EWS_BLOCKED = "ews_blocked"
    NO_MAILBOX = "no_mailbox"
    LOGON_REFUSED = "logon_refused"
    ALLOWANCE_USED_UP = "allowance_used_up"
    BREAKER_OPEN = "breaker_open"
    NO_CONNECTION = "no_connection"
    KEY_MISSING = "key_missing"
    LOCK_LOST = "lock_lost"
    NEVER_HARVESTED = "never_harvested"
    OUTDATED = "outdated"
    LEVEL_TOO_LOW = "level_too_low"
    SUB_CALENDAR_NEEDS_REVIEWER = "sub_calendar_needs_reviewer"
    EXTERNAL_IS_READ_ONLY = "external_is_read_only"
    GRANT_AWAITED = "grant_awaited"
    NOT_PROVEN = "not_proven"
    WRITE_DENIED = "write_denied"
    IS_A_GROUP = "is_a_group"
    NEVER_VALIDATED = "never_validated"
    SLOT_TAKEN = "slot_taken"
    MAIN_NOT_THERE = "main_not_there"
    PAGE_BLOCKED = "page_blocked"
    ANSWER_LOST = "answer_lost"
    COPIED_BY_OWNER = "copied_by_owner"
    FOREIGN_ITEM = "foreign_item"
    CHANGED_MEANWHILE = "changed_meanwhile"
    READ_BACK_DIFFERS = "read_back_differs"
    GONE = "gone"
    TOO_MANY_MAILBOXES = "too_many_mailboxes"
    PACED = "paced"
    AT_WORK_ELSEWHERE = "at_work_elsewhere"
    GATE_CLOSED = "gate_closed"
    DATABASE_RESTORED = "database_restored"
    NOT_ON_ROSTER = "not_on_roster"
    UNKNOWN_PAGE = "unknown_page"
    VALUE_MISSING = "value_missing"
    VALUE_UNREADABLE = "value_unreadable"
    VALUE_TOO_LONG = "value_too_long"
    CONTROL_CHARACTERS = "control_characters"
    NO_UTC_OFFSET = "no_utc_offset"
    KEY_RESERVED = "key_reserved"
    REVISION_DIFFERS = "revision_differs"
    PASSWORD_EXPIRED = "password_expired"  # noqa: S105 -- the name of a reason, not a secret
    ACCOUNT_DISABLED = "account_disabled"
    PASSWORDS_ENDED = "passwords_ended"
    NO_LOGON_METHOD = "no_logon_method"
    IMPERSONATION_DENIED = "impersonation_denied"
    REDIRECTED = "redirected"
    DISCONNECTED = "disconnected"
    SECRET_RENEWED = "secret_renewed"  # noqa: S105 -- as above
    STOPPED = "stopped"
    UNEXPECTED = "unexpected"

    @property
    def definite(self) -> bool:
        """Whether it makes a calendar unknown at once; any other reason leaves it known until ``max_age`` is over."""
        return self in _DEFINITE


_DEFINITE = frozenset(
    {
        Reason.NO_ACCESS,
        Reason.MAILBOX_NOT_FOUND,
        Reason.FOLDER_NOT_FOUND,
        Reason.NO_CALENDAR,
        Reason.NO_DATA,
        Reason.ENDS_BEFORE_START,
    }
)

#: One line for each reason, shown by commands and printed in the data dictionary.
REASON_TEXTS: dict[Reason, str] = {
    Reason.NO_ACCESS: "the connection may not see this calendar's busy time",
    Reason.MAILBOX_NOT_FOUND: "the server knows no mailbox of this address",
    Reason.FOLDER_NOT_FOUND: "no such folder, or the connection may not see it",
    Reason.NO_CALENDAR: "the mailbox has no calendar",
    Reason.NO_DATA: "the server has no busy time for this calendar",
    Reason.ENDS_BEFORE_START: "an appointment ends before it starts",
    Reason.MISSING_ANSWER: "the server left this calendar out of its answer",
    Reason.MALFORMED_ANSWER: "the server's answer could not be read",
    Reason.ANSWER_TOO_LARGE: "the server's answer was larger than the limit",
    Reason.TOO_MANY_APPOINTMENTS: "more appointments than the server tells, even in the smallest window",
    Reason.WINDOW_TOO_LONG: "the server refuses even the shortest window",
    Reason.MAILBOX_UNAVAILABLE: "the server cannot reach this mailbox now",
    Reason.SERVER_BUSY: "the server asked to be left alone for a while",
    Reason.SERVER_ERROR: "the server reported an error of its own",
    Reason.TIMED_OUT: "no complete answer within the deadline",
    Reason.CONNECTION_LOST: "the server closed the connection without an answer",
    Reason.SERVER_UNREACHABLE: "the server could not be reached",
    Reason.CERTIFICATE_NOT_TRUSTED: "the server's certificate is not trusted",
    Reason.TLS_TOO_OLD: "the server offers no TLS 1.2 or newer",
    Reason.NOT_AN_EWS_SERVER: "this address does not answer as an EWS server",
    Reason.EWS_BLOCKED: "the server forbids EWS to this account or application",
    Reason.NO_MAILBOX: "the account that logs on has no mailbox",
    Reason.LOGON_REFUSED: "the server refused the user name or the password",
    Reason.ALLOWANCE_USED_UP: "one more refused log-on could lock the account",
    Reason.BREAKER_OPEN: "a log-on was refused; no further one is sent until a person acts",
    Reason.NO_CONNECTION: "no connection serves this calendar",
    Reason.KEY_MISSING: "the key that opens the stored secret is missing or wrong",
    Reason.LOCK_LOST: "another run took over this work",
    Reason.NEVER_HARVESTED: "this window was never harvested",
    Reason.OUTDATED: "the last answer is older than max_age",
    Reason.LEVEL_TOO_LOW: "the permission level is too low",
    Reason.SUB_CALENDAR_NEEDS_REVIEWER: "a sub-calendar can be read only with Reviewer or a higher level",
    Reason.EXTERNAL_IS_READ_ONLY: "a calendar of another organisation can only be read",
    Reason.GRANT_AWAITED: "asked for, and no right seen yet; a grant can take 48 hours to arrive",
    Reason.NOT_PROVEN: "the right to create is there; whether entries can be changed is not shown",
    Reason.WRITE_DENIED: "the server denied a write",
    Reason.IS_A_GROUP: "the address is a distribution list, not a person",
    Reason.NEVER_VALIDATED: "no validation could look at this calendar yet",
    Reason.SLOT_TAKEN: "the slot is taken in the page's main or busy calendars",
    Reason.MAIN_NOT_THERE: "it waits for the booking's entry in the main calendar",
    Reason.PAGE_BLOCKED: "the page's main calendar may not be written to",
    Reason.ANSWER_LOST: "the server's answer to a write was lost; the next push looks it up",
    Reason.COPIED_BY_OWNER: "the owner copied the entry; the copy is left alone",
    Reason.FOREIGN_ITEM: "the item does not carry this booking's marker, so it is not touched",
    Reason.CHANGED_MEANWHILE: "somebody changed the item while it was written",
    Reason.READ_BACK_DIFFERS: "read back, the item is not as it was written",
    Reason.GONE: "the item is no longer in the calendar",
    Reason.TOO_MANY_MAILBOXES: "the server takes writes into fewer mailboxes at a time",
    Reason.PACED: "it waits, because many mailboxes were written to in the last minutes",
    Reason.AT_WORK_ELSEWHERE: "another process writes into this calendar now",
    Reason.GATE_CLOSED: "the page's plan moves or cancels more than its gate allows",
    Reason.DATABASE_RESTORED: "calendars hold entries that these tables have forgotten: the database was restored",
    Reason.NOT_ON_ROSTER: "its calendar or its page left the roster",
    Reason.UNKNOWN_PAGE: "the roster has no booking page of this name",
    Reason.VALUE_MISSING: "a value is missing",
    Reason.VALUE_UNREADABLE: "a value cannot be read",
    Reason.VALUE_TOO_LONG: "a text, or the booking itself, is longer than it may be",
    Reason.CONTROL_CHARACTERS: "a text holds control characters, or what is no whole character",
    Reason.NO_UTC_OFFSET: "a time has no UTC offset",
    Reason.KEY_RESERVED: "this key is kept for the product itself",
    Reason.REVISION_DIFFERS: "this revision is stored with other values",
    Reason.PASSWORD_EXPIRED: "the password has expired, or has to be changed before the next log-on",
    Reason.ACCOUNT_DISABLED: "the account is disabled",
    Reason.PASSWORDS_ENDED: "this server takes no passwords any more, only tokens (OAuth)",
    Reason.NO_LOGON_METHOD: "the server offers no way of logging on that busytime knows",
    Reason.IMPERSONATION_DENIED: "the application may not act as this mailbox",
    Reason.REDIRECTED: "the server leads to another address",
    Reason.DISCONNECTED: "the connection was ended",
    Reason.SECRET_RENEWED: "the connection's secret was renewed meanwhile",
    Reason.STOPPED: "somebody stopped it",
    Reason.UNEXPECTED: "an error that busytime does not know; see the log",
}


class BusyTimeError(Exception):
    """Root of the tree.

    Args:
        message: For a person: what happened, where, and what to do next.
        reason: From the closed list, for tables and machine output.
        detail: A response code or an instant; never free text of a server.
    """

    default_reason = Reason.UNEXPECTED

    def __init__(self, message: str = "", *, reason: Reason | None = None, detail: str | None = None) -> None:
        """Keep the message first and the context by name, so that every leaf pickles."""
        super().__init__(message)
        self.reason = reason or self.default_reason
        self.detail = detail

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the message as argument and the context as state."""
        return (type(self), self.args, self.__dict__)


class ConfigurationError(BusyTimeError):
    """Settings, arguments or a file are wrong; raised before any I/O with a server."""


class FatalError(BusyTimeError):
    """Stop the run."""


class AuthenticationError(FatalError):
    """The server refused the user name or the password.

    Attributes:
        noted: Whether the guard of the request has written it down already.
    """

    default_reason = Reason.LOGON_REFUSED
    noted = False


class BreakerOpenError(FatalError):
    """A log-on was refused earlier; nothing is sent until a person acts."""

    default_reason = Reason.BREAKER_OPEN


class AllowanceUsedUpError(FatalError):
    """One more refused log-on could lock the account."""

    default_reason = Reason.ALLOWANCE_USED_UP


class NoConnectionError(FatalError):
    """There is no connection to work through."""

    default_reason = Reason.NO_CONNECTION


class KeyMissingError(FatalError):
    """The master key is missing or does not open the stored secret."""

    default_reason = Reason.KEY_MISSING


class UnsupportedServerError(FatalError):
    """The server is not one that this connection can work with, or its certificate is not trusted."""

    default_reason = Reason.NOT_AN_EWS_SERVER


class UnsafePlanError(FatalError):
    """A plan changes more than its gate allows."""


class RestoredDatabaseError(UnsafePlanError):
    """Calendars hold entries that the tables have forgotten; nothing is written until somebody takes them over."""

    default_reason = Reason.DATABASE_RESTORED


class RunsAtWorkError(UnsafePlanError):
    """Runs are at work on the tables that were to be upgraded; nothing was changed."""

    default_reason = Reason.AT_WORK_ELSEWHERE


class UpgradeFailedError(FatalError):
    """An upgrade of the tables broke off; the database is as it was."""


class LockLostError(FatalError):
    """Another run took over this work while this process was frozen; nothing was written."""

    default_reason = Reason.LOCK_LOST


class RetriableError(BusyTimeError):
    """The step may run again."""


class ServerBusyError(RetriableError):
    """The server asked to be left alone.

    Args:
        back_off_seconds: How long, in seconds; ``None`` where the server did not say.
    """

    default_reason = Reason.SERVER_BUSY

    def __init__(self, message: str = "", *, back_off_seconds: float | None = None, detail: str | None = None) -> None:
        """Keep the server's back-off beside the message."""
        super().__init__(message, detail=detail)
        self.back_off_seconds = back_off_seconds


class PauseInForceError(ServerBusyError):
    """The server asked for a pause that is not over; nothing was sent, and nothing new was asked for."""


class TooManyMailboxesError(ServerBusyError):
    """The server takes no writes into further mailboxes for a while."""

    default_reason = Reason.TOO_MANY_MAILBOXES


class ServerUnavailableError(RetriableError):
    """The server as a whole does not answer: refused, no such name, 503."""

    default_reason = Reason.SERVER_UNREACHABLE


class SpoiltAnswerError(RetriableError):
    """The server took the request and gave no usable answer; one mailbox in it may be the cause."""

    default_reason = Reason.SERVER_ERROR


class SecretRenewedError(RetriableError):
    """The secret at hand is not the current one any more; nothing was sent with it."""

    default_reason = Reason.SECRET_RENEWED


class SkippableError(BusyTimeError):
    """An outcome for this calendar or booking; go on with the others."""


class PermissionMissingError(SkippableError):
    """The connection lacks the right."""

    default_reason = Reason.NO_ACCESS


class MailboxNotFoundError(SkippableError):
    """No such mailbox."""

    default_reason = Reason.MAILBOX_NOT_FOUND


class FolderNotFoundError(SkippableError):
    """No such folder, or the connection may not see it."""

    default_reason = Reason.FOLDER_NOT_FOUND


class ConflictError(SkippableError):
    """The item was changed since it was read."""

    default_reason = Reason.CHANGED_MEANWHILE


class WindowTooLargeError(SkippableError):
    """The window is too long for the server, or holds more items than it tells: ask in smaller windows."""

    default_reason = Reason.TOO_MANY_APPOINTMENTS


class CalendarUnreadableError(SkippableError):
    """The server answered for this calendar, and the answer does not say when its owner is busy."""

    default_reason = Reason.NO_DATA


class AmbiguousWriteError(BusyTimeError):
    """A write may have happened; look it up by marker."""

    default_reason = Reason.ANSWER_LOST
