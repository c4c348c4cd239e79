"""What an HTTP status says, before anything of the answer is read: refused, blocked, led elsewhere, throttled.

No message carries what a server wrote, except the names of ways to log on that busytime knows, and the plain
name of a host that a redirect leads to.
"""

import re
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from time import time
from urllib.parse import urlsplit

import requests

from busytime.errors import (
    AuthenticationError,
    BusyTimeError,
    Reason,
    ServerBusyError,
    ServerUnavailableError,
    SpoiltAnswerError,
    UnsupportedServerError,
)
from busytime.ews.clouds import is_exchange_online
from busytime.ews.failures import Request, limited_back_off, make_error
from busytime.model import AuthType

#: How a challenge names each way to log on.
SCHEMES = {AuthType.BASIC: "Basic", AuthType.NTLM: "NTLM", AuthType.OAUTH: "Bearer"}

_KNOWN_SCHEMES = ("Basic", "NTLM", "Negotiate", "Bearer")
_SCHEME = re.compile(r"(?:^|,)\s*([A-Za-z]+)(?=\s|,|$)")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_HOST_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}))*")

_REFUSED = (
    "the server refused the log-on: the user name or the password is wrong, or the account is locked,"
    " or it has two-step verification and wants an app password"
)
_REFUSED_STEP = (
    "check all of these, and the form of the user name (the e-mail address, or DOMAIN\\user), then run"
    " `busytime connect {account} --username NAME`, or `busytime password {account}` where it was connected before"
)
_FRESH_ONE_REFUSED = "the server refused a token that was just issued"
_FRESH_ONE_REFUSED_STEP = (
    "check that --tenant is the tenant of {account}, and that the application may use EWS (full_access_as_app),"
    " then run `busytime connect {account} --auth oauth`"
)
_BLOCKED_ONLINE = (
    "Exchange Online forbids EWS to this tenant or application: it is being switched off tenant by tenant"
    " since 2026-10-01, and ends on 2027-04-01"
)
_BLOCKED_ONLINE_STEP = (
    "until then, ask the tenant's admin to set EwsEnabled to true and to put this application on the list of those allowed"
)


def status_error(response: requests.Response, request: Request, auth_type: AuthType = AuthType.BASIC) -> BusyTimeError | None:
    """Translate an HTTP status without reading the answer; ``None`` where the answer is worth reading.

    Args:
        response: What came.
        request: What was asked.
        auth_type: How the request logged on.
    """
    status = response.status_code
    if status in (200, 500):
        return None
    detail = f"http_{status}"
    if status == 401:  # noqa: PLR2004 -- HTTP statuses are best read as numbers
        return _unauthorized(response, request, auth_type, detail)
    if status == 403:  # noqa: PLR2004
        return _blocked(request, detail)
    if status in (429, 503):
        return throttled(response, request, detail)
    if status >= 500 or status == 408 or _is_outage_page(response):  # noqa: PLR2004
        return make_error(SpoiltAnswerError, Reason.SERVER_ERROR, request, detail=detail)
    return _elsewhere(response, request, detail)


def asks_for(response: requests.Response, auth_type: AuthType) -> bool:
    """Tell whether an answer is a 401 that wants this way to log on."""
    if response.status_code != 401:  # noqa: PLR2004
        return False
    offered = offered_schemes(response)
    # Without any challenge nobody knows what the server wants; a token may have been the cause.
    return SCHEMES[auth_type] in offered or (auth_type is AuthType.OAUTH and not offered)


def offered_schemes(response: requests.Response) -> tuple[str, ...]:
    """Return the ways of logging on that a 401 offers, as far as they are known; in the order of ``_KNOWN_SCHEMES``."""
    # Several headers arrive joined by commas; commas inside of quotes are no separators.
    challenges = _QUOTED.sub("", response.headers.get("WWW-Authenticate", ""))
    names = {name.lower() for name in _SCHEME.findall(challenges)}
    return tuple(scheme for scheme in _KNOWN_SCHEMES if scheme.lower() in names)


def _unauthorized(response: requests.Response, request: Request, auth_type: AuthType, detail: str) -> BusyTimeError:
    if auth_type is not AuthType.OAUTH and is_exchange_online(request.host):
        said = "Exchange Online takes no passwords since January 2023, only tokens (OAuth)"
        return make_error(UnsupportedServerError, Reason.PASSWORDS_ENDED, request, said=said, detail=detail)
    offered = offered_schemes(response)
    if offered and SCHEMES[auth_type] not in offered and not _was_proven(response):
        return _not_offered(offered, request, auth_type, detail)
    if auth_type is AuthType.OAUTH:
        said, step = _FRESH_ONE_REFUSED, _FRESH_ONE_REFUSED_STEP
    else:
        said, step = _REFUSED, _REFUSED_STEP
    return make_error(AuthenticationError, Reason.LOGON_REFUSED, request, said=said, step=step, detail=detail)


def _was_proven(response: requests.Response) -> bool:
    # A handshake begins after an offer and ends with a proof, so somebody looked at it whatever is offered now.
    return str(response.request.headers.get("Authorization", "")).startswith("NTLM ")


def _not_offered(offered: Sequence[str], request: Request, auth_type: AuthType, detail: str) -> BusyTimeError:
    # Nobody looked at the password, so this is no refused log-on: nothing counts, and the breaker stays closed.
    said = f"the server does not offer {SCHEMES[auth_type]}, only {', '.join(offered)}"
    usable = [str(way) for way, scheme in SCHEMES.items() if scheme in offered]
    step = f"run `busytime connect {{account}} --auth {usable[0]}`" if usable else None
    return make_error(UnsupportedServerError, Reason.NO_LOGON_METHOD, request, said=said, step=step, detail=detail)


def _blocked(request: Request, detail: str) -> BusyTimeError:
    said = step = None
    if is_exchange_online(request.host):
        said, step = _BLOCKED_ONLINE, _BLOCKED_ONLINE_STEP
    return make_error(UnsupportedServerError, Reason.EWS_BLOCKED, request, said=said, step=step, detail=detail)


def _elsewhere(response: requests.Response, request: Request, detail: str) -> BusyTimeError:
    if response.status_code in REDIRECTS and not _is_web_mail(request):
        return redirected(response, request, detail)
    return not_ews_error(request, detail)


#: Statuses that lead elsewhere.
REDIRECTS = frozenset({301, 302, 303, 307, 308})


def redirected(response: requests.Response, request: Request, detail: str) -> BusyTimeError:
    """Say that the server leads elsewhere, and where, if that is the plain name of a host."""
    try:
        host = urlsplit(response.headers.get("Location", "")).hostname or ""
    except ValueError:
        host = ""
    said = None
    if host.lower() == request.host.lower():
        said = "the server leads to another page of its own"
    elif _HOST_NAME.fullmatch(host):
        said = f"the server leads to another host, {host}"
    return make_error(UnsupportedServerError, Reason.REDIRECTED, request, said=said, detail=detail)


def not_ews_error(request: Request, detail: str | None = None) -> BusyTimeError:
    """Say that the address is not one of EWS, and propose the right one where a web mail's was given."""
    step = None
    if _is_web_mail(request):
        step = "this looks like the address of the web mail; give --ews-url https://{authority}/EWS/Exchange.asmx"
    return make_error(UnsupportedServerError, Reason.NOT_AN_EWS_SERVER, request, detail=detail, step=step)


def _is_web_mail(request: Request) -> bool:
    path = urlsplit(request.url).path.lower()
    return path.startswith(("/owa", "/ecp", "/mail")) or path in ("", "/")


def throttled(response: requests.Response, request: Request, detail: str) -> BusyTimeError:
    """Translate 429 and 503, with the pause that the server asks for."""
    back_off = _retry_after(response.headers.get("Retry-After"))
    if back_off is None and response.status_code == 503:  # noqa: PLR2004
        return make_error(ServerUnavailableError, Reason.SERVER_UNREACHABLE, request, detail=detail)
    error = make_error(ServerBusyError, Reason.SERVER_BUSY, request, detail=detail)
    error.back_off_seconds = back_off  # type: ignore[attr-defined]
    return error


def _is_outage_page(response: requests.Response) -> bool:
    # Exchange redirects to this page in passing outages.
    return "/ews/genericerrorpage.htm" in response.headers.get("Location", "").lower()


def _retry_after(text: str | None) -> float | None:
    """Read a ``Retry-After`` header (RFC 9110, 10.2.3): seconds, or a date."""
    if not text:
        return None
    try:
        seconds = float(text) if text.strip().isdigit() else parsedate_to_datetime(text).timestamp() - time()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return limited_back_off(seconds)
