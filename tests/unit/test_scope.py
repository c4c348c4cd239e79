"""What belongs to a run's scope, and how owners are cut into shards."""

from collections import Counter

import pytest

from busytime.errors import ConfigurationError
from busytime.model import Calendar, CalendarKind
from busytime.scope import EVERYTHING, Scope, Shard, shards_of

OWNERS = [f"owner{number:05}@corp.example" for number in range(20_000)]


def calendar(number, owner="ana@corp.example"):
    return Calendar(number, owner, "", CalendarKind.DEFAULT)


def test_everything_holds_all_connections_and_those_that_have_none():
    assert EVERYTHING.connects(None)
    assert EVERYTHING.connects(7)
    assert EVERYTHING.includes(calendar(1))


def test_a_scope_of_connections_leaves_out_what_no_connection_serves():
    scope = Scope(connection_ids=frozenset({7}))
    assert [scope.connects(it) for it in (7, 8, None)] == [True, False, False]


def test_a_scope_of_calendars_holds_these_alone():
    scope = Scope(calendar_ids=frozenset({1, 3}))
    assert [it.id for it in scope.only(map(calendar, range(5)))] == [1, 3]


def test_each_owner_is_in_exactly_one_shard_and_shards_are_about_equal():
    shards = shards_of(len(OWNERS), 2_600)
    assert [str(it) for it in shards] == [f"{index}/8" for index in range(8)]
    held = Counter(str(shard) for owner in OWNERS for shard in shards if shard.holds(owner))
    assert held.total() == len(OWNERS)
    assert max(held.values()) / min(held.values()) < 1.15


def test_an_owner_stays_in_its_shard_on_every_machine():
    # Python's own hashes differ from process to process; these must not.
    assert [next(it.index for it in shards_of(8, 1) if it.holds(owner)) for owner in OWNERS[:6]] == [6, 1, 3, 2, 6, 1]


@pytest.mark.parametrize(("calendars", "count"), [(0, 0), (1, 0), (100, 0), (101, 2), (200, 2), (201, 3)])
def test_only_more_calendars_than_one_run_reads_are_cut(calendars, count):
    assert len(shards_of(calendars, 100)) == count


@pytest.mark.parametrize(("index", "count"), [(-1, 2), (2, 2), (0, 0)])
def test_a_shard_that_is_not_there_is_refused(index, count):
    with pytest.raises(ConfigurationError, match=f"no shard {index} of {count}"):
        Shard(index, count)
