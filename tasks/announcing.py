"""Announcing what happened as a Prefect event, so that it wakes the flow whose deployment waits for it.

An event may be lost, and nobody minds: each also is a row that is looked for. So it is one short request, without Prefect's own
library, which takes longer to import than all the rest of a command; it never fails, and never starts a server. It must not
carry an address or a secret: who sees Prefect's page sees it.
"""

import base64
import json
import os
import threading
import urllib.request
import uuid
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from http.client import HTTPException
from types import MappingProxyType


class Happening(StrEnum):
    """What is announced; `deployments/prefect.yaml` says which flow each wakes."""

    PASSWORD_STORED = "busytime.password.stored"  # noqa: S105 -- the name of an event
    ROSTER_IMPORTED = "busytime.roster.imported"
    BOOKINGS_IMPORTED = "busytime.bookings.imported"
    BREAKER_OPENED = "busytime.breaker.opened"


#: Whoever announces something waits no longer for a server that does not answer.
PATIENCE_SECONDS = 2.0


def announce(what: Happening, about: str, server: Mapping[str, str] = MappingProxyType({})) -> None:
    """Announce what happened to the Prefect server at hand, if there is one and it answers.

    Args:
        what: What happened; it is in the database already.
        about: To what it happened, for example ``connection.7``; never an address.
        server: Settings that name the server; the environment's are used where these say nothing.
    """
    settings = os.environ | dict(server)
    url = settings.get("PREFECT_API_URL", "")
    if not url.startswith(("http://", "https://")):
        return
    event = {
        "id": str(uuid.uuid4()),
        "occurred": datetime.now(UTC).isoformat(),
        "event": what,
        "resource": {"prefect.resource.id": f"busytime.{about}"},
    }
    headers = {"Content-Type": "application/json"} | _log_on(settings)
    request = urllib.request.Request(f"{url.rstrip('/')}/events", json.dumps([event]).encode(), headers)  # noqa: S310 -- as checked
    sending = threading.Thread(target=_send, args=(request,), name="announce", daemon=True)
    sending.start()
    sending.join(PATIENCE_SECONDS)


def _log_on(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the header that a server's log-on takes, in one of the two ways that Prefect knows."""
    if user_and_password := settings.get("PREFECT_API_AUTH_STRING"):
        return {"Authorization": f"Basic {base64.b64encode(user_and_password.encode()).decode()}"}
    if key := settings.get("PREFECT_API_KEY"):
        return {"Authorization": f"Bearer {key}"}
    return {}


def _send(request: urllib.request.Request) -> None:
    with suppress(OSError, HTTPException, ValueError), urllib.request.urlopen(request, timeout=PATIENCE_SECONDS):  # noqa: S310 -- as checked
        pass
