"""What a verdict changes: history, what got worse, pages, and what is known of busy time."""

from dataclasses import replace

import pytest

from busytime.coverage import CoverageChanges, CoverageRow
from busytime.errors import Reason
from busytime.model import Calendar, CalendarKind, CoverageState, Role, Unanswered
from busytime.pages import obstacles
from busytime.permissions import Conclusion, Evidence, Need, PermissionLevel, Verdict
from busytime.validating import Candidate
from busytime.verdicts import Finding, after_denial, denial, with_arrivals
from tests.unit.moments import MAX_AGE, MONDAY, at, window

CALENDAR = Calendar(1, "ana@corp.example", "", CalendarKind.DEFAULT)
CANDIDATE = Candidate(CALENDAR, tuple(Need), MONDAY)
GRANTED = Conclusion(Verdict.GRANTED, Evidence.FOLDER_RIGHTS, PermissionLevel.EDITOR)
LOW = Conclusion(Verdict.INSUFFICIENT, Evidence.FOLDER_RIGHTS, PermissionLevel.REVIEWER, Reason.LEVEL_TOO_LOW)
MISSING = Conclusion(Verdict.MISSING, Evidence.FOLDER_RIGHTS, None, Reason.NO_ACCESS)
PENDING = Conclusion(Verdict.PENDING, Evidence.FOLDER_RIGHTS, None, Reason.GRANT_AWAITED)
UNPROVEN = Conclusion(Verdict.UNPROVEN, None, None, Reason.NOT_PROVEN)
SILENT = Conclusion(Verdict.UNREACHABLE, None, None, Reason.TIMED_OUT)


def found(now, before=None, need=Need.READ):
    return Finding(CANDIDATE, need, now, before)


@pytest.mark.parametrize(
    ("before", "now", "changes", "worse"),
    [
        (None, GRANTED, True, False),
        (None, SILENT, True, False),
        (GRANTED, GRANTED, False, False),
        (GRANTED, replace(GRANTED, evidence=Evidence.ITEM_RIGHTS), False, False),
        (GRANTED, replace(GRANTED, observed=PermissionLevel.PUBLISHING_EDITOR), True, False),
        (GRANTED, LOW, True, True),
        (GRANTED, UNPROVEN, True, True),
        (GRANTED, SILENT, False, False),
        (LOW, MISSING, True, True),
        (MISSING, LOW, True, False),
        (PENDING, MISSING, True, True),
        (SILENT, MISSING, True, False),
        (SILENT, GRANTED, True, False),
    ],
)
def test_what_opens_a_row_and_what_is_worse(before, now, changes, worse):
    finding = found(now, before)
    assert (finding.changes, finding.worse) == (changes, worse)


@pytest.mark.parametrize(
    ("now", "need", "reason"),
    [
        (MISSING, Need.READ, Reason.NO_ACCESS),
        (PENDING, Need.READ, Reason.NO_ACCESS),
        (LOW, Need.READ, Reason.NO_ACCESS),
        (replace(MISSING, reason=Reason.IS_A_GROUP), Need.READ, Reason.NO_ACCESS),
        (replace(MISSING, reason=Reason.MAILBOX_NOT_FOUND), Need.READ, Reason.MAILBOX_NOT_FOUND),
        (MISSING, Need.WRITE, None),
        (GRANTED, Need.READ, None),
        (SILENT, Need.READ, None),
    ],
)
def test_only_a_definite_verdict_on_reading_is_a_denial(now, need, reason):
    refusal = denial(found(now, need=need))
    assert (refusal.reason if refusal else None) is reason


def covered(start, end, key):
    return CoverageRow(key, window(start, end), CoverageState.COVERED, None, None, MONDAY)


def test_denial_makes_all_that_was_covered_unknown():
    rows = [covered(0, 60, 1), covered(120, 180, 2)]
    changes = after_denial(rows, Unanswered(Reason.NO_ACCESS), at(5), MAX_AGE)
    assert sorted(changes.close) == [1, 2]
    assert [(row.window, row.state, row.reason) for row in changes.open] == [
        (window(0, 180), CoverageState.UNKNOWN, Reason.NO_ACCESS)
    ]


def test_denial_of_what_is_unknown_already_changes_nothing():
    row = replace(covered(0, 60, 1), state=CoverageState.UNKNOWN, reason=Reason.NO_DATA)
    assert after_denial([row], Unanswered(Reason.NO_ACCESS), at(5), MAX_AGE) == CoverageChanges()
    assert after_denial([], Unanswered(Reason.NO_ACCESS), at(5), MAX_AGE) == CoverageChanges()


@pytest.mark.parametrize(
    ("before", "folder_id", "arrived"),
    [
        ({}, None, False),
        ({}, "AAMk", True),
        ({(1, Need.READ): GRANTED}, None, True),
        ({(1, Need.WRITE): LOW}, None, True),
        ({(1, Need.READ): MISSING}, None, True),
        ({(1, Need.READ): PENDING, (1, Need.WRITE): PENDING}, None, False),
        ({(1, Need.READ): SILENT}, None, False),
        ({(1, Need.READ): replace(MISSING, reason=Reason.MAILBOX_NOT_FOUND)}, None, False),
        ({(2, Need.READ): GRANTED}, None, False),
    ],
)
def test_right_that_was_seen_once_is_not_awaited(before, folder_id, arrived):
    candidate = replace(CANDIDATE, calendar=replace(CALENDAR, folder_id=folder_id))
    (noted,) = with_arrivals([candidate], before)
    assert noted == replace(candidate, arrived=arrived)


@pytest.mark.parametrize(
    ("conclusion", "require_proof", "expected"),
    [
        (LOW, False, [True]),
        (MISSING, False, [True]),
        (PENDING, False, [True]),
        (UNPROVEN, False, [False]),
        (UNPROVEN, True, [True]),
        (GRANTED, True, []),
        (SILENT, True, []),
    ],
)
def test_what_blocks_a_page_and_what_only_warns(conclusion, require_proof, expected):
    found = obstacles([(Role.MAIN, CALENDAR)], {(1, Need.WRITE): conclusion}, require_proof=require_proof)
    assert [it.blocks for it in found] == expected


def test_only_the_main_calendar_blocks_a_page():
    verdicts = {(1, need): MISSING for need in Need}
    for role in (Role.ADDITIONAL, Role.BUSY):
        assert obstacles([(role, CALENDAR)], verdicts, require_proof=True) == []
