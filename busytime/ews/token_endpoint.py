"""One request for a token: OAuth 2.0 client credentials (RFC 6749, 4.4) at Entra ID, an AD FS or their like.

No redirect is followed, no answer is kept or quoted; of a refusal only its number (AADSTS...) is shown. A request
here changes nothing at the calendar server, so every failure but a refusal is one that may be tried again, or names
what to set right.
"""

import json
import math
import re
from typing import Any
from urllib.parse import urlencode

import requests

from busytime.errors import (
    BusyTimeError,
    ConfigurationError,
    Reason,
    ServerUnavailableError,
    SpoiltAnswerError,
    UnsupportedServerError,
)
from busytime.ews.body import Unreadable, read_body
from busytime.ews.clouds import is_cloud_sign_in, token_scope
from busytime.ews.deadline import exchange
from busytime.ews.failures import Request, bare, make_error, transport_error
from busytime.ews.http_statuses import REDIRECTS, redirected, throttled
from busytime.ews.secrecy import KeepsSecret
from busytime.ews.session import bare_session, check_url, tls_context
from busytime.ews.token_refusals import refusal_error
from busytime.ews.tokens import Token
from busytime.model import Endpoint, Secret
from busytime.ports import RequestGuard

_MOST_BYTES = 2**18
#: The characters of a token (RFC 6750, 2.1), and more than the longest that was seen.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{1,32768}=*")
#: For how long a token is good of which that is not said, and the longest that is believed, in seconds.
_UNSAID_SECONDS, _MOST_SECONDS = 300.0, 86400.0

_CHECK = "check --tenant, or the token's address"
_STEPS = {
    Reason.NOT_AN_EWS_SERVER: _CHECK,
    Reason.REDIRECTED: f"busytime follows no redirect with a secret; {_CHECK}",
    Reason.SERVER_ERROR: "the next run tries again; if it stays so, check whether the sign-in has an outage",
    Reason.MALFORMED_ANSWER: f"the next run tries again; if it stays so, {_CHECK}",
    Reason.ANSWER_TOO_LARGE: _CHECK,
}


class TokenEndpoint(KeepsSecret):
    """Asks for tokens of one connection. Each request has a session of its own: there is about one an hour."""

    def __init__(self, endpoint: Endpoint, secret: Secret, guard: RequestGuard, *, deadline_seconds: float) -> None:
        """Prepare; nothing is sent.

        Args:
            endpoint: Where tokens are asked for, and for which server.
            secret: The application: its id as user name, its secret as password.
            guard: Gives a permit for each request.
            deadline_seconds: From connecting to the last byte of the answer.

        Raises:
            ConfigurationError: There is no address for tokens, or it cannot be used.
        """
        if endpoint.token_url is None:
            raise ConfigurationError("The connection does not say where tokens are asked for; connect again with --tenant.")
        host = check_url(endpoint.token_url, "token's address", "https://login.microsoftonline.com/TENANT/oauth2/v2.0/token")
        self._url = endpoint.token_url
        self._email = endpoint.email
        self._guard = guard
        self._deadline_seconds = deadline_seconds
        # A company's own authority has no say about the hosts of Microsoft's clouds. Its own sign-in, like an AD FS, may
        # have a certificate of either kind, whichever kind its Exchange has.
        self._tls = tls_context(None) if is_cloud_sign_in(host) else tls_context(endpoint.ca_pem, public_too=True)
        self._form = {
            "grant_type": "client_credentials",
            "client_id": secret.username,
            "client_secret": secret.password,
            "scope": token_scope(endpoint.ews_url, endpoint.token_url),
        }

    def ask(self) -> Token:
        """Ask for a token: one request.

        Raises:
            AuthenticationError: The application, its secret or its tenant was refused.
            ServerBusyError, ServerUnavailableError: There is none now.
            UnsupportedServerError: There is none here.
        """
        with self._guard.permit():
            outcome = self._exchange()
            if isinstance(outcome, BusyTimeError):
                # Outside of every ``except``: nothing of a library is printed with it.
                raise bare(outcome)
            return outcome

    def _exchange(self) -> Token | BusyTimeError:
        """Send and read within the deadline, and return any failure as a value."""
        request = Request(self._email, self._url, f"Getting a token for {self._email}", _STEPS)
        session, response = bare_session(self._tls), None
        with exchange(self._deadline_seconds) as under_way:
            try:
                response = session.post(
                    self._url,
                    data=urlencode(self._form).encode(),
                    headers={"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
                    stream=True,
                    allow_redirects=False,
                    timeout=self._deadline_seconds,
                )
                return _read(response, request)
            except Unreadable as unreadable:
                return make_error(ServerUnavailableError, unreadable.reason, request)
            except Exception as failure:  # noqa: BLE001 -- the boundary: nothing of a library may pass it
                return _not_ambiguous(transport_error(failure, under_way, request), request)
            finally:
                if response is not None:
                    response.close()
                session.close()


def _not_ambiguous(error: BusyTimeError, request: Request) -> BusyTimeError:
    # Whatever became of the request for a token: the request that waits for it was not sent.
    if isinstance(error, SpoiltAnswerError):
        return make_error(ServerUnavailableError, error.reason, request)
    error.detail = error.detail or "token"
    return error


def _read(response: requests.Response, request: Request) -> Token | BusyTimeError:
    status = response.status_code
    # Not ``http_...``: that would speak of the calendar server's own answer.
    detail = f"token_http_{status}"
    if status in (429, 503):
        return throttled(response, request, detail)
    if status in REDIRECTS:
        return redirected(response, request, detail)
    body = read_body(response, _MOST_BYTES)
    if status >= 500 or status == 408:  # noqa: PLR2004 -- HTTP statuses are best read as numbers
        return make_error(ServerUnavailableError, Reason.SERVER_ERROR, request, detail=detail)
    answer = _parsed(body)
    if status == 200:  # noqa: PLR2004
        return _token_in(answer)
    if isinstance(answer.get("error"), str):
        return refusal_error(answer, request)
    said = "no tokens are given at this address"
    return make_error(UnsupportedServerError, Reason.NOT_AN_EWS_SERVER, request, said=said, detail=detail)


def _parsed(body: bytes) -> dict[str, Any]:
    """Return the object in an answer; an empty one where there is none."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _token_in(answer: dict[str, Any]) -> Token:
    value, kind = answer.get("access_token"), answer.get("token_type", "Bearer")
    seconds = _seconds(answer.get("expires_in", _UNSAID_SECONDS))
    # A token goes into a header: nothing but its own characters may pass.
    usable = isinstance(value, str) and _TOKEN.fullmatch(value) and isinstance(kind, str) and kind.lower() == "bearer"
    if not usable or seconds is None:
        raise Unreadable(Reason.MALFORMED_ANSWER)
    return Token(str(value), seconds)


def _seconds(said: object) -> float | None:
    """Read how long a token is good; some servers write the number as text."""
    if isinstance(said, str) and re.fullmatch(r"[0-9]{1,9}", said):
        said = int(said)
    if isinstance(said, bool) or not isinstance(said, int | float) or not math.isfinite(said) or said <= 0:
        return None
    return min(float(said), _MOST_SECONDS)
