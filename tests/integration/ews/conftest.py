"""Certificates and gateways for hostile servers."""

import contextlib
import traceback
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from busytime.errors import BusyTimeError
from busytime.ews import EWSCalendarGateway
from busytime.model import AuthType, Endpoint, Secret, Window
from tests.integration.ews.hostile import SUBJECT, serving
from tests.integration.ews.scripted import Script

PASSWORD = "correct-horse-battery"
WINDOW = Window(datetime(2026, 11, 23, tzinfo=UTC), datetime(2026, 12, 23, tzinfo=UTC))


class Guard:
    def __init__(self):
        self.left_by = []
        self.log_ons = []

    @contextmanager
    def permit(self, *, log_on=True):
        self.log_ons.append(log_on)
        try:
            yield
        except Exception as error:
            self.left_by.append(error)
            raise


@pytest.fixture
def guard():
    return Guard()


@pytest.fixture
def connect(guard):
    """Open gateways that are closed after the test."""
    with contextlib.ExitStack() as stack:

        def open_gateway(url, *, deadline=5.0, ca_pem=None, auth_type=AuthType.BASIC, token_url=None, **more):
            endpoint = Endpoint("busytime@corp.example", url, auth_type, ca_pem, token_url)
            gateway = EWSCalendarGateway(
                endpoint, Secret("busytime@corp.example", PASSWORD), guard, request_deadline_seconds=deadline, **more
            )
            stack.callback(gateway.close)
            return gateway

        yield open_gateway


@pytest.fixture
def play(connect):
    """Run something against a server that answers by script, and say what it was asked."""

    def run(do, *steps):
        script = Script(*steps)
        with serving(script) as server:
            gateway = connect(server.url())
            try:
                return do(gateway), script
            except BusyTimeError as error:
                printed = "".join(traceback.format_exception(error)) + repr(error) + str(error.detail)
                assert SUBJECT not in printed
                assert "Envelope" not in printed
                return error, script

    return run


def _certificate(subject, names, key, issuer, issuer_key, *, days=2):
    now = datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(issuer or name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=10)).not_valid_after(now + timedelta(days=days))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    else:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return builder.sign(issuer_key or key, hashes.SHA256())


class Authority:
    """A private authority and what it signs, in a folder."""

    def __init__(self, folder):
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = _certificate("Contoso private authority", [], self._key, None, None)
        self.pem = self._certificate.public_bytes(Encoding.PEM).decode()

    def issue(self, *, host=None, days=2):
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.DNSName(host)] if host else [x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("localhost")]
        certificate = _certificate(host or "127.0.0.1", names, key, self._certificate.subject, self._key, days=days)
        path = self._folder / f"{host or 'loopback'}{days}.pem"
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(certificate.public_bytes(Encoding.PEM) + private)
        return path


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))
