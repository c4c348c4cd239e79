"""The audit events: append-only, each row chained to the one before by an HMAC.

A key of its own, wrapped by the master key, makes the chain; who can write rows but has no key cannot forge one.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from busytime.store.tables import events, installation


def chain_hmac(key: bytes, previous: str, tag: str, at: datetime, actor_id: int, run_id: int | None, details: str) -> str:
    """Return the HMAC-SHA-256 of a row and the one before, in hexadecimal."""
    text = json.dumps([previous, tag, at.isoformat(timespec="microseconds"), actor_id, run_id, details], ensure_ascii=True)
    return hmac.new(key, text.encode("ascii"), hashlib.sha256).hexdigest()


class EventRepository:
    """Appends events."""

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
        mac = chain_hmac(key, previous, tag, now, actor_id, run_id, written)
        self._connection.execute(
            insert(events).values(
                tag=tag, at=now, actor_id=actor_id, run_id=run_id, details=written, previous_hmac=previous, hmac=mac
            )
        )
        return mac
