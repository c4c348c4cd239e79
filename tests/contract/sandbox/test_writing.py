"""CreateItem, UpdateItem and DeleteItem: what they do, and what they refuse."""

from __future__ import annotations

import pytest

from tests.contract.sandbox.client import calendar_of, folder_id
from tests.contract.sandbox.test_control import listed
from tests.contract.sandbox.writes import NINE, create, created, delete, drop, extended, item, put, update, uri

FREE = "<t:LegacyFreeBusyStatus>Free</t:LegacyFreeBusyStatus>"
NEW = '<m:CreateItem SendMeetingInvitations="SendToNone"><m:Items><t:CalendarItem>{}</t:CalendarItem></m:Items></m:CreateItem>'
WHERE = "<t:Location>Room Elbe</t:Location>"


def test_an_item_lies_in_the_folder_that_was_named(client, sandbox, owner):
    made, _ = created(client, item(after=FREE + WHERE), calendar_of(owner))
    (one,) = listed(sandbox, owner)
    assert (one["id"], one["subject"], one["status"]) == (made, "Visit", "Free")
    assert (one["start"], one["end"]) == ("2030-03-04T09:00:00+00:00", "2030-03-04T10:00:00+00:00")
    assert one["creator"] == sandbox.email
    assert sandbox.log()[-1]["mailboxes"] == [owner]


def test_without_a_folder_the_item_lands_in_the_callers_own_calendar(client, sandbox, owner):
    made, _ = created(client, item("Mine"))
    assert listed(sandbox, owner) == []
    assert made in [one["id"] for one in listed(sandbox, sandbox.email)]
    assert sandbox.log()[-1]["mailboxes"] == [sandbox.email]


def test_a_new_item_takes_time_at_once(client, owner):
    assert client.availability(owner).all(".//t:CalendarEvent") == []
    made, _ = created(client, item(), calendar_of(owner))
    assert client.availability(owner).texts(".//t:BusyType") == ["Busy"]
    delete(client, made)
    assert client.availability(owner).all(".//t:CalendarEvent") == []


def test_everything_that_was_written_is_read_back(client, owner):
    zones = '<t:StartTimeZone Id="W. Europe Standard Time"/><t:EndTimeZone Id="Arabian Standard Time"/>'
    before = (
        '<t:Sensitivity>Private</t:Sensitivity><t:Body BodyType="HTML">&lt;b&gt;x&lt;/b&gt;</t:Body>'
        "<t:ReminderIsSet>false</t:ReminderIsSet><t:ReminderMinutesBeforeStart>30</t:ReminderMinutesBeforeStart>"
    )
    made, _ = created(client, item(before=before, after=WHERE, zones=zones), calendar_of(owner))
    client.sandbox.control("POST", "/limits", {"private_items": "visible"})
    answer = client.get_item(made, base="AllProperties")
    body = answer.all(".//t:Body")[0]
    assert (body.text, body.get("BodyType")) == ("<b>x</b>", "HTML")
    assert answer.texts(".//t:ReminderIsSet") == ["false"]
    assert answer.texts(".//t:ReminderMinutesBeforeStart") == ["30"]
    assert answer.texts(".//t:Sensitivity") == ["Private"]
    assert [one.get("Id") for one in answer.all(".//t:StartTimeZone | .//t:EndTimeZone")] == [
        "W. Europe Standard Time",
        "Arabian Standard Time",
    ]


def test_an_item_reminds_of_itself_unless_told_otherwise(client, owner, book):
    made, _ = created(client, item(), calendar_of(owner))
    assert client.get_item(made, book(), fields=("item:ReminderIsSet",)).texts(".//t:ReminderIsSet") == ["true", "false"]


def test_times_without_an_offset_are_those_of_the_items_zone(client, sandbox, owner):
    zone = '<t:StartTimeZone Id="Tokyo Standard Time"/>'
    created(client, item(start="2030-03-04T09:00:00", end="2030-03-04T10:00:00", zones=zone), calendar_of(owner))
    assert [one["start"] for one in listed(sandbox, owner)] == ["2030-03-04T00:00:00+00:00"]


@pytest.mark.parametrize(
    ("one", "code"),
    [
        (item(end="2030-03-04T08:00:00Z"), "ErrorCalendarEndDateIsEarlierThanStartDate"),
        (item(end="2039-03-04T08:00:00Z"), "ErrorCalendarDurationIsTooLong"),
        (item(start="0001-03-04T08:00:00"), "ErrorCalendarOutOfRange"),
        (item(end=None), "ErrorRequiredPropertyMissing"),
        (item(after="<t:IsCancelled>true</t:IsCancelled>"), "ErrorInvalidPropertySet"),
        (item(zones='<t:StartTimeZone Id="Middle Earth"/>'), "ErrorCalendarInvalidTimeZone"),
        ("<t:Message><t:Subject>x</t:Subject></t:Message>", "ErrorInvalidOperation"),
    ],
)
def test_an_item_that_is_wrong_is_refused_and_the_next_is_made(client, sandbox, owner, one, code):
    answer = create(client, one, item("Good"), folder=calendar_of(owner))
    assert answer.codes == [code, "NoError"]
    assert [one["subject"] for one in listed(sandbox, owner)] == ["Good"]
    assert sandbox.log()[-1]["code"] == code


@pytest.mark.parametrize(
    "content",
    [
        "<m:CreateItem/>",
        "<m:CreateItem><m:Items/></m:CreateItem>",
        '<m:CreateItem SendMeetingInvitations="Perhaps"><m:Items><t:CalendarItem/></m:Items></m:CreateItem>',
        NEW.format("<t:Start>soon</t:Start>"),
        NEW.format("<t:IsAllDayEvent>maybe</t:IsAllDayEvent>"),
        NEW.format("<t:Body>x</t:Body>"),
        NEW.format('<t:ExtendedProperty><t:ExtendedFieldURI PropertySetId="x" PropertyType="String"/></t:ExtendedProperty>'),
        "<m:UpdateItem/>",
        '<m:UpdateItem ConflictResolution="AutoResolve"><m:ItemChanges><t:ItemChange/></m:ItemChanges></m:UpdateItem>',
        "<m:DeleteItem/>",
        '<m:DeleteItem DeleteType="Burn"><m:ItemIds><t:ItemId Id="x"/></m:ItemIds></m:DeleteItem>',
    ],
)
def test_requests_that_no_schema_allows_are_refused(client, content):
    assert client.call(content).fault == "ErrorSchemaValidation"


def test_folders_that_take_no_appointment(client, owner):
    hidden = calendar_of(owner, "inbox")
    assert create(client, item(), item(), folder=hidden).codes == ["ErrorItemNotFound"] * 2
    assert create(client, item(), folder=folder_id("bm8=")).codes == ["ErrorInvalidIdMalformed"]
    own = '<t:DistinguishedFolderId Id="inbox"/>'
    assert create(client, item(), folder=own).codes == ["ErrorCannotCreateCalendarItemInNonCalendarFolder"]


def test_what_becomes_of_mail_must_be_said(client, owner, book):
    made = book()
    assert create(client, item(), folder=calendar_of(owner), sending=None).codes == ["ErrorSendMeetingInvitationsRequired"]
    assert update(client, made, None, drop("item:Subject"), sending=None).codes == [
        "ErrorSendMeetingInvitationsOrCancellationsRequired"
    ]
    assert delete(client, made, sending=None).codes == ["ErrorSendMeetingCancellationsRequired"]
    assert client.get_item(made).codes == ["NoError"]


def test_an_update_changes_what_it_names_and_nothing_else(client, sandbox, owner):
    made, key = created(client, item(after=WHERE), calendar_of(owner))
    later = put("calendar:Start", "<t:Start>2030-03-04T11:00:00Z</t:Start>")
    end = put("calendar:End", "<t:End>2030-03-04T12:00:00Z</t:End>")
    answer = update(client, made, key, later, end, put("calendar:LegacyFreeBusyStatus", FREE))
    assert answer.codes == ["NoError"]
    assert answer.texts(".//t:Count") == ["0"]
    (one,) = listed(sandbox, owner)
    assert (one["start"], one["end"], one["status"]) == ("2030-03-04T11:00:00+00:00", "2030-03-04T12:00:00+00:00", "Free")
    read = client.get_item(made, base="AllProperties")
    assert (read.texts(".//t:Subject"), read.texts(".//t:Location")) == (["Visit"], ["Room Elbe"])
    assert read.texts(".//t:LastModifiedName") == [sandbox.email]
    changed = answer.all(".//t:ItemId")[0].get("ChangeKey")
    assert changed == read.all(".//t:ItemId")[0].get("ChangeKey") != key


def test_deleted_fields_are_empty(client, owner):
    made, key = created(client, item(after=WHERE), calendar_of(owner))
    assert update(client, made, key, drop("calendar:Location"), drop("item:Subject")).codes == ["NoError"]
    read = client.get_item(made, fields=("item:Subject", "calendar:Location"))
    assert [one or "" for one in read.texts(".//t:Subject | .//t:Location")] == ["", ""]


def test_a_change_key_of_an_earlier_state_is_a_conflict(client, sandbox, owner):
    made, key = created(client, item(), calendar_of(owner))
    sandbox.control("PATCH", f"/appointments/{made}", {"subject": "The owner's"})
    mine = put("item:Subject", "<t:Subject>Mine</t:Subject>")
    for resolution in ("NeverOverwrite", "AutoResolve"):
        assert update(client, made, key, mine, resolution=resolution).codes == ["ErrorIrresolvableConflict"]
        assert update(client, made, None, mine, resolution=resolution).codes == ["ErrorChangeKeyRequiredForWriteOperations"]
    assert update(client, made, "AAAA", mine).codes == ["ErrorInvalidChangeKey"]
    assert [one["subject"] for one in listed(sandbox, owner)] == ["The owner's"]
    assert update(client, made, key, mine, resolution="AlwaysOverwrite").codes == ["NoError"]
    assert [one["subject"] for one in listed(sandbox, owner)] == ["Mine"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (put("calendar:End", "<t:End>2030-03-01T00:00:00Z</t:End>"), "ErrorCalendarEndDateIsEarlierThanStartDate"),
        (put("item:Subject", WHERE), "ErrorUpdatePropertyMismatch"),
        (put("item:Subject", "<t:Subject>x</t:Subject>" + WHERE), "ErrorIncorrectUpdatePropertyCount"),
        (put("calendar:IsCancelled", "<t:IsCancelled>true</t:IsCancelled>"), "ErrorInvalidPropertySet"),
        (drop("calendar:Start"), "ErrorInvalidPropertyDelete"),
        (drop("calendar:IsMeeting"), "ErrorInvalidPropertyDelete"),
    ],
)
def test_an_update_is_made_whole_or_not_at_all(client, sandbox, owner, change, code):
    made, key = created(client, item(), calendar_of(owner))
    assert update(client, made, key, drop("item:Subject"), change).codes == [code]
    assert [one["subject"] for one in listed(sandbox, owner)] == ["Visit"]
    assert update(client, made, key, drop("item:Subject")).codes == ["NoError"]


def test_a_server_may_say_no_error_and_forget_a_field(client, sandbox, owner):
    sandbox.control("POST", "/limits", {"update_ignores": "calendar:Start"})
    made, key = created(client, item(), calendar_of(owner))
    earlier = put("calendar:Start", "<t:Start>2030-03-04T08:00:00Z</t:Start>")
    assert update(client, made, key, earlier, put("item:Subject", "<t:Subject>New</t:Subject>")).codes == ["NoError"]
    assert client.get_item(made, base="Default").texts(".//t:Start") == [NINE]
    assert [one["subject"] for one in listed(sandbox, owner)] == ["New"]


@pytest.mark.parametrize("how", ["HardDelete", "SoftDelete", "MoveToDeletedItems"])
def test_a_deleted_item_is_gone_and_cannot_be_deleted_again(client, sandbox, owner, how):
    made, key = created(client, item(), calendar_of(owner))
    assert delete(client, made, how=how).codes == ["NoError"]
    assert listed(sandbox, owner) == []
    assert delete(client, made, how=how).codes == ["ErrorItemNotFound"]
    assert update(client, made, key, drop("item:Subject")).codes == ["ErrorItemNotFound"]


def test_delegates_may_be_kept_from_deleted_items(client, sandbox, owner):
    sandbox.control("POST", "/limits", {"delegate_move_to_deleted": False})
    made, _ = created(client, item(), calendar_of(owner))
    assert delete(client, made, how="MoveToDeletedItems").codes == ["ErrorAccessDenied"]
    assert delete(client, made).codes == ["NoError"]


def test_one_occurrence_can_be_deleted_and_a_series_not_be_moved(client, sandbox, owner, book):
    master = book(rrule="FREQ=DAILY;COUNT=3")
    first = client.view(calendar_of(owner)).all(".//t:ItemId")[0]
    assert update(client, first.get("Id"), first.get("ChangeKey"), drop("item:Subject")).codes == ["ErrorInvalidOperation"]
    assert delete(client, first.get("Id")).codes == ["NoError"]
    assert len(listed(sandbox, owner)) == 2
    key = client.get_item(master).all(".//t:ItemId")[0].get("ChangeKey")
    early = put("calendar:Start", "<t:Start>2030-03-04T08:00:00Z</t:Start>")
    assert update(client, master, key, early).codes == ["ErrorInvalidOperation"]


def test_errors_of_single_ids_leave_the_others_good(client, sandbox, owner, book):
    one, other = book(), book()
    assert delete(client, one, "rubbish", other).codes == ["NoError", "ErrorInvalidIdMalformed", "NoError"]
    assert listed(sandbox, owner) == []


def test_the_marker_is_kept_and_the_control_interface_shows_its_booking_key(client, sandbox, owner):
    mark = extended("BusytimeKey", "house/BK-1/2") + extended("BusytimeRevision", "3")
    made, key = created(client, item(before=mark), calendar_of(owner))
    (one,) = listed(sandbox, owner)
    assert (one["booking_key"], one["marker"], one["revision"]) == ("BK-1/2", "house/BK-1/2", "3")
    update(client, made, key, put(uri("BusytimeRevision"), extended("BusytimeRevision", "4")))
    assert listed(sandbox, owner)[0]["revision"] == "4"
    key = client.get_item(made).all(".//t:ItemId")[0].get("ChangeKey")
    assert update(client, made, key, drop(uri("BusytimeKey"))).codes == ["NoError"]
    assert listed(sandbox, owner)[0]["booking_key"] is None


def test_only_the_products_own_property_set_is_a_marker(client, sandbox, owner):
    other = "00000000-5d84-4e6b-9a0f-3c1de2975a48"
    created(client, item(before=extended("BusytimeKey", "house/BK-1", other)), calendar_of(owner))
    assert listed(sandbox, owner)[0]["booking_key"] is None


def test_the_owners_copy_has_the_marker_too(client, sandbox, owner):
    made, _ = created(client, item(before=extended("BusytimeKey", "house/BK-1")), calendar_of(owner))
    sandbox.control("POST", f"/appointments/{made}/copy", {"start": "2030-03-05T09:00:00Z"})
    found = listed(sandbox, owner)
    assert [one["booking_key"] for one in found] == ["BK-1", "BK-1"]
    assert [one["creator"] for one in found] == [sandbox.email, owner]


def test_appointments_can_be_made_with_a_marker_by_the_control_interface(sandbox, owner, book):
    book(marker="elsewhere/BK-7", revision="2")
    assert [(one["booking_key"], one["revision"]) for one in listed(sandbox, owner)] == [("BK-7", "2")]


def test_comments_in_a_request_mean_nothing(client, sandbox, owner):
    created(client, item(after="<!-- nothing -->" + WHERE), calendar_of(owner))
    assert len(listed(sandbox, owner)) == 1
