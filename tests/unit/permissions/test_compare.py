"""What a discovery changes: the server's ids tell calendars apart, whatever they are called."""

from busytime.discovering import Discovery, KnownCalendar, Sighting, compare
from busytime.errors import Reason
from busytime.model import CalendarKind

OWNER = "ana@corp.example"


def known(key, folder, folder_id, *, missing=False, served=True):
    return KnownCalendar(key, folder, CalendarKind.SUB, folder_id, in_use=True, missing=missing, served=served)


def seen(**folders):
    sightings = tuple(Sighting(OWNER, folder, CalendarKind.SUB, folder_id, None) for folder_id, folder in folders.items())
    return Discovery(OWNER, sightings, beside_seen=True)


def told(before, discovery):
    return [(str(it.state), it.key, it.folder) for it in compare(before, discovery)]


def test_two_calendars_that_swap_their_names_stay_themselves():
    before = [known(1, "A", "a"), known(2, "B", "b")]
    assert told(before, seen(b="A", a="B")) == [("renamed", 2, "B"), ("renamed", 1, "A")]


def test_new_calendar_under_the_name_of_a_renamed_one_is_told_from_it():
    assert told([known(1, "A", "a")], seen(c="A", a="B")) == [("found", None, "A?2"), ("renamed", 1, "A")]


def test_calendar_that_was_made_anew_under_its_name_is_the_same_one():
    assert told([known(1, "A", "a", missing=True)], seen(c="a")) == [("back", 1, "A")]


def test_calendar_without_an_id_is_known_by_its_path():
    assert told([known(1, "A", None)], seen(c="A")) == [("known", 1, "A")]
    assert told([known(1, "A", None)], seen()) == []  # it was never seen, so it is not gone


def test_nothing_is_concluded_from_a_look_that_failed():
    assert compare([known(1, "A", "a")], Discovery(OWNER, reason=Reason.TIMED_OUT)) == []


def test_calendar_beside_is_not_gone_where_nobody_could_look():
    before = [known(1, "../A", "a"), known(2, "B", "b")]
    closed = Discovery(OWNER, (), beside_seen=False)
    assert told(before, closed) == [("missing", 2, "B")]


def test_nothing_below_a_calendar_that_hides_itself_is_gone():
    before = [known(1, "../A", "a"), known(2, "B", "b"), known(3, "", "cal")]
    hidden = Discovery(OWNER, (), beside_seen=True, calendar_seen=False)
    assert told(before, hidden) == [("missing", 1, "../A")]


def test_nothing_is_concluded_from_the_absence_of_what_another_connection_serves():
    before = [known(1, "A", "a", served=False), known(2, "B", "b")]
    assert told(before, seen()) == [("missing", 2, "B")]
    assert told(before, seen(a="A", b="B")) == [("known", 1, "A"), ("known", 2, "B")]
