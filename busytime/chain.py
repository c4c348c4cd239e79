"""The chain of audit events: how a row's HMAC is worked out, and whether stored rows are one whole chain.

Each row's HMAC covers the row and the HMAC of the one before, under a key that is not in the database in the clear. So who
can write rows but has no key can neither change, add, remove nor reorder one without it being seen; only what was cut off
at the end needs a head kept elsewhere to be missed. Pure: it reads whatever rows it is given, and holds one at a time.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Fault(StrEnum):
    """What is wrong with a chain at its first broken place."""

    CHANGED = "changed"
    MISSING_BEFORE = "missing_before"
    OUT_OF_PLACE = "out_of_place"
    FORKED = "forked"
    TAIL_MISSING = "tail_missing"


#: One line for each fault, for people.
FAULT_TEXTS: dict[Fault, str] = {
    Fault.CHANGED: "it was changed, or busytime never wrote it",
    Fault.MISSING_BEFORE: "at least one row before it is missing",
    Fault.OUT_OF_PLACE: "it does not stand where it was written",
    Fault.FORKED: "it and an earlier row both follow the same row",
    Fault.TAIL_MISSING: "the row with the given head is not there: the end was cut off, or an older backup was restored",
}


@dataclass(frozen=True, slots=True)
class Link:
    """One event as it is stored.

    Args:
        id: Its key; the rows stand in its order.
        content: Tag, instant as text, actor, run and details; a damaged row may hold values of any type.
        previous_hmac: The HMAC of the row before; empty for the first.
        hmac: Its own.
    """

    id: int
    content: tuple[Any, ...]
    previous_hmac: Any
    hmac: Any


@dataclass(frozen=True, slots=True)
class ChainVerdict:
    """What reading a chain came to.

    Args:
        events: How many rows are good, from the first on.
        head: HMAC of the last good row; empty where there is none.
        fault: What is wrong; ``None`` for a whole chain.
        broken_id: The first broken row; ``None`` for a whole chain, and where the end is missing.
        since_head: How many rows follow the head that was given; ``None`` where none was given, or found.
    """

    events: int
    head: str
    fault: Fault | None = None
    broken_id: int | None = None
    since_head: int | None = None

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return self.fault is None


def instant_text(instant: datetime) -> str:
    """Write an instant as the chain does: in UTC, to the microsecond."""
    return instant.isoformat(timespec="microseconds")


def chain_hmac(key: bytes, previous: Any, content: tuple[Any, ...]) -> str:
    """Return the HMAC-SHA-256 of a row and the one before, in hexadecimal.

    Args:
        key: The chain's key.
        previous: The HMAC of the row before.
        content: Tag, instant as text, actor, run and details.
    """
    text = json.dumps([previous, *content], ensure_ascii=True, default=_foreign)
    return hmac.new(key, text.encode("ascii"), hashlib.sha256).hexdigest()


def _foreign(value: Any) -> list[str]:
    """Write a value of a type that busytime never writes as something that it never writes either."""
    return [repr(value)]


def verify_chain(key: bytes, rows: Iterable[Link], head: str | None = None) -> ChainVerdict:
    """Judge rows: whole, or what is wrong with the first broken one.

    Args:
        key: The chain's key.
        rows: All of them in order of their ids; read from the start again where one is broken.
        head: An HMAC that was noted earlier; one row has to carry it.
    """
    good, last, head_at = 0, "", None
    for row in rows:
        fault = _fault(key, row, last, rows)
        if fault is not None:
            return ChainVerdict(good, last, fault, row.id)
        good, last = good + 1, row.hmac
        head_at = good if last == head else head_at
    if head is None:
        return ChainVerdict(good, last)
    if head_at is None:
        return ChainVerdict(good, last, Fault.TAIL_MISSING)
    return ChainVerdict(good, last, since_head=good - head_at)


def _fault(key: bytes, row: Link, last: str, rows: Iterable[Link]) -> Fault | None:
    if row.hmac != chain_hmac(key, row.previous_hmac, row.content):
        return Fault.CHANGED
    return None if row.previous_hmac == last else _misplacement(row, rows)


def _misplacement(broken: Link, rows: Iterable[Link]) -> Fault:
    """Tell why a row that is good in itself does not follow the one before it; for that all rows are read once more."""
    for row in rows:
        if row.id < broken.id and row.previous_hmac == broken.previous_hmac:
            return Fault.FORKED
        if row.id > broken.id and row.hmac == broken.previous_hmac:
            return Fault.OUT_OF_PLACE
    return Fault.MISSING_BEFORE
