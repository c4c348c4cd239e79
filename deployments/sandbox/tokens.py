"""Applications, their secrets, and the access tokens they were given."""

from __future__ import annotations

import hmac
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from deployments.sandbox.limits import Limits

TENANT = "corp.example"
TENANT_ID = "5a4db0c5-2026-4a11-9c0d-c0de00000001"
_PATH = re.compile(r"/([^/]+)/oauth2/v2\.0/token", re.IGNORECASE)


@dataclass(slots=True)
class Application:
    """A registered application."""

    client_id: str
    secret: str
    # Whether the secret's time is over: the usual end of one that worked for a year.
    expired: bool = False
    # Whether an administrator granted it access to all mailboxes.
    permitted: bool = True


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says."""

    client_id: str
    # As it was granted when the token was issued: the cloud writes it into the token.
    permitted: bool
    resource: str
    until: float

    @property
    def is_for_exchange(self) -> bool:
        """Whether it was asked for this server, not for another one of the same cloud."""
        return (urlsplit(self.resource).hostname or "").startswith("outlook.office")


class TokenError(Exception):
    """A token request is refused.

    Args:
        status: The HTTP status.
        error: OAuth's word for it.
        message: What the cloud says, with its number.
        is_logon: Whether a secret was looked at and found wrong.
    """

    def __init__(self, status: int, error: str, message: str, *, is_logon: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.error = error
        self.message = message
        self.is_logon = is_logon


class Tokens:
    """The cloud's sign-in: one tenant, and the applications in it."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._applications: dict[str, Application] = {}
        self._tokens: dict[str, Token] = {}

    def register(self, application: Application) -> None:
        """Register an application, or give it another secret. Its tokens stay good, as they do in the cloud."""
        self._applications[application.client_id.lower()] = application

    def issued(self) -> list[str]:
        """Return every token that was issued, for tests that search where one may have been written down."""
        return list(self._tokens)

    def issue(self, tenant: str, form: dict[str, str]) -> str:
        """Answer a request for a token by client credentials.

        Args:
            tenant: The tenant that the path named.
            form: The fields of the request.

        Returns:
            The token.

        Raises:
            TokenError: It is refused.
        """
        if tenant.lower() not in {TENANT, TENANT_ID}:
            raise TokenError(400, "invalid_request", f"AADSTS90002: Tenant '{tenant}' not found.")
        if form.get("grant_type") != "client_credentials":
            raise TokenError(400, "unsupported_grant_type", "AADSTS70003: The app requested an unsupported grant type.")
        resource, separator, _ = form.get("scope", "").rpartition("/.default")
        if not separator or not form["scope"].endswith("/.default"):
            raise TokenError(400, "invalid_scope", "AADSTS1002012: The provided value for scope is not valid.")
        application = self._authenticate(form.get("client_id", ""), form.get("client_secret", ""))
        until = self._clock() + self._limits.token_life_s
        value = secrets.token_urlsafe(32)
        self._tokens[value] = Token(application.client_id, application.permitted, resource, until)
        return value

    def _authenticate(self, client_id: str, secret: str) -> Application:
        application = self._applications.get(client_id.lower())
        if application is None:
            message = f"AADSTS700016: Application with identifier '{client_id}' was not found in the directory."
            raise TokenError(400, "unauthorized_client", message, is_logon=True)
        if not secret:
            message = "AADSTS7000218: The request body must contain the following parameter: 'client_secret'."
            raise TokenError(401, "invalid_client", message)
        if not hmac.compare_digest(secret.encode(), application.secret.encode()):
            message = f"AADSTS7000215: Invalid client secret provided for app '{client_id}'."
            raise TokenError(401, "invalid_client", message, is_logon=True)
        if application.expired:
            message = f"AADSTS7000222: The provided client secret keys for app '{client_id}' are expired."
            raise TokenError(401, "invalid_client", message, is_logon=True)
        return application

    def check(self, value: str) -> tuple[Token | None, str]:
        """Return what a token says, and the log's code if it is not good: unknown, expired, or for another server."""
        token = self._tokens.get(value)
        if token is None:
            return None, "InvalidToken"
        if token.until <= self._clock():
            return token, "TokenExpired"
        return token, "NoError" if token.is_for_exchange else "InvalidAudience"


def tenant_of(path: str) -> str | None:
    """Return the tenant whose token endpoint a path is, if it is one."""
    found = _PATH.fullmatch(path)
    return None if found is None else found[1]
