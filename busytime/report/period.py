"""The span of a report, and the columns into which its charts divide it. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

_DAY = timedelta(days=1)
#: Days that one column of a chart stands for, whichever first makes few enough columns.
_STEPS = (1, 7, 28, 364)
MOST_COLUMNS = 31


@dataclass(frozen=True, slots=True)
class Period:
    """The span of a report, and the instant at which it looks.

    Args:
        start: Start of the span.
        end: End of the span, not after ``as_of``.
        as_of: The present instant; what needs attention does so now, whatever the span.
        max_age: How long an answer keeps a calendar known.
    """

    start: datetime
    end: datetime
    as_of: datetime
    max_age: timedelta

    @property
    def step(self) -> timedelta:
        """How long one column of a chart is: a day, or so many whole weeks that the columns stay readable."""
        length = self.end - self.start
        return next(
            (days * _DAY for days in _STEPS if length <= MOST_COLUMNS * days * _DAY), -(-length // (MOST_COLUMNS * _DAY)) * _DAY
        )

    @property
    def columns(self) -> tuple[datetime, ...]:
        """Where the columns begin: at midnights UTC, the first no later than the start."""
        midnight = self.start.replace(hour=0, minute=0, second=0, microsecond=0)
        count = -(-(self.end - midnight) // self.step)
        return tuple(midnight + number * self.step for number in range(count))
