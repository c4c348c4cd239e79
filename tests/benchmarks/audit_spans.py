"""What the benchmark asks the twenty questions with, how many rows their spans have, and how many rows PostgreSQL reads."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from time import perf_counter
from typing import Any

from sqlalchemy import Connection, bindparam, text

from tests.benchmarks.audit_store import NOW
from tests.questions.document import Question

_DAY, _MAX_AGE = timedelta(days=1), timedelta(minutes=30)
_FROM = NOW - 91 * _DAY
_ROUNDS = 3
#: Smaller tables are read at one gulp, and rightly so.
_BIG = frozenset({"busy_intervals", "coverage", "runs", "steps", "changes", "entries", "bookings", "logons"})
_VALUES: Mapping[int, Mapping[str, Any]] = {
    4: {"from": NOW - _DAY, "at": NOW - _DAY / 2, "fresh_since": NOW - _DAY / 2 - _MAX_AGE},
    6: {"owner": "owner0007@corp.example", "at": NOW - 30 * _DAY, "fresh_since": NOW - 30 * _DAY - _MAX_AGE},
    7: {"to": NOW + 7 * _DAY},
    8: {"booking_key": "BK-30000"},
    14: {"run": 100_000},
}
_GIVEN = {"from": _FROM, "to": NOW, "at": NOW, "fresh_since": NOW - _MAX_AGE, "max_age_seconds": 1800}
_HELD = "valid_from < :to AND (valid_to IS NULL OR valid_to > :from)"
_DONE = "finished_at >= :from AND finished_at < :to"
#: The rows of each big table that a question is about.
SPANS: Mapping[int, Mapping[str, str]] = {
    1: {"coverage": "valid_to IS NULL"},
    4: {"coverage": "valid_from <= :at AND (valid_to IS NULL OR valid_to > :from)"},
    5: {"coverage": _HELD},
    6: {"busy_intervals": "calendar_id = 7", "coverage": "calendar_id = 7"},
    7: {"busy_intervals": "valid_to IS NULL AND starts_at < :to AND ends_at > :from"},
    8: {"changes": "booking_key = :booking_key", "entries": "booking_key = :booking_key"},
    9: {
        "bookings": "ends_at > :at",
        "entries": "booking_key IN (SELECT booking_key FROM bookings WHERE ends_at > :at)",
    },
    10: {
        "changes": _DONE,
        "bookings": "booking_key IN (SELECT booking_key FROM changes WHERE finished_at >= :from AND finished_at < :to)",
        "entries": "id IN (SELECT entry_id FROM changes WHERE finished_at >= :from AND finished_at < :to)",
    },
    11: {
        "bookings": "starts_at < :to AND ends_at > :from",
        "entries": "starts_at < :to AND ends_at > :from",
    },
    12: {"runs": "started_at >= :from AND started_at < :to"},
    13: {"runs": "started_at >= :from AND started_at < :to"},
    14: dict.fromkeys(("busy_intervals", "coverage"), "opened_run_id = :run OR closed_run_id = :run"),
    15: {"steps": _DONE, "runs": "started_at >= :from AND started_at < :to"},
    16: {"coverage": "valid_from >= :from AND valid_from < :to"},
    17: {"changes": _DONE},
    18: {"logons": "at >= :from AND at < :to"},
    20: {"runs": "id IN (SELECT taken_run_id FROM requests)"},
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What one question took.

    Args:
        question: The question.
        rows: Rows of its answer.
        seconds: The middle one of its times.
        read: Rows read of each big table.
        own: Rows of each that the span has.
        plan: What PostgreSQL did, as it explains it.
    """

    question: Question
    rows: int
    seconds: float
    read: Mapping[str, int]
    own: Mapping[str, int]
    plan: Mapping[str, Any]

    @property
    def ratio(self) -> float:
        """How many rows were read for each that the span has; the worst table."""
        return max((count / max(self.own.get(table, 0), 1) for table, count in self.read.items()), default=0)


def ask(connection: Connection, question: Question) -> Asked:
    """Ask a question of the filled store, several times, and once more with its plan explained."""
    values = {name: (_GIVEN | _VALUES.get(question.number, {}))[name] for name in question.values} if question.values else {}
    if question.number == 6:
        values |= {"from": values["at"], "to": NOW}
    seconds, rows = [], 0
    for _ in range(_ROUNDS):
        started = perf_counter()
        rows = len(question.ask(connection, values)[1])
        seconds.append(perf_counter() - started)
    explain = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {question.query}"
    (told,) = connection.scalar(_bound(explain, values))
    own = {table: _count(connection, table, where, values) for table, where in SPANS.get(question.number, {}).items()}
    return Asked(question, rows, median(seconds), _read(told["Plan"]), own, told)


def _count(connection: Connection, table: str, where: str, values: Mapping[str, Any]) -> int:
    wanted = {name: value for name, value in values.items() if f":{name}" in where}
    return int(connection.scalar(_bound(f"SELECT count(*) FROM {table} WHERE {where}", wanted)))  # noqa: S608 -- ours


def _bound(statement: str, values: Mapping[str, Any]) -> Any:
    return text(statement).bindparams(*(bindparam(name, value) for name, value in values.items()))


def _read(plan: Mapping[str, Any]) -> dict[str, int]:
    """Add up the rows that each scan gave on or threw away, by big table; the worst scan of each counts."""
    read: dict[str, int] = {}
    for node in _nodes(plan):
        table = node.get("Relation Name")
        if table in _BIG:
            thrown = sum(node.get(f"Rows Removed by {by}", 0) for by in ("Filter", "Index Recheck"))
            rows = int((node["Actual Rows"] + thrown) * node["Actual Loops"])
            read[table] = max(read.get(table, 0), rows)
    return read


def _nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)
