"""The chain of audit events: how a row's HMAC is worked out, and whether stored rows are one whole chain.

Each row's HMAC covers the row and the HMAC of the one before, under a key that is not in the database in the clear. So who
can write rows but has no key can neither change, add, remove nor reorder one without it being seen; only what was cut off
at the end needs a head kept elsewhere to be missed. A retention removes the oldest rows and leaves a checkpoint, an event of
the chain itself, that names the last of them; so a chain that begins in the middle is whole where one of its own rows says
so. Pure: it reads whatever rows it is given, and holds one at a time.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

#: Tag of the event with which a retention says what it removed: its details name the ``head`` of what is gone.
TRIMMED = "machine:events:trimmed"


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
    Fault.MISSING_BEFORE: "at least one row before it is missing, and no retention of busytime removed it",
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
        trimmed: Whether a retention removed the rows before the first.
    """

    events: int
    head: str
    fault: Fault | None = None
    broken_id: int | None = None
    since_head: int | None = None
    trimmed: bool = False

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
        head: An HMAC that was noted earlier; one row has to carry it, or the last one that a retention removed.
    """
    good, last, head_at, start = 0, "", None, _Start()
    for row in rows:
        if not good:
            start = _Start(row, _beginning(key, row))
            last, head_at = start.after, 0 if start.after and start.after == head else None
        fault = _fault(key, row, last, rows)
        if fault is not None:
            return start.judge(key, rows) or ChainVerdict(good, last if good else "", fault, row.id, trimmed=bool(start.after))
        start.look(row)
        good, last = good + 1, row.hmac
        head_at = good if last == head else head_at
    unsaid, trimmed = start.judge(key, rows), bool(start.after)
    if unsaid is not None or head is None:
        return unsaid or ChainVerdict(good, last, trimmed=trimmed)
    if head_at is None:
        return ChainVerdict(good, last, Fault.TAIL_MISSING, trimmed=trimmed)
    return ChainVerdict(good, last, since_head=good - head_at, trimmed=trimmed)


def _beginning(key: bytes, row: Link) -> str:
    """Return what the first row follows: something that is not there, where it was written in the middle of a chain."""
    return str(row.previous_hmac) if row.hmac == chain_hmac(key, row.previous_hmac, row.content) else ""


@dataclass(slots=True)
class _Start:
    """How a chain begins: with its first row ever, or after rows of which a checkpoint has to tell.

    Args:
        first: The first row that is there.
        after: The HMAC that it follows; empty for the first row ever.
        said: Whether a checkpoint was met that tells what was removed.
    """

    first: Link | None = None
    after: str = ""
    said: bool = False

    def look(self, row: Link) -> None:
        """Look whether a good row is the checkpoint."""
        self.said = self.said or (row.content[0] == TRIMMED and _removed_head(row) == self.after)

    def judge(self, key: bytes, rows: Iterable[Link]) -> ChainVerdict | None:
        """Tell what is wrong with the beginning; a checkpoint that was not met yet may stand behind a broken row."""
        if not self.after or self.said or self.first is None:
            return None
        for row in rows:
            if row.hmac == chain_hmac(key, row.previous_hmac, row.content):
                self.look(row)
        return None if self.said else ChainVerdict(0, "", _misplacement(self.first, rows), self.first.id)


def _removed_head(row: Link) -> Any:
    """Return the HMAC of the last row that was removed, as a checkpoint names it."""
    return json.loads(row.content[4])["head"]


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
