"""What history has to say: what was current after each batch, kept beside the tables and without their rows.

It knows answers, verdicts and instants. It knows nothing of rows that are opened, closed or moved in place.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

from busytime.errors import Reason
from busytime.intervals import count_in_window
from busytime.model import Unanswered, Window
from busytime.permissions import Need, Verdict
from tests.unit.moments import MAX_AGE

DENIED = {Verdict.MISSING, Verdict.INSUFFICIENT, Verdict.PENDING}


@dataclass(frozen=True)
class Word:
    """What was said last of a span of a calendar; without a reason it is covered."""

    window: Window
    reason: Reason | None
    detail: str | None
    as_of: datetime

    def fresh(self, now):
        return abs(now - self.as_of) <= MAX_AGE

    @property
    def state(self):
        return "unknown" if self.reason else "covered"


@dataclass(frozen=True)
class Moment:
    """What was current from an instant on: of busy time and verdicts by what they are about, of coverage one a calendar's part.

    ``given``: whether the instant was given out to a batch; another batch changed nothing but `as_of`.
    """

    time: datetime
    given: bool
    busy: dict
    verdicts: dict
    words: list

    def coverage(self, instant):
        return Counter((calendar, *told(word.state, word.reason, word.as_of, instant)) for calendar, word in self.words)


def told(state, reason, as_of, instant):
    """State, reason and known of a row of coverage at an instant, as the docs tell readers to judge it."""
    return state, reason, state == "covered" and instant <= as_of + MAX_AGE


def different(found, expected):
    """Return what two mappings do not have in common: they are too long to be shown whole."""
    return {it: (found.get(it), expected.get(it)) for it in found.keys() | expected.keys() if found.get(it) != expected.get(it)}


class Ledger:
    """The model. Its batches are given in the order in which they committed."""

    def __init__(self):
        self.busy = defaultdict(Counter)
        self.words = defaultdict(list)
        self.verdicts = {}
        self.moments = []

    def answer(self, calendar, window, answer, asked_at):
        """Take a calendar's answer for a window, or that it gave none."""
        if not isinstance(answer, Unanswered):
            stays = {it: count for it, count in self.busy[calendar].items() if not window.overlaps(it[0], it[1])}
            self.busy[calendar] = Counter(stays) + Counter(count_in_window(answer.intervals, window))
            self._speak(calendar, Word(window, None, None, asked_at))
        elif answer.reason.definite:
            self._speak(calendar, Word(window, answer.reason, answer.detail, asked_at))
        else:
            self._be_silent(calendar, window, answer, asked_at)

    def conclude(self, calendar, need, conclusion, now):
        """Take a verdict; one on reading that says that there is no right makes unknown what was covered."""
        if conclusion.verdict is not Verdict.UNREACHABLE or (calendar, need) not in self.verdicts:
            self.verdicts[calendar, need] = (conclusion.verdict, conclusion.observed, conclusion.reason)
        covered = [word.window for word in self.words[calendar] if not word.reason]
        if need is Need.READ and conclusion.verdict in DENIED and covered:
            reason = conclusion.reason if conclusion.reason and conclusion.reason.definite else Reason.NO_ACCESS
            whole = Window(min(it.start for it in covered), max(it.end for it in covered))
            self._speak(calendar, Word(whole, reason, conclusion.detail, now))

    def forget_needs(self, wanted):
        """Drop the verdicts that nobody asks for any more."""
        self.verdicts = {place: it for place, it in self.verdicts.items() if place in wanted}

    def _speak(self, calendar, word):
        """What is said counts over the whole window; older words keep what lies outside, is not over and not outdated."""
        kept, now = [], word.as_of
        for old in self.words[calendar]:
            if not word.window.overlaps(old.window.start, old.window.end):
                kept.append(old)
            elif old.reason or old.fresh(now):
                sides = ((old.window.start, word.window.start), (word.window.end, old.window.end))
                kept += [replace(old, window=Window(*side)) for side in sides if side[0] < side[1] and side[1] > now]
        self.words[calendar] = [*kept, word]

    def _be_silent(self, calendar, window, silence, now):
        """A definite word outlasts silence, and an answer does until it is too old; an older silence gives way to a new one."""
        words = self.words[calendar]
        if not any(window.overlaps(it.window.start, it.window.end) for it in words):
            words.append(Word(window, silence.reason, silence.detail, now))
        for place, word in enumerate(words):
            lasts = word.reason.definite if word.reason else word.fresh(now)
            if window.overlaps(word.window.start, word.window.end) and not lasts:
                words[place] = replace(word, reason=silence.reason, detail=silence.detail)

    def commit(self, time, *, given):
        """Note what is current now. A clock that was set back comes by some instants twice; the second time counts."""
        while self.moments and not self.moments[-1].given and self.moments[-1].time >= time:
            self.moments.pop()
        busy = {(key, *it): count for key, its in self.busy.items() for it, count in its.items()}
        words = [(key, word) for key, its in self.words.items() for word in its]
        self.moments.append(Moment(time, given, busy, dict(self.verdicts), words))

    def current_coverage(self):
        """Return what is covered now and what is not, with windows and ages."""
        words = ((key, word) for key, its in self.words.items() for word in its)
        return Counter((key, it.window.start, it.window.end, it.state, it.reason, it.detail, it.as_of) for key, it in words)

    def at(self, instant):
        """Return what was current at an instant: right after its batch, if one got it."""
        past = [moment for moment in self.moments if moment.time <= instant]
        return next((moment for moment in past if moment.given and moment.time == instant), past[-1])

    def spans(self, kind):
        """Return from when until when each fact of a kind was current, with its value; ``None`` = still."""
        spans = defaultdict(list)
        for before, after in pairwise([None, *self.moments]):
            old, new = getattr(before, kind, {}), getattr(after, kind)
            for fact in old.keys() | new.keys():
                if old.get(fact) != new.get(fact):
                    if fact in old:
                        spans[fact][-1] = (*spans[fact][-1][:2], after.time)
                    if fact in new:
                        spans[fact].append((new[fact], after.time, None))
        return dict(spans)
