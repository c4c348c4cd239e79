"""Which of several items with one marker is the entry, and whether a slot is taken."""

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest

from busytime.bookings import ChangeKind, EntryState
from busytime.model import BusyStatus, Window
from busytime.settling import Sighting, has_time, is_taken, overlapping, sort_out, without_one
from tests.unit.bookings.snapshots import ELSEWHERE, WHEN, make_entry, make_intent, make_item
from tests.unit.moments import at, busy, window

BUSY = frozenset(BusyStatus)
#: Nobody saw the answer to the request that was to create the entry in minute 0.
LOST = make_entry(EntryState.UNKNOWN, item_id=None, when=None, revision=None, intent=make_intent())
#: The server answered.
SETTLED = make_entry(EntryState.PRESENT, item_id="item", intent=make_intent())


def told(entry, *items):
    """Return the ids of the entry's item, of twins and of copies; the order in which items come must not matter."""
    found = {
        (sighting.ours and sighting.ours.item_id, ids(sighting.late), ids(sighting.copies))
        for sighting in (sort_out(order, entry) for order in itertools.permutations(items))
    }
    assert len(found) == 1
    return found.pop()


def ids(items):
    return tuple(item.item_id for item in items)


@pytest.mark.parametrize("entry", [LOST, SETTLED, make_entry(EntryState.WANTED, item_id=None)])
def test_nothing_is_made_of_nothing(entry):
    assert sort_out([], entry) == Sighting()


@pytest.mark.parametrize("entry", [LOST, SETTLED, make_entry(EntryState.WANTED, item_id=None)])
@pytest.mark.parametrize("when", [WHEN, ELSEWHERE])
@pytest.mark.parametrize("made", [-5, 0, 5, None])
def test_the_only_item_with_the_marker_is_the_entry_wherever_it_is(entry, when, made):
    # Its owner may have moved it, and a server's clock may be behind ours: nothing is made twice.
    assert told(entry, make_item("some", when=when, made=made)) == ("some", (), ())


def test_the_stored_item_is_ours_whatever_else_is_there():
    stored = make_item("item", when=ELSEWHERE, made=9)
    fitting = make_item("another", when=WHEN, made=1)
    old = make_item("old", when=ELSEWHERE, made=-9)
    assert told(SETTLED, stored, fitting, old) == ("item", ("another",), ("old",))


def test_of_what_a_lost_request_may_have_made_the_oldest_is_ours_and_the_rest_are_twins():
    items = [make_item(name, made=made) for name, made in [("first", 1), ("second", 2), ("third", 3)]]
    assert told(LOST, *items) == ("first", ("second", "third"), ())


def test_twins_of_one_second_are_told_apart_by_their_ids():
    assert told(LOST, make_item("b"), make_item("a"), make_item("c")) == ("a", ("b", "c"), ())


@pytest.mark.parametrize(
    "copy",
    [
        make_item("copy", when=ELSEWHERE, made=1),
        make_item("copy", made=-1),
        make_item("copy", made=None),
        make_item("copy", when=window(60, 91), made=1),
        make_item("copy", when=window(61, 90), made=1),
    ],
    ids=["another time", "made before", "made who knows when", "another end", "another start"],
)
def test_what_the_lost_request_cannot_have_made_is_a_copy(copy):
    assert told(LOST, make_item("ours", made=2), copy) == ("ours", (), ("copy",))
    assert told(SETTLED, make_item("item", made=2), copy) == ("item", (), ("copy",))


def test_every_kind_of_item_at_once():
    stored, twin = make_item("item", when=ELSEWHERE, made=1), make_item("twin", made=2)
    old, unknown, moved = make_item("old", made=-1), make_item("unknown", made=None), make_item("moved", when=ELSEWHERE, made=3)
    assert told(SETTLED, stored, twin, old, unknown, moved) == ("item", ("twin",), ("old", "moved", "unknown"))
    assert told(LOST, twin, old, unknown, moved) == ("twin", (), ("old", "moved", "unknown"))


def test_items_of_unknown_age_come_after_those_whose_age_is_known():
    unknown, known = make_item("a", made=None), make_item("b", when=ELSEWHERE, made=5)
    assert told(LOST, unknown, known) == ("b", (), ("a",))


def test_two_items_of_unknown_age_are_one_entry_and_one_copy():
    assert told(LOST, make_item("b", made=None), make_item("a", made=None)) == ("a", (), ("b",))


def test_without_an_intent_nothing_is_a_twin():
    entry = make_entry(EntryState.PRESENT, item_id="item")
    assert told(entry, make_item("item"), make_item("other", made=1)) == ("item", (), ("other",))
    assert told(make_entry(EntryState.WANTED, item_id=None), make_item("b"), make_item("a", made=1)) == ("b", (), ("a",))


@pytest.mark.parametrize("kind", [ChangeKind.UPDATE, ChangeKind.CANCEL])
def test_only_a_request_that_creates_leaves_twins(kind):
    intent = make_intent(kind=kind)
    entry = make_entry(EntryState.UNKNOWN, item_id="item", intent=intent)
    assert told(entry, make_item("item", made=-5), make_item("copy", made=1)) == ("item", (), ("copy",))


@pytest.mark.parametrize(
    ("late_by", "twin"),
    [(-1, False), (0, True), (0.5, True), (0.999999, True), (1, True), (60, True)],
)
def test_a_server_that_tells_whole_seconds_makes_nothing_earlier_than_it_was_intended(late_by, twin):
    # Intended half a second past the full one: what a server dates at that full second may have come after.
    entry = make_entry(EntryState.UNKNOWN, item_id="item", intent=replace(make_intent(), at=at(0) + timedelta(seconds=0.5)))
    other = replace(make_item("other"), created_at=at(0) + timedelta(seconds=late_by))
    expected = (("other",), ()) if twin else ((), ("other",))
    assert told(entry, make_item("item"), other) == ("item", *expected)


def test_an_item_has_a_time_only_as_a_whole():
    item = make_item(when=WHEN)
    assert has_time(item, WHEN)
    assert not has_time(item, None)
    assert not has_time(item, window(60, 91))
    assert not has_time(item, window(59, 90))


# Whether a slot is taken.


@pytest.mark.parametrize(
    ("when", "taken"),
    [
        (window(0, 60), False),
        (window(90, 120), False),
        (window(0, 61), True),
        (window(89, 120), True),
        (window(70, 71), True),
        (window(0, 120), True),
        (WHEN, True),
    ],
)
def test_what_shares_an_instant_with_a_slot_takes_it(when, taken):
    item = make_item(when=when, marker=None)
    assert is_taken([item], None, WHEN, BUSY) is taken
    assert overlapping([item], WHEN, BUSY) == ([item] if taken else [])


@pytest.mark.parametrize("status", [*BusyStatus, None])
def test_only_statuses_that_make_busy_take_a_slot(status):
    item = make_item(status=status)
    assert is_taken([item], None, WHEN, frozenset(BusyStatus)) is (status is not None)
    assert is_taken([item], None, WHEN, frozenset({BusyStatus.BUSY})) is (status is BusyStatus.BUSY)
    assert not is_taken([item], None, WHEN, frozenset())


def test_an_empty_calendar_leaves_every_slot_free():
    assert not is_taken([], None, WHEN, BUSY)
    assert not is_taken([], make_item(), WHEN, BUSY)


def test_an_entry_does_not_stand_in_its_own_way():
    assert not is_taken([make_item()], make_item(), WHEN, BUSY)
    assert not is_taken([make_item(when=window(80, 110))], make_item(when=window(80, 110)), WHEN, BUSY)


@pytest.mark.parametrize("when", [WHEN, window(80, 110)])
def test_a_copy_of_an_entry_stands_in_its_way(when):
    own, copy = make_item("own", when=when), make_item("copy", when=when)
    assert is_taken([own, copy], own, WHEN, BUSY)


@pytest.mark.parametrize("marker", [None, "house/BK-2", "elsewhere/BK-1"])
def test_others_stand_in_its_way_at_its_own_time_too(marker):
    own, other = make_item("own"), make_item("other", marker=marker)
    assert is_taken([own, other], own, WHEN, BUSY)


def test_where_a_view_names_items_by_other_ids_one_of_the_entry_s_time_is_taken_off():
    own, shown = make_item("own"), make_item("as the view names it")
    assert not is_taken([shown], own, WHEN, BUSY)
    assert is_taken([shown, make_item("other")], own, WHEN, BUSY)
    assert is_taken([make_item("other", when=window(60, 91))], own, WHEN, BUSY)
    assert is_taken([make_item("other", status=BusyStatus.TENTATIVE)], own, WHEN, BUSY)


def test_an_entry_that_lies_elsewhere_takes_nothing_off():
    own = make_item("own", when=window(200, 230))
    assert not is_taken([own], own, WHEN, BUSY)
    assert is_taken([own, make_item("other")], own, WHEN, BUSY)


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_exactly_one_interval_is_taken_off(count):
    others = [busy(0, 90), busy(60, 120), busy(60, 90, BusyStatus.TENTATIVE)]
    left = without_one([*others, *[busy(60, 90)] * count], at(60), at(90))
    assert left == [*others, *[busy(60, 90)] * max(0, count - 1)]


def test_what_was_given_is_left_as_it_was():
    intervals = [busy(60, 90)]
    assert without_one(intervals, at(60), at(90)) == []
    assert intervals == [busy(60, 90)]


def test_a_slot_of_one_second_is_a_slot():
    second = Window(at(60), at(60) + timedelta(seconds=1))
    assert is_taken([make_item(when=WHEN)], None, second, BUSY)
    assert not is_taken([make_item(when=window(0, 60))], None, second, BUSY)
