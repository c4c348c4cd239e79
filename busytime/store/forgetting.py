"""Forgetting a person: the one row that holds the address is written over; every row that refers to it stays as it is."""

from dataclasses import dataclass

from sqlalchemy import Connection, or_, select, update

from busytime.store.tables import associated_calendars, booking_pages, calendars, connections, owners

_IN_USE = calendars.c.added_at.is_not(None) & calendars.c.retired_at.is_(None)


@dataclass(frozen=True, slots=True)
class Uses:
    """What still names a person.

    Args:
        calendars: How many calendars of the roster are theirs, or name their account as the one to read through.
        pages: Booking pages with a calendar of theirs, by name.
        connected: Whether their account is connected.
    """

    calendars: int
    pages: tuple[str, ...]
    connected: bool


class ForgettingRepository:
    """Looks what names a person, and writes over the row with the address."""

    def __init__(self, connection: Connection) -> None:
        """Work inside the caller's transaction."""
        self._connection = connection

    def seize(self, owner_id: int) -> None:
        """Keep others from looking the person up until the transaction ends; on SQLite a writer is alone anyway."""
        self._connection.execute(select(owners.c.id).where(owners.c.id == owner_id).with_for_update())

    def uses(self, owner_id: int) -> Uses:
        """Return what still names a person."""
        theirs = or_(calendars.c.owner_id == owner_id, calendars.c.account_id == owner_id)
        in_use = self._connection.execute(select(calendars.c.id).where(_IN_USE, theirs)).scalars().all()
        named = (
            select(booking_pages.c.name)
            .join(associated_calendars, associated_calendars.c.page_id == booking_pages.c.id)
            .join(calendars, calendars.c.id == associated_calendars.c.calendar_id)
            .where(theirs, associated_calendars.c.retired_at.is_(None), booking_pages.c.retired_at.is_(None))
            .order_by(booking_pages.c.name)
            .distinct()
        )
        pages = tuple(self._connection.execute(named).scalars())
        open_one = select(connections.c.id).where(connections.c.owner_id == owner_id, connections.c.closed_at.is_(None))
        return Uses(len(in_use), pages, self._connection.execute(open_one).first() is not None)

    def overwrite(self, owner_id: int) -> str:
        """Write over address and name; return what views show in their place."""
        shown_as = f"forgotten-{owner_id}"
        self._connection.execute(update(owners).where(owners.c.id == owner_id).values(address=shown_as, name=None))
        return shown_as
