"""GetFolder and FindFolder: what is told to whom."""

from __future__ import annotations

import pytest

from tests.contract.sandbox.client import calendar_of, folder_id

NOTHING: set[str] = set()
READ = {"Read"}
AUTHOR = {"CreateContents", "Read"}
PUBLISHING = AUTHOR | {"CreateHierarchy"}
CHANGES = {"Modify", "Delete"}
ALL = PUBLISHING | CHANGES | {"CreateAssociated"}
# level: folder rights in style exchange, and in style items
RIGHTS = {
    "Reviewer": (READ, READ),
    "Contributor": ({"CreateContents"}, {"CreateContents"}),
    "NoneditingAuthor": (AUTHOR, AUTHOR),
    "Author": (AUTHOR, AUTHOR),
    "PublishingAuthor": (PUBLISHING, PUBLISHING),
    "Editor": (AUTHOR, AUTHOR | CHANGES),
    "delegate": (AUTHOR, AUTHOR | CHANGES),
    "PublishingEditor": (PUBLISHING, PUBLISHING | CHANGES),
    "Owner": (ALL, ALL),
}


def granted(answer) -> set[str]:
    rights = answer.all(".//t:EffectiveRights/*[text()='true']")
    return {one.tag.partition("}")[2] for one in rights}


def grant(sandbox, owner: str, grantee: str, level: str, folder: str = "") -> None:
    order = {"owner": owner, "folder": folder, "grantee": grantee, "level": level}
    sandbox.control("POST", "/permission", order)


@pytest.mark.parametrize("style", ["exchange", "items"])
@pytest.mark.parametrize("level", RIGHTS)
def test_folder_rights_by_level_and_style(sandbox, stranger, owner, level, style):
    sandbox.control("POST", "/limits", {"rights_style": style})
    grant(sandbox, owner, stranger.user, level)
    answer = stranger.get_folder(calendar_of(owner), "folder:EffectiveRights")
    assert answer.codes == ["NoError"]
    assert granted(answer) == RIGHTS[level][style == "items"]


@pytest.mark.parametrize("level", ["None", "FreeBusyTimeOnly", "FreeBusyTimeAndSubjectAndLocation"])
def test_who_sees_times_only_finds_no_folder(client, sandbox, stranger, owner, level):
    grant(sandbox, owner, stranger.user, level)
    known = client.get_folder(calendar_of(owner)).all(".//t:FolderId")[0].get("Id")
    for address in (calendar_of(owner), folder_id(known)):
        assert stranger.get_folder(address).codes == ["ErrorItemNotFound"]
        assert stranger.view(address).codes == ["ErrorItemNotFound"]


def test_what_is_not_found_may_be_access_denied_on_other_servers(sandbox, stranger, owner):
    sandbox.control("POST", "/limits", {"not_found_code": "ErrorAccessDenied"})
    assert stranger.get_folder(calendar_of(owner)).codes == ["ErrorAccessDenied"]


def test_contributors_see_the_folder_and_may_not_read_it(sandbox, stranger, owner, book):
    item = book()
    grant(sandbox, owner, stranger.user, "Contributor")
    assert stranger.view(calendar_of(owner)).codes == ["ErrorAccessDenied"]
    assert stranger.get_item(item).codes == ["ErrorAccessDenied"]


def test_default_counts_for_everybody_without_a_level_of_their_own(sandbox, stranger, owner):
    grant(sandbox, owner, "Default", "Reviewer")
    assert granted(stranger.get_folder(calendar_of(owner), "folder:EffectiveRights")) == READ
    grant(sandbox, owner, stranger.user, "Author")
    assert granted(stranger.get_folder(calendar_of(owner), "folder:EffectiveRights")) == AUTHOR
    grant(sandbox, owner, stranger.user, "None")
    assert granted(stranger.get_folder(calendar_of(owner), "folder:EffectiveRights")) == READ


def test_only_what_was_asked_for_is_answered(client, owner):
    answer = client.get_folder(calendar_of(owner), "folder:EffectiveRights")
    assert [one.tag.partition("}")[2] for one in answer.all(".//t:CalendarFolder/*")] == [
        "FolderId",
        "EffectiveRights",
    ]


def test_all_properties_and_default_shapes_are_valid(client, owner):
    for base in ("Default", "AllProperties"):
        for name in ("calendar", "root", "msgfolderroot"):
            answer = client.get_folder(calendar_of(owner, name), base=base)
            assert answer.codes == ["NoError"]
            assert len(answer.all(".//t:DisplayName")) == 1


def test_a_folder_id_carries_its_mailbox(client, sandbox, owner):
    found = client.get_folder(calendar_of(owner)).all(".//t:FolderId")[0].get("Id")
    assert client.get_folder(folder_id(found)).all(".//t:FolderId")[0].get("Id") == found
    assert sandbox.log()[-1]["mailboxes"] == [owner]


def test_without_a_mailbox_the_callers_own_folder_is_meant(client, sandbox):
    answer = client.get_folder('<t:DistinguishedFolderId Id="calendar"/>', "folder:EffectiveRights")
    assert granted(answer) == ALL | {"ViewPrivateItems"}
    assert sandbox.log()[-1]["mailboxes"] == [sandbox.email]


def test_errors_of_single_folders_leave_the_others_good(client, sandbox, owner):
    sandbox.control("POST", "/mailbox", {"owner": "nocal2@corp.example", "kind": "no_calendar"})
    folders = [
        calendar_of("nobody@corp.example"),
        calendar_of(owner),
        calendar_of("nocal2@corp.example"),
        folder_id("bm8="),
        calendar_of(owner, "inbox"),
    ]
    assert client.get_folder("".join(folders)).codes == [
        "ErrorNonExistentMailbox",
        "NoError",
        "ErrorFolderNotFound",
        "ErrorInvalidIdMalformed",
        "ErrorItemNotFound",
    ]


@pytest.mark.parametrize(
    ("policy", "codes", "shown"),
    [("omitted", ["NoError"], 0), ("refused", ["ErrorAccessDenied"], 0), ("shown", ["NoError"], 2)],
)
def test_a_strangers_question_for_the_permission_list(client, sandbox, owner, policy, codes, shown):
    sandbox.control("POST", "/limits", {"permission_set": policy})
    answer = client.get_folder(calendar_of(owner), "folder:PermissionSet")
    assert answer.codes == codes
    assert len(answer.all(".//t:CalendarPermission")) == shown


def test_deep_search_finds_sub_calendars_and_shallow_only_the_first_level(client, sandbox, owner):
    for path in ("Projects", "Projects/A\\/B", "../Beside"):
        sandbox.control("POST", "/calendars", {"owner": owner, "folder": path})
    deep = client.find_folder(calendar_of(owner))
    assert deep.texts(".//t:DisplayName") == ["Projects", "A/B"]
    assert client.find_folder(calendar_of(owner), traversal="Shallow").texts(".//t:DisplayName") == ["Projects"]
    grant(sandbox, owner, sandbox.email, "Reviewer", "../Beside")
    beside = client.find_folder(calendar_of(owner, "msgfolderroot"), traversal="Shallow")
    assert beside.texts(".//t:DisplayName") == ["Calendar", "Beside"]


def test_sub_calendars_have_their_own_permissions(client, sandbox, owner):
    sandbox.control("POST", "/calendars", {"owner": owner, "folder": "Open"})
    sandbox.control("POST", "/calendars", {"owner": owner, "folder": "Closed"})
    grant(sandbox, owner, sandbox.email, "None", "Closed")
    assert client.find_folder(calendar_of(owner)).texts(".//t:DisplayName") == ["Open"]


def test_a_folder_keeps_its_id_when_renamed_and_moved(client, sandbox, owner):
    made = sandbox.control("POST", "/calendars", {"owner": owner, "folder": "Old"})["id"]
    sandbox.control("POST", "/calendars", {"owner": owner, "folder": "Home"})
    sandbox.control("PATCH", "/calendars", {"owner": owner, "folder": "Old", "name": "New", "parent": "Home"})
    assert client.get_folder(folder_id(made), base="Default").texts(".//t:DisplayName") == ["New"]
    sandbox.control("DELETE", "/calendars", {"owner": owner, "folder": "Home/New"})
    assert client.get_folder(folder_id(made)).codes == ["ErrorItemNotFound"]


def test_the_root_of_a_mailbox_can_be_closed(client, sandbox, owner):
    sandbox.control("POST", "/limits", {"root_visible": False})
    for name in ("root", "msgfolderroot"):
        assert client.get_folder(calendar_of(owner, name)).codes == ["ErrorItemNotFound"]
        assert client.find_folder(calendar_of(owner, name)).codes == ["ErrorItemNotFound"]
    assert client.get_folder(calendar_of(owner)).codes == ["NoError"]


def test_a_closed_root_can_be_shown_to_one_person_and_opens_nothing(client, sandbox, stranger, owner):
    sandbox.control("POST", "/limits", {"root_visible": False})
    sandbox.control("POST", "/calendars", {"owner": owner, "folder": "../Beside"})
    grant(sandbox, owner, stranger.user, "FolderVisible", "..")
    top = calendar_of(owner, "msgfolderroot")
    assert stranger.get_folder(top).codes == ["NoError"]
    assert granted(stranger.get_folder(top, "folder:EffectiveRights")) == NOTHING
    assert stranger.find_folder(top).texts(".//t:DisplayName") == []
    assert stranger.get_folder(calendar_of(owner, "root")).codes == ["ErrorItemNotFound"]
    assert client.get_folder(top).codes == ["ErrorItemNotFound"]
    grant(sandbox, owner, stranger.user, "None", "..")
    assert stranger.get_folder(top).codes == ["ErrorItemNotFound"]


def test_a_calendar_that_is_only_shown_cannot_be_read(sandbox, stranger, owner, book):
    item = book()
    grant(sandbox, owner, stranger.user, "FolderVisible")
    assert granted(stranger.get_folder(calendar_of(owner), "folder:EffectiveRights")) == NOTHING
    assert stranger.view(calendar_of(owner)).codes == ["ErrorAccessDenied"]
    assert stranger.get_item(item).codes == ["ErrorAccessDenied"]
