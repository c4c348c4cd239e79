"""The wrapped keys: which master key the database is under, and wrapping all of them by another one.

All of them are under one master key, `installation.audit_key_id`: a rotation moves them in one transaction, and
whoever stores a secret asks here which key to seal it with.
"""

from sqlalchemy import Connection, select, text, update

from busytime.errors import KeyMissingError
from busytime.store.connections import secret_identity
from busytime.store.tables import credentials, installation
from busytime.vault import Vault

#: What the audit chain's wrapped key belongs to.
AUDIT_KEY = "audit key"
#: Number of PostgreSQL's lock for rotations; any that no other program uses.
_ROTATION_LOCK = 0x6B657973


class KeyRepository:
    """Reads and re-wraps the data keys of credentials and the audit chain's key."""

    def __init__(self, connection: Connection) -> None:
        """Work inside the caller's transaction."""
        self._connection = connection

    def active_id(self) -> str:
        """Return the name of the master key that a secret has to be sealed with; no rotation passes until the commit.

        Ask before any row of a credential is touched: a rotation waits for those in the other order.
        """
        self._lock("pg_advisory_xact_lock_shared")
        return str(self._connection.execute(select(installation.c.audit_key_id)).scalar_one())

    def used_ids(self, vault: Vault) -> frozenset[str]:
        """Return the names of the master keys that wrap anything, once each wrapped key has been opened.

        Raises:
            KeyMissingError: One does not open.
        """
        wrapped = self._wrapped()
        for _row_id, key_id, wrapped_key, identity in wrapped:
            _unwrap(vault, key_id, wrapped_key, identity)
        return frozenset(key_id for _row_id, key_id, _wrapped_key, _identity in wrapped)

    def rewrap(self, vault: Vault) -> int:
        """Wrap every key by the vault's active master key, and return how many were under another one.

        Raises:
            KeyMissingError: One does not open; the transaction is not to be committed.
        """
        if self._connection.dialect.name == "postgresql":
            self._connection.execute(text("SET LOCAL synchronous_commit TO on"))
        self._lock("pg_advisory_xact_lock")
        # Rows in the order in which others take them too: a credential's first, then the one that all events queue for.
        for rows in (credentials, installation):
            self._connection.execute(select(rows.c.id).order_by(rows.c.id).with_for_update())
        stale = [found for found in self._wrapped() if found[1] != vault.key_id]
        for row_id, key_id, wrapped_key, identity in stale:
            wrapped = vault.wrap(_unwrap(vault, key_id, wrapped_key, identity), identity)
            if row_id is None:
                self._connection.execute(update(installation).values(audit_key_id=vault.key_id, audit_key=wrapped))
            else:
                row = update(credentials).where(credentials.c.id == row_id)
                self._connection.execute(row.values(key_id=vault.key_id, wrapped_key=wrapped))
        return len(stale)

    def _wrapped(self) -> list[tuple[int | None, str, bytes, str]]:
        """Return every wrapped key: its credential's id, its master key's name, itself, and what it belongs to."""
        chain = self._connection.execute(select(installation.c.audit_key_id, installation.c.audit_key)).one()
        query = select(credentials).where(credentials.c.wrapped_key.is_not(None)).order_by(credentials.c.id)
        return [
            (None, chain.audit_key_id, chain.audit_key, AUDIT_KEY),
            *(
                (row.id, row.key_id, row.wrapped_key, secret_identity(row.connection_id, row.version))
                for row in self._connection.execute(query)
            ),
        ]

    def _lock(self, function: str) -> None:
        if self._connection.dialect.name == "postgresql":  # on SQLite the writing transaction itself is the lock
            self._connection.execute(text(f"SELECT {function}({_ROTATION_LOCK})"))


def _unwrap(vault: Vault, key_id: str, wrapped_key: bytes, identity: str) -> bytes:
    try:
        return vault.unwrap(key_id, wrapped_key, identity)
    except KeyMissingError as error:
        raise KeyMissingError(f"The key of {identity} does not open. {error}") from None
