"""Column types of the tables: instants and keys, the same on SQLite and PostgreSQL."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Dialect, Integer, Text, TypeDecorator
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

#: Surrogate keys: 64 bits on PostgreSQL, the row id on SQLite.
Key = BigInteger().with_variant(Integer(), "sqlite")

#: Appointments share their times: so many are remembered, more than a harvest meets in its whole window.
_REMEMBERED = 8192


@lru_cache(_REMEMBERED)
def _to_text(utc: datetime) -> str:
    return utc.isoformat(timespec="microseconds")


@lru_cache(_REMEMBERED)
def _from_text(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


class UtcTime(TypeDecorator[datetime]):
    """An aware instant in UTC: ``timestamptz``, and on SQLite text ``YYYY-MM-DDTHH:MM:SS.ffffff+00:00``.

    The text form sorts like the instants do, so that comparisons in SQL mean the same on both.
    """

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the native type where there is one."""
        return dialect.type_descriptor(TIMESTAMP(timezone=True) if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Refuse naive instants, and write the others in UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            msg = "a naive instant has no place in the tables"
            raise ValueError(msg)
        if value.tzinfo is not UTC:
            value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else _to_text(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return aware UTC, whatever zone the server's session is in."""
        if value is None:
            return None
        return value.astimezone(UTC) if dialect.name == "postgresql" else _from_text(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        """Return what reads one value; for text without a Python frame around it, because a harvest reads a million."""
        return super().result_processor(dialect, coltype) if dialect.name == "postgresql" else _from_text


class Now(FunctionElement[datetime]):
    """The database's own present instant in the form of ``UtcTime``: the default in rows that other programs insert."""

    type = UtcTime()
    inherit_cache = True


@compiles(Now, "postgresql")
def _now_on_postgresql(*_: object, **__: object) -> str:
    return "CURRENT_TIMESTAMP"


@compiles(Now, "sqlite")
def _now_on_sqlite(*_: object, **__: object) -> str:
    return "(strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000+00:00')"
