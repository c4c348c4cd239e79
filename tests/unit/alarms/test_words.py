"""A message says what is wrong, since when, and what to do next; it names ten owners and then counts."""

from dataclasses import replace
from pathlib import Path

import pytest

from busytime.alarm_words import (
    MOST_NAMED,
    TITLES,
    Trouble,
    breaker_opened,
    compose,
    coverage_too_old,
    entries_failing,
    permissions_lost,
    run_missing,
    run_silent,
)
from busytime.alarms import UNTOLD, AlarmKind, News, StoredAlarm, Telling, Word
from tests.unit.moments import at

OPERATIONS = Path(__file__).parents[3] / "docs" / "operations.md"
TROUBLE = Trouble(1, "busytime@corp.example", 12, tuple(f"o{number:02}@corp.example" for number in range(10)), 2)
ALARMS = (
    breaker_opened(1, "The server refuses the log-on. Run `busytime password busytime@corp.example`."),
    permissions_lost(TROUBLE),
    coverage_too_old(TROUBLE, 40),
    entries_failing(TROUBLE),
    run_missing("harvest_busy_time", "No harvest has begun", at(0)),
)


def told(alarm, word=Word.STANDS, before=UNTOLD, over_at=None, key=1):
    return News(StoredAlarm(key, alarm.subject, "busytime@corp.example", at(0), over_at), word, before)


def message(*found, alarms=ALARMS):
    return compose(found, {alarm.subject: alarm for alarm in alarms}, "host")


def test_every_kind_says_what_to_do_next_and_where_it_is_written():
    assert {alarm.subject.kind for alarm in ALARMS} == set(AlarmKind) == set(TITLES)
    for alarm in ALARMS:
        body = message(told(alarm)).body
        assert "`busytime " in alarm.text
        assert alarm.text in body
        assert f'docs/operations.md, "{TITLES[alarm.subject.kind]}"' in body
        assert "since 2026-11-23 08:00 UTC" in body


def test_ten_owners_are_named_and_the_others_counted():
    text = permissions_lost(TROUBLE).text
    assert text.count("@corp.example") == MOST_NAMED + 1
    assert "o09@corp.example and 2 more." in text
    assert "12 of 40 calendars" in coverage_too_old(TROUBLE, 40).text
    assert "1 calendar, of a@b.example." in permissions_lost(Trouble(1, "x", 1, ("a@b.example",))).text


def test_what_is_new_still_open_and_over_stand_apart():
    first, second, third, *_ = ALARMS
    before = Telling(Word.STANDS, at(0), 1, 1)
    made = message(told(first), told(second, before=before), told(third, Word.OVER, before, over_at=at(20)))
    assert made.title == "busytime: alarms: 1 new, 1 still open, 1 over"
    new, still, over = (made.body.index(head) for head in ("New:", "Still:", "Over:"))
    assert new < made.body.index(first.text) < still < made.body.index(second.text) < over
    assert "over since 2026-11-23 08:20 UTC" in made.body
    assert third.text not in made.body


@pytest.mark.parametrize(
    ("word", "before", "title"),
    [
        (Word.STANDS, UNTOLD, "busytime: new: Breaker opened, busytime@corp.example"),
        (Word.STANDS, Telling(Word.STANDS, at(0), 1, 1), "busytime: still open: Breaker opened, busytime@corp.example"),
        (Word.OVER, Telling(Word.STANDS, at(0), 1, 1), "busytime: over: Breaker opened, busytime@corp.example"),
    ],
)
def test_one_alarm_is_named_in_the_title(word, before, title):
    assert message(told(ALARMS[0], word, before)).title == title


def test_a_thousand_alarms_are_one_short_message():
    alarms = [replace(ALARMS[0], subject=replace(ALARMS[0].subject, connection_id=key)) for key in range(1000)]
    made = message(*(told(alarm, key=key) for key, alarm in enumerate(alarms)), alarms=alarms)
    assert made.title == "busytime: alarms: 1000 new"
    assert "And 990 more." in made.body
    assert len(made.body) < 5000


def test_a_run_of_any_flow_that_is_silent_names_a_command():
    flows = OPERATIONS.parents[1] / "flows"
    for flow in (
        "harvest_busy_time",
        "validate_delegation",
        "push_bookings",
        "resync_connection",
        "discover_calendars",
        "maintain",
    ):
        assert (flows / f"{flow}.py").is_file()
        assert "`busytime status`" not in run_silent(flow, 7, at(0)).text
