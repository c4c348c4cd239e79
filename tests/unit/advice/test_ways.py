"""What has to be shown before a sub-calendar can be found, and how owner and admin are told of it."""

import pytest

from busytime.advice import owner_sentence, owner_text
from busytime.errors import Reason
from busytime.granting import strongest, with_ways
from busytime.model import CalendarKind
from busytime.permissions import Need, PermissionLevel, Verdict
from busytime.powershell import FOLDER_VISIBLE, Row, admin_script, rows_of
from busytime.powershell_body import BODY
from tests.unit.advice.findings import GRANTEE, OWNER, finding
from tests.unit.advice.powershell_reader import parse_script_rows

ROOT, READ, WRITE = "..", Need.READ, Need.WRITE
CLUB = (("Club", 1),)


def ways(*findings):
    """Return what has to be shown, as a roster would spell it, by the calendar that needs it."""
    return {one.folder: [str(path) for path in one.way] for one in with_ways(findings)}


def sub(folder="Projects", verdict=None, reason=None, **more):
    return finding(verdict, reason, need=READ, folder=folder, **more)


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [
        (None, None),
        (Verdict.PENDING, Reason.GRANT_AWAITED),
        (Verdict.MISSING, Reason.FOLDER_NOT_FOUND),
        (Verdict.MISSING, Reason.NO_ACCESS),
    ],
)
def test_sub_calendar_that_was_not_seen_needs_the_root(verdict, reason):
    assert ways(sub(verdict=verdict, reason=reason)) == {"Projects": [ROOT]}


@pytest.mark.parametrize(
    "seen",
    [
        sub(verdict=Verdict.GRANTED, observed=PermissionLevel.REVIEWER),
        sub(verdict=Verdict.INSUFFICIENT, reason=Reason.LEVEL_TOO_LOW, observed=PermissionLevel.REVIEWER),
        sub(verdict=Verdict.UNPROVEN, reason=Reason.NOT_PROVEN),
        sub(verdict=Verdict.UNREACHABLE, reason=Reason.TIMED_OUT),
        sub(verdict=Verdict.MISSING, reason=Reason.MAILBOX_NOT_FOUND),
        finding(None, need=READ, folder="Projects", kind=CalendarKind.EXTERNAL),
        finding(None),
    ],
    ids=lambda one: f"{one.verdict} {one.kind}",
)
def test_what_was_seen_or_cannot_be_granted_needs_nothing_else(seen):
    assert ways(seen) == {seen.folder: []}


@pytest.mark.parametrize(
    "calendar",
    [
        finding(None),
        finding(Verdict.GRANTED),
        finding(Verdict.GRANTED, need=READ, observed=PermissionLevel.REVIEWER),
        finding(Verdict.INSUFFICIENT, Reason.LEVEL_TOO_LOW, observed=PermissionLevel.AUTHOR),
    ],
    ids=lambda one: f"{one.verdict} {one.need}",
)
def test_calendar_that_shows_itself_shows_what_lies_below_it_and_not_what_lies_beside(calendar):
    assert ways(calendar, sub(), sub("../Team")) == {"": [], "Projects": [], "../Team": [ROOT]}


@pytest.mark.parametrize(
    "calendar",
    [
        finding(None, need=READ),
        finding(Verdict.GRANTED, need=READ, observed=PermissionLevel.FREE_BUSY_TIME_ONLY),
        finding(Verdict.UNREACHABLE, Reason.TIMED_OUT),
        finding(None, owner="bo@corp.example"),
        finding(None, grantee="eva@corp.example"),
    ],
    ids=lambda one: f"{one.verdict} {one.need} {one.owner} {one.grantee}",
)
def test_calendar_that_hides_itself_or_is_not_meant_shows_nothing(calendar):
    assert ways(calendar, sub())["Projects"] == [ROOT]


def test_every_folder_on_the_way_is_shown_unless_it_is_wanted_itself():
    assert ways(sub("Club/Board/Deep")) == {"Club/Board/Deep": [ROOT, "Club", "Club/Board"]}
    assert ways(sub("../club/Board"), sub("../Club")) == {"../club/Board": [ROOT], "../Club": [ROOT]}


def test_two_needs_keep_the_way_of_the_calendar():
    (one,) = strongest(with_ways([sub(), finding(None, need=WRITE, folder="Projects")]))
    assert len(one.way) == 1


def test_the_script_shows_each_folder_once_and_before_the_calendars():
    findings = with_ways([sub("Club/Board"), sub("Club/Choir"), sub("../Team")])
    rows = parse_script_rows(admin_script(findings))
    assert rows == rows_of(findings)
    levels = [(row.beside, row.steps, row.level) for row in rows]
    assert levels[:2] == [(True, (), FOLDER_VISIBLE), (False, CLUB, FOLDER_VISIBLE)]
    assert [level for *_, level in levels[2:]] == [PermissionLevel.REVIEWER] * 3
    assert rows[0] == Row(OWNER, True, (), GRANTEE, FOLDER_VISIBLE)


def test_the_script_takes_nothing_away_to_show_a_folder():
    decision = BODY[BODY.index("function Get-Decision") : BODY.index("function Invoke-Row")]
    showing, others = decision.split("$wanted = $Order[$Level]")
    assert "if ($Held -eq 'None') { return 'Set' } else { return 'ByHand' }" in showing
    assert "-ge $Order['Reviewer']) { return 'Keep' }" in showing
    assert "if ($Held -eq 'FolderVisible')" in others


def test_the_owner_is_told_what_to_tick_where_and_why():
    (one,) = with_ways([sub("../Club/Board")])
    sentence = owner_sentence(one)
    assert f'so that {GRANTEE} can find it, also tick "Folder visible" for {GRANTEE}, which opens nothing' in sentence
    assert 'right-click your address above the Inbox > "Folder Permissions"' in sentence
    assert 'Calendar > right-click "Club" > "Properties" > "Permissions"' in sentence
    assert "or ask your admin to" in sentence
    assert ". " not in sentence
    assert "Folder visible" not in owner_sentence(sub("../Club/Board"))


def test_the_owner_is_told_once():
    text = " ".join(owner_text(OWNER, with_ways([sub(), sub("Club/Board")])).split())
    assert text.count("right-click your address") == text.count("Folder visible") == 1
