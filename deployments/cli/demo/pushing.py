"""The second act: bookings become entries, each exactly once, whatever owners and the network do."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from busytime.bookings_file import read_bookings
from busytime.errors import REASON_TEXTS, Reason
from busytime.model import Outcome
from busytime.outcomes import DONE, PushOutcome
from deployments.cli.demo.stage import PAGE, Sandbox, Slots, Story
from deployments.cli.push import run_push, summary
from tasks.workspace import Workspace

#: The page's main and its additional calendar.
_OWNERS = ("owner0001@corp.example", "owner0002@corp.example")


@dataclass
class _Bookings:
    """The bookings of the demo: what they are now, and what is in the calendars by the server's own word."""

    office: Workspace
    exchange: Sandbox
    file: Path
    slots: Slots

    def take(self, *bookings: tuple[str, int, int], cancelled: str | None = None) -> None:
        """Import bookings, each a key, a revision and the number of a slot, and perhaps a cancellation."""
        lines = [self._line(key, revision, slot) for key, revision, slot in bookings]
        lines += [{"key": cancelled, "page": PAGE, "state": "cancelled", "revision": 2}] if cancelled else []
        self.file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        now = self.office.clock.now()
        with self.office.store.write() as unit:
            unit.bookings.take(read_bookings(self.file, [PAGE], now), now)

    def _line(self, key: str, revision: int, slot: int) -> dict[str, object]:
        start, end = (instant.isoformat(timespec="seconds") for instant in self.slots[slot])
        return {"key": key, "page": PAGE, "start": start, "end": end, "title": "Intro call", "revision": revision}

    def are(self, **wanted: int) -> bool:
        """Tell whether both calendars hold exactly these bookings, each once and in its slot."""
        expected = sorted((key, self._utc(slot)) for key, slot in wanted.items())
        return all(self._held_by(owner) == expected for owner in _OWNERS)

    def _held_by(self, owner: str) -> list[tuple[str, tuple[datetime, ...]]]:
        items = [it for it in self.exchange.appointments(owner) if it["booking_key"]]
        return sorted((it["booking_key"], tuple(datetime.fromisoformat(it[name]) for name in ("start", "end"))) for it in items)

    def _utc(self, slot: int) -> tuple[datetime, ...]:
        return tuple(instant.astimezone(UTC) for instant in self.slots[slot])

    def at(self, slot: int) -> str:
        """Name a slot for people."""
        return f"{self.slots[slot][0]:%a %H:%M}"


def show_pushes(story: Story, office: Workspace, exchange: Sandbox, directory: Path, free: Slots) -> None:
    """Push bookings, move and cancel some, meet a taken slot, and survive a lost answer."""
    bookings = _Bookings(office, exchange, directory / "bookings.jsonl", free[::2])

    bookings.take(("BK1", 1, 0), ("BK2", 1, 1), ("BK3", 1, 2))
    outcome = run_push()
    story.tell("Bookings pushed", summary(outcome), good=bookings.are(BK1=0, BK2=1, BK3=2))
    story.add(f"BK1 {bookings.at(0)}, BK2 {bookings.at(1)}, BK3 {bookings.at(2)}: once in each of the page's two calendars")

    before = len(exchange.log())
    again = run_push()
    sent = len(exchange.log()) - before
    story.tell(
        "Pushed again", f"{summary(again) or 'nothing to do'}, {sent} requests sent", good=(again.changes, sent) == ((), 0)
    )

    bookings.take(("BK1", 2, 3), cancelled="BK2")
    story.tell("Moved and cancelled", summary(run_push()), good=bookings.are(BK1=3, BK3=2))
    story.add(f"BK1 is at {bookings.at(3)} now, BK2 is gone, and BK3 was not touched")

    _show_conflict(story, bookings)
    _show_lost_answer(story, bookings)


def _show_conflict(story: Story, bookings: _Bookings) -> None:
    bookings.exchange.book(_OWNERS[0], bookings.slots[4][0].astimezone(UTC), "Busy")
    bookings.take(("BK4", 1, 4))
    outcome = run_push()
    told = _outcomes(outcome, "BK4") == [Outcome.CONFLICT] * 2
    story.tell("Taken in the meantime", summary(outcome), good=told and bookings.are(BK1=3, BK3=2))
    story.add(f"BK4 {bookings.at(4)} is not entered: {REASON_TEXTS[Reason.SLOT_TAKEN]}")


def _show_lost_answer(story: Story, bookings: _Bookings) -> None:
    exchange, before = bookings.exchange, len(bookings.exchange.log())
    exchange.control("POST", "/faults", {"kind": "drop_after", "operation": "CreateItem", "count": 1})
    bookings.take(("BK5", 1, 1))
    outcomes = _outcomes(run_push(), "BK5")
    created = sum(entry["operation"] == "CreateItem" for entry in exchange.log()[before:])
    found = set(outcomes) <= DONE and Outcome.ALREADY_APPLIED in outcomes and created == len(_OWNERS)
    story.tell("An answer was lost", "Exchange entered BK5, and the line broke", good=found and bookings.are(BK1=3, BK3=2, BK5=1))
    story.add("looked up by its marker, and not sent again: each calendar holds exactly one")


def _outcomes(outcome: PushOutcome, booking_key: str) -> list[Outcome]:
    return [result.outcome for result, _ in outcome.changes if result.booking_key == booking_key]
