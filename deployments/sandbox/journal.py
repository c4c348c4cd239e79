"""The request log that tests read: who asked what, and how it ended."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime

_KEPT = 100_000


class Journal:
    """Numbered entries, the oldest dropped after a hundred thousand."""

    def __init__(self) -> None:
        self._entries: deque[dict[str, object]] = deque(maxlen=_KEPT)
        self._last = 0

    def add(
        self,
        *,
        operation: str | None,
        caller: str | None,
        mailboxes: list[str],
        http_status: int | None,
        code: str,
        refused_logon: bool,
        scheme: str | None,
        application: str | None,
    ) -> None:
        """Write down one finished request.

        Args:
            operation: The operation's name, or None if the body could not be read.
            caller: The account, or None if it is not known.
            mailboxes: Whose mailboxes the request named, in its order.
            http_status: None where the connection was closed without an answer.
            code: The first response code that was not `NoError`.
            refused_logon: Whether a password or an application's secret was sent and refused.
            scheme: How this request itself logged on; None on a connection that has.
            application: The application that asked for a token or came with one.
        """
        self._last += 1
        self._entries.append(
            {
                "n": self._last,
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "operation": operation,
                "caller": caller,
                "mailboxes": mailboxes,
                "http_status": http_status,
                "code": code,
                "refused_logon": refused_logon,
                "scheme": scheme,
                "application": application,
            }
        )

    def since(self, number: int) -> list[dict[str, object]]:
        """Return the entries after a number."""
        newest: list[dict[str, object]] = []
        for entry in reversed(self._entries):
            if int(str(entry["n"])) <= number:
                break
            newest.append(entry)
        return newest[::-1]
