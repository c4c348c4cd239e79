"""Servers that twist or refuse what is asked about entries: an answer that is not whole is none."""

import re
from datetime import UTC, datetime

import pytest

from busytime.errors import (
    AuthenticationError,
    CalendarUnreadableError,
    MailboxNotFoundError,
    Reason,
    ServerBusyError,
    SkippableError,
    SpoiltAnswerError,
)
from busytime.ews import entries
from busytime.model import BusyStatus, Window
from tests.integration.ews.scripted import BOOKED as MARKER
from tests.integration.ews.scripted import GONE, entry, found, key, message, refused, shown

OWNER = "ana@corp.example"
DAY = Window(datetime(2026, 12, 1, tzinfo=UTC), datetime(2026, 12, 2, tzinfo=UTC))


def view(gateway):
    return gateway.read_items(OWNER, None, DAY)


def find(gateway):
    return gateway.find_entries(OWNER, None, MARKER)


def find_all(gateway):
    return gateway.find_entries(OWNER, None, "one/")


def read(gateway):
    return gateway.read_entries(["a", "b"])


def busy(status="Busy"):
    return f"<t:LegacyFreeBusyStatus>{status}</t:LegacyFreeBusyStatus><t:IsCancelled>false</t:IsCancelled>"


# Views


@pytest.mark.parametrize("code", ["ErrorInvalidExtendedProperty", "ErrorInvalidPropertyRequest", "ErrorUnsupportedPathForQuery"])
def test_view_that_tells_no_markers_is_asked_without(play, code):
    items, script = play(view, refused("FindItem", code), found(entry("a", busy(), marker=None)))
    assert [(one.item_id, one.status, one.marker_key, one.revision, one.created_at) for one in items] == [
        ("a", BusyStatus.BUSY, None, None, None)
    ]
    assert ["ExtendedFieldURI" in body for body in script.bodies] == [True, False]


@pytest.mark.parametrize("code", ["ErrorAccessDenied", "ErrorFolderNotFound", "ErrorCalendarViewRangeTooBig"])
def test_view_that_is_refused_for_the_folder_or_the_window_is_not_asked_again(play, code):
    error, script = play(view, refused("FindItem", code))
    assert isinstance(error, SkippableError)
    assert len(script.operations) == 1


def test_odd_markers_make_no_view_unreadable(play):
    odd = [
        entry("a", busy(), marker=None) + entry("b", busy(), marker=""),
        entry("c", key("many", name="BusytimeRevision") + busy()),
        entry("d", key("-1", name="BusytimeRevision") + busy()),
        entry("e", key("9" * 5000, name="BusytimeRevision") + busy()),
        entry("f", key("٣", name="BusytimeRevision") + "<t:DateTimeCreated>then</t:DateTimeCreated>" + busy()),
        entry("g", key("007", name="BusytimeRevision") + "<t:DateTimeCreated>2026-11-23T07:00:00Z</t:DateTimeCreated>" + busy()),
    ]
    items, _script = play(view, found(*odd))
    assert [(one.item_id, one.marker_key, one.revision) for one in items] == [
        ("a", None, None),
        ("b", "", None),
        *((item_id, MARKER, None) for item_id in "cdef"),
        ("g", MARKER, 7),
    ]
    assert [one.created_at for one in items][-2:] == [None, datetime(2026, 11, 23, 7, tzinfo=UTC)]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (entry("a", busy("NoData")), Reason.NO_DATA),
        (entry("a", busy("Sleepy")), Reason.MALFORMED_ANSWER),
        (entry("a"), Reason.MALFORMED_ANSWER),
        (entry("a", busy(), start="soon"), Reason.MALFORMED_ANSWER),
        (entry("a", busy(), start="2026-12-01T11:00:00Z"), Reason.ENDS_BEFORE_START),
        (entry("a", busy("Free"), start="soon"), Reason.MALFORMED_ANSWER),
    ],
)
def test_view_with_an_unreadable_item_is_unreadable(play, bad, reason):
    error, _script = play(view, found(entry("z", busy()), bad))
    assert (type(error), error.reason) == (CalendarUnreadableError, reason)


def test_view_leaves_out_what_takes_no_time_of_anybody(play):
    cancelled = busy("NoData").replace("false", "true")
    free = entry("b", busy("Free"), start="soon", marker=None)
    items, _script = play(view, found(entry("a", cancelled), free, entry("c", busy("Free"))))
    assert [(one.item_id, one.status) for one in items] == [("c", None)]


def test_view_keeps_what_overlaps_the_window_whatever_the_server_sends(play):
    edges = [
        entry("before", busy(), start="2026-11-30T23:00:00Z", end="2026-12-01T00:00:00Z"),
        entry("over", busy(), start="2026-11-30T23:00:00Z", end="2026-12-01T00:00:01Z"),
        entry("after", busy(), start="2026-12-02T00:00:00Z", end="2026-12-02T01:00:00Z"),
        entry("far", busy(), start="2026-12-24T00:00:00Z", end="2026-12-24T00:00:00Z"),
    ]
    items, _script = play(view, found(*edges))
    assert [one.item_id for one in items] == ["over"]


def test_viewed_item_without_an_id_is_no_answer(play):
    error, _script = play(view, found(entry("", busy())))
    assert isinstance(error, SpoiltAnswerError)


# Searches


def test_search_that_is_refused_looks_at_every_marker(play):
    others = [entry("a", marker="two/BK-1"), entry("b", marker="ONE/bk-1"), entry("c"), entry("d", marker=None)]
    pages = [found(*others, told='IncludesLastItemInRange="false"'), found(entry("e"))]
    items, script = play(find, refused("FindItem", "ErrorUnsupportedPathForQuery"), *pages)
    assert [one.item_id for one in items] == ["c", "e"]
    assert ["Exists" in body for body in script.bodies] == [False, True, True]
    assert [re.search(r'Offset="(\d+)"', body)[1] for body in script.bodies] == ["0", "0", "4"]


@pytest.mark.parametrize("search", [find, find_all])
@pytest.mark.parametrize("refusals", [["ErrorUnsupportedPathForQuery"] * 2, ["ErrorAccessDenied"], ["ErrorItemNotFound"]])
def test_search_that_is_refused_concludes_nothing(play, search, refusals):
    error, script = play(search, *[refused("FindItem", code) for code in refusals])
    assert isinstance(error, SkippableError)
    assert error.detail == refusals[0]
    assert len(script.operations) == len(refusals)


LAST, MORE = 'IncludesLastItemInRange="1" TotalItemsInView="{}"', 'IncludesLastItemInRange="0" TotalItemsInView="{}"'


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([MORE.format(3), MORE.format(3), LAST.format(3)], ["i0", "i1", "i2"]),
        ([MORE.format(2), MORE.format(3), LAST.format(3)], ["i0", "i1", "i2"]),  # one was made meanwhile
        (['TotalItemsInView="2"', 'TotalItemsInView="2"'], ["i0", "i1"]),
        ([""], ["i0"]),
        ([MORE.format("?"), LAST.format("")], ["i0", "i1"]),
    ],
)
def test_pages_are_read_to_the_last(play, told, expected):
    items, script = play(find_all, *[found(entry(f"i{number}"), told=each) for number, each in enumerate(told)])
    assert [one.item_id for one in items] == expected
    assert len(script.operations) == len(told)


def test_server_that_never_says_that_a_page_is_the_last(play):
    items, _script = play(find_all, found(entry("a"), told=MORE.format(1)), found(told=MORE.format(1)))
    assert [one.item_id for one in items] == ["a"]


def test_item_on_two_pages_counts_once(play):
    pages = [found(entry("a"), entry("b"), told=MORE.format(3)), found(entry("b"), entry("c"), told=LAST.format(4))]
    items, _script = play(find_all, *pages)
    assert [one.item_id for one in items] == ["a", "b", "c"]


@pytest.mark.parametrize("second", [found(entry("c"), told=LAST.format(2)), found(told=MORE.format(3)), GONE])
def test_listing_that_breaks_off_or_shrinks_is_no_answer(play, second):
    error, _script = play(find_all, found(entry("a"), told=MORE.format(3)), second)
    assert isinstance(error, SpoiltAnswerError)


def test_endless_pages_are_no_answer(play, monkeypatch):
    monkeypatch.setattr(entries, "MOST_PAGES", 3)
    pages = [found(entry(f"i{number}"), told=MORE.format(99)) for number in range(3)]
    error, _script = play(find_all, *pages)
    assert (type(error), error.reason) == (SkippableError, Reason.TOO_MANY_APPOINTMENTS)


def test_time_of_others_is_not_looked_at(play):
    items, _script = play(find, found(entry("a", marker="two/BK-1", start="soon"), entry("b")))
    assert [one.item_id for one in items] == ["b"]


@pytest.mark.parametrize("do", [find, read])
def test_entry_that_says_no_time_is_unreadable(play, do):
    bad = entry("a", end="late")
    error, _script = play(do, found(bad) if do is find else shown(bad, entry("b")))
    assert isinstance(error, CalendarUnreadableError)


# Reading by id


@pytest.mark.parametrize("code", ["ErrorItemNotFound", "ErrorAccessDenied", "ErrorInvalidIdMalformed"])
def test_item_that_is_gone_or_hidden_is_none(play, code):
    items, _script = play(read, shown(message("GetItem", code=code), entry("b")))
    assert [None if one is None else one.item_id for one in items] == [None, "b"]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ErrorMailboxMoveInProgress", SpoiltAnswerError),
        ("ErrorServerBusy", ServerBusyError),
        ("ErrorPasswordExpired", AuthenticationError),
        ("ErrorNonExistentMailbox", MailboxNotFoundError),
        ("ErrorBrandNew", SpoiltAnswerError),
    ],
)
def test_item_that_fails_otherwise_fails_the_reading(play, code, kind):
    error, _script = play(read, shown(entry("a"), message("GetItem", code=code)))
    assert type(error) is kind


@pytest.mark.parametrize("count", [0, 1, 3])
def test_answer_about_more_or_fewer_entries_is_not_used(play, count):
    error, _script = play(read, shown(*[entry("a")] * count))
    assert isinstance(error, SpoiltAnswerError)
