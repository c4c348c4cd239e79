"""What a draft becomes in a request: its zone, its texts and its marker."""

from datetime import UTC, datetime
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from busytime.bookings import Draft
from busytime.ews import envelopes_looking, envelopes_writing
from busytime.ews.envelopes import is_kept, windows_zone
from busytime.ews.marker import key_of
from busytime.model import Window

WINDOW = Window(datetime(2031, 6, 2, 9, tzinfo=UTC), datetime(2031, 6, 2, 10, tzinfo=UTC))
#: What people write, control characters left out as in a booking.
TEXTS = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=60)


def created(**values):
    draft = Draft("one/BK-1", 1, WINDOW, "UTC", "Title", "Place", "Text")
    values = {name: getattr(draft, name) for name in Draft.__slots__} | values
    entry = envelopes_writing.draft_entry(Draft(**values), "UTC")
    return etree.fromstring(envelopes_writing.create_entry("ana@corp.example", None, entry))


@pytest.mark.parametrize(
    ("name", "windows"),
    [
        ("Europe/Berlin", "W. Europe Standard Time"),
        ("Asia/Calcutta", "India Standard Time"),
        ("Asia/Kolkata", "India Standard Time"),
        ("UTC", "UTC"),
        ("Etc/UTC", "UTC"),
        ("No/Where", "UTC"),
        ("../../etc/passwd", "UTC"),
        ("Europe", "UTC"),
        ("", "UTC"),
    ],
)
def test_zones_have_their_windows_names(name, windows):
    assert windows_zone(name).ms_id == windows


def test_every_zone_of_this_machine_can_be_sent():
    # "localtime" is no zone but a link to this machine's own.
    sent = {name: windows_zone(name).ms_id for name in available_timezones() - {"localtime"}}
    assert all(sent.values())
    assert {name for name, windows in sent.items() if windows == "UTC" and name.startswith("Europe/")} == set()


@given(TEXTS)
def test_marker_is_written_and_searched_alike_or_refused(key):
    marker = f"one/{key}"
    if not is_kept(marker):
        return
    written = key_of(created(marker_key=marker).find(".//{*}CalendarItem"))
    restriction = envelopes_looking.marked_as(marker).to_xml(None)
    searched = [node.get("Value") for node in etree.fromstring(etree.tostring(restriction)).iter("{*}Constant")]
    assert (written, searched) == (marker, [marker])


@pytest.mark.parametrize(
    "kept", ["one/BK-1", "one/a b", "one/a\u00a0b", "one/\u200d", "one/ключ", "one/\U0001f600", "one/<&>\"'"]
)
def test_ordinary_markers_are_kept(kept):
    assert is_kept(kept)


@pytest.mark.parametrize("odd", ["\x00", "\x1f", "\x7f", "\t", "\n", "\r", "\ud800", "\ufdd0", "\ufffe"])
def test_markers_that_change_on_their_way_are_not(odd):
    assert not is_kept(f"one/{odd}")


@given(TEXTS, st.lists(TEXTS, min_size=1, max_size=4).map("\n\t".join))
def test_texts_are_sent_as_they_are(title, body):
    root = created(title=title, body=body)
    if is_kept(title):
        assert (root.findtext(".//{*}Subject") or "") == title
    if is_kept(body.replace("\n\t", "")):
        assert (root.findtext(".//{*}CalendarItem/{*}Body") or "") == body
