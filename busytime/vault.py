"""Encryption of what must stay secret at rest: envelope encryption with AES-256-GCM.

Each secret has a data key of its own, wrapped by the master key; the identity of the row that holds it is the
associated data of both, so that a ciphertext moved to another row does not open. Destroying the wrapped data key
destroys the secret. It must not know where keys or rows come from.
"""

import base64
import binascii
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from busytime.errors import KeyMissingError

KEY_BYTES = 32
_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class Sealed:
    """A secret as it is stored.

    Args:
        key_id: Name of the master key that wraps the data key.
        wrapped_key: Nonce and wrapped data key.
        ciphertext: Nonce and encrypted secret.
    """

    key_id: str
    wrapped_key: bytes
    ciphertext: bytes


class MasterKey:
    """A master key; its representation never shows it."""

    def __init__(self, key: bytes) -> None:
        """Take 32 random bytes.

        Raises:
            KeyMissingError: They are not 32.
        """
        if len(key) != KEY_BYTES:
            raise KeyMissingError(f"A master key has {KEY_BYTES} bytes, this one has {len(key)}.")
        self._key = key
        self.key_id = hashlib.sha256(b"busytime key id" + key).hexdigest()[:12]

    @classmethod
    def generate(cls) -> "MasterKey":
        """Return a new random key."""
        return cls(os.urandom(KEY_BYTES))

    @classmethod
    def from_text(cls, text: str) -> "MasterKey":
        """Read a key from URL-safe base64 text.

        Raises:
            KeyMissingError: The text is not such a key; it is not repeated.
        """
        try:
            key = base64.b64decode(text.strip().encode("ascii"), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise KeyMissingError("The master key is not base64 text; restore the key file or BUSYTIME_KEY.") from None
        return cls(key)

    def to_text(self) -> str:
        """Return the key as URL-safe base64 text, for the key file."""
        return base64.urlsafe_b64encode(self._key).decode("ascii")

    def encrypt(self, plaintext: bytes, identity: str) -> bytes:
        """Encrypt with a fresh nonce, which stands before the ciphertext."""
        return _encrypt(self._key, plaintext, identity)

    def decrypt(self, ciphertext: bytes, identity: str) -> bytes:
        """Decrypt what `encrypt` returned for the same identity.

        Raises:
            KeyMissingError: Wrong key, other identity, or a changed ciphertext.
        """
        return _decrypt(self._key, ciphertext, identity)


class Vault:
    """Seals and opens secrets with one or several master keys; the first one seals."""

    def __init__(self, keys: Sequence[MasterKey]) -> None:
        """Take the keys, the active one first."""
        self._active = keys[0]
        self._keys = {key.key_id: key for key in keys}

    @property
    def key_id(self) -> str:
        """Name of the key that seals."""
        return self._active.key_id

    def seal(self, plaintext: bytes, identity: str) -> Sealed:
        """Encrypt a secret for the row of this identity."""
        data_key = os.urandom(KEY_BYTES)
        return Sealed(self._active.key_id, self.wrap(data_key, identity), _encrypt(data_key, plaintext, identity))

    def open(self, sealed: Sealed, identity: str) -> bytes:
        """Decrypt a secret.

        Raises:
            KeyMissingError: The key is not the one that sealed it, or the row is not the one it was sealed for.
        """
        return _decrypt(self.unwrap(sealed.key_id, sealed.wrapped_key, identity), sealed.ciphertext, identity)

    def wrap(self, data_key: bytes, identity: str) -> bytes:
        """Encrypt a data key with the active master key."""
        return self._active.encrypt(data_key, f"key of {identity}")

    def unwrap(self, key_id: str, wrapped: bytes, identity: str) -> bytes:
        """Decrypt a data key with the master key of this name.

        Raises:
            KeyMissingError: There is no such key here, or it does not fit.
        """
        key = self._keys.get(key_id)
        if key is None:
            raise KeyMissingError(
                f"The key {key_id} that sealed the stored secrets is not here (there is {self.key_id}): "
                "restore the key file, or set BUSYTIME_KEY or BUSYTIME_KEY_FILE to it. Nothing was changed."
            )
        return key.decrypt(wrapped, f"key of {identity}")


def _encrypt(key: bytes, plaintext: bytes, identity: str) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, identity.encode())


def _decrypt(key: bytes, ciphertext: bytes, identity: str) -> bytes:
    try:
        return AESGCM(key).decrypt(ciphertext[:_NONCE_BYTES], ciphertext[_NONCE_BYTES:], identity.encode())
    except (InvalidTag, ValueError):
        raise KeyMissingError(
            "A stored secret does not open with this key: it was sealed by another key or for another row. "
            "Restore the right key; nothing was changed."
        ) from None
