"""How many requests a validation costs: the bounds of the benchmark, for fewer calendars."""

from __future__ import annotations

import pytest

from tests.benchmarks.validation import MOST, measure
from tests.sandbox_fixture import running_sandbox

CALENDARS = 60


@pytest.fixture(scope="module")
def generated():
    with running_sandbox("--owners", str(CALENDARS)) as sandbox:
        yield sandbox


@pytest.mark.parametrize("style", MOST)
def test_requests_a_calendar_stay_within_the_bound(home, generated, style):
    home.exchange = generated
    cost = measure(home, generated, style, CALENDARS)
    assert cost.verdicts == {"granted": 2 * CALENDARS}
    assert cost.each <= MOST[style]
