"""Pushes that are killed, and pushes at once: every booking is once in each of its calendars all the same.

The small form of what `make proofs` does with many more bookings and kills.
"""

from __future__ import annotations

import pytest

from tests.flows.harness import Home
from tests.flows.killing import Load, assert_exactly_once, begin, make_pages, push_at_once

pytestmark = pytest.mark.processes
KILLS = 5


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
    ground.kill_some(3, of=3)

    assert_exactly_once(ground)

    assert ground.kills == KILLS
    statuses = load.home.run_statuses()
    assert set(statuses) == {"crashed", "completed"}


def test_two_pushes_at_once_enter_each_booking_once(load):
    ground = begin(load, seed=1)

    for result in push_at_once(ground, pushers=2, killed=0):
        assert result.status in {0, 3}, result

    assert_exactly_once(ground)
