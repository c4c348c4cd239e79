"""The rules between the parts of a roster: what may not stand twice, what a page must have, who may use what.

Each part carries the line it was read from, so that a fault can say where it is. Pure: the standard library only.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from busytime.bookings import OwnerChanges
from busytime.model import Role
from busytime.roster import WHOLE_DAY, BookingPage, CalendarKey, CalendarRef, Hours, Roster, RosterCalendar


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
    hours: Hours = WHOLE_DAY
    require_proof: bool = False
    allow_conflicts: bool = False
    owner_changes: OwnerChanges = OwnerChanges.REPORT
    recreate: bool = False

    def refs(self, role: Role) -> Iterator[CalendarRef]:
        """Yield the calendars of one role."""
        return (entry.ref for entry in self.roles if entry.role == role)


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
    return BookingPage(
        page.name,
        page.time_zone,
        page.hours,
        main[0],
        additional,
        busy,
        page.require_proof,
        page.allow_conflicts,
        page.owner_changes,
        page.recreate,
    )


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


def group_faults(calendars: Iterable[CalendarLine], pages: Iterable[PageLine], groups: AbstractSet[str]) -> Iterator[Fault]:
    """Yield every place that names a distribution list: it has no calendar, and answers for its members as if they were one."""
    owners = [(it.line, it.calendar.owner) for it in calendars]
    owners += [(role.line, role.ref.owner) for page in pages for role in page.roles]
    for line, owner in owners:
        if owner in groups:
            yield Fault(line, f"{owner} is a distribution list, not a person; name its members or a shared mailbox instead")
