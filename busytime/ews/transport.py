"""The one way for every request: permit, deadline, limits, and errors translated before they leave.

Not ``post_ratelimited`` of exchangelib, which logs requests and headers, retries and guesses: one call here
is one HTTP request, or none; and as many more as its way to log on takes, each under a permit.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import requests

from busytime.errors import BusyTimeError, ConfigurationError, Reason, SpoiltAnswerError
from busytime.ews.body import Element, Unreadable, looks_like_html, parse_xml, read_body
from busytime.ews.deadline import exchange
from busytime.ews.envelopes import impersonating
from busytime.ews.failures import Request, bare, code_error, make_error, transport_error
from busytime.ews.http_statuses import asks_for, not_ews_error, status_error
from busytime.ews.logging_on import BasicLogOn, Challenged, LogOn, NTLMLogOn, TokenLogOn, Way
from busytime.ews.ntlm import MOST_REFUSAL_BYTES
from busytime.ews.secrecy import KeepsSecret
from busytime.ews.session import SessionPool, check_url, silence_libraries, tls_context
from busytime.ews.soap import Refusal, payload_of
from busytime.ews.token_endpoint import TokenEndpoint
from busytime.ews.tokens import Tokens
from busytime.model import AuthType, Endpoint, Secret
from busytime.ports import RequestGuard

T = TypeVar("T")
A = TypeVar("A")


class Transport(KeepsSecret):
    """Sends requests of one connection. Safe to use from several threads."""

    def __init__(
        self,
        endpoint: Endpoint,
        secret: Secret,
        guard: RequestGuard,
        *,
        request_deadline_seconds: float,
        max_answer_bytes: int,
        max_connections: int,
    ) -> None:
        """Prepare; nothing is sent."""
        silence_libraries()
        check_url(endpoint.ews_url)
        self._endpoint = endpoint
        self.guard = guard
        self.deadline_seconds = request_deadline_seconds
        self.max_answer_bytes = max_answer_bytes
        self._closed = False
        self.pool = SessionPool(tls_context(endpoint.ca_pem), max_connections)
        self._log_on = _log_on_of(endpoint, secret, guard, request_deadline_seconds)

    @property
    def auth_type(self) -> AuthType:
        """How its requests log on."""
        return self._endpoint.auth_type

    def send(self, envelope: bytes, what: str, read: Callable[[Element], T | Refusal]) -> T:
        """Send one request and read its answer.

        Args:
            envelope: The whole SOAP envelope.
            what: What is done, with its mailbox, for messages.
            read: Takes the element inside the answer's body. It runs inside the guard's permit, so that a
                log-on that is refused inside an answer counts as well; it may return a ``Refusal``.

        Returns:
            What ``read`` returned.

        Raises:
            BusyTimeError: As the port says.
        """
        request = Request(self._endpoint.email, self._endpoint.ews_url, what)
        if self.auth_type is AuthType.OAUTH:
            # A token alone may read every mailbox. As the dedicated one, it may what was delegated to that.
            envelope = impersonating(envelope, self._endpoint.email)
        self._check_open(what)
        # The session first: a permit is scarce, and may not be held while waiting for anything of our own.
        session = self.pool.get_session()
        try:
            self._check_open(what)  # it may have been closed while this thread waited
            return self._log_on.send(_Question(self, session, envelope, request, read))
        finally:
            self._give_back(session)

    def close(self) -> None:
        """Close idle connections now and busy ones when they are done."""
        self._closed = True
        self.pool.close()

    def _give_back(self, session: requests.Session) -> None:
        # Given back even when closed: a thread may be waiting for it, and finds out by itself.
        self.pool.release_session(session)
        if self._closed:
            session.close()

    def _check_open(self, what: str) -> None:
        if self._closed:
            raise ConfigurationError(f"{what}: this connection was closed; open a new one.")


def _log_on_of(endpoint: Endpoint, secret: Secret, guard: RequestGuard, deadline_seconds: float) -> LogOn:
    if endpoint.auth_type is AuthType.BASIC:
        return BasicLogOn(secret)
    if endpoint.auth_type is AuthType.NTLM:
        return NTLMLogOn(secret)
    return TokenLogOn(Tokens(TokenEndpoint(endpoint, secret, guard, deadline_seconds=deadline_seconds).ask))


@dataclass(frozen=True, slots=True)
class _Question(Generic[T]):
    """One question on its way: it can be sent bare, or with a log-on; each time under a permit and a deadline of its own."""

    transport: Transport
    session: requests.Session
    envelope: bytes
    request: Request
    read: Callable[[Element], T | Refusal]

    def knock(self, way: Way) -> T | Challenged:
        """Send it without a password; a 401 that offers our way to log on is no failure yet."""
        return self._permitted(way, self._challenge_or_outcome, log_on=False)

    def enter(self, way: Way, *, log_on: bool) -> T:
        """Send it; a refusal is final."""
        return self._permitted(way, self._outcome, log_on=log_on)

    def _permitted(self, way: Way, judge: Callable[[requests.Response], A], *, log_on: bool) -> A:
        with self.transport.guard.permit(log_on=log_on):
            outcome = self._exchange(way, judge)
            if isinstance(outcome, BusyTimeError):
                # Raised outside of every ``except``, and bare: what a library's error quotes, a printed
                # cause or context would quote too.
                raise bare(outcome)
            return outcome

    def _exchange(self, way: Way, judge: Callable[[requests.Response], A]) -> A | BusyTimeError:
        """Send, read and parse within the deadline, and return any failure as a value."""
        response = None
        with exchange(self.transport.deadline_seconds) as under_way:
            try:
                response = way(self._post)
                return judge(response)
            except Unreadable as unreadable:
                return make_error(SpoiltAnswerError, unreadable.reason, self.request)
            except BusyTimeError as error:
                return error
            except Exception as failure:  # noqa: BLE001 -- the boundary: nothing of a library may pass it
                return transport_error(failure, under_way, self.request)
            finally:
                if response is not None:
                    response.close()

    def _post(self, headers: Mapping[str, str]) -> requests.Response:
        return self.session.post(
            self.request.url,
            data=self.envelope,
            headers={"X-AnchorMailbox": self.request.account, **headers},
            stream=True,
            allow_redirects=False,
            timeout=self.transport.deadline_seconds,
        )

    def _challenge_or_outcome(self, response: requests.Response) -> T | Challenged:
        if not asks_for(response, self.transport.auth_type):
            return self._outcome(response)
        read_body(response, MOST_REFUSAL_BYTES)  # read to its end, so that the connection stays open for what follows
        return Challenged()

    def _outcome(self, response: requests.Response) -> T:
        error = status_error(response, self.request, self.transport.auth_type)
        if error is not None:
            raise error
        body = read_body(response, self.transport.max_answer_bytes)
        try:
            answer = payload_of(parse_xml(body))
        except Unreadable as unreadable:
            raise self._no_answer(response, body) or unreadable from None
        outcome = answer if isinstance(answer, Refusal) else self.read(answer)
        if isinstance(outcome, Refusal):
            raise code_error(outcome.code, self.request, outcome.back_off_seconds)
        return outcome

    def _no_answer(self, response: requests.Response, body: bytes) -> BusyTimeError | None:
        if response.status_code == 500:  # noqa: PLR2004 -- an HTTP status: a fault, or an error page
            return make_error(SpoiltAnswerError, Reason.SERVER_ERROR, self.request, detail="http_500")
        return not_ews_error(self.request) if looks_like_html(body) else None
