"""HTTP answers, the good ones aside: refusals, faults of the server, and what tests ordered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from deployments.sandbox.directory import LogOn
from deployments.sandbox.faults import Fault, FaultKind
from deployments.sandbox.soap import TYPES, OperationError, SoapFault, envelope, failure, response
from deployments.sandbox.wire import Receive, pause

Headers = list[tuple[bytes, bytes]]

XML = b"text/xml; charset=utf-8"
CONNECTION_COUNT = SoapFault(
    "ErrorExceededConnectionCount",
    "You have exceeded the available concurrent connections for your account.",
)


@dataclass(slots=True)
class Answer:
    """What goes back to the client; `drop` closes the connection instead."""

    status: int
    body: bytes
    code: str = "NoError"
    headers: Headers = field(default_factory=list)
    refused_logon: bool = False
    drop: bool = False
    pause: float | None = None
    content_type: bytes = XML


# From outside they all look like a wrong password; the log tells them apart.
_REFUSED = {
    LogOn.REFUSED: "Unauthorized",
    LogOn.LOCKED: "AccountLocked",
    LogOn.SECOND_STEP: "SecondStepRequired",
    LogOn.EXPIRED: "ErrorPasswordExpired",
    LogOn.DISABLED: "ErrorAccountDisabled",
}
_NOT_TRIED = {
    LogOn.ABSENT: "NoCredentials",
    LogOn.CHALLENGED: "Challenge",
    LogOn.NOT_OFFERED: "SchemeNotOffered",
    LogOn.BAD_TOKEN: "InvalidToken",
}
_SPOKEN = {
    LogOn.EXPIRED: "The password for the account has expired.",
    LogOn.DISABLED: "The account that was used for this request is disabled.",
}


def refused(logon: LogOn, challenges: Headers, code: str | None = None) -> Answer:
    """Return the answer to a log-on that was not good.

    Args:
        logon: How it ended.
        challenges: What is offered instead.
        code: What the log says, if there is a better word than the usual one.
    """
    usual = _REFUSED.get(logon) or _NOT_TRIED[logon]
    return Answer(401, b"", code or usual, challenges, refused_logon=logon in _REFUSED)


def spoken(logon: LogOn) -> Answer | None:
    """Return the SOAP fault that says what is wrong with an account whose password was right, if there is one."""
    if logon not in _SPOKEN:
        return None
    answer = faulty(SoapFault(_REFUSED[logon], _SPOKEN[logon]))
    answer.refused_logon = True
    return answer


def faulty(fault: SoapFault) -> Answer:
    """Return a SOAP fault as Exchange sends it."""
    return Answer(500, fault.body(), fault.code)


async def before(hits: list[Fault], operation: str, receive: Receive) -> Answer | None:
    """Carry out the faults that come before the operation.

    Returns:
        What is answered instead of it, or None if it runs.
    """
    for hit in hits:
        if hit.kind in _PATIENCE:
            await pause(receive, _PATIENCE[hit.kind] if hit.seconds is None else hit.seconds)
        elif hit.kind in _INSTEAD:
            return _INSTEAD[hit.kind](hit, operation)
    return None


def after(hits: list[Fault], answer: Answer) -> None:
    """Spoil an answer whose operation has already taken effect."""
    for hit in hits:
        if hit.kind is FaultKind.DROP_AFTER:
            answer.drop = True
            answer.code = "drop_after"
        elif hit.kind is FaultKind.MALFORMED:
            answer.body = answer.body[: len(answer.body) // 2]
        elif hit.kind is FaultKind.DRIBBLE:
            answer.pause = 0.05 if hit.seconds is None else hit.seconds


def _refuse_good_password(_hit: Fault, _operation: str) -> Answer:
    # As servers do under load. The password was right: nothing counts against the account.
    # The caller adds what is offered.
    return Answer(401, b"", "http_401")


def _forbid(_hit: Fault, _operation: str) -> Answer:
    return Answer(403, b"", "http_403")


def _be_unavailable(hit: Fault, _operation: str) -> Answer:
    wait = [] if hit.seconds is None else [(b"retry-after", b"%d" % hit.seconds)]
    return Answer(503, b"Service Unavailable", "http_503", wait)


def _be_busy(hit: Fault, _operation: str) -> Answer:
    extra = ""
    if hit.back_off_ms is not None:
        extra = f'<t:MessageXml xmlns:t="{TYPES}"><t:Value Name="BackOffMilliseconds">{hit.back_off_ms}</t:Value></t:MessageXml>'
    message = "The server cannot service this request right now. Try again later."
    return faulty(SoapFault("ErrorServerBusy", message, extra=extra))


def _count_connections(_hit: Fault, _operation: str) -> Answer:
    return faulty(CONNECTION_COUNT)


def _have_too_many_objects(_hit: Fault, operation: str) -> Answer:
    error = OperationError("ErrorTooManyObjectsOpened")
    if operation in {"", "GetUserAvailability", "GetDelegate"}:
        return faulty(SoapFault(error.code, error.message))
    body = envelope(response(operation, [failure(operation, error)]))
    return Answer(200, body, error.code)


def _be_sick(_hit: Fault, _operation: str) -> Answer:
    message = "An internal server error occurred. The operation failed."
    return faulty(SoapFault("ErrorInternalServerError", message))


def _drop(_hit: Fault, _operation: str) -> Answer:
    return Answer(0, b"", "drop_before", drop=True)


# Faults that only take time, and how many seconds if the order does not say.
_PATIENCE = {FaultKind.DELAY: 1.0, FaultKind.STALLED_MAILBOX: 30.0}
_INSTEAD: dict[FaultKind, Callable[[Fault, str], Answer]] = {
    FaultKind.HTTP_401: _refuse_good_password,
    FaultKind.HTTP_403: _forbid,
    FaultKind.HTTP_503: _be_unavailable,
    FaultKind.SERVER_BUSY: _be_busy,
    FaultKind.CONNECTION_COUNT: _count_connections,
    FaultKind.TOO_MANY_OBJECTS: _have_too_many_objects,
    FaultKind.SICK_MAILBOX: _be_sick,
    FaultKind.DROP_BEFORE: _drop,
}
