"""Busy intervals and coverage: history rows, opened and closed in batches."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import chain
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, insert, select, true, update

from busytime.coverage import CoverageChanges, CoverageRow
from busytime.errors import Reason
from busytime.intervals import CurrentIntervals, IntervalChanges
from busytime.model import BusyStatus, CoverageState, Window
from busytime.store.tables import busy_intervals, coverage
from busytime.store.types import UtcTime

_STATUS = {str(status): status for status in BusyStatus}
_NAME = {status: name for name, status in _STATUS.items()}  # plain text: a driver takes it as it is

_INTERVAL_COLUMNS = ("calendar_id", "starts_at", "ends_at", "status", "count", "opened_run_id", "valid_from")
_INSERT_INTERVALS = f"INSERT INTO {busy_intervals.name} ({', '.join(_INTERVAL_COLUMNS)})"
#: Fewer than 1000 parameters in a statement: older SQLite takes no more.
_ROWS_IN_A_STATEMENT = 100


class BusyTimeRepository:
    """Reads what is current, and writes only what changed."""

    def __init__(self, connection: Connection) -> None:
        """Work inside the caller's transaction."""
        self._connection = connection

    def intervals(self, calendar_ids: Sequence[int], window: Window) -> dict[int, CurrentIntervals]:
        """Return the current intervals that overlap a window, for each calendar that has some."""
        t = busy_intervals.c
        query = select(t.calendar_id, t.starts_at, t.ends_at, t.status, t.id, t.count).where(
            t.calendar_id.in_(calendar_ids), t.valid_to.is_(None), t.starts_at < window.end, t.ends_at > window.start
        )
        found: dict[int, CurrentIntervals] = defaultdict(dict)
        for calendar_id, starts_at, ends_at, status, key, count in self._connection.execute(query):
            found[calendar_id][(starts_at, ends_at, _STATUS[status])] = (key, count)
        return found

    def coverage(self, calendar_ids: Sequence[int]) -> dict[int, list[CoverageRow]]:
        """Return the current coverage rows of each calendar that has some."""
        return self._coverage(coverage.c.calendar_id.in_(calendar_ids))

    def current_coverage(self) -> dict[int, list[CoverageRow]]:
        """Return the current coverage rows of all calendars."""
        return self._coverage(true())

    def _coverage(self, chosen: ColumnElement[bool]) -> dict[int, list[CoverageRow]]:
        query = select(coverage).where(chosen, coverage.c.valid_to.is_(None))
        found: dict[int, list[CoverageRow]] = defaultdict(list)
        for row in self._connection.execute(query):
            found[row.calendar_id].append(_coverage_row(row))
        return found

    def failing(self, calendar_ids: Sequence[int]) -> frozenset[int]:
        """Return the calendars that gave no answer the last time."""
        query = select(coverage.c.calendar_id).where(coverage.c.valid_to.is_(None), coverage.c.failures > 0)
        return frozenset(self._connection.execute(query).scalars()) & frozenset(calendar_ids)

    def touched_by(self, run_id: int) -> frozenset[int]:
        """Return the calendars of which a run opened or closed an interval."""
        t = busy_intervals.c
        query = select(t.calendar_id).where((t.opened_run_id == run_id) | (t.closed_run_id == run_id)).distinct()
        return frozenset(self._connection.execute(query).scalars())

    def write_intervals(self, changes: Mapping[int, IntervalChanges], run_id: int, instant: datetime) -> None:
        """Close and open interval rows, close before open: a changed count is one of each."""
        self._close(busy_intervals, [key for change in changes.values() for key in change.close], run_id, instant)
        written = partial(UtcTime().process_bind_param, dialect=self._connection.dialect)
        opened_at = written(instant)
        self._insert_intervals(
            [
                (calendar_id, written(starts_at), written(ends_at), _NAME[status], count, run_id, opened_at)
                for calendar_id, change in changes.items()
                for (starts_at, ends_at, status), count in change.open
            ]
        )

    def _insert_intervals(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows of values as the driver takes them, many with one statement.

        A first harvest is mostly this: one statement a row, with parameters by name, takes two and a half times as long.
        """
        mark = "?" if self._connection.dialect.paramstyle == "qmark" else "%s"
        row_of_marks = f"({', '.join([mark] * len(_INTERVAL_COLUMNS))})"
        for start in range(0, len(rows), _ROWS_IN_A_STATEMENT):
            page = rows[start : start + _ROWS_IN_A_STATEMENT]
            statement = f"{_INSERT_INTERVALS} VALUES {', '.join([row_of_marks] * len(page))}"
            self._connection.exec_driver_sql(statement, tuple(chain.from_iterable(page)))

    def write_coverage(self, changes: Mapping[int, CoverageChanges], run_id: int, instant: datetime) -> None:
        """Close, update and open coverage rows."""
        self._close(coverage, [key for change in changes.values() for key in change.close], run_id, instant)
        self._update([row for change in changes.values() for row in change.update])
        rows = [_coverage_values(row) for change in changes.values() for row in change.open]
        owners = [calendar_id for calendar_id, change in changes.items() for _ in change.open]
        if rows:
            fixed = {"opened_run_id": run_id, "valid_from": instant}
            self._connection.execute(
                insert(coverage), [row | fixed | {"calendar_id": owner} for row, owner in zip(rows, owners, strict=True)]
            )

    def _update(self, rows: Iterable[CoverageRow]) -> None:
        """Update rows in place: one statement for all that move alike, which in a batch is nearly all of them."""
        alike: dict[tuple[Any, ...], list[int]] = defaultdict(list)
        for row in rows:
            if row.id is not None:
                alike[row.window.start, row.window.end, row.as_of, row.failures].append(row.id)
        for (start, end, as_of, failures), keys in alike.items():
            self._connection.execute(
                update(coverage)
                .where(coverage.c.id.in_(keys))
                .values(starts_at=start, ends_at=end, as_of=as_of, failures=failures)
            )

    def _close(self, table: Any, keys: Sequence[int], run_id: int, instant: datetime) -> None:
        if not keys:
            return
        statement = update(table).where(table.c.id == bindparam("key")).values(closed_run_id=run_id, valid_to=instant)
        self._connection.execute(statement, [{"key": key} for key in keys])


def _coverage_row(row: Any) -> CoverageRow:
    return CoverageRow(
        id=row.id,
        window=Window(row.starts_at, row.ends_at),
        state=CoverageState(row.state),
        reason=Reason(row.reason) if row.reason else None,
        detail=row.detail,
        as_of=row.as_of,
        failures=row.failures,
        valid_from=row.valid_from,
    )


def _coverage_values(row: CoverageRow) -> dict[str, Any]:
    return {
        "starts_at": row.window.start,
        "ends_at": row.window.end,
        "state": row.state,
        "reason": row.reason,
        "detail": row.detail,
        "as_of": row.as_of,
        "failures": row.failures,
    }
