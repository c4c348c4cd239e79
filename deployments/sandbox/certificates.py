"""A throw-away authority and the server certificate that it signs, for one run of the sandbox."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFE = timedelta(days=30)
# Loopback, and the names under which clients look for a server of corp.example: tests let them lead here.
_HOSTS = ("localhost", "corp.example", "autodiscover.corp.example", "mail.corp.example")


@dataclass(frozen=True, slots=True)
class Files:
    """Where the PEM files are."""

    # What a client has to trust: a self-signed certificate is its own authority.
    authority: Path
    certificate: Path
    key: Path


def create(directory: Path, *, self_signed: bool = False) -> Files:
    """Make an authority and a certificate for localhost, strict enough for X509_STRICT.

    Args:
        directory: Where the files go; only its owner should be able to read it.
        self_signed: Whether the server signs its certificate itself, as Exchange's setup does.
    """
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _authority(authority_key)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _server(key, None, key) if self_signed else _server(key, authority, authority_key)
    files = Files(directory / "ca.pem", directory / "server.pem", directory / "server.key")
    pem = serialization.Encoding.PEM
    files.authority.write_bytes((certificate if self_signed else authority).public_bytes(pem))
    files.certificate.write_bytes(certificate.public_bytes(pem))
    files.key.touch(mode=0o600)
    files.key.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return files


def _builder(name: str, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        # A day back: tests move clocks about.
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _LIFE)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = "busytime sandbox authority"
    builder = _builder(name, key.public_key()).issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
    return (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def _server(
    key: ec.EllipticCurvePrivateKey,
    authority: x509.Certificate | None,
    authority_key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    names = [
        *map(x509.DNSName, _HOSTS),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.IPAddress(ipaddress.ip_address("::1")),
    ]
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    own_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _HOSTS[0])])
    return (
        _builder(_HOSTS[0], key.public_key())
        .issuer_name(own_name if authority is None else authority.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(issuer, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
