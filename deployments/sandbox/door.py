"""The door: which log-ons are offered, and what becomes of the one that was tried."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass

from deployments.sandbox import ntlm
from deployments.sandbox.answers import Answer, Headers, refused
from deployments.sandbox.arrivals import Arrival, Entry
from deployments.sandbox.directory import Account, Directory, LogOn
from deployments.sandbox.limits import Limits
from deployments.sandbox.tokens import TENANT, Tokens

# Exchange's own identity in the cloud, and that of the cloud's sign-in; both are well known.
_EXCHANGE = "00000002-0000-0ff1-ce00-000000000000"
_ISSUER = "00000001-0000-0000-c000-000000000000@*"


@dataclass(frozen=True, slots=True)
class Door:
    """Lets requests in, by the schemes in force."""

    directory: Directory
    tokens: Tokens
    limits: Limits

    def enter(self, arrival: Arrival) -> Entry:
        """Look at how a request logs on."""
        scheme = arrival.scheme
        if scheme is None:
            return self._by_connection(arrival)
        if scheme not in self.limits.auth:
            # The server's front does not pass it on: nobody looks at the password, nothing counts.
            return Entry(LogOn.NOT_OFFERED)
        ways: dict[str, Callable[[Arrival], Entry]] = {"basic": self._basic, "ntlm": self._ntlm, "bearer": self._bearer}
        return ways[scheme](arrival)

    def challenges(self, arrival: Arrival) -> Headers:
        """Return the headers that offer the schemes."""
        texts = {"basic": f'Basic realm="{TENANT}"', "ntlm": "NTLM", "bearer": _bearer_challenge(arrival)}
        return [(b"www-authenticate", texts[one].encode()) for one in self.limits.auth]

    def refusal(self, arrival: Arrival, entry: Entry) -> Answer:
        """Return the answer to whoever may not come in."""
        return refused(entry.logon, entry.challenges or self.challenges(arrival), entry.code)

    def _by_connection(self, arrival: Arrival) -> Entry:
        account = arrival.connection.account
        if account is None or "ntlm" not in self.limits.auth:
            return Entry(LogOn.ABSENT)
        return _entry(LogOn.GOOD, account)

    def _basic(self, arrival: Arrival) -> Entry:
        return _entry(*self.directory.log_on(arrival.header(b"authorization")))

    def _ntlm(self, arrival: Arrival) -> Entry:
        connection = arrival.connection
        # A new log-on on an old connection replaces whoever was there.
        connection.account = None
        waiting, connection.challenge = connection.challenge, None
        try:
            token = base64.b64decode(_credentials(arrival), validate=True)
            if ntlm.begins(token):
                connection.challenge = ntlm.challenge(token)
                offer = b"NTLM " + base64.b64encode(connection.challenge.message)
                return Entry(LogOn.CHALLENGED, challenges=[(b"www-authenticate", offer)])
            if waiting is None:
                # An answer to a challenge of another connection proves nothing.
                return Entry(LogOn.ABSENT)
            answer = waiting.answer(token)
        except (binascii.Error, ntlm.NtlmError):
            return Entry(LogOn.REFUSED)
        logon, account = self.directory.judge(answer.user.rpartition("\\")[2], answer.domain, answer.proves)
        if logon is LogOn.GOOD:
            connection.account = account
        return _entry(logon, account)

    def _bearer(self, arrival: Arrival) -> Entry:
        token, code = self.tokens.check(_credentials(arrival))
        application = None if token is None else token.client_id
        if token is None or code != "NoError":
            challenge = (b"www-authenticate", f'{_bearer_challenge(arrival)}, error="invalid_token"'.encode())
            return Entry(LogOn.BAD_TOKEN, application=application, challenges=[challenge], code=code)
        # An application has no mailbox of its own.
        return Entry(LogOn.GOOD, has_mailbox=False, application=application, permitted=token.permitted)


def _entry(logon: LogOn, account: Account | None) -> Entry:
    if account is None:
        return Entry(logon)
    return Entry(logon, account.email, account.has_mailbox)


def _credentials(arrival: Arrival) -> str:
    return arrival.header(b"authorization").partition(" ")[2].strip()


def _bearer_challenge(arrival: Arrival) -> str:
    # Exchange Online names login.microsoftonline.com here; nothing of the sandbox leads outside.
    return (
        f'Bearer client_id="{_EXCHANGE}", trusted_issuers="{_ISSUER}", token_types="app_asserted_user_v1'
        f' service_asserted_app_v1", authorization_uri="{arrival.origin}/{TENANT}/oauth2/authorize"'
    )
