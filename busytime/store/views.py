"""The views: the stable names for readers, who see nothing else.

A view shows its base table's columns under their own names, with the addresses that the ids stand for. No view
shows a secret, ciphertext included.
"""

from typing import Any

from sqlalchemy import Column, CompoundSelect, Select, Table, and_, case, func, not_, null, select, type_coerce, union_all

from busytime.errors import Reason
from busytime.store import tables as t
from busytime.store import tables_alarms as a
from busytime.store import tables_booking as b


def _columns(table: Table, *left_out: str) -> list[Column[object]]:
    return [column for column in table.columns if column.name not in left_out]


_actor = t.owners.alias("actor")
_account = t.owners.alias("account")
_owner = t.owners.alias("owner")


def _with_calendar(table: Table) -> Select[Any]:
    return (
        select(_owner.c.address.label("owner"), t.calendars.c.folder, *_columns(table))
        .select_from(table)
        .join(t.calendars, t.calendars.c.id == table.c.calendar_id)
        .join(_owner, _owner.c.id == t.calendars.c.owner_id)
    )


def _is_good(row: Any) -> Any:
    """Whether a row of `bookings` was looked at and found good."""
    return and_(row.c.checked_at.is_not(None), row.c.refused.is_(None))


def _bookings() -> CompoundSelect[Any]:
    """Each booking at its newest good revision; besides, rows that were refused or not looked at yet.

    Of a row that nobody found good only what says which one it is: its values may be anything, on SQLite of any type. Good
    ones are a part of their own, with plain columns, so that a reader's conditions on them find indexes.
    """
    row, later = b.bookings, b.bookings.alias("later")
    # Looked up for each row: a join would read the whole table, however few bookings a reader asks for. "At least" says the
    # same as "equal" here, and PostgreSQL expects a third of the rows to pass, where it would expect next to none.
    newest = select(func.max(later.c.revision)).where(later.c.booking_key == row.c.booking_key, _is_good(later))
    wrong_key = row.c.refused_field == "booking_key"
    wrong_page = and_(row.c.refused_field == "page", row.c.refused != Reason.UNKNOWN_PAGE)
    told = (row.c.starts_at, row.c.ends_at, row.c.state, row.c.revision, row.c.booked_at)
    beside = (
        *(column for column in row.columns if column.name.startswith("effective_")),
        *(row.c[name] for name in ("changed_by", "run_id", "checked_at", "refused", "refused_field", "blanked_at")),
    )
    others = select(
        row.c.id,
        case((wrong_key, null()), else_=row.c.booking_key).label("booking_key"),
        case((wrong_page, null()), else_=row.c.page).label("page"),
        *(type_coerce(null(), column.type).label(column.name) for column in told),
        *beside,
    ).where(not_(_is_good(row)))
    good = select(row.c.id, row.c.booking_key, row.c.page, *told, *beside).where(
        _is_good(row), row.c.revision >= newest.scalar_subquery()
    )
    return union_all(others, good)


#: Name of each view and the query that it stands for.
VIEWS: dict[str, Select[Any] | CompoundSelect[Any]] = {
    "audit_runs": select(*_columns(t.runs), _actor.c.address.label("actor"))
    .select_from(t.runs)
    .join(_actor, _actor.c.id == t.runs.c.actor_id),
    # Each step and change has a run; the join is an outer one, which databases leave out for readers who do not ask for `flow`.
    "audit_steps": select(*_columns(t.steps), t.runs.c.flow)
    .select_from(t.steps)
    .outerjoin(t.runs, t.runs.c.id == t.steps.c.run_id),
    "audit_connections": select(*_columns(t.connections, "ca_pem"), _account.c.address.label("account"))
    .select_from(t.connections)
    .join(_account, _account.c.id == t.connections.c.owner_id),
    "audit_calendars": select(_owner.c.address.label("owner"), *_columns(t.calendars), _account.c.address.label("connection"))
    .select_from(t.calendars)
    .join(_owner, _owner.c.id == t.calendars.c.owner_id)
    .outerjoin(t.connections, t.connections.c.id == t.calendars.c.connection_id)
    .outerjoin(_account, _account.c.id == t.connections.c.owner_id),
    "audit_permissions": _with_calendar(t.permissions)
    .add_columns(_account.c.address.label("connection"))
    .join(t.connections, t.connections.c.id == t.permissions.c.connection_id)
    .join(_account, _account.c.id == t.connections.c.owner_id),
    "audit_busy_time": _with_calendar(t.busy_intervals),
    "audit_coverage": _with_calendar(t.coverage),
    "audit_logons": select(*_columns(t.logons), _account.c.address.label("account"), _actor.c.address.label("actor"))
    .select_from(t.logons)
    .join(_account, _account.c.id == t.logons.c.owner_id)
    .join(_actor, _actor.c.id == t.logons.c.actor_id),
    "audit_credentials": select(
        *_columns(t.credentials, "wrapped_key", "ciphertext"),
        _account.c.address.label("account"),
        _actor.c.address.label("actor"),
    )
    .select_from(t.credentials)
    .join(t.connections, t.connections.c.id == t.credentials.c.connection_id)
    .join(_account, _account.c.id == t.connections.c.owner_id)
    .join(_actor, _actor.c.id == t.credentials.c.actor_id),
    "audit_bookings": _bookings(),
    "audit_entries": _with_calendar(b.entries),
    "audit_changes": _with_calendar(b.changes).add_columns(t.runs.c.flow).outerjoin(t.runs, t.runs.c.id == b.changes.c.run_id),
    "audit_requests": select(*_columns(t.requests), _account.c.address.label("connection"), _actor.c.address.label("actor"))
    .select_from(t.requests)
    .outerjoin(t.connections, t.connections.c.id == t.requests.c.connection_id)
    .outerjoin(_account, _account.c.id == t.connections.c.owner_id)
    .join(_actor, _actor.c.id == t.requests.c.actor_id),
    "audit_alarms": select(*_columns(a.alarms), _account.c.address.label("connection"))
    .select_from(a.alarms)
    .outerjoin(t.connections, t.connections.c.id == a.alarms.c.connection_id)
    .outerjoin(_account, _account.c.id == t.connections.c.owner_id),
    "audit_events": select(*_columns(t.events), _actor.c.address.label("actor"))
    .select_from(t.events)
    .join(_actor, _actor.c.id == t.events.c.actor_id),
}
