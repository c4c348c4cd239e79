"""Faults that tests order: what goes wrong, for which requests, how often."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum


class FaultKind(StrEnum):
    """Everything that can be made to go wrong."""

    HTTP_401 = "http_401"
    HTTP_403 = "http_403"
    HTTP_503 = "http_503"
    SERVER_BUSY = "server_busy"
    CONNECTION_COUNT = "connection_count"
    TOO_MANY_OBJECTS = "too_many_objects"
    DELAY = "delay"
    DRIBBLE = "dribble"
    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"
    MALFORMED = "malformed"
    SICK_MAILBOX = "sick_mailbox"
    STALLED_MAILBOX = "stalled_mailbox"


_NEED_MAILBOX = frozenset({FaultKind.SICK_MAILBOX, FaultKind.STALLED_MAILBOX})


@dataclass(slots=True)
class Fault:
    """One ordered fault."""

    id: int
    kind: FaultKind
    operation: str = "*"
    share: float = 1.0
    count: int | None = None
    back_off_ms: int | None = None
    seconds: float | None = None
    mailbox: str | None = None

    def fits(self, operation: str, mailboxes: list[str]) -> bool:
        """Tell whether a request is one of those that it is meant for."""
        if self.count == 0 or self.operation not in {"*", operation}:
            return False
        return self.mailbox is None or self.mailbox in mailboxes


class Faults:
    """The faults in force. Chance comes from a seed, so that a run can be repeated."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 (repeatable, no secret)
        self._faults: list[Fault] = []
        self._last = 0

    def add(self, order: dict[str, object]) -> int:
        """Take an order as JSON gave it.

        Returns:
            The fault's id.

        Raises:
            ValueError: The order makes no sense; the message says what to mend.
        """
        fault = _read(order, self._last + 1)
        self._last = fault.id
        self._faults.append(fault)
        return fault.id

    def clear(self) -> None:
        """Let everything go well again."""
        self._faults.clear()

    def strike(self, operation: str, mailboxes: list[str]) -> list[Fault]:
        """Return the faults that hit a request, and count them."""
        hits = []
        for fault in self._faults:
            if not fault.fits(operation, mailboxes) or self._random.random() >= fault.share:
                continue
            if fault.count is not None:
                fault.count -= 1
            hits.append(fault)
        return hits


def _read(order: dict[str, object], number: int) -> Fault:
    known = {"kind", "operation", "share", "count", "back_off_ms", "seconds", "mailbox"}
    unknown = sorted(set(order) - known)
    if unknown:
        raise ValueError(f"unknown key {unknown[0]!r}; known are {', '.join(sorted(known))}")
    try:
        kind = FaultKind(str(order.get("kind")))
    except ValueError:
        raise ValueError(f"kind must be one of {', '.join(FaultKind)}") from None
    count = _number(order, "count", high=10**9)
    back_off = _number(order, "back_off_ms", high=10**9)
    fault = Fault(
        number,
        kind,
        _text(order, "operation") or "*",
        _share(order),
        None if count is None else int(count),
        None if back_off is None else int(back_off),
        _number(order, "seconds", high=86_400),
        _text(order, "mailbox"),
    )
    if fault.mailbox is not None:
        fault.mailbox = fault.mailbox.lower()
    if kind in _NEED_MAILBOX and fault.mailbox is None:
        raise ValueError(f"{kind} needs a mailbox")
    return fault


def _share(order: dict[str, object]) -> float:
    share = _number(order, "share", high=1)
    return 1.0 if share is None else share


def _number(order: dict[str, object], name: str, *, high: float) -> float | None:
    value = order.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= high:
        raise ValueError(f"{name} must be a number from 0 to {high}")
    return value


def _text(order: dict[str, object], name: str) -> str | None:
    value = order.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{name} must be text")
    return value
