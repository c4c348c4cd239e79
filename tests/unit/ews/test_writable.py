"""What a booking may hold arrives in a calendar as it is: no request puts another character in its stead."""

from datetime import UTC, datetime

from lxml import etree

from busytime.bookings import Booking, Draft
from busytime.ews import envelopes_writing
from busytime.ews.soap import NAMESPACES
from busytime.intake import check_booking
from busytime.model import Window

PAGES = ["intro-call"]
NINE = datetime(2026, 12, 1, 9, tzinfo=UTC)
GOOD = {
    "booking_key": "BK-1001",
    "page": "intro-call",
    "starts_at": NINE,
    "ends_at": NINE.replace(hour=10),
    "title": "Intro call",
    "booked_at": NINE,
}
#: Less than a body may hold.
CHUNK = 0x1000


def taken(text):
    """Return what of a text may stand in a body, piece by piece."""
    if isinstance(check_booking(GOOD | {"body": text}, PAGES), Booking):
        return text
    half = len(text) // 2
    return taken(text[:half]) + taken(text[half:]) if half else ""


def arrived(body):
    """Return a body as a server reads it."""
    draft = Draft("installation/BK-1001", 1, Window(NINE, NINE.replace(hour=10)), "UTC", "Intro call", "", body)
    envelope = envelopes_writing.create_entry("ana@corp.example", None, envelopes_writing.draft_entry(draft, "UTC"))
    return etree.fromstring(envelope, etree.XMLParser(huge_tree=True)).findtext(".//t:Body", namespaces=NAMESPACES)


def test_every_character_that_a_booking_may_hold_is_written_as_it_is():
    everything = "".join(map(chr, range(0x110000)))
    text = "".join(taken(everything[start : start + CHUNK]) for start in range(0, len(everything), CHUNK))
    # No comparison of texts here: a million characters in a message help nobody.
    assert [f"U+{ord(sign):04X}" for sign, seen in zip(text, arrived(text), strict=True) if sign != seen] == []
    assert len(text) > 0x100000
