"""The roster: the calendars that the product looks after, and the booking pages that use them.

Holds the values, the rules for one value (an address, a page's hours, the name of a calendar), the rules between
values (what may not stand twice, what a page must have), and the gate before calendars are retired. Reads no file:
``roster_file`` does, and passes the line of everything it read, so that each fault can say where it is.
Pure: the standard library only.
"""

import functools
import re
import zoneinfo
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that is wrong in a file.

    Args:
        line: Where, counted from 1.
        message: What is wrong and what to write instead.
    """

    line: int
    message: str


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
    """

    name: str
    time_zone: str
    hours: Hours
    main: CalendarRef
    additional: tuple[CalendarRef, ...] = ()
    busy: tuple[CalendarRef, ...] = ()

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


@dataclass(frozen=True, slots=True)
class CalendarLine:
    """A calendar as a file names it, with the lines of the entry and of each page it is limited to."""

    line: int
    calendar: RosterCalendar
    page_lines: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class RoleLine:
    """A calendar's role on a page, with its line."""

    line: int
    role: Role
    ref: CalendarRef


@dataclass(frozen=True, slots=True)
class PageLine:
    """A booking page as a file describes it, its rules not yet checked, with its line."""

    line: int
    name: str
    roles: tuple[RoleLine, ...]
    time_zone: str = "UTC"
    hours: Hours = Hours()

    def refs(self, role: Role) -> Iterator[CalendarRef]:
        """Yield the calendars of one role."""
        return (entry.ref for entry in self.roles if entry.role == role)


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


def check_roster(
    calendars: Sequence[CalendarLine], pages: Sequence[PageLine], doubtful: AbstractSet[str] = frozenset()
) -> list[Fault]:
    """Find what is wrong between calendars and pages that are right by themselves.

    Args:
        calendars: What the file names as calendars.
        pages: What the file describes as pages.
        doubtful: Names of pages of which some part could not be read: they exist, and what they lack is no fault.

    Returns:
        Every fault, in the order of lines; none, if ``build_roster`` may be called.
    """
    limits = {line.calendar.ref.key: line.calendar for line in calendars}
    faults = [*_repeated((entry.calendar.ref.key, entry.line, f"calendar {entry.calendar.ref}") for entry in calendars)]
    faults += _repeated((page.name, page.line, f"page {page.name!r}") for page in pages)
    faults += _limit_faults(calendars, {page.name for page in pages} | doubtful)
    for page in pages:
        faults += [*_main_faults(page, page.name in doubtful), *_role_faults(page), *_forbidden_uses(page, limits)]
    return sorted(faults)


def build_roster(calendars: Sequence[CalendarLine], pages: Sequence[PageLine]) -> Roster:
    """Put a roster together from parts in which ``check_roster`` found no fault.

    A calendar that a page names is added by itself. A calendar that is spelled in two ways has the spelling of its
    entry, or else of the first page that names it, so that it is one calendar everywhere.
    """
    listed = {line.calendar.ref.key: line.calendar for line in calendars}
    for page in pages:
        for entry in page.roles:
            listed.setdefault(entry.ref.key, RosterCalendar(entry.ref.owner, entry.ref.folder))
    refs = {key: calendar.ref for key, calendar in listed.items()}
    return Roster(tuple(listed.values()), tuple(_build_page(page, refs) for page in pages))


def _build_page(page: PageLine, refs: Mapping[CalendarKey, CalendarRef]) -> BookingPage:
    """Build one page, its calendars in their one spelling."""
    main, additional, busy = (tuple(refs[ref.key] for ref in page.refs(role)) for role in Role)
    return BookingPage(page.name, page.time_zone, page.hours, main[0], additional, busy)


def _repeated(entries: Iterable[tuple[Hashable, int, str]]) -> Iterator[Fault]:
    """Yield a fault for every entry, given as key, line and name, whose key stands on an earlier one."""
    first: dict[Hashable, int] = {}
    for key, line, name in entries:
        if key in first:
            yield Fault(line, f"{name} is already on line {first[key]}; keep one of the two")
        first.setdefault(key, line)


def _limit_faults(calendars: Iterable[CalendarLine], known: AbstractSet[str]) -> Iterator[Fault]:
    """Yield a fault for every unknown or repeated page among those that a calendar is limited to."""
    for entry in calendars:
        seen: set[str] = set()
        for line, name in zip(entry.page_lines, entry.calendar.pages or (), strict=True):
            if name in seen:
                yield Fault(line, f"page {name!r} stands twice in pages; keep one")
            elif name not in known:
                yield Fault(line, f"page {name!r} in pages is not among the booking pages; add the page or take it out here")
            seen.add(name)


def _main_faults(page: PageLine, doubtful: bool) -> Iterator[Fault]:  # noqa: FBT001 -- private, one caller
    """Yield a fault for a page without a main calendar, and for every main calendar after the first."""
    mains = [entry for entry in page.roles if entry.role == Role.MAIN]
    if not mains and not doubtful:
        yield Fault(page.line, f"page {page.name!r} has no main calendar; name one with the role main")
    for entry in mains[1:]:
        yield Fault(entry.line, f"page {page.name!r} has a main calendar already on line {mains[0].line}; keep one of the two")


def _role_faults(page: PageLine) -> Iterator[Fault]:
    """Yield a fault for every calendar that a page names again.

    One calendar may be main or additional, and also busy: it is written and read.
    """
    seen: dict[CalendarKey, list[RoleLine]] = {}
    for entry in page.roles:
        earlier = seen.setdefault(entry.ref.key, [])
        clash = next((other for other in earlier if _clashes(other.role, entry.role)), None)
        if clash:
            message = f"{entry.ref} is {clash.role} on page {page.name!r} already on line {clash.line}; keep one of the two"
            yield Fault(entry.line, message)
        earlier.append(entry)


def _clashes(first: Role, second: Role) -> bool:
    """Tell whether one calendar cannot have both roles; two mains are a fault of their own."""
    if first == second:
        return first != Role.MAIN
    return Role.BUSY not in (first, second)


def _forbidden_uses(page: PageLine, limits: Mapping[CalendarKey, RosterCalendar]) -> Iterator[Fault]:
    """Yield a fault for every calendar that the page uses though the calendar is limited to other pages."""
    for entry in page.roles:
        calendar = limits.get(entry.ref.key)
        if calendar and calendar.pages is not None and page.name not in calendar.pages:
            message = f"{entry.ref} does not allow page {page.name!r}; add the page to the calendar's pages or take it out here"
            yield Fault(entry.line, message)
