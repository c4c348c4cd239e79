"""Reading busy time: what to ask of a gateway, in what pieces, until each calendar has an answer or a reason.

One ill mailbox must not cost the others their answer; a window longer than the server allows, or fuller than it
tells, is asked in smaller pieces. Decides nothing about what is stored.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from busytime.errors import (
    FolderNotFoundError,
    Reason,
    RetriableError,
    SkippableError,
    SpoiltAnswerError,
    WindowTooLargeError,
)
from busytime.intervals import join_parts
from busytime.locating import look_up
from busytime.model import BusyAnswer, BusyTime, Calendar, CalendarKind, Interval, Unanswered, Window
from busytime.ports import CalendarGateway, Clock

#: Documented longest availability windows, in days, of Exchange Online and by default; tried first when a longer one is refused.
DOCUMENTED_WINDOW_DAYS = (62, 42)
#: The shortest window that is worth asking for.
SHORTEST_WINDOW = timedelta(hours=1)
#: One ill mailbox among 100 spoils seven requests on the way to it; so many may be spoilt in a batch.
SPOILT_REQUESTS = 24


@dataclass(frozen=True, slots=True)
class Reading:
    """What a batch of calendars answered.

    Args:
        asked_at: When the first request was sent; every answer is at least as new.
        answers: Busy time or a reason for each calendar, by its surrogate key.
        window_days: Longest window that the server answered, in days, where that was learnt.
        folder_ids: The server's ids of folders that were looked up, by the calendar's surrogate key.
    """

    asked_at: datetime
    answers: Mapping[int, BusyAnswer]
    window_days: int | None = None
    folder_ids: Mapping[int, str] = field(default_factory=dict)


def read_batch(
    gateway: CalendarGateway,
    calendars: Sequence[Calendar],
    window: Window,
    *,
    clock: Clock,
    window_days: int | None,
    deadline: timedelta,
) -> Reading:
    """Read the busy time of some calendars of one connection.

    Args:
        gateway: The server, through that connection.
        calendars: At most 100.
        window: What to read.
        clock: Tells the time.
        window_days: Longest availability window that the server is known to answer, in days.
        deadline: When it is over, the calendars that are left go without an answer.

    Raises:
        RetriableError: The server as a whole gave no answer; nothing is known of any calendar.
        FatalError: No further request makes sense.
    """
    reader = _Reader(gateway, clock, clock.now() + deadline, window_days)
    asked_at = clock.now()
    default = [calendar for calendar in calendars if calendar.kind is CalendarKind.DEFAULT]
    answers: dict[int, BusyAnswer] = {}
    if default:
        found = reader.availability([calendar.owner for calendar in default], window)
        answers.update((calendar.id, answer) for calendar, answer in zip(default, found, strict=True))
    for calendar in calendars:
        if calendar.kind is not CalendarKind.DEFAULT:
            answers[calendar.id] = reader.folder(calendar, window)
    if reader.last_error is not None and all(_silent(answer) for answer in answers.values()):
        raise reader.last_error
    learnt = reader.window_days if reader.window_days != window_days else None
    return Reading(asked_at, answers, learnt, reader.folder_ids)


def _silent(answer: BusyAnswer) -> bool:
    return isinstance(answer, Unanswered) and not answer.reason.definite


class _Reader:
    """Asks one batch's questions, and keeps what it learns on the way."""

    def __init__(self, gateway: CalendarGateway, clock: Clock, ends_at: datetime, window_days: int | None) -> None:
        self._gateway = gateway
        self._clock = clock
        self._ends_at = ends_at
        self._spoilt_left = SPOILT_REQUESTS
        self.window_days = window_days
        self.folder_ids: dict[int, str] = {}
        self.last_error: RetriableError | None = None

    def availability(self, owners: Sequence[str], window: Window) -> list[BusyAnswer]:
        """Read default calendars, in windows that the server allows."""
        days = self.window_days
        parts = list(window.split(days)) if days else [window]
        answered = [(part, self._ask(owners, part)) for part in parts]
        if any(_reason(answer) is Reason.WINDOW_TOO_LONG for _, answers in answered for answer in answers):
            shorter = _shorter(parts[0])
            if shorter is not None:
                self.window_days = shorter
                return self.availability(owners, window)
        return [self._joined(owner, [(part, answers[place]) for part, answers in answered]) for place, owner in enumerate(owners)]

    def _ask(self, owners: Sequence[str], window: Window) -> list[BusyAnswer]:
        """Ask once; where the answer is spoilt, ask the halves, until the ill mailbox stands alone."""
        if self._clock.now() >= self._ends_at:
            return [Unanswered(Reason.TIMED_OUT)] * len(owners)
        try:
            return self._gateway.read_availability(owners, window)
        except SpoiltAnswerError as error:
            self._spoilt_left -= 1
            self.last_error = error
            if len(owners) == 1 or self._spoilt_left <= 0:
                return [Unanswered(error.reason, error.detail)] * len(owners)
        middle = len(owners) // 2
        return [*self._ask(owners[:middle], window), *self._ask(owners[middle:], window)]

    def _joined(self, owner: str, parts: Sequence[tuple[Window, BusyAnswer]]) -> BusyAnswer:
        """Join one owner's parts; a part that is fuller than the server tells is asked again in halves."""
        pieces: list[tuple[Window, Iterable[Interval]]] = []
        for part, answer in parts:
            if _reason(answer) is Reason.TOO_MANY_APPOINTMENTS and part.length > SHORTEST_WINDOW:
                halves = [(half, self._ask([owner], half)[0]) for half in part.halves()]
                answer = self._joined(owner, halves)  # noqa: PLW2901 -- the part's answer, made of its halves'
            if isinstance(answer, Unanswered):
                return answer
            pieces.append((part, answer.intervals))
        return _busy_time(pieces)

    def folder(self, calendar: Calendar, window: Window) -> BusyAnswer:
        """Read one folder by its id; an id that is unknown, or no longer there, is looked up by the path."""
        try:
            if calendar.folder_id is not None:
                try:
                    return self._view(calendar.folder_id, window)
                except FolderNotFoundError:
                    pass  # made anew under the same path, perhaps
            folder_id = self._look_up(calendar)
            answer = self._view(folder_id, window)
        except (SkippableError, SpoiltAnswerError) as error:
            if isinstance(error, SpoiltAnswerError):
                self.last_error = error
            return Unanswered(error.reason, error.detail)
        if folder_id != calendar.folder_id:
            self.folder_ids[calendar.id] = folder_id
        return answer

    def _look_up(self, calendar: Calendar) -> str:
        self._check_time()
        return look_up(self._gateway, calendar)

    def _view(self, folder_id: str, window: Window) -> BusyAnswer:
        self._check_time()
        try:
            return _busy_time([(window, self._gateway.read_calendar_view(folder_id, window))])
        except WindowTooLargeError:
            if window.length <= SHORTEST_WINDOW:
                raise
        pieces: list[tuple[Window, Iterable[Interval]]] = []
        for half in window.halves():
            answer = self._view(folder_id, half)
            if isinstance(answer, Unanswered):
                return answer
            pieces.append((half, answer.intervals))
        return _busy_time(pieces)

    def _check_time(self) -> None:
        if self._clock.now() >= self._ends_at:
            raise SpoiltAnswerError("The batch's deadline is over.", reason=Reason.TIMED_OUT)


def _reason(answer: BusyAnswer) -> Reason | None:
    return answer.reason if isinstance(answer, Unanswered) else None


def _shorter(window: Window) -> int | None:
    """Return the next shorter length to try, in days, after a window was refused; ``None`` when none is left."""
    days = -(-window.length // timedelta(days=1))
    documented = (length for length in DOCUMENTED_WINDOW_DAYS if length < days)
    return next(documented, days // 2) or None


def _busy_time(pieces: Sequence[tuple[Window, Iterable[Interval]]]) -> BusyTime:
    """Join the answers for consecutive windows to one; what one window answered stays as it was answered."""
    if len(pieces) == 1:
        return BusyTime(tuple(pieces[0][1]))
    return BusyTime(tuple(interval for interval, count in join_parts(pieces).items() for _ in range(count)))
