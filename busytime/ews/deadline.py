"""Sockets that obey the deadline of the request under way.

A timeout of a socket is a timeout of one read: a server that sends a byte a second never meets it. The
sockets here lower their timeout, before every operation, to what is left of the request's deadline, so that
connecting, the TLS handshake, sending, the headers and the body share one allowance, without a thread.
"""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection


@dataclass(slots=True)
class Exchange:
    """One request under way, in the thread that sends it.

    Args:
        ends_at: The deadline, on the monotonic clock.
        sent: Whether any byte of a request may have reached the server.
        issuer: Who signed the certificate that was refused, if one was.
        opened: How many connections were opened for it.
    """

    ends_at: float
    sent: bool = False
    issuer: str | None = None
    opened: int = 0

    @property
    def expired(self) -> bool:
        """Whether the deadline is over."""
        return time.monotonic() >= self.ends_at

    def remaining(self) -> float:
        """Return the seconds left.

        Raises:
            TimeoutError: None are left.
        """
        left = self.ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _UnderWay(threading.local):
    exchange: Exchange | None = None


_under_way = _UnderWay()


def exchange_under_way() -> Exchange | None:
    """Return the request that this thread is sending, if any."""
    return _under_way.exchange


@contextmanager
def exchange(seconds: float) -> Iterator[Exchange]:
    """Start the clock of one request; sockets used by this thread obey it until the block ends."""
    started = Exchange(time.monotonic() + seconds)
    _under_way.exchange = started
    try:
        yield started
    finally:
        _under_way.exchange = None


def _lower_timeout(sock: socket.socket) -> None:
    current = _under_way.exchange
    if current is not None:
        sock.settimeout(current.remaining())


def _mark_sent() -> None:
    # Before the bytes leave, not after: from here on nobody knows what the server has seen.
    current = _under_way.exchange
    if current is not None:
        current.sent = True


class DeadlineSocket(socket.socket):
    """A plain socket that obeys the deadline of the request under way."""

    def connect(self, address: Any) -> None:
        """Connect within what is left."""
        _lower_timeout(self)
        super().connect(address)

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        """Receive within what is left."""
        _lower_timeout(self)
        return super().recv(bufsize, flags)

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """Receive within what is left."""
        _lower_timeout(self)
        return super().recv_into(buffer, nbytes, flags)

    def send(self, data: Any, flags: int = 0) -> int:
        """Send within what is left."""
        _lower_timeout(self)
        _mark_sent()
        return super().send(data, flags)

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send within what is left; the timeout of ``sendall`` is one for all of it."""
        _lower_timeout(self)
        _mark_sent()
        super().sendall(data, flags)


class DeadlineSSLSocket(ssl.SSLSocket):
    """A TLS socket that obeys the deadline of the request under way.

    One handshake or read inside OpenSSL has one deadline however many records it takes, so lowering the
    timeout at its start is enough.
    """

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 -- the signature of ssl.SSLSocket
        """Shake hands within what is left, and keep the issuer of a certificate that was refused."""
        _lower_timeout(self)
        try:
            super().do_handshake(block)
        except ssl.SSLCertVerificationError:
            current = _under_way.exchange
            if current is not None:
                current.issuer = _issuer_of_refused(self)
            raise

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """Receive within what is left."""
        _lower_timeout(self)
        return super().recv(buflen, flags)

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        """Receive within what is left."""
        _lower_timeout(self)
        return super().recv_into(buffer, nbytes, flags)

    def send(self, data: Any, flags: int = 0) -> int:
        """Send within what is left; ``sendall`` comes through here."""
        _lower_timeout(self)
        _mark_sent()
        return super().send(data, flags)


def _issuer_of_refused(sock: ssl.SSLSocket) -> str | None:
    # The standard library offers the refused chain from Python 3.13 on; the object below has had it since 3.10.
    try:
        chain = sock._sslobj.get_unverified_chain()  # type: ignore[attr-defined]  # noqa: SLF001
        names = {key: value for part in chain[-1].get_info()["issuer"] for key, value in part}
    except (AttributeError, LookupError, TypeError, ValueError):
        return None
    name = names.get("commonName") or names.get("organizationName")
    if not isinstance(name, str) or not name.isprintable():
        return None
    return name[:64]


def _open_socket(connection: HTTPConnection) -> socket.socket:
    """Connect to the first address of the host that answers, all of them within one deadline."""
    failure: OSError | None = None
    if _under_way.exchange is not None:
        _under_way.exchange.opened += 1
    host = connection.host.strip("[]")
    for family, kind, protocol, _name, address in socket.getaddrinfo(host, connection.port, type=socket.SOCK_STREAM):
        sock = DeadlineSocket(family, kind, protocol)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.connect(address)
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise failure or OSError("no address")


class _PlainConnection(HTTPConnection):
    # Set on the class: a debug level set for the whole program would print headers, the password among them.
    debuglevel = 0

    def _new_conn(self) -> socket.socket:
        return _open_socket(self)


class _TLSConnection(HTTPSConnection):
    debuglevel = 0

    def _new_conn(self) -> socket.socket:
        return _open_socket(self)


class DeadlineHTTPPool(HTTPConnectionPool):
    """A pool of plain connections with deadlines."""

    ConnectionCls = _PlainConnection


class DeadlineHTTPSPool(HTTPSConnectionPool):
    """A pool of TLS connections with deadlines."""

    ConnectionCls = _TLSConnection
