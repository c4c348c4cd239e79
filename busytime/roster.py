"""The roster: the calendars that the product looks after, and the booking pages that use them.

Holds the values, the rules for one value (an address, a page's hours, the name of a calendar), and the gate before
calendars are retired. The rules between values stand in ``roster_checks``; ``roster_file`` reads files.
Pure: the standard library only.
"""

import functools
import re
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass

from busytime.bookings import OwnerChanges
from busytime.errors import ConfigurationError
from busytime.folder_path import PathKey, parse_folder_path
from busytime.model import Role

MAX_ADDRESS_LENGTH = 254
MAX_PAGE_NAME_LENGTH = 100
#: Keeps an index over owner and folder within what PostgreSQL allows, four bytes a character.
MAX_FOLDER_LENGTH = 500

_GATE_POPULATION = 10
_GATE_PERCENT = 20
_MINUTES_A_DAY = 24 * 60

_LOCAL_PART = r"[^\s@<>()\[\],;:\\\"]{1,64}"
_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_ADDRESS = re.compile(rf"{_LOCAL_PART}@{_LABEL}(?:\.{_LABEL})+")
_HOURS = re.compile(r"([0-9]{1,2}):([0-5][0-9])\s*-\s*([0-9]{1,2}):([0-5][0-9])")

#: What is equal for two spellings of one calendar: the owner, and the folder's path without regard to case.
CalendarKey = tuple[str, PathKey]


@dataclass(frozen=True, slots=True)
class CalendarRef:
    """Names one calendar.

    Args:
        owner: Address in lower case.
        folder: Canonical path below the owner's calendar; empty for the default calendar.
    """

    owner: str
    folder: str = ""

    def __str__(self) -> str:
        """Write it as a booking page names it: the address, and the folder's path if there is one."""
        return f"{self.owner}/{self.folder}" if self.folder else self.owner

    @property
    def key(self) -> CalendarKey:
        """What tells calendars apart; folder names compare without regard to case."""
        return self.owner, parse_folder_path(self.folder).key


@dataclass(frozen=True, slots=True)
class RosterCalendar:
    """A calendar of the roster.

    Args:
        owner: Address in lower case.
        folder: Canonical path below the owner's calendar; empty for the default calendar.
        connection: Address of the personal connection it is shared with; ``None`` leaves the choice to the product.
        pages: The only booking pages that may use it; ``None`` for any page, empty for none.
    """

    owner: str
    folder: str = ""
    connection: str | None = None
    pages: tuple[str, ...] | None = None

    @property
    def ref(self) -> CalendarRef:
        """The name of this calendar."""
        return CalendarRef(self.owner, self.folder)


@dataclass(frozen=True, slots=True)
class Hours:
    """When a booking page is open on each day, in its own time zone.

    Args:
        opens_minute: Minutes after midnight.
        closes_minute: Minutes after midnight, later than ``opens_minute``; 1440 is the end of the day.
    """

    opens_minute: int = 0
    closes_minute: int = _MINUTES_A_DAY

    def __str__(self) -> str:
        """Write them as a roster file has them."""
        return "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in (self.opens_minute, self.closes_minute))


WHOLE_DAY = Hours()


@dataclass(frozen=True, slots=True)
class BookingPage:
    """What guests book on, with the calendars it is associated with.

    Args:
        name: Its name, unique in the roster.
        time_zone: IANA name of the zone in which its hours and its slots are told.
        hours: When it is open.
        main: The calendar that a booking goes into.
        additional: The calendars that a booking is copied into.
        busy: The calendars whose busy time is read as well.
        require_proof: Whether a right to write that is not proven blocks the page.
        allow_conflicts: Whether a taken slot does not matter.
        owner_changes: What it does when an owner moves or removes an entry.
        recreate: Whether an entry that its owner removed is made again.
    """

    name: str
    time_zone: str
    hours: Hours
    main: CalendarRef
    additional: tuple[CalendarRef, ...] = ()
    busy: tuple[CalendarRef, ...] = ()
    require_proof: bool = False
    allow_conflicts: bool = False
    owner_changes: OwnerChanges = OwnerChanges.REPORT
    recreate: bool = False

    def associated(self) -> Iterator[tuple[Role, CalendarRef]]:
        """Yield every associated calendar with its role; one calendar may come under two roles."""
        yield Role.MAIN, self.main
        yield from ((Role.ADDITIONAL, ref) for ref in self.additional)
        yield from ((Role.BUSY, ref) for ref in self.busy)


@dataclass(frozen=True, slots=True)
class Roster:
    """The whole truth about which calendars are looked after.

    Args:
        calendars: Each one once, those that only a page names included.
        pages: In the order of the file.
    """

    calendars: tuple[RosterCalendar, ...] = ()
    pages: tuple[BookingPage, ...] = ()


def retirement_gate(existing: int, retired: int) -> bool:
    """Tell whether retiring calendars needs ``--force``: more than 20 % of at least 10.

    Args:
        existing: Calendars in use before the import.
        retired: How many of them the new roster lacks.
    """
    return existing >= _GATE_POPULATION and retired * 100 > existing * _GATE_PERCENT


def parse_address(text: str) -> str:
    """Read one e-mail address and return it in lower case: addresses compare so.

    Raises:
        ConfigurationError: It is not one address.
    """
    address = text.strip().lower()
    if len(address) <= MAX_ADDRESS_LENGTH and address.isprintable() and _ADDRESS.fullmatch(address):
        return address
    head, slash, _ = address.partition("/")
    if slash and _ADDRESS.fullmatch(head):
        raise ConfigurationError(f"{text[:80]!r} names a folder too; write the address here and the path under folder")
    raise ConfigurationError(f"{text[:80]!r} is not one e-mail address; write one like ana@corp.example")


def domain_of(address: str) -> str:
    """Return the part of an address after the ``@``, in lower case."""
    return address.rpartition("@")[2].lower()


def parse_folder(text: str) -> str:
    """Read a folder's path and return its canonical spelling.

    Raises:
        ConfigurationError: It is not a path, or too long to be stored.
    """
    # A text that is far too long is not worth reading.
    folder = str(parse_folder_path(text)) if len(text) < MAX_FOLDER_LENGTH * 4 else text
    if len(folder) > MAX_FOLDER_LENGTH:
        raise ConfigurationError(f"the folder path has {len(folder)} characters; at most {MAX_FOLDER_LENGTH} can be stored")
    return folder


def parse_calendar_ref(text: str) -> CalendarRef:
    """Read a calendar as a page names it: an address, or an address, a slash and a folder's path.

    The first slash after the ``@`` parts the two, because a slash may stand before it in an address.

    Raises:
        ConfigurationError: The address or the path is wrong.
    """
    local, at, rest = text.partition("@")
    domain, slash, folder = rest.partition("/")
    ref = CalendarRef(parse_address(local + at + domain), parse_folder(folder))
    if slash and not ref.folder:
        raise ConfigurationError(f"{text[:80]!r} names no folder after the slash; write {ref.owner} for the default calendar")
    return ref


def parse_hours(text: str) -> Hours:
    """Read a page's hours, such as ``09:00-17:00``; they may close at ``24:00``.

    Raises:
        ConfigurationError: They are not two times, or do not end after they start on the same day.
    """
    match = _HOURS.fullmatch(text.strip())
    hours = [int(part) for part in match.groups()] if match else [0, 0, 99, 0]
    opens, closes = hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]
    if closes > _MINUTES_A_DAY:
        raise ConfigurationError(f"{text[:80]!r} are not hours; write two times of one day like 09:00-17:00")
    if closes <= opens:
        raise ConfigurationError(f"{text[:80]!r} end before they start or at once; write two times of one day like 09:00-17:00")
    return Hours(opens, closes)


def parse_page_name(text: str) -> str:
    """Read a booking page's name.

    Raises:
        ConfigurationError: It is empty, too long, or holds what does not print.
    """
    name = text.strip()
    if not name or len(name) > MAX_PAGE_NAME_LENGTH or not name.isprintable():
        raise ConfigurationError(f"{text[:80]!r} cannot name a page; write 1 to {MAX_PAGE_NAME_LENGTH} printable characters")
    return name


def parse_role(text: str) -> Role | None:
    """Read a role; ``None`` is right for a row that only names a calendar.

    Raises:
        ConfigurationError: There is no such role.
    """
    try:
        return Role(text.strip()) if text.strip() else None
    except ValueError as error:
        raise ConfigurationError(f"{text[:80]!r} is no role; write {', '.join(Role)}") from error


@functools.cache
def _zones() -> frozenset[str]:
    """Return the zones that mean the same on every machine."""
    return frozenset(zoneinfo.available_timezones() - {"localtime", "Factory"})


def parse_zone(text: str) -> str:
    """Read the IANA name of a time zone.

    Raises:
        ConfigurationError: This machine's zone database does not have it.
    """
    name = text.strip()
    if name in _zones():
        return name
    wanted = name.replace(" ", "_").casefold()
    near = next((zone for zone in sorted(_zones()) if f"/{zone}".casefold().endswith(f"/{wanted}")), "Europe/Berlin")
    raise ConfigurationError(f"{text[:80]!r} is no time zone; write an IANA name like {near}")


def parse_truth(text: str) -> bool:
    """Read true or false.

    Raises:
        ConfigurationError: It is neither.
    """
    if text.strip().lower() not in {"true", "false"}:
        raise ConfigurationError(f"{text[:80]!r} is neither true nor false; write one of the two")
    return text.strip().lower() == "true"


def parse_owner_changes(text: str) -> OwnerChanges:
    """Read what a page does when an owner moves or removes an entry.

    Raises:
        ConfigurationError: There is no such thing.
    """
    try:
        return OwnerChanges(text.strip())
    except ValueError as error:
        raise ConfigurationError(f"{text[:80]!r} cannot be done; write {' or '.join(OwnerChanges)}") from error
