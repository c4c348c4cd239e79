"""What part of a view an export takes: what a span of time and a run mean for each view, in one table.

It knows the views' columns by their names, and nothing of how rows are written to files.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, TableClause, and_, func, or_, true

from busytime.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open span of time, open on the sides that are ``None``.

    Args:
        start: Aware instant, or ``None`` for everything before the end.
        end: Aware instant after the start, or ``None`` for everything from the start on.

    Raises:
        ConfigurationError: An instant has no offset, or the end is not after the start.
    """

    start: datetime | None = None
    end: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse what is no span."""
        for instant in (self.start, self.end):
            if instant is not None and instant.tzinfo is None:
                raise ConfigurationError(f"The time {instant.isoformat()} has no UTC offset; add one, for example +00:00.")
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise ConfigurationError(
                f"The span ends ({self.end.isoformat()}) before or when it starts ({self.start.isoformat()}); give a later end."
            )


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a span and a run mean for the rows of one view.

    Args:
        begins: The row's own time: the first of these columns that is not NULL. A row without one is in every span.
        ends: Until when the row held, NULL = it still does; without this column the row is one point in time.
        runs: The columns that name runs which wrote the row.
        times: The columns that tell when the row was written, where that is not always done by a run.
        may_change_while_null: While this column is NULL the row may change without a trace in the others.
        always: The row may change without a trace at any time; there are few of them, so every export has them all.
    """

    begins: tuple[str, ...]
    ends: str | None = None
    runs: tuple[str, ...] = ()
    times: tuple[str, ...] = ()
    may_change_while_null: str | None = None
    always: bool = False


_RUNS = ("opened_run_id", "closed_run_id")

#: The table that `docs/reading.md` prints; a test compares them.
MEANINGS: dict[str, Meaning] = {
    "audit_runs": Meaning(("started_at",), runs=("id",), times=("finished_at",)),
    "audit_steps": Meaning(("finished_at",), runs=("run_id",)),
    "audit_connections": Meaning(("opened_at",), "closed_at", always=True),
    "audit_calendars": Meaning(("added_at", "found_at"), "retired_at", always=True),
    "audit_permissions": Meaning(("valid_from",), "valid_to", runs=_RUNS),
    "audit_busy_time": Meaning(("valid_from",), "valid_to", runs=_RUNS),
    "audit_coverage": Meaning(("valid_from",), "valid_to", runs=_RUNS, may_change_while_null="valid_to"),
    "audit_logons": Meaning(("at",), runs=("run_id",), times=("at", "answered_at")),
    "audit_credentials": Meaning(("created_at",), "retired_at", times=("created_at", "retired_at")),
    "audit_bookings": Meaning(
        ("booked_at", "checked_at"),
        runs=("run_id",),
        times=("booked_at", "checked_at", "blanked_at"),
        may_change_while_null="checked_at",
    ),
    "audit_entries": Meaning(("updated_at",), runs=("run_id",), times=("updated_at",)),
    "audit_changes": Meaning(("finished_at",), runs=("run_id",)),
    "audit_requests": Meaning(
        ("asked_at",), runs=("taken_run_id",), times=("asked_at", "done_at"), may_change_while_null="done_at"
    ),
    "audit_alarms": Meaning(("opened_at",), "over_at", always=True),
    "audit_events": Meaning(("at",), runs=("run_id",), times=("at",)),
}


@dataclass(frozen=True, slots=True)
class Since:
    """A run, and when it began: what was written after it is wanted."""

    run_id: int
    started_at: datetime


def within(view: TableClause, meaning: Meaning, span: Span) -> list[ColumnElement[bool]]:
    """Return the conditions on rows that belong to a span."""
    begins = func.coalesce(*columns) if len(columns := [view.c[name] for name in meaning.begins]) > 1 else columns[0]
    conditions = []
    if span.end is not None:
        conditions.append(or_(begins.is_(None), begins < span.end))
    if span.start is not None and meaning.ends is not None:
        ends = view.c[meaning.ends]
        conditions.append(or_(ends.is_(None), ends > span.start))
    elif span.start is not None:
        conditions.append(or_(begins.is_(None), begins >= span.start))
    return conditions


def written_since(view: TableClause, meaning: Meaning, since: Since) -> ColumnElement[bool]:
    """Return the condition on rows that runs after this one wrote, or that others wrote since it began."""
    wanted: list[ColumnElement[bool]] = [view.c[name] > since.run_id for name in meaning.runs]
    wanted += [view.c[name] >= since.started_at for name in meaning.times]
    if meaning.may_change_while_null is not None:
        wanted.append(view.c[meaning.may_change_while_null].is_(None))
    if meaning.always:
        wanted.append(true())
    return or_(*wanted)


def conditions(view: TableClause, meaning: Meaning, span: Span, since: Since | None) -> ColumnElement[bool]:
    """Return the one condition on the rows that are wanted."""
    chosen = within(view, meaning, span)
    if since is not None:
        chosen.append(written_since(view, meaning, since))
    return and_(True, *chosen)
