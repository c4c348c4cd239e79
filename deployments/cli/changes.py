"""How changes of entries are printed, by a push and by its dry run alike."""

from collections.abc import Iterable
from typing import Any

from busytime.bookings import ChangeKind
from busytime.cures import about_refused
from busytime.errors import Reason
from busytime.model import Calendar
from busytime.planning import RefusedPage
from deployments.cli.output import marked, output


def as_change(booking_key: str, calendar: Calendar, kind: ChangeKind, outcome: str, reason: Reason | None) -> dict[str, Any]:
    """Return one change as `--json` prints it."""
    return {
        "booking_key": booking_key,
        "owner": calendar.owner,
        "folder": calendar.folder,
        "change": kind,
        "outcome": outcome,
        "reason": reason,
    }


def as_refused(pages: Iterable[RefusedPage]) -> dict[str, Any]:
    """Return the pages that the gate refused as `--json` prints them; nothing where it refused none."""
    found = [{"page": it.page, "disturbed": it.disturbed, "future": it.future} for it in pages]
    return {"refused_pages": found} if found else {}


def show_refused(pages: Iterable[RefusedPage]) -> None:
    """Print which pages the gate refused, with their numbers, and how to overrule it."""
    for it in pages:
        output().print(f"[bold red]Refused[/] {marked(about_refused(it))}", soft_wrap=True)
