"""What finding a server is tested with: a finder whose world is loopback, and answers of Autodiscover."""

import contextlib
import socket
import traceback

import pytest

from busytime.errors import BusyTimeError
from busytime.ews import EWSServerFinder
from tests.integration.ews.conftest import PASSWORD
from tests.integration.ews.hostile import SUBJECT, response, serving
from tests.integration.ews.names import Names, ask_at, name_server

EMAIL = "busytime@corp.example"
RESPONSE = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
OUTLOOK = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"


def settings(*protocols, action="settings", more=""):
    """Return an answer with the EWS URLs of protocols: pairs of type and URL."""
    inside = "".join(f"<Protocol><Type>{kind}</Type><EwsUrl>{url}</EwsUrl></Protocol>" for kind, url in protocols)
    return (
        f'<Autodiscover xmlns="{RESPONSE}"><Response xmlns="{OUTLOOK}"><User><DisplayName>{SUBJECT}</DisplayName></User>'
        f"<Account><AccountType>email</AccountType><Action>{action}</Action>{more}{inside}</Account></Response></Autodiscover>"
    )


def error(number):
    return (
        f'<Autodiscover xmlns="{RESPONSE}"><Response><Error Time="1" Id="1"><ErrorCode>{number}</ErrorCode>'
        f"<Message>{SUBJECT}</Message></Error></Response></Autodiscover>"
    )


def wants(*schemes):
    """Return an answer that wants a log-on."""
    headers = [f"WWW-Authenticate: {scheme}" for scheme in schemes]
    return response("", "401 Unauthorized", headers)


def moved(target):
    return response("", "302 Found", [f"Location: {target}"])


def by_host(answers):
    """Return a play that answers by the host that was asked: bytes, or one list of them for each in turn."""

    def play(server, connection):
        request = server.read_request(connection)
        if request is None:
            return None
        host = next(line for line in request.split(b"\r\n") if line.lower().startswith(b"host:")).split()[1].decode()
        answer = answers[host.partition(":")[0]]
        return answer.pop(0) if isinstance(answer, list) else answer

    return play


def refused(do):
    """Return what an action raises, after looking for leaks in all that could be printed."""
    with pytest.raises(BusyTimeError) as caught:
        do()
    failure = caught.value
    printed = "".join(traceback.format_exception(failure)) + repr(failure) + str(failure.detail)
    assert SUBJECT not in printed
    assert PASSWORD not in printed
    assert failure.__cause__ is None
    assert failure.__context__ is None
    return failure


@contextlib.contextmanager
def world(monkeypatch, records=None):
    """Lead all names to loopback or nowhere."""
    names = Names()
    monkeypatch.setattr(socket, "getaddrinfo", names.resolve)
    with name_server(records or {}) as port:
        ask_at(monkeypatch, port)
        yield names


def finder(ca_pem, deadline=2.0, **more):
    return EWSServerFinder(ca_pem, request_deadline_seconds=deadline, **more)


__all__ = ["EMAIL", "by_host", "error", "finder", "moved", "refused", "serving", "settings", "wants", "world"]
