"""The server's front: from an HTTP request to its service, limits, faults, the answer, the log.

A bare ASGI application without any middleware, because the faults that close a connection need
the server's own `send`.
"""

from __future__ import annotations

import functools
import gzip
import time
from collections.abc import Callable, MutableMapping
from typing import Any

from deployments.sandbox import autodiscover, pages, token_endpoint
from deployments.sandbox.answers import CONNECTION_COUNT, Answer, after, before, faulty, spoken
from deployments.sandbox.arrivals import EWS_PATH, Arrival, Incoming
from deployments.sandbox.autodiscover import Autodiscover
from deployments.sandbox.connection import connection_of
from deployments.sandbox.directory import LogOn
from deployments.sandbox.door import Door
from deployments.sandbox.ews import Ews
from deployments.sandbox.state import State
from deployments.sandbox.tokens import tenant_of
from deployments.sandbox.wire import Receive, Send, abort, dribble, pause, send_answer

Scope = MutableMapping[str, Any]
Service = Callable[[Arrival], Incoming]

_MAX_BODY = 32 * 1024 * 1024


class Exchange:
    """The server as clients see it."""

    def __init__(self, state: State) -> None:
        self._limits = state.limits
        self._faults = state.faults
        self._journal = state.journal
        self._tokens = state.tokens
        self._door = Door(state.directory, state.tokens, state.limits)
        self._ews = Ews(state.organisation, state.directory, self._door, state.limits)
        self._autodiscover = Autodiscover(state.organisation, state.directory, self._door, state.limits)
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        service = self._service(str(scope["path"]))
        if service is None:
            await send_answer(send, 404, b"Not found", content_type=b"text/plain")
            return
        self._in_flight += 1
        # Judged on arrival: who was there before is served.
        crowded = 0 < self._limits.connections < self._in_flight
        try:
            await self._serve(service, scope, receive, send, crowded=crowded)
        finally:
            self._in_flight -= 1

    def _service(self, path: str) -> Service | None:
        plain = path.lower()
        if plain == EWS_PATH.lower():
            return self._ews.receive
        if plain in autodiscover.PATHS:
            return self._autodiscover.receive
        if self._limits.web_mail and pages.is_web_mail(plain):
            return pages.web_mail
        tenant = tenant_of(path)
        if tenant is None:
            return None
        return functools.partial(token_endpoint.receive, tenant=tenant, tokens=self._tokens, limits=self._limits)

    async def _serve(self, service: Service, scope: Scope, receive: Receive, send: Send, *, crowded: bool) -> None:
        body = await _read_body(receive)
        if body is None:
            return
        port = int(scope["server"][1])
        arrival = Arrival(scope["method"], str(scope["path"]), scope["headers"], body, connection_of(scope), port)
        incoming = service(arrival)
        if self._limits.latency_ms:
            await pause(receive, self._limits.latency_ms / 1000)
        answer = await self._answer(arrival, incoming, receive, crowded=crowded)
        self._log(arrival, incoming, answer)
        if answer.drop:
            await abort(send)
        elif answer.pause is not None:
            await dribble(send, receive, answer.status, answer.body, answer.pause)
        else:
            if self._limits.gzip and "gzip" in arrival.header(b"accept-encoding"):
                answer.body = gzip.compress(answer.body, compresslevel=1)
                answer.headers.append((b"content-encoding", b"gzip"))
            await send_answer(send, answer.status, answer.body, headers=answer.headers, content_type=answer.content_type)

    async def _answer(self, arrival: Arrival, incoming: Incoming, receive: Receive, *, crowded: bool) -> Answer:
        if incoming.entry.logon is not LogOn.GOOD:
            return self._refuse(arrival, incoming)
        if crowded and arrival.is_ews:
            return faulty(CONNECTION_COUNT)
        operation = incoming.operation or ""
        hits = self._faults.strike(operation, incoming.mailboxes)
        instead = await before(hits, operation, receive)
        answer = instead if instead is not None else incoming.run()
        if instead is not None and instead.status == 401:  # noqa: PLR2004 (an HTTP status)
            answer.headers.extend(self._door.challenges(arrival))
        after(hits, answer)
        return answer

    def _refuse(self, arrival: Arrival, incoming: Incoming) -> Answer:
        if self._limits.account_refusal == "fault" and arrival.is_ews:
            answer = spoken(incoming.entry.logon)
            if answer is not None:
                return answer
        return self._door.refusal(arrival, incoming.entry)

    def _log(self, arrival: Arrival, incoming: Incoming, answer: Answer) -> None:
        self._journal.add(
            operation=incoming.operation or None,
            caller=incoming.entry.caller,
            mailboxes=incoming.mailboxes,
            http_status=None if answer.drop else answer.status,
            code=answer.code,
            refused_logon=answer.refused_logon,
            scheme=arrival.scheme,
            application=incoming.entry.application,
        )


async def _read_body(receive: Receive) -> bytes | None:
    """Return the whole body, or None if the client left before it was complete."""
    parts: list[bytes] = []
    size = 0
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if not message.get("more_body") or size > _MAX_BODY:
            return b"".join(parts)
    return None
