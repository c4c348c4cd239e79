"""The stored roster: calendars, booking pages and who serves what."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, literal, select, update

from busytime.bookings import OwnerChanges
from busytime.discovering import Change, KnownCalendar
from busytime.model import Calendar, CalendarKind, ConnectionMode, Role
from busytime.permissions import needs_of
from busytime.roster import BookingPage, CalendarKey, CalendarRef, Hours, Roster, RosterCalendar
from busytime.store.owners import OwnerRepository
from busytime.store.tables import associated_calendars, booking_pages, calendars, connections, owners
from busytime.store.types import UtcTime
from busytime.validating import Candidate

_IN_CLAUSE = 500
#: Found calendars wait for a roster that names them; retired ones keep their history.
_IN_USE = calendars.c.retired_at.is_(None) & calendars.c.added_at.is_not(None)


@dataclass(frozen=True, slots=True)
class RosterChanges:
    """What an import changed: how many calendars are new, went on, came back and left."""

    added: int
    kept: int
    retired: int
    pages: int


@dataclass(frozen=True, slots=True)
class PageCalendar:
    """A calendar as a booking page uses it."""

    calendar: Calendar
    role: Role


def _calendar(row: Any) -> Calendar:
    return Calendar(row.id, row.address, row.folder, CalendarKind(row.kind), row.folder_id)


def _calendar_query() -> Any:
    return select(calendars, owners.c.address).join(owners, owners.c.id == calendars.c.owner_id)


class RosterRepository:
    """Replaces the roster as a whole, and answers what is in it."""

    def __init__(self, connection: Connection) -> None:
        """Work inside the caller's transaction."""
        self._connection = connection
        self._owners = OwnerRepository(connection)

    def _keys(self) -> dict[CalendarKey, int]:
        """Return the surrogate key of each calendar in use, by what tells calendars apart."""
        query = _calendar_query().where(_IN_USE)
        return {CalendarRef(row.address, row.folder).key: row.id for row in self._connection.execute(query)}

    def calendars(self, *, connection_id: int | None = None) -> list[Calendar]:
        """Return the calendars in use, by owner and folder; only those that a connection serves, where one is given."""
        query = _calendar_query().where(_IN_USE).order_by(owners.c.address, calendars.c.folder)
        if connection_id is not None:
            query = query.where(calendars.c.connection_id == connection_id)
        return [_calendar(row) for row in self._connection.execute(query)]

    def by_id(self, calendar_ids: Iterable[int]) -> list[Calendar]:
        """Return some calendars by their keys, in order of the keys."""
        keys = sorted(calendar_ids)
        found: list[Calendar] = []
        for start in range(0, len(keys), _IN_CLAUSE):
            query = _calendar_query().where(calendars.c.id.in_(keys[start : start + _IN_CLAUSE])).order_by(calendars.c.id)
            found.extend(_calendar(row) for row in self._connection.execute(query))
        return found

    def unserved(self) -> list[Calendar]:
        """Return the calendars in use that no connection serves."""
        query = _calendar_query().where(_IN_USE, calendars.c.connection_id.is_(None))
        return [_calendar(row) for row in self._connection.execute(query)]

    def serving(self) -> dict[int, int | None]:
        """Return the connection that serves each calendar in use."""
        query = select(calendars.c.id, calendars.c.connection_id).where(_IN_USE)
        return {row.id: row.connection_id for row in self._connection.execute(query)}

    def connection_of(self, calendar_id: int) -> int | None:
        """Return the connection that serves a calendar, in use or not."""
        return self._connection.scalar(select(calendars.c.connection_id).where(calendars.c.id == calendar_id))

    def replace(self, roster: Roster, now: datetime) -> RosterChanges:
        """Make the stored roster equal to a file's: what the file lacks is retired, its history stays."""
        people = {calendar.owner for calendar in roster.calendars}
        people |= {calendar.connection for calendar in roster.calendars if calendar.connection}
        owner_ids = self._owners.ids(people)
        before = self._keys()
        wanted = {calendar.ref.key for calendar in roster.calendars}
        gone = [key for ref, key in before.items() if ref not in wanted]
        self._retire(calendars, gone, now)
        ids = self._write_calendars(roster.calendars, owner_ids, now)
        self._write_pages(roster.pages, ids, now)
        self.assign_connections()
        return RosterChanges(
            added=len(wanted - before.keys()), kept=len(wanted & before.keys()), retired=len(gone), pages=len(roster.pages)
        )

    def _retire(self, table: Any, keys: Sequence[int], now: datetime) -> None:
        for start in range(0, len(keys), _IN_CLAUSE):
            chosen = table.c.id.in_(keys[start : start + _IN_CLAUSE])
            self._connection.execute(update(table).where(chosen).values(retired_at=now))

    def _write_calendars(
        self, wanted: Sequence[RosterCalendar], owner_ids: Mapping[str, int], now: datetime
    ) -> dict[CalendarKey, int]:
        known = {CalendarRef(row.address, row.folder).key: row for row in self._connection.execute(_calendar_query())}
        fresh: list[dict[str, Any]] = []
        changed: list[tuple[int, dict[str, Any]]] = []
        for calendar in wanted:
            account_id = owner_ids[calendar.connection] if calendar.connection else None
            pages = list(calendar.pages) if calendar.pages is not None else None
            use: dict[str, Any] = {"account_id": account_id, "pages": pages}
            row = known.get(calendar.ref.key)
            if row is None:
                kind = CalendarKind.SUB if calendar.folder else CalendarKind.DEFAULT
                identity = {"owner_id": owner_ids[calendar.owner], "folder": calendar.folder, "kind": kind}
                fresh.append(identity | use | {"added_at": now})
            elif row.added_at is None or row.retired_at is not None:
                changed.append((row.id, use | {"retired_at": None, "added_at": now}))
            elif (row.account_id, row.pages) != (account_id, pages):
                changed.append((row.id, use))
        if fresh:
            self._connection.execute(insert(calendars), fresh)
        for key, values in changed:
            self._connection.execute(update(calendars).where(calendars.c.id == key).values(values))
        return self._keys()

    def _write_pages(self, wanted: Sequence[BookingPage], ids: Mapping[CalendarKey, int], now: datetime) -> None:
        known = {row.name: row for row in self._connection.execute(select(booking_pages))}
        names = {page.name for page in wanted}
        self._retire(booking_pages, [row.id for name, row in known.items() if name not in names and row.retired_at is None], now)
        roles: set[tuple[int, int, Role]] = set()
        for page in wanted:
            values = {
                "name": page.name,
                "time_zone": page.time_zone,
                "opens_minute": page.hours.opens_minute,
                "closes_minute": page.hours.closes_minute,
                "require_proof": page.require_proof,
                "allow_conflicts": page.allow_conflicts,
                "owner_changes": page.owner_changes,
                "recreate": page.recreate,
                "retired_at": None,
            }
            row = known.get(page.name)
            if row is None:
                statement = insert(booking_pages).values(added_at=now, **values).returning(booking_pages.c.id)
                page_id = int(self._connection.execute(statement).scalar_one())
            else:
                page_id = row.id
                self._connection.execute(update(booking_pages).where(booking_pages.c.id == page_id).values(values))
            roles |= {(page_id, ids[ref.key], role) for role, ref in page.associated()}
        self._write_roles(roles, now)

    def _write_roles(self, wanted: set[tuple[int, int, Role]], now: datetime) -> None:
        query = select(associated_calendars).where(associated_calendars.c.retired_at.is_(None))
        known = {(row.page_id, row.calendar_id, Role(row.role)): row.id for row in self._connection.execute(query)}
        # Retired first: a page has one main calendar at a time, and it may just have changed.
        self._retire(associated_calendars, [key for role, key in known.items() if role not in wanted], now)
        fresh = [
            {"page_id": page_id, "calendar_id": calendar_id, "role": role, "added_at": now}
            for page_id, calendar_id, role in sorted(wanted - known.keys())
        ]
        if fresh:
            self._connection.execute(insert(associated_calendars), fresh)

    def assign_connections(self) -> None:
        """Choose who serves each calendar: the connection its row names, else its owner's personal one, else the corporate."""
        open_ones = self._connection.execute(select(connections).where(connections.c.closed_at.is_(None))).all()
        by_account = {row.owner_id: row.id for row in open_ones}
        personal = {row.owner_id: row.id for row in open_ones if row.mode == ConnectionMode.PERSONAL}
        corporate = next((row.id for row in open_ones if row.mode == ConnectionMode.CORPORATE), None)
        moved: dict[int | None, list[int]] = {}
        query = select(calendars.c.id, calendars.c.owner_id, calendars.c.account_id, calendars.c.connection_id)
        for row in self._connection.execute(query).all():
            named = row.account_id is not None
            serving = by_account.get(row.account_id) if named else personal.get(row.owner_id, corporate)
            if serving != row.connection_id:
                moved.setdefault(serving, []).append(row.id)
        for serving, keys in moved.items():
            for start in range(0, len(keys), _IN_CLAUSE):
                chosen = calendars.c.id.in_(keys[start : start + _IN_CLAUSE])
                self._connection.execute(update(calendars).where(chosen).values(connection_id=serving))

    def learn_folder_ids(self, folder_ids: Mapping[int, str]) -> None:
        """Keep the server's ids of folders: a rename is then seen as a rename."""
        for key, folder_id in folder_ids.items():
            self._connection.execute(update(calendars).where(calendars.c.id == key).values(folder_id=folder_id))

    def pages(self) -> list[BookingPage]:
        """Return the booking pages in use, by name."""
        query = select(booking_pages).where(booking_pages.c.retired_at.is_(None)).order_by(booking_pages.c.name)
        found = []
        for row in self._connection.execute(query).all():
            roles = [(use.role, CalendarRef(use.calendar.owner, use.calendar.folder)) for use in self.page_calendars(row.name)]
            found.append(
                BookingPage(
                    row.name,
                    row.time_zone,
                    Hours(row.opens_minute, row.closes_minute),
                    main=next(ref for role, ref in roles if role is Role.MAIN),
                    additional=tuple(ref for role, ref in roles if role is Role.ADDITIONAL),
                    busy=tuple(ref for role, ref in roles if role is Role.BUSY),
                    require_proof=row.require_proof,
                    allow_conflicts=row.allow_conflicts,
                    owner_changes=OwnerChanges(row.owner_changes),
                    recreate=row.recreate,
                )
            )
        return found

    def candidates(self, connection_id: int | None) -> list[Candidate]:
        """Return the calendars in use that a connection serves, with what is needed of each, by owner and folder.

        ``None`` stands for those that no connection serves.
        """
        roles: dict[int, set[tuple[Role, str]]] = {}
        query = (
            select(associated_calendars.c.calendar_id, associated_calendars.c.role, booking_pages.c.name)
            .join(booking_pages, booking_pages.c.id == associated_calendars.c.page_id)
            .where(associated_calendars.c.retired_at.is_(None), booking_pages.c.retired_at.is_(None))
        )
        for row in self._connection.execute(query):
            roles.setdefault(row.calendar_id, set()).add((Role(row.role), row.name))
        served = _calendar_query().where(_IN_USE, calendars.c.connection_id == connection_id)
        account_id = self._connection.scalar(select(connections.c.owner_id).where(connections.c.id == connection_id))
        found = []
        for row in self._connection.execute(served.order_by(owners.c.address, calendars.c.folder)):
            uses = roles.get(row.id, set())
            its_roles = tuple(role for role in Role if any(use == role for use, _ in uses))
            pages = tuple(sorted({name for _, name in uses}))
            own = row.owner_id == account_id
            found.append(Candidate(_calendar(row), needs_of(its_roles), row.added_at, its_roles, pages, own=own))
        return found

    def page_calendars(self, name: str) -> list[PageCalendar]:
        """Return the calendars of a page with their roles, main first."""
        query = (
            _calendar_query()
            .add_columns(associated_calendars.c.role)
            .join(associated_calendars, associated_calendars.c.calendar_id == calendars.c.id)
            .join(booking_pages, booking_pages.c.id == associated_calendars.c.page_id)
            .where(
                booking_pages.c.name == name, associated_calendars.c.retired_at.is_(None), booking_pages.c.retired_at.is_(None)
            )
        )
        order = list(Role)
        uses = [PageCalendar(_calendar(row), Role(row.role)) for row in self._connection.execute(query)]
        return sorted(uses, key=lambda use: (order.index(use.role), use.calendar.owner, use.calendar.folder))

    def owners_served(self, connection_id: int) -> list[str]:
        """Return the owners of this organisation that a connection serves, in order of their addresses."""
        served = self.calendars(connection_id=connection_id)
        return sorted({calendar.owner for calendar in served if calendar.kind is not CalendarKind.EXTERNAL})

    def external(self, connection_id: int) -> list[Calendar]:
        """Return the calendars of other organisations that a connection saw, in use or not."""
        seen = (calendars.c.kind == CalendarKind.EXTERNAL, calendars.c.folder_id.is_not(None))
        query = _calendar_query().where(calendars.c.connection_id == connection_id, *seen).order_by(calendars.c.id)
        return [_calendar(row) for row in self._connection.execute(query)]

    def known_of(self, owner: str, connection_id: int) -> list[KnownCalendar]:
        """Return all that the tables have of an owner, in use or not, for a connection that looked."""
        query = _calendar_query().where(owners.c.address == owner).order_by(calendars.c.id)
        return [
            KnownCalendar(
                row.id,
                row.folder,
                CalendarKind(row.kind),
                row.folder_id,
                in_use=row.added_at is not None and row.retired_at is None,
                missing=row.missing_since is not None,
                served=row.connection_id == connection_id,
            )
            for row in self._connection.execute(query)
        ]

    def write_discovery(self, owner: str, changes: Iterable[Change], now: datetime) -> None:
        """Store what a discovery found; what is gone stays, as missing."""
        owner_id = self._owners.id(owner)
        for change in changes:
            seen = change.sighting
            if seen is None:
                missing = update(calendars).where(calendars.c.id == change.key, calendars.c.missing_since.is_(None))
                self._connection.execute(missing.values(missing_since=now))
            elif change.key is None:
                identity = {"owner_id": owner_id, "folder": change.folder, "kind": seen.kind, "folder_id": seen.folder_id}
                self._connection.execute(insert(calendars).values(found_at=now, **identity))
            else:
                values = {"kind": seen.kind, "folder_id": seen.folder_id, "missing_since": None}
                row = update(calendars).where(calendars.c.id == change.key)
                self._connection.execute(
                    row.values(found_at=func.coalesce(calendars.c.found_at, literal(now, UtcTime())), **values)
                )
