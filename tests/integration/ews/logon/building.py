"""A sandbox to log on to in every way, a guard with a breaker, and what the sandbox's log tells."""

import contextlib
import threading
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from busytime.errors import AuthenticationError, BreakerOpenError
from busytime.ews import EWSCalendarGateway
from busytime.model import AuthType, Endpoint, Secret


class BreakingGuard:
    """Lets requests pass until a log-on was refused, like the product's own; counts the permits of each kind.

    Args:
        places: How many log-ons may be under way.
    """

    def __init__(self, places=2):
        self._places = threading.BoundedSemaphore(places)
        self._held = threading.local()
        self.open = False
        self.log_ons = self.others = self.refusals = 0

    @contextmanager
    def permit(self, *, log_on=True):
        assert not getattr(self._held, "one", False), "a permit was asked for while another was held"
        with self._places if log_on else contextlib.nullcontext():
            if self.open:
                raise BreakerOpenError("open")
            self.log_ons += log_on
            self.others += not log_on
            self._held.one = True
            try:
                yield
            except AuthenticationError:
                self.open = True
                self.refusals += 1
                raise
            finally:
                self._held.one = False


class Building:
    """The sandbox, and gateways to it."""

    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.ca_pem = Path(sandbox.ca_file).read_text()
        self.application = sandbox.control("POST", "/application", {})
        self._stack = contextlib.ExitStack()
        self.since = 0
        self.reset()

    def reset(self):
        """Bring the sandbox back to its usual state."""
        self._stack.close()
        self.sandbox.control("DELETE", "/faults")
        self.sandbox.control("POST", "/limits", {"auth": ["basic", "ntlm", "bearer"], "token_life_s": 3600, "lock_after": 0})
        self.sandbox.control("POST", "/account", {"email": self.sandbox.email, "state": "normal", "locked": False})
        self.sandbox.control("POST", "/password", {"email": self.sandbox.email, "password": self.sandbox.password})
        self.register()
        self.since = max((entry["n"] for entry in self.sandbox.log()), default=0)

    def register(self, **changes):
        known = {name: self.application[name] for name in ("client_id", "client_secret")}
        self.sandbox.control("POST", "/application", {**known, "expired": False, "permitted": True, **changes})

    def limits(self, **changes):
        self.sandbox.control("POST", "/limits", changes)

    def token_url(self):
        parts = urlsplit(self.sandbox.ews_url)
        return f"https://{parts.netloc}{self.application['token_path']}"

    def secret(self, auth_type):
        if auth_type is AuthType.OAUTH:
            return Secret(self.application["client_id"], self.application["client_secret"])
        return Secret(self.sandbox.email, self.sandbox.password)

    def open(self, auth_type, guard, *, secret=None, email=None, token_url=None, **more):
        """Open a gateway that is closed after the test."""
        endpoint = Endpoint(
            email or self.sandbox.email, self.sandbox.ews_url, auth_type, self.ca_pem, token_url or self.token_url()
        )
        gateway = EWSCalendarGateway(
            endpoint, secret or self.secret(auth_type), guard, request_deadline_seconds=10, max_connections=8, **more
        )
        self._stack.callback(gateway.close)
        return gateway

    def log(self):
        return self.sandbox.log(self.since)

    def seen(self):
        """Return operation, scheme and status of each request."""
        return [(entry["operation"], entry["scheme"], entry["http_status"]) for entry in self.log()]

    def refused(self):
        """Return how many log-ons were looked at and refused."""
        return sum(entry["refused_logon"] for entry in self.log())
