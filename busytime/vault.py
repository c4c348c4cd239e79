"""Encryption of what must stay secret at rest: envelope encryption with AES-256-GCM.

Each secret has a data key of its own, wrapped by the master key; the identity of the row that holds it is the
associated data of both, so that a ciphertext moved to another row does not open. Destroying the wrapped data key
destroys the secret. It must not know where keys or rows come from. Nothing that holds a key shows it or can be pickled.
"""

import base64
import binascii
import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

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
    wrapped_key: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)


class _StaysHere:
    """What holds a key: it shows its class and no more, and does not leave the process."""

    def __repr__(self) -> str:
        """Show that it is there, and nothing of it."""
        return f"{type(self).__name__}(***)"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied.

        Raises:
            TypeError: Always.
        """
        msg = f"A {type(self).__name__} holds a key and does not leave its process."
        raise TypeError(msg)


class MasterKey(_StaysHere):
    """A master key, named by a part of its hash."""

    def __init__(self, key: bytes) -> None:
        """Take 32 random bytes.

        Raises:
            KeyMissingError: They are not 32.
        """
        if len(key) != KEY_BYTES:
            raise KeyMissingError(f"A master key has {KEY_BYTES} bytes, this one has {len(key)}: restore the key.")
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
            raise KeyMissingError("A master key is not base64 text: restore the key.") from None
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


class Vault(_StaysHere):
    """Seals and opens secrets with one or several master keys; the first one seals."""

    def __init__(self, keys: Sequence[MasterKey], reload: Callable[[], Sequence[MasterKey]] | None = None) -> None:
        """Take the keys, the active one first.

        Args:
            keys: One at least.
            reload: Reads the keys anew. It is asked when an unknown key is named: a rotation in another process may have
                brought it since this one began.
        """
        self._active = keys[0]
        self._keys = {key.key_id: key for key in keys}
        self._reload = reload

    @property
    def key_id(self) -> str:
        """Name of the key that seals."""
        return self._active.key_id

    def seal(self, plaintext: bytes, identity: str, key_id: str | None = None) -> Sealed:
        """Encrypt a secret for the row of this identity.

        Args:
            plaintext: The secret.
            identity: Names the row.
            key_id: The master key that the database is under; default: the active one.

        Raises:
            KeyMissingError: There is no such key here.
        """
        key = self._active if key_id is None else self._key(key_id)
        data_key = os.urandom(KEY_BYTES)
        return Sealed(key.key_id, key.encrypt(data_key, _wrapping(identity)), _encrypt(data_key, plaintext, identity))

    def open(self, sealed: Sealed, identity: str) -> bytes:
        """Decrypt a secret.

        Raises:
            KeyMissingError: The key is not the one that sealed it, or the row is not the one it was sealed for.
        """
        return _decrypt(self.unwrap(sealed.key_id, sealed.wrapped_key, identity), sealed.ciphertext, identity)

    def wrap(self, data_key: bytes, identity: str) -> bytes:
        """Encrypt a data key with the active master key."""
        return self._active.encrypt(data_key, _wrapping(identity))

    def unwrap(self, key_id: str, wrapped: bytes, identity: str) -> bytes:
        """Decrypt a data key with the master key of this name.

        Raises:
            KeyMissingError: There is no such key here, or it does not fit.
        """
        return self._key(key_id).decrypt(wrapped, _wrapping(identity))

    def _key(self, key_id: str) -> MasterKey:
        if key_id not in self._keys and self._reload is not None:
            keys = self._reload()
            # The ones from before stay: another thread may hold a row that it read before the rotation.
            self._active, self._keys = keys[0], self._keys | {key.key_id: key for key in keys}
        key = self._keys.get(key_id)
        if key is None:
            raise KeyMissingError(
                f"The key {key_id} that sealed the stored secrets is not here (there is {', '.join(self._keys)}): "
                "restore the key file, or set BUSYTIME_KEY or BUSYTIME_KEY_FILE to it. Nothing was changed."
            )
        return key


def _wrapping(identity: str) -> str:
    """Name what a wrapped data key belongs to: it opens neither in another row nor as a secret."""
    return f"key of {identity}"


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
