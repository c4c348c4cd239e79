"""Sending answers, and the bad ways of sending them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

_PIECE = 8


async def send_answer(
    send: Send,
    status: int,
    body: bytes,
    *,
    headers: list[tuple[bytes, bytes]] | None = None,
    content_type: bytes = b"text/xml; charset=utf-8",
) -> None:
    """Send a whole answer."""
    await _send_head(send, status, len(body), headers or [], content_type)
    await send({"type": "http.response.body", "body": body})


async def _send_head(
    send: Send,
    status: int,
    length: int,
    headers: list[tuple[bytes, bytes]],
    content_type: bytes,
) -> None:
    head = [(b"content-type", content_type), (b"content-length", b"%d" % length), *headers]
    await send({"type": "http.response.start", "status": status, "headers": head})


async def pause(receive: Receive, seconds: float) -> None:
    """Wait, but no longer than the client does.

    What a client asked for takes effect even if it has left; it just does not occupy the server.
    """
    with contextlib.suppress(TimeoutError):
        # The body was read, so the only message left is that the client has gone.
        await asyncio.wait_for(receive(), seconds)


async def dribble(send: Send, receive: Receive, status: int, body: bytes, seconds: float) -> None:
    """Send a few bytes at a time until the body or the client's patience ends."""
    await _send_head(send, status, len(body), [], b"text/xml; charset=utf-8")
    for start in range(0, len(body), _PIECE):
        if getattr(_cycle(send), "disconnected", False):
            return
        piece = body[start : start + _PIECE]
        more = start + _PIECE < len(body)
        await send({"type": "http.response.body", "body": piece, "more_body": more})
        await pause(receive, seconds)


async def abort(send: Send) -> None:
    """Close the connection without a word."""
    cycle = _cycle(send)
    cycle.transport.abort()
    # The server writes a 500 for an application that returns without an answer, unless it has
    # learnt by then that the connection is gone.
    for _ in range(1000):
        if cycle.disconnected:
            return
        await asyncio.sleep(0.001)


def _cycle(send: Send) -> Any:
    """Return uvicorn's request cycle: ASGI has no way to close a connection."""
    return getattr(send, "__self__", None)
