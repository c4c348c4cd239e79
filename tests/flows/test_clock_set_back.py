"""A machine whose clock was an hour ahead, and was set back: work goes on, and no instant is given out twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from busytime.model import Trigger
from tests.flows.harness import MovedClock
from tests.flows.pushing import again, at, booked, booking_page, slot


@pytest.fixture
def ahead():
    clock = MovedClock()
    clock.offset = timedelta(hours=1)
    return clock


def begun(diary, due):
    with diary.home.inside():
        from tasks.workspace import workspace

        office = workspace()
        with office.store.read() as unit:
            return unit.runs.began_between("harvest_busy_time", due, office.clock.now())


def test_work_goes_on_after_the_clock_was_set_back_by_an_hour(diary, person, ahead):
    main = person()
    diary.pages(booking_page(main))
    diary.take(first := booked("BK-1", at(9)))
    diary.push(clock=ahead)
    diary.home.harvest(clock=ahead).ended(0)
    before = datetime.now(UTC)
    diary.change("UPDATE runs SET trigger = :trigger", trigger=str(Trigger.SCHEDULE))
    assert not begun(diary, before), "runs of the hour that comes again overtake nothing"

    known = diary.home.harvest().ended(0).json["calendars"]
    diary.take(again(first, at(11)), booked("BK-2", at(13)))
    assert diary.push().status == "completed"
    assert known == {"known": 1, "unknown": 0}
    assert diary.ours(main) == {"BK-1": slot(at(11)), "BK-2": slot(at(13))}
    diary.change("UPDATE runs SET trigger = :trigger", trigger=str(Trigger.SCHEDULE))
    assert begun(diary, before), "those that really began do"

    assert set(diary.home.run_statuses()) == {"completed"}
    rows = diary.home.query("SELECT valid_from, valid_to FROM busy_intervals UNION ALL SELECT valid_from, valid_to FROM coverage")
    assert all(end is None or end > start for start, end in rows)
    assert diary.home.call("status", "--json").ended(0).json["restored_at"] is None
    assert diary.home.call("audit", "verify", "--json").status == 0
