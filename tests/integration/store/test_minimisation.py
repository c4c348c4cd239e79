"""What has no place in the tables: whatever is written in appointments; and what no view shows: what guests wrote, and secrets.

The columns are compared with a closed list, so that a new one is a decision that somebody writes down here. Who adds one asks
first: may it hold a subject, a place, a text, an organiser or an attendee of an appointment that its owner made?
"""

import pytest
from sqlalchemy import Column, LargeBinary, Text, inspect, select, text, update
from sqlalchemy.sql import visitors

from busytime.store.columns import metadata
from busytime.store.views import VIEWS
from tests.integration.store.test_schema import filled, made_up

__all__ = ["filled"]

HISTORY = "opened_run_id closed_run_id valid_from valid_to"
#: Every column of every table.
COLUMNS = {
    "installation": "id installation_id created_at last_instant audit_key_id audit_key restored_at lives_at",
    "owners": "id address name",
    "runs": (
        "id flow trigger actor_id status reason started_at finished_at window_start window_end counts code_version "
        "schema_version prefect_flow_run_id"
    ),
    "steps": "id run_id step target attempt outcome reason error_code back_off_ms duration_ms calendars finished_at",
    "connections": (
        "id owner_id mode ews_url auth_type ca_pem opened_at closed_at breaker breaker_changed_at window_days back_off_until "
        "mailboxes_in_five_minutes token_url"
    ),
    "credentials": "id connection_id version key_id wrapped_key ciphertext created_at retired_at actor_id",
    "logons": ("id owner_id credential_version run_id by actor_id at answer answered_at error_code reason boot uptime_ms"),
    "calendars": ("id owner_id folder kind folder_id account_id connection_id pages found_at missing_since added_at retired_at"),
    "booking_pages": (
        "id name time_zone opens_minute closes_minute require_proof allow_conflicts owner_changes recreate added_at retired_at"
    ),
    "associated_calendars": "id page_id calendar_id role added_at retired_at",
    "permissions": f"id connection_id calendar_id need required observed evidence verdict reason detail {HISTORY}",
    "busy_intervals": f"id calendar_id starts_at ends_at status count {HISTORY}",
    "coverage": f"id calendar_id starts_at ends_at state reason detail as_of failures {HISTORY}",
    "events": "id tag at actor_id run_id details previous_hmac hmac",
    "requests": "id kind connection_id actor_id asked_at taken_run_id done_at",
    "looks": "name looked_at booking_id",
    "alarms": "id kind connection_id flow opened_at over_at returns concerned told_at",
    "tellings": "id alarm_id receiver word told_at times concerned claimed_at",
    "permits": "id connection_id host process_id process_started heartbeat_at",
    "locks": "name holder host process_id process_started heartbeat_at run_id",
    "bookings": (
        "id booking_key page starts_at ends_at title location body guests state revision booked_at effective_starts_at "
        "effective_ends_at effective_state changed_by run_id checked_at refused refused_field blanked_at"
    ),
    "entries": (
        "id booking_key calendar_id state attempt_id intent intended_revision intended_starts_at intended_ends_at intended_at "
        "item_id change_key revision starts_at ends_at verified_at reason detail updated_at run_id"
    ),
    "changes": (
        "id run_id entry_id attempt_id booking_key calendar_id change revision starts_at ends_at before_starts_at "
        "before_ends_at outcome reason error_code intended_at finished_at"
    ),
}
#: What a harvest may write of an appointment, besides keys and the history's own columns: when, and how its owner is occupied.
HARVESTED = {"busy_intervals": {"starts_at", "ends_at", "status", "count"}}
#: What guests wrote; it stands in one table.
WRITTEN_BY_GUESTS = {"title", "location", "body", "guests"}
#: Parts of names that tell of what has no place anywhere else.
TELLING = [
    "title",
    "subject",
    "location",
    "place",
    "room",
    "body",
    "note",
    "description",
    "summary",
    "categor",
    "organi",
    "attend",
    "guest",
    "invite",
    "participant",
    "recipient",
    "sender",
    "sensitiv",
    "importance",
    "attachment",
    "online_meeting",
    "join_url",
    "phone",
]
#: Nothing of these columns is in any view, nor does any view look at them.
NEVER_SHOWN = {f"bookings.{name}" for name in WRITTEN_BY_GUESTS} | {
    "credentials.ciphertext",
    "credentials.wrapped_key",
    "installation.audit_key",
    "connections.ca_pem",
}
#: What columns that no view may show are filled with.
SENTINEL = "Zwiebelturm"


def test_every_column_of_every_table_is_on_the_closed_list():
    assert {table.name: {*table.columns.keys()} for table in metadata.sorted_tables} == {
        table: set(columns.split()) for table, columns in COLUMNS.items()
    }


def test_the_database_has_the_tables_of_the_closed_list_and_no_other(engine):
    inspector = inspect(engine)
    assert set(inspector.get_table_names()) - {"alembic_version"} == set(COLUMNS)
    for table, columns in COLUMNS.items():
        assert {column["name"] for column in inspector.get_columns(table)} == set(columns.split())


def test_no_name_of_a_column_tells_of_what_an_appointment_says():
    telling = {
        f"{table.name}.{column.name}"
        for table in metadata.sorted_tables
        for column in table.columns
        if any(part in column.name for part in TELLING)
    }
    assert telling == {f"bookings.{name}" for name in WRITTEN_BY_GUESTS}


@pytest.mark.parametrize("table", HARVESTED)
def test_of_appointments_only_times_and_how_busy_is_kept(table):
    own = set(COLUMNS[table].split()) - set(HISTORY.split()) - {"id", "calendar_id"}
    assert own == HARVESTED[table]
    free_text = {column.name for column in metadata.tables[table].columns if isinstance(column.type, Text)}
    assert free_text == {"status"}  # and that has a closed list


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_does_not_even_look_at_what_it_must_not_show(view):
    seen = {
        f"{getattr(column.table, 'element', column.table).name}.{column.name}"
        for column in visitors.iterate(VIEWS[view])
        if isinstance(column, Column) and column.table is not None
    }
    in_query = {str(column) for column in VIEWS[view].selected_columns}
    assert seen
    assert not NEVER_SHOWN & (seen | in_query)


@pytest.mark.parametrize("view", VIEWS)
def test_what_is_never_shown_is_in_no_value_of_a_view(filled, view):
    for name in NEVER_SHOWN:
        table, column = metadata.tables[name.partition(".")[0]], name.partition(".")[2]
        kind = table.c[column].type
        filled.execute(update(table).values({column: SENTINEL.encode() if isinstance(kind, LargeBinary) else SENTINEL}))
    bookings = metadata.tables["bookings"]
    refused = made_up(bookings, 2) | {"booking_key": "y", "refused": "value_unreadable", "refused_field": "title"}
    filled.execute(bookings.insert(), refused | dict.fromkeys(WRITTEN_BY_GUESTS, SENTINEL))
    assert filled.execute(select(bookings.c.title)).scalars().all() == [SENTINEL] * 2
    rows = filled.execute(text(f"SELECT * FROM {view}")).all()  # noqa: S608 -- names from the code
    assert rows
    for value in (value for row in rows for value in row):
        assert SENTINEL not in (bytes(value).decode(errors="replace") if isinstance(value, bytes | memoryview) else str(value))
