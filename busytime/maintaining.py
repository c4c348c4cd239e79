"""Maintenance: what has stood long enough in the tables, and when a booking is over. Pure rules.

What a row's age is measured by never makes it older than it is: who removes too early cannot make it good.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from busytime.errors import Reason
from busytime.model import RunStatus

#: Rows that go in one transaction: it holds the database's one place for writers for some tenths of a second on SQLite.
BATCH_ROWS = 5_000
#: Bookings that are looked at in one transaction.
BATCH_BOOKINGS = 500
#: How long others have the database to themselves between two batches, at least.
SHORTEST_PAUSE_SECONDS = 0.05


class OldRows(StrEnum):
    """Tables whose old rows go, by their names."""

    PERMISSIONS = "permissions"
    BUSY_INTERVALS = "busy_intervals"
    COVERAGE = "coverage"
    STEPS = "steps"
    EVENTS = "events"


@dataclass(frozen=True, slots=True)
class MaintenanceOutcome:
    """What a maintenance came to.

    Args:
        run_id: The run.
        status: How it ended.
        removed: How many rows of each table went.
        blanked: How many rows of bookings lost their texts.
        reason: Why it was refused or failed.
        message: What the first error said, for a person.
    """

    run_id: int
    status: RunStatus
    removed: Mapping[OldRows, int] = field(default_factory=dict)
    blanked: int = 0
    reason: Reason | None = None
    message: str | None = None

    @property
    def counts(self) -> dict[str, int]:
        """The counts that are kept with the run."""
        return {"blanked": self.blanked} | {str(kind): count for kind, count in self.removed.items()}


def over_since(ends: Iterable[datetime | None], signs_of_life: Iterable[datetime | None]) -> datetime | None:
    """Return since when a booking is over: the latest of all the ends that it has.

    Args:
        ends: As booked, as its owner left it, and in its calendars; ``None`` where one is missing or cannot be read.
        signs_of_life: When it was booked, and looked at: they count for a booking without any end.

    Returns:
        ``None`` where nothing is known of it.
    """
    known = [end for end in ends if end is not None] or [sign for sign in signs_of_life if sign is not None]
    return max(known, default=None)


def in_batches(work: Callable[[], int], full: int, *, seconds: Callable[[], float], pause: Callable[[float], None]) -> int:
    """Do something batch by batch until a batch is not full any more; return how much that was in all.

    After each batch the database is left to others for as long as the batch took: who waits for it must get it.

    Args:
        work: Does one batch, and returns how much was in it.
        full: How much is in a full one.
        seconds: A clock that runs evenly.
        pause: Waits so many seconds.
    """
    total, count = 0, full
    while count >= full:
        began = seconds()
        count = work()
        total += count
        if count >= full:
            pause(max(SHORTEST_PAUSE_SECONDS, seconds() - began))
    return total
