"""`busytime bookings`: takes bookings from a file, and shows where each stands."""

from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from busytime.bookings import Booking, EntryState
from busytime.bookings_file import read_bookings
from busytime.errors import ConfigurationError, Reason
from busytime.model import Calendar
from busytime.standing import Standing, standings
from busytime.store.booking_rows import RefusedRow
from busytime.store.bookings import IntakeResult
from deployments.announcing import announce_here
from deployments.cli.bookings_table import Listing, show_listing
from deployments.cli.output import ExitStatus, JsonOption, finish, output, print_json, rfc3339, show_help, shown
from tasks.announcing import Happening
from tasks.books import open_book
from tasks.workspace import Workspace, open_workspace

commands = typer.Typer(
    help="Bookings: takes them in, and shows where each stands.", invoke_without_command=True, callback=show_help
)

_IGNORED_SHOWN = 20


@commands.command("import")
def import_bookings(
    file: Annotated[Path, typer.Argument(help="JSON lines or CSV; - is standard input.", allow_dash=True)],
    as_json: JsonOption = False,
) -> None:
    """Take a file of bookings as a whole, or refuse it as a whole with the line of each fault.

    Example: busytime bookings import bookings.jsonl
    """
    with closing(open_workspace()) as office:
        now = office.clock.now()
        with office.store.read() as unit:
            pages = [page.name for page in unit.roster.pages()]
        bookings = read_bookings(file, pages, now)
        result = _take(office, bookings, now) if bookings else IntakeResult()
    if as_json:
        _print_intake(result)
    elif not bookings:
        output().print(f"{shown(file.name)} holds no bookings; nothing was changed.")
    else:
        _show_intake(file, result)
    finish(ExitStatus.NEEDS_ATTENTION if result.older or result.differing else ExitStatus.DONE)


def _take(office: Workspace, bookings: list[Booking], now: datetime) -> IntakeResult:
    with office.store.write() as unit:
        result = unit.bookings.take(bookings, now)
        actor_id = unit.owners.id(office.desk.actor)
    ignored = {"older": len(result.older), "differing": len(result.differing)}
    office.store.append_event("person:bookings:imported", actor_id, _counts(result) | ignored)
    if result.added or result.later:
        announce_here(office, Happening.BOOKINGS_IMPORTED, "bookings")
    return result


def _counts(result: IntakeResult) -> dict[str, int]:
    return {"added": len(result.added), "later": len(result.later), "unchanged": result.unchanged}


def _print_intake(result: IntakeResult) -> None:
    older = [{"booking_key": key, "revision": given, "stored_revision": stored} for key, given, stored in result.older]
    differing = [
        {"booking_key": key, "revision": revision, "reason": Reason.REVISION_DIFFERS} for key, revision in result.differing
    ]
    print_json({"bookings": _counts(result), "older": older, "differing": differing})


def _show_intake(file: Path, result: IntakeResult) -> None:
    screen = output()
    screen.print(
        f"[green]Imported[/] {shown(file.name)}: {len(result.added)} bookings added, {len(result.later)} with a later revision, "
        f"{result.unchanged} unchanged."
    )
    ignored = [f"{shown(key)}: revision {given} is older than the stored one, {stored}." for key, given, stored in result.older]
    ignored += [
        f"{shown(key)}: revision {revision} is stored with other values, which stay; send changes under a later revision."
        for key, revision in result.differing
    ]
    if ignored:
        screen.print(f"[yellow]Ignored[/] {len(ignored)}:")
        for line in ignored[:_IGNORED_SHOWN]:
            screen.print(f"  {line}", soft_wrap=True)
        if len(ignored) > _IGNORED_SHOWN:
            screen.print(f"  and {len(ignored) - _IGNORED_SHOWN} more; --json names all.")
    step = "busytime push" if result.added or result.later else "busytime bookings list"
    screen.print(f"Next: [bold]{step}[/].")


@commands.command("list")
def list_bookings(
    page: Annotated[str | None, typer.Option("--page", help="Only bookings of this page.", show_default=False)] = None,
    state: Annotated[
        EntryState | None, typer.Option("--state", help="Only bookings with an entry in this state.", show_default=False)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also bookings that are over.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show where each booking stands, why, and what to do next.

    Example: busytime bookings list --page intro-call --state conflict
    """
    with closing(open_workspace()) as office:
        listing = _read(office, everything=everything).only(page, state)
    if page is not None and not listing.names(page):
        known = ", ".join(listing.zones) or "none yet: run `busytime roster import FILE`"
        raise ConfigurationError(f"There is no booking page {page!r}. Booking pages: {known}.")
    if as_json:
        rows = [_as_object(booking, found, listing) for booking, found in listing.bookings]
        print_json({"bookings": rows, "refused": [_refused(row) for row in listing.refused]})
    else:
        show_listing(listing, limited=page is not None or state is not None)
    troubled = listing.refused or any(it.troubled for _, found in listing.bookings for it in found)
    finish(ExitStatus.NEEDS_ATTENTION if troubled else ExitStatus.DONE)


def _read(office: Workspace, *, everything: bool) -> Listing:
    now = office.clock.now()
    with office.store.read() as unit:
        reading = unit.bookings.read(ends_after=None if everything else now)
        zones = {page.name: ZoneInfo(page.time_zone) for page in unit.roster.pages()}
    snapshot = open_book(office, None, backfill=False).snapshot({booking.key for booking in reading.bookings})
    found = [(booking, standings(snapshot, booking)) for booking in snapshot.bookings]
    with office.store.read() as unit:
        used = {it.calendar_id for _, parts in found for it in parts if it.calendar_id is not None}
        calendars = {calendar.id: calendar for calendar in unit.roster.by_id(used)}
    return Listing(found, list(reading.refused), zones, calendars)


def _as_object(booking: Booking, found: list[Standing], listing: Listing) -> dict[str, Any]:
    zone = listing.zone(booking.page)
    return {
        "booking_key": booking.key,
        "page": booking.page,
        "start": rfc3339(booking.window.start.astimezone(zone)) if booking.window else None,
        "end": rfc3339(booking.window.end.astimezone(zone)) if booking.window else None,
        "state": booking.state,
        "revision": booking.revision,
        "booked_at": booking.booked_at,
        "changed_by": booking.changed_by,
        "entries": [_entry(it, listing.calendars, zone) for it in found if it.calendar_id is not None],
        "reason": next((it.reason for it in found if it.calendar_id is None), None),
    }


def _entry(it: Standing, calendars: Mapping[int, Calendar], zone: ZoneInfo) -> dict[str, Any]:
    calendar = calendars[it.calendar_id or 0]
    window = it.entry.window if it.entry else None
    return {
        "owner": calendar.owner,
        "folder": calendar.folder,
        "state": it.state,
        "start": rfc3339(window.start.astimezone(zone)) if window else None,
        "end": rfc3339(window.end.astimezone(zone)) if window else None,
        "revision": it.entry.revision if it.entry else None,
        "reason": it.reason,
        "detail": it.entry.detail if it.entry else None,
        "next": it.next,
    }


def _refused(row: RefusedRow) -> dict[str, Any]:
    return {
        "booking_key": row.booking_key,
        "page": row.page,
        "revision": row.revision,
        "reason": row.reason,
        "field": row.field,
    }
