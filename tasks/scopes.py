"""Choosing what a run works on: names that people know become keys, and one that nobody knows is refused."""

from collections.abc import Collection

from busytime.errors import ConfigurationError, Reason
from busytime.scope import Scope, Shard
from busytime.store.unit_of_work import UnitOfWork
from tasks.workspace import workspace


def choose_scope(
    connections: Collection[str] = (),
    owners: Collection[str] = (),
    pages: Collection[str] = (),
    shard: Shard | None = None,
    cut_by: int | None = None,
) -> Scope:
    """Return the scope that these names mean.

    Args:
        connections: Addresses of accounts; none stand for all.
        owners: Addresses whose calendars belong to it, beside those of the pages; none of both stand for all.
        pages: Names of booking pages.
        shard: Only this part of the owners.
        cut_by: The run that cut the shards.

    Raises:
        ConfigurationError: A name is not in the roster, or no such account is connected.
    """
    with workspace().store.read() as unit:
        return Scope(
            connection_ids=_connections(unit, {it.lower() for it in connections}) if connections else None,
            calendar_ids=_calendars(unit, {it.lower() for it in owners}, set(pages)) if owners or pages else None,
            shard=shard,
            cut_by=cut_by,
        )


def _connections(unit: UnitOfWork, wanted: set[str]) -> frozenset[int]:
    found = {it.email: it.id for it in unit.connections.all_open()}
    for email in sorted(wanted - found.keys()):
        raise ConfigurationError(
            f"{email} is not connected: run `busytime connect {email}`, or leave it out.", reason=Reason.NO_CONNECTION
        )
    return frozenset(found[email] for email in wanted)


def check_pages(names: Collection[str]) -> None:
    """Refuse a booking page that does not exist.

    Raises:
        ConfigurationError: There is none of that name.
    """
    with workspace().store.read() as unit:
        _check_pages(unit, set(names))


def _check_pages(unit: UnitOfWork, pages: set[str]) -> None:
    known = {page.name for page in unit.roster.pages()}
    for page in sorted(pages - known):
        raise ConfigurationError(f"There is no booking page {page!r}. Booking pages: {', '.join(sorted(known)) or 'none yet'}.")


def _calendars(unit: UnitOfWork, owners: set[str], pages: set[str]) -> frozenset[int]:
    calendars = unit.roster.calendars()
    for owner in sorted(owners - {it.owner for it in calendars}):
        raise ConfigurationError(f"{owner} is not in the roster; add it with `busytime roster import FILE`, or leave it out.")
    _check_pages(unit, pages)
    on_pages = {use.calendar.id for page in pages for use in unit.roster.page_calendars(page)}
    return frozenset(on_pages | {it.id for it in calendars if it.owner in owners})


def foresee(scope: Scope, done: str) -> str:
    """Say how many calendars a run of this scope would work on, through each connection; nothing is sent or written.

    Args:
        scope: What would be worked on.
        done: What would be done with them.
    """
    with workspace().store.read() as unit:
        served = {
            it.email: unit.roster.calendars(connection_id=it.id) for it in unit.connections.all_open() if scope.connects(it.id)
        }
        unserved = scope.only(unit.roster.unserved()) if scope.connects(None) else []
    said = [f"{len(scope.only(calendars))} through {email}" for email, calendars in sorted(served.items())]
    said += [f"{len(unserved)} that no connection serves could not"] if unserved else []
    return f"Calendars that would be {done}: {', '.join(said) or 'none'}. Nothing was sent or written."
