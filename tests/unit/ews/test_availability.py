"""Reading availability answers: tables of odd answers, and a soup of events."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from busytime.errors import Reason
from busytime.ews import availability as reading
from busytime.ews.availability import MERGED_ONLY, read_response, read_responses, responses_in
from busytime.ews.body import Unreadable
from busytime.ews.times import InstantCache, parse_instant
from busytime.model import BusyStatus, BusyTime, Unanswered
from tests.unit.ews.answers import element, event, response


def read(node):
    return read_response(node, InstantCache())


def at(hour, minute=0):
    return datetime(2026, 11, 24, hour, minute, tzinfo=UTC)


NINE = (at(9), at(10), BusyStatus.BUSY)


@pytest.mark.parametrize(
    "events",
    [
        event(),
        event("2026-11-24T09:00:00Z", "2026-11-24T10:00:00+00:00"),
        event("2026-11-24T10:00:00+01:00", "2026-11-24T04:30:00-05:30"),
        event("2026-11-24T09:00:00.000000000", "2026-11-24T10:00:00.0"),
        event(" 2026-11-24T09:00:00 ", "\n2026-11-24T10:00:00\n", " Busy "),
        event(more="<t:CalendarEventDetails><t:Subject>Secret</t:Subject></t:CalendarEventDetails>"),
        event(more="<t:CalendarEventDetails> <t:ID>1</t:ID> <t:IsPrivate>true</t:IsPrivate> </t:CalendarEventDetails>"),
        event() + event(status="Free"),
        event() + event("2026-11-24T09:00:00", "2026-11-24T09:00:00"),
        event() + event("2026-11-24T09:00:00", "2026-11-24T09:00:00", "Free"),
        (
            "<t:CalendarEvent><t:BusyType>Busy</t:BusyType><t:EndTime>2026-11-24T10:00:00</t:EndTime>"
            "<t:StartTime>2026-11-24T09:00:00</t:StartTime></t:CalendarEvent>"
        ),
        (
            "<t:CalendarEvent>\n<t:StartTime>2026-11-24T09:00:00</t:StartTime>\n<t:EndTime>2026-11-24T10:00:00</t:EndTime>\n"
            "<t:BusyType>Busy</t:BusyType>\n</t:CalendarEvent>\n"
        ),
    ],
)
def test_one_busy_hour_however_it_is_written(events):
    assert read(response(events)) == BusyTime((NINE,))


@pytest.mark.parametrize(
    ("events", "answer"),
    [
        (event(status="NoData"), Unanswered(Reason.NO_DATA)),
        (event() + event(status="NoData"), Unanswered(Reason.NO_DATA)),
        (event(status="Snoozing"), Unanswered(Reason.MALFORMED_ANSWER)),
        (event(status=""), Unanswered(Reason.MALFORMED_ANSWER)),
        (event(status="busy"), Unanswered(Reason.MALFORMED_ANSWER)),
        (event("2026-11-24T11:00:00"), Unanswered(Reason.ENDS_BEFORE_START, "2026-11-24T11:00:00+00:00")),
        (event("2026-11-24T11:00:00", status="Free"), Unanswered(Reason.ENDS_BEFORE_START, "2026-11-24T11:00:00+00:00")),
        (event("tomorrow"), Unanswered(Reason.MALFORMED_ANSWER)),
        (event("2026-11-24"), Unanswered(Reason.MALFORMED_ANSWER)),
        (event("2026-02-30T09:00:00"), Unanswered(Reason.MALFORMED_ANSWER)),
        (event(end=""), Unanswered(Reason.MALFORMED_ANSWER)),
        ("<t:CalendarEvent/>", Unanswered(Reason.MALFORMED_ANSWER)),
        (event() + event("tomorrow") + event(status="NoData"), Unanswered(Reason.NO_DATA)),
        (event() * 1000, Unanswered(Reason.TOO_MANY_APPOINTMENTS)),
        (event(status="Free") * 1000, Unanswered(Reason.TOO_MANY_APPOINTMENTS)),
    ],
)
def test_what_cannot_be_read_is_unknown(events, answer):
    assert read(response(events)) == answer


def test_one_appointment_less_than_the_cut_is_an_answer():
    assert len(read(response(event() * 999)).intervals) == 999


@pytest.mark.parametrize(
    ("node", "answer"),
    [
        (response(array=False), BusyTime(())),
        (response(view="FreeBusyMerged"), BusyTime(())),
        (response(view="FreeBusy MergedOnly"), BusyTime(())),
        (response(view="None", array=False), Unanswered(Reason.NO_DATA)),
        (response(view="MergedOnly", merged="0000", array=False), MERGED_ONLY),
        (response(view="", array=False), Unanswered(Reason.MALFORMED_ANSWER)),
        (response(view=None, array=False), Unanswered(Reason.MALFORMED_ANSWER)),
        (response(view="Everything"), Unanswered(Reason.MALFORMED_ANSWER)),
        (element("<m:FreeBusyResponse/>"), Unanswered(Reason.MALFORMED_ANSWER)),
        (
            element('<m:FreeBusyResponse><m:ResponseMessage ResponseClass="Success"/></m:FreeBusyResponse>'),
            Unanswered(Reason.MALFORMED_ANSWER),
        ),
        (
            response(code="ErrorMailRecipientNotFound", kind="Error"),
            Unanswered(Reason.MAILBOX_NOT_FOUND, "ErrorMailRecipientNotFound"),
        ),
        (response(code="ErrorNoFreeBusyAccess", kind="Error"), Unanswered(Reason.NO_ACCESS, "ErrorNoFreeBusyAccess")),
        (response(code="ErrorTimeIntervalTooBig", kind="Error"), Unanswered(Reason.WINDOW_TOO_LONG, "ErrorTimeIntervalTooBig")),
        (response(code="ErrorAccountDisabled", kind="Error"), Unanswered(Reason.MAILBOX_UNAVAILABLE, "ErrorAccountDisabled")),
        (response(code="ErrorBrandNew", kind="Error"), Unanswered(Reason.UNEXPECTED, "ErrorBrandNew")),
        (response(code="Lunch with Bo", kind="Error"), Unanswered(Reason.UNEXPECTED)),
        (response(event(), code="ErrorBrandNew", kind="Warning"), Unanswered(Reason.UNEXPECTED, "ErrorBrandNew")),
        (response(event(), kind="Maybe"), Unanswered(Reason.MALFORMED_ANSWER)),
    ],
)
def test_every_kind_of_response(node, answer):
    assert read(node) == answer


def test_answer_to_something_else_is_unreadable():
    with pytest.raises(Unreadable):
        responses_in(element("<m:GetFolderResponse/>"))


def test_answer_without_responses_has_none():
    assert responses_in(element("<m:GetUserAvailabilityResponse/>")) == []


def test_instants_are_shared_by_the_mailboxes_of_one_answer():
    first, second = read_responses([response(event()), response(event())])
    assert first.intervals[0][0] is second.intervals[0][0]


TEXTS = st.sampled_from(
    ["2026-11-24T09:00:00", "2026-11-24T10:00:00Z", "2026-11-24T11:00:00.123456789", "2026-11-24T12:00:00+02:00", "x", "", "Busy"]
)
STATUSES = st.sampled_from(
    ["Busy", "Tentative", "OOF", "WorkingElsewhere", "Free", "NoData", "Snoozing", "", "2026-11-24T09:00:00"]
)
PARTS = st.one_of(
    st.builds("<t:StartTime>{}</t:StartTime>".format, TEXTS),
    st.builds("<t:EndTime>{}</t:EndTime>".format, TEXTS),
    st.builds("<t:BusyType>{}</t:BusyType>".format, STATUSES),
    st.sampled_from(["<t:CalendarEventDetails> <t:Subject>s</t:Subject> </t:CalendarEventDetails>", "<m:Other>o</m:Other>"]),
)
WHOLE = st.builds(event, TEXTS, TEXTS, STATUSES)
ODD = st.lists(PARTS, max_size=4).map(lambda parts: "<t:CalendarEvent>" + "".join(parts) + "</t:CalendarEvent>")
SOUP = st.lists(st.one_of(WHOLE, WHOLE, ODD), max_size=6)


@example(
    [
        (
            "<t:CalendarEvent><t:StartTime>2026-11-24T09:00:00</t:StartTime><t:StartTime>2026-11-24T10:00:00Z</t:StartTime>"
            "<t:BusyType>Busy</t:BusyType></t:CalendarEvent>"
        )
    ]
)
@given(SOUP)
def test_soup_never_invents_free_time(events):
    answer = read(response("".join(events)))
    if isinstance(answer, Unanswered):
        return
    # Each appointment that is not free or empty is there: nothing was dropped to make an answer.
    expected = 0
    for node in response("".join(events)).iter("{*}CalendarEvent"):
        status = (node.findtext("{*}BusyType") or "").strip()
        assert status in {"Busy", "Tentative", "OOF", "WorkingElsewhere", "Free"}
        times = [(node.findtext(f"{{*}}{name}") or "").strip() for name in ("StartTime", "EndTime")]
        assert "" not in times
        expected += status != "Free" and parse_instant(times[0]) != parse_instant(times[1])
    assert len(answer.intervals) == expected
    assert all(end > start for start, end, _ in answer.intervals)


@given(SOUP)
def test_quick_way_and_careful_way_agree(events):
    node = response("".join(events))
    assert read(node) == reading._read_carefully(node, InstantCache())


@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 10**4), st.sampled_from(list(reading.statuses.ALL))), max_size=40)
)
def test_well_formed_appointments_are_read_as_sent(rows):
    base = datetime(2026, 1, 1, tzinfo=UTC)
    expected = []
    events = ""
    for minute, length, status in rows:
        start, end = base + timedelta(minutes=minute), base + timedelta(minutes=minute + length)
        events += event(start.replace(tzinfo=None).isoformat(), end.replace(tzinfo=None).isoformat(), status)
        if reading.statuses.ALL[status] is not None:
            expected.append((start, end, reading.statuses.ALL[status]))
    assert read(response(events)) == BusyTime(tuple(expected))
