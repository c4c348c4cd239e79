"""Reading what a caller of the control interface gave, with one clear sentence if it is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

_MISSING = object()


@dataclass(frozen=True, slots=True)
class Fields:
    """The values of one call, and the id from its path."""

    values: dict[str, object]
    id: str = ""

    def text(self, name: str, otherwise: str | None = None) -> str:
        """Return a text; without `otherwise` it must be there and not be empty."""
        value = self.values.get(name)
        if value is None and otherwise is not None:
            return otherwise
        if not isinstance(value, str) or (not value and otherwise is None):
            raise ValueError(f"{name} is missing or not text")
        return value

    def choice(self, name: str, known: tuple[str, ...], otherwise: str | None = None) -> str:
        """Return one of several texts; without `otherwise` it must be there."""
        value = self.text(name, otherwise)
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}")
        return value

    def flag(self, name: str, *, otherwise: bool) -> bool:
        """Return a truth value."""
        value = self.values.get(name, otherwise)
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be true or false")  # noqa: TRY004 (one error for all bad JSON)
        return value

    def time(self, name: str, otherwise: datetime | None = None) -> datetime:
        """Return an aware UTC time."""
        if name not in self.values and otherwise is not None:
            return otherwise
        value = self.text(name)
        try:
            # A plus in a query that was not quoted arrives as a space.
            moment = datetime.fromisoformat(value.replace(" ", "+"))
        except ValueError:
            raise ValueError(f"{name} must be a time like 2026-11-23T09:00:00+00:00") from None
        if moment.tzinfo is None:
            raise ValueError(f"{name} needs an offset, like 2026-11-23T09:00:00+00:00")
        return moment.astimezone(UTC)
