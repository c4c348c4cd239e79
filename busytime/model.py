"""Values that every part of the product shares.

Pure: the standard library only. Nothing here reads a clock, a file or a server.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import NoReturn

from busytime.errors import ConfigurationError, Reason


class BusyStatus(StrEnum):
    """How an owner is occupied in an interval; free time is the absence of intervals."""

    BUSY = "busy"
    TENTATIVE = "tentative"
    OUT_OF_OFFICE = "out_of_office"
    WORKING_ELSEWHERE = "working_elsewhere"


class CalendarKind(StrEnum):
    """What a calendar folder is: the default one, a sub-calendar, or one of another organisation."""

    DEFAULT = "default"
    SUB = "sub"
    EXTERNAL = "external"


class Role(StrEnum):
    """What a calendar does on a booking page."""

    MAIN = "main"
    ADDITIONAL = "additional"
    BUSY = "busy"


class ConnectionMode(StrEnum):
    """Whom a connection serves: everybody, or the person whose account it is."""

    CORPORATE = "corporate"
    PERSONAL = "personal"


class AuthType(StrEnum):
    """How a connection logs on."""

    BASIC = "basic"
    NTLM = "ntlm"
    OAUTH = "oauth"


#: What people call the ways to log on.
AUTH_NAMES = {AuthType.BASIC: "Basic", AuthType.NTLM: "NTLM", AuthType.OAUTH: "OAuth"}


class Breaker(StrEnum):
    """The switch that stops every log-on of a connection: no log-on passes while it is open."""

    CLOSED = "closed"
    OPEN = "open"


class LogonAnswer(StrEnum):
    """What became of one attempt to log on.

    ``unjudged``: the server answered without a word on the password. ``unknown``: no answer came, so the directory
    may have counted it.
    """

    ACCEPTED = "accepted"
    REFUSED = "refused"
    NOT_SENT = "not_sent"
    UNJUDGED = "unjudged"
    UNKNOWN = "unknown"


class LogonBy(StrEnum):
    """Who caused a log-on: the machine by itself, or a person."""

    MACHINE = "machine"
    PERSON = "person"


class RunStatus(StrEnum):
    """How a run stands or ended."""

    RUNNING = "running"
    COMPLETED = "completed"
    COMPLETED_WITH_FAILURES = "completed_with_failures"
    SKIPPED = "skipped"
    REFUSED = "refused"
    FAILED = "failed"
    CRASHED = "crashed"


class Trigger(StrEnum):
    """What started a run."""

    SCHEDULE = "schedule"
    MANUAL = "manual"
    PASSWORD_CHANGE = "password_change"  # noqa: S105 -- the name of a trigger, not a secret
    REQUEST = "request"


class RequestKind(StrEnum):
    """What a person or a program asks for."""

    RESYNC = "resync"
    VALIDATE = "validate"
    PUSH = "push"


class Outcome(StrEnum):
    """How one attempt of a step or of a change ended."""

    APPLIED = "applied"
    ALREADY_APPLIED = "already_applied"
    CONFLICT = "conflict"
    SKIPPED = "skipped"
    REFUSED = "refused"
    FAILED = "failed"
    UNKNOWN = "unknown"


class CoverageState(StrEnum):
    """Whether a window of a calendar is covered by an answer."""

    COVERED = "covered"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """A half-open span of time ``[start, end)``.

    Args:
        start: Aware instant, kept in UTC.
        end: Aware instant after ``start``, kept in UTC.

    Raises:
        ConfigurationError: An instant has no offset or is too far away, or the end is not after the start.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        """Bring both ends to UTC and refuse what is not a window."""
        for name in ("start", "end"):
            value: datetime = getattr(self, name)
            if value.tzinfo is None:
                raise ConfigurationError(
                    f"The window's {name} {value.isoformat()} has no UTC offset; add one, for example +00:00."
                )
            if value.year in (MINYEAR, MAXYEAR):  # no day before or after it could be reckoned
                raise ConfigurationError(f"The window's {name} {value.isoformat()} is too far away; give a nearer one.")
            object.__setattr__(self, name, value.astimezone(UTC))
        if self.end <= self.start:
            raise ConfigurationError(
                f"The window ends ({self.end.isoformat()}) before or when it starts ({self.start.isoformat()}); give a later end."
            )

    @property
    def length(self) -> timedelta:
        """The window's length."""
        return self.end - self.start

    def overlaps(self, start: datetime, end: datetime) -> bool:
        """Tell whether ``[start, end)`` shares an instant with the window."""
        return start < self.end and end > self.start

    def split(self, days: int) -> Iterator["Window"]:
        """Yield the window in consecutive parts of at most ``days`` days."""
        step = timedelta(days=days)
        start = self.start
        while start < self.end:
            end = min(start + step, self.end)
            yield Window(start, end)
            start = end

    def halves(self) -> tuple["Window", "Window"]:
        """Cut the window in the middle, at a whole second."""
        middle = self.start + timedelta(seconds=int(self.length.total_seconds()) // 2)
        return Window(self.start, middle), Window(middle, self.end)


def harvest_window(now: datetime, horizon_days: int) -> Window:
    """Return the window of a regular harvest: 00:00 UTC yesterday to 00:00 UTC ``horizon_days`` ahead."""
    today: date = now.astimezone(UTC).date()
    midnight = datetime.combine(today, time(), UTC)
    return Window(midnight - timedelta(days=1), midnight + timedelta(days=horizon_days))


#: One busy interval as answered: start and end in aware UTC, and the status. A plain tuple,
#: because a harvest holds one for every appointment it reads.
Interval = tuple[datetime, datetime, BusyStatus]


@dataclass(frozen=True, slots=True)
class BusyTime:
    """What a server answered for one calendar and window: every interval, repeated ones included, in any order."""

    intervals: tuple[Interval, ...]


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Why one calendar has no busy time for a window.

    Args:
        reason: From the closed list.
        detail: A server's response code or an instant; never a text that a server or a person wrote.
    """

    reason: Reason
    detail: str | None = None


#: One calendar's part of an answer.
BusyAnswer = BusyTime | Unanswered


@dataclass(frozen=True, slots=True)
class FoundFolder:
    """A calendar folder that a server showed: its id, its parent's id and its display name."""

    folder_id: str
    parent_id: str
    name: str


@dataclass(frozen=True, slots=True)
class FolderList:
    """The calendar folders of one mailbox that the connection can see.

    Args:
        folders: The default calendar first, then those below and beside it.
        beside_seen: Whether the mailbox's root let us look beside the calendar.
        calendar_seen: Whether the default calendar shows itself; where it does not, the first entry only holds its
            place, without a name.
    """

    folders: tuple[FoundFolder, ...]
    beside_seen: bool
    calendar_seen: bool = True


@dataclass(frozen=True, slots=True)
class SharedCalendar:
    """A calendar of another organisation in the connection's own mailbox.

    Args:
        folder_id: The server's id of its folder.
        owner: The foreign owner's address, where it can be told.
        name: The folder's display name.
    """

    folder_id: str
    owner: str | None
    name: str


@dataclass(frozen=True, slots=True)
class Invitation:
    """A sharing invitation that waits in the connection's own mailbox.

    Args:
        invitation_id: The server's id of the message.
        sender: Address of who sent it, in lower case.
    """

    invitation_id: str
    sender: str


@dataclass(frozen=True, slots=True)
class Calendar:
    """A calendar of the roster as the store knows it.

    Args:
        id: Surrogate key.
        owner: The owner's address, in lower case.
        folder: Path below the owner's default calendar; empty for the default calendar itself.
        kind: Default, sub or external.
        folder_id: The server's folder id, once it was seen.
    """

    id: int
    owner: str
    folder: str
    kind: CalendarKind
    folder_id: str | None = None

    @property
    def label(self) -> str:
        """The calendar's name for people: the address, and the folder's path if there is one."""
        return f"{self.owner}/{self.folder}" if self.folder else self.owner


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    r"""What logs a connection on. Its representation never shows a value.

    Args:
        username: As the server wants it: an e-mail address or ``DOMAIN\\user``.
        password: The password.
    """

    username: str
    password: str

    def __repr__(self) -> str:
        """Show that there is a secret, and nothing of it."""
        return "Secret(***)"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied.

        Raises:
            TypeError: Always.
        """
        msg = "A Secret holds a password and does not leave its process."
        raise TypeError(msg)

    def to_bytes(self) -> bytes:
        """Return it in the form that is sealed."""
        return json.dumps([self.username, self.password]).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Secret":
        """Read it from the form that was sealed."""
        username, password = json.loads(data)
        return cls(username, password)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how an account is reached: all but its secret.

    Args:
        email: The account's address.
        ews_url: The full address of the server's EWS page.
        auth_type: How it logs on.
        ca_pem: The private authority that signed the server's certificate, as PEM text; kept as text, not as
            a path, because other machines share the connection.
        token_url: Where tokens are asked for, under OAuth.
    """

    email: str
    ews_url: str
    auth_type: AuthType = AuthType.BASIC
    ca_pem: str | None = None
    token_url: str | None = None
