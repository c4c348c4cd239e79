"""The rules of alarms at work without a database: what is written down, what was told, and all words that were sent."""

from dataclasses import replace

from busytime.alarms import HOLD_DOWN, Alarm, AlarmKind, StoredAlarm, Subject, Telling, Word, news, settle
from tests.unit.moments import at

BREAKER = Subject(AlarmKind.BREAKER_OPENED, 1)
COVERAGE = Subject(AlarmKind.COVERAGE_TOO_OLD, 1)
HARVEST = Subject(AlarmKind.RUN_MISSING, flow="harvest_busy_time")


class AlarmDesk:
    """Looks when it is told to, and sends to one receiver, who may be away."""

    def __init__(self):
        self.rows, self.told, self.sent = {}, {}, []

    def current(self, now):
        return [
            row
            for row in self.rows.values()
            if row.over_at is None
            or self.telling(row).word is Word.STANDS
            or (self.telling(row).told_at is not None and row.over_at > now - HOLD_DOWN)
        ]

    def telling(self, row):
        return self.told.get(row.id, Telling())

    def look(self, minute, standing, *, answers=True):
        """Look at a minute at which some subjects stand; return the words of the message that was sent, if any."""
        now = at(minute)
        counts = standing if isinstance(standing, dict) else dict.fromkeys(standing, 1)
        changes = settle(self.current(now), [Alarm(subject, "", count) for subject, count in counts.items()])
        for alarm in changes.opened:
            key = len(self.rows) + 1
            self.rows[key] = StoredAlarm(key, alarm.subject, "x", now, count=alarm.count)
        for key, count in changes.standing.items():
            row = self.rows[key]
            self.rows[key] = replace(row, over_at=None, count=count, returns=row.returns + (row.over_at is not None))
        for key in changes.over:
            self.rows[key] = replace(self.rows[key], over_at=now)
        found = news(self.current(now), self.told, now)
        for it in found:
            told = it.told.after(it.word, now, it.alarm.count) if answers else replace(it.told, claimed_at=now)
            self.told[it.alarm.id] = told
        words = {it.alarm.subject: it.word for it in found} if answers else {}
        self.sent += [(minute, subject, word) for subject, word in words.items()]
        return words
