"""The handshake of NTLM on one connection, with the messages of pyspnego (MS-NTHT, MS-NLMP).

Not ``requests_ntlm``: it reads refusals without a limit, repeats what it may not, and lets the environment choose an
older version of the protocol. Nothing is kept: each handshake has a state of its own.
"""

import base64
import binascii
import struct
from collections.abc import Callable, Mapping
from typing import Any

import requests
import spnego
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import SpnegoError

from busytime.errors import Reason
from busytime.ews.body import Unreadable, read_body
from busytime.ews.deadline import exchange_under_way
from busytime.model import Secret

#: What an answer without content may hold nevertheless, like a page for a person.
MOST_REFUSAL_BYTES = 2**20

_PREFIX = "NTLM "
_BROKEN = (SpnegoError, ValueError, LookupError, TypeError, struct.error, binascii.Error)


def shake_hands(secret: Secret, send: Callable[[Mapping[str, str]], requests.Response]) -> requests.Response:
    """Log on to a connection: offer, challenge, proof. The proof is sent once, or not at all.

    Args:
        secret: What logs on.
        send: Sends the request with these headers, on the session's only connection.

    Returns:
        The answer to the proof; or to the offer, where the server did not say 401.

    Raises:
        Unreadable: The server gave no usable challenge, or closed the connection that it belonged to. The password
            was not looked at.
    """
    context = _context(secret)
    offer = context.step()
    challenged = send({"Authorization": _PREFIX + base64.b64encode(offer).decode()})
    if challenged.status_code != 401:  # noqa: PLR2004 -- an HTTP status
        return challenged
    bindings = _channel_bindings(challenged)
    read_body(challenged, MOST_REFUSAL_BYTES)  # only a connection that was read to its end is used again
    proof = _proof(context, challenged.headers.get("WWW-Authenticate", ""), bindings)
    opened = _opened()
    answer = send({"Authorization": _PREFIX + base64.b64encode(proof).decode()})
    if answer.status_code == 401 and _opened() != opened:  # noqa: PLR2004
        # A challenge belongs to its connection, so nobody could look at a proof that came by another one.
        answer.close()
        raise Unreadable(Reason.CONNECTION_LOST)
    return answer


def _context(secret: Secret) -> Any:
    # A credential of its own kind: with an empty user name the library would take one from a file (NTLM_USER_FILE).
    credential = spnego.Password(secret.username, secret.password)
    context: Any = spnego.client(credential, protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm)
    # Version 2 alone, whatever LM_COMPAT_LEVEL says; older ones can be broken by who listens.
    context._lm, context._nt_v1, context._nt_v2 = False, False, True  # noqa: SLF001 -- it has no public name
    return context


def _proof(context: Any, header: str, bindings: GssChannelBindings | None) -> bytes:
    """Answer the challenge in a header."""
    given = [part.strip()[len(_PREFIX) :] for part in header.split(",") if part.strip().upper().startswith(_PREFIX)]
    try:
        proof: bytes | None = context.step(base64.b64decode(given[0], validate=True), channel_bindings=bindings)
    except _BROKEN:
        proof = None
    if not proof:
        raise Unreadable(Reason.MALFORMED_ANSWER)
    return proof


def _channel_bindings(response: requests.Response) -> GssChannelBindings | None:
    """Bind the log-on to the server's certificate (RFC 5929, ``tls-server-end-point``), as Extended Protection wants it."""
    connection = getattr(response.raw, "connection", None)
    certificate = getattr(getattr(connection, "sock", None), "getpeercert", lambda _binary: None)(True)
    if not certificate:
        return None
    digest = hashes.Hash(_hash_of(certificate))
    digest.update(certificate)
    return GssChannelBindings(application_data=b"tls-server-end-point:" + digest.finalize())


def _hash_of(certificate: bytes) -> hashes.HashAlgorithm:
    # Its signature's own, but SHA-256 for the two that are too weak, and where there is none.
    try:
        found = x509.load_der_x509_certificate(certificate).signature_hash_algorithm
    except (UnsupportedAlgorithm, ValueError):
        found = None
    return hashes.SHA256() if found is None or found.name in ("md5", "sha1") else found


def _opened() -> int:
    current = exchange_under_way()
    return 0 if current is None else current.opened
