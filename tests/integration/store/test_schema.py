"""The tables as the database has them: made by migrations, described, and closed against what has no place in them."""

import re
from datetime import timedelta

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint, LargeBinary, inspect, text, update
from sqlalchemy.exc import IntegrityError

from busytime.errors import ConfigurationError
from busytime.store.database import alembic_config, check_version, current_version, head_version, open_engine, upgrade
from busytime.store.tables import busy_intervals, coverage, metadata
from busytime.store.types import UtcTime
from busytime.store.view_texts import VIEW_TEXTS, shown_columns
from busytime.store.views import VIEWS
from tests.unit.moments import MONDAY

HOUR = timedelta(hours=1)
CLOSED = re.compile(r"(\w+) IN \((.*)\)")
#: Where one row of made-up values needs values that fit each other.
FITTING = {
    "alarms": {"flow": "harvest_busy_time"},
    "booking_pages": {"opens_minute": 0, "closes_minute": 600},
    "busy_intervals": {"ends_at": MONDAY + HOUR},
    "coverage": {"ends_at": MONDAY + HOUR, "state": "covered", "reason": None},
}


#: What has to change with a column, for its own list to be what refuses a value.
COMPANIONS = {"ck_coverage_state": {"reason": "no_access"}, "ck_coverage_reason": {"state": "unknown"}}


def closed_lists():
    for table in metadata.sorted_tables:
        for constraint in table.constraints:
            if isinstance(constraint, CheckConstraint) and (match := CLOSED.fullmatch(str(constraint.sqltext))):
                yield table, table.c[match[1]], constraint.name, re.findall(r"'(\w+)'", match[2])


def made_up(table, key=1):
    """One row with a value in every column that needs one; it refers to the first row of other tables."""
    first = {column.name: values[0] for other, column, _, values in closed_lists() if other is table}
    row = {}
    for column in table.columns:
        kind = column.type
        if column.nullable:
            continue
        if column.name in first:
            row[column.name] = first[column.name]
        elif isinstance(kind, UtcTime):
            row[column.name] = MONDAY
        elif isinstance(kind, LargeBinary):
            row[column.name] = b"x"
        else:
            row[column.name] = {"VARCHAR": "x", "TEXT": "x", "JSON": {}}.get(str(kind), 1)
    return row | FITTING.get(table.name, {}) | ({"id": key} if "id" in table.c else {})


@pytest.fixture
def filled(shared_engine):
    """A connection to one made-up row in every table, which sees to it that nothing of the test remains."""
    with shared_engine.connect().execution_options(writer=True) as connection, connection.begin() as transaction:
        for table in metadata.sorted_tables:
            connection.execute(table.insert(), made_up(table))
        yield connection
        transaction.rollback()


def attempt(connection, statement):
    """Try a statement in a savepoint, and return what the database said against it."""
    try:
        with connection.begin_nested():
            connection.execute(statement)
    except IntegrityError as error:
        return str(error.orig)
    return ""


def differences(engine):
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return compare_metadata(context, metadata)


def downgrade(engine):
    with engine.connect().execution_options(writer=True) as connection, connection.begin():
        command.downgrade(alembic_config(connection), "base")


def test_migrations_lead_from_an_empty_database_to_the_tables_of_the_code(empty_engine):
    assert current_version(empty_engine) is None
    upgrade(empty_engine)
    assert current_version(empty_engine) == head_version()
    check_version(empty_engine)
    assert differences(empty_engine) == []


def test_a_difference_between_tables_and_code_is_seen(engine):
    with engine.connect().execution_options(writer=True) as connection, connection.begin():
        connection.execute(text("ALTER TABLE owners ADD COLUMN surplus INTEGER"))
    assert len(differences(engine)) == 1


def test_upgrading_twice_changes_nothing(engine):
    upgrade(engine)
    assert differences(engine) == []


#: Columns that came after the first tables.
LATER = {"booking_pages": ("allow_conflicts", "owner_changes", "recreate")}


def test_the_first_tables_are_brought_to_the_newest_with_what_they_hold(empty_engine, backend):
    with empty_engine.connect().execution_options(writer=True) as connection, connection.begin():
        command.upgrade(alembic_config(connection), "0001")
        first = set(inspect(connection).get_table_names())
        for table in metadata.sorted_tables:
            if table.name in first:
                row = {name: value for name, value in made_up(table).items() if name not in LATER.get(table.name, ())}
                connection.execute(table.insert(), row)
    upgrade(empty_engine)
    assert differences(empty_engine) == []
    with empty_engine.connect().execution_options(writer=True) as connection, connection.begin():
        for name in first - {"alembic_version"}:
            assert len(connection.execute(metadata.tables[name].select()).all()) == 1, name
        [page] = connection.execute(metadata.tables["booking_pages"].select()).mappings()
        assert [page[name] for name in LATER["booking_pages"]] == [False, "report", False]
        for name in ("runs", "steps", "permissions", "coverage"):
            values = {"reason": "slot_taken"} | ({"state": "unknown"} if name == "coverage" else {})
            assert attempt(connection, update(metadata.tables[name]).values(values)) == ""
            assert f"ck_{name}_reason" in attempt(connection, update(metadata.tables[name]).values(reason="nonsense"))
        if backend == "sqlite":
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []


def test_an_upgrade_that_fails_halfway_leaves_the_tables_as_they_were(empty_engine, monkeypatch):
    with empty_engine.connect().execution_options(writer=True) as connection, connection.begin():
        command.upgrade(alembic_config(connection), "0001")
    monkeypatch.setitem(VIEWS, "audit_bookings", text("no query at all"))
    with pytest.raises(Exception, match="syntax error"):
        upgrade(empty_engine)
    assert current_version(empty_engine) == "0001"
    assert "bookings" not in inspect(empty_engine).get_table_names()
    monkeypatch.undo()
    upgrade(empty_engine)
    assert differences(empty_engine) == []


def test_down_to_the_base_and_up_again(engine):
    downgrade(engine)
    inspector = inspect(engine)
    assert inspector.get_table_names() == ["alembic_version"]
    assert inspector.get_view_names() == []
    assert current_version(engine) is None
    upgrade(engine)
    assert differences(engine) == []
    assert set(inspect(engine).get_view_names()) == set(VIEWS)


def to_version(engine, way, version):
    with engine.connect().execution_options(writer=True) as connection, connection.begin():
        way(alembic_config(connection), version)


def test_one_version_down_and_up_again_keeps_every_row(engine):
    with engine.connect().execution_options(writer=True) as connection, connection.begin():
        for table in metadata.sorted_tables:
            connection.execute(table.insert(), made_up(table))
    to_version(engine, command.downgrade, "-1")
    assert current_version(engine) != head_version()
    assert inspect(engine).get_view_names() == []
    older = set(inspect(engine).get_table_names())
    to_version(engine, command.upgrade, "+1")
    assert differences(engine) == []
    with engine.connect() as connection:
        for table in [it for it in metadata.sorted_tables if it.name in older]:
            [row] = connection.execute(table.select()).mappings()
            assert dict(row).items() >= made_up(table).items()
        for view in VIEWS:
            rows = connection.execute(text(f"SELECT * FROM {view}")).all()  # noqa: S608 -- names from the code
            assert len(rows) == (VIEW_TEXTS[view].base in older), view


#: What readers ask, and the index that has to find it: by a calendar's span, as of an instant, by a run, by a key.
ASKED = {
    "ix_busy_intervals_calendar_id_ends_at": "SELECT id FROM busy_intervals WHERE calendar_id = 7 AND ends_at > '2026-11-23'",
    "ix_busy_intervals_valid_to": "SELECT id FROM audit_busy_time WHERE valid_to > '2026-11-23'",
    "ix_busy_intervals_opened_run_id": "SELECT id FROM busy_intervals WHERE opened_run_id = 7",
    "ix_busy_intervals_closed_run_id": "SELECT id FROM busy_intervals WHERE closed_run_id = 7",
    "ix_permissions_valid_to": "SELECT id FROM audit_permissions WHERE valid_to > '2026-11-23'",
    "ix_coverage_calendar_id_valid_from": "SELECT id FROM coverage WHERE calendar_id = 7 AND valid_from > '2026-11-23'",
    "ix_coverage_valid_to": "SELECT id FROM audit_coverage WHERE valid_to > '2026-11-23'",
    "ix_coverage_opened_run_id": "SELECT id FROM coverage WHERE opened_run_id = 7",
    "ix_coverage_closed_run_id": "SELECT id FROM coverage WHERE closed_run_id = 7",
    "ix_steps_finished_at": "SELECT id FROM audit_steps WHERE finished_at > '2026-11-23'",
    "ix_events_at": "SELECT id FROM audit_events WHERE at > '2026-11-23'",
    "ix_changes_finished_at": "SELECT id FROM audit_changes WHERE finished_at > '2026-11-23'",
    "ix_changes_booking_key": "SELECT id FROM audit_changes WHERE booking_key = 'BK-1001'",
}


@pytest.mark.parametrize("index", ASKED)
def test_what_readers_ask_is_found_by_an_index(filled, backend, index):
    if backend == "postgresql":
        filled.exec_driver_sql("SET LOCAL enable_seqscan = off")  # one row is read as a whole otherwise
    explain = "EXPLAIN " if backend == "postgresql" else "EXPLAIN QUERY PLAN "
    plan = "\n".join(str(tuple(row)) for row in filled.exec_driver_sql(explain + ASKED[index]))
    assert index in plan


def test_check_constraints_are_those_of_the_code(engine):
    inspector = inspect(engine)
    for table in metadata.sorted_tables:
        ours = {constraint.name for constraint in table.constraints if isinstance(constraint, CheckConstraint)}
        assert {found["name"] for found in inspector.get_check_constraints(table.name)} == ours, table.name


@pytest.mark.parametrize(
    ("table", "column", "name", "values"),
    [pytest.param(*closed, id=closed[2]) for closed in closed_lists()],
)
def test_a_closed_list_takes_its_values_and_no_other(filled, table, column, name, values):
    assert len(values) > 1
    companion = COMPANIONS.get(name, {})
    for value in values:
        assert name not in attempt(filled, update(table).values({column: value} | companion))
    for value in ("nonsense", "", values[0].upper(), f"{values[0]} "):
        assert name in attempt(filled, update(table).values({column: value} | companion))


@pytest.mark.parametrize("table", [busy_intervals, coverage], ids=str)
@pytest.mark.parametrize("later", [timedelta(0), -HOUR])
def test_a_history_row_ends_after_it_began(filled, table, later):
    assert f"ck_{table.name}_validity" in attempt(filled, update(table).values(valid_to=MONDAY + later))
    assert attempt(filled, update(table).values(valid_to=MONDAY + timedelta(microseconds=1))) == ""


@pytest.mark.parametrize("table", [busy_intervals, coverage], ids=str)
def test_a_span_has_a_length(filled, table):
    assert f"ck_{table.name}_length" in attempt(filled, update(table).values(ends_at=MONDAY))


@pytest.mark.parametrize(
    ("table", "values", "name"),
    [
        ("busy_intervals", {"count": 0}, "ck_busy_intervals_count"),
        ("coverage", {"state": "unknown"}, "ck_coverage_reason_given"),
        ("coverage", {"reason": "no_access"}, "ck_coverage_reason_given"),
        ("booking_pages", {"closes_minute": 1441}, "ck_booking_pages_hours"),
        ("booking_pages", {"closes_minute": 0}, "ck_booking_pages_hours"),
        ("booking_pages", {"opens_minute": -1}, "ck_booking_pages_hours"),
        ("installation", {"id": 2}, "ck_installation_single"),
    ],
)
def test_values_that_do_not_fit_each_other_are_refused(filled, table, values, name):
    assert name in attempt(filled, update(metadata.tables[table]).values(values))


def history_tables():
    return [
        table
        for table in metadata.sorted_tables
        if f"uq_{table.name}_current" in {index.name for index in table.indexes} and "valid_to" in table.c
    ]


@pytest.mark.parametrize("table", history_tables(), ids=str)
def test_one_row_is_current_for_each_identity(filled, table):
    assert attempt(filled, table.insert().values(made_up(table, 2)))
    for key in (2, 3):  # history may repeat itself
        closed = made_up(table, key) | {"valid_from": MONDAY - HOUR, "valid_to": MONDAY, "closed_run_id": 1}
        assert attempt(filled, table.insert().values(closed)) == ""


def test_every_history_table_is_checked():
    assert {"busy_intervals", "coverage"} <= {table.name for table in history_tables()}
    assert {table.name for table in metadata.sorted_tables if "valid_to" in table.c} == {table.name for table in history_tables()}


def test_every_table_and_column_has_a_comment():
    for table in metadata.sorted_tables:
        for thing in (table, *table.columns):
            assert thing.comment, thing
            assert thing.comment.endswith("."), thing


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_the_comments_are_in_the_database(engine):
    inspector = inspect(engine)
    for table in metadata.sorted_tables:
        assert inspector.get_table_comment(table.name)["text"] == table.comment
        found = {column["name"]: column["comment"] for column in inspector.get_columns(table.name)}
        assert found == {column.name: column.comment for column in table.columns}
    for view in VIEWS:
        assert inspector.get_table_comment(view)["text"].startswith(VIEW_TEXTS[view].purpose)
        found = {column["name"]: column["comment"] for column in inspector.get_columns(view)}
        assert found == {shown.name: shown.comment for shown in shown_columns(view)}


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_shows_no_secret_and_whose_calendar_it_is(filled, view):
    columns = list(filled.execute(text(f"SELECT * FROM {view}")).keys())  # noqa: S608 -- names from the code
    assert len(columns) == len(set(columns))
    assert not {"wrapped_key", "ciphertext", "audit_key", "ca_pem", "title", "body", "location", "guests"} & set(columns)
    if "calendar_id" in columns:
        assert columns[:2] == ["owner", "folder"]
    if "opened_run_id" in columns:
        assert {"closed_run_id", "valid_from", "valid_to"} <= set(columns)


def test_instants_are_stored_in_utc_and_read_as_such(filled, backend):
    stored = filled.execute(text("SELECT created_at FROM installation")).scalar_one()
    if backend == "sqlite":
        assert stored == "2026-11-23T08:00:00.000000+00:00"
    else:
        assert stored == MONDAY
    installation = metadata.tables["installation"]
    assert filled.execute(installation.select()).one().created_at.isoformat() == "2026-11-23T08:00:00+00:00"


def test_a_naive_instant_has_no_place(filled):
    with pytest.raises(Exception, match="naive"):
        filled.execute(update(metadata.tables["installation"]).values(created_at=MONDAY.replace(tzinfo=None)))


def test_an_older_database_is_refused_with_the_remedy(empty_engine):
    with pytest.raises(ConfigurationError, match="run `busytime db upgrade`"):
        check_version(empty_engine)


def at_version(engine, version):
    with engine.connect().execution_options(writer=True) as connection, connection.begin():
        connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})


@pytest.mark.parametrize("work", [check_version, upgrade])
def test_a_newer_database_is_refused_with_what_to_install(engine, work):
    at_version(engine, "9999")
    with pytest.raises(ConfigurationError, match=r"9999.*install a newer busytime"):
        work(engine)
    assert current_version(engine) == "9999"
    assert set(inspect(engine).get_view_names()) == set(VIEWS)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://eva:hunter2@127.0.0.1:1/busytime",
        "postgresql://eva:hunter2/x@127.0.0.1:1/busytime",
        "postgresql://eva:hun:ter2@[::1/busytime",
        "mysql://eva:hunter2@127.0.0.1/busytime",
        "hunter2",
        "sqlite:////nowhere/hunter/busytime.db",
    ],
)
def test_a_database_that_cannot_be_used_is_named_without_its_password(address):
    with pytest.raises(ConfigurationError, match="BUSYTIME_DATABASE_URL") as raised:
        current_version(open_engine(address))
    assert "hunter2" not in str(raised.value)
    assert raised.value.__context__ is None or raised.value.__suppress_context__
