"""Servers that refuse searches and writes, or lose the answer to a write."""

import re

import pytest

from busytime.errors import (
    AmbiguousWriteError,
    AuthenticationError,
    FatalError,
    PermissionMissingError,
    Reason,
    ServerBusyError,
    SkippableError,
    SpoiltAnswerError,
)
from busytime.permissions import ItemRights, PermissionLevel, Rights
from tests.integration.ews.hostile import fault, soap
from tests.integration.ews.scripted import (
    CHANGED,
    CREATED,
    GONE,
    REMOVED,
    RIGHTS,
    answer,
    folder,
    found,
    item,
    key,
    message,
    refused,
    shown,
)

OWNER, MARKER = "ana@corp.example", "one/probe"


def probe(gateway):
    gateway.probe_write(OWNER, None, MARKER)


def own_items(gateway):
    return gateway.find_items(OWNER, None, marked_by="one", limit=2)


def unmarked_items(gateway):
    return gateway.find_items(OWNER, None, marked_by=None, limit=2)


def item_rights(gateway):
    return gateway.read_item_rights(["a", "b"], "one")


# Searches


@pytest.mark.parametrize("find", [own_items, unmarked_items])
@pytest.mark.parametrize("refusal", [refused("FindItem", "ErrorUnsupportedPathForQuery"), fault("ErrorInvalidRestriction")])
def test_search_that_is_refused_is_asked_in_a_simpler_way(play, find, refusal):
    ids, script = play(find, refusal, found(item("a"), item("b"), item("c")))
    assert ids == ["a", "b"]
    assert ["Restriction" in body for body in script.bodies] == [True, find is own_items]


def test_search_that_is_refused_in_every_way_skips_the_calendar(play):
    refusal = refused("FindItem", "ErrorUnsupportedPathForQuery")
    error, _script = play(own_items, refusal, refusal)
    assert isinstance(error, SkippableError)
    assert error.detail == "ErrorUnsupportedPathForQuery"


def test_search_that_is_denied_is_not_asked_again(play):
    error, script = play(own_items, refused("FindItem", "ErrorAccessDenied"))
    assert isinstance(error, PermissionMissingError)
    assert len(script.operations) == 1


def test_item_without_an_id_is_no_answer(play):
    error, _script = play(own_items, found("<t:CalendarItem/>"))
    assert isinstance(error, SpoiltAnswerError)
    assert error.reason is Reason.MALFORMED_ANSWER


# Rights


def test_rights_and_marker_are_read_in_any_writing(play):
    answers, script = play(item_rights, shown(item("a", RIGHTS + key("one/x")), item("b", key("one/x", name="Other") + RIGHTS)))
    rights = Rights(read=True, modify=True, delete=True)
    assert answers == [ItemRights(rights, marked=True, ours=True), ItemRights(rights)]
    assert not re.search("Subject|Body>|Location|Organizer", script.bodies[0].partition("<s:Body>")[2].replace("</s:Body>", ""))


def test_items_without_rights_are_no_evidence(play):
    answers, _script = play(item_rights, shown(item("a"), message("GetItem", code="ErrorItemNotFound")))
    assert answers == [None, None]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ErrorMailboxMoveInProgress", SpoiltAnswerError),
        ("ErrorInternalServerTransientError", SpoiltAnswerError),
        ("ErrorBrandNew", SpoiltAnswerError),
        ("ErrorServerBusy", ServerBusyError),
        ("ErrorPasswordExpired", AuthenticationError),
    ],
)
def test_items_that_fail_for_a_passing_reason_are_no_missing_right(play, code, kind):
    error, _script = play(item_rights, shown(message("GetItem", code="ErrorItemNotFound"), message("GetItem", code=code)))
    assert isinstance(error, kind)
    answers, _script = play(item_rights, shown(item("a", RIGHTS), message("GetItem", code=code)))
    assert [one is None for one in answers] == [False, True]


@pytest.mark.parametrize("count", [1, 3])
def test_answer_for_more_or_fewer_items_is_not_used(play, count):
    error, _script = play(item_rights, shown(*[item("a", RIGHTS)] * count))
    assert isinstance(error, SpoiltAnswerError)


def test_folder_without_rights_is_no_answer(play):
    error, _script = play(lambda gateway: gateway.read_folder_rights(OWNER, None), folder(""))
    assert isinstance(error, SpoiltAnswerError)


@pytest.mark.parametrize(
    ("address", "level", "expected"),
    [
        ("BusyTime@Corp.example", "PublishingEditor", PermissionLevel.PUBLISHING_EDITOR),
        ("busytime@corp.example", "BrandNew", PermissionLevel.CUSTOM),
        ("busytime@corp.example", "delegate", PermissionLevel.CUSTOM),
        ("other@corp.example", "Owner", None),
    ],
)
def test_own_entry_in_a_permission_list(play, address, level, expected):
    everybody = (
        "<t:CalendarPermission><t:UserId><t:DistinguishedUser>Default</t:DistinguishedUser></t:UserId>"
        "<t:CalendarPermissionLevel>Owner</t:CalendarPermissionLevel></t:CalendarPermission>"
    )
    entry = (
        f"<t:CalendarPermission><t:UserId><t:PrimarySmtpAddress>{address}</t:PrimarySmtpAddress></t:UserId>"
        f"<t:CalendarPermissionLevel>{level}</t:CalendarPermissionLevel></t:CalendarPermission>"
    )
    listed = f"<t:PermissionSet><t:CalendarPermissions>{everybody}{entry}</t:CalendarPermissions></t:PermissionSet>"
    level_read, _script = play(lambda gateway: gateway.read_own_level(OWNER, None), folder(listed))
    assert level_read is expected


# The proof


def test_proof_is_four_requests_that_send_no_mail(play):
    result, script = play(probe, found(), CREATED, CHANGED, REMOVED)
    assert result is None
    assert script.operations == ["FindItem", "CreateItem", "UpdateItem", "DeleteItem"]
    search, create, change, remove = script.bodies
    assert all(OWNER in body for body in (search, create))
    assert 'SendMeetingInvitations="SendToNone"' in create
    assert "<t:LegacyFreeBusyStatus>Free<" in create
    assert "<t:ReminderIsSet>0<" in create or "<t:ReminderIsSet>false<" in create
    assert create.index("SavedItemFolderId") < create.index(OWNER)
    assert 'SendMeetingInvitationsOrCancellations="SendToNone"' in change
    assert 'Id="new" ChangeKey="EQ"' in change
    assert 'SendMeetingCancellations="SendToNone"' in remove
    assert 'DeleteType="SoftDelete"' in remove


def test_only_exactly_marked_items_are_removed(play):
    items = [item("a", key(MARKER)), item("b", key("ONE/probe")), item("c"), item("d", key(MARKER, name="BusytimeRevision"))]
    _result, script = play(probe, found(*items), REMOVED, CREATED, CHANGED, REMOVED)
    assert re.findall(r'ItemId Id="(\w+)"', script.bodies[1]) == ["a"]


def test_nothing_is_created_where_it_could_not_be_found_again(play):
    error, script = play(probe, refused("FindItem", "ErrorInvalidRestriction"))
    assert isinstance(error, SkippableError)
    assert script.operations == ["FindItem"]


@pytest.mark.parametrize("code", ["ErrorAccessDenied", "ErrorItemNotFound"])
def test_denied_change_is_told_and_the_item_removed(play, code):
    error, script = play(probe, found(), CREATED, refused("UpdateItem", code), REMOVED)
    assert isinstance(error, PermissionMissingError)
    assert error.detail == code
    assert script.operations[-1] == "DeleteItem"


def test_change_and_removal_denied_is_one_denial(play):
    denial = [refused("UpdateItem", "ErrorAccessDenied"), refused("DeleteItem", "ErrorAccessDenied")]
    error, script = play(probe, found(), CREATED, *denial)
    assert isinstance(error, PermissionMissingError)
    assert script.operations == ["FindItem", "CreateItem", "UpdateItem", "DeleteItem"]


def test_item_is_removed_for_good_only_where_the_server_refuses_otherwise(play):
    result, script = play(probe, found(), CREATED, CHANGED, refused("DeleteItem", "ErrorInvalidOperation"), REMOVED)
    assert result is None
    assert ["HardDelete" in body for body in script.bodies[3:]] == [False, True]


def test_item_that_is_gone_already_is_removed(play):
    result, _script = play(probe, found(), CREATED, CHANGED, refused("DeleteItem", "ErrorItemNotFound"))
    assert result is None


@pytest.mark.parametrize(
    "lost",
    [GONE, "<html>no", soap("<m:CreateItemResponse/>"), refused("CreateItem", "ErrorInternalServerError"), fault("Odd words")],
)
def test_create_without_a_usable_answer_is_ambiguous_and_never_repeated(play, lost):
    error, script = play(probe, found(), lost)
    assert isinstance(error, AmbiguousWriteError)
    assert OWNER in str(error)
    assert script.operations == ["FindItem", "CreateItem"]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ErrorMailboxMoveInProgress", SpoiltAnswerError),
        ("ErrorServerBusy", ServerBusyError),
        ("ErrorQuotaExceeded", SkippableError),
        ("ErrorCreateItemAccessDenied", PermissionMissingError),
        ("ErrorBrandNew", FatalError),
    ],
)
def test_create_that_the_server_plainly_refused_is_not_ambiguous(play, code, kind):
    error, script = play(probe, found(), refused("CreateItem", code))
    assert isinstance(error, kind)
    assert script.operations == ["FindItem", "CreateItem"]


# Invitations


def test_sharing_messages_that_cannot_be_accepted_are_no_invitations(play):
    mail = "<t:{}><t:Mailbox><t:EmailAddress>{}</t:EmailAddress></t:Mailbox></t:{}>".format

    def sharing_message(item_id, answers, sender):
        return f'<t:Message><t:ItemId Id="{item_id}"/>{answers}{sender}</t:Message>'

    can = "<t:ResponseObjects><t:ReplyToItem/><t:AcceptSharingInvitation/></t:ResponseObjects>"
    messages = [
        sharing_message("a", can, mail("Sender", "Ida@Partner.example", "Sender")),
        sharing_message("b", "<t:ResponseObjects/>", mail("From", "b@partner.example", "From")),
        sharing_message("c", can, mail("From", "/O=PARTNER/CN=C", "From")),
        message("GetItem", code="ErrorItemNotFound"),
        sharing_message("e", "", mail("From", "e@partner.example", "From")),
    ]
    listing = found(*(item(one) for one in "abcde"))
    invitations, _script = play(lambda gateway: gateway.list_invitations(), listing, shown(*messages))
    assert [(one.invitation_id, one.sender) for one in invitations] == [("a", "ida@partner.example"), ("e", "e@partner.example")]


@pytest.mark.parametrize("code", ["ErrorItemNotFound", "ErrorInvalidSharingMessage", "ErrorNotSupportedSharingMessage"])
def test_invitation_that_cannot_be_accepted_is_skipped(play, code):
    error, _script = play(lambda gateway: gateway.accept_invitation("a"), refused("CreateItem", code))
    assert isinstance(error, SkippableError)


@pytest.mark.parametrize("inside", ["<t:DisplayName>Calendar</t:DisplayName>", '<t:FolderId Id="F"/>'])
def test_shared_folder_without_an_id_or_a_name_is_no_answer(play, inside):
    rights = "<t:SharingEffectiveRights>FullDetails</t:SharingEffectiveRights>"
    folders = f"<t:Folders><t:CalendarFolder>{inside}{rights}</t:CalendarFolder></t:Folders>"
    root = f'<m:RootFolder IncludesLastItemInRange="true">{folders}</m:RootFolder>'
    error, _script = play(lambda gateway: gateway.list_shared_calendars(), answer("FindFolder", message("FindFolder", root)))
    assert isinstance(error, SpoiltAnswerError)
