"""A thousand bookings of one mailbox: all are there, for few requests, and they are read back by the hundred."""

from __future__ import annotations

from datetime import timedelta

from tests.flows.pushing import WRITES, Diary, at, booked, booking_page

BOOKINGS = 1000


def test_thousand_bookings_of_one_mailbox(home, exchange, tell):
    diary = Diary(home, exchange)
    main = diary.person()
    diary.pages(booking_page(main))
    diary.take(*(booked(f"BK-{number}", at(0) + number * timedelta(minutes=30)) for number in range(BOOKINGS)))
    mark = diary.mark()
    assert diary.push().status == "completed"
    requests = len(diary.requests(mark))
    tell(f"{requests} requests")
    assert len(diary.ours(main)) == len(diary.requests(mark, *WRITES)) == BOOKINGS
    assert requests <= 1.5 * BOOKINGS
    mark = diary.mark()
    diary.harvest()
    assert len(diary.requests(mark, "GetItem")) == BOOKINGS / 100
