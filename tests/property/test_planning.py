"""What holds for every plan, whatever is booked and however the entries stand."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from itertools import combinations, product

from hypothesis import assume, given
from hypothesis import strategies as st

from busytime.bookings import Booking, BookingState, CalendarItem, ChangeKind, Entry, EntryState, Intent, ItemName
from busytime.errors import Reason
from busytime.model import BusyStatus, Role
from busytime.planning import PageRules, Plan, Snapshot, in_order, make_plan, plan_booking
from busytime.settling import is_taken, sort_out, without_one
from tests.unit.moments import MONDAY, at, busy, window

PAGES = ["a", "b", "left the roster"]
CALENDARS = range(1, 6)
KEYS = [f"BK-{number}" for number in range(14)]
SPANS = [window(-60, -30), window(-30, 0), window(-10, 20), window(30, 60), window(45, 75), window(60, 90)]
REVISIONS = range(1, 4)
INSTANTS = [at(-600), at(-300), at(-100)]
THERE = {EntryState.PRESENT, EntryState.MOVED_BY_OWNER}
ABSENT = {EntryState.WANTED, EntryState.CANCELLED, EntryState.REMOVED_BY_OWNER}
SCHEDULED = [BookingState.SCHEDULED] * 3

# Whole values are drawn from a list of all there are, which is far quicker than to draw their parts.
BOOKINGS = [
    Booking("", page, span, "", state, revision, booked_at)
    for page, state, span, revision, booked_at in product(
        PAGES, [*SCHEDULED, BookingState.CANCELLED], [*SPANS, None], REVISIONS, INSTANTS
    )
    if span or state is BookingState.CANCELLED
]
ENTRIES = [
    Entry(0, "", 0, state, item_id=item_id, revision=revision, window=span)
    for state, item_id, revision, span in product(EntryState, ["item", None], [*REVISIONS, None], [*SPANS, None])
    if not (item_id and state in ABSENT) and (item_id or state not in THERE) and (revision is None) is (span is None)
    if not (revision is None and item_id) and not (state is EntryState.WANTED and revision)
]
INTENTS = [Intent("attempt", kind, revision, span, MONDAY) for kind, revision, span in product(ChangeKind, REVISIONS, SPANS)]
AHEAD = [entry for entry in ENTRIES if entry.item_id and entry.window and entry.window.end > MONDAY]
ahead = st.sampled_from([*AHEAD, *[entry for entry in AHEAD if entry.state is EntryState.PRESENT] * 10])
booked, written, intended = st.sampled_from(BOOKINGS), st.sampled_from(ENTRIES), st.sampled_from(INTENTS)
PLACES = [found for count in range(4) for found in combinations(CALENDARS, count)]
DRAWN_PAGES = [
    PageRules(name, "Europe/Berlin", {main: Role.MAIN} | dict.fromkeys(more, Role.ADDITIONAL), recreate=recreate)
    for name in PAGES[:2]
    for main in CALENDARS
    for count in range(3)
    for more in combinations([place for place in CALENDARS if place != main], count)
    for recreate in (False, True)
]
rosters = st.tuples(*(st.sampled_from([page for page in DRAWN_PAGES if page.name == name]) for name in PAGES[:2]))


def draw_entry(draw, kind, key, calendar_id):
    entry = replace(draw(kind), id=KEYS.index(key) * 100 + calendar_id, booking_key=key, calendar_id=calendar_id)
    return entry if entry.state is EntryState.WANTED else replace(entry, intent=draw(intended))


@st.composite
def snapshots(draw, *, crowded=False):
    """Draw a snapshot; in a crowded one most calendars hold what the gate counts."""
    keys = KEYS[: len(KEYS) if crowded else draw(st.sampled_from([0, 1, 2, 3, 5, 8, 14]))]
    places = {key: draw(st.sampled_from(PLACES)) for key in keys}
    kind = ahead if crowded else written
    in_use = frozenset(draw(st.sampled_from([CALENDARS, CALENDARS[1:], CALENDARS[:-1], CALENDARS[1:-1]])))
    opened = draw(st.lists(st.sampled_from([*INSTANTS, None]), min_size=5, max_size=5))
    return Snapshot(
        MONDAY,
        [replace(draw(booked), key=key) for key in keys],
        {key: [draw_entry(draw, kind, key, place) for place in found] for key, found in places.items() if found},
        {page.name: page for page in draw(rosters)},
        {place: at for place, at in zip(CALENDARS, opened, strict=True) if at and place in in_use},
        in_use,
        backfill=draw(st.booleans()),
    )


def applied(snapshot, plan):
    """Return the snapshot after a push for which nothing was in the way."""
    after = {(entry.booking_key, entry.calendar_id): entry for found in snapshot.entries.values() for entry in found}
    for change in plan.changes:
        booking, entry = change.booking, change.entry or Entry(0, change.booking.key, change.calendar_id, EntryState.WANTED)
        if change.kind is ChangeKind.CANCEL:
            entry = replace(entry, state=EntryState.CANCELLED, item_id=None)
        else:
            present = {"item_id": "item", "revision": booking.revision, "window": booking.window}
            entry = replace(entry, state=EntryState.PRESENT, **present)
        after[booking.key, change.calendar_id] = entry
    for entry in plan.orphans:
        after[entry.booking_key, entry.calendar_id] = replace(entry, state=EntryState.ORPHANED)
    found = {}
    for entry in after.values():
        found.setdefault(entry.booking_key, []).append(entry)
    return replace(snapshot, entries=found)


def plan_all(snapshot):
    return make_plan(snapshot, forced_pages=PAGES)


@given(snapshots())
def test_applying_a_plan_and_planning_again_is_empty(snapshot):
    assert make_plan(applied(snapshot, plan_all(snapshot))) == Plan()


@given(snapshots(), st.data())
def test_what_a_push_left_undone_is_planned_again_and_nothing_else(snapshot, data):
    plan = plan_all(snapshot)
    done = data.draw(st.sets(st.sampled_from(plan.changes))) if plan.changes else set()
    again = plan_all(applied(snapshot, replace(plan, changes=tuple(done))))
    assert again == Plan(tuple(change for change in plan.changes if change not in done))


@given(snapshots())
def test_a_plan_of_nothing_new_is_empty(snapshot):
    settled = {}
    for booking in snapshot.bookings:
        page = snapshot.pages.get(booking.page)
        wanted = page.targets if page and booking.state is BookingState.SCHEDULED else {}
        known = {entry.calendar_id: entry for entry in snapshot.entries.get(booking.key, ())}
        settled[booking.key] = [
            replace(
                known.get(place, Entry(place, booking.key, place, EntryState.WANTED)),
                state=EntryState.PRESENT if place in wanted else EntryState.CANCELLED,
                item_id="item" if place in wanted else None,
                revision=booking.revision,
                window=booking.window,
            )
            for place in {*wanted, *known}
            if place in snapshot.in_use
        ]
    in_use = {name: page for name, page in snapshot.pages.items() if snapshot.in_use >= set(page.targets)}
    assert make_plan(replace(snapshot, entries=settled, pages=in_use | snapshot.pages)) == Plan()


@given(snapshots())
def test_each_entry_is_planned_once_and_nothing_is_planned_outside_of_the_roster(snapshot):
    plan = make_plan(snapshot)
    planned = [*plan.changes, *plan.refused]
    places = Counter((change.booking.key, change.calendar_id) for change in planned)
    assert set(places.values()) <= {1}
    assert {place for _, place in places} <= snapshot.in_use
    assert not places.keys() & {(entry.booking_key, entry.calendar_id) for entry in plan.orphans}


@given(snapshots())
def test_what_its_page_wants_is_never_taken_away_and_what_it_does_not_want_is_never_made(snapshot):
    for change in plan_all(snapshot).changes:
        page = snapshot.pages.get(change.booking.page)
        wanted = change.booking.state is BookingState.SCHEDULED and page is not None and change.calendar_id in page.targets
        assert (change.kind is ChangeKind.CANCEL) is not wanted
        assert change.role is (page.targets[change.calendar_id] if wanted else None)
        assert change.booking.state is BookingState.CANCELLED or page is not None


@given(snapshots())
def test_what_is_over_is_never_planned(snapshot):
    for change in plan_all(snapshot).changes:
        entry = change.entry
        intended = entry.intent.window if entry and entry.lost else None
        times = [change.booking.window, entry and entry.window, intended]
        assert any(it is not None and it.end > snapshot.now for it in times)
        assert change.kind is not ChangeKind.CREATE or change.booking.window.end > snapshot.now or entry.lost


@given(snapshots(), st.randoms(use_true_random=False))
def test_the_order_in_which_things_are_read_does_not_matter(snapshot, random):
    shuffled = [list(snapshot.bookings), list(snapshot.entries.items()), list(snapshot.pages.items())]
    for part in shuffled:
        random.shuffle(part)
    entries = {key: random.sample(found, len(found)) for key, found in shuffled[1]}
    again = replace(snapshot, bookings=shuffled[0], entries=entries, pages=dict(shuffled[2]))
    first, second = make_plan(snapshot), make_plan(again)
    assert replace(second, orphans=()) == replace(first, orphans=())
    assert set(second.orphans) == set(first.orphans)
    assert list(first.changes) == sorted(first.changes, key=in_order)


@given(snapshots() | snapshots(crowded=True), st.sets(st.sampled_from(PAGES)))
def test_the_gate_only_holds_back_and_only_whole_pages(snapshot, forced):
    everything, plan = plan_all(snapshot), make_plan(snapshot, forced_pages=forced)
    assert everything.refused == everything.refused_pages == ()
    assert sorted([*plan.changes, *plan.refused], key=in_order) == list(everything.changes)
    refused = {it.page for it in plan.refused_pages}
    assert not refused & forced
    assert {change.booking.page for change in plan.refused} == refused
    assert refused.isdisjoint(change.booking.page for change in plan.changes)


@given(snapshots() | snapshots(crowded=True))
def test_the_gate_counts_what_it_says(snapshot):
    known = [(booking.page, entry) for booking in snapshot.bookings for entry in snapshot.entries.get(booking.key, ())]
    ahead = Counter(page for page, it in known if it.item_id and it.window and it.window.end > snapshot.now)
    disturbed = Counter()
    for change in plan_all(snapshot).changes:
        entry = change.entry
        if entry and entry.item_id and entry.window and entry.window.end > snapshot.now:
            disturbed[change.booking.page] += change.kind is ChangeKind.CANCEL or entry.window != change.booking.window
    expected = {page: (count, ahead[page]) for page, count in disturbed.items() if ahead[page] >= 10 and count * 5 > ahead[page]}
    assert {it.page: (it.disturbed, it.future) for it in make_plan(snapshot).refused_pages} == expected


@given(snapshots() | snapshots(crowded=True))
def test_pages_do_not_touch_each_other(snapshot):
    together = make_plan(snapshot)
    apart = [
        make_plan(replace(snapshot, bookings=[booking for booking in snapshot.bookings if booking.page == page]))
        for page in PAGES
    ]
    assert sorted((change for plan in apart for change in plan.changes), key=in_order) == list(together.changes)
    assert [it for plan in apart for it in plan.refused_pages] == list(together.refused_pages)


@given(snapshots())
def test_verdicts_do_not_change_a_plan(snapshot):
    closed = replace(snapshot, closed_calendars=dict.fromkeys(snapshot.in_use, Reason.LEVEL_TOO_LOW))
    for booking in snapshot.bookings:
        assert plan_booking(closed, booking) == plan_booking(snapshot, booking)


# Twins.


@st.composite
def sightings(draw):
    made = st.none() | st.sampled_from([-60, -1, 0, 1, 60]).map(lambda second: at(0) + timedelta(seconds=second))
    names = draw(st.lists(st.sampled_from("abcdef"), unique=True, max_size=5))
    spans = st.sampled_from([window(30, 60), window(30, 61), window(90, 120)])
    items = [
        CalendarItem(ItemName(name, "1"), span.start, span.end, BusyStatus.BUSY, "house/BK", 1, draw(made))
        for name, span in [(name, draw(spans)) for name in names]
    ]
    moment = at(0) + timedelta(seconds=draw(st.sampled_from([0, 0.5, 0.999])))
    intent = draw(
        st.none() | st.builds(Intent, st.just("attempt"), st.sampled_from(ChangeKind), st.just(1), spans, st.just(moment))
    )
    state = draw(st.sampled_from(EntryState))
    return items, Entry(1, "BK", 1, state, intent=intent, item_id=draw(st.none() | st.sampled_from("abcxyz")))


@given(sightings(), st.randoms(use_true_random=False))
def test_every_item_is_the_entry_or_a_twin_or_a_copy(sighting, random):
    items, entry = sighting
    found = sort_out(items, entry)
    sorted_out = [*([found.ours] if found.ours else []), *found.late, *found.copies]
    assert sorted(item.item_id for item in sorted_out) == sorted(item.item_id for item in items)
    assert (found.ours is None) is (not items)
    assert sort_out(random.sample(items, len(items)), entry) == found


@given(sightings())
def test_only_what_a_request_to_create_may_have_made_is_removed(sighting):
    items, entry = sighting
    found = sort_out(items, entry)
    assert entry.item_id not in {item.item_id for item in found.late}
    for item in found.late:
        assert entry.intent.kind is ChangeKind.CREATE
        assert window((item.start - at(0)).seconds // 60, (item.end - at(0)).seconds // 60) == entry.intent.window
        assert item.created_at > entry.intent.at - timedelta(seconds=1)


@given(sightings())
def test_removing_what_is_late_leaves_nothing_late(sighting):
    items, entry = sighting
    found = sort_out(items, entry)
    assume(found.ours is not None)
    again = sort_out([item for item in items if item not in found.late], replace(entry, item_id=found.ours.item_id))
    assert again == replace(found, late=())


taken = st.lists(
    st.builds(busy, st.sampled_from([0, 30, 45]), st.sampled_from([60, 75]), st.sampled_from(BusyStatus)), max_size=5
)


@given(taken)
def test_taking_off_one_takes_off_exactly_one_or_none(intervals):
    left = without_one(intervals, at(30), at(60))
    assert Counter(intervals) - Counter(left) == Counter([busy(30, 60)] if busy(30, 60) in intervals else [])
    assert not Counter(left) - Counter(intervals)


@given(taken, st.sets(st.sampled_from(BusyStatus)), st.none() | st.integers(0, 5))
def test_a_slot_is_taken_by_others_and_by_nothing_else(intervals, statuses, own):
    items = [
        CalendarItem(ItemName(f"item {number}", "1"), start, end, status, None, None, None)
        for number, (start, end, status) in enumerate(intervals)
    ]
    mine = items[own] if own is not None and own < len(items) else None
    for slot in (window(0, 30), window(50, 55), window(60, 70), window(75, 90)):
        others = [it for it in items if it is not mine and it.status in statuses]
        expected = any(it.start < slot.end and slot.start < it.end for it in others)
        assert is_taken(items, mine, slot, frozenset(statuses)) is expected
