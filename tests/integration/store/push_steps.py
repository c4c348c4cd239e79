"""The steps of a push, for tests of what the tables keep of it."""

from dataclasses import replace

from busytime.bookings import ChangeKind, Claim, Ending, EntryState, Intent
from busytime.model import Outcome
from busytime.planning import make_plan
from busytime.roster import BookingPage, CalendarRef, Hours
from tests.unit.bookings.snapshots import WHEN, make_booking
from tests.unit.moments import MONDAY, at


def make_page(name="intro-call", main="ana", additional=("bo",), busy=("cy",), **more):
    refs = {
        role: tuple(CalendarRef(f"{owner}@corp.example") for owner in owners)
        for role, owners in (("additional", additional), ("busy", busy))
    }
    return BookingPage(name, "Europe/Berlin", Hours(540, 1020), CalendarRef(f"{main}@corp.example"), **refs, **more)


def booking(key="BK-1", revision=1, **values):
    return make_booking(key, revision=revision, booked_at=at(1), **values)


def plan(book):
    """Want all that is planned, and return the entries by booking and calendar."""
    planned = book.want(make_plan(book.snapshot()).changes)
    return {(it.booking.key, it.calendar_id): it.entry for it in planned}


def intent_for(entry, attempt="a1", *, kind=ChangeKind.CREATE, when=WHEN, made=MONDAY):
    return Intent(f"{attempt}-{entry.id}", kind, 1, when, made)


def ending_of(entry, outcome=Outcome.APPLIED, **values):
    intent = entry.intent
    return Ending(
        entry, intent.attempt_id, intent.kind, intent.revision, intent.window, None, outcome, intended_at=intent.at, **values
    )


def write_entry(book, entry, *, attempt="a1", when=WHEN, made=MONDAY, outcome=Outcome.APPLIED):
    """Write an entry as a push does, and return it as it stands."""
    assert book.claim(entry.calendar_id) is Claim.GRANTED
    intended = book.intend(entry, intent_for(entry, attempt, when=when, made=made))
    after = replace(intended, state=EntryState.PRESENT, item_id=f"item-{entry.id}", change_key="1", revision=1, window=when)
    book.conclude(ending_of(after, outcome))
    book.release(entry.calendar_id)
    return after
