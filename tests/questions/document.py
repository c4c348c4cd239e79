"""The twenty questions as `docs/questions.md` asks them: the document is the source of tests, benchmark and outputs.

Queries stand there as PostgreSQL takes them. Where they reckon with time, three rules make SQLite's form of them.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, bindparam, text

from busytime.store.types import UtcTime

DOCUMENT = Path(__file__).parents[2] / "docs" / "questions.md"
BEGIN, END = "<!-- answer, made by `make docs` -->", "<!-- end -->"
_QUESTION = re.compile(
    r"^## (\d+)\. (.*?)\n(.*?)```sql\n(.*?);\n```\n\n(With [^\n]*\n\n)?" + f"{re.escape(BEGIN)}.*?{END}$",
    re.MULTILINE | re.DOTALL,
)
_VALUE = re.compile(r"`:(\w+)` = `([^`]*)`")
#: As SQLite keeps instants, and as the document writes them.
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d\.\d{6}\+00:00| \d\d:\d\d)")
_MOST_ROWS = 12
#: What PostgreSQL says, and how SQLite says the same.
RULES = (
    (r"CAST\((:\w+) AS timestamptz\)", r"\1"),
    (r"floor\(extract\(epoch FROM ([\w.]+)\)\)", r"unixepoch(\1)"),
    (r"([\w.:]+) \+ interval '(\d+) hours'", r"strftime('%Y-%m-%dT%H:%M:%S.000000+00:00', \1, '+\2 hours')"),
)

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """One question.

    Args:
        number: Its number.
        title: The question.
        query: As PostgreSQL takes it.
        values: What the document asks it with, by parameter.
    """

    number: int
    title: str
    query: str
    values: Mapping[str, Any]

    def query_for(self, dialect: str) -> str:
        return for_sqlite(self.query) if dialect == "sqlite" else self.query

    def ask(self, connection: Connection, values: Mapping[str, Any] | None = None) -> tuple[Sequence[str], list[Row]]:
        """Return the names of the columns and the rows, with values as Python has them."""
        chosen = self.values if values is None else values
        bound = [bindparam(name, value, _type_of(value)) for name, value in chosen.items()]
        result = connection.execute(text(self.query_for(connection.dialect.name)).bindparams(*bound))
        return tuple(result.keys()), [tuple(map(as_value, row)) for row in result]


def questions(written: str | None = None) -> list[Question]:
    """Read the questions out of the document."""
    found = _QUESTION.findall(DOCUMENT.read_text(encoding="utf-8") if written is None else written)
    return [
        Question(int(number), title, query, {name: as_value(value) for name, value in _VALUE.findall(asked_with)})
        for number, title, _, query, asked_with in found
    ]


def for_sqlite(query: str) -> str:
    """Return a query as SQLite takes it."""
    for said, means in RULES:
        query = re.sub(said, means, query)
    return query


def as_value(value: Any) -> Any:
    """Return what a database gave, or the document says, as a plain value of Python."""
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    return float(value) if isinstance(value, Decimal) else value


def written_anew(written: str, answer: Callable[[Question], tuple[Sequence[str], list[Row]]]) -> str:
    """Return the document with the answers of some database."""
    asked = {question.number: question for question in questions(written)}

    def answered(found: re.Match[str]) -> str:
        question = asked[int(found[1])]
        before = found[0].partition(BEGIN)[0]
        return f"{before}{BEGIN}\n{''.join(_other_form(question))}{_table(*answer(question))}{END}"

    return _QUESTION.sub(answered, written)


def _type_of(value: Any) -> UtcTime | None:
    return UtcTime() if isinstance(value, datetime) else None


def _other_form(question: Question) -> Sequence[str]:
    other = for_sqlite(question.query)
    return ("On SQLite:\n\n```sql\n", other, ";\n```\n\n") if other != question.query else ()


def _table(names: Sequence[str], rows: Sequence[Row]) -> str:
    lines = [names, ["---"] * len(names), *([_shown(value) for value in row] for row in rows[:_MOST_ROWS])]
    more = f"\n{len(rows)} rows; these are the first.\n" if len(rows) > _MOST_ROWS else ""
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) + more


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}".removesuffix(":00")
    return "" if value is None else str(value)
