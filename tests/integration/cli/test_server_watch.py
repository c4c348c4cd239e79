"""The look at Prefect's server: it tells a server that hangs from one that answers, once each time that changes."""

import logging
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from deployments.serving import server_watch
from deployments.serving.server_watch import ServerWatch


@pytest.fixture
def silent(monkeypatch):
    """A server that takes connections and never answers."""
    monkeypatch.setattr(server_watch, "_DEADLINE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.fixture
def answering():
    """A server that wants a log-on."""

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(401)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def page(port):
    return f"http://127.0.0.1:{port}"


def test_a_server_that_wants_a_log_on_answers(answering):
    watch = ServerWatch(page(answering))
    watch.look()
    assert watch.answers


def test_a_server_that_hangs_is_told_once_and_lost_in_the_end(silent, answering, caplog, monkeypatch):
    watch = ServerWatch(page(silent))
    assert watch.answers
    with caplog.at_level(logging.WARNING, "busytime.serve"):
        watch.look()
        watch.look()
        assert (watch.answers, watch.is_lost) == (False, False)
        monkeypatch.setattr(server_watch, "LOST_AFTER_SECONDS", 0)
        assert watch.is_lost
        watch._page = page(answering)
        watch.look()
    assert (watch.answers, watch.is_lost) == (True, False)
    assert ["does not answer" in line for line in caplog.messages] == [True, False]
    assert "answers again" in caplog.messages[1]


def test_a_port_that_nobody_listens_on_does_not_answer(silent):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert not server_watch.answers(page(port))
    assert not server_watch.answers(page(silent))
