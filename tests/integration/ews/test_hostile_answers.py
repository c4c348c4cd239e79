"""Servers that answer what cannot be read, or too much."""

import gzip

import pytest

from busytime.errors import Reason, SpoiltAnswerError
from busytime.model import BusyTime
from tests.integration.ews.conftest import WINDOW
from tests.integration.ews.failing import GOOD, failure_of
from tests.integration.ews.hostile import SUBJECT, answering, bomb, response, serving, soap

LAUGHS = (
    '<!DOCTYPE s:Envelope [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>'
)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", Reason.MALFORMED_ANSWER),
        ("not xml at all", Reason.MALFORMED_ANSWER),
        ("<a><b></a>", Reason.MALFORMED_ANSWER),
        (f"<note>{SUBJECT}</note>", Reason.MALFORMED_ANSWER),
        (soap(""), Reason.MALFORMED_ANSWER),
        (soap("<m:GetFolderResponse/>"), Reason.MALFORMED_ANSWER),
        (LAUGHS + soap("&c;"), Reason.MALFORMED_ANSWER),
        (LAUGHS + GOOD, Reason.MALFORMED_ANSWER),
        ('<!DOCTYPE x SYSTEM "file:///etc/hostname">' + GOOD, Reason.MALFORMED_ANSWER),
        ("<!-- c -->\n<?pi x?>" + LAUGHS + GOOD, Reason.MALFORMED_ANSWER),
        (("\ufeff" + GOOD).encode("utf-16-le"), Reason.MALFORMED_ANSWER),
        (
            ('<?xml version="1.0" encoding="utf-7"?>' + GOOD).replace("Busy<", "\u00e4<").encode("latin-1"),
            Reason.MALFORMED_ANSWER,
        ),
        (f"<{SUBJECT.replace(' ', '_')}>&nbsp;</x>", Reason.MALFORMED_ANSWER),
    ],
)
def test_answers_that_cannot_be_read(connect, body, reason):
    with serving(answering(body)) as server:
        error = failure_of(connect(server.url()))
    assert type(error) is SpoiltAnswerError
    assert error.reason is reason


def test_characters_that_xml_forbids_do_not_spoil_an_answer(connect):
    body = GOOD.replace(SUBJECT, "bell &#x7; and &#11; and &#x41;")
    with serving(answering(body)) as server:
        (answer,) = connect(server.url()).read_availability(["ana@corp.example"], WINDOW)
    assert isinstance(answer, BusyTime)


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip"])
def test_packed_answer_is_read(connect, encoding):
    packed = gzip.compress(GOOD[:50].encode()) + gzip.compress(GOOD[50:].encode())
    with serving(answering(packed, headers=[f"Content-Encoding: {encoding}"])) as server:
        (answer,) = connect(server.url()).read_availability(["ana@corp.example"], WINDOW)
    assert isinstance(answer, BusyTime)


@pytest.mark.parametrize(
    ("body", "encoding", "reason"),
    [
        (bomb(64), "gzip", Reason.ANSWER_TOO_LARGE),
        (b" " * (2**20 + 1), "identity", Reason.ANSWER_TOO_LARGE),
        (gzip.compress(bomb(8)), "gzip, gzip", Reason.MALFORMED_ANSWER),
        (b"\x1f\x8b broken", "gzip", Reason.MALFORMED_ANSWER),
        (gzip.compress(GOOD.encode())[:-12], "gzip", Reason.CONNECTION_LOST),
        (GOOD.encode(), "br", Reason.MALFORMED_ANSWER),
    ],
)
def test_packings_have_limits(connect, body, encoding, reason):
    with serving(answering(body, headers=[f"Content-Encoding: {encoding}"])) as server:
        error = failure_of(connect(server.url(), max_answer_bytes=2**20))
    assert error.reason is reason


def test_large_answer_within_the_limit_is_read(connect):
    padding = "<!-- " + "x" * 20_000 + " -->"
    with serving(answering(GOOD.replace("<s:Body>", "<s:Body>" + padding * 600))) as server:
        (answer,) = connect(server.url()).read_availability(["ana@corp.example"], WINDOW)
    assert isinstance(answer, BusyTime)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (response(GOOD, length=len(GOOD) + 500), Reason.CONNECTION_LOST),
        (response(GOOD, length=len(GOOD) - 20), Reason.MALFORMED_ANSWER),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nabc", Reason.CONNECTION_LOST),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\nabc", Reason.CONNECTION_LOST),
        (b"", Reason.CONNECTION_LOST),
        (b"HTTP/1.1 200 OK\r\nContent-Le", Reason.MALFORMED_ANSWER),
        (SUBJECT.encode() + b"\r\n\r\n", Reason.MALFORMED_ANSWER),
    ],
)
def test_broken_http_is_a_spoilt_answer(connect, answer, reason):
    def play(server, connection):
        server.read_request(connection)
        return answer

    with serving(play) as server:
        error = failure_of(connect(server.url()))
    assert type(error) is SpoiltAnswerError
    assert error.reason in {reason, Reason.CONNECTION_LOST}
