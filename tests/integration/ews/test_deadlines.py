"""Servers that answer slowly or not at all."""

import socket

import pytest

from busytime.errors import Reason, ServerUnavailableError, SpoiltAnswerError
from tests.integration.ews.failing import failure_of
from tests.integration.ews.hostile import serving


def dribble(data):
    def play(server, connection):
        server.read_request(connection)
        for place in range(len(data)):
            connection.sendall(data[place : place + 1])
            if server.closing.wait(0.05):
                return

    return play


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n"])
def test_dribble_in_headers_and_body_meets_the_deadline(connect, head):
    def play(server, connection):
        server.read_request(connection)
        connection.sendall(head)
        while not server.closing.wait(0.05):
            connection.sendall(b"X-A: b\r\n")

    with serving(play) as server:
        error = failure_of(connect(server.url(), deadline=0.5))
    assert (type(error), error.reason) == (SpoiltAnswerError, Reason.TIMED_OUT)


def test_dribbled_status_line_meets_the_deadline(connect):
    with serving(dribble(b"HTTP/1.1 200 OK" + b" " * 2000)) as server:
        error = failure_of(connect(server.url(), deadline=0.5))
    assert error.reason is Reason.TIMED_OUT


def test_endless_interim_answers_meet_the_deadline(connect):
    def play(server, connection):
        server.read_request(connection)
        while not server.closing.wait(0.01):
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

    with serving(play) as server:
        error = failure_of(connect(server.url(), deadline=0.5))
    assert error.reason is Reason.TIMED_OUT


def test_silent_server_meets_the_deadline(connect):
    def play(server, connection):
        server.read_request(connection)
        server.closing.wait(5)

    with serving(play) as server:
        error = failure_of(connect(server.url(), deadline=0.3))
    assert (type(error), error.reason) == (SpoiltAnswerError, Reason.TIMED_OUT)


def test_port_that_nobody_listens_on_is_unavailable(connect):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    error = failure_of(connect(f"http://127.0.0.1:{port}/EWS/Exchange.asmx"))
    assert (type(error), error.reason) == (ServerUnavailableError, Reason.SERVER_UNREACHABLE)


def test_name_that_does_not_resolve_is_unavailable(connect, monkeypatch):
    def no_such_name(*_args, **_kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_such_name)
    error = failure_of(connect("https://mail.corp.example/EWS/Exchange.asmx"))
    assert (type(error), error.reason) == (ServerUnavailableError, Reason.SERVER_UNREACHABLE)
    assert "mail.corp.example" in str(error)
