"""What persons and programs asked for: rows that a run takes, and that stay until it is done."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, insert, or_, select, true, update

from busytime.model import RequestKind, RunStatus
from busytime.store.tables import requests, runs


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """A request that is not done: its surrogate key, and the connection that it is about (``None``: all)."""

    id: int
    connection_id: int | None
    asked_at: datetime


class RequestRepository:
    """Writes requests, and gives them to runs."""

    def __init__(self, connection: Connection) -> None:
        """Work inside the caller's transaction."""
        self._connection = connection

    def ask(self, kind: RequestKind, actor_id: int, now: datetime, connection_id: int | None = None) -> int:
        """Ask for something, and return the request's id."""
        statement = insert(requests).values(kind=kind, actor_id=actor_id, asked_at=now, connection_id=connection_id)
        return int(self._connection.execute(statement.returning(requests.c.id)).scalar_one())

    def all_open(self, kind: RequestKind) -> list[OpenRequest]:
        """Return the requests that are not done, the oldest first; a run may be at work on some."""
        return self._find(kind, true())

    def waiting(self, kind: RequestKind) -> list[OpenRequest]:
        """Return the requests on which no living run works, the oldest first."""
        at_work = select(runs.c.id).where(runs.c.status == RunStatus.RUNNING)
        return self._find(kind, or_(requests.c.taken_run_id.is_(None), requests.c.taken_run_id.not_in(at_work)))

    def _find(self, kind: RequestKind, chosen: ColumnElement[bool]) -> list[OpenRequest]:
        query = select(requests).where(requests.c.kind == kind, requests.c.done_at.is_(None), chosen).order_by(requests.c.id)
        return [OpenRequest(row.id, row.connection_id, row.asked_at) for row in self._connection.execute(query)]

    def take(self, asked: Sequence[OpenRequest], run_id: int) -> None:
        """Note that a run works on requests."""
        keys = [request.id for request in asked]
        self._connection.execute(update(requests).where(requests.c.id.in_(keys)).values(taken_run_id=run_id))

    def drop(self, asked: Sequence[OpenRequest], now: datetime) -> None:
        """Note that nothing is to be done for requests any more."""
        keys = [request.id for request in asked]
        self._connection.execute(update(requests).where(requests.c.id.in_(keys)).values(done_at=now))

    def done(self, run_id: int, now: datetime) -> None:
        """Note that a run has done what it took."""
        taken = update(requests).where(requests.c.taken_run_id == run_id, requests.c.done_at.is_(None))
        self._connection.execute(taken.values(done_at=now))
