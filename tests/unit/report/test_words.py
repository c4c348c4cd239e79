"""How the report says things."""

from datetime import timedelta

import pytest

from busytime.report.facts import Place
from busytime.report.words import flow_name, lasting, name_of, named, share_text

LENGTHS = [
    (timedelta(seconds=59), "less than a minute"),
    (timedelta(seconds=119), "a minute"),
    (timedelta(minutes=119), "119 minutes"),
    (timedelta(hours=2), "2 hours"),
    (timedelta(hours=47), "47 hours"),
    (timedelta(days=1500), "1,500 days"),
]
SHARES = [(None, "-"), (0, "0 %"), (0.000_01, "0.1 %"), (0.5, "50.0 %"), (0.999_99, "99.9 %"), (1, "100 %"), (1.0, "100 %")]


@pytest.mark.parametrize(("length", "words"), LENGTHS)
def test_lengths_are_said_in_the_largest_unit_that_fits_twice(length, words):
    assert lasting(length) == words


@pytest.mark.parametrize(("share", "words"), SHARES)
def test_only_the_whole_is_called_so(share, words):
    assert share_text(share) == words


def test_names_are_as_in_a_roster_and_harmless():
    assert name_of(Place("ana@corp.example", "Projects/A")) == "ana@corp.example/Projects/A"
    assert name_of(Place("ana\u202e@corp.example\n", "")) == "ana\ufffd@corp.example\ufffd"
    assert len(name_of(Place("x" * 500, ""))) == 120
    assert named((Place("a@b", ""), Place("c@d", "")), 1002) == "a@b, c@d and 1,000 more"
    assert (flow_name("harvest_busy_time"), flow_name("tidy_up")) == ("harvest", "tidy up")
