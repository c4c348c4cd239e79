"""What an owner is told: one sentence for each verdict, that works when followed."""

from datetime import UTC, datetime

import pytest

from busytime.advice import owner_sentence
from busytime.errors import Reason
from busytime.granting import can_be_granted
from busytime.model import CalendarKind
from busytime.permissions import Need, PermissionLevel, Verdict
from tests.unit.advice.findings import GRANTEE, finding

CASES = {
    "not yet granted": finding(None),
    "no access": finding(Verdict.MISSING, Reason.NO_ACCESS),
    "level too low": finding(Verdict.INSUFFICIENT, Reason.LEVEL_TOO_LOW, observed=PermissionLevel.REVIEWER),
    "sub-calendar": finding(
        Verdict.INSUFFICIENT,
        Reason.SUB_CALENDAR_NEEDS_REVIEWER,
        need=Need.READ,
        folder="Projects",
        observed=PermissionLevel.CONTRIBUTOR,
    ),
    "write denied": finding(Verdict.INSUFFICIENT, Reason.WRITE_DENIED),
    "no such folder": finding(Verdict.MISSING, Reason.FOLDER_NOT_FOUND, need=Need.READ, folder="Projects"),
    "no such mailbox": finding(Verdict.MISSING, Reason.MAILBOX_NOT_FOUND),
    "no calendar": finding(Verdict.MISSING, Reason.NO_CALENDAR),
    "group": finding(Verdict.MISSING, Reason.IS_A_GROUP),
    "pending": finding(Verdict.PENDING, Reason.GRANT_AWAITED),
    "unproven": finding(Verdict.UNPROVEN, Reason.NOT_PROVEN),
    "unreachable": finding(Verdict.UNREACHABLE, Reason.TIMED_OUT),
    "external, write": finding(Verdict.INSUFFICIENT, Reason.EXTERNAL_IS_READ_ONLY, kind=CalendarKind.EXTERNAL),
    "external, read": finding(Verdict.MISSING, Reason.FOLDER_NOT_FOUND, need=Need.READ, kind=CalendarKind.EXTERNAL),
    "granted": finding(Verdict.GRANTED),
}
GRANTABLE = [
    "not yet granted",
    "no access",
    "level too low",
    "sub-calendar",
    "write denied",
    "no such folder",
    "pending",
    "unproven",
]


def test_each_case_has_a_sentence_of_its_own():
    assert len({owner_sentence(case) for case in CASES.values()}) == len(CASES)


@pytest.mark.parametrize("name", CASES)
def test_a_sentence_is_one_line_with_one_end(name):
    sentence = owner_sentence(CASES[name])
    assert sentence.endswith(".")
    assert ". " not in sentence
    assert sentence.isprintable()
    assert sentence[0] in {*"ABCDEFGHIJKLMNOPQRSTUVWXYZ", GRANTEE[0]}


def test_a_permission_cures_these_cases_and_no_others():
    assert [name for name, case in CASES.items() if can_be_granted(case)] == GRANTABLE


@pytest.mark.parametrize("name", GRANTABLE)
def test_what_a_permission_cures_says_what_to_click_in_every_outlook(name):
    sentence = owner_sentence(CASES[name])
    assert "in new Outlook or Outlook on the web" in sentence
    assert '"Sharing and permissions"' in sentence
    assert 'in classic Outlook, Calendar > right-click the calendar > "Properties" > "Permissions"' in sentence
    assert GRANTEE in sentence


@pytest.mark.parametrize(
    ("need", "folder", "web", "classic"),
    [
        (Need.WRITE, "", "Can edit", "Editor"),
        (Need.WRITE, "Projects", "Can edit", "Editor"),
        (Need.READ, "Projects", "Can view all details", "Reviewer"),
        (Need.READ, "", "Can view when I'm busy", "Free/Busy time"),
    ],
)
def test_the_lowest_level_that_serves_is_asked_for_by_its_names_in_outlook(need, folder, web, classic):
    sentence = owner_sentence(finding(None, need=need, folder=folder))
    assert f'> "{web}" > "Share"' in sentence
    assert f'"{classic}" (in newer builds "{web}") > "OK"' in sentence


def test_a_delegate_is_made_where_classic_outlook_makes_delegates():
    sentence = owner_sentence(finding(None, required=PermissionLevel.DELEGATE))
    assert '"Delegate" > "Share"' in sentence
    assert '"File" > "Account Settings" > "Delegate Access" > "Add"' in sentence


@pytest.mark.parametrize("name", ["no such mailbox", "group", "external, write"])
def test_where_no_click_helps_the_owner_is_told_what_the_admin_can_do(name):
    sentence = owner_sentence(CASES[name])
    assert sentence.startswith("There is nothing you can click")
    assert "ask your admin" in sentence
    assert ">" not in sentence


def test_a_level_too_low_says_from_what_to_what():
    assert 'from "Reviewer" to "Editor"' in owner_sentence(CASES["level too low"])
    free_busy = finding(Verdict.INSUFFICIENT, Reason.LEVEL_TOO_LOW, observed=PermissionLevel.FREE_BUSY_TIME_ONLY)
    assert 'from "Free/Busy time" to "Editor"' in owner_sentence(free_busy)


def test_a_grant_that_is_awaited_may_take_48_hours():
    assert "48 hours" in owner_sentence(CASES["pending"])


def test_what_is_unproven_can_be_proven_by_the_admin():
    assert '"busytime validate --probe-write"' in owner_sentence(CASES["unproven"])


def test_a_calendar_out_of_reach_keeps_its_last_verdict_with_its_date():
    known = finding(
        Verdict.UNREACHABLE,
        Reason.TIMED_OUT,
        last_known=Verdict.GRANTED,
        last_known_at=datetime(2026, 3, 4, 5, tzinfo=UTC),
    )
    assert owner_sentence(known).startswith("Nothing to do now")
    assert "the last verdict of 2026-03-04, granted, stands until then" in owner_sentence(known)
    assert "last verdict" not in owner_sentence(CASES["unreachable"])


def test_an_external_calendar_is_shared_by_invitation_and_accepted_by_its_domain():
    case = finding(None, need=Need.READ, kind=CalendarKind.EXTERNAL, owner="eva@partner.example")
    assert '"busytime discover --accept-from partner.example"' in owner_sentence(case)


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("Projects/Berlin", 'the calendar "Projects > Berlin" below your own'),
        ("../Team", 'the calendar "Team" beside your own'),
        (r"A\/B", 'the calendar "A/B" below your own'),
        ("Team?2", 'the calendar "Team" (one of several of that name) below your own'),
        ("", "your calendar"),
    ],
)
def test_a_calendar_is_named_as_outlook_shows_it(folder, name):
    assert f"busy time in {name}" in owner_sentence(
        finding(None, need=Need.READ, folder=folder, required=PermissionLevel.FREE_BUSY_TIME_ONLY)
    )


@pytest.mark.parametrize("mark", ["\n", "\r", "\u2028", "\u0085", "\x1b", "\u202e", "\u2067"])
def test_a_folder_cannot_break_the_line_or_turn_it_around(mark):
    sentence = owner_sentence(finding(None, folder=f"A{mark}B"))
    assert "A\ufffdB" in sentence
    assert mark not in sentence


def test_private_items_are_not_asked_for_where_details_could_be_seen():
    assert "private items are not asked for" in owner_sentence(CASES["not yet granted"])
    assert "private items" not in owner_sentence(finding(None, need=Need.READ))
