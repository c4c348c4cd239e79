"""Pushes that are killed fifty times, and pushes at once of which some are killed: nothing is lost, and nothing is twice."""

from __future__ import annotations

import pytest

from tests.flows.harness import Home
from tests.flows.killing import Load, assert_exactly_once, begin, make_pages, push_at_once

KILLS = 50
#: Bookings of each of twelve pages: 300 bookings, and 450 items, because half of the pages have an additional calendar.
EACH = 25


@pytest.fixture
def load(home: Home, exchange, person) -> Load:
    return Load(home, make_pages(exchange, person, alone=6, doubled=6), EACH)


def test_push_survives_kills(load, seed, tell):
    ground = begin(load, seed)
    assert (len(load.bookings), load.items) == (300, 450)

    ground.kill_some(17, of=KILLS)
    load.move(20, 21)
    load.cancel(22)
    ground.kill_some(17, of=KILLS - 17)
    load.move(20, 23)
    load.cancel(24)
    ground.kill_some(16, of=16)
    tell(ground.told())

    assert_exactly_once(ground)
    assert ground.kills == KILLS
    # Else the proof has looked at the wrong moments.
    assert ground.in_attempts > KILLS // 4


def test_four_pushers(load, seed, tell):
    ground = begin(load, seed)

    results = push_at_once(ground, pushers=4, killed=2)
    tell(f"{ground.told()}; the others ended with {[result.status for result in results]}")

    assert {result.status for result in results} <= {0, 3}, results
    assert_exactly_once(ground)
