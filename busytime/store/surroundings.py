"""What stands around bookings: their pages' rules, and what the calendars and verdicts allow."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from busytime.bookings import OwnerChanges
from busytime.errors import Reason
from busytime.model import Calendar, CalendarKind, Role
from busytime.pages import obstacles
from busytime.permissions import Conclusion, Need, Verdict
from busytime.planning import PageRules
from busytime.store.bookings import in_parts
from busytime.store.permissions import PermissionRepository
from busytime.store.tables import associated_calendars, booking_pages, calendars, connections, owners

#: Verdicts on writing under which nothing is sent.
_CLOSED = frozenset({Verdict.INSUFFICIENT, Verdict.MISSING, Verdict.PENDING, Verdict.UNREACHABLE})


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a plan takes into account besides bookings and entries; see ``Snapshot``."""

    pages: Mapping[str, PageRules]
    opened_at: Mapping[int, datetime]
    in_use: frozenset[int]
    closed_calendars: Mapping[int, Reason]


@dataclass(slots=True)
class _Page:
    """A page's row, and its calendars with their roles."""

    row: Any
    uses: list[tuple[Role, Calendar]] = field(default_factory=list)

    def rules(self, verdicts: Mapping[tuple[int, Need], Conclusion]) -> PageRules:
        """Put the page's rules together."""
        targets = {it.id: role for role, it in self.uses if role is not Role.BUSY}
        mains = {it.id for role, it in self.uses if role is Role.MAIN}
        in_the_way = obstacles(self.uses, verdicts, require_proof=self.row.require_proof)
        blocking = [it.conclusion.reason or Reason.PAGE_BLOCKED for it in in_the_way if it.blocks]
        return PageRules(
            name=self.row.name,
            time_zone=self.row.time_zone,
            targets=targets,
            busy=tuple(it.id for role, it in self.uses if role is Role.BUSY and it.id not in mains),
            blocked=next(iter(blocking), None),
            allow_conflicts=self.row.allow_conflicts,
            owner_changes=OwnerChanges(self.row.owner_changes),
            recreate=self.row.recreate,
        )


class SurroundingsRepository:
    """Reads what stands around bookings."""

    def __init__(self, connection: Connection) -> None:
        """Work inside the caller's transaction."""
        self._connection = connection
        self._permissions = PermissionRepository(connection)

    def read(self, names: Collection[str] | None = None, calendar_ids: Collection[int] = ()) -> Surroundings:
        """Read the surroundings of some bookings, or of all.

        Args:
            names: The bookings' pages; ``None`` for all pages and calendars.
            calendar_ids: The calendars of their entries; those of the pages are added.
        """
        pages = self._pages(names)
        asked = None if names is None else {*calendar_ids, *(it.id for page in pages for _, it in page.uses)}
        verdicts = {place: it.conclusion for place, it in self._permissions.current(calendar_ids=asked).items()}
        rows = self._calendars(asked)
        # What no validation has looked at is not known to be allowed.
        targets = {it.id for page in pages for role, it in page.uses if role is not Role.BUSY}
        unseen = {it: Reason.NEVER_VALIDATED for it in targets if (it, Need.WRITE) not in verdicts}
        closed = unseen | {
            calendar_id: it.reason or Reason.NO_ACCESS
            for (calendar_id, need), it in verdicts.items()
            if need is Need.WRITE and it.verdict in _CLOSED
        }
        return Surroundings(
            pages={page.row.name: page.rules(verdicts) for page in pages},
            opened_at={row.id: row.opened_at for row in rows if row.opened_at is not None},
            in_use=frozenset(row.id for row in rows),
            closed_calendars=closed,
        )

    def _pages(self, names: Collection[str] | None) -> list[_Page]:
        """Read pages in use with their calendars; a page without a main calendar cannot be booked on."""
        query = (
            select(booking_pages, associated_calendars.c.role, associated_calendars.c.calendar_id)
            .add_columns(owners.c.address, calendars.c.folder, calendars.c.kind, calendars.c.folder_id)
            .join(associated_calendars, associated_calendars.c.page_id == booking_pages.c.id)
            .join(calendars, calendars.c.id == associated_calendars.c.calendar_id)
            .join(owners, owners.c.id == calendars.c.owner_id)
            .where(booking_pages.c.retired_at.is_(None), associated_calendars.c.retired_at.is_(None))
            .order_by(booking_pages.c.name, owners.c.address, calendars.c.folder)
        )
        parts = [query] if names is None else [query.where(booking_pages.c.name.in_(part)) for part in in_parts(names)]
        found: dict[str, _Page] = {}
        for row in (row for part in parts for row in self._connection.execute(part)):
            calendar = Calendar(row.calendar_id, row.address, row.folder, CalendarKind(row.kind), row.folder_id)
            found.setdefault(row.name, _Page(row)).uses.append((Role(row.role), calendar))
        return [page for page in found.values() if any(role is Role.MAIN for role, _ in page.uses)]

    def _calendars(self, asked: Collection[int] | None) -> list[Any]:
        """Read calendars in use, with when the connection that serves them was opened."""
        query = (
            select(calendars.c.id, connections.c.opened_at)
            .outerjoin(connections, connections.c.id == calendars.c.connection_id)
            .where(calendars.c.retired_at.is_(None), calendars.c.added_at.is_not(None))
        )
        parts = [query] if asked is None else [query.where(calendars.c.id.in_(part)) for part in in_parts(asked)]
        return [row for part in parts for row in self._connection.execute(part)]
