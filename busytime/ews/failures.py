"""From what went wrong to the error that says what to do next, and a message that names it.

No message carries anything that a server or a person wrote, except the common name of a certificate's issuer
and response codes; and no error made here has a cause or a context, because those quote requests and answers.
"""

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.client import BadStatusLine, HTTPException, IncompleteRead, RemoteDisconnected
from typing import Any
from urllib.parse import urlsplit

import requests
from urllib3 import exceptions as urllib3_exceptions

from busytime.errors import (
    REASON_TEXTS,
    BusyTimeError,
    FatalError,
    Reason,
    ServerBusyError,
    ServerUnavailableError,
    SpoiltAnswerError,
    UnsupportedServerError,
)
from busytime.ews.codes import ruling_of
from busytime.ews.deadline import Exchange

_LONGEST_BACK_OFF_SECONDS = 3600.0

_WRONG_HOST = frozenset({62, 63, 64})  # X509_V_ERR_HOSTNAME_MISMATCH, EMAIL_MISMATCH, IP_ADDRESS_MISMATCH
_EXPIRED = frozenset({9, 10})  # X509_V_ERR_CERT_NOT_YET_VALID, CERT_HAS_EXPIRED
_OLD_TLS = ("PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "WRONG_SSL_VERSION", "NO_PROTOCOLS_AVAILABLE", "UNSUPPORTED_SSL")
_NOT_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "PACKET_LENGTH_TOO_LONG", "UNEXPECTED_MESSAGE")


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked, for messages.

    Args:
        account: The connection's address.
        url: Where it is sent.
        what: What is done, with its mailbox, as in "reading the busy time of ana@corp.example".
        steps: Next steps that differ from the usual ones.
    """

    account: str
    url: str
    what: str
    steps: Mapping[Reason, str] = field(default_factory=dict, compare=False)

    @property
    def host(self) -> str:
        """The server's name."""
        return urlsplit(self.url).hostname or ""

    @property
    def authority(self) -> str:
        """The host, with its port where the address names one."""
        parts = urlsplit(self.url)
        return f"{self.host}:{parts.port}" if parts.port else self.host


_NEXT_STEP: dict[Reason, str] = {
    Reason.LOGON_REFUSED: "check the user name and the password, then run `busytime connect {account}`",
    Reason.EWS_BLOCKED: "ask the server's admin to allow EWS for {account} and this application",
    Reason.PASSWORD_EXPIRED: "give {account} a new one, then run `busytime password {account}`",
    Reason.ACCOUNT_DISABLED: ("ask the server's admin to enable {account}, then run `busytime resync {account} --same-password`"),
    Reason.PASSWORDS_ENDED: "log on with tokens: `busytime connect {account} --auth oauth`",
    Reason.NO_LOGON_METHOD: "ask the server's admin to switch on Basic, NTLM or OAuth for EWS",
    Reason.IMPERSONATION_DENIED: (
        "ask the server's admin to let the application act as {account}"
        " (the permission full_access_as_app, or the role ApplicationImpersonation)"
    ),
    Reason.REDIRECTED: "busytime follows no redirect with a password; check --ews-url",
    Reason.NO_MAILBOX: "give {account} a mailbox, or connect an account that has one",
    Reason.NOT_AN_EWS_SERVER: "check --ews-url; it mostly is https://{authority}/EWS/Exchange.asmx",
    Reason.TLS_TOO_OLD: "switch TLS 1.2 on at the server",
    Reason.CERTIFICATE_NOT_TRUSTED: "give the authority's certificate with --ca-file, if it is yours",
    Reason.SERVER_UNREACHABLE: "check the address and the network, then try again",
    Reason.SERVER_BUSY: "the next run waits as long as the server asked",
    Reason.TIMED_OUT: "the next run tries again",
    Reason.CONNECTION_LOST: "the next run tries again",
    Reason.MALFORMED_ANSWER: "the next run tries again; if it stays so, check the server",
    Reason.MISSING_ANSWER: "ask for fewer mailboxes at once",
    Reason.ANSWER_TOO_LARGE: "ask for fewer mailboxes or a shorter window",
    Reason.SERVER_ERROR: "the next run tries again; if it stays so, check the server",
    Reason.MAILBOX_UNAVAILABLE: "the next run tries again; if it stays so, ask the server's admin about this mailbox",
    Reason.MAILBOX_NOT_FOUND: "check the address in the roster",
    Reason.FOLDER_NOT_FOUND: "check that the folder exists and is shared with {account}",
    Reason.NO_CALENDAR: "take the mailbox out of the roster, or give it a calendar",
    Reason.NO_ACCESS: "share the calendar with {account}",
    Reason.NO_DATA: "ask the owner to share the calendar's details with {account}",
    Reason.ENDS_BEFORE_START: "ask the owner to mend or remove that appointment",
    Reason.WINDOW_TOO_LONG: "ask for a shorter window",
    Reason.TOO_MANY_APPOINTMENTS: "ask for a shorter window",
    Reason.TOO_MANY_MAILBOXES: "the next run goes on, and writes into fewer mailboxes at a time",
    Reason.CHANGED_MEANWHILE: "the next run reads it again first",
    Reason.VALUE_UNREADABLE: "correct the booking",
    Reason.CONTROL_CHARACTERS: "correct the booking",
    Reason.UNEXPECTED: "report it with the code, if there is one",
}


def make_error(
    kind: type[BusyTimeError],
    reason: Reason,
    request: Request,
    *,
    said: str | None = None,
    detail: str | None = None,
    step: str | None = None,
) -> BusyTimeError:
    """Make an error whose message names what was done, the host, what happened and the next step.

    Args:
        kind: The error's class.
        reason: Its reason.
        request: What was asked.
        said: What happened, where the reason's own words are not enough.
        detail: A response code or an instant.
        step: The next step, where the reason's own is not enough.
    """
    happened = said or REASON_TEXTS[reason]
    code = f" ({detail})" if detail else ""
    next_step = (step or request.steps.get(reason) or _NEXT_STEP[reason]).format(
        account=request.account, host=request.host, authority=request.authority
    )
    message = f"{request.what} at {request.host}: {happened}{code}; {next_step}."
    if issubclass(kind, ServerBusyError):
        return kind(message, detail=detail)
    return kind(message, reason=reason, detail=detail)


def bare(error: BusyTimeError) -> BusyTimeError:
    """Return an error without cause, context and traceback: what a library's error quotes, printing them would quote too."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def code_error(code: str | None, request: Request, back_off_seconds: float | None = None) -> BusyTimeError:
    """Translate a response code that ended a whole request."""
    ruling = ruling_of(code)
    error = make_error(ruling.error, ruling.reason, request, detail=code)
    if isinstance(error, ServerBusyError):
        error.back_off_seconds = back_off_seconds
    return error


def limited_back_off(seconds: float) -> float:
    """Keep a server's back-off between nothing and an hour."""
    return min(max(seconds, 0.0), _LONGEST_BACK_OFF_SECONDS)


def transport_error(failure: Exception, exchange: Exchange, request: Request) -> BusyTimeError:
    """Translate anything that sockets, TLS, HTTP or their libraries raise. The most specific rule wins."""
    causes = list(_causes(failure))
    tls = next((cause for cause in causes if isinstance(cause, ssl.SSLError)), None)
    if isinstance(tls, ssl.SSLCertVerificationError):
        return _certificate_error(tls, exchange, request)
    early = _tls_error(tls, request) if tls is not None and not exchange.sent else None
    if early is not None:
        return early
    if exchange.expired or any(isinstance(cause, _TIMEOUTS) for cause in causes):
        return _timed_out(exchange, request)
    if any(isinstance(cause, _GARBLED) and not isinstance(cause, RemoteDisconnected | IncompleteRead) for cause in causes):
        return make_error(SpoiltAnswerError, Reason.MALFORMED_ANSWER, request)
    if any(isinstance(cause, _BROKEN) for cause in causes):
        return _lost(exchange, request)
    # The class's name is ours to show; its message may quote a request or an answer.
    return make_error(FatalError, Reason.UNEXPECTED, request, said=f"an unexpected {type(failure).__name__}")


_TIMEOUTS = (TimeoutError, requests.Timeout, urllib3_exceptions.TimeoutError)
_GARBLED = (
    BadStatusLine,
    urllib3_exceptions.InvalidHeader,
    urllib3_exceptions.HeaderParsingError,
    urllib3_exceptions.InvalidChunkLength,
)
_BROKEN = (OSError, HTTPException, urllib3_exceptions.HTTPError, requests.RequestException)


def _lost(exchange: Exchange, request: Request) -> BusyTimeError:
    if exchange.sent:
        return make_error(SpoiltAnswerError, Reason.CONNECTION_LOST, request)
    return make_error(ServerUnavailableError, Reason.SERVER_UNREACHABLE, request)


def _causes(failure: BaseException) -> Iterator[BaseException]:
    """Walk an error and everything it hides: requests and urllib3 wrap the cause in arguments and attributes."""
    seen: set[int] = set()
    waiting: list[Any] = [failure]
    while waiting:
        cause = waiting.pop(0)
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        waiting += [*cause.args, getattr(cause, "reason", None), cause.__cause__, cause.__context__]


def _certificate_error(failure: ssl.SSLCertVerificationError, exchange: Exchange, request: Request) -> BusyTimeError:
    number = failure.verify_code
    said, step = None, None
    if number in _WRONG_HOST:
        said = "the server's certificate is for another host name"
        step = "use the name that the certificate has in --ews-url"
    elif number in _EXPIRED:
        said = "the server's certificate is not valid today"
        step = "ask the server's admin to renew it, and check this machine's clock"
    elif exchange.issuer:
        said = f"the server's certificate is not trusted: it was signed by the authority {exchange.issuer!r}"
    return make_error(UnsupportedServerError, Reason.CERTIFICATE_NOT_TRUSTED, request, said=said, step=step)


def _tls_error(failure: ssl.SSLError, request: Request) -> BusyTimeError | None:
    name = failure.reason or ""
    if any(mark in name for mark in _OLD_TLS):
        return make_error(UnsupportedServerError, Reason.TLS_TOO_OLD, request)
    if any(mark in name for mark in _NOT_TLS):
        return make_error(UnsupportedServerError, Reason.NOT_AN_EWS_SERVER, request, said="this port does not speak https")
    return None


def _timed_out(exchange: Exchange, request: Request) -> BusyTimeError:
    if exchange.sent:
        return make_error(SpoiltAnswerError, Reason.TIMED_OUT, request)
    return make_error(
        ServerUnavailableError, Reason.SERVER_UNREACHABLE, request, said="the server could not be reached within the deadline"
    )
