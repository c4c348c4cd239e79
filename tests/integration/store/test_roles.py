"""Roles on PostgreSQL: each does what it must, and the server itself refuses it the rest."""

from pathlib import Path

import psycopg
import pytest
from alembic import command
from psycopg.errors import InsufficientPrivilege, UniqueViolation
from psycopg.sql import SQL, Identifier
from sqlalchemy import delete, insert, make_url, select
from sqlalchemy.exc import ProgrammingError

import deployments
from busytime.alarms import AlarmKind, Subject, Word
from busytime.bookings import EntryState
from busytime.chain import verify_chain
from busytime.errors import ConfigurationError, Reason
from busytime.harvesting import record_batch
from busytime.maintaining import OldRows
from busytime.model import BusyTime, LogonAnswer, LogonBy, Unanswered
from busytime.permissions import Verdict
from busytime.reading import Reading
from busytime.store.columns import metadata
from busytime.store.database import alembic_config, head_version, open_engine, upgrade
from busytime.store.permit_book import StoredPermitBook
from busytime.store.tables import events, permissions
from busytime.store.tables_booking import bookings
from busytime.store.views import VIEWS
from busytime.vault import MasterKey, Vault
from tests.integration.store.alarm_steps import tell
from tests.integration.store.archive import DAY, history_row, open_maintenance, write_rows
from tests.integration.store.push_steps import make_page, plan, write_entry
from tests.unit.moments import MAX_AGE, MONDAY, busy, window

ROLES = (Path(deployments.__file__).parent / "postgresql" / "roles.sql").read_text(encoding="utf-8")
#: Who logs on, and as a member of which role.
OWNER = "ann"
WORKER, MAINTENANCE, READER, INTAKE = LOGINS = ("wim", "mia", "rob", "ida")
GROUPS = dict(zip(LOGINS, ("busytime_worker", "busytime_maintenance", "busytime_reader", "busytime_intake"), strict=True))
#: A guest's booking, as another program writes it.
INSERT = (
    "INSERT INTO bookings (booking_key, page, starts_at, ends_at, title, guests, revision) "
    "VALUES ('BK-9', 'intro-call', '2026-12-01 09:00+01', '2026-12-01 09:30+01', 'Intro', 'eva@guest.example', 1)"
)
TABLES = (*metadata.tables, "alembic_version")
#: What nobody but the owner may do, whatever the table.
NEVER = (
    *(f"{what} {table}" for table in TABLES for what in ("DROP TABLE", "TRUNCATE")),
    *(f"ALTER TABLE {table} ADD COLUMN more text" for table in TABLES),
    *(f"DROP VIEW {view}" for view in VIEWS),
    "CREATE TABLE mine (id int)",
    "CREATE VIEW audit_mine AS SELECT 1",
    "ALTER TABLE events DISABLE TRIGGER ALL",
    "CREATE INDEX mine ON events (tag)",
    "CREATE RULE mine AS ON UPDATE TO events DO INSTEAD NOTHING",
    "SELECT setval('events_id_seq', 1)",
    "UPDATE alembic_version SET version_num = '0001'",
    "SET session_replication_role = replica",
    f"SET ROLE {OWNER}",
)
#: Rows that say what was: nobody who works writes over them.
REWRITING = (
    "UPDATE events SET details = '{}'",
    "UPDATE changes SET outcome = 'applied'",
    "DELETE FROM changes",
    "UPDATE steps SET outcome = 'applied'",
    "DELETE FROM logons",
    "UPDATE logons SET at = now()",
    "UPDATE runs SET started_at = now()",
    "DELETE FROM runs",
    "UPDATE permissions SET verdict = 'granted'",
    "UPDATE busy_intervals SET ends_at = now()",
    "UPDATE busy_intervals SET valid_from = now()",
    "UPDATE coverage SET state = 'covered', reason = NULL",
    "UPDATE credentials SET version = 7",
    "DELETE FROM credentials",
    "UPDATE installation SET installation_id = 'x'",
    "UPDATE alarms SET opened_at = now()",
    "DELETE FROM alarms",
    "DELETE FROM bookings",
    "DELETE FROM owners",
)
REMOVING = (*(f"DELETE FROM {table}" for table in OldRows), "UPDATE owners SET address = 'x'")  # noqa: S608 -- its own names


@pytest.fixture(scope="module")
def owned(postgresql):
    """A database at the newest version, made as docs/postgresql.md says: its name."""
    postgresql.execute(SQL("CREATE ROLE {} LOGIN CREATEROLE").format(Identifier(OWNER)))
    name = postgresql.create()
    postgresql.execute(SQL("ALTER DATABASE {} OWNER TO {}").format(Identifier(name), Identifier(OWNER)))
    engine = open_engine(address_of(postgresql.url(name), OWNER))
    upgrade(engine)
    engine.dispose()
    run_script(address_of(postgresql.url(name), OWNER))
    for login, group in GROUPS.items():
        postgresql.execute(SQL("CREATE ROLE {} LOGIN IN ROLE {}").format(Identifier(login), Identifier(group)))
    yield name
    postgresql.drop(name)


@pytest.fixture
def backend():
    return "postgresql"


@pytest.fixture
def login():
    return WORKER


@pytest.fixture
def owned_url(owned, postgresql):
    """A database of its own for a test that writes."""
    name = postgresql.create(owned)
    postgresql.execute(SQL("ALTER DATABASE {} OWNER TO {}").format(Identifier(name), Identifier(OWNER)))
    yield postgresql.url(name)
    postgresql.drop(name)


@pytest.fixture
def url(owned_url, login):
    return address_of(owned_url, login)


@pytest.fixture
def say(owned_url):
    """Let a login say something by the plain driver, and return what the server answers."""

    def as_login(login, statement):
        with psycopg.connect(address_of(owned_url, login)) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    return as_login


@pytest.fixture
def engine_of(owned_url):
    """Open engines of logins, until the test ends."""
    opened = []

    def open_one(login):
        opened.append(open_engine(address_of(owned_url, login)))
        return opened[-1]

    yield open_one
    for engine in opened:
        engine.dispose()


@pytest.fixture
def allowed(owned_url):
    """Return those of some statements that the server does not refuse a login."""

    def of(login, statements):
        found = []
        with psycopg.connect(address_of(owned_url, login), autocommit=True) as connection:
            for statement in statements:
                try:
                    connection.execute(statement)
                except InsufficientPrivilege:
                    continue
                found.append(statement)
        return found

    return of


def address_of(url, login):
    return make_url(url).set(username=login).render_as_string(hide_password=False)


def run_script(address):
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(ROLES)


def is_whole(store):
    with store.read() as unit:
        return verify_chain(store.audit_key, unit.events.chain()).whole


# Worker


def test_a_worker_connects_and_logs_on(store, corporate, actor_id, clock, key):
    with store.write() as unit:
        for version in (1, 2):
            sealed = Vault([key]).seal(b"secret", f"{corporate}:{version}", key.key_id)
            unit.connections.store_secret(corporate, version, sealed, actor_id, clock.now())
        logon = unit.logons.claim(actor_id, LogonBy.MACHINE, actor_id, clock.now(), version=2)
        unit.logons.answer(logon, LogonAnswer.ACCEPTED, clock.now())
        unit.connections.learn_window(corporate, 42)
    book = StoredPermitBook(store, clock, corporate, 2, 2 * MAX_AGE)
    permit = book.ask()
    assert book.granted(permit)
    book.give_back([permit])


def test_a_worker_harvests_and_validates(store, furnish, open_run, corporate, clock, judge):  # noqa: ARG001 -- it serves them
    calendars = furnish("ana@corp.example", "bo@corp.example")
    answers = (BusyTime((busy(0, 30), busy(60, 90))), BusyTime((busy(0, 30),)), Unanswered(Reason.NO_ACCESS))
    results = []
    for answer in answers:
        run_id = open_run()
        with store.write() as unit:
            holder, _ = store.take_lock(unit, "harvest:1:0", run_id)
        with store.write() as unit:
            store.check_lock(unit, "harvest:1:0", holder)
            reading = Reading(clock.now(), {it.id: answer for it in calendars})
            results.append(record_batch(unit, calendars, reading, window(0, 600), run_id, MAX_AGE))
        store.release_lock("harvest:1:0", holder)
        clock.go(minutes=5)
    assert [(it.opened, it.closed) for it in results] == [(6, 0), (0, 2), (2, 2)]
    judge(calendars[0].id, Verdict.GRANTED)
    judge(calendars[0].id, Verdict.MISSING, Reason.NO_ACCESS)


def test_a_worker_pushes_what_intake_wrote(store, open_pages, open_book, say, corporate, clock):  # noqa: ARG001 -- as above
    open_pages(make_page())
    say(INTAKE, INSERT)
    book = open_book()
    wanted = plan(book)
    assert {key for key, _ in wanted} == {"BK-9"}
    written = [write_entry(book, entry) for entry in wanted.values()]
    assert {entry.state for entry in written} == {EntryState.PRESENT}
    with store.write() as unit:
        reading = unit.bookings.read()
        unit.bookings.note(reading, clock.now())
    for _ in range(2):
        with store.write() as unit:
            unit.due.note_push(clock.now())
    assert [it.key for it in reading.bookings] == ["BK-9"]
    assert say(READER, "SELECT booking_key, checked_at IS NOT NULL, refused FROM audit_bookings") == [("BK-9", True, None)]


def test_a_worker_tells_alarms(store, corporate, clock, say):
    breaker = Subject(AlarmKind.BREAKER_OPENED, corporate)
    assert [tell(store, clock, *standing) for standing in ([breaker], [], [breaker])] == [
        [(breaker, Word.STANDS)],
        [(breaker, Word.OVER)],
        [],
    ]
    assert say(READER, "SELECT kind, connection, returns FROM audit_alarms") == [("breaker_opened", "busytime@corp.example", 1)]


def test_a_worker_rotates_keys_and_opens_a_home_that_is_ready(store, corporate, actor_id, key):  # noqa: ARG001 -- as above
    store.make_installation()
    store.append_event("person:test:done", actor_id, {})
    with store.write() as unit:
        assert unit.keys.rewrap(Vault([MasterKey.generate(), key])) == 1


def test_nobody_writes_over_what_was_and_the_chain_stays_whole(store, actor_id, allowed, say):
    for number in range(3):
        store.append_event("person:test:done", actor_id, {"number": number})
    before = say(READER, "SELECT * FROM audit_events")
    for login in LOGINS:
        assert allowed(login, [*NEVER, *REWRITING]) == []
    for login in (WORKER, READER, INTAKE):
        assert allowed(login, REMOVING) == []
    assert say(READER, "SELECT * FROM audit_events") == before
    assert is_whole(store)


def test_a_worker_may_use_every_table_that_there_is(say):
    for table in TABLES:
        rights = "SELECT" if table == "alembic_version" else "SELECT, INSERT"
        for right in rights.split(", "):
            assert say(WORKER, f"SELECT has_table_privilege('{table}', '{right}')") == [(True,)], (table, right)


def test_a_right_that_is_missing_is_told_with_the_next_step(store):
    told = r"permission denied for table events\. Use the role .*docs/postgresql\.md.*roles\.sql"
    with pytest.raises(ConfigurationError, match=told), store.write() as unit:
        unit._connection.execute(delete(events))


# Maintenance


@pytest.mark.parametrize("login", [MAINTENANCE])
def test_maintenance_removes_what_is_old(store, open_run, clock, corporate, furnish, engine, actor_id):  # noqa: ARG001 -- as above
    [calendar] = furnish("ana@corp.example")
    run_id = open_run()
    write_rows(engine, OldRows.PERMISSIONS, [history_row(OldRows.PERMISSIONS, 1, run_id, calendar.id, MONDAY - 500 * DAY)])
    store.append_event("person:test:done", actor_id, {})
    clock.go(days=500)
    maintenance, _ = open_maintenance(store, open_run("maintain"), clock, batch=3)
    removed = {kind: maintenance.remove(kind, clock.now() - 400 * DAY) for kind in OldRows}
    assert (removed[OldRows.PERMISSIONS], removed[OldRows.EVENTS]) == (1, 1)
    with engine.connect() as connection:
        assert connection.execute(select(permissions)).all() == []
    assert is_whole(store)


# Reader


def test_a_reader_reads_every_view_and_nothing_else(say, allowed):
    for view in VIEWS:
        assert say(READER, f"SELECT * FROM {view}") == []  # noqa: S608 -- names from above
    tables = [f"SELECT 1 FROM {table}" for table in TABLES]  # noqa: S608 -- as above
    assert allowed(READER, [*tables, "SELECT title, guests FROM bookings", "SELECT ciphertext FROM credentials", INSERT]) == []


def test_views_stay_readable_when_an_upgrade_makes_them_anew(engine_of, say):
    say(OWNER, "GRANT SELECT ON audit_runs TO PUBLIC")
    say(OWNER, f"GRANT SELECT ON audit_events TO {INTAKE} WITH GRANT OPTION")
    granted = "SELECT relname, relacl::text FROM pg_class WHERE relkind = 'v' AND relname LIKE 'audit%' ORDER BY relname"
    before, made = say(OWNER, granted), say(OWNER, "SELECT 'audit_runs'::regclass::oid")
    with engine_of(OWNER).connect() as connection, connection.begin():
        command.upgrade(alembic_config(connection), "head")
    assert say(OWNER, "SELECT 'audit_runs'::regclass::oid") != made
    assert {name: sorted(acl.strip("{}").split(",")) for name, acl in say(OWNER, granted)} == {
        name: sorted(acl.strip("{}").split(",")) for name, acl in before
    }


def test_an_upgrade_is_the_owners(engine_of):
    owner = engine_of(OWNER)
    with owner.connect() as connection, connection.begin():
        command.downgrade(alembic_config(connection), "-1")
    with pytest.raises(ConfigurationError, match=r"permission denied .*Use the role .*docs/postgresql\.md"):
        upgrade(engine_of(WORKER))
    assert upgrade(owner).after == head_version()


# Intake


def test_intake_writes_bookings_and_reads_nothing(say, allowed):
    say(INTAKE, INSERT)
    with pytest.raises(UniqueViolation) as failure:
        say(INTAKE, INSERT)
    assert failure.value.diag.message_detail is None
    say(INTAKE, f"{INSERT} ON CONFLICT DO NOTHING")
    refused = [
        f"{INSERT} RETURNING id",
        f"{INSERT} ON CONFLICT (booking_key, revision) DO NOTHING",
        f"{INSERT} ON CONFLICT (booking_key, revision) DO UPDATE SET title = 'x'",
        "SELECT 1 FROM bookings",
        "SELECT booking_key FROM audit_bookings",
        "UPDATE bookings SET state = 'cancelled'",
        "INSERT INTO bookings (booking_key, revision, checked_at) VALUES ('BK-1', 1, now())",
        "INSERT INTO bookings (booking_key, revision, effective_state) VALUES ('BK-1', 1, 'cancelled')",
        "INSERT INTO bookings (id, booking_key, revision) VALUES (7, 'BK-1', 1)",
        *(f"SELECT 1 FROM {name}" for name in (*TABLES, *VIEWS)),  # noqa: S608 -- names from above
        *(f"INSERT INTO {table} DEFAULT VALUES" for table in TABLES if table != "bookings"),
    ]
    assert allowed(INTAKE, refused) == []
    assert say(OWNER, "SELECT booking_key, title FROM bookings") == [("BK-9", "Intro")]


def test_intake_may_write_by_sqlalchemy_if_it_asks_for_nothing_back(engine_of, say):
    engine = engine_of(INTAKE)
    with engine.begin() as connection:
        connection.execute(insert(bookings).inline().values(booking_key="BK-1", revision=1))
    with pytest.raises(ProgrammingError, match="permission denied"), engine.begin() as connection:
        connection.execute(insert(bookings).values(booking_key="BK-2", revision=1))
    assert say(OWNER, "SELECT booking_key, booked_at IS NULL FROM bookings") == [("BK-1", False)]


# The script


def test_the_script_runs_again_and_takes_back_what_it_does_not_grant(owned_url, say, postgresql):
    rights = "SELECT relname, relacl::text FROM pg_class WHERE relacl IS NOT NULL ORDER BY relname"
    before = say(OWNER, rights)
    say(OWNER, "GRANT ALL ON events, credentials TO busytime_worker, busytime_reader")
    postgresql.execute(SQL("ALTER ROLE {} NOCREATEROLE").format(Identifier(OWNER)))
    try:
        run_script(address_of(owned_url, OWNER))
    finally:
        postgresql.execute(SQL("ALTER ROLE {} CREATEROLE").format(Identifier(OWNER)))
    assert say(OWNER, rights) == before
