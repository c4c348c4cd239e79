"""Who may create, change and delete what: by level and by who made the item."""

from __future__ import annotations

import pytest

from tests.contract.sandbox.client import calendar_of, folder_id
from tests.contract.sandbox.test_folders import grant, granted
from tests.contract.sandbox.writes import create, delete, ids, item, put, update

OK, DENIED, HIDDEN = "NoError", "ErrorAccessDenied", "ErrorItemNotFound"
NEW = put("item:Subject", "<t:Subject>New</t:Subject>")
# level: create; edit own, edit another's; delete own, delete another's
MAY = {
    "FreeBusyTimeOnly": (HIDDEN, HIDDEN, HIDDEN, HIDDEN, HIDDEN),
    "FreeBusyTimeAndSubjectAndLocation": (HIDDEN, HIDDEN, HIDDEN, HIDDEN, HIDDEN),
    "Reviewer": (DENIED, DENIED, DENIED, DENIED, DENIED),
    "Contributor": (OK, DENIED, DENIED, DENIED, DENIED),
    "NoneditingAuthor": (OK, DENIED, DENIED, OK, DENIED),
    "Author": (OK, OK, DENIED, OK, DENIED),
    "PublishingAuthor": (OK, OK, DENIED, OK, DENIED),
    "Editor": (OK, OK, OK, OK, OK),
    "PublishingEditor": (OK, OK, OK, OK, OK),
    "Owner": (OK, OK, OK, OK, OK),
    "delegate": (OK, OK, OK, OK, OK),
    "Custom": (DENIED, OK, OK, DENIED, DENIED),
}


def key_of(client, item_id: str) -> str:
    return client.get_item(item_id).all(".//t:ItemId")[0].get("ChangeKey")


@pytest.mark.parametrize("level", MAY)
def test_writes_by_level_and_creator(sandbox, client, stranger, owner, book, level):
    own, other = book(creator=stranger.user), book()
    grant(sandbox, owner, stranger.user, level)
    codes = create(stranger, item(), folder=calendar_of(owner)).codes
    for one in (own, other):
        codes += update(stranger, one, key_of(client, one), NEW).codes
    codes += delete(stranger, own, other).codes
    assert tuple(codes) == MAY[level]


def test_who_made_an_item_over_ews_is_its_creator(sandbox, stranger, owner):
    grant(sandbox, owner, stranger.user, "Author")
    ((made, key),) = ids(create(stranger, item(), folder=calendar_of(owner)))
    assert granted(stranger.get_item(made, fields=("item:EffectiveRights",))) == {"Read", "Modify", "Delete"}
    assert update(stranger, made, key, NEW).codes == [OK]
    grant(sandbox, owner, stranger.user, "NoneditingAuthor")
    assert granted(stranger.get_item(made, fields=("item:EffectiveRights",))) == {"Read", "Delete"}
    assert delete(stranger, made).codes == [OK]


def test_a_right_that_was_taken_back_is_missed_by_the_next_request(sandbox, client, owner):
    ((made, key),) = ids(create(client, item(), folder=calendar_of(owner)))
    grant(sandbox, owner, sandbox.email, "Reviewer")
    assert update(client, made, key, NEW).codes == [DENIED]
    grant(sandbox, owner, sandbox.email, "None")
    assert update(client, made, key, NEW).codes == [HIDDEN]
    assert delete(client, made).codes == [HIDDEN]
    assert create(client, item(), folder=calendar_of(owner)).codes == [HIDDEN]
    grant(sandbox, owner, sandbox.email, "Editor")
    assert update(client, made, key, NEW).codes == [OK]


def test_what_may_not_be_seen_is_answered_as_the_policy_says(sandbox, stranger, owner, book):
    made = book()
    sandbox.control("POST", "/limits", {"not_found_code": "ErrorFolderNotFound"})
    assert create(stranger, item(), folder=calendar_of(owner)).codes == ["ErrorFolderNotFound"]
    assert delete(stranger, made).codes == ["ErrorFolderNotFound"]


def test_sub_calendars_are_written_by_their_own_permissions(sandbox, stranger, owner):
    made = sandbox.control("POST", "/calendars", {"owner": owner, "folder": "Projects"})["id"]
    grant(sandbox, owner, stranger.user, "Editor", "Projects")
    assert create(stranger, item(), folder=folder_id(made)).codes == [OK]
    assert create(stranger, item(), folder=calendar_of(owner)).codes == [HIDDEN]


def test_custom_rights_are_what_was_spelled_out(sandbox, stranger, owner, book):
    made = book()
    order = {"owner": owner, "grantee": stranger.user, "level": "Custom"}
    rights = {"visible": True, "read": True, "detail": "full", "create": True, "edit": "all", "delete": "own"}
    sandbox.control("POST", "/permission", {**order, "rights": rights})
    assert granted(stranger.get_folder(calendar_of(owner), "folder:EffectiveRights")) == {"Read", "CreateContents"}
    assert granted(stranger.get_item(made, fields=("item:EffectiveRights",))) == {"Read", "Modify"}
    assert create(stranger, item(), folder=calendar_of(owner)).codes == [OK]
    assert delete(stranger, made).codes == [DENIED]
    sandbox.control("POST", "/permission", {**order, "rights": {"visible": True}})
    assert stranger.get_item(made).codes == [DENIED]
    sandbox.control("POST", "/permission", order)
    assert create(stranger, item(), folder=calendar_of(owner)).codes == [DENIED]
