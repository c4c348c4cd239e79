"""The answers to the twenty questions, worked out from the diary in plain Python: no SQL, no table, none of the core's rules."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from math import ceil
from typing import Any

from busytime.bookings import ChangeKind
from busytime.errors import Reason
from busytime.model import BusyTime, LogonAnswer, Outcome, RunStatus
from busytime.permissions import Verdict
from tests.questions import pushes, world
from tests.questions.document import Row
from tests.questions.pushes import Pushed
from tests.questions.world import ADMIN, ANA, BO, CORPORATE, PLACES, Diary, Place

MAX_AGE = timedelta(minutes=30)
#: Words that end what was known at once, as the dictionary says.
AT_ONCE = {Reason.NO_ACCESS, Reason.NO_DATA, Reason.ENDS_BEFORE_START}
Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Episode:
    """For how long one word on a calendar stood: from its first to its last harvest."""

    since: datetime
    run: int
    word: Reason | None
    answered_at: datetime


class Truth:
    """What really happened, asked as the questions ask."""

    def __init__(self, diary: Diary) -> None:
        self._diary = diary
        self._runs = {run: (flow, at) for run, flow, at, _, _ in diary.runs}

    def answer(self, number: int, values: Values) -> list[Row]:
        """Return the rows of one question."""
        return list(getattr(self, f"q{number}")(values))

    # -- what was known

    def _episodes(self, place: Place, until: datetime | None = None) -> list[Episode]:
        told: list[Episode] = []
        good = None
        for at, run, answer in self._diary.answers[place]:
            if until is not None and at > until:
                break
            before = told[-1] if told else None
            if isinstance(answer, BusyTime):
                fresh = before is not None and before.word is None and at - before.answered_at <= MAX_AGE
                told[-1 if fresh else len(told) :] = [
                    Episode(before.since, before.run, None, at) if fresh and before else Episode(at, run, None, at)
                ]
                good = at
            elif before is None or (before.word != answer.reason and (answer.reason in AT_ONCE or _over(good, at))):
                told.append(Episode(at, run, answer.reason, good or at))
        return told

    def _known(self, place: Place, at: datetime, fresh_since: datetime) -> bool:
        told = self._episodes(place, at)
        return bool(told) and told[-1].word is None and told[-1].answered_at >= fresh_since

    def q1(self, values: Values) -> list[Row]:
        rows: list[Row] = []
        for place in _there(values["at"]):
            last = self._episodes(place)[-1]
            if last.word is not None:
                rows.append((*place, last.word, None, last.since))
            elif values["at"] - last.answered_at > MAX_AGE:
                rows.append((*place, "outdated", None, last.answered_at))
        return sorted(rows, key=lambda row: (row[-1], row[:2]))

    def q4(self, values: Values) -> list[Row]:
        rows: list[Row] = []
        for place in _there(values["at"]):
            known = self._known(place, values["at"], values["fresh_since"])
            told = self._episodes(place, values["at"])
            ends = [later.since for later in told[1:]] + [values["at"]]
            good = [it.answered_at for it, end in zip(told, ends, strict=True) if it.word is None and end > values["from"]]
            rows.append((*place, "known" if known else "not known", None if known or not good else good[-1]))
        return sorted(rows, key=lambda row: (row[2] == "known", row[:2]))

    def q5(self, values: Values) -> Iterator[Row]:
        day = values["from"]
        while day < values["to"]:
            minutes = (day + timedelta(minutes=minute) for minute in range(1440))
            stood = [(place, at) for at in minutes if at >= world.MONDAY for place in _there(at)]
            known = sum(self._known(place, at, at - MAX_AGE + timedelta(minutes=1)) for place, at in stood)
            yield day, len({place for place, _ in stood}), round(100 * known / len(stood), 1)
            day += timedelta(days=1)

    def q6(self, values: Values) -> list[Row]:
        rows = []
        for place in PLACES:
            if place[0] == values["owner"]:
                _, _, last = [it for it in self._diary.good(place) if it[0] <= values["at"]][-1]
                word = "known" if self._known(place, values["at"], values["fresh_since"]) else "not known"
                seen = ((it, count) for it, count in last.items() if it[1] > values["from"] and it[0] < values["to"])
                rows += [(place[1], start, end, status, count, word) for (start, end, status), count in seen]
        return sorted(rows, key=lambda row: (row[1], row[2], row[0], row[3]))

    def q7(self, values: Values) -> Iterator[Row]:
        busy: dict[tuple[str, int], set[datetime]] = defaultdict(set)
        for place in PLACES:
            for start, end, _ in self._diary.good(place)[-1][2]:
                for minute in range(int((end - start).total_seconds()) // 60):
                    at = start + timedelta(minutes=minute)
                    if _in(at, values):
                        busy[place[0], (at - values["from"]).days // 7].add(at)
        for (owner, week), minutes in sorted(busy.items()):
            yield owner, values["from"] + timedelta(days=7 * week), round(len(minutes) / 60, 2)

    def q16(self, values: Values) -> list[Row]:
        rows = []
        for place in PLACES:
            told = [it for it in self._episodes(place) if it.word and _in(it.since, values)]
            if told:
                rows.append((*place, len(told), len({it.word for it in told}), told[-1].since))
        return sorted(rows, key=lambda row: (-row[2], row[:2]))

    # -- rights

    def q2(self, _: Values) -> Iterator[Row]:
        last = {(owner, need): (at, verdict, reason) for at, owner, need, verdict, reason in world.VERDICTS}
        for (owner, need), (at, verdict, reason) in sorted(last.items(), key=lambda it: it[1][0]):
            if verdict is not Verdict.GRANTED:
                required = {"read": "FreeBusyTimeOnly", "write": "Editor"}[need]
                yield owner, "", need, required, "None", verdict, reason, at

    def q3(self, values: Values) -> Iterator[Row]:
        last: dict[tuple[str, str], str] = {}
        for at, owner, need, verdict, reason in world.VERDICTS:
            before, last[owner, need] = last.get((owner, need)), verdict
            if before not in {None, verdict} and _in(at, values):
                yield at, owner, "", need, before, verdict, reason

    # -- runs

    def _written(self, run: int) -> Counter[tuple[str, str, str, str]]:
        """Count what a run wrote, by history, calendar and whether it opened or closed."""
        written: Counter[tuple[str, str, str, str]] = Counter()
        for place in PLACES:
            good = [(0, Counter()), *((number, intervals) for _, number, intervals in self._diary.good(place))]
            for (_, before), (number, after) in pairwise(good):
                if number == run:
                    written["busy time", *place, "opened"] += len(after.items() - before.items())
                    written["busy time", *place, "closed"] += len(before.items() - after.items())
            for before, episode in pairwise([None, *self._episodes(place)]):
                if episode and episode.run == run:
                    written["coverage", *place, "opened"] += 1
                    written["coverage", *place, "closed"] += before is not None
        return written + self._judged(run)

    def _judged(self, run: int) -> Counter[tuple[str, str, str, str]]:
        """Count the verdicts that a validation opened and closed."""
        written: Counter[tuple[str, str, str, str]] = Counter()
        judged = set()
        for at, owner, need, _, _ in world.VERDICTS:
            if ("validate_delegation", at) == self._runs[run]:
                written["permissions", owner, "", "opened"] += 1
                written["permissions", owner, "", "closed"] += (owner, need) in judged
            judged.add((owner, need))
        return written

    def q12(self, values: Values) -> Iterator[Row]:
        for run, flow, at, status, reason in self._diary.runs:
            if status in {RunStatus.REFUSED, RunStatus.CRASHED} and _in(at, values):
                yield run, flow, status, reason, "schedule", "scheduler@host", at, at

    def q13(self, values: Values) -> Iterator[Row]:
        for wanted in (RunStatus.COMPLETED, RunStatus.COMPLETED_WITH_FAILURES):
            found = [run for run, flow, at, status, _ in self._diary.runs if (flow, status) == ("harvest_busy_time", wanted)]
            ids = [run for run in found if _in(self._runs[run][1], values)]
            if ids:
                yield wanted, len(ids), sum(not self._written(run).total() for run in ids)

    def q14(self, values: Values) -> Iterator[Row]:
        written = self._written(values["run"])
        for history, *place in sorted({key[:3] for key, count in written.items() if count}):
            yield history, *place, written[history, *place, "opened"], written[history, *place, "closed"]

    def q15(self, values: Values) -> Iterator[Row]:
        found = [step for at, step in self._diary.steps if _in(at, values)]
        for name in {it.step for it in found}:
            took = sorted(it.duration_ms for it in found if it.step == name)
            failed = sum(it.step == name and it.outcome is Outcome.FAILED for it in found)
            yield name, len(took), failed, _share(took, 50), _share(took, 95), took[-1]

    # -- bookings

    def q8(self, values: Values) -> list[Row]:
        moved = {pushes.MOVED: "moved_by_owner", pushes.REMOVED: "removed_by_owner"}.get(values["booking_key"])
        last: dict[str, Pushed] = {}
        for it in self._diary.pushed:
            if it.key == values["booking_key"] and it.finished_at <= values["at"] and it.outcome is Outcome.APPLIED:
                last[it.owner] = it
        rows = []
        for owner, it in sorted(last.items()):
            did = moved if owner == ANA and values["at"] >= world.hour(25, 9, 5) else None
            there = it.kind is not ChangeKind.CANCEL and did != "removed_by_owner"
            rows.append((owner, "", it.kind, it.finished_at, it.window.start, did, "yes" if there else "no"))
        return rows

    def q9(self, values: Values) -> Iterator[Row]:
        for key, (_, state, reason) in pushes.TROUBLE.items():
            for owner in (ANA, BO):
                last = [it for it in self._diary.pushed if (it.key, it.owner) == (key, owner)][-1]
                if last.window.end > values["at"]:
                    yield key, owner, "", state, reason, last.window.start, last.finished_at
        if pushes.slot(1012).end > values["at"]:
            yield "BK-1012", None, None, None, None, pushes.slot(1012).start, world.hour(25, 15, 3)

    def q10(self, values: Values) -> Iterator[Row]:
        newest = {it.key: it.revision for it in self._diary.pushed}
        for owner in (ANA, BO):
            took: dict[str, int] = {}
            for it in self._diary.pushed:
                good = it.outcome is Outcome.APPLIED and it.kind is not ChangeKind.CANCEL and it.key != pushes.UNVERIFIED
                if good and _in(it.finished_at, values) and it.owner == owner and it.revision == newest[it.key]:
                    took.setdefault(it.key, int((it.finished_at - it.booked_at).total_seconds()))
            seconds = sorted(took.values())
            yield owner, "", len(seconds), _share(seconds, 50), _share(seconds, 95)

    def q11(self, values: Values) -> Iterator[Row]:
        for key, state in ((pushes.MOVED, "moved_by_owner"), (pushes.REMOVED, "removed_by_owner")):
            booked = pushes.slot(int(key[3:]))
            if booked.overlaps(values["from"], values["to"]):
                moved = key == pushes.MOVED
                yield (
                    key,
                    ANA,
                    "",
                    state,
                    booked.start,
                    booked.start + pushes.MOVED_BY if moved else None,
                    "owner" if moved else "guest",
                )

    def q17(self, values: Values) -> list[Row]:
        rows = []
        for owner in (ANA, BO):
            done = [it for it in self._diary.pushed if it.owner == owner and _in(it.finished_at, values)]
            took = sorted(int((it.finished_at - it.intended_at).total_seconds()) for it in done)
            rows.append((owner, "", len(took), _share(took, 50), took[-1]))
        return sorted(rows, key=lambda row: -row[3])

    # -- who did what

    def q18(self, values: Values) -> Iterator[Row]:
        refused = defaultdict(list)
        for at, by, actor, version, answer in world.LOGONS:
            if answer is LogonAnswer.REFUSED and _in(at, values):
                refused[by, actor, version].append(at)
        for (by, actor, version), times in refused.items():
            yield CORPORATE, by, actor, version, Reason.LOGON_REFUSED, len(times), times[0], times[-1]

    def q19(self, values: Values) -> Iterator[Row]:
        (_, _), (at, version) = world.PASSWORDS
        if _in(at, values):
            yield CORPORATE, version, ADMIN, at, None

    def q20(self, values: Values) -> Iterator[Row]:
        for (at, status), run in zip(world.RESYNCS, self._diary.resync_runs, strict=True):
            if _in(at, values):
                yield at, ADMIN, CORPORATE, run, status, at + timedelta(minutes=3) if status else None


def _there(at: datetime) -> list[Place]:
    """Return the calendars that had not left the roster."""
    return [place for place in PLACES if place not in world.RETIRED or at < world.RETIRED[place]]


def _in(at: datetime, values: Values) -> bool:
    return bool(values["from"] <= at < values["to"])


def _over(good: datetime | None, at: datetime) -> bool:
    return good is None or at - good > MAX_AGE


def _share(ranked: Sequence[int], percent: int) -> int:
    """Return the smallest value that so many of a hundred do not exceed."""
    return ranked[ceil(len(ranked) * percent / 100) - 1]
