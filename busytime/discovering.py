"""Discovering: which calendars the owners of the roster share with a connection, and what became of those seen before.

Reads through the gateway; what changes in the tables is decided by a pure function from two snapshots.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum

from busytime.errors import Reason, SkippableError, SpoiltAnswerError
from busytime.folder_path import FolderPath, PathKey, parse_folder_path, paths_of
from busytime.model import Calendar, CalendarKind, SharedCalendar
from busytime.permissions import PermissionLevel, Rights, level_of
from busytime.ports import CalendarGateway


class SightingState(StrEnum):
    """What a discovery says of a calendar."""

    FOUND = "found"
    KNOWN = "known"
    RENAMED = "renamed"
    BACK = "back"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Sighting:
    """A calendar that the connection can see.

    Args:
        owner: Its owner's address.
        folder: Its path.
        kind: Default, sub or external.
        folder_id: The server's id.
        level: The lowest level with the rights that were told; ``None`` where they were not.
    """

    owner: str
    folder: str
    kind: CalendarKind
    folder_id: str
    level: PermissionLevel | None


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was seen of one owner.

    Args:
        owner: The address.
        sightings: Every calendar that was seen.
        beside_seen: Whether the mailbox's root let us look beside the calendar.
        calendar_seen: Whether the default calendar showed itself.
        reason: Why nothing was seen; nothing is then concluded about what was there before.
        detail: A response code that goes with the reason.
    """

    owner: str
    sightings: tuple[Sighting, ...] = ()
    beside_seen: bool = False
    calendar_seen: bool = True
    reason: Reason | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class KnownCalendar:
    """A calendar of an owner as the tables have it.

    Args:
        id: Surrogate key.
        folder: Its path.
        kind: Default, sub or external.
        folder_id: The server's id, once seen.
        in_use: Whether the roster names it.
        missing: Whether it was not there when it was looked for.
        served: Whether it is the looking connection that serves it: what another one serves need not be shown to it.
    """

    id: int
    folder: str
    kind: CalendarKind
    folder_id: str | None
    in_use: bool
    missing: bool
    served: bool = True


@dataclass(frozen=True, slots=True)
class Change:
    """What a discovery changes about one calendar.

    Args:
        state: What happened to it.
        key: Surrogate key of its row; ``None`` for a new one.
        folder: Its path in the tables.
        sighting: How it was seen; ``None`` where it is missing.
    """

    state: SightingState
    key: int | None
    folder: str
    sighting: Sighting | None


@dataclass(frozen=True, slots=True)
class OwnerChanges:
    """What a discovery saw of an owner, and what that changed."""

    discovery: Discovery
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class SeenInvitation:
    """A sharing invitation, and whether it was accepted now."""

    sender: str
    accepted: bool


def discover_owner(gateway: CalendarGateway, owner: str) -> Discovery:
    """Look for an owner's calendars, below the default one and beside it, each with its own rights."""
    try:
        listed = gateway.list_folders(owner)
    except (SkippableError, SpoiltAnswerError) as error:
        return Discovery(owner, reason=error.reason, detail=error.detail)
    seen = tuple(
        Sighting(
            owner,
            folder,
            CalendarKind.SUB if folder else CalendarKind.DEFAULT,
            folder_id,
            _level(gateway, owner, folder_id),
        )
        for folder_id, folder in paths_of(listed.folders).items()
        if folder or listed.calendar_seen
    )
    return Discovery(owner, seen, listed.beside_seen, listed.calendar_seen)


def discover_shared(gateway: CalendarGateway, known: Sequence[Calendar]) -> list[Discovery]:
    """Look for calendars of other organisations in the connection's own mailbox, by their foreign owner.

    Args:
        gateway: The server.
        known: Those that were seen before; what a calendar was called once, it is called again.

    Returns:
        One discovery an owner; of an owner whose calendars are all gone, an empty one.
    """
    by_id = {calendar.folder_id: calendar for calendar in known}
    by_owner: dict[str, list[Sighting]] = {calendar.owner: [] for calendar in known}
    # Those that were seen before come first: a new one does not take the name of another.
    for shared in sorted(gateway.list_shared_calendars(), key=lambda it: it.folder_id not in by_id):
        before = by_id.get(shared.folder_id)
        owner = before.owner if before else shared.owner
        if owner is not None:
            seen = by_owner.setdefault(owner, [])
            folder = before.folder if before else _shared_folder(seen, shared)
            level = _level(gateway, owner, shared.folder_id)
            seen.append(Sighting(owner, folder, CalendarKind.EXTERNAL, shared.folder_id, level))
    return [Discovery(owner, tuple(seen), beside_seen=True) for owner, seen in by_owner.items()]


def _shared_folder(seen: Sequence[Sighting], shared: SharedCalendar) -> str:
    """Name a calendar: an owner who shares one shares the default one, and further ones are told apart by their names."""
    return str(FolderPath(steps=((shared.name, 1),))) if any(not it.folder for it in seen) else ""


def _level(gateway: CalendarGateway, owner: str, folder_id: str) -> PermissionLevel | None:
    try:
        rights: Rights = gateway.read_folder_rights(owner, folder_id)
    except (SkippableError, SpoiltAnswerError):
        return None
    return level_of(rights)


def compare(known: Sequence[KnownCalendar], discovery: Discovery) -> list[Change]:
    """Decide what a discovery changes. The server's id tells a rename from a new calendar; nothing is ever deleted.

    Args:
        known: What the tables have of this owner.
        discovery: What was seen; where nothing could be, nothing is concluded.
    """
    if discovery.reason is not None:
        return []
    met = _recognise(known, discovery.sightings)
    taken = {parse_folder_path(calendar.folder).key for calendar in known}
    changes: list[Change] = []
    for seen in discovery.sightings:
        calendar = met.get(seen.folder_id)
        if calendar is None:
            folder = _free_path(seen.folder, taken)
            taken.add(parse_folder_path(folder).key)
            changes.append(Change(SightingState.FOUND, None, folder, seen))
        else:
            changes.append(Change(_state(calendar, seen), calendar.id, calendar.folder, seen))
    there = {calendar.id for calendar in met.values()}
    gone = [it for it in known if it.id not in there and it.folder_id and _would_be_seen(it, discovery)]
    return changes + [Change(SightingState.MISSING, calendar.id, calendar.folder, None) for calendar in gone]


def _recognise(known: Sequence[KnownCalendar], sightings: Sequence[Sighting]) -> dict[str, KnownCalendar]:
    """Say which calendar each folder is: first by the server's ids, then by the paths that are left over."""
    by_id = {calendar.folder_id: calendar for calendar in known if calendar.folder_id}
    met = {seen.folder_id: by_id[seen.folder_id] for seen in sightings if seen.folder_id in by_id}
    there = {calendar.id for calendar in met.values()}
    by_path = {parse_folder_path(calendar.folder).key: calendar for calendar in known if calendar.id not in there}
    for seen in sightings:
        if seen.folder_id not in met and (calendar := by_path.pop(parse_folder_path(seen.folder).key, None)):
            met[seen.folder_id] = calendar
    return met


def _free_path(folder: str, taken: AbstractSet[PathKey]) -> str:
    """Return a path that no calendar has: a renamed one keeps its old path, and a new one may now be called so."""
    path = parse_folder_path(folder)
    while path.key in taken:
        *above, (name, ordinal) = path.steps
        path = FolderPath(path.beside, (*above, (name, ordinal + 1)))
    return str(path)


def _state(calendar: KnownCalendar, seen: Sighting) -> SightingState:
    if parse_folder_path(calendar.folder).key != parse_folder_path(seen.folder).key:
        return SightingState.RENAMED
    return SightingState.BACK if calendar.missing else SightingState.KNOWN


def _would_be_seen(calendar: KnownCalendar, discovery: Discovery) -> bool:
    if not calendar.served:
        return False
    return discovery.beside_seen if parse_folder_path(calendar.folder).beside else discovery.calendar_seen
