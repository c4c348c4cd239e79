"""HTTP sessions of one connection, with our own transport rules. They know no secret.

TLS 1.2 or newer with certificates and host names always checked, no proxy, no netrc, nothing from the
environment, no redirect ever followed, and nothing shared between two connections.
"""

import contextlib
import ipaddress
import logging
import queue
import ssl
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from busytime.errors import ConfigurationError
from busytime.ews.deadline import DeadlineHTTPPool, DeadlineHTTPSPool, DeadlineSSLSocket, exchange_under_way
from busytime.ews.secrecy import KeepsSecret

#: How requests name this program.
USER_AGENT = "busytime"

#: Loggers that write the Authorization header, tokens or whole requests.
_LEAKING = ("exchangelib", "spnego")
#: Loggers that can quote what a server sent; silent only while this package sends, in the thread that sends.
_QUOTING = ("urllib3.connection", "urllib3.connectionpool", "urllib3.response", "urllib3.util.retry")


def _not_during_an_exchange(_record: logging.LogRecord) -> bool:
    return exchange_under_way() is None


def silence_libraries() -> None:
    """Keep headers, requests and answers out of every log handler, the root's at DEBUG included."""
    for name in _LEAKING:
        logger = logging.getLogger(name)
        logger.propagate = False
        logger.setLevel(logging.CRITICAL + 1)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
    for name in _QUOTING:
        logging.getLogger(name).addFilter(_not_during_an_exchange)  # adding it twice changes nothing


def check_url(url: str, name: str = "EWS URL", example: str = "https://HOST/EWS/Exchange.asmx") -> str:
    """Return the host of an address that a password may be sent to.

    Args:
        url: The address.
        name: What it is, for messages.
        example: What one looks like.

    Raises:
        ConfigurationError: It is neither https, nor http to this machine itself; or it is not an address.
    """
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if not host or parts.username is not None or parts.password is not None:
        raise ConfigurationError(f"The {name} is not usable; give it as {example}, without a user name.")
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host)):
        return host
    raise ConfigurationError(f"The {name} of {host} is not https; busytime sends a password over https only.")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def tls_context(ca_pem: str | None, *, public_too: bool = False) -> ssl.SSLContext:
    """Return a client's context that trusts the public authorities, or the given one in their stead.

    Built bare, not by ``ssl.create_default_context``, which obeys ``SSLKEYLOGFILE``.

    Args:
        ca_pem: A private authority.
        public_too: Trust the public authorities beside it.

    Raises:
        ConfigurationError: The private authority is none.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = DeadlineSSLSocket
    if ca_pem is not None:
        _trust(context, ca_pem)
    if ca_pem is None or public_too:
        context.load_verify_locations(cafile=DEFAULT_CA_BUNDLE_PATH)
    return context


def _trust(context: ssl.SSLContext, ca_pem: str) -> None:
    try:
        context.load_verify_locations(cadata=ca_pem)
    except (ssl.SSLError, ValueError, OSError):
        usable = False
    else:
        usable = bool(context.get_ca_certs())
    if not usable:
        raise ConfigurationError("The private authority is not a certificate in PEM form; give another file with --ca-file.")


class _Adapter(HTTPAdapter):
    """One connection at a time, checked by a context of ours and by nothing else."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0, pool_block=True)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": DeadlineHTTPPool, "https": DeadlineHTTPSPool}

    def send(self, request: requests.PreparedRequest, *_args: Any, **kwargs: Any) -> requests.Response:
        # Whatever a session or an authentication hook asks for: checked, by no proxy, without client certificate.
        return super().send(request, stream=True, timeout=kwargs.get("timeout"), verify=True, cert=None, proxies=None)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:  # noqa: ARG002 -- the base's signature
        # The base would load the public authorities into our context, beside the private one.
        conn.cert_reqs = "CERT_REQUIRED"


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002 -- the base's signature
        # Even with redirects forbidden, requests would read the whole body of one, past every limit.
        return None


def bare_session(context: ssl.SSLContext) -> requests.Session:
    """Return a session without authentication, which knows nothing of the environment.

    Args:
        context: Checks the servers.
    """
    session = _Session()
    session.trust_env = False
    session.headers.update({"Content-Type": "text/xml; charset=utf-8", "Accept-Encoding": "gzip", "User-Agent": USER_AGENT})
    session.adapters.clear()
    adapter = _Adapter(context)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


class SessionPool(KeepsSecret):
    """The sessions of one connection, each with one connection to the server at a time.

    Nothing in them is shared with another pool, and none of them knows a secret: a session that NTLM let in
    is as good as one, though.
    """

    def __init__(self, context: ssl.SSLContext, max_connections: int) -> None:
        """Prepare sessions; nothing is sent.

        Args:
            context: Checks the server.
            max_connections: Open at once; who wants one more waits.
        """
        self._sessions = [bare_session(context) for _ in range(max_connections)]
        self._free: queue.LifoQueue[requests.Session] = queue.LifoQueue()  # the last one used is still connected
        for session in self._sessions:
            self._free.put(session)

    def get_session(self) -> requests.Session:
        """Take a session, or wait for one."""
        return self._free.get()

    def release_session(self, session: requests.Session) -> None:
        """Give a session back."""
        self._free.put(session)

    def close(self) -> None:
        """Close the connections of sessions that nobody uses; a session in use is closed by its user."""
        idle = []
        with contextlib.suppress(queue.Empty):
            while True:
                idle.append(self._free.get_nowait())
        for session in idle:
            session.close()
            self._free.put(session)
