"""What a bookings file calls the columns, and how it is said that one of them is wrong.

No words here show a title, a text or a guest. Pure: the standard library only.
"""

from collections.abc import Collection, Mapping

from busytime import intake
from busytime.bookings import BookingState
from busytime.errors import REASON_TEXTS, Reason
from busytime.intake import BookingFault

#: The fields of a file, and the columns that they are.
FIELDS = {
    "key": "booking_key",
    "page": "page",
    "start": "starts_at",
    "end": "ends_at",
    "title": "title",
    "state": "state",
    "revision": "revision",
    "location": "location",
    "body": "body",
    "guests": "guests",
    "booked_at": "booked_at",
}
_NAMES = {column: name for name, column in FIELDS.items()}

_TIME = "2026-12-01T09:00:00+01:00"
_YEARS = f"{intake.YEARS[0]} to {intake.YEARS[-1]}"
#: What is right, for each column whose value may be missing or cannot be read.
_RIGHT = {
    "booking_key": "a text that prints, without blanks at its ends",
    "page": "the name of a booking page",
    "starts_at": f"a time at a whole second with its offset, like {_TIME}, in the years {_YEARS}",
    "ends_at": f"a time at a whole second with its offset, like {_TIME}, in the years {_YEARS}",
    "booked_at": f"a time with its offset, like {_TIME}, in the years {_YEARS}",
    "title": "a text",
    "state": " or ".join(BookingState),
    "revision": f"a whole number from 1 to {intake.MAX_REVISION}",
    "location": "a text",
    "body": "a text",
    "guests": "a list of texts, or one text with a guest a line",
}
_LONGEST = {
    "booking_key": f"has more than {intake.MAX_KEY_LENGTH} characters",
    "title": f"has more than {intake.MAX_TITLE_LENGTH} characters",
    "location": f"has more than {intake.MAX_LOCATION_LENGTH} characters",
    "body": f"has more than {intake.MAX_BODY_LENGTH} characters",
    "guests": f"names more than {intake.MAX_GUESTS} guests, or one with more than {intake.MAX_GUEST_LENGTH} characters",
    "ends_at": f"is more than {intake.MAX_LENGTH.days} days after the start",
}
_PAGES_NAMED = 10


def worded(fault: BookingFault, values: Mapping[str, object], pages: Collection[str]) -> str:
    """Say in plain words, with the file's own names, what is wrong and what to write instead.

    Args:
        fault: What is wrong.
        values: What was read, by the names of the columns.
        pages: Names of the booking pages in use.
    """
    name, right = _NAMES[fault.field], _RIGHT[fault.field]
    words = {
        Reason.VALUE_MISSING: f"{name} is missing; write {right}",
        Reason.VALUE_UNREADABLE: f"{name} cannot be read; write {right}",
        Reason.VALUE_TOO_LONG: f"{name} {_LONGEST.get(fault.field)}; shorten it",
        Reason.CONTROL_CHARACTERS: f"{name} holds a control character, or what is no whole character; remove it",
        Reason.NO_UTC_OFFSET: f"{name} has no UTC offset; add it, as in {_TIME}",
        Reason.ENDS_BEFORE_START: f"{name} is not after the start; write a later one",
        Reason.KEY_RESERVED: "this key is kept for busytime itself; write another one",
        Reason.UNKNOWN_PAGE: f"there is no booking page {str(values.get('page'))[:80]!r}; {_named(pages)}",
    }
    return words.get(fault.reason) or f"{name}: {REASON_TEXTS[fault.reason]}"


def _named(pages: Collection[str]) -> str:
    """Name the pages that there are."""
    if not pages:
        return "the roster has none yet: run `busytime roster import FILE` first"
    shown = sorted(pages)[:_PAGES_NAMED]
    more = f" and {len(pages) - len(shown)} more" if len(pages) > len(shown) else ""
    return f"known are {', '.join(shown)}{more}"
