"""The worlds that verdicts are tested in, and a calendar of any level and content in each."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import NamedTuple

from busytime.model import Calendar, CalendarKind
from busytime.permissions import Need
from busytime.validating import Candidate, Ladder
from tests.contract.gateway.worlds import FakeWorld, SandboxWorld
from tests.unit.moments import HandClock

INSTALLATION = "0123456789abcdef"
GRACE = timedelta(hours=48)
LONG_AGO = timedelta(days=30)
BOTH = (Need.READ, Need.WRITE)

_numbers = itertools.count(1)


class Told(NamedTuple):
    """What was concluded of one calendar and need, and after how many requests for the whole calendar."""

    verdict: str
    evidence: str | None
    observed: str | None
    reason: str | None


class Case:
    """One world, in which calendars are furnished and judged."""

    def __init__(self, world: FakeWorld | SandboxWorld) -> None:
        self.world = world
        self.gateway = world.gateway

    @property
    def style(self) -> str:
        return self.world.style

    def person(self) -> str:
        """Make a mailbox with an empty calendar."""
        if isinstance(self.world, FakeWorld):
            return self.world.owner()
        address = f"judged{next(_numbers)}@corp.example"
        self.world._sandbox.control("POST", "/mailbox", {"owner": address, "kind": "person"})
        return address

    def calendar(self, level: str, content: str = "empty", kind: CalendarKind = CalendarKind.DEFAULT) -> Calendar:
        """Make a calendar in which the connection has a level; in it items of `others`, marked ones of our `own`, or none."""
        owner, folder = self.person(), "" if kind is CalendarKind.DEFAULT else "Projects"
        folder_id = self.world.sub_calendar(owner, "Editor") if folder else None
        for _ in range(2 if content in {"others", "own"} else 0):
            mine = content == "own"
            self.world.put(owner, folder, own=mine, marker_key=f"{INSTALLATION}/BK-1" if mine else None)
        if level == "None":
            self.world.forbid(owner, folder)
        else:
            self.world.grant(owner, level, folder)
        return Calendar(next(_numbers), owner, folder, kind, folder_id)

    def judge(self, calendar: Calendar, *needs: Need, probe: bool = False, age: timedelta = LONG_AGO) -> tuple[list[Told], int]:
        """Validate one calendar; return what was told of each need, and in how many requests."""
        clock = HandClock()
        candidate = Candidate(calendar, needs or BOTH, clock.now() - age)
        before = self.world.guard.taken
        ladder = Ladder(self.gateway, [candidate], INSTALLATION, clock, GRACE, probe_write=probe)
        concluded = ladder.climb()
        told = [concluded[calendar.id, need] for need in candidate.needs]
        return [Told(it.verdict, it.evidence, it.observed, it.reason) for it in told], self.world.guard.taken - before
