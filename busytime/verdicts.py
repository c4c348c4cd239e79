"""Verdicts: what a validation found beside what stood before, and what a definite refusal means for what is known. Pure rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from busytime.coverage import CoverageChanges, CoverageRow, after_answer
from busytime.errors import BusyTimeError, Reason
from busytime.model import CoverageState, Unanswered, Window
from busytime.permissions import BADNESS, Conclusion, Need, Verdict
from busytime.validating import Candidate

#: Verdicts on reading that say that there is no right to read.
_DENIED = frozenset({Verdict.MISSING, Verdict.INSUFFICIENT, Verdict.PENDING})
#: Verdicts that come of a right that was seen.
_SEEN = frozenset({Verdict.GRANTED, Verdict.INSUFFICIENT, Verdict.UNPROVEN})
#: Reasons of a right that is there no more, or was never there.
_GONE = frozenset({Reason.NO_ACCESS, Reason.FOLDER_NOT_FOUND})


def unreachable(candidates: Sequence[Candidate], error: BusyTimeError) -> dict[tuple[int, Need], Conclusion]:
    """Conclude for a whole batch that the server gave no answer: no verdict changes."""
    conclusion = Conclusion(Verdict.UNREACHABLE, None, None, error.reason, error.detail)
    return {(candidate.calendar.id, need): conclusion for candidate in candidates for need in candidate.needs}


@dataclass(frozen=True, slots=True)
class Finding:
    """What a validation found for one calendar and need, and what stood before.

    Args:
        candidate: The calendar.
        need: What the product needs there.
        conclusion: What was concluded now.
        before: What was concluded before, where it was.
    """

    candidate: Candidate
    need: Need
    conclusion: Conclusion
    before: Conclusion | None

    @property
    def worse(self) -> bool:
        """Whether it got worse since the last time; a server that gave no answer tells nothing."""
        if self.before is None or Verdict.UNREACHABLE in {self.conclusion.verdict, self.before.verdict}:
            return False
        return BADNESS[self.conclusion.verdict] > BADNESS[self.before.verdict]

    @property
    def changes(self) -> bool:
        """Whether history gets a new row: verdict, level or reason changed. No answer keeps the last word and its date."""
        if self.before is None:
            return True
        if self.conclusion.verdict is Verdict.UNREACHABLE:
            return False
        now, then = self.conclusion, self.before
        return (now.verdict, now.observed, now.reason) != (then.verdict, then.observed, then.reason)


def with_arrivals(candidates: Sequence[Candidate], before: Mapping[tuple[int, Need], Conclusion]) -> list[Candidate]:
    """Note at which calendars a right was seen before: its absence is then no grant that is awaited.

    Args:
        candidates: Calendars whose rights are to be checked.
        before: The verdicts that stand, by the calendar's surrogate key and need.
    """
    arrived = {
        key for (key, _), it in before.items() if it.verdict in _SEEN or (it.verdict is Verdict.MISSING and it.reason in _GONE)
    }
    seen = (it.calendar.id in arrived or it.calendar.folder_id is not None for it in candidates)
    return [replace(it, arrived=it_arrived) for it, it_arrived in zip(candidates, seen, strict=True)]


def denial(finding: Finding) -> Unanswered | None:
    """Return the definite refusal that a verdict on reading means for a calendar's busy time, if it is one."""
    conclusion = finding.conclusion
    if finding.need is not Need.READ or conclusion.verdict not in _DENIED:
        return None
    reason = conclusion.reason if conclusion.reason is not None and conclusion.reason.definite else Reason.NO_ACCESS
    return Unanswered(reason, conclusion.detail)


def after_denial(rows: Sequence[CoverageRow], refusal: Unanswered, now: datetime, max_age: timedelta) -> CoverageChanges:
    """Decide what a definite refusal changes in a calendar's coverage: what is covered is known no longer.

    Args:
        rows: The calendar's current rows.
        refusal: Why its busy time may not be read.
        now: The present instant.
        max_age: How long an answer counts.
    """
    covered = [row.window for row in rows if row.state is CoverageState.COVERED]
    if not covered:
        return CoverageChanges()
    whole = Window(min(window.start for window in covered), max(window.end for window in covered))
    return after_answer(rows, whole, refusal, now, max_age)
