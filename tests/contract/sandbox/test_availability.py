"""GetUserAvailability."""

from __future__ import annotations

import pytest

from tests.contract.sandbox.client import Client, calendar_of

NINE, TEN = "2030-03-04T09:00:00", "2030-03-04T10:00:00"
BERLIN = (
    "<t:TimeZone><t:Bias>-60</t:Bias>"
    "<t:StandardTime><t:Bias>0</t:Bias><t:Time>03:00:00</t:Time><t:DayOrder>5</t:DayOrder>"
    "<t:Month>10</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek></t:StandardTime>"
    "<t:DaylightTime><t:Bias>-60</t:Bias><t:Time>02:00:00</t:Time><t:DayOrder>5</t:DayOrder>"
    "<t:Month>3</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek></t:DaylightTime></t:TimeZone>"
)


def events(answer) -> list[tuple[str, str, str]]:
    return [
        (one.findtext("{*}StartTime"), one.findtext("{*}EndTime"), one.findtext("{*}BusyType"))
        for one in answer.all(".//t:CalendarEvent")
    ]


def view_types(answer) -> list[str]:
    return answer.texts(".//t:FreeBusyViewType")


@pytest.mark.parametrize("status", ["Free", "Tentative", "Busy", "OOF", "WorkingElsewhere", "NoData"])
def test_every_status_is_answered_as_it_is(client, owner, book, status):
    book(status=status)
    assert events(client.availability(owner)) == [(NINE, TEN, status)]


def test_an_appointment_over_the_edge_comes_whole(client, owner, book):
    book("2030-02-27T00:00:00+00:00", "2030-03-20T00:00:00+00:00")
    assert events(client.availability(owner)) == [("2030-02-27T00:00:00", "2030-03-20T00:00:00", "Busy")]


@pytest.mark.parametrize(("inclusive", "count"), [(True, 4), (False, 2)])
def test_edges_are_inclusive_as_the_policy_says(client, sandbox, owner, book, inclusive, count):
    book("2030-03-04T08:00:00+00:00", "2030-03-04T09:00:00+00:00")
    book("2030-03-04T10:00:00+00:00", "2030-03-04T11:00:00+00:00")
    book("2030-03-04T08:00:00+00:00", "2030-03-04T09:00:01+00:00")
    book("2030-03-04T09:59:59+00:00", "2030-03-04T11:00:00+00:00")
    sandbox.control("POST", "/limits", {"inclusive_edges": inclusive})
    assert len(events(client.availability(owner, start=NINE, end=TEN))) == count


def test_an_occurrence_beyond_the_window_comes_when_ordered(client, sandbox, owner, book):
    book("2030-05-04T08:00:00+00:00", "2030-05-04T09:00:00+00:00")
    assert events(client.availability(owner)) == []
    sandbox.control("POST", "/limits", {"beyond_window": True})
    assert len(events(client.availability(owner))) == 1


def test_times_are_in_the_zone_of_the_request_summer_time_included(client, owner, book):
    book("2030-03-30T09:00:00+00:00", "2030-03-30T10:00:00+00:00")
    book("2030-03-31T09:00:00+00:00", "2030-03-31T10:00:00+00:00")
    answer = client.availability(owner, start="2030-03-30T00:00:00", end="2030-04-02T00:00:00", zone=BERLIN)
    assert events(answer) == [
        ("2030-03-30T10:00:00", "2030-03-30T11:00:00", "Busy"),
        ("2030-03-31T11:00:00", "2030-03-31T12:00:00", "Busy"),
    ]


def test_window_without_offset_is_local_to_the_zone_of_the_request(client, owner, book, sandbox):
    sandbox.control("POST", "/limits", {"inclusive_edges": False})
    book()
    assert events(client.availability(owner, start=TEN, end="2030-03-04T11:00:00", zone=BERLIN))
    assert not events(client.availability(owner, start=NINE, end=TEN, zone=BERLIN))


def test_a_series_is_expanded_with_its_changes_and_keeps_its_local_time(client, sandbox, owner, book):
    book(
        "2030-03-20T09:00:00+00:00",
        "2030-03-20T10:00:00+00:00",
        rrule="FREQ=WEEKLY;COUNT=4",
        time_zone="Europe/Berlin",
    )
    window = f"owner={owner}&start=2030-03-01T00:00:00%2B00:00&end=2030-05-01T00:00:00%2B00:00"
    ids = [one["id"] for one in sandbox.control("GET", f"/appointments?{window}")]
    assert len(ids) == 4
    sandbox.control("DELETE", f"/appointments/{ids[0]}")
    moved = {"start": "2030-04-05T12:00:00+00:00", "end": "2030-04-05T13:30:00+00:00"}
    sandbox.control("PATCH", f"/appointments/{ids[2]}", moved)
    answer = client.availability(owner, start="2030-03-15T00:00:00", end="2030-05-01T00:00:00")
    assert events(answer) == [
        ("2030-03-27T09:00:00", "2030-03-27T10:00:00", "Busy"),
        ("2030-04-05T12:00:00", "2030-04-05T13:30:00", "Busy"),
        ("2030-04-10T08:00:00", "2030-04-10T09:00:00", "Busy"),
    ]


def test_cancelled_appointments_take_no_time(client, owner, book):
    book(is_cancelled=True)
    assert events(client.availability(owner)) == []


def test_zero_length_and_inverted_appointments_come_when_ordered(client, owner, book):
    book("2030-03-04T09:00:00+00:00", "2030-03-04T09:00:00+00:00")
    book("2030-03-05T09:00:00+00:00", "2030-03-05T08:00:00+00:00", allow_inverted=True)
    assert events(client.availability(owner)) == [
        (NINE, NINE, "Busy"),
        ("2030-03-05T09:00:00", "2030-03-05T08:00:00", "Busy"),
    ]


def test_one_mailboxs_failure_leaves_the_others_good_in_the_order_asked(client, sandbox, owner, book):
    book()
    sandbox.control("POST", "/mailbox", {"owner": "nocal@corp.example", "kind": "no_calendar"})
    sandbox.control("POST", "/mailbox", {"owner": "closed@corp.example", "kind": "person"})
    for grantee in ("Default", sandbox.email):
        order = {"owner": "closed@corp.example", "folder": "", "grantee": grantee, "level": "None"}
        sandbox.control("POST", "/permission", order)
    asked = ["nobody@corp.example", owner, "nocal@corp.example", "closed@corp.example", owner.upper()]
    answer = client.availability(*asked)
    assert answer.codes == [
        "ErrorMailRecipientNotFound",
        "NoError",
        "ErrorFreeBusyGenerationFailed",
        "ErrorNoFreeBusyAccess",
        "NoError",
    ]
    assert len(events(answer)) == 2


def test_hundred_mailboxes_are_answered_and_one_more_fails_the_request(client, owner):
    assert client.availability(*[owner] * 100).codes == ["NoError"] * 100
    assert client.availability(*[owner] * 101).fault == "ErrorMailboxDataArrayTooBig"


def test_the_window_limit_is_the_policys(client, sandbox, owner):
    assert client.availability(owner, end="2030-05-02T00:00:00").codes == ["NoError"]
    assert client.availability(owner, end="2030-05-02T00:00:01").fault == "ErrorTimeIntervalTooBig"
    sandbox.control("POST", "/limits", {"window_days": 42})
    assert client.availability(owner, end="2030-05-02T00:00:00").fault == "ErrorTimeIntervalTooBig"
    sandbox.control("POST", "/limits", {"window_error": "mailbox"})
    assert client.availability(owner, end="2030-05-02T00:00:00").codes == ["ErrorTimeIntervalTooBig"]


def test_a_window_that_ends_before_it_starts_is_refused(client, owner):
    assert client.availability(owner, start=TEN, end=NINE).fault == "ErrorInvalidTimeInterval"


def test_a_request_without_zone_is_refused(client, owner):
    assert client.availability(owner, zone="").fault == "ErrorTimeZone"


def test_answers_are_cut_at_the_limit_from_the_start(client, sandbox, owner, book):
    book("2030-02-01T09:00:00+00:00", "2030-04-04T09:30:00+00:00")
    for hour in range(9, 13):
        book(f"2030-03-04T{hour:02}:00:00+00:00", f"2030-03-04T{hour:02}:30:00+00:00")
    sandbox.control("POST", "/limits", {"availability_items": 3})
    starts = [start for start, _, _ in events(client.availability(owner))]
    assert starts == ["2030-02-01T09:00:00", NINE, TEN]


def test_free_busy_tells_no_subject(client, owner, book):
    book()
    assert b"Zanderfall" not in client.availability(owner).body


def test_detailed_tells_subjects_but_not_of_private_ones(client, owner, book):
    book()
    book("2030-03-05T09:00:00+00:00", "2030-03-05T10:00:00+00:00", subject="Hidden", is_private=True)
    answer = client.availability(owner, view="Detailed")
    assert view_types(answer) == ["Detailed"]
    assert answer.texts(".//t:Subject") == ["Zanderfall"]
    assert answer.texts(".//t:IsPrivate") == ["false", "true"]


def test_subjects_are_sent_unasked_when_ordered_private_ones_too(client, sandbox, owner, book):
    book()
    book("2030-03-05T09:00:00+00:00", "2030-03-05T10:00:00+00:00", subject="Hidden", is_private=True)
    sandbox.control("POST", "/limits", {"send_details": True})
    answer = client.availability(owner)
    assert view_types(answer) == ["Detailed"]
    assert answer.texts(".//t:Subject") == ["Zanderfall", "Hidden"]


@pytest.mark.parametrize(
    ("level", "view", "subjects", "ids"),
    [
        ("FreeBusyTimeOnly", "FreeBusy", 0, 0),
        ("FreeBusyTimeAndSubjectAndLocation", "Detailed", 1, 0),
        ("Reviewer", "Detailed", 1, 1),
    ],
)
def test_detail_depends_on_the_level(sandbox, stranger, owner, book, level, view, subjects, ids):
    book()
    order = {"owner": owner, "folder": "", "grantee": stranger.user, "level": level}
    sandbox.control("POST", "/permission", order)
    answer = stranger.availability(owner, view="Detailed")
    assert view_types(answer) == [view]
    assert len(answer.texts(".//t:Subject")) == subjects
    assert len(answer.texts(".//t:ID")) == ids


def test_strangers_see_times_by_default(stranger, owner, book):
    book()
    assert events(stranger.availability(owner)) == [(NINE, TEN, "Busy")]
    assert stranger.get_folder(calendar_of(owner)).codes == ["ErrorItemNotFound"]


def test_merged_digits_take_the_strongest_status_of_each_interval(client, owner, book):
    book("2030-03-04T09:30:00+00:00", "2030-03-04T11:00:00+00:00", status="Tentative")
    book("2030-03-04T10:00:00+00:00", "2030-03-04T10:01:00+00:00", status="OOF")
    book("2030-03-04T12:00:00+00:00", "2030-03-04T13:00:00+00:00", status="WorkingElsewhere")
    book("2030-03-04T13:00:00+00:00", "2030-03-04T14:00:00+00:00", status="Busy")
    answer = client.availability(owner, start="2030-03-04T08:00:00", end="2030-03-04T14:30:00", view="FreeBusyMerged")
    assert answer.texts(".//t:MergedFreeBusy") == ["0130020"]


def test_merged_only_mailboxes_have_no_appointments_and_digits_when_asked(client, sandbox, owner, book):
    book()
    sandbox.control("POST", "/mailbox", {"owner": owner, "kind": "merged_only"})
    plain = client.availability(owner)
    assert (view_types(plain), events(plain), plain.texts(".//t:MergedFreeBusy")) == (["MergedOnly"], [], [])
    merged = client.availability(owner, start=NINE, end="2030-03-04T11:00:00", view="FreeBusyMerged")
    assert (view_types(merged), merged.texts(".//t:MergedFreeBusy")) == (["MergedOnly"], ["20"])


def test_no_data_mailboxes_say_so_in_both_views(client, sandbox, owner, book):
    book()
    sandbox.control("POST", "/mailbox", {"owner": owner, "kind": "no_data"})
    assert events(client.availability(owner, start=NINE, end=TEN)) == [(NINE, TEN, "NoData")]
    merged = client.availability(owner, start=NINE, end="2030-03-04T11:00:00", view="FreeBusyMerged")
    assert merged.texts(".//t:MergedFreeBusy") == ["44"]


def test_no_view_mailboxes_answer_none(client, sandbox, owner):
    sandbox.control("POST", "/mailbox", {"owner": owner, "kind": "no_view"})
    assert view_types(client.availability(owner)) == ["None"]


def test_a_group_answers_as_one_calendar_of_its_members(client, sandbox, owner, book):
    book()
    other = f"other-{owner}"
    sandbox.control("POST", "/mailbox", {"owner": other, "kind": "person"})
    times = {"start": "2030-03-06T09:00:00+00:00", "end": "2030-03-06T10:00:00+00:00"}
    sandbox.control("POST", "/appointments", {"owner": other, **times})
    group = f"group-{owner}"
    sandbox.control("POST", "/mailbox", {"owner": group, "kind": "group", "members": [owner, other]})
    assert [start for start, _, _ in events(client.availability(group))] == [NINE, "2030-03-06T09:00:00"]
    assert client.get_folder(calendar_of(group)).codes == ["ErrorNonExistentMailbox"]


def test_owners_see_their_own(sandbox, owner, book):
    book()
    sandbox.control("POST", "/password", {"email": owner, "password": "of-the-owner"})
    client = Client(sandbox, owner, "of-the-owner")
    assert events(client.availability(owner)) == [(NINE, TEN, "Busy")]
    client.close()
