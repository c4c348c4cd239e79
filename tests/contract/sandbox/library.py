"""exchangelib connected to the sandbox by any of its log-ons, trusting the sandbox's authority."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import exchangelib
import requests.adapters
from exchangelib.protocol import BaseProtocol

VERSION = exchangelib.Version(exchangelib.Build(15, 1, 2507, 39))


@contextlib.contextmanager
def trusting(sandbox, monkeypatch) -> Iterator[None]:
    """Let exchangelib trust the sandbox's authority; its connections are closed and forgotten afterwards."""

    class Adapter(requests.adapters.HTTPAdapter):
        def send(self, *args, **kwargs):
            kwargs["verify"] = sandbox.ca_file
            return super().send(*args, **kwargs)

    monkeypatch.setattr(BaseProtocol, "HTTP_ADAPTER_CLS", Adapter)
    try:
        yield
    finally:
        exchangelib.close_connections()


def account(sandbox, credentials, auth_type, address: str | None = None, *, guess: bool = False) -> exchangelib.Account:
    """Return an account; with `guess` exchangelib finds out the log-on and the version by itself."""
    facts = {} if guess else {"auth_type": auth_type, "version": VERSION}
    configuration = exchangelib.Configuration(service_endpoint=sandbox.ews_url, credentials=credentials, **facts)
    return exchangelib.Account(
        primary_smtp_address=address or sandbox.email,
        config=configuration,
        autodiscover=False,
        access_type=exchangelib.DELEGATE if auth_type != exchangelib.OAUTH2 else exchangelib.IMPERSONATION,
    )
