"""Entries that are written at the same moment, by the workers of one push."""

from __future__ import annotations

from datetime import timedelta

from tests.flows.pushing import Diary, at, booked, booking_page

SLOTS = 30


def test_of_two_pages_that_watch_each_other_one_gets_each_slot(diary: Diary):
    ana, bo = diary.person(), diary.person()
    diary.pages(booking_page(ana, busy=[bo], name="ana"), booking_page(bo, busy=[ana], name="bo"))
    starts = [at(0) + number * timedelta(minutes=30) for number in range(SLOTS)]
    # Both calendars are written at once, in the same order: each booking meets its rival.
    diary.take(*(booked(f"{page}-{start:%H%M}", start, page=page) for start in starts for page in ("ana", "bo")))

    pushed = diary.push()

    assert pushed.outcome.counts == {"applied": SLOTS, "conflict": SLOTS}
    taken = [*diary.ours(ana).values(), *diary.ours(bo).values()]
    assert sorted(start for start, _ in taken) == starts
