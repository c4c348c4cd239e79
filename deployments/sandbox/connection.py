"""What is known about one TCP connection: an NTLM log-on belongs to it, not to a request."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from deployments.sandbox.directory import Account
from deployments.sandbox.ntlm import Challenge

_KEY = "connection"


@dataclass(slots=True)
class Connection:
    """The challenge that waits for its answer, and who has logged on."""

    challenge: Challenge | None = None
    account: Account | None = None


class ConnectionProtocol(HttpToolsProtocol):
    """An HTTP connection that lends the same `Connection` to each of its requests.

    ASGI hands every request a copy of the server's state. Here that state is one of the connection,
    so that what a request notes in it is still there for the next.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give a new connection a state of its own."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, _KEY: Connection()}


def connection_of(scope: Mapping[str, Any]) -> Connection:
    """Return the connection that a request came by."""
    connection: Connection = scope["state"][_KEY]
    return connection
