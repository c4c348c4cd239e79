"""What is made of an entry by the items of its folder that carry its marker."""

from dataclasses import replace

import pytest

from busytime.bookings import ChangeKind, EntryState
from busytime.errors import Reason
from busytime.owner_changes import judge_entry
from tests.unit.bookings.snapshots import ELSEWHERE, WHEN, make_entry, make_intent, make_item
from tests.unit.moments import at, window

PRESENT = make_entry(EntryState.PRESENT, intent=make_intent())
MOVED = replace(PRESENT, state=EntryState.MOVED_BY_OWNER, window=ELSEWHERE)
NOW = at(5)


def judged(entry, *items, wanted=WHEN):
    found = judge_entry(entry, wanted, items, NOW)
    assert found.verified_at == NOW
    assert (found.id, found.revision, found.intent) == (entry.id, entry.revision, entry.intent)
    return found.state, found.item_id, found.window, found.reason


@pytest.mark.parametrize("entry", [PRESENT, MOVED])
def test_an_entry_without_any_item_was_removed(entry):
    assert judged(entry) == (EntryState.REMOVED_BY_OWNER, None, entry.window, Reason.GONE)


@pytest.mark.parametrize("entry", [PRESENT, MOVED])
@pytest.mark.parametrize("wanted", [WHEN, None, window(10, 20)])
def test_an_entry_that_lies_as_stored_stays_what_it_is(entry, wanted):
    state = entry.state if entry.window != wanted else EntryState.PRESENT
    assert judged(entry, make_item(when=entry.window), wanted=wanted) == (state, "item", entry.window, None)


def test_an_entry_at_another_time_was_moved():
    assert judged(PRESENT, make_item(when=ELSEWHERE)) == (EntryState.MOVED_BY_OWNER, "item", ELSEWHERE, None)
    longer = window(60, 120)
    assert judged(PRESENT, make_item(when=longer)) == (EntryState.MOVED_BY_OWNER, "item", longer, None)


def test_an_entry_that_was_moved_back_is_present():
    assert judged(MOVED, make_item(when=WHEN)) == (EntryState.PRESENT, "item", WHEN, None)


def test_an_entry_that_was_moved_again_stays_moved():
    again = window(200, 230)
    assert judged(MOVED, make_item(when=again)) == (EntryState.MOVED_BY_OWNER, "item", again, None)


def test_an_entry_of_no_length_keeps_the_time_that_was_known():
    assert judged(PRESENT, make_item(when=WHEN), make_item("copy", made=None))[3] is Reason.COPIED_BY_OWNER
    point = replace(make_item(), end=make_item().start)
    assert judged(PRESENT, point) == (EntryState.MOVED_BY_OWNER, "item", WHEN, None)


def test_a_copy_beside_the_entry_changes_nothing_but_is_noted():
    copy = make_item("copy", when=ELSEWHERE, made=1)
    assert judged(PRESENT, make_item(), copy) == (EntryState.PRESENT, "item", WHEN, Reason.COPIED_BY_OWNER)


def test_a_copy_that_took_the_place_of_the_entry_is_the_entry():
    updated = replace(PRESENT, intent=make_intent(kind=ChangeKind.UPDATE))
    assert judged(updated, make_item("copy", made=3)) == (EntryState.PRESENT, "copy", WHEN, None)
    assert judged(updated, make_item("copy", when=ELSEWHERE, made=3)) == (EntryState.MOVED_BY_OWNER, "copy", ELSEWHERE, None)


@pytest.mark.parametrize("revision", [4, None])
@pytest.mark.parametrize("entry", [PRESENT, MOVED])
def test_an_older_copy_in_the_place_of_the_entry_is_looked_at_by_the_next_push(entry, revision):
    copy = make_item("copy", made=3, revision=revision)
    assert judged(entry, copy) == (EntryState.UNKNOWN, "copy", WHEN, None)
    elsewhere = make_item("copy", when=ELSEWHERE, made=3, revision=revision)
    assert judged(entry, elsewhere) == (EntryState.MOVED_BY_OWNER, "copy", ELSEWHERE, None)


def test_a_late_twin_is_left_to_the_next_push():
    assert judged(PRESENT, make_item(), make_item("twin", made=1)) == (EntryState.UNKNOWN, "item", WHEN, None)
