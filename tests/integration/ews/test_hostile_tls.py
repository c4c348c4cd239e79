"""Certificates and versions of TLS that are refused, before anything is sent."""

import ssl

import pytest

from busytime.errors import (
    BusyTimeError,
    ConfigurationError,
    Reason,
    ServerUnavailableError,
    SpoiltAnswerError,
    UnsupportedServerError,
)
from tests.integration.ews.conftest import WINDOW
from tests.integration.ews.hostile import answering, availability, mailbox, server_context, serving

GOOD = availability(mailbox(""))


def failure_of(gateway):
    with pytest.raises(BusyTimeError) as caught:
        gateway.read_availability(["ana@corp.example"], WINDOW)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return caught.value


def test_private_authority_is_trusted_when_given(connect, authority):
    with serving(answering(GOOD), server_context(authority.issue())) as server:
        gateway = connect(server.url(), ca_pem=authority.pem)
        assert len(gateway.read_availability(["ana@corp.example"], WINDOW)) == 1


def test_untrusted_certificate_names_its_authority(connect, authority):
    with serving(answering(GOOD), server_context(authority.issue())) as server:
        error = failure_of(connect(server.url()))
    assert (type(error), error.reason) == (UnsupportedServerError, Reason.CERTIFICATE_NOT_TRUSTED)
    assert "Contoso private authority" in str(error)
    assert "--ca-file" in str(error)
    assert server.received == []


def test_environment_adds_no_authority(connect, authority, monkeypatch, tmp_path):
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(authority.pem)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(bundle))
    with serving(answering(GOOD), server_context(authority.issue())) as server:
        error = failure_of(connect(server.url()))
    assert error.reason is Reason.CERTIFICATE_NOT_TRUSTED


def test_given_authority_replaces_the_public_ones(authority):
    from busytime.ews.session import tls_context

    assert len(tls_context(authority.pem).get_ca_certs()) == 1


def test_wrong_host_name_is_refused(connect, authority):
    with serving(answering(GOOD), server_context(authority.issue(host="mail.other.example"))) as server:
        error = failure_of(connect(server.url(), ca_pem=authority.pem))
    assert error.reason is Reason.CERTIFICATE_NOT_TRUSTED
    assert "another host name" in str(error)
    assert server.received == []


def test_expired_certificate_is_refused(connect, authority):
    with serving(answering(GOOD), server_context(authority.issue(days=-1))) as server:
        error = failure_of(connect(server.url(), ca_pem=authority.pem))
    assert error.reason is Reason.CERTIFICATE_NOT_TRUSTED
    assert "not valid today" in str(error)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_old_version_of_tls_is_refused(connect, authority):
    try:
        context = server_context(authority.issue(), maximum=ssl.TLSVersion.TLSv1_1)
    except (ssl.SSLError, ValueError) as error:
        pytest.skip(f"this OpenSSL cannot serve TLS 1.1: {error}")
    with serving(answering(GOOD), context) as server:
        error = failure_of(connect(server.url(), ca_pem=authority.pem))
    assert (type(error), error.reason) == (UnsupportedServerError, Reason.TLS_TOO_OLD)


def test_port_that_speaks_plain_http_is_no_server_of_ours(connect):
    with serving(lambda _server, _connection: b"HTTP/1.1 400 Bad Request\r\n\r\n") as server:
        error = failure_of(connect(server.url().replace("http:", "https:")))
    assert error.reason is Reason.NOT_AN_EWS_SERVER


def test_handshake_that_never_comes_meets_the_deadline(connect):
    with serving(lambda server, _connection: server.closing.wait(5) and None) as server:
        error = failure_of(connect(server.url().replace("http:", "https:"), deadline=0.3))
    assert (type(error), error.reason) == (ServerUnavailableError, Reason.SERVER_UNREACHABLE)


def test_dribbled_handshake_meets_the_deadline(connect):
    def play(server, connection):
        connection.sendall(b"\x16\x03\x03\x10\x00")
        while not server.closing.wait(0.05):
            connection.sendall(b"\x02")

    with serving(play) as server:
        error = failure_of(connect(server.url().replace("http:", "https:"), deadline=0.5))
    assert type(error) is ServerUnavailableError


def test_dribble_inside_tls_meets_the_deadline(connect, authority):
    def play(server, connection):
        server.read_request(connection)
        while not server.closing.wait(0.05):
            connection.sendall(b"H")

    with serving(play, server_context(authority.issue())) as server:
        error = failure_of(connect(server.url(), deadline=0.5, ca_pem=authority.pem))
    assert (type(error), error.reason) == (SpoiltAnswerError, Reason.TIMED_OUT)


@pytest.mark.parametrize("pem", ["", "not a certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_authority_that_is_none_is_refused_before_anything_is_sent(connect, pem):
    with pytest.raises(ConfigurationError, match="--ca-file"):
        connect("https://127.0.0.1/EWS/Exchange.asmx", ca_pem=pem)
