"""The report's questions about what happened: connections, runs, log-ons and requests."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, case, func, select

from busytime.errors import Reason
from busytime.model import Breaker, ConnectionMode, LogonAnswer, RunStatus
from busytime.report.facts import ConnectionFact, LogonFact, Logons, RunFact, Runs, SecretFact, Waiting
from busytime.report.period import Period
from busytime.store.report_sql import CONNECTIONS, CREDENTIALS, LOGONS, REQUESTS, RUNS, slot_of

_BAD = (RunStatus.FAILED, RunStatus.CRASHED, RunStatus.REFUSED)
_ROWS = 12
_ACCOUNTS = 6
_RUNNING = 20
#: Slots of a timeline in one column of a day or more.
_SLOTS = 6


@dataclass(frozen=True, slots=True)
class ActivityQuestions:
    """Asks the views, in one transaction, about one period."""

    connection: Connection
    period: Period

    def connections(self) -> tuple[ConnectionFact, ...]:
        """Return the accounts that are connected, the corporate one first."""
        row, now = CONNECTIONS.c, self.period.as_of
        first = case((row.mode == ConnectionMode.CORPORATE, 0), else_=1)
        query = select(CONNECTIONS).where(row.closed_at.is_(None)).order_by(first, row.account)
        refusals = self._last_refusals()
        return tuple(
            ConnectionFact(
                account=it.account,
                mode=it.mode,
                breaker=Breaker(it.breaker),
                since=it.breaker_changed_at,
                refused=refusals.get(it.owner_id) if it.breaker == Breaker.OPEN else None,
                back_off_until=it.back_off_until if it.back_off_until and it.back_off_until > now else None,
            )
            for it in self.connection.execute(query)
        )

    def _last_refusals(self) -> Mapping[int, Reason]:
        """Return why the accounts of open breakers were refused last."""
        stopped = select(CONNECTIONS.c.owner_id).where(CONNECTIONS.c.closed_at.is_(None), CONNECTIONS.c.breaker == Breaker.OPEN)
        refused = and_(LOGONS.c.answer == LogonAnswer.REFUSED, LOGONS.c.owner_id.in_(stopped))
        last = select(func.max(LOGONS.c.id)).where(refused).group_by(LOGONS.c.owner_id)
        found = self.connection.execute(select(LOGONS.c.owner_id, LOGONS.c.reason).where(LOGONS.c.id.in_(last)))
        return {owner_id: Reason(reason or Reason.LOGON_REFUSED) for owner_id, reason in found}

    def runs(self) -> Runs:
        """Return what ran in the span, and how each flow ended last."""
        row, slot = RUNS.c, slot_of(RUNS.c.started_at, self.period.columns[0], self._slot_seconds)
        inside = self._inside(row.started_at)
        grouped = self.connection.execute(
            select(row.flow, slot, row.status, func.count()).where(inside).group_by(row.flow, slot, row.status)
        )
        slots = {(flow, int(number), RunStatus(status)): count for flow, number, status, count in grouped}
        bad = self.connection.execute(select(RUNS).where(inside, row.status.in_(_BAD)).order_by(row.id.desc()).limit(_ROWS))
        ended = row.status.not_in([RunStatus.RUNNING, RunStatus.SKIPPED])
        last = select(func.max(row.id)).where(ended).group_by(row.flow)
        running = select(RUNS).where(row.status == RunStatus.RUNNING).order_by(row.id).limit(_RUNNING)
        return Runs(
            slots=slots,
            slot=self.period.step / _SLOTS,
            bad=tuple(map(_run, bad)),
            bad_count=sum(count for (_, _, status), count in slots.items() if status in _BAD),
            crashed=sum(count for (_, _, status), count in slots.items() if status is RunStatus.CRASHED),
            total=sum(slots.values()),
            last=tuple(map(_run, self.connection.execute(select(RUNS).where(row.id.in_(last)).order_by(row.flow)))),
            running=tuple(map(_run, self.connection.execute(running))),
            harvested_at=self._harvested_at(),
        )

    def _harvested_at(self) -> datetime | None:
        good = RUNS.c.status.in_([RunStatus.COMPLETED, RunStatus.COMPLETED_WITH_FAILURES])
        newest = select(func.max(RUNS.c.id)).where(RUNS.c.flow == "harvest_busy_time", good).scalar_subquery()
        found: datetime | None = self.connection.scalar(select(RUNS.c.finished_at).where(RUNS.c.id == newest))
        return found

    def logons(self) -> Logons:
        """Return who logged on in the span, and what the servers said."""
        row, slot = LOGONS.c, slot_of(LOGONS.c.at, self.period.columns[0], self._slot_seconds)
        inside = self._inside(row.at)
        refusals = func.sum(case((row.answer == LogonAnswer.REFUSED, 1), else_=0))
        by_account = select(row.account, refusals).where(inside).group_by(row.account).order_by(refusals.desc(), row.account)
        accounts = self.connection.execute(by_account).all()
        chosen = and_(inside, row.account.in_([account for account, _ in accounts[:_ACCOUNTS]]))
        grouped = self.connection.execute(
            select(row.account, slot, row.answer, func.count()).where(chosen).group_by(row.account, slot, row.answer)
        )
        last = select(LOGONS).where(inside, row.answer == LogonAnswer.REFUSED).order_by(row.id.desc()).limit(_ROWS)
        stored = self._inside(CREDENTIALS.c.created_at)
        secrets = select(CREDENTIALS).where(stored).order_by(CREDENTIALS.c.id.desc()).limit(_ROWS)
        return Logons(
            slots={(at, int(number), LogonAnswer(answer) if answer else None): count for at, number, answer, count in grouped},
            accounts=len(accounts),
            refused=tuple(map(_logon, self.connection.execute(last))),
            refused_count=sum(int(refused) for _, refused in accounts),
            secrets=tuple(SecretFact(it.account, it.version, it.created_at, it.actor) for it in self.connection.execute(secrets)),
        )

    def waiting(self) -> Waiting:
        """Return what was asked for and is not done; of what was asked a moment ago, nothing."""
        row = REQUESTS.c
        late = and_(row.done_at.is_(None), row.asked_at < self.period.as_of - self.period.max_age)
        count, since = self.connection.execute(select(func.count(), func.min(row.asked_at)).where(late)).one()
        return Waiting(count, since)

    @property
    def _slot_seconds(self) -> float:
        return self.period.step.total_seconds() / _SLOTS

    def _inside(self, instant: Any) -> Any:
        return and_(instant >= self.period.start, instant < self.period.end)


def _run(row: Any) -> RunFact:
    reason = None if row.reason is None else Reason(row.reason)
    return RunFact(row.id, row.flow, RunStatus(row.status), reason, row.started_at, row.finished_at)


def _logon(row: Any) -> LogonFact:
    reason = None if row.reason is None else Reason(row.reason)
    return LogonFact(row.account, row.at, row.by, row.actor, row.credential_version, reason)
