"""A small HTTP server for who watches the service: figures, whether it lives, and whether it can work."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from busytime.errors import BusyTimeError, ConfigurationError
from deployments.serving.metrics import page_of_figures
from tasks.workspace import Workspace

_FIGURES = "text/plain; version=0.0.4; charset=utf-8"
_WORDS = "text/plain; charset=utf-8"

#: A client that says nothing for so long is hung up on, and so is one too many.
_DEADLINE_SECONDS = 10
_MOST_AT_ONCE = 32

Answer = tuple[HTTPStatus, str, bytes]


@contextmanager
def watching(office: Workspace, host: str, port: int, is_ready: Callable[[], bool]) -> Iterator[None]:
    """Serve `/metrics`, `/healthz` and `/readyz`.

    Args:
        office: The opened home.
        host: What to listen on.
        port: Where.
        is_ready: Tells whether runs are taken now.

    Raises:
        ConfigurationError: The port is taken.
    """
    pages: dict[str, Callable[[], Answer]] = {
        "/metrics": lambda: (HTTPStatus.OK, _FIGURES, page_of_figures(office)),
        "/healthz": lambda: (HTTPStatus.OK, _WORDS, b"alive\n"),
        "/readyz": lambda: _readiness(office, is_ready),
    }

    class Handler(BaseHTTPRequestHandler):
        timeout = _DEADLINE_SECONDS

        def do_GET(self) -> None:
            status, kind, body = _answer(pages.get(self.path.partition("?")[0]))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Stay silent: who watches asks every few seconds."""

    try:
        server = _Server(host, port, Handler)
    except OSError as error:
        raise ConfigurationError(
            f"Port {port} of {host} cannot be used: {error.strerror}. Choose another one with --metrics-port."
        ) from None
    threading.Thread(target=server.serve_forever, name="watching", daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    """Answers so many clients at once, and hangs up on one more."""

    daemon_threads = True

    def __init__(self, host: str, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._places = threading.BoundedSemaphore(_MOST_AT_ONCE)
        super().__init__((host, port), handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()


def _answer(page: Callable[[], Answer] | None) -> Answer:
    if page is None:
        return HTTPStatus.NOT_FOUND, _WORDS, b"there is /metrics, /healthz and /readyz\n"
    try:
        return page()
    except BusyTimeError:
        return HTTPStatus.SERVICE_UNAVAILABLE, _WORDS, b"the database cannot be used\n"


def _readiness(office: Workspace, is_ready: Callable[[], bool]) -> Answer:
    with office.store.read() as unit:
        unit.connections.all_open()
    if is_ready():
        return HTTPStatus.OK, _WORDS, b"ready\n"
    return HTTPStatus.SERVICE_UNAVAILABLE, _WORDS, b"no worker takes runs, or Prefect's server does not answer\n"
