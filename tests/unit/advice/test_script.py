"""The admin's script: its rows are data, its code is always the same, and it is careful with what is there."""

import re

import pytest

from busytime.errors import ConfigurationError, Reason
from busytime.model import CalendarKind
from busytime.permissions import Need, PermissionLevel, Verdict
from busytime.powershell import BYTE_ORDER_MARK, Row, admin_script, rows_of, script_bytes, script_fault
from busytime.powershell_body import BODY, HEADER
from tests.unit.advice.findings import GRANTEE, OWNER, finding
from tests.unit.advice.powershell_reader import parse_script_rows, skeleton, tokenize

EDITOR, REVIEWER = PermissionLevel.EDITOR, PermissionLevel.REVIEWER


def test_every_row_is_read_back():
    findings = [
        finding(None),
        finding(None, need=Need.READ, folder="Projects/Team?2"),
        finding(None, need=Need.READ, folder=r"../A\/B"),
    ]
    assert parse_script_rows(admin_script(findings)) == [
        Row(OWNER, False, (), GRANTEE, EDITOR),
        Row(OWNER, False, (("Projects", 1), ("Team", 2)), GRANTEE, REVIEWER),
        Row(OWNER, True, (("A/B", 1),), GRANTEE, REVIEWER),
    ]


def test_two_needs_in_one_calendar_are_one_row_at_the_higher_level():
    findings = [finding(None, need=Need.READ, folder="Sub"), finding(None, need=Need.WRITE, folder="sub")]
    (row,) = rows_of(findings)
    assert row.level == EDITOR


@pytest.mark.parametrize(
    "left_out",
    [
        finding(Verdict.GRANTED),
        finding(Verdict.UNREACHABLE, Reason.SERVER_BUSY),
        finding(Verdict.MISSING, Reason.MAILBOX_NOT_FOUND),
        finding(Verdict.MISSING, Reason.IS_A_GROUP),
        finding(Verdict.INSUFFICIENT, Reason.EXTERNAL_IS_READ_ONLY),
        finding(None, need=Need.READ, kind=CalendarKind.EXTERNAL),
    ],
    ids=lambda one: f"{one.verdict} {one.reason}",
)
def test_what_no_permission_cures_is_no_row(left_out):
    assert parse_script_rows(admin_script([left_out])) == []


HOSTILE = [
    "O'Brien",
    "'; Remove-Mailbox -Identity ana; '",
    "\u2019; Remove-Mailbox; \u2018",
    "\u2018\u2019\u201a\u201b'",
    '"$(Get-Mailbox)" `$env:TEMP',
    "@'", "'@", '"@', "#>", "<#", "}", ") }", "' + $x + '",
    "\u05d9\u05d5\u05de\u05df", "\U0001f4c5 \u200d family",
    "back\\slash", "\ue000\uf8ff",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_data(name):
    folder = name.replace("\\", "\\\\").replace("/", "\\/")
    script = admin_script([finding(None, folder=folder)])
    (row,) = parse_script_rows(script)
    assert row.steps == ((name, 1),)
    assert skeleton(script) == skeleton(admin_script([finding(None, folder="Tame")]))


@pytest.mark.parametrize(
    "mark", ["\n", "\r", "\t", "\x1b", "\x7f", "\x85", "\u2028", "\u2029", "\u061c", "\u200f", "\u202e", "\u2066"]
)
def test_a_control_character_is_refused_by_the_name_of_its_calendar(mark):
    bad = finding(None, folder=f"Pro{mark}jects")
    with pytest.raises(ConfigurationError, match=rf"ana@corp\.example/Pro.*U\+{ord(mark):04X}.*by hand") as caught:
        admin_script([finding(None), bad])
    assert mark not in str(caught.value)
    assert script_fault(bad) == str(caught.value)
    assert script_fault(finding(None)) is None


def test_a_control_character_in_what_gets_no_row_harms_nothing():
    assert admin_script([finding(Verdict.GRANTED, folder="a\nb"), finding(None)])


@pytest.mark.parametrize("level", [PermissionLevel.NONE, PermissionLevel.CUSTOM, PermissionLevel.DELEGATE])
def test_a_level_that_no_script_can_grant_is_refused(level):
    with pytest.raises(ConfigurationError, match=rf"ana@corp\.example.*{level}.*by hand"):
        admin_script([finding(None, required=level)])


def test_the_file_begins_with_a_byte_order_mark_and_has_the_line_ends_of_windows():
    data = script_bytes(admin_script([finding(None, folder="Ko\u010d")]))
    assert data.startswith(BYTE_ORDER_MARK + b"#Requires -Version 5.1\r\n")
    assert data.count(b"\n") == data.count(b"\r\n")
    assert "Ko\u010d" in data.decode("utf-8-sig")


def test_the_comment_says_how_many_rows_there_are_and_to_try_whatif_first():
    script = admin_script([finding(None, owner=f"p{number}@corp.example") for number in range(12)])
    comment = next(token.text for token in tokenize(script) if token.text.startswith("<#"))
    assert "Rows: 12." in comment
    assert comment.index("-WhatIf") < comment.index("3. Do it")
    assert OWNER not in HEADER + BODY


def test_nothing_in_the_script_is_ever_expanded_or_made_into_code():
    script = admin_script([finding(None, folder="A")])
    assert {token.kind for token in tokenize(script)} == {"comment", "code", "string"}
    assert not re.search(r"Invoke-Expression|\biex\b|ScriptBlock|Invoke-Command|&\s*\$", script, re.IGNORECASE)


def test_the_code_of_the_script_is_plain_ascii_so_that_no_lookalike_quote_hides_in_it():
    assert (HEADER + BODY).isascii()


def test_whatif_reaches_the_script_and_each_change():
    script = admin_script([finding(None)])
    assert "[CmdletBinding(SupportsShouldProcess = $true)]" in script
    changes = re.findall(r"(?:Add|Set)-MailboxFolderPermission (\S+)", BODY)
    assert changes == ["@change;", "@change"]
    assert "WhatIf = [bool]$WhatIfPreference" in BODY
    assert BODY.index("$PSCmdlet.ShouldProcess") < BODY.index("Add-MailboxFolderPermission @change")


def test_nobody_gets_mail_and_no_delegate_is_unmade():
    code = skeleton(admin_script([finding(None)]))
    assert not {"SendNotificationToUser", "-SendNotificationToUser", "SharingPermissionFlags", "-SharingPermissionFlags"} & {
        *code
    }


def test_the_script_orders_all_levels_that_have_an_order():
    order = {name: int(place) for name, place in re.findall(r"'(\w+)' = (\d)", BODY[: BODY.index("$CmdletName")])}
    ordered = [level for level in PermissionLevel if level in order]
    unordered = {PermissionLevel.CONTRIBUTOR, PermissionLevel.CUSTOM, PermissionLevel.DELEGATE}
    assert set(PermissionLevel) - set(ordered) == unordered
    assert [order[level] for level in ordered] == sorted(order[level] for level in ordered)
    assert order["Author"] < order["Editor"] < order["Owner"]
    assert order["AvailabilityOnly"] == order["FreeBusyTimeOnly"]


def test_the_default_calendar_is_looked_up_and_never_called_calendar():
    assert "Get-MailboxFolderStatistics -Identity $Owner -FolderScope Calendar" in BODY
    assert not re.search(r"\\Calendar|/Calendar", BODY)
