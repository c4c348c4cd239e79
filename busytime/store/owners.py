"""The persons, accounts and actors, by surrogate id."""

from collections.abc import Iterable

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from busytime.store.tables import owners


class OwnerRepository:
    """Gives each address its id; addresses compare in lower case."""

    def __init__(self, connection: Connection) -> None:
        """Work inside the caller's transaction."""
        self._connection = connection

    def ids(self, addresses: Iterable[str]) -> dict[str, int]:
        """Return the id of each address, made where it is new."""
        wanted = sorted({address.lower() for address in addresses})
        if not wanted:
            return {}
        insert = postgresql.insert if self._connection.dialect.name == "postgresql" else sqlite.insert
        statement = insert(owners).on_conflict_do_nothing(index_elements=["address"])
        found: dict[str, int] = {}
        # One that is forgotten between the two statements is made anew.
        while missing := [address for address in wanted if address not in found]:
            self._connection.execute(statement, [{"address": address} for address in missing])
            for start in range(0, len(missing), 500):
                query = select(owners.c.address, owners.c.id).where(owners.c.address.in_(missing[start : start + 500]))
                # Whose id is at hand cannot be forgotten until what is written under it can be seen.
                held = query.with_for_update(read=True, key_share=True)
                found.update((row.address, row.id) for row in self._connection.execute(held))
        return found

    def id(self, address: str) -> int:
        """Return the id of one address, made where it is new."""
        return self.ids([address])[address.lower()]

    def lock(self, owner_id: int) -> None:
        """Let one transaction at a time decide about an account; on SQLite a writer is alone anyway."""
        self._connection.execute(select(owners.c.id).where(owners.c.id == owner_id).with_for_update(key_share=True))

    def find(self, address: str) -> int | None:
        """Return the id of an address, or ``None`` where it is not known; writes nothing."""
        return self._connection.scalar(select(owners.c.id).where(owners.c.address == address.lower()))
