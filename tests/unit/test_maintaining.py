"""When a booking is over, and how batches leave the database to others."""

import pytest

from busytime.maintaining import MaintenanceOutcome, OldRows, in_batches, over_since
from busytime.model import RunStatus
from tests.unit.moments import at


@pytest.mark.parametrize(
    ("ends", "signs", "since"),
    [
        ([at(30)], [at(900)], at(30)),
        ([at(30), at(60), None], [], at(60)),
        ([at(60), at(30)], [], at(60)),
        ([None], [at(5), None, at(7)], at(7)),
        ([], [], None),
        ([None], [None], None),
    ],
)
def test_the_latest_of_all_ends_counts_and_signs_of_life_only_without_one(ends, signs, since):
    assert over_since(ends, signs) == since


class Bench:
    """A clock, and batches that take their time."""

    def __init__(self, *batches):
        self.left = list(batches)
        self.time = 0.0
        self.pauses = []

    def work(self):
        count, seconds = self.left.pop(0)
        self.time += seconds
        return count

    def run(self, full):
        return in_batches(self.work, full, seconds=lambda: self.time, pause=self.pauses.append)


@pytest.mark.parametrize(
    ("batches", "total", "pauses"),
    [
        ([(0, 1)], 0, []),
        ([(4, 1)], 4, []),
        ([(5, 1), (0, 1)], 5, [1]),
        ([(5, 1), (5, 2), (3, 9)], 13, [1, 2]),
        ([(5, 0.001), (1, 0)], 6, [0.05]),
    ],
)
def test_batches_go_on_while_they_are_full_and_pause_as_long_as_they_took(batches, total, pauses):
    bench = Bench(*batches)
    assert bench.run(5) == total
    assert bench.pauses == pytest.approx(pauses)
    assert bench.left == []


def test_what_went_is_kept_with_the_run():
    outcome = MaintenanceOutcome(1, RunStatus.COMPLETED, {OldRows.STEPS: 3}, blanked=2)
    assert outcome.counts == {"blanked": 2, "steps": 3}
