"""NTLM as a server speaks it: the challenge, and the check of the answer to it.

Only version 2, as Windows servers are told to do. The messages and one-way functions are pyspnego's,
the check is our own: its acceptor reads passwords from a file that the environment names, and cannot
say whose password was wrong. What was negotiated for signing is not used, because HTTP does not sign.
"""

from __future__ import annotations

import hmac
import os
import struct
from dataclasses import dataclass

from spnego._ntlm_raw.crypto import ntowfv1, ntowfv2
from spnego._ntlm_raw.messages import (
    Authenticate,
    AvId,
    FileTime,
    Negotiate,
    NegotiateFlags,
    NTLMMessage,
    TargetInfo,
)
from spnego._ntlm_raw.messages import Challenge as ChallengeMessage

DOMAIN = "CORP"
# The directory's own DNS name, and what user principal names end with.
DNS_DOMAIN = "corp.local"
_SERVER = "MAIL"
_PROOF = 16
# A version 1 answer has 24 bytes and no client challenge behind its proof.
_VERSION_1 = 24
_BROKEN = (ValueError, KeyError, IndexError, TypeError, struct.error)


class NtlmError(Exception):
    """A message is broken, or asks for what this server does not do."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client answered to a challenge: a name, and the proof of a password."""

    user: str
    domain: str
    _nonce: bytes
    _response: bytes

    def proves(self, password: str) -> bool:
        """Tell whether the client knew this password."""
        key = ntowfv2(self.user, ntowfv1(password), self.domain)
        proof = hmac.digest(key, self._nonce + self._response[_PROOF:], "md5")
        return hmac.compare_digest(proof, self._response[:_PROOF])


@dataclass(frozen=True, slots=True)
class Challenge:
    """A challenge that was sent and waits for its answer."""

    message: bytes
    nonce: bytes

    def answer(self, token: bytes) -> Answer:
        """Read the client's answer.

        Raises:
            NtlmError: It is none, it is anonymous, or it is not of version 2.
        """
        try:
            message = Authenticate.unpack(token)
            response = message.nt_challenge_response or b""
            user, domain = message.user_name or "", message.domain_name or ""
        except _BROKEN as error:
            raise NtlmError("the answer cannot be read") from error
        if not user or len(response) <= _VERSION_1:
            raise NtlmError("the answer names nobody or is not of version 2")
        return Answer(user, domain, self.nonce, response)


def begins(token: bytes) -> bool:
    """Tell whether a message is the first one of a log-on."""
    try:
        return isinstance(NTLMMessage.unpack(token), Negotiate)
    except _BROKEN:
        return False


def challenge(token: bytes) -> Challenge:
    """Answer the first message of a log-on.

    Raises:
        NtlmError: The client cannot do Unicode.
    """
    asked = Negotiate.unpack(token).flags
    if not asked & NegotiateFlags.unicode:
        raise NtlmError("the client cannot do Unicode")
    # The version goes because it would have to follow, the others because version 2 replaces them.
    flags = asked & ~(NegotiateFlags.oem | NegotiateFlags.lm_key | NegotiateFlags.version)
    flags |= NegotiateFlags.ntlm | NegotiateFlags.request_target | NegotiateFlags.target_type_domain
    target = TargetInfo()
    target[AvId.nb_domain_name] = DOMAIN
    target[AvId.nb_computer_name] = _SERVER
    target[AvId.dns_domain_name] = DNS_DOMAIN
    target[AvId.dns_computer_name] = f"{_SERVER.lower()}.{DNS_DOMAIN}"
    target[AvId.timestamp] = FileTime.now()
    nonce = os.urandom(8)
    message = ChallengeMessage(flags, nonce, target_name=DOMAIN, target_info=target)
    return Challenge(message.pack(), nonce)
