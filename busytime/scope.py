"""The scope of a run: on which calendars of the roster it works. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

from busytime.errors import ConfigurationError
from busytime.model import Calendar


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several equal parts of a connection's owners, the same on every machine.

    Args:
        index: Which one, from 0.
        count: How many there are.

    Raises:
        ConfigurationError: There is no such part.
    """

    index: int
    count: int

    def __post_init__(self) -> None:
        """Check the numbers."""
        if not 0 <= self.index < self.count:
            raise ConfigurationError(f"There is no shard {self.index} of {self.count}: they count from 0.")

    def __str__(self) -> str:
        """Write it as locks and messages do: ``3/8``."""
        return f"{self.index}/{self.count}"

    def holds(self, owner: str) -> bool:
        """Tell whether an owner, and so all of that owner's calendars, belong to it."""
        return int.from_bytes(blake2b(owner.encode(), digest_size=8).digest()) % self.count == self.index


def shards_of(calendars: int, shard_size: int) -> tuple[Shard, ...]:
    """Cut so many calendars into shards of about ``shard_size``; none where one run reads them all.

    Args:
        calendars: How many there are.
        shard_size: How many a run reads at most.
    """
    count = -(-calendars // shard_size)
    return tuple(Shard(index, count) for index in range(count)) if count > 1 else ()


@dataclass(frozen=True, slots=True)
class Scope:
    """What a run works on; the default is all of the roster.

    Args:
        connection_ids: Only through these connections.
        calendar_ids: Only these calendars.
        shard: Only this part of the owners.
        cut_by: The run that cut the shards.
    """

    connection_ids: frozenset[int] | None = None
    calendar_ids: frozenset[int] | None = None
    shard: Shard | None = None
    cut_by: int | None = None

    def connects(self, connection_id: int | None) -> bool:
        """Tell whether a connection belongs to it; ``None`` stands for having none."""
        return self.connection_ids is None or connection_id in self.connection_ids

    def includes(self, calendar: Calendar) -> bool:
        """Tell whether a calendar belongs to it, whatever connection serves it."""
        if self.calendar_ids is not None and calendar.id not in self.calendar_ids:
            return False
        return self.shard is None or self.shard.holds(calendar.owner)

    def only(self, calendars: Iterable[Calendar]) -> list[Calendar]:
        """Return those of some calendars that belong to it."""
        return [calendar for calendar in calendars if self.includes(calendar)]


#: All of the roster, calendars that no connection serves included.
EVERYTHING = Scope()
