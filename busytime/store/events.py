"""The audit events: append-only, each row chained to the one before by an HMAC (`busytime/chain.py`).

A key of its own, wrapped by the master key, makes the chain; who can write rows but has no key cannot forge one.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, String, Text, cast, func, insert, literal, select, type_coerce
from sqlalchemy.sql.elements import ColumnElement

from busytime.chain import Link, chain_hmac, instant_text
from busytime.store.tables import events, installation

#: Rows that are in memory at once while the chain is read.
_ROWS_AT_ONCE = 1000


class EventRepository:
    """Appends events, and reads them back as a chain."""

    def __init__(self, connection: Connection) -> None:
        """Work inside the caller's transaction."""
        self._connection = connection

    def append(
        self, key: bytes, tag: str, now: datetime, actor_id: int, details: Mapping[str, Any], run_id: int | None = None
    ) -> str:
        """Append a row and return its HMAC.

        Args:
            key: The chain's key.
            tag: ``source:subject:action``.
            now: The present instant in aware UTC.
            actor_id: Who did it.
            details: Ids and counts, never an address or a secret.
            run_id: In which run.
        """
        # One writer at a time on PostgreSQL too: two rows after the same one would fork the chain.
        self._connection.execute(select(installation.c.id).with_for_update())
        last = select(events.c.hmac).order_by(events.c.id.desc()).limit(1)
        previous = self._connection.scalar(last) or ""
        written = json.dumps(dict(details), sort_keys=True)
        mac = chain_hmac(key, previous, (tag, instant_text(now), actor_id, run_id, written))
        self._connection.execute(
            insert(events).values(
                tag=tag, at=now, actor_id=actor_id, run_id=run_id, details=written, previous_hmac=previous, hmac=mac
            )
        )
        return mac

    def chain(self) -> "StoredChain":
        """Return all rows in order, to be read as often as one likes in this transaction."""
        return StoredChain(self._connection)


class StoredChain:
    """The rows of the chain, read a thousand at a time and as they are: a damaged one must not end the reading."""

    def __init__(self, connection: Connection) -> None:
        """Work inside the caller's transaction."""
        self._connection = connection

    def __iter__(self) -> Iterator[Link]:
        """Read the rows from the first on."""
        columns = (events.c.tag, self._instant(), events.c.actor_id, events.c.run_id, events.c.details)
        query = select(events.c.id, *columns, events.c.previous_hmac, events.c.hmac).order_by(events.c.id)
        bounded = {"yield_per": _ROWS_AT_ONCE}
        with _any_text(self._connection), self._connection.execute(query, execution_options=bounded) as found:
            for row_id, *content, previous, mac in found:
                yield Link(row_id, tuple(content), previous, mac)

    def _instant(self) -> ColumnElement[str]:
        """The instant as text: one that cannot be read is still one that was changed."""
        if self._connection.dialect.name == "postgresql":
            utc = func.timezone("UTC", events.c.at)
            return func.coalesce(func.to_char(utc, 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'), cast(utc, String), literal(""))
        return type_coerce(events.c.at, Text)


@contextmanager
def _any_text(connection: Connection) -> Iterator[None]:
    """Let SQLite give out text that is not UTF-8, too."""
    if connection.dialect.name != "sqlite":
        yield
        return
    driver: Any = connection.connection.driver_connection
    before, driver.text_factory = driver.text_factory, lambda raw: raw.decode("utf-8", "surrogateescape")
    try:
        yield
    finally:
        driver.text_factory = before
