"""The line of one connection's permits, as a process uses it: each call is one short transaction."""

from datetime import timedelta

from busytime.ports import Clock
from busytime.store.unit_of_work import Store


class StoredPermitBook:
    """Stands in the line of a connection for this process."""

    def __init__(self, store: Store, clock: Clock, connection_id: int, most: int, silent: timedelta) -> None:
        """Take the line.

        Args:
            store: The database.
            clock: Tells the time.
            connection_id: The connection.
            most: So many may log on at once.
            silent: After how long without a sign of life a process of another machine is taken for dead.
        """
        self._store = store
        self._clock = clock
        self._connection_id = connection_id
        self._most = most
        self._silent = silent

    def ask(self) -> int:
        """Stand in line, and return the number of the permit."""
        with self._store.write() as unit:
            return unit.permits.ask(self._connection_id, self._store.process, self._clock.now())

    def granted(self, permit: int) -> bool | None:
        """Tell whether a permit is among the first in line; ``None`` where it is no longer in line."""
        now = self._clock.now()
        with self._store.read() as unit:
            before, dead, silent = unit.permits.place(permit, self._store.process, now, self._silent)
        if dead or silent:
            with self._store.write() as unit:
                unit.permits.remove(dead)
                unit.permits.beat(permit, now)
        return None if before is None else before < self._most

    def give_back(self, permits: list[int]) -> None:
        """Leave the line."""
        with self._store.write() as unit:
            unit.permits.leave(permits, self._store.process)
