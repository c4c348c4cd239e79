"""Every permission level, case by case: what is concluded, from which rung of the ladder, in how many requests."""

import pytest

from busytime.model import CalendarKind
from busytime.permissions import Need
from tests.integration.permissions.worlds import GRACE, LONG_AGO, Told

GRANTED, INSUFFICIENT, MISSING, UNPROVEN = "granted", "insufficient", "missing", "unproven"
FOLDER, ITEMS, AVAILABILITY, VIEW, LIST = "folder_rights", "item_rights", "availability", "calendar_view", "permission_list"
TOO_LOW, NOT_PROVEN = "level_too_low", "not_proven"

CONTENTS = ("others", "own", "empty")
NO_RIGHT = (Told(MISSING, FOLDER, None, "no_access"), 2)
TIMES_ALONE = (Told(INSUFFICIENT, AVAILABILITY, "FreeBusyTimeOnly", TOO_LOW), 3)
OPEN = Told(UNPROVEN, None, None, NOT_PROVEN)


def anyhow(told, requests):
    """Whatever is in the calendar."""
    return dict.fromkeys(CONTENTS, (told, requests))


def author(level, others_level=None):
    """An Author looks like an Editor until an item of somebody else is asked."""
    return {
        "others": (Told(INSUFFICIENT, ITEMS, others_level or level, TOO_LOW), 3),
        "own": (OPEN, 5),
        "empty": (OPEN, 4),
    }


def editor(level):
    """On Exchange; on other servers the folder's own rights say it in one request."""
    return {"others": (Told(GRANTED, ITEMS, level, None), 3), "own": (OPEN, 5), "empty": (OPEN, 4)}


#: What is concluded of the need to write in a default calendar, on Exchange.
WRITE = {
    "None": dict.fromkeys(CONTENTS, NO_RIGHT),
    "FreeBusyTimeOnly": dict.fromkeys(CONTENTS, TIMES_ALONE),
    "FreeBusyTimeAndSubjectAndLocation": dict.fromkeys(CONTENTS, TIMES_ALONE),
    "Reviewer": anyhow(Told(INSUFFICIENT, FOLDER, "Reviewer", TOO_LOW), 1),
    "Contributor": anyhow(Told(INSUFFICIENT, FOLDER, "Contributor", TOO_LOW), 1),
    "NoneditingAuthor": author("NoneditingAuthor") | {"own": (Told(INSUFFICIENT, ITEMS, "NoneditingAuthor", TOO_LOW), 4)},
    # Where only others' items are there, nothing tells an Author from a NoneditingAuthor: the lower one is named.
    "Author": author("Author", "NoneditingAuthor"),
    "PublishingAuthor": author("PublishingAuthor"),
    "Editor": editor("Editor"),
    "delegate": editor("Editor"),
    "PublishingEditor": editor("PublishingEditor"),
    # All rights in the folder object are the Owner's; the lowest level that has them is named.
    "Owner": anyhow(Told(GRANTED, FOLDER, "PublishingEditor", None), 1),
    # Here it reads and changes, and creates nothing.
    "Custom": anyhow(Told(INSUFFICIENT, FOLDER, "Reviewer", TOO_LOW), 1),
}
#: Where a server derives the folder's rights from those on items, an Editor is told by the first request.
WRITE_ITEMS = WRITE | {
    "Editor": anyhow(Told(GRANTED, FOLDER, "Editor", None), 1),
    "delegate": anyhow(Told(GRANTED, FOLDER, "Editor", None), 1),
    "PublishingEditor": anyhow(Told(GRANTED, FOLDER, "PublishingEditor", None), 1),
}
WRITERS = frozenset({"Editor", "delegate", "PublishingEditor", "Owner"})
AUTHORS = frozenset({"NoneditingAuthor", "Author", "PublishingAuthor"})

#: What is concluded of the need to read a default calendar, and a sub-calendar.
READ = {
    "None": (Told(MISSING, AVAILABILITY, None, "no_access"), 2),
    "FreeBusyTimeOnly": (Told(GRANTED, AVAILABILITY, "FreeBusyTimeOnly", None), 3),
    "FreeBusyTimeAndSubjectAndLocation": (Told(GRANTED, AVAILABILITY, "FreeBusyTimeOnly", None), 3),
    "Contributor": (Told(GRANTED, AVAILABILITY, "FreeBusyTimeOnly", None), 2),
    "Reviewer": (Told(GRANTED, FOLDER, "Reviewer", None), 1),
    "Custom": (Told(GRANTED, FOLDER, "Reviewer", None), 1),
    "NoneditingAuthor": (Told(GRANTED, FOLDER, "NoneditingAuthor", None), 1),
    "Author": (Told(GRANTED, FOLDER, "NoneditingAuthor", None), 1),
    "PublishingAuthor": (Told(GRANTED, FOLDER, "PublishingAuthor", None), 1),
    "Editor": (Told(GRANTED, FOLDER, "NoneditingAuthor", None), 1),
    "delegate": (Told(GRANTED, FOLDER, "NoneditingAuthor", None), 1),
    "PublishingEditor": (Told(GRANTED, FOLDER, "PublishingAuthor", None), 1),
    "Owner": (Told(GRANTED, FOLDER, "PublishingEditor", None), 1),
}
READ_ITEMS = READ | {
    "Editor": (Told(GRANTED, FOLDER, "Editor", None), 1),
    "delegate": (Told(GRANTED, FOLDER, "Editor", None), 1),
    "PublishingEditor": (Told(GRANTED, FOLDER, "PublishingEditor", None), 1),
}
#: A server that tells "not to be seen" from "not there" may do so.
HIDDEN_SUB = {Told(MISSING, VIEW, None, reason) for reason in ("folder_not_found", "no_access")}


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("level", WRITE)
def test_need_to_write_in_a_default_calendar(case, level, content):
    table = WRITE_ITEMS if case.style == "items" else WRITE
    (told,), requests = case.judge(case.calendar(level, content), Need.WRITE)
    assert (told, requests) == table[level][content]
    assert not (level in WRITERS and told.verdict == INSUFFICIENT)
    assert not (level not in WRITERS and told.verdict == GRANTED)


@pytest.mark.parametrize("level", READ)
def test_need_to_read_a_default_calendar(case, level):
    table = READ_ITEMS if case.style == "items" else READ
    (told,), requests = case.judge(case.calendar(level, "others"), Need.READ)
    assert (told, requests) == table[level]


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("level", WRITE)
def test_both_needs_cost_no_more_than_the_dearer_one_and_tell_one_level(case, level, content):
    calendar = case.calendar(level, content)
    (read, write), requests = case.judge(calendar)
    (alone,), dear = case.judge(calendar, Need.WRITE)
    assert write == alone
    # Whether the busy time of a Contributor's calendar is told is one question more.
    assert requests == dear + (level == "Contributor")
    if write.verdict in {GRANTED, INSUFFICIENT} and read.evidence == FOLDER:
        assert read.observed == write.observed


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("level", WRITE)
def test_no_editor_is_insufficient_and_no_author_granted_in_a_sub_calendar(case, level, content):
    (read, write), requests = case.judge(case.calendar(level, content, CalendarKind.SUB))
    if level in WRITERS:
        assert (read.verdict, write.verdict) in {(GRANTED, GRANTED), (GRANTED, UNPROVEN)}
        assert (write.verdict == GRANTED) is (content == "others" or case.style == "items" or level == "Owner")
    elif level in AUTHORS:
        assert read.verdict == GRANTED
        assert write.verdict in {INSUFFICIENT, UNPROVEN}
    elif level in {"Reviewer", "Custom"}:
        assert (read.verdict, write.verdict, requests) == (GRANTED, INSUFFICIENT, 1)
    elif level == "Contributor":
        assert read == Told(INSUFFICIENT, VIEW, "Contributor", "sub_calendar_needs_reviewer")
        assert write == Told(INSUFFICIENT, FOLDER, "Contributor", TOO_LOW)
    else:
        assert read in HIDDEN_SUB
        assert write == Told(MISSING, FOLDER, None, "folder_not_found")


@pytest.mark.parametrize("content", ["own", "empty"])
@pytest.mark.parametrize("level", sorted(WRITERS | AUTHORS))
@pytest.mark.parametrize("shown", ["shown", "omitted", "refused"])
def test_permission_list_settles_it_where_it_is_shown(case, level, content, shown):
    case.world.show_permission_lists(shown)
    (told,), _ = case.judge(case.calendar(level, content), Need.WRITE)
    if level in WRITERS:
        settled = case.style == "items" or level == "Owner"
        expected = GRANTED if settled or shown == "shown" else UNPROVEN
        assert (told.verdict, told.evidence == LIST) == (expected, shown == "shown" and not settled)
    elif shown == "shown" or (level == "NoneditingAuthor" and content == "own"):
        assert (told.verdict, told.observed) == (INSUFFICIENT, level)
    else:
        assert told == OPEN


def test_list_that_names_somebody_else_alone_proves_nothing(case):
    case.world.show_permission_lists("shown")
    calendar = case.calendar("Editor", "empty", CalendarKind.SUB)
    case.world.unlist(calendar.owner, calendar.folder)
    (told,), _ = case.judge(calendar, Need.WRITE)
    assert told.verdict == (GRANTED if case.style == "items" else UNPROVEN)


def test_group_is_told_from_a_person_for_both_needs(case):
    calendar = case.calendar("Editor")
    case.world.make_group(calendar.owner)
    told, requests = case.judge(calendar)
    assert told == [Told(MISSING, AVAILABILITY, None, "is_a_group")] * 2
    assert requests == 3


def test_unknown_mailbox_is_told_from_one_that_is_closed(case):
    calendar = case.calendar("Editor")
    unknown = type(calendar)(calendar.id, "nobody@corp.example", "", calendar.kind)
    told, requests = case.judge(unknown)
    assert [(it.verdict, it.reason) for it in told] == [(MISSING, "mailbox_not_found")] * 2
    assert requests == 2


def test_right_that_may_still_arrive_is_awaited(case):
    closed = case.calendar("None")
    for age, verdict, reason in [(GRACE / 2, "pending", "grant_awaited"), (LONG_AGO, MISSING, "no_access")]:
        told, _ = case.judge(closed, age=age)
        assert [(it.verdict, it.reason) for it in told] == [(verdict, reason)] * 2
    (told,), _ = case.judge(case.calendar("Reviewer"), Need.WRITE, age=GRACE / 2)
    assert told.verdict == INSUFFICIENT  # a level that is seen is not awaited


@pytest.mark.parametrize("level", ["Editor", "delegate", "PublishingEditor"])
def test_probe_proves_and_leaves_nothing_behind(case, level):
    calendar = case.calendar(level, "own")
    before = case.world.markers(calendar.owner, "")
    (told,), _ = case.judge(calendar, Need.WRITE, probe=True)
    settled = case.style == "items"
    assert (told.verdict, told.evidence) == (GRANTED, FOLDER if settled else "probe_write")
    assert case.world.markers(calendar.owner, "") == before


@pytest.mark.parametrize("level", ["NoneditingAuthor", "Author"])
def test_probe_is_not_tried_where_others_items_settle_it(case, level):
    (told,), requests = case.judge(case.calendar(level, "others"), Need.WRITE, probe=True)
    assert (told.verdict, requests) == (INSUFFICIENT, 3)


def test_probe_that_is_denied_says_so(case):
    calendar = case.calendar("NoneditingAuthor", "empty")
    (told,), _ = case.judge(calendar, Need.WRITE, probe=True)
    assert told == Told(INSUFFICIENT, "probe_write", None, "write_denied")
    assert case.world.markers(calendar.owner, "") == []
