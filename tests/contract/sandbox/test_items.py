"""FindItem with a calendar view, and GetItem."""

from __future__ import annotations

import pytest

from tests.contract.sandbox.client import calendar_of, folder_id
from tests.contract.sandbox.test_folders import grant, granted

TIMES = ("calendar:Start", "calendar:End", "calendar:LegacyFreeBusyStatus", "calendar:IsCancelled")
NINE, TEN = "2030-03-04T09:00:00Z", "2030-03-04T10:00:00Z"


def names(answer) -> list[str]:
    return [one.tag.partition("}")[2] for one in answer.all(".//t:CalendarItem/*")]


def test_a_view_answers_only_what_was_asked_for(client, owner, book):
    book()
    answer = client.view(calendar_of(owner), *TIMES)
    assert names(answer) == ["ItemId", "Start", "End", "LegacyFreeBusyStatus", "IsCancelled"]
    assert (answer.texts(".//t:Start"), answer.texts(".//t:End")) == ([NINE], [TEN])


def test_what_only_touches_the_views_edges_does_not_belong_to_it(client, owner, book):
    book("2030-03-04T08:00:00+00:00", "2030-03-04T09:00:00+00:00")
    book("2030-03-04T10:00:00+00:00", "2030-03-04T11:00:00+00:00")
    inside = book("2030-03-04T08:00:00+00:00", "2030-03-04T09:00:01+00:00")
    answer = client.view(calendar_of(owner), start=NINE, end=TEN)
    assert [one.get("Id") for one in answer.all(".//t:ItemId")] == [inside]


def test_cancelled_items_come_marked(client, owner, book):
    book(is_cancelled=True)
    assert client.view(calendar_of(owner), *TIMES).texts(".//t:IsCancelled") == ["true"]


def test_times_are_in_the_zone_of_the_header(client, owner, book):
    book()
    answer = client.view(calendar_of(owner), *TIMES, zone="W. Europe Standard Time")
    assert answer.texts(".//t:Start") == ["2030-03-04T10:00:00+01:00"]


def test_a_view_is_cut_and_says_so(client, sandbox, owner, book):
    for hour in range(9, 13):
        book(f"2030-03-04T{hour:02}:00:00+00:00", f"2030-03-04T{hour:02}:30:00+00:00")
    whole = client.view(calendar_of(owner)).all(".//m:RootFolder")[0]
    assert whole.get("IncludesLastItemInRange") == "true"
    sandbox.control("POST", "/limits", {"view_items": 3})
    cut = client.view(calendar_of(owner), *TIMES)
    assert cut.all(".//m:RootFolder")[0].get("IncludesLastItemInRange") == "false"
    assert len(cut.texts(".//t:Start")) == 3


def test_more_than_two_years_are_too_many(client, owner):
    assert client.view(calendar_of(owner), end="2032-02-29T00:00:00Z").codes == ["NoError"]
    assert client.view(calendar_of(owner), end="2032-04-01T00:00:00Z").codes == ["ErrorCalendarViewRangeTooBig"]


def test_a_view_backwards_and_a_view_of_the_inbox_are_refused(client, owner):
    backwards = client.view(calendar_of(owner), end="2030-01-01T00:00:00Z")
    assert backwards.codes == ["ErrorCalendarEndDateIsEarlierThanStartDate"]
    inbox = client.view('<t:DistinguishedFolderId Id="inbox"/>')
    assert inbox.codes == ["ErrorCalendarFolderIsInvalidForCalendarView"]


def test_sub_calendars_are_read_by_view(client, sandbox, owner, book):
    made = sandbox.control("POST", "/calendars", {"owner": owner, "folder": "Projects"})["id"]
    book(folder="Projects")
    assert len(client.view(folder_id(made), *TIMES).texts(".//t:Start")) == 1
    assert client.view(calendar_of(owner), *TIMES).texts(".//t:Start") == []


def test_series_are_expanded_unless_the_server_is_of_the_other_kind(client, sandbox, owner, book):
    book(rrule="FREQ=DAILY;COUNT=3")
    assert len(client.view(calendar_of(owner), *TIMES).texts(".//t:Start")) == 3
    sandbox.control("POST", "/limits", {"expand_series": False})
    assert len(client.view(calendar_of(owner), *TIMES).texts(".//t:Start")) == 1


def test_an_occurrence_has_an_id_of_its_own(client, sandbox, owner, book):
    master = book(rrule="FREQ=DAILY;COUNT=3")
    ids = [one.get("Id") for one in client.view(calendar_of(owner)).all(".//t:ItemId")]
    assert len({master, *ids}) == 4
    fields = ("calendar:CalendarItemType", "calendar:Start", "calendar:OriginalStart")
    sandbox.control(
        "PATCH", f"/appointments/{ids[1]}", {"start": "2030-03-05T12:00:00+00:00", "end": "2030-03-05T13:00:00+00:00"}
    )
    answer = client.get_item(ids[0], ids[1], master, fields=fields)
    assert answer.texts(".//t:CalendarItemType") == ["Occurrence", "Exception", "RecurringMaster"]
    assert answer.texts(".//t:Start") == [NINE, "2030-03-05T12:00:00Z", NINE]
    assert answer.texts(".//t:OriginalStart") == [NINE, "2030-03-05T09:00:00Z"]
    sandbox.control("DELETE", f"/appointments/{ids[0]}")
    assert client.get_item(ids[0]).codes == ["ErrorItemNotFound"]


def test_all_properties_are_valid_in_views_and_items(client, owner, book):
    item = book(subject="A < B & \x01 \U0001f600", location="Röm")
    assert client.view(calendar_of(owner), base="AllProperties").codes == ["NoError"]
    answer = client.get_item(item, base="AllProperties")
    assert answer.texts(".//t:Subject") == ["A < B &  \U0001f600"]
    assert client.get_item(item, base="Default").texts(".//t:Location") == ["Röm"]


def test_ids_that_are_none_and_items_that_are_gone(client, sandbox, book):
    item = book()
    other = book()
    sandbox.control("DELETE", f"/appointments/{other}")
    assert client.get_item("rubbish", other, item).codes == [
        "ErrorInvalidIdMalformed",
        "ErrorItemNotFound",
        "NoError",
    ]


def test_a_change_gives_a_new_change_key(client, sandbox, book):
    item = book()
    before = client.get_item(item).all(".//t:ItemId")[0].get("ChangeKey")
    sandbox.control("PATCH", f"/appointments/{item}", {"subject": "Other"})
    after = client.get_item(item).all(".//t:ItemId")[0].get("ChangeKey")
    assert before != after


@pytest.mark.parametrize(
    ("level", "own", "expected"),
    [
        ("Reviewer", False, {"Read"}),
        ("Author", False, {"Read"}),
        ("Author", True, {"Read", "Modify", "Delete"}),
        ("NoneditingAuthor", True, {"Read", "Delete"}),
        ("Editor", False, {"Read", "Modify", "Delete"}),
        ("delegate", False, {"Read", "Modify", "Delete"}),
    ],
)
@pytest.mark.parametrize("style", ["exchange", "items"])
def test_item_rights_depend_on_level_and_creator(sandbox, stranger, owner, book, level, own, expected, style):
    sandbox.control("POST", "/limits", {"rights_style": style})
    grant(sandbox, owner, stranger.user, level)
    item = book(creator=stranger.user if own else owner)
    assert granted(stranger.get_item(item, fields=("item:EffectiveRights",))) == expected
    assert granted(stranger.view(calendar_of(owner), "item:EffectiveRights")) == expected


def test_find_item_may_tell_no_rights_at_all(client, sandbox, owner, book):
    book()
    sandbox.control("POST", "/limits", {"find_item_rights": False})
    assert granted(client.view(calendar_of(owner), "item:EffectiveRights")) == set()


@pytest.mark.parametrize(
    ("policy", "subjects"), [("masked", ["Private Appointment"]), ("hidden", []), ("visible", ["Zanderfall"])]
)
def test_private_items_are_shown_as_the_policy_says(client, sandbox, owner, book, policy, subjects):
    item = book(is_private=True)
    sandbox.control("POST", "/limits", {"private_items": policy})
    answer = client.view(calendar_of(owner), "item:Subject", *TIMES)
    assert answer.texts(".//t:Subject") == subjects
    assert client.get_item(item).codes == (["NoError"] if subjects else ["ErrorItemNotFound"])


def test_an_occurrence_can_be_moved_into_another_year(client, sandbox, owner, book):
    book(rrule="FREQ=DAILY;COUNT=2")
    first = client.view(calendar_of(owner)).all(".//t:ItemId")[0].get("Id")
    far = {"start": "2032-05-01T09:00:00+00:00", "end": "2032-05-01T10:00:00+00:00"}
    sandbox.control("PATCH", f"/appointments/{first}", far)
    assert client.view(calendar_of(owner), *TIMES).texts(".//t:Start") == ["2030-03-05T09:00:00Z"]
    later = client.view(calendar_of(owner), *TIMES, start="2032-04-01T00:00:00Z", end="2032-06-01T00:00:00Z")
    assert later.texts(".//t:Start") == ["2032-05-01T09:00:00Z"]
    assert client.get_item(first, fields=TIMES).texts(".//t:Start") == ["2032-05-01T09:00:00Z"]
