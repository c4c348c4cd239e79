"""The EWS endpoint: log-on, limits, faults, the operation, the answer, the log.

A bare ASGI application without any middleware, because the faults that close a connection need
the server's own `send`.
"""

from __future__ import annotations

import gzip
import logging
import time
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

from deployments.sandbox.answers import CONNECTION_COUNT, Answer, after, before, faulty, refused
from deployments.sandbox.directory import Directory, LogOn
from deployments.sandbox.faults import Faults
from deployments.sandbox.journal import Journal
from deployments.sandbox.limits import Limits
from deployments.sandbox.operations import OPERATIONS
from deployments.sandbox.organisation import Organisation
from deployments.sandbox.soap import (
    Request,
    SoapFault,
    envelope,
    parse,
    schema_fault,
)
from deployments.sandbox.wire import Receive, Send, abort, dribble, pause, send_answer
from deployments.sandbox.zones import zone_of

from .operations.context import Context, named_mailboxes

Scope = MutableMapping[str, Any]

_log = logging.getLogger(__name__)

PATH = "/EWS/Exchange.asmx"
_MAX_BODY = 32 * 1024 * 1024


@dataclass(slots=True)
class Incoming:
    """A request before it is answered."""

    parsed: Request | None
    fault: SoapFault | None
    caller: str | None
    logon: LogOn
    mailboxes: list[str]

    @property
    def operation(self) -> str:
        """The operation's name, empty if the body could not be read."""
        return "" if self.parsed is None else self.parsed.operation


@dataclass(slots=True)
class Exchange:
    """The server's state, and its EWS face."""

    organisation: Organisation
    directory: Directory
    limits: Limits
    faults: Faults
    journal: Journal
    in_flight: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        if str(scope["path"]).lower() != PATH.lower():
            await send_answer(send, 404, b"Not found", content_type=b"text/plain")
            return
        self.in_flight += 1
        # Judged on arrival: who was there before is served.
        crowded = 0 < self.limits.connections < self.in_flight
        try:
            await self._serve(scope, receive, send, crowded=crowded)
        finally:
            self.in_flight -= 1

    async def _serve(self, scope: Scope, receive: Receive, send: Send, *, crowded: bool) -> None:
        body = await _read_body(receive)
        if body is None:
            return
        incoming = self._receive(scope, body)
        if self.limits.latency_ms:
            await pause(receive, self.limits.latency_ms / 1000)
        answer = await self._answer(incoming, receive, crowded=crowded)
        self._log(incoming, answer)
        if answer.drop:
            await abort(send)
        elif answer.pause is not None:
            await dribble(send, receive, answer.status, answer.body, answer.pause)
        else:
            if self.limits.gzip and "gzip" in _header(scope, b"accept-encoding"):
                answer.body = gzip.compress(answer.body, compresslevel=1)
                answer.headers.append((b"content-encoding", b"gzip"))
            await send_answer(send, answer.status, answer.body, headers=answer.headers)

    def _receive(self, scope: Scope, body: bytes) -> Incoming:
        logon, caller = self.directory.log_on(_header(scope, b"authorization"))
        parsed, fault = None, None
        if scope["method"] == "POST":
            try:
                parsed = parse(body)
            except SoapFault as error:
                fault = error
        mailboxes = [] if parsed is None else named_mailboxes(parsed.element, caller)
        return Incoming(parsed, fault, caller, logon, mailboxes)

    async def _answer(self, incoming: Incoming, receive: Receive, *, crowded: bool) -> Answer:
        if incoming.logon is not LogOn.GOOD:
            return refused(incoming.logon)
        if crowded:
            return faulty(CONNECTION_COUNT)
        hits = self.faults.strike(incoming.operation, incoming.mailboxes)
        instead = await before(hits, incoming.operation, receive)
        answer = instead if instead is not None else self._run(incoming)
        after(hits, answer)
        return answer

    def _run(self, incoming: Incoming) -> Answer:
        request = incoming.parsed
        if request is None:
            if incoming.fault is not None:
                return faulty(incoming.fault)
            return Answer(405, b"", "MethodNotAllowed")
        operation = OPERATIONS.get(request.operation)
        if operation is None or incoming.caller is None:
            return faulty(schema_fault(f"{request.operation} is not an operation of this server."))
        context = Context(
            self.organisation,
            self.limits,
            incoming.caller,
            zone_of(request.time_zone_id),
            request.time_zone_id,
        )
        try:
            return Answer(200, envelope(operation(context, request.element)), context.code)
        except SoapFault as fault:
            return faulty(fault)
        except Exception:  # noqa: BLE001 (the last resort of a server; it is logged)
            # A client gets what Exchange would send; whoever runs the sandbox sees the cause.
            _log.exception("%s failed", request.operation)
            return faulty(SoapFault("ErrorInternalServerError", "An internal server error occurred."))

    def _log(self, incoming: Incoming, answer: Answer) -> None:
        self.journal.add(
            operation=incoming.operation or None,
            caller=incoming.caller,
            mailboxes=incoming.mailboxes,
            http_status=None if answer.drop else answer.status,
            code=answer.code,
            refused_logon=answer.refused_logon,
        )


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


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
