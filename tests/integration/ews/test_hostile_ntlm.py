"""Servers that play NTLM wrongly: nobody gets a second proof, and only a proof that was looked at counts as refused."""

import base64
import hashlib
import logging
import struct

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from spnego._ntlm_raw.messages import Authenticate, AvId, Challenge, FileTime, NegotiateFlags, NTClientChallengeV2, TargetInfo

from busytime.errors import AuthenticationError, BusyTimeError, Reason, SpoiltAnswerError, UnsupportedServerError
from busytime.model import AuthType
from tests.integration.ews.conftest import PASSWORD, WINDOW
from tests.integration.ews.failing import GOOD, failure_of, leak_free
from tests.integration.ews.hostile import SUBJECT, response, server_context, serving

OFFER = ["WWW-Authenticate: Negotiate", "WWW-Authenticate: NTLM", 'WWW-Authenticate: Basic realm="a, NTLM b"']


def challenge():
    target = TargetInfo()
    target[AvId.nb_domain_name] = "CORP"
    target[AvId.timestamp] = FileTime.now()
    flags = NegotiateFlags.unicode | NegotiateFlags.ntlm | NegotiateFlags.request_target | NegotiateFlags.target_type_domain
    flags |= NegotiateFlags.extended_session_security | NegotiateFlags.target_info
    message = Challenge(flags, b"12345678", target_name="CORP", target_info=target).pack()
    return "WWW-Authenticate: NTLM " + base64.b64encode(message).decode()


def unauthorized(*headers, body=SUBJECT):
    return response(body, "401 Unauthorized", headers)


def token_of(request):
    for line in request.split(b"\r\n"):
        if line.lower().startswith(b"authorization: ntlm "):
            return base64.b64decode(line.split()[2])
    return None


class Acceptor:
    """Answers by the step that a request is; keeps the proofs."""

    def __init__(self, *, offered=None, challenged=None, proven=None):
        self._answers = [offered or unauthorized(*OFFER), challenged or unauthorized(challenge()), proven or response(GOOD)]
        self.proofs = []

    def __call__(self, server, connection):
        while request := server.read_request(connection):
            token = token_of(request)
            step = 0 if token is None else 1 if token[8] == 1 else 2
            if step == 2:
                self.proofs.append(Authenticate.unpack(token))
            answer = self._answers[step]
            connection.sendall(answer)
            if not answer or b"Connection: close" in answer:
                return


@pytest.fixture
def play(connect):
    """Read busy time by NTLM; return the answer or the error, and the acceptor."""

    def run(context=None, *, ca_pem=None, deadline=5.0, **answers):
        acceptor = Acceptor(**answers)
        with serving(acceptor, context) as server:
            gateway = connect(server.url(), auth_type=AuthType.NTLM, ca_pem=ca_pem, deadline=deadline)
            try:
                return gateway.read_availability(["ana@corp.example"], WINDOW), acceptor
            except BusyTimeError as error:
                return leak_free(error), acceptor
            finally:
                gateway.close()

    return run


def test_handshake_as_servers_play_it(play, guard):
    outcome, acceptor = play()
    assert len(outcome) == 1
    assert (acceptor.proofs[0].user_name, guard.log_ons) == ("busytime@corp.example", [False, True])


def test_proof_is_bound_to_the_certificate(play, authority):
    path = authority.issue()
    outcome, acceptor = play(server_context(path), ca_pem=authority.pem)
    assert len(outcome) == 1
    certificate = x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(Encoding.DER)
    data = b"tls-server-end-point:" + hashlib.sha256(certificate).digest()
    expected = hashlib.md5(struct.pack("<IIIII", 0, 0, 0, 0, len(data)) + data, usedforsecurity=False).digest()
    answer = NTClientChallengeV2.unpack(acceptor.proofs[0].nt_challenge_response[16:])
    assert answer.av_pairs[AvId.channel_bindings] == expected


@pytest.mark.parametrize(
    "answer",
    [
        unauthorized(*OFFER),
        unauthorized("WWW-Authenticate: NTLM !!!"),
        unauthorized("WWW-Authenticate: NTLM " + base64.b64encode(b"NTLMSSP\x00\x02\x00\x00\x00").decode()),
        unauthorized("WWW-Authenticate: NTLM " + base64.b64encode(SUBJECT.encode()).decode()),
        unauthorized(),
    ],
)
def test_challenge_that_is_none_gets_no_proof_and_counts_nothing(play, guard, answer):
    error, acceptor = play(challenged=answer)
    assert (type(error), error.reason) == (SpoiltAnswerError, Reason.MALFORMED_ANSWER)
    assert acceptor.proofs == []
    assert guard.left_by[-1] is error


def test_proof_that_came_by_another_connection_counts_nothing(play):
    error, acceptor = play(challenged=unauthorized(challenge(), "Connection: close"), proven=unauthorized(*OFFER))
    assert (type(error), error.reason) == (SpoiltAnswerError, Reason.CONNECTION_LOST)
    assert len(acceptor.proofs) == 1


@pytest.mark.parametrize("headers", [OFFER, ["WWW-Authenticate: Basic"], []])
def test_refused_proof_is_one_refused_log_on_whatever_is_offered_then(play, guard, headers):
    error, acceptor = play(proven=unauthorized(*headers))
    assert (type(error), error.reason, len(acceptor.proofs)) == (AuthenticationError, Reason.LOGON_REFUSED, 1)
    assert guard.log_ons[-2:] == [False, True]


def test_huge_refusal_is_not_read(play):
    error, acceptor = play(offered=unauthorized(*OFFER, body="x" * 2**21))
    assert (type(error), error.reason, acceptor.proofs) == (SpoiltAnswerError, Reason.ANSWER_TOO_LARGE, [])


def test_redirect_after_the_offer_is_not_followed(play):
    error, acceptor = play(challenged=response("", "302 Found", ["Location: https://mail.other.example/x"]))
    assert (type(error), error.reason, acceptor.proofs) == (UnsupportedServerError, Reason.REDIRECTED, [])
    assert "mail.other.example" in str(error)


def test_dribbled_challenge_meets_the_deadline(connect):
    def play(server, connection):
        server.read_request(connection)
        connection.sendall(unauthorized(*OFFER))
        server.read_request(connection)
        connection.sendall(b"HTTP/1.1 401 Unauthorized\r\n")
        while not server.closing.wait(0.05):
            connection.sendall(b"X-A: b\r\n")

    with serving(play) as server:
        error = failure_of(connect(server.url(), auth_type=AuthType.NTLM, deadline=0.5))
    assert (type(error), error.reason) == (SpoiltAnswerError, Reason.TIMED_OUT)


def test_no_log_handler_sees_a_message_of_the_handshake(play, caplog):
    caplog.set_level(logging.DEBUG)
    play()
    play(proven=unauthorized(*OFFER))
    play(challenged=unauthorized("WWW-Authenticate: NTLM !!!"))
    assert not [word for word in (PASSWORD, SUBJECT, "NTLM", "TlRM") if word in caplog.text]


def test_certificate_of_the_server_is_checked_before_any_offer(connect, authority):
    with serving(Acceptor(), server_context(authority.issue(host="mail.other.example"))) as server:
        error = failure_of(connect(server.url(), auth_type=AuthType.NTLM, ca_pem=authority.pem))
    assert (error.reason, server.received) == (Reason.CERTIFICATE_NOT_TRUSTED, [])
