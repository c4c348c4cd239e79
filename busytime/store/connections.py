"""Connections and the sealed versions of their secrets."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, insert, select, update

from busytime.model import AuthType, Breaker, ConnectionMode, Endpoint
from busytime.store.tables import connections, credentials, owners
from busytime.vault import Sealed


@dataclass(frozen=True, slots=True)
class StoredConnection:
    """A connection as the store knows it.

    Args:
        id: Surrogate key.
        owner_id: Surrogate key of the account.
        endpoint: Where and how it is reached.
        mode: Whom it serves.
        opened_at: Last time at which it was connected.
        breaker: Whether log-ons may pass.
        breaker_changed_at: Since when the breaker stands as it does.
        window_days: Longest window that the server answered, in days, once learnt.
        back_off_until: Until when the server asked to be left alone.
        credential_version: The current version of its secret; ``None`` where there is none.
    """

    id: int
    owner_id: int
    endpoint: Endpoint
    mode: ConnectionMode
    opened_at: datetime
    breaker: Breaker
    breaker_changed_at: datetime
    window_days: int | None
    back_off_until: datetime | None
    credential_version: int | None

    @property
    def email(self) -> str:
        """The account's address."""
        return self.endpoint.email


def _stored(row: Row[Any]) -> StoredConnection:
    return StoredConnection(
        id=row.id,
        owner_id=row.owner_id,
        endpoint=Endpoint(row.address, row.ews_url, AuthType(row.auth_type), row.ca_pem, row.token_url),
        mode=ConnectionMode(row.mode),
        opened_at=row.opened_at,
        breaker=Breaker(row.breaker),
        breaker_changed_at=row.breaker_changed_at,
        window_days=row.window_days,
        back_off_until=row.back_off_until,
        credential_version=row.version,
    )


def secret_identity(connection_id: int, version: int) -> str:
    """Name the row that a sealed secret belongs to; it does not open in another one."""
    return f"credential {connection_id}/{version}"


class ConnectionRepository:
    """Opens connections, keeps their secrets sealed, and moves their breakers."""

    def __init__(self, connection: Connection) -> None:
        """Work inside the caller's transaction."""
        self._connection = connection

    def all_open(self) -> list[StoredConnection]:
        """Return the connections that are not disconnected, the oldest first."""
        return self._find(connections.c.closed_at.is_(None))

    def find(self, connection_id: int) -> StoredConnection | None:
        """Return an open connection; ``None`` once it was disconnected."""
        return next(iter(self._find(connections.c.closed_at.is_(None), connections.c.id == connection_id)), None)

    def _find(self, *conditions: ColumnElement[bool]) -> list[StoredConnection]:
        version = (
            select(func.max(credentials.c.version))
            .where(credentials.c.connection_id == connections.c.id, credentials.c.retired_at.is_(None))
            .scalar_subquery()
        )
        query = (
            select(connections, owners.c.address, version.label("version"))
            .join(owners, owners.c.id == connections.c.owner_id)
            .where(*conditions)
            .order_by(connections.c.id)
        )
        return [_stored(row) for row in self._connection.execute(query)]

    def open(self, owner_id: int, endpoint: Endpoint, mode: ConnectionMode, now: datetime) -> int:
        """Open a connection, or continue the one that this account had, and return its id.

        One that is open stays open since when it was: bookings of that time are pushed as before.
        """
        values = {
            "mode": mode,
            "ews_url": endpoint.ews_url,
            "auth_type": endpoint.auth_type,
            "ca_pem": endpoint.ca_pem,
            "token_url": endpoint.token_url,
            "opened_at": now,
            "closed_at": None,
            "breaker": Breaker.CLOSED,
            "breaker_changed_at": now,
            "window_days": None,
            "back_off_until": None,
            "mailboxes_in_five_minutes": None,
        }
        query = select(connections.c.id, connections.c.closed_at).where(connections.c.owner_id == owner_id)
        existing = self._connection.execute(query).one_or_none()
        if existing is not None:
            if existing.closed_at is None:
                del values["opened_at"]
            self._connection.execute(update(connections).where(connections.c.id == existing.id).values(values))
            return int(existing.id)
        statement = insert(connections).values(owner_id=owner_id, **values).returning(connections.c.id)
        return int(self._connection.execute(statement).scalar_one())

    def close(self, connection_id: int, now: datetime) -> None:
        """End a connection and destroy its secret; its rows stay."""
        self._connection.execute(update(connections).where(connections.c.id == connection_id).values(closed_at=now))
        self._retire(connection_id, now)

    def next_version(self, connection_id: int) -> int:
        """Return the number of the next version of a connection's secret."""
        query = select(func.coalesce(func.max(credentials.c.version), 0)).where(credentials.c.connection_id == connection_id)
        return int(self._connection.execute(query).scalar_one()) + 1

    def store_secret(self, connection_id: int, version: int, sealed: Sealed, actor_id: int, now: datetime) -> None:
        """Store a version of a secret; the ciphertext of the ones before is destroyed, their rows stay."""
        self._retire(connection_id, now)
        self._connection.execute(
            insert(credentials).values(
                connection_id=connection_id,
                version=version,
                key_id=sealed.key_id,
                wrapped_key=sealed.wrapped_key,
                ciphertext=sealed.ciphertext,
                created_at=now,
                actor_id=actor_id,
            )
        )

    def _retire(self, connection_id: int, now: datetime) -> None:
        current = update(credentials).where(credentials.c.connection_id == connection_id, credentials.c.retired_at.is_(None))
        self._connection.execute(current.values(retired_at=now, key_id=None, wrapped_key=None, ciphertext=None))

    def sealed_secret(self, connection_id: int, version: int) -> Sealed | None:
        """Return a version of a secret as it is stored; ``None`` once it is destroyed."""
        query = select(credentials).where(credentials.c.connection_id == connection_id, credentials.c.version == version)
        row = self._connection.execute(query).one_or_none()
        return Sealed(row.key_id, row.wrapped_key, row.ciphertext) if row is not None and row.ciphertext is not None else None

    def set_breaker(self, connection_id: int, breaker: Breaker, now: datetime) -> bool:
        """Move the breaker, and tell whether it stood otherwise before."""
        statement = (
            update(connections)
            .where(connections.c.id == connection_id, connections.c.breaker != breaker)
            .values(breaker=breaker, breaker_changed_at=now)
        )
        return self._connection.execute(statement).rowcount > 0

    def learn_window(self, connection_id: int, days: int) -> None:
        """Keep the longest window that the server answers, in days."""
        self._connection.execute(update(connections).where(connections.c.id == connection_id).values(window_days=days))

    def back_off(self, connection_id: int, until: datetime) -> None:
        """Keep until when the server asked to be left alone; a later instant stays."""
        self._connection.execute(
            update(connections)
            .where(
                connections.c.id == connection_id,
                connections.c.back_off_until.is_(None) | (connections.c.back_off_until < until),
            )
            .values(back_off_until=until)
        )

    def back_off_until(self, connection_id: int) -> datetime | None:
        """Return until when the server asked to be left alone."""
        return self._connection.scalar(select(connections.c.back_off_until).where(connections.c.id == connection_id))
