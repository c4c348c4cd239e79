"""Instants, windows and clocks for tests: whole minutes after one Monday morning."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from busytime.model import BusyStatus, Window

MONDAY = datetime(2026, 11, 23, 8, tzinfo=UTC)
MAX_AGE = timedelta(minutes=30)


def at(minute):
    return MONDAY + timedelta(minutes=minute)


def window(start, end):
    return Window(at(start), at(end))


def busy(start, end, status=BusyStatus.BUSY):
    return at(start), at(end), status


@dataclass
class HandClock:
    """Shows what it was set to."""

    time: datetime = MONDAY

    def now(self):
        return self.time

    def uptime(self):
        return None

    def go(self, **length):
        self.time += timedelta(**length)
