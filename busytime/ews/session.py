"""HTTP sessions of one connection: exchangelib's authentication, our own transport rules.

TLS 1.2 or newer with certificates and host names always checked, no proxy, no netrc, nothing from the
environment, no redirect ever followed, and nothing shared between two connections.
"""

import ipaddress
import logging
import ssl
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import requests
from exchangelib import configuration, credentials, protocol, transport, version
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from busytime.errors import ConfigurationError
from busytime.ews.deadline import DeadlineHTTPPool, DeadlineHTTPSPool, DeadlineSSLSocket, exchange_under_way
from busytime.model import AuthType, Endpoint, Secret

# exchangelib is untyped: these names stand for all that mypy cannot follow.
_BaseProtocol: Any = protocol.BaseProtocol
_library: Any = SimpleNamespace(
    Configuration=configuration.Configuration,
    Credentials=credentials.Credentials,
    FailFast=protocol.FailFast,
    Version=version.Version,
)

#: The version named in each request. Older ones do not know the status "working elsewhere"; newer ones are
#: not in the schema, and servers that only speak this one exist.
VERSION: Any = _library.Version(build=version.EXCHANGE_2013_SP1)

#: How requests name this program.
USER_AGENT = "busytime"

#: Loggers that write the Authorization header, tokens or whole requests.
_LEAKING = ("exchangelib", "oauthlib", "requests_oauthlib", "requests_ntlm", "spnego")
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


def check_url(url: str) -> str:
    """Return the host of an address that a password may be sent to.

    Raises:
        ConfigurationError: It is neither https, nor http to this machine itself; or it is not an address.
    """
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if not host or parts.username is not None or parts.password is not None:
        raise ConfigurationError("The EWS URL is not usable; give it as https://HOST/EWS/Exchange.asmx, without a user name.")
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host)):
        return host
    raise ConfigurationError(f"The EWS URL of {host} is not https; busytime sends a password over https only.")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def tls_context(ca_pem: str | None) -> ssl.SSLContext:
    """Return a client's context that trusts the public authorities, or the given one in their stead.

    Built bare, not by ``ssl.create_default_context``, which obeys ``SSLKEYLOGFILE``.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = DeadlineSSLSocket
    if ca_pem is None:
        context.load_verify_locations(cafile=DEFAULT_CA_BUNDLE_PATH)
        return context
    try:
        context.load_verify_locations(cadata=ca_pem)
    except (ssl.SSLError, ValueError, OSError):
        usable = False
    else:
        usable = bool(context.get_ca_certs())
    if not usable:
        raise ConfigurationError("The private authority is not a certificate in PEM form; give another file with --ca-file.")
    return context


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


class SessionPool(_BaseProtocol):  # type: ignore[misc]  # an untyped base
    """The sessions of one connection.

    It is exchangelib's ``BaseProtocol``, not its ``Protocol``: that one is cached for the life of the process
    under its URL and credentials, so two connections could share sessions and no password would ever be freed.
    """

    USERAGENT = USER_AGENT

    def __init__(self, endpoint: Endpoint, secret: Secret, max_connections: int) -> None:
        """Prepare sessions; nothing is sent.

        Raises:
            ConfigurationError: The endpoint cannot be used as it stands.
        """
        if endpoint.auth_type is not AuthType.BASIC:
            raise ConfigurationError(f"Logging on by {endpoint.auth_type} is not supported; use --auth basic.")
        self._tls = tls_context(endpoint.ca_pem)
        # Version and auth type given: nothing is sent to guess them. FailFast: a refused log-on is never repeated.
        super().__init__(
            _library.Configuration(
                credentials=_library.Credentials(secret.username, secret.password),
                service_endpoint=endpoint.ews_url,
                auth_type=transport.BASIC,
                version=VERSION,
                retry_policy=_library.FailFast(),
                max_connections=max_connections,
            )
        )

    @property
    def version(self) -> Any:
        """The version that requests are written for."""
        return self.config.version

    def raw_session(self, *_args: Any, **_kwargs: Any) -> requests.Session:
        """Return a session without authentication, which knows nothing of the environment."""
        return bare_session(self._tls)

    def create_session(self) -> Any:
        """Return a session that logs on; a password outside Latin-1 goes as UTF-8 (RFC 7617)."""
        session: Any = super().create_session()
        auth = session.auth
        if isinstance(auth, HTTPBasicAuth):
            session.auth = HTTPBasicAuth(*(part.encode() for part in (str(auth.username), str(auth.password))))
        return session

    def __getstate__(self) -> Any:
        """Refuse: the state holds the password."""
        raise TypeError("Sessions of a connection are not pickled: they hold its password.")
