"""Alarms: what stands, what each receiver was told of it, and what it is to be told next. Pure rules.

A receiver's telling is a word on an alarm: that it stands, or that it is over. It follows what stands, no faster than the
rhythm: at once, again after an hour, then daily. An alarm that comes and goes is told less often than it does so.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class AlarmKind(StrEnum):
    """What an alarm is about; `docs/operations.md` has a section for each."""

    BREAKER_OPENED = "breaker_opened"
    PERMISSIONS_LOST = "permissions_lost"
    COVERAGE_TOO_OLD = "coverage_too_old"
    ENTRIES_FAILING = "entries_failing"
    RUN_MISSING = "run_missing"


class Word(StrEnum):
    """What a receiver is told of an alarm."""

    STANDS = "stands"
    OVER = "over"


#: An alarm goes on as the same one if it comes back within so long, and its words are at least so far apart.
HOLD_DOWN = timedelta(minutes=15)
#: So long an alarm has to stand before anybody is told: a machine that was off all night first has to get to work.
PATIENCE = {
    AlarmKind.BREAKER_OPENED: timedelta(0),
    AlarmKind.PERMISSIONS_LOST: timedelta(0),
    AlarmKind.COVERAGE_TOO_OLD: timedelta(minutes=10),
    AlarmKind.ENTRIES_FAILING: timedelta(minutes=5),
    AlarmKind.RUN_MISSING: timedelta(minutes=5),
}
#: After the first, the second, and each further time that a receiver was told that an alarm stands.
REPEATED_AFTER = (timedelta(hours=1), timedelta(days=1))
#: A telling that was claimed and has not come to its end is another's to try after so long.
CLAIM_LASTS = timedelta(minutes=2)
#: It is told again at once when it has become so many times larger.
_WORSE = 2


@dataclass(frozen=True, slots=True)
class Subject:
    """What tells one alarm from another.

    Args:
        kind: What it is about.
        connection_id: The connection that it is about; ``None`` where it is about a flow.
        flow: The flow.
    """

    kind: AlarmKind
    connection_id: int | None = None
    flow: str | None = None


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm that stands now.

    Args:
        subject: What it is about.
        text: What is wrong and what to do next, for a person.
        count: How many calendars, entries or runs are concerned.
    """

    subject: Subject
    text: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class StoredAlarm:
    """An alarm as it is written down.

    Args:
        id: Surrogate key.
        subject: What it is about.
        about: The connection's address, or the flow's name.
        opened_at: When it was first seen.
        over_at: Since when it is over; ``None`` while it stands.
        returns: How often it came back.
        count: How many things were concerned when it last stood.
        told_at: When a receiver was last told of it; ``None`` where none was.
    """

    id: int
    subject: Subject
    about: str
    opened_at: datetime
    over_at: datetime | None = None
    returns: int = 0
    count: int = 1
    told_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Telling:
    """What a receiver was told of an alarm; by default nothing yet.

    Args:
        word: The last word.
        told_at: When that was.
        times: How often it was told that the alarm stands, since it was last told that it is over.
        count: How many things were concerned then.
        claimed_at: When somebody began to tell it the next word.
    """

    word: Word | None = None
    told_at: datetime | None = None
    times: int = 0
    count: int = 0
    claimed_at: datetime | None = None

    def after(self, word: Word, now: datetime, count: int) -> "Telling":
        """Return it as it stands once a word was told."""
        return Telling(word, now, self.times + 1 if word is Word.STANDS else 0, count)


UNTOLD = Telling()


@dataclass(frozen=True, slots=True)
class Changes:
    """How what is written down has to change to say what stands.

    Args:
        opened: Alarms that are new.
        standing: Of alarms that stand on or have come back, how many things are concerned, by their keys.
        over: Keys of alarms that stand no more.
    """

    opened: tuple[Alarm, ...]
    standing: Mapping[int, int]
    over: tuple[int, ...]


def settle(stored: Iterable[StoredAlarm], alarms: Iterable[Alarm]) -> Changes:
    """Compare what stands with what is written down.

    Args:
        stored: Alarms that stood at the last look, or have been over for less than the hold-down.
        alarms: What stands now.
    """
    before = {it.subject: it for it in stored}
    now = {it.subject: it for it in alarms}
    return Changes(
        opened=tuple(alarm for subject, alarm in now.items() if subject not in before),
        standing={before[subject].id: alarm.count for subject, alarm in now.items() if subject in before},
        over=tuple(it.id for subject, it in before.items() if subject not in now and it.over_at is None),
    )


def due(alarm: StoredAlarm, told: Telling, now: datetime) -> Word | None:
    """Return the word that a receiver is to be told of an alarm now, if any."""
    if told.word is None or told.told_at is None:
        waited = now - alarm.opened_at >= PATIENCE[alarm.subject.kind]
        return Word.STANDS if alarm.over_at is None and waited else None
    since_told = now - told.told_at
    if told.word is Word.OVER:
        return Word.STANDS if alarm.over_at is None and since_told >= HOLD_DOWN else None
    if alarm.over_at is not None:
        # One that has come back before may do so again: it has to stay away for a while.
        return Word.OVER if not alarm.returns or now - alarm.over_at >= HOLD_DOWN else None
    worse = alarm.count >= _WORSE * told.count and since_told >= HOLD_DOWN
    return Word.STANDS if worse or since_told >= _pause(told) else None


def _pause(told: Telling) -> timedelta:
    """Return after how long it is told once more that an alarm stands."""
    return REPEATED_AFTER[min(told.times, len(REPEATED_AFTER)) - 1]


@dataclass(frozen=True, slots=True)
class News:
    """A word on one alarm, for one receiver.

    Args:
        alarm: The alarm.
        word: What is to be told of it.
        told: What the receiver was told before.
    """

    alarm: StoredAlarm
    word: Word
    told: Telling

    @property
    def is_new(self) -> bool:
        """Whether the receiver does not know yet that it stands."""
        return self.word is Word.STANDS and self.told.word is not Word.STANDS


def news(alarms: Sequence[StoredAlarm], told: Mapping[int, Telling], now: datetime) -> list[News]:
    """Return what one receiver is to be told now, in one message.

    Args:
        alarms: The alarms that are written down.
        told: What it was told of each, by the alarms' keys.
        now: The present instant.
    """
    free = [(it, telling) for it in alarms if not _is_claimed(telling := told.get(it.id, UNTOLD), now)]
    found = [News(it, word, telling) for it, telling in free if (word := due(it, telling, now)) is not None]
    return found + list(_companions(free, {it.alarm.id for it in found}, now)) if found else []


def _companions(free: Iterable[tuple[StoredAlarm, Telling]], told_anyway: set[int], now: datetime) -> Iterator[News]:
    """Yield what would have to be repeated soon, so that in the end all repetitions fall together."""
    for it, telling in free:
        stands = it.over_at is None and telling.word is Word.STANDS and it.id not in told_anyway
        if stands and telling.told_at is not None and now - telling.told_at >= _pause(telling) / 2:
            yield News(it, Word.STANDS, telling)


def _is_claimed(told: Telling, now: datetime) -> bool:
    return told.claimed_at is not None and abs(now - told.claimed_at) < CLAIM_LASTS
