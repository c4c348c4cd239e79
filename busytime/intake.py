"""The one rule for what is a booking: for a line of a file, and for a row that another program wrote.

Values may be of any type; a booking comes out, or what is wrong with it. Nothing here raises because of a value.
Pure: the standard library only.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from busytime.bookings import RESERVED_KEY, Booking, BookingState
from busytime.errors import Reason
from busytime.model import Window

#: With the installation's name and at four bytes a character, what an index and a named property of Exchange can hold.
MAX_KEY_LENGTH = 200
#: What Outlook shows of a subject and of a place.
MAX_TITLE_LENGTH = 255
MAX_LOCATION_LENGTH = 255
MAX_BODY_LENGTH = 32_768
MAX_GUESTS = 200
#: Room for the longest address, and for a name in front of it.
MAX_GUEST_LENGTH = 320
#: What an integer column holds.
MAX_REVISION = 2**31 - 1
#: A longer one is a slip of a month or a year; and every server answers so long a window in one request.
MAX_LENGTH = timedelta(days=14)
#: Days before and after any of these can be reckoned, and every time zone is known for them.
YEARS = range(1970, 2200)

# Control characters, halves of characters, and code points that are no characters: XML does not know two of these, and
# requests would carry question marks in place of others. Those of the further planes are written as they are.
_NEVER = "\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
_UNWRITABLE = re.compile(f"[\x00-\x1f{_NEVER}]")
_UNWRITABLE_IN_LINES = re.compile(f"[\x00-\x08\x0b-\x1f{_NEVER}]")
_DIGITS = re.compile("[0-9]{1,10}")
# RFC 3339; PostgreSQL writes a blank for the T and leaves :00 out of the offset. Without offset or seconds it is
# matched too, so that the fault has its right name.
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ](?:[01][0-9]|2[0-3]):[0-9]{2}(?P<seconds>:[0-9]{2}(?:\.[0-9]+)?)?"
    r"(?P<offset>[Zz]|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)?"
)


@dataclass(frozen=True, slots=True)
class BookingFault:
    """One thing that keeps values from being a booking.

    Args:
        reason: From the closed list.
        field: Name of the column; never a value.
    """

    reason: Reason
    field: str


def check_booking(values: Mapping[str, object], pages: Collection[str], *, blanked: bool = False) -> Booking | BookingFault:
    """Read a booking, or say what is wrong with it first.

    Args:
        values: By the names of the columns in ``bookings``; of any type, missing ones as ``None`` or not at all.
        pages: Names of the booking pages in use.
        blanked: Its texts were taken out: no title is asked for.
    """
    found = examine_booking(values, pages, blanked=blanked)
    return found if isinstance(found, Booking) else found[0]


def examine_booking(
    values: Mapping[str, object], pages: Collection[str], *, blanked: bool = False
) -> Booking | tuple[BookingFault, ...]:
    """Read a booking, or say all that is wrong with it; see ``check_booking``."""
    reader = _Reader(values)
    key, page, state = reader.key(), reader.page(pages), reader.state()
    # A booking that was cancelled before anybody heard of it has neither time nor title.
    scheduled = state is BookingState.SCHEDULED
    window = reader.window(required=scheduled)
    title = reader.text("title", MAX_TITLE_LENGTH, required=scheduled and not blanked)
    revision = reader.revision()
    booked_at = reader.instant("booked_at", required=True)
    location = reader.text("location", MAX_LOCATION_LENGTH)
    body = reader.lines("body", MAX_BODY_LENGTH)
    guests = reader.guests()
    if reader.faults or booked_at is None:
        return tuple(reader.faults)
    return Booking(key, page, window, title, state, revision, booked_at, location, body, guests, blanked=blanked)


@dataclass(slots=True)
class _Reader:
    """Reads one value after the other, and collects what is wrong; a wrong value counts as empty from there on."""

    values: Mapping[str, object]
    faults: list[BookingFault] = field(default_factory=list)

    def fault(self, name: str, reason: Reason) -> None:
        """Note what is wrong with a value."""
        self.faults.append(BookingFault(reason, name))

    def key(self) -> str:
        """Read the booking's key."""
        key = self.text("booking_key", MAX_KEY_LENGTH, required=True)
        # Servers may search markers without regard to case: the write probe would find this booking's items, and they its own.
        if key.casefold() == RESERVED_KEY:
            self.fault("booking_key", Reason.KEY_RESERVED)
        elif key != key.strip() or not key.isprintable():
            self.fault("booking_key", Reason.VALUE_UNREADABLE)
        return key

    def page(self, pages: Collection[str]) -> str:
        """Read the name of a page in use, exactly as the roster writes it."""
        page = self.values.get("page")
        if page is None or page == "":
            self.fault("page", Reason.VALUE_MISSING)
        elif not isinstance(page, str):
            self.fault("page", Reason.VALUE_UNREADABLE)
        elif page not in pages:
            self.fault("page", Reason.UNKNOWN_PAGE)
        return page if isinstance(page, str) else ""

    def state(self) -> BookingState:
        """Read what the guest wants; what cannot be read demands no more than a cancelled booking does."""
        state = self.values.get("state")
        if state is None:
            return BookingState.SCHEDULED
        if isinstance(state, str) and state in set(BookingState):
            return BookingState(state)
        self.fault("state", Reason.VALUE_UNREADABLE)
        return BookingState.CANCELLED

    def window(self, *, required: bool) -> Window | None:
        """Read start and end at whole seconds; both or neither."""
        given = any(self.values.get(name) is not None for name in ("starts_at", "ends_at"))
        start = self.instant("starts_at", required=required or given, whole=True)
        end = self.instant("ends_at", required=required or given, whole=True)
        if start is None or end is None:
            return None
        if end <= start:
            self.fault("ends_at", Reason.ENDS_BEFORE_START)
            return None
        if end - start > MAX_LENGTH:
            self.fault("ends_at", Reason.VALUE_TOO_LONG)
        return Window(start, end)

    def instant(self, name: str, *, required: bool, whole: bool = False) -> datetime | None:
        """Read an instant, in RFC 3339 or as the database's own type."""
        value = self.values.get(name)
        if value is None or value == "":
            if required:
                self.fault(name, Reason.VALUE_MISSING)
            return None
        instant = read_instant(value)
        if isinstance(instant, datetime) and whole and instant.microsecond:
            instant = Reason.VALUE_UNREADABLE
        if isinstance(instant, Reason):
            self.fault(name, instant)
            return None
        return instant

    def revision(self) -> int:
        """Read the revision's number; the first where there is none."""
        value = self.values.get("revision")
        if value is None:
            return 1
        if isinstance(value, str) and _DIGITS.fullmatch(value):
            value = int(value)
        # A truth value is a number to Python, and to nobody else.
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_REVISION:
            return value
        self.fault("revision", Reason.VALUE_UNREADABLE)
        return 1

    def text(self, name: str, longest: int, *, required: bool = False) -> str:
        """Read a text of one line."""
        value = self._writable(name, self.values.get(name), longest, _UNWRITABLE)
        if value is not None and required and not value.strip():
            self.fault(name, Reason.VALUE_MISSING)
            return ""
        return value or ""

    def lines(self, name: str, longest: int) -> str:
        """Read a text of several lines; every line ends in the same way."""
        value = self.values.get(name)
        if isinstance(value, str):
            value = value.replace("\r\n", "\n")
        return self._writable(name, value, longest, _UNWRITABLE_IN_LINES) or ""

    def guests(self) -> tuple[str, ...]:
        """Read the guests, from a list or from a text: one a line, or with semicolons between."""
        value = self.values.get("guests")
        parts = list(value) if isinstance(value, list | tuple) else [value]
        if not all(part is None or isinstance(part, str) for part in parts):
            self.fault("guests", Reason.VALUE_UNREADABLE)
            return ()
        # A list is cut up like a text, so that what was stored as one reads the same again.
        text = "\n".join(str(part) for part in parts if part is not None).replace("\r\n", "\n").replace(";", "\n")
        if _UNWRITABLE.search(text.replace("\n", "")):
            self.fault("guests", Reason.CONTROL_CHARACTERS)
            return ()
        guests = tuple(guest for guest in map(str.strip, text.split("\n")) if guest)
        if len(guests) > MAX_GUESTS or any(len(guest) > MAX_GUEST_LENGTH for guest in guests):
            self.fault("guests", Reason.VALUE_TOO_LONG)
        return guests

    def _writable(self, name: str, value: object, longest: int, unwritable: re.Pattern[str]) -> str | None:
        """Return a text that XML, a database and a calendar can hold; ``None`` where it was found wrong."""
        if value is None:
            return ""
        if not isinstance(value, str):
            self.fault(name, Reason.VALUE_UNREADABLE)
        elif len(value) > longest:
            self.fault(name, Reason.VALUE_TOO_LONG)
        elif unwritable.search(value):
            self.fault(name, Reason.CONTROL_CHARACTERS)
        else:
            return value
        return None


def read_instant(value: object) -> datetime | Reason:
    """Return an instant in UTC, or why it is none; it may be the database's own type, or text."""
    instant = _parse_instant(value) if isinstance(value, str) else value
    if isinstance(instant, Reason):
        return instant
    if not isinstance(instant, datetime):
        return Reason.VALUE_UNREADABLE
    if instant.utcoffset() is None:
        return Reason.NO_UTC_OFFSET
    return instant.astimezone(UTC) if instant.year in YEARS else Reason.VALUE_UNREADABLE


def _parse_instant(text: str) -> datetime | Reason:
    """Read an instant as it is written, or say why it is none."""
    match = _TIME.fullmatch(text)
    if match is not None and match["offset"] is None:
        return Reason.NO_UTC_OFFSET
    if match is None or match["seconds"] is None:
        return Reason.VALUE_UNREADABLE
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:
        return Reason.VALUE_UNREADABLE
