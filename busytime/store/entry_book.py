"""The tables of pushing as one run uses them: implements the port ``EntryBook``, a short transaction for each call."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from busytime.bookings import CalendarItem, Claim, Ending, Entry, EntryState, Intent, Unseen
from busytime.errors import Reason
from busytime.permissions import Conclusion, Evidence, Need, Verdict, required_level
from busytime.planning import PlannedChange, Snapshot
from busytime.ports import Clock
from busytime.store.claims import claim_name
from busytime.store.permissions import StoredVerdict
from busytime.store.unit_of_work import Store, UnitOfWork


class StoredEntryBook:
    """The tables of pushing for one run.

    Args:
        store: The database.
        run_id: The run; ``None`` for a look at what a push would do, which writes nothing.
        clock: Tells the time.
        backfill: Whether bookings made before the connection was opened get entries too.
        pace: Into how many mailboxes a connection may write in five minutes; ``None`` leaves it to what the server says.
    """

    def __init__(
        self, store: Store, run_id: int | None, *, clock: Clock, backfill: bool = False, pace: int | None = None
    ) -> None:
        self._store = store
        self._run_id = run_id
        self._clock = clock
        self._backfill = backfill
        self._pace = pace
        self._holders: dict[int, str] = {}
        self._shared: UnitOfWork | None = None

    @contextmanager
    def together(self) -> Iterator[None]:
        """Make one transaction of all that is written inside; nothing may be sent meanwhile, because others wait."""
        with self._store.write() as unit:
            self._shared = unit
            try:
                yield
            finally:
                self._shared = None

    @contextmanager
    def _write(self) -> Iterator[UnitOfWork]:
        if self._shared is not None:
            yield self._shared
            return
        with self._store.write() as unit:
            yield unit

    @property
    def _run(self) -> int:
        if self._run_id is None:
            msg = "a look at a plan writes nothing"
            raise RuntimeError(msg)
        return self._run_id

    def snapshot(self, keys: Collection[str] | None = None) -> Snapshot:
        """Read what a plan is made from, and note beside rows of other programs whether they are good."""
        now = self._clock.now()
        with self._store.read() as unit:
            reading = unit.bookings.read(keys) if keys is not None else unit.bookings.read(ends_after=now)
            entries = unit.entries.of([booking.key for booking in reading.bookings])
            names = {booking.page for booking in reading.bookings} if keys is not None else None
            around = unit.surroundings.read(names, {it.calendar_id for each in entries.values() for it in each})
        if reading.notes and self._run_id is not None:
            with self._write() as unit:
                unit.bookings.note(reading, now)
        return Snapshot(
            now=now,
            bookings=reading.bookings,
            entries=entries,
            pages=around.pages,
            opened_at=around.opened_at,
            in_use=around.in_use,
            closed_calendars=around.closed_calendars,
            backfill=self._backfill,
        )

    def want(self, changes: Sequence[PlannedChange]) -> list[PlannedChange]:
        """Give each change an entry."""
        new = list(dict.fromkeys((it.booking.key, it.calendar_id) for it in changes if it.entry is None))
        if not new:
            return list(changes)
        with self._write() as unit:
            unit.entries.want(new, self._run, unit.instant)
            stored = unit.entries.of({key for key, _ in new})
        found = {(it.booking_key, it.calendar_id): it for its_entries in stored.values() for it in its_entries}
        return [replace(it, entry=it.entry or found[it.booking.key, it.calendar_id]) for it in changes]

    def claim(self, calendar_id: int) -> Claim:
        """Claim a calendar for this run."""
        with self._write() as unit:
            process, now = self._store.process, self._clock.now()
            answer, holder = unit.claims.take(calendar_id, self._run, process, now, self._pace)
        if holder is not None:
            self._holders[calendar_id] = holder
        return answer

    def hold(self, calendar_id: int) -> None:
        """Give a sign of life of a claim."""
        with self._write() as unit:
            self._check(unit, calendar_id)

    def release(self, calendar_id: int) -> None:
        """Give a claimed calendar back."""
        holder = self._holders.pop(calendar_id, None)
        if holder is not None:
            with self._write() as unit:
                unit.locks.release(claim_name(calendar_id), holder)

    def intend(self, entry: Entry, intent: Intent, unseen: Unseen | None = None) -> Entry | None:
        """Commit an intent, unless another entry may lie in its window."""
        intended = replace(entry, state=EntryState.INTENDED, intent=intent)
        with self._write() as unit:
            self._check(unit, entry.calendar_id)
            # Taken before the look: transactions queue for it, so nobody intends anything between the look and the commit.
            instant = unit.instant
            if unseen is not None and unit.entries.is_in_the_way(unseen, entry.booking_key, intent.window):
                return None
            unit.entries.write(intended, self._run, instant)
        return intended

    def conclude(self, ending: Ending) -> None:
        """Commit how an attempt ended."""
        with self._write() as unit:
            self._check(unit, ending.entry.calendar_id)
            unit.entries.write(ending.entry, self._run, unit.instant)
            unit.entries.add_change(ending, self._run, unit.instant)

    def save(self, entries: Sequence[Entry]) -> None:
        """Write entries as they were read back; one at which another attempt has begun meanwhile stays as it is."""
        if entries:
            with self._write() as unit:
                unit.entries.save(entries, self._run, unit.instant)

    def save_read(self, after: Sequence[Entry], *, before: Sequence[Entry]) -> int:
        """Write entries as they were read back without a claim, but only those that still stand as they did before.

        Returns:
            How many were written.
        """
        if not after:
            return 0
        with self._write() as unit:
            pairs = zip(after, before, strict=True)
            return sum(unit.entries.write(entry, self._run, unit.instant, before=old) for entry, old in pairs)

    def known_revisions(self, keys: Collection[str]) -> dict[str, int]:
        """Return the highest known revision of each known booking."""
        if not keys:
            return {}
        with self._store.read() as unit:
            booked, entered = unit.bookings.revisions(keys), unit.entries.revisions(keys)
        return {key: max(booked.get(key, 0), entered.get(key, 0)) for key in booked.keys() | entered.keys()}

    def adopt(self, found: Sequence[tuple[int, CalendarItem, str]]) -> None:
        """Believe what calendars hold: calendar, item and booking key of each item that was found there."""
        if found:
            with self._write() as unit:
                unit.entries.adopt(found, self._run, unit.instant)

    def mark_restored(self) -> None:
        """Note that the tables have forgotten what calendars hold."""
        self._store.mark_restored(self._run)

    def deny_write(self, calendar_id: int, detail: str | None) -> None:
        """Overrule the verdict: a real write was denied."""
        with self._write() as unit:
            before = unit.permissions.current(calendar_ids=[calendar_id]).get((calendar_id, Need.WRITE))
            denied = Conclusion(Verdict.INSUFFICIENT, None, None, Reason.WRITE_DENIED, detail)
            if before is None or (before.conclusion.verdict, before.conclusion.reason) != (denied.verdict, denied.reason):
                self._settle(unit, calendar_id, denied, before)

    def prove_write(self, calendar_id: int) -> None:
        """Settle a verdict that only a write could settle."""
        place = (calendar_id, Need.WRITE)
        with self._store.read() as unit:  # nearly always there is nothing to settle, and no writer has to wait for that
            before = unit.permissions.current(calendar_ids=[calendar_id]).get(place)
        if before is None or before.conclusion.verdict is not Verdict.UNPROVEN:
            return
        with self._write() as unit:
            if unit.permissions.current(calendar_ids=[calendar_id]).get(place) == before:
                self._settle(unit, calendar_id, Conclusion(Verdict.GRANTED, Evidence.PROBE_WRITE), before)

    def _settle(self, unit: UnitOfWork, calendar_id: int, conclusion: Conclusion, before: StoredVerdict | None) -> None:
        connection_id = unit.roster.connection_of(calendar_id)
        if connection_id is None:  # it was disconnected a moment ago: nobody asks for a verdict any more
            return
        (calendar,) = unit.roster.by_id([calendar_id])
        level = required_level(Need.WRITE, calendar.kind)
        unit.permissions.replace(
            connection_id,
            calendar_id,
            Need.WRITE,
            level,
            conclusion,
            before=before,
            run_id=self._run,
            instant=unit.instant,
        )

    def lower_pace(self) -> None:
        """Learn the pace of the connections through which this run writes now."""
        with self._write() as unit:
            serving = {unit.roster.connection_of(calendar_id) for calendar_id in self._holders}
            for connection_id in sorted(it for it in serving if it is not None):
                unit.claims.learn_pace(connection_id, self._clock.now())

    def _check(self, unit: UnitOfWork, calendar_id: int) -> None:
        """Check a claim, and give a sign of life of all that the run holds."""
        now = self._clock.now()
        unit.locks.check(claim_name(calendar_id), self._holders.get(calendar_id, ""), now)
        unit.locks.beat(self._run, now)
