"""What is told of other people's rights: permission lists, delegates, the mailbox's root."""

from __future__ import annotations

import pytest

from deployments.sandbox.rights import LEVELS
from tests.contract.sandbox.client import Client, calendar_of
from tests.contract.sandbox.test_exchangelib import account, configuration
from tests.contract.sandbox.test_folders import grant
from tests.contract.sandbox.writes import send

__all__ = ["configuration"]
PARTS = ("CalendarPermissionLevel", "ReadItems", "EditItems", "DeleteItems", "CanCreateItems", "CanCreateSubFolders")


@pytest.fixture
def owners_client(sandbox, owner):
    sandbox.control("POST", "/password", {"email": owner, "password": "the-owners-own-password"})
    client = Client(sandbox, owner, "the-owners-own-password")
    yield client
    client.close()


def listed(answer) -> dict[str, tuple[str, ...]]:
    """Return the parts of each person's permission."""
    return {
        one.findtext("{*}UserId/{*}PrimarySmtpAddress") or one.findtext("{*}UserId/{*}DistinguishedUser"): tuple(
            one.findtext(f"{{*}}{part}") for part in PARTS
        )
        for one in answer.all(".//t:CalendarPermission")
    }


def test_the_list_shows_every_level(client, sandbox, owner):
    sandbox.control("POST", "/limits", {"permission_set": "shown"})
    for level in LEVELS:
        if level != "None":
            grant(sandbox, owner, f"{level}@corp.example", level)
    sandbox.control(
        "POST",
        "/permission",
        {"owner": owner, "grantee": "x@corp.example", "level": "Custom", "rights": {"visible": True, "edit": "own"}},
    )
    shown = listed(client.get_folder(calendar_of(owner), "folder:PermissionSet"))
    assert shown["Default"] == ("FreeBusyTimeOnly", "TimeOnly", "None", "None", "false", "false")
    assert shown[sandbox.email] == ("Editor", "FullDetails", "All", "All", "true", "false")
    assert shown["author@corp.example"] == ("Author", "FullDetails", "Owned", "Owned", "true", "false")
    assert shown["publishingeditor@corp.example"] == ("PublishingEditor", "FullDetails", "All", "All", "true", "true")
    assert shown["contributor@corp.example"] == ("Contributor", "None", "None", "None", "true", "false")
    assert shown["delegate@corp.example"][0] == "Editor"
    assert shown["custom@corp.example"] == ("Custom", "FullDetails", "All", "None", "false", "false")
    assert shown["x@corp.example"] == ("Custom", "None", "Owned", "None", "false", "false")
    assert len(shown) == len(LEVELS) + 2


def test_an_owner_always_sees_the_list(owners_client, sandbox, owner):
    sandbox.control("POST", "/limits", {"permission_set": "refused"})
    assert set(listed(owners_client.get_folder(calendar_of(owner), "folder:PermissionSet"))) == {"Default", sandbox.email}


def test_a_refused_list_fails_the_whole_folder_and_no_other(client, sandbox, owner):
    sandbox.control("POST", "/limits", {"permission_set": "refused"})
    both = calendar_of(owner) + '<t:DistinguishedFolderId Id="calendar"/>'
    answer = client.get_folder(both, "folder:PermissionSet", "folder:EffectiveRights")
    assert answer.codes == ["ErrorAccessDenied", "NoError"]
    assert len(answer.all(".//t:EffectiveRights")) == 1


def delegates(client, mailbox: str, *users: str, permissions: str = "true"):
    ids = "".join(f"<t:UserId><t:PrimarySmtpAddress>{one}</t:PrimarySmtpAddress></t:UserId>" for one in users)
    return send(
        client,
        f'<m:GetDelegate IncludePermissions="{permissions}"><m:Mailbox><t:EmailAddress>{mailbox}</t:EmailAddress></m:Mailbox>'
        f"{f'<m:UserIds>{ids}</m:UserIds>' if users else ''}</m:GetDelegate>",
    )


def test_delegates_are_told_to_the_owner_only(client, owners_client, sandbox, owner):
    grant(sandbox, owner, sandbox.email, "delegate")
    told = delegates(owners_client, owner)
    assert told.texts(".//t:PrimarySmtpAddress") == [sandbox.email]
    assert told.texts(".//t:CalendarFolderPermissionLevel") == ["Editor"]
    assert delegates(owners_client, owner, permissions="false").texts(".//t:CalendarFolderPermissionLevel") == []
    refused = delegates(client, owner)
    assert refused.codes == ["ErrorAccessDenied"]
    assert refused.texts(".//t:PrimarySmtpAddress") == []
    assert sandbox.log()[-1]["code"] == "ErrorAccessDenied"
    assert delegates(client, "nobody@corp.example").codes == ["ErrorNonExistentMailbox"]


def test_who_is_no_delegate_is_told_apart_from_who_is_nobody(owners_client, sandbox, owner):
    assert delegates(owners_client, owner).codes == ["NoError"]
    answer = delegates(owners_client, owner, sandbox.email, "nobody@corp.example")
    assert answer.codes == ["NoError", "ErrorNotDelegate", "ErrorDelegateNoUser"]


def test_exchangelib_reads_delegates(configuration, sandbox):
    mailbox = account(configuration, sandbox.email)
    assert list(mailbox.delegates) == []


def test_the_root_shows_what_the_caller_may_see(client, stranger, sandbox, owner):
    for path in ("../Beside", "Below", "../Closed"):
        sandbox.control("POST", "/calendars", {"owner": owner, "folder": path})
    grant(sandbox, owner, sandbox.email, "Reviewer", "../Beside")
    root = calendar_of(owner, "msgfolderroot")
    assert client.find_folder(root).texts(".//t:DisplayName") == ["Calendar", "Below", "Beside"]
    assert stranger.find_folder(root).codes == ["ErrorItemNotFound"]
    sandbox.control("POST", "/limits", {"root_visible": False, "not_found_code": "ErrorAccessDenied"})
    assert client.find_folder(root).codes == ["ErrorAccessDenied"]
    assert client.find_folder(calendar_of(owner)).texts(".//t:DisplayName") == ["Below"]
