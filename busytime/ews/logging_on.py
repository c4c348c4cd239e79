"""The ways to log on: which requests each of them takes, and under which permit.

One question of the core may take several requests (NTLM's challenge, a token that has ended). Each passes the guard
by itself, and none of them is tried again after a refusal: that would be one refused log-on more.
"""

import base64
import threading
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

import requests

from busytime.ews import ntlm
from busytime.ews.secrecy import KeepsSecret
from busytime.ews.tokens import Tokens
from busytime.model import Secret

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

#: Sends the request with these headers beside its own.
Send = Callable[[Mapping[str, str]], requests.Response]
#: Sends the request, once or as a handshake on one connection, and returns the answer that counts.
Way = Callable[[Send], requests.Response]


class Challenged:
    """The server wants a log-on first; it did nothing else."""


class Attempt(Protocol[T_co]):
    """One question of the core that waits to be sent."""

    def knock(self, way: Way) -> T_co | Challenged:
        """Send it without a password, under a permit that is none for a log-on."""

    def enter(self, way: Way, *, log_on: bool) -> T_co:
        """Send it; a refusal is final.

        Args:
            way: How.
            log_on: Whether it carries a password.
        """


class LogOn(Protocol):
    """A way to log on."""

    def send(self, attempt: Attempt[T]) -> T:
        """Send one question, with all that the log-on takes."""


class BasicLogOn(KeepsSecret):
    """The password in every request; one outside Latin-1 goes as UTF-8 (RFC 7617)."""

    def __init__(self, secret: Secret) -> None:
        """Take what logs on."""
        pair = base64.b64encode(f"{secret.username}:{secret.password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {pair}"}

    def send(self, attempt: Attempt[T]) -> T:
        """Send one request; it is a log-on."""
        return attempt.enter(lambda send: send(self._headers), log_on=True)


class NTLMLogOn(KeepsSecret):
    """The password proven once on each connection to the server; further requests on it pass without a word."""

    def __init__(self, secret: Secret) -> None:
        """Take what logs on."""
        self._secret = secret
        self._turn = threading.Lock()

    def send(self, attempt: Attempt[T]) -> T:
        """Send one request bare, and a second time with a handshake where the server asks for one.

        A server that closed the connection meanwhile, or forgot who is there, asks again.
        """
        outcome = attempt.knock(_bare)
        if not isinstance(outcome, Challenged):
            return outcome
        # One handshake after the other: with a wrong password the first one alone is refused, and the others find the
        # breaker open. The turn comes before the permit, which nobody may hold while waiting for anything of ours.
        with self._turn:
            return attempt.enter(lambda send: ntlm.shake_hands(self._secret, send), log_on=True)


class TokenLogOn(KeepsSecret):
    """A token in every request (OAuth 2.0, RFC 6750)."""

    def __init__(self, tokens: Tokens) -> None:
        """Take where tokens come from."""
        self._tokens = tokens

    def send(self, attempt: Attempt[T]) -> T:
        """Send one request with a token, and once more with a new one if the server does not take it.

        A server that says 401 did nothing, so a write is sent once more, too.
        """
        token = self._tokens.get()
        outcome = attempt.knock(_bearing(token))
        if not isinstance(outcome, Challenged):
            return outcome
        self._tokens.forget(token)
        return attempt.enter(_bearing(self._tokens.get()), log_on=False)


def _bare(send: Send) -> requests.Response:
    return send({})


def _bearing(token: str) -> Way:
    return lambda send: send({"Authorization": f"Bearer {token}"})
