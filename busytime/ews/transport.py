"""The one way for every request: permit, deadline, limits, and errors translated before they leave.

Not ``post_ratelimited`` of exchangelib, which logs requests and headers, retries and guesses: one call here
is one HTTP request, or none.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from busytime.errors import BusyTimeError, ConfigurationError, Reason, SpoiltAnswerError
from busytime.ews.body import Element, Unreadable, looks_like_html, parse_xml, read_body
from busytime.ews.deadline import exchange
from busytime.ews.failures import Request, code_error, make_error, not_ews_error, status_error, transport_error
from busytime.ews.session import SessionPool, check_url, silence_libraries
from busytime.ews.soap import Refusal, payload_of
from busytime.model import Endpoint, Secret
from busytime.ports import RequestGuard

T = TypeVar("T")


class Transport:
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
        self._guard = guard
        self._deadline_seconds = request_deadline_seconds
        self._max_answer_bytes = max_answer_bytes
        self._closed = False
        self.pool = SessionPool(endpoint, secret, max_connections)

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
        self._check_open(what)
        # The session first: a permit is scarce, and may not be held while waiting for anything of our own.
        session = self.pool.get_session()
        try:
            self._check_open(what)  # it may have been closed while this thread waited
            with self._guard.permit():
                outcome = self._exchange(session, envelope, request, read)
                if isinstance(outcome, BusyTimeError):
                    # Raised outside of every ``except``, and bare: what a library's error quotes, a printed
                    # cause or context would quote too.
                    outcome.__cause__ = outcome.__context__ = None
                    raise outcome.with_traceback(None)
                return outcome
        finally:
            self._give_back(session)

    def close(self) -> None:
        """Close idle connections now and busy ones when they are done."""
        self._closed = True
        self.pool.close()

    def _give_back(self, session: Any) -> None:
        # Given back even when closed: a thread may be waiting for it, and finds out by itself.
        self.pool.release_session(session)
        if self._closed:
            self.pool.close_session(session)

    def _check_open(self, what: str) -> None:
        if self._closed:
            raise ConfigurationError(f"{what}: this connection was closed; open a new one.")

    def _exchange(
        self, session: Any, envelope: bytes, request: Request, read: Callable[[Element], T | Refusal]
    ) -> T | BusyTimeError:
        """Send, read and parse within the deadline, and return any failure as a value."""
        response = None
        with exchange(self._deadline_seconds) as under_way:
            try:
                response = session.post(
                    self._endpoint.ews_url,
                    data=envelope,
                    headers={"X-AnchorMailbox": self._endpoint.email},
                    stream=True,
                    allow_redirects=False,
                    timeout=self._deadline_seconds,
                )
                return self._read(response, request, read)
            except Unreadable as unreadable:
                return make_error(SpoiltAnswerError, unreadable.reason, request)
            except BusyTimeError as error:
                return error
            except Exception as failure:  # noqa: BLE001 -- the boundary: nothing of a library may pass it
                return transport_error(failure, under_way, request)
            finally:
                if response is not None:
                    response.close()

    def _read(self, response: Any, request: Request, read: Callable[[Element], T | Refusal]) -> T | BusyTimeError:
        error = status_error(response, request)
        if error is not None:
            return error
        body = read_body(response, self._max_answer_bytes)
        failed = response.status_code == 500  # noqa: PLR2004 -- an HTTP status: a fault, or an error page
        try:
            answer = payload_of(parse_xml(body))
        except Unreadable:
            if failed:
                return make_error(SpoiltAnswerError, Reason.SERVER_ERROR, request, detail="http_500")
            if looks_like_html(body):
                return not_ews_error(request)
            raise
        outcome = answer if isinstance(answer, Refusal) else read(answer)
        if isinstance(outcome, Refusal):
            return code_error(outcome.code, request, outcome.back_off_seconds)
        return outcome
