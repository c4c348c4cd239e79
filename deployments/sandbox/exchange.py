"""The EWS endpoint: log-on, limits, faults, the operation, the answer, the log.

A bare ASGI application without any middleware, because the faults that close a connection need
the server's own `send`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from .directory import Directory, LogOn
from .faults import Fault, FaultKind, Faults
from .journal import Journal
from .limits import Limits
from .operations import OPERATIONS
from .operations.context import Context, named_mailboxes
from .organisation import Organisation
from .soap import (
    OperationError,
    Request,
    SoapFault,
    envelope,
    failure,
    parse,
    response,
    schema_fault,
)
from .wire import abort, dribble, send_answer
from .zones import zone_of

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PATH = "/EWS/Exchange.asmx"
_MAX_BODY = 32 * 1024 * 1024
_CHALLENGE = [(b"www-authenticate", b'Basic realm="corp.example"')]


@dataclass(slots=True)
class Answer:
    """What goes back to the client; `drop` closes the connection instead."""

    status: int
    body: bytes
    code: str = "NoError"
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    refused_logon: bool = False
    drop: bool = False
    pause: float | None = None


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
        try:
            await self._serve(scope, receive, send)
        finally:
            self.in_flight -= 1

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read_body(receive)
        if body is None:
            return
        incoming = self._receive(scope, body)
        if self.limits.latency_ms:
            await asyncio.sleep(self.limits.latency_ms / 1000)
        answer = await self._answer(incoming)
        self._log(incoming, answer)
        if answer.drop:
            await abort(send)
        elif answer.pause is not None:
            await dribble(send, answer.status, answer.body, answer.pause)
        else:
            await send_answer(send, answer.status, answer.body, headers=answer.headers)

    def _receive(self, scope: Scope, body: bytes) -> Incoming:
        authorization = next(
            (value.decode("latin-1") for key, value in scope["headers"] if key == b"authorization"),
            None,
        )
        logon, caller = self.directory.log_on(authorization)
        parsed, fault = None, None
        if scope["method"] == "POST":
            try:
                parsed = parse(body)
            except SoapFault as error:
                fault = error
        mailboxes = [] if parsed is None else named_mailboxes(parsed.element, caller)
        return Incoming(parsed, fault, caller, logon, mailboxes)

    async def _answer(self, incoming: Incoming) -> Answer:
        if incoming.logon is not LogOn.GOOD:
            return _refused(incoming.logon)
        if self.limits.connections and self.in_flight > self.limits.connections:
            return _faulty(_CONNECTION_COUNT)
        hits = self.faults.strike(incoming.operation, incoming.mailboxes)
        instead = await _before(hits, incoming)
        answer = instead if instead is not None else self._run(incoming)
        _after(hits, answer)
        return answer

    def _run(self, incoming: Incoming) -> Answer:
        request = incoming.parsed
        if request is None:
            if incoming.fault is not None:
                return _faulty(incoming.fault)
            return Answer(405, b"", "MethodNotAllowed")
        operation = OPERATIONS.get(request.operation)
        if operation is None or incoming.caller is None:
            return _faulty(schema_fault(f"{request.operation} is not an operation of this server."))
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
            return _faulty(fault)

    def _log(self, incoming: Incoming, answer: Answer) -> None:
        self.journal.add(
            operation=incoming.operation or None,
            caller=incoming.caller,
            mailboxes=incoming.mailboxes,
            http_status=None if answer.drop else answer.status,
            code=answer.code,
            refused_logon=answer.refused_logon,
        )


_CONNECTION_COUNT = SoapFault(
    "ErrorExceededConnectionCount",
    "You have exceeded the available concurrent connections for your account.",
)


def _refused(logon: LogOn) -> Answer:
    # A locked account looks like a wrong password from outside; the log tells them apart.
    code = {LogOn.ABSENT: "NoCredentials", LogOn.LOCKED: "AccountLocked"}.get(logon, "Unauthorized")
    return Answer(401, b"", code, list(_CHALLENGE), refused_logon=logon is not LogOn.ABSENT)


def _faulty(fault: SoapFault) -> Answer:
    return Answer(500, fault.body(), fault.code)


async def _before(hits: list[Fault], incoming: Incoming) -> Answer | None:
    """Carry out the faults that come before the operation; the first that ends it wins."""
    for hit in hits:
        if hit.kind in {FaultKind.DELAY, FaultKind.STALLED_MAILBOX}:
            patience = 1.0 if hit.kind is FaultKind.DELAY else 30.0
            await asyncio.sleep(patience if hit.seconds is None else hit.seconds)
            continue
        instead = _instead(hit, incoming)
        if instead is not None:
            return instead
    return None


def _instead(hit: Fault, incoming: Incoming) -> Answer | None:
    """Return what is answered in place of the operation, if the fault is of that kind."""
    match hit.kind:
        case FaultKind.HTTP_401:
            # The password was right: nothing counts against the account.
            return Answer(401, b"", "http_401", list(_CHALLENGE))
        case FaultKind.HTTP_403:
            return Answer(403, b"", "http_403")
        case FaultKind.HTTP_503:
            wait = [] if hit.seconds is None else [(b"retry-after", b"%d" % hit.seconds)]
            return Answer(503, b"Service Unavailable", "http_503", wait)
        case FaultKind.SERVER_BUSY:
            return _faulty(_busy(hit.back_off_ms))
        case FaultKind.CONNECTION_COUNT:
            return _faulty(_CONNECTION_COUNT)
        case FaultKind.TOO_MANY_OBJECTS:
            return _too_many_objects(incoming.operation)
        case FaultKind.SICK_MAILBOX:
            return _faulty(SoapFault("ErrorInternalServerError", "An internal server error."))
        case FaultKind.DROP_BEFORE:
            return Answer(0, b"", "drop_before", drop=True)
    return None


def _busy(back_off_ms: int | None) -> SoapFault:
    extra = ""
    if back_off_ms is not None:
        extra = (
            '<t:MessageXml xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types">'
            f'<t:Value Name="BackOffMilliseconds">{back_off_ms}</t:Value></t:MessageXml>'
        )
    return SoapFault("ErrorServerBusy", "The server cannot service this request right now.", extra=extra)


def _too_many_objects(operation: str) -> Answer:
    error = OperationError("ErrorTooManyObjectsOpened")
    if operation == "GetUserAvailability":
        return _faulty(SoapFault(error.code, error.message))
    body = envelope(response(operation, [failure(operation, error)]))
    return Answer(200, body, error.code)


def _after(hits: list[Fault], answer: Answer) -> None:
    """Spoil an answer whose operation has already taken effect."""
    for hit in hits:
        if hit.kind is FaultKind.DROP_AFTER:
            answer.drop = True
        elif hit.kind is FaultKind.MALFORMED:
            answer.body = answer.body[: len(answer.body) // 2]
        elif hit.kind is FaultKind.DRIBBLE:
            answer.pause = 0.05 if hit.seconds is None else hit.seconds


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
