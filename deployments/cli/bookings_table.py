"""How `busytime bookings list` looks on a screen: a table for each page, what is refused, and what to do next.

A title, a text, a place or a guest is never shown.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table

from busytime.bookings import Booking, BookingState, EntryState
from busytime.errors import REASON_TEXTS
from busytime.model import Calendar, Window
from busytime.standing import NextStep, Standing
from busytime.store.booking_rows import RefusedRow
from deployments.cli.output import output, plain_table, shown

_UTC = ZoneInfo("UTC")
_USUAL_NAME = 32

#: How each state of an entry is said, and in which colour.
STATES = {
    EntryState.WANTED: ("waits for a push", "yellow"),
    EntryState.INTENDED: ("being written", "yellow"),
    EntryState.PRESENT: ("in the calendar", "green"),
    EntryState.UNKNOWN: ("not known", "yellow"),
    EntryState.CONFLICT: ("conflict", "bold red"),
    EntryState.BLOCKED: ("blocked", "bold red"),
    EntryState.WAITING_FOR_LOG_ON: ("waits for a log-on", "yellow"),
    EntryState.MOVED_BY_OWNER: ("moved by its owner", "cyan"),
    EntryState.REMOVED_BY_OWNER: ("removed by its owner", "cyan"),
    EntryState.CANCELLED: ("taken out", "dim"),
    EntryState.FAILED: ("failed", "bold red"),
    EntryState.ORPHANED: ("left where it is", "dim"),
}

#: What to do next, for each step that there is.
STEPS = {
    NextStep.PUSH: "[bold]busytime push[/]",
    NextStep.BACKFILL: "[bold]busytime push --backfill[/], for bookings made before the connection was opened",
    NextStep.VALIDATE: "[bold]busytime validate[/], which tells who has to grant what; then [bold]busytime push[/]",
    NextStep.LOG_ON: "[bold]busytime status[/], which tells why nobody can log on; then [bold]busytime push[/]",
    NextStep.RESCHEDULE: "free the slot, or send a later revision with another time; then [bold]busytime push[/]",
    NextStep.ROSTER: "[bold]busytime roster import FILE[/] with the page, or send a cancellation",
}


@dataclass(frozen=True, slots=True)
class Listing:
    """What is listed.

    Args:
        bookings: Each with where it stands.
        refused: Rows that are no bookings.
        zones: The pages in use, with their time zones.
        calendars: By surrogate key.
    """

    bookings: list[tuple[Booking, list[Standing]]]
    refused: list[RefusedRow]
    zones: Mapping[str, ZoneInfo]
    calendars: Mapping[int, Calendar]

    def only(self, page: str | None, state: EntryState | None) -> "Listing":
        """Keep the bookings of a page, and those with an entry in a state; ``None`` keeps all."""
        kept = [
            (booking, found)
            for booking, found in self.bookings
            if page in {None, booking.page} and (state is None or any(it.state is state for it in found))
        ]
        refused = [row for row in self.refused if state is None and page in {None, row.page}]
        return replace(self, bookings=sorted(kept, key=_order), refused=refused)

    def names(self, page: str) -> bool:
        """Whether a page is in use, or something that is listed names it."""
        return page in self.zones or bool(self.bookings or self.refused)

    def zone(self, page: str) -> ZoneInfo:
        """Return a page's time zone; of one that left the roster, UTC."""
        return self.zones.get(page, _UTC)


def _order(listed: tuple[Booking, list[Standing]]) -> tuple[str, datetime, str]:
    booking = listed[0]
    start = booking.window.start if booking.window else datetime.max.replace(tzinfo=UTC)
    return booking.page, start, booking.key


def show_listing(listing: Listing, *, limited: bool) -> None:
    """Print a listing.

    Args:
        listing: What is listed.
        limited: Whether only some were asked for.
    """
    screen = output()
    if not listing.bookings and not listing.refused:
        found = "No such bookings" if limited else "No bookings to show"
        step = "bookings list[/] shows those of every page and state" if limited else "bookings import FILE[/]"
        screen.print(f"{found}; --all also shows those that are over. Next: [bold]busytime {step}.")
        return
    for page in sorted({booking.page for booking, _ in listing.bookings}):
        _show_page(screen, page, listing)
    if listing.refused:
        _show_refused(screen, listing.refused)
    _show_steps(screen, listing)


def _show_page(screen: Console, page: str, listing: Listing) -> None:
    zone = listing.zone(page)
    table = _table(f"{shown(page)}, times in {zone.key}", "Booking", "When", "Calendar", "Stands")
    for booking, found in listing.bookings:
        if booking.page != page:
            continue
        head = (shown(booking.key), _when(booking.window, zone))
        for standing in found:
            calendar = listing.calendars.get(standing.calendar_id or 0)
            table.add_row(*head, shown(calendar.label) if calendar else "", _stands(standing) + _why(standing, zone))
            head = ("", "")
    _keep_whole(table, 0, 2)
    screen.print(table)


def _table(title: str, *columns: str) -> Table:
    table = plain_table(*columns, title=f"\n{title}")
    for column in table.columns:
        column.overflow = "fold"  # an address or a key that is cut off is of no use
    return table


def _keep_whole(table: Table, *numbers: int) -> None:
    """Let names of a usual length stay on one line where the screen is narrow; other columns give way."""
    for number in numbers:
        column = table.columns[number]
        column.no_wrap = all(len(str(cell)) <= _USUAL_NAME for cell in column.cells)


def _when(window: Window | None, zone: ZoneInfo) -> str:
    if window is None:
        return "never scheduled"
    start, end = window.start.astimezone(zone), window.end.astimezone(zone)
    last = f"{end:%H:%M}" if start.date() == end.date() else f"{end:%Y-%m-%d %H:%M}"
    return f"{start:%Y-%m-%d %H:%M}-{last}"


def _stands(it: Standing) -> str:
    if it.state is not None:
        words, colour = STATES[it.state]
        if it.state is EntryState.PRESENT and it.next is not NextStep.NOTHING:
            cancelled = it.booking.state is BookingState.CANCELLED
            words, colour = ("to be taken out" if cancelled else "to be changed", "yellow")
        return f"[{colour}]{words}[/]"
    if it.next is NextStep.BACKFILL:
        return "[yellow]made before the connection[/]"
    if it.next is NextStep.ROSTER:
        return "[bold red]page left the roster[/]"
    return f"[dim]{'cancelled, ' if it.booking.state is BookingState.CANCELLED else ''}never entered[/]"


def _why(it: Standing, zone: ZoneInfo) -> str:
    if it.state is EntryState.MOVED_BY_OWNER and it.entry is not None:
        return f" to {_when(it.entry.window, zone)}"
    return f": {REASON_TEXTS[it.reason]}" if it.reason is not None else ""


def _show_refused(screen: Console, refused: list[RefusedRow]) -> None:
    table = _table("Refused rows", "Booking", "Revision", "Page", "Column", "Why")
    for row in refused:
        table.add_row(
            shown(row.booking_key), shown(row.revision), shown(row.page), row.field, f"[bold red]{REASON_TEXTS[row.reason]}[/]"
        )
    screen.print(table)


def _show_steps(screen: Console, listing: Listing) -> None:
    steps: Counter[NextStep] = Counter(
        it.next for _, found in listing.bookings for it in found if it.next is not NextStep.NOTHING
    )
    lines = [f"{STEPS[step]} ({steps[step]})" for step in STEPS if steps[step]]
    if listing.refused:
        lines.append(f"correct the refused rows of `bookings`, they are looked at again each time ({len(listing.refused)})")
    if not lines:
        screen.print("\n[green]All is as it should be.[/]")
    for line in lines:
        screen.print(f"Next: {line}.", soft_wrap=True)
