"""The scene of the state machine: guests, owners, faults, deaths and pushers, and what is to hold after each step.

Beside the real server stands a model of what is in the calendars; it is compared with what the server itself says.
"""

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine

from busytime.bookings import Booking, BookingState, ChangeKind, Draft, EntryState, booking_key_of
from tests.integration.pushing.processes import Process
from tests.integration.pushing.world import OWNERS, PAGES, WINDOWS, Database, Exchange
from tests.sandbox_fixture import RunningSandbox

GONE = {EntryState.CANCELLED, EntryState.REMOVED_BY_OWNER}
LEVELS = ["None", "Reviewer", "NoneditingAuthor"]
#: A request is lost on its way, or its answer is; the server is away; the answer is rubbish.
FAULTS = ["drop_before", "drop_after", "http_503", "malformed"]
WRITES = {"create_entry": "book", "change_entry": "revise", "remove_entry": "cancel"}
OPERATIONS = {"CreateItem": "book", "UpdateItem": "revise", "DeleteItem": "cancel"}
READS = ["read_items", "find_entries", "read_entries", "read_availability"]
STEPS = [*WRITES, *WRITES, "intend", "intend", "conclude", "conclude", "save", "want", "claim", "release", "read_items"]
EDITS = ["move", "retitle", "free", "tentative", "copy", "copy_here", "replace", "remove"]
MEANWHILE = [*EDITS, "make", "revise", "revoke", "push", "push"]

pages = st.sampled_from(sorted(PAGES))
windows = st.sampled_from(WINDOWS)
#: Which of the things that are there now: the number is taken modulo their count.
whichever = st.integers(0, 11)
#: Mostly a time that is free now; above this one of all.
MOST = 11
slots = st.integers(0, MOST + 4)
numbers = st.sampled_from([0, 0, 0, 1, 2])
wishes = st.sampled_from(["book", "book", "revise", "retitle", "cancel"])
guests = {"page": pages, "which": whichever, "slot": slots}


class Setting:
    """The server and the database's template, which all examples share."""

    def __init__(self):
        self._stack = ExitStack()
        self.directory = Path(mkdtemp(prefix="busytime-push-"))
        sandbox = RunningSandbox("--owners", "1")
        self._stack.callback(sandbox.stop)
        self.exchange = Exchange(sandbox)
        self._stack.callback(self.exchange.close)
        self.database = Database(self.directory / "busytime.db", self.exchange)
        self._stack.callback(self.database.close)
        self.gateways = [self.open_gateway(), self.open_gateway()]

    def open_gateway(self):
        gateway = self.exchange.open_gateway()
        self._stack.callback(gateway.close)
        return gateway

    def renew(self, gateway):
        """Open a gateway in place of another process's."""
        place = self.gateways.index(gateway)
        self.gateways[place] = self.open_gateway()
        return self.gateways[place]

    def close(self):
        self._stack.close()
        for path in self.directory.iterdir():
            path.unlink()
        self.directory.rmdir()


class Scene(RuleBasedStateMachine):
    """All that the rules do and check."""

    setting: Setting

    def __init__(self):
        super().__init__()
        self.exchange = self.setting.exchange
        self.database = self.setting.database
        self.store, self.other_store = self.database.open_store(), self.database.open_store(other=True)
        self.gateway, self.other_gateway = self.setting.gateways
        self.bookings = {}
        self.levels = dict.fromkeys(OWNERS, "Editor")
        #: What was in the calendars when they were last looked at.
        self.seen = {owner: {} for owner in OWNERS}
        #: When owners made their copies, by id.
        self.copied_at = {}
        #: Copies that took the place of an item that its owner removed.
        self.adopted = set()
        #: Items whose owners moved or removed them since the product last wrote them.
        self.touched = set()
        #: What appeared while a push was under way: its readings need not show it.
        self.unseen = set()
        #: Requests to create that never came to anything yet.
        self.pending = []
        #: Items that such a request made after all.
        self.late = set()
        #: Those of them whose owners have plans with them now.
        self.kept = set()
        #: Owner and booking key of each intent that was committed.
        self.intents = {}
        #: Entries as they were at the last look, and at the end of the last push.
        self.entries = self.known = {}
        self.looked = False
        self.sound = True

    def window(self, page, slot):
        """Return a time for a booking: mostly one at which nothing is in its page's calendars, or shall be there."""
        read = [PAGES[page].main.owner, *(it.owner for it in PAGES[page].busy)]
        taken = [it.window for owner in read for it in self.seen[owner].values() if it.busy]
        taken += [it.window for it in self.bookings.values() if PAGES[it.page].main.owner in read]
        free = [it for it in WINDOWS if not any(it.overlaps(other.start, other.end) for other in taken)]
        return self.pick(free, slot) if free and slot <= MOST else self.pick(WINDOWS, slot)

    def book(self, page, window):
        key = f"BK-{len(self.bookings)}"
        self.take(Booking(key, page, window, "Intro call", BookingState.SCHEDULED, 1, datetime.now(UTC)))

    def take(self, booking):
        self.database.take(booking)
        self.bookings[booking.key] = booking

    def edit_item(self, deed, owner, item, window):
        if deed == "move":
            self.exchange.change(item.id, start=window.start.isoformat(), end=window.end.isoformat())
        elif deed == "retitle":
            self.exchange.change(item.id, subject=f"{item.subject}, moved")
        elif deed in {"free", "tentative"}:
            self.exchange.change(item.id, status=deed)
        if deed in {"copy", "copy_here", "replace"}:
            made_at = datetime.now(UTC)
            start = item.start if deed == "copy_here" else window.start
            self.copied_at[self.exchange.copy(item.id, start)] = made_at
        if deed in {"remove", "replace"}:
            self.exchange.remove(item.id)
        if deed in {"move", "remove", "replace"}:
            self.touched.add(item.id)
        if deed == "move" and item.id in self.late:
            # Nothing tells it from a copy any more.
            self.late.remove(item.id)
            self.kept.add(item.id)
        self.look_at(owner)

    def look_at(self, owner):
        """See what an owner did; a push that is under way need not."""
        before, self.seen[owner] = self.seen[owner], self.exchange.items(owner)
        self.unseen |= {it for it, now in self.seen[owner].items() if before.get(it) != now}

    def any_item(self, which):
        """Return an item of any calendar, in an order that is the same each time."""
        found = [(owner, item) for owner in OWNERS for item in self.seen[owner].values()]
        return self.pick(sorted(found, key=lambda it: (it[0], it[1].start, it[1].end, it[1].subject, it[1].marker or "")), which)

    def push_with(self, turn):
        with self.step():
            self.unseen, levels = set(), dict(self.levels)
            process = self.process(turn)
            process.push()
            self.exchange.mend()
            self.look()
            self.check_hidden(levels)
            self.pending += [args for name, args in process.lost if name == "create_entry"]
            self.pending = [args for args in self.pending if not self.has(args[0], args[2].marker_key)]
            if process.dead:
                self.start_anew()
            else:
                self.check_claims()

    def start_anew(self):
        """After a death another process takes over, with nothing that the first one had."""
        self.store = self.database.open_store()
        self.gateway = self.setting.renew(self.gateway)

    def process(self, turn=None, *, other=False):
        store, gateway = (self.other_store, self.other_gateway) if other else (self.store, self.gateway)
        return Process(self.database, self.exchange, gateway, store, self.intents, turn)

    def interrupt(self, method, args, deed, page, which, slot):
        """Do something while a push is under way: best of all with the item that it has in its hands."""
        self.look()
        owner = self.pick(OWNERS, which)
        if deed == "push":
            before = self.seen
            self.process(other=True).push()
            self.look()
            if method not in {"read_items", "find_entries", "read_availability"}:
                # The slot was looked at already: as if the other one had come second.
                self.unseen |= {it for at in OWNERS for it, now in self.seen[at].items() if before[at].get(it) != now}
        elif deed == "revise":
            self.hear(deed, page, which, slot)
        elif deed == "revoke":
            self.revoke(owner, "None")
        elif deed == "make":
            self.make(owner, self.pick(WINDOWS, slot))
        elif any(self.seen.values()):
            named = {getattr(it, "item_id", it) for it in args if not isinstance(it, list | Draft)}
            held = [(at, item) for at in OWNERS for item in self.seen[at].values() if item.id in named]
            self.edit_item(deed, *(held[0] if held else self.any_item(which)), self.pick(WINDOWS, slot))

    def come_late(self, process, *_args):
        """A request that was given up takes effect after all."""
        self.look()
        lost = [args for name, args in process.lost if name == "create_entry"]
        if lost:
            self.take_effect(*lost[0])

    def take_effect(self, owner, _folder_id, draft):
        made = self.exchange.make(
            owner,
            draft.window,
            creator=self.exchange.email,
            marker=draft.marker_key,
            revision=str(draft.revision),
            subject=draft.title,
        )
        self.late.add(made)
        self.copied_at[made] = datetime.now(UTC)
        self.seen[owner] = self.exchange.items(owner)

    def pick(self, things, which):
        return things[which % len(things)]

    def has(self, owner, marker):
        return any(it.marker == marker and self.is_ours(it) for it in self.seen[owner].values())

    def is_ours(self, item):
        return item.id in self.adopted or (item.creator == self.exchange.email and item.id not in self.kept)

    def key_of(self, item):
        return booking_key_of(item.marker, self.database.installation_id)

    def look(self):
        """Look at the calendars and tables after the product had its way, and hold them against what was there before."""
        now = {owner: self.exchange.items(owner) for owner in OWNERS}
        entries = self.database.entries()
        for owner in OWNERS:
            before = self.seen[owner]
            changed = {it.id for it in now[owner].values() if before.get(it.id) != it}
            self.check_others(owner, before, now[owner], entries)
            for item_id in changed:
                item = now[owner][item_id]
                assert self.is_ours(item), f"{item} was made in {owner} by nobody"
                assert (owner, self.key_of(item)) in entries, f"{item} is in no table"
                self.touched.discard(item_id)
        for owner in OWNERS:
            self.check_placed(owner, now)
        self.seen, self.entries, self.looked = now, entries, True

    def check_others(self, owner, before, now, entries):
        """What is not ours is as it was; a copy counts as ours where its owner removed the original."""
        for item in before.values():
            if self.is_ours(item) or now.get(item.id) == item:
                continue
            assert self.may_be_taken(owner, item, before, entries), f"{item} in {owner} was touched, now {now.get(item.id)}"
            self.adopted.add(item.id)

    def may_be_taken(self, owner, item, before, entries):
        key = self.key_of(item)
        if key not in self.bookings:
            return False
        if not any(it.marker == item.marker and self.is_ours(it) for it in before.values()):
            return True
        intents = [it[owner, key].intent for it in (self.entries, entries) if (owner, key) in it]
        return any(
            intent is not None
            and (intent.kind, intent.window) == (ChangeKind.CREATE, item.window)
            and self.copied_at[item.id] > intent.at - timedelta(seconds=1)
            for intent in intents
        )

    def check_placed(self, owner, now):
        """What was just put into a main calendar overlaps nothing there, and nothing in the page's busy calendars."""

        def placed(at, item):
            before = self.seen[at].get(item.id)
            return before is None or before.window != item.window

        for item in now[owner].values():
            booking = self.bookings.get(self.key_of(item))
            if booking is None or not self.is_ours(item) or not placed(owner, item):
                continue
            page = PAGES[booking.page]
            if page.main.owner != owner or page.allow_conflicts:
                continue
            for at in (owner, *(ref.owner for ref in page.busy)):
                for other in now[at].values():
                    theirs = self.bookings.get(self.key_of(other))
                    # What follows no slot, or a wider rule, may have come after.
                    lenient = theirs and (PAGES[theirs.page].allow_conflicts or PAGES[theirs.page].main.owner != at)
                    excused = other.id in self.unseen | self.late or (lenient and placed(at, other))
                    overlaps = other.busy and item.window.overlaps(other.start, other.end)
                    assert not overlaps or other.id == item.id or excused, f"{item} in {owner} overlaps {other} in {at}"

    def check_claims(self):
        """Nobody who lives holds a calendar any more; what dead ones held is still there."""
        assert not self.database.claimed_by_the_living()

    def check_hidden(self, levels):
        """Nothing is concluded of a calendar that does not tell."""
        for (owner, key), entry in self.known.items():
            if (levels[owner], self.levels[owner]) == ("None", "None") and (entry.item_id or entry.lost):
                state = self.entries[owner, key].state
                assert state is entry.state or state not in GONE, f"{key} in {owner} is {state}, and nobody could see it"
        self.known = self.entries

    def no_booking_is_in_a_calendar_twice(self):
        for owner, items in self.seen.items():
            markers = [it.marker for it in items.values() if self.is_ours(it)]
            for marker in {it for it in markers if markers.count(it) > 1}:
                entry = self.entries[owner, booking_key_of(marker, self.database.installation_id)]
                late = any(it.id in self.late for it in items.values() if it.marker == marker)
                assert (late, entry.lost) == (True, True), f"{marker} is in {owner} {markers.count(marker)} times"

    def what_is_gone_is_gone_and_what_is_there_is_there(self):
        for (owner, key), entry in self.entries.items():
            if entry.state in GONE:
                assert not self.has(owner, self.database.marker(key)), f"{key} is in {owner} and called {entry.state}"
            if entry.state is EntryState.PRESENT and entry.item_id not in self.touched:
                item = self.seen[owner].get(entry.item_id)
                assert item is not None, f"{key} is not in {owner} and called present"
                assert (item.window, int(item.revision)) == (entry.window, entry.revision)

    def each_intent_has_one_outcome(self):
        outcomes = [attempt for attempt, _ in self.database.outcomes()]
        assert len(set(outcomes)) == len(outcomes)
        for attempt in self.intents.keys() - set(outcomes):
            entry = self.entries[self.intents[attempt]]
            assert (entry.state, entry.intent.attempt_id) == (EntryState.INTENDED, attempt), "an intent has no outcome"

    def end_well(self):
        """Once nothing is in the way, one push and one look at what owners did make calendars and tables agree."""
        self.give_back()
        self.push_on()
        self.read_back()
        if any(entry.lost for entry in self.database.entries().values()):
            self.push_on()
        self.look()
        for _ in self.bookings:
            if self.agree():
                return
            self.push_on()  # a slot became free after it had been looked at
        assert self.agree(), "a booking is refused a slot that is free"

    def push_on(self):
        self.push_with(None)
        self.check_all()

    def agree(self):
        """Hold each booking against tables and calendars; return whether each conflict is one."""
        honest = True
        for key, booking in self.bookings.items():
            page = PAGES[booking.page]
            for owner in OWNERS:
                wanted = booking.state is BookingState.SCHEDULED and owner in {
                    page.main.owner,
                    *(it.owner for it in page.additional),
                }
                entry, there = self.entries.get((owner, key)), self.has(owner, self.database.marker(key))
                if not wanted:
                    assert not there, f"{key} is in {owner}, where nobody wants it"
                    assert entry is None or entry.state is EntryState.CANCELLED
                    continue
                honest &= self.stands(booking, owner, entry, there)
        return honest

    def stands(self, booking, owner, entry, there):
        main = self.entries.get((PAGES[booking.page].main.owner, booking.key))
        text = f"{booking.key} in {owner}: {entry}, {self.seen[owner].get(entry.item_id)}, wanted {booking.window}"
        if entry.state is EntryState.CONFLICT:
            return self.is_taken(booking, owner, entry)
        if entry.state is EntryState.REMOVED_BY_OWNER:
            assert not there, text
            return True
        item = self.seen[owner].get(entry.item_id)
        if entry is not main and (main.state is not EntryState.PRESENT or main.window != booking.window):
            assert there or entry.item_id is None, text
            return True
        assert item is not None, text
        assert (item.window, int(item.revision)) == (entry.window, booking.revision), text
        if entry.state is EntryState.MOVED_BY_OWNER:
            assert item.window != booking.window, text
        else:
            assert (entry.state, item.window) == (EntryState.PRESENT, booking.window), text
        return True

    def is_taken(self, booking, owner, entry):
        page = PAGES[booking.page]
        if owner != page.main.owner:
            return self.entries[page.main.owner, booking.key].state is EntryState.CONFLICT
        return any(
            it.busy and it.id != entry.item_id and booking.window.overlaps(it.start, it.end)
            for at in (owner, *(ref.owner for ref in page.busy))
            for it in self.seen[at].values()
        )
