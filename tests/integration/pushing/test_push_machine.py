"""Pushing through everything that can go wrong: each booking is in each calendar exactly once, and nothing else is touched.

A state machine plays guests, owners, faults, deaths and several pushers against a real database and a real server. Beside
them stands a model of what is in the calendars; after each step it is compared with what the server itself says.
"""

import threading
from contextlib import contextmanager
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from busytime import pushing
from busytime.bookings import BookingState, ChangeKind, booking_key_of
from tests.integration.pushing.processes import Process, Turn
from tests.integration.pushing.scene import (
    EDITS,
    FAULTS,
    LEVELS,
    MEANWHILE,
    OPERATIONS,
    READS,
    STEPS,
    WRITES,
    Scene,
    Setting,
    guests,
    numbers,
    pages,
    slots,
    whichever,
    windows,
    wishes,
)
from tests.integration.pushing.world import OWNERS


@pytest.fixture(scope="module", autouse=True)
def _shared_setting():
    Pushing.setting = Setting()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pushing, "_PAUSE_SECONDS", 2.0)  # who waits for a claim looks a few times only
        yield
    Pushing.setting.close()
    del Pushing.setting


class Pushing(Scene):
    """Guests, owners and pushers at once."""

    @contextmanager
    def step(self):
        """Leave the last words to what went wrong."""
        self.sound = False
        yield
        self.sound = True

    @initialize(booked=st.lists(st.tuples(pages, slots), min_size=1, max_size=4))
    def begin(self, booked):
        for page, slot in booked:
            self.book(page, self.window(page, slot))

    @rule(wish=wishes, **guests)
    def hear(self, wish, page, which, slot):
        """Take in what a guest wants: a new booking, another time, another text at the old time, or nothing any more."""
        if wish == "book" or not self.bookings:
            self.book(page, self.window(page, slot))
            return
        booking = self.pick(sorted(self.bookings.values(), key=lambda it: it.key), which)
        state = BookingState.CANCELLED if wish == "cancel" else BookingState.SCHEDULED
        window = self.window(booking.page, slot) if wish == "revise" else booking.window
        self.take(replace(booking, revision=booking.revision + 1, state=state, window=window, title=f"{booking.title}!"))

    @rule(owner=st.sampled_from(OWNERS), window=windows)
    def make(self, owner, window):
        self.exchange.make(owner, window)
        self.look_at(owner)

    @precondition(lambda self: any(self.seen.values()))
    @rule(deed=st.sampled_from(EDITS), which=whichever, window=windows)
    def edit(self, deed, which, window):
        """An owner does something with an item; the product may know nothing of it."""
        self.edit_item(deed, *self.any_item(which), window)

    @rule(owner=st.sampled_from(OWNERS), level=st.sampled_from(LEVELS))
    def revoke(self, owner, level):
        self.exchange.grant(owner, level)
        self.levels[owner] = level

    @precondition(lambda self: set(self.levels.values()) != {"Editor"})
    @rule()
    def give_back(self):
        """Owners give back what they took, and a validation sees it."""
        for owner, level in self.levels.items():
            if level != "Editor":
                self.exchange.grant(owner, "Editor")
                self.levels[owner] = "Editor"
        self.database.allow(*OWNERS)

    @rule(wish=wishes, **guests)
    def push(self, wish, **guest):
        self.hear(wish, **guest)
        self.push_with(None)

    @rule(kind=st.sampled_from(FAULTS), operation=st.sampled_from([*OPERATIONS]), count=st.sampled_from([1, 1, 3]), **guests)
    def push_through_a_fault(self, kind, operation, count, **guest):
        """A write goes wrong, perhaps at each try."""
        self.hear(OPERATIONS[operation], **guest)
        self.exchange.fault(kind, operation, count)
        self.push_with(None)

    @rule(
        kind=st.sampled_from(FAULTS),
        operation=st.sampled_from(["FindItem", "GetItem", "GetUserAvailability"]),
        wish=wishes,
        **guests,
    )
    def push_past_a_reading_that_fails(self, kind, operation, wish, **guest):
        self.hear(wish, **guest)
        self.exchange.fault(kind, operation, 1)
        self.push_with(None)

    @rule(method=st.sampled_from(STEPS), after=st.booleans(), number=numbers, wish=wishes, **guests)
    def push_and_die(self, method, after, number, wish, **guest):
        self.hear(WRITES.get(method, wish), **guest)
        self.push_with(Turn(method, after, number, Process.die))

    @rule(
        method=st.sampled_from([*WRITES, *READS]),
        after=st.booleans(),
        number=numbers,
        deed=st.sampled_from(MEANWHILE),
        wish=wishes,
        **guests,
    )
    def push_meanwhile(self, method, after, number, deed, wish, **guest):
        """Something else happens in the middle of a push."""
        self.hear(WRITES.get(method, wish), **guest)
        self.push_with(Turn(method, after, number, lambda _, *args: self.interrupt(method, args, deed, **guest)))

    @rule(after=st.booleans(), page=pages, slot=slots)
    def push_while_an_earlier_request_takes_effect(self, after, page, slot):
        """A request to create is given up, and takes effect when the next one is sent."""
        self.hear("book", page, 0, slot)
        self.exchange.fault("drop_before", "CreateItem", 1)
        # The first call of the two has no end that could be told.
        self.push_with(Turn("create_entry", after, 0 if after else 1, self.come_late))

    @precondition(lambda self: self.pending)
    @rule(which=whichever)
    def take_effect_after_all(self, which):
        """A request takes effect after it was given up, and before anybody has looked."""
        args = self.pick(self.pending, which)
        entry = self.database.entries()[args[0], booking_key_of(args[2].marker_key, self.database.installation_id)]
        if entry.lost and entry.intent.kind is ChangeKind.CREATE:
            self.pending.remove(args)
            self.take_effect(*args)

    @rule(wish=wishes, **guests)
    def push_twice_at_once(self, wish, **guest):
        self.hear(wish, **guest)
        with self.step():
            self.unseen = set()
            levels = dict(self.levels)
            errors = []

            def push(process):
                try:
                    process.push()
                except BaseException as error:  # noqa: BLE001 -- a thread's error is told by the test
                    errors.append(error)

            threads = [threading.Thread(target=push, args=(self.process(other=other),)) for other in (False, True)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            for error in errors:
                raise error
            self.check_claims()
            self.look()
            self.check_hidden(levels)

    @rule()
    def read_back(self):
        with self.step():
            before = self.seen
            self.process().read_back()
            self.look()
            assert self.seen == before, "reading back changed a calendar"

    @invariant()
    def check_all(self):
        if self.looked:
            self.looked = False
            self.no_booking_is_in_a_calendar_twice()
            self.what_is_gone_is_gone_and_what_is_there_is_there()
            self.each_intent_has_one_outcome()

    def teardown(self):
        try:
            if self.sound:
                self.end_well()
        finally:
            self.database.clear()
            self.exchange.clear()


TestPushing = Pushing.TestCase
TestPushing.settings = settings(max_examples=settings().max_examples // 2, stateful_step_count=10, deadline=None, print_blob=True)
