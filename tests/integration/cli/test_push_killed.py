"""Pushes that are killed, and pushes at once: every booking is once in each of its calendars all the same.

The small form of what `make proofs` does with many more bookings and kills.
"""

from __future__ import annotations

import signal

import pytest

from tests.flows.harness import Home, finished
from tests.flows.killing import Load, assert_exactly_once, begin, make_pages, push_at_once

pytestmark = pytest.mark.processes
KILLS = 3


@pytest.fixture
def load(home: Home, exchange, person) -> Load:
    """Forty bookings, sixty items: half of them have an additional calendar."""
    home.connect().ended(0)
    return Load(home, make_pages(exchange, person, alone=2, doubled=2), each=10)


def test_a_push_that_is_killed_again_and_again_enters_each_booking_once(load):
    ground = begin(load, seed=1)
    ground.kill_some(2, of=KILLS)
    load.move(8)
    load.cancel(9)
    ground.kill_some(1, of=1)

    assert_exactly_once(ground)

    assert ground.kills == KILLS
    statuses = load.home.run_statuses()
    assert set(statuses) == {"crashed", "completed"}


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)])
@pytest.mark.long(sent=signal.SIGINT)
def test_a_push_that_is_stopped_ends_soon_and_the_next_one_goes_on(load, sent, status):
    ground = begin(load, seed=1)
    with ground.pushing() as process:
        ground.await_writes(process, 5)
        process.send_signal(sent)
        result = finished(process).ended(status)

    assert result.out == ""
    assert load.left > 0
    assert_exactly_once(ground)
    assert load.home.run_statuses()[0] in {"failed", "crashed"}


@pytest.mark.long
def test_two_pushes_at_once_enter_each_booking_once(load):
    ground = begin(load, seed=1)

    for result in push_at_once(ground, pushers=2, killed=0):
        assert result.status in {0, 3}, result

    assert_exactly_once(ground)
