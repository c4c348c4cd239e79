"""A database at the newest version for each test, on SQLite and on PostgreSQL."""

import shutil
import sqlite3
from contextlib import closing

import psycopg
import pytest
from alembic import command
from sqlalchemy import select

from busytime.model import ConnectionMode, Endpoint, Trigger
from busytime.permissions import Conclusion, Need, PermissionLevel
from busytime.roster import Roster, RosterCalendar
from busytime.store import database
from busytime.store.database import head_version, open_engine, upgrade
from busytime.store.entry_book import StoredEntryBook
from busytime.store.unit_of_work import Store
from busytime.vault import MasterKey, Vault
from tests.integration.store.old_versions import MIGRATION, fill, walk
from tests.integration.store.push_steps import make_page
from tests.unit.moments import HandClock

BACKENDS = ("sqlite", "postgresql")


def migrated(url):
    engine = open_engine(url)
    upgrade(engine)
    engine.dispose()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory):
    path = tmp_path_factory.mktemp("template") / "busytime.db"
    migrated(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgresql_template(postgresql):
    name = postgresql.create()
    migrated(postgresql.url(name))
    return name


@pytest.fixture(params=BACKENDS)
def backend(request):
    return request.param


@pytest.fixture
def make_url(backend, request, tmp_path):
    """Make databases of one kind, empty or migrated, that are gone after the test."""
    dropped = []

    def make(*, empty=False):
        if backend == "sqlite":
            path = tmp_path / "busytime.db"
            if not empty:
                shutil.copy(request.getfixturevalue("sqlite_template"), path)
            return f"sqlite:///{path}"
        server = request.getfixturevalue("postgresql")
        name = server.create() if empty else server.create(request.getfixturevalue("postgresql_template"))
        dropped.append((server, name))
        return server.url(name)

    yield make
    for server, name in dropped:
        server.drop(name)


@pytest.fixture(scope="session")
def shared_engines():
    engines = {}
    yield engines
    for engine in engines.values():
        engine.dispose()


@pytest.fixture
def shared_engine(backend, request, shared_engines, tmp_path_factory):
    """A database that tests share, because each takes back all it does."""
    if backend not in shared_engines:
        if backend == "sqlite":
            path = tmp_path_factory.mktemp("shared") / "busytime.db"
            shutil.copy(request.getfixturevalue("sqlite_template"), path)
            url = f"sqlite:///{path}"
        else:
            server = request.getfixturevalue("postgresql")
            url = server.url(server.create(request.getfixturevalue("postgresql_template")))
        shared_engines[backend] = open_engine(url)
    return shared_engines[backend]


@pytest.fixture
def empty_engine(make_url):
    engine = open_engine(make_url(empty=True))
    yield engine
    engine.dispose()


@pytest.fixture
def at_version(empty_engine):
    """A populated database at a version."""

    def at(version):
        walk(empty_engine, command.upgrade, version)
        fill(empty_engine)
        return empty_engine

    return at


@pytest.fixture
def later(tmp_path, monkeypatch):
    """Let this busytime have one more migration."""
    folder = tmp_path / "later"
    real, head = database.alembic_config, head_version()

    def config(connection=None):
        made = real(connection)
        made.set_main_option("path_separator", "newline")
        made.set_main_option("version_locations", f"{database._MIGRATIONS / 'versions'}\n{folder}")
        return made

    def write(*statements, revision="7777"):
        folder.mkdir(exist_ok=True)
        (folder / "later.py").write_text(MIGRATION.format(revision=revision, head=head, statements="\n    ".join(statements)))
        monkeypatch.setattr(database, "alembic_config", config)
        head_version.cache_clear()

    yield write
    monkeypatch.undo()
    head_version.cache_clear()


@pytest.fixture
def url(make_url):
    return make_url()


@pytest.fixture
def engine(url):
    engine = open_engine(url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def key():
    return MasterKey.generate()


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def store(engine, key, clock):
    store = Store(engine, Vault([key]), clock)
    store.make_installation()
    yield store
    store.dispose()


@pytest.fixture
def actor_id(store):
    with store.write() as unit:
        return unit.owners.id("admin@host")


@pytest.fixture
def open_run(store, actor_id, clock):
    """Open runs."""

    def open_one(flow="harvest_busy_time"):
        with store.write() as unit:
            return unit.runs.open(flow, Trigger.MANUAL, actor_id, clock.now())

    return open_one


@pytest.fixture
def run_id(open_run):
    return open_run()


@pytest.fixture
def furnish(store, clock):
    """Put owners on the roster, and return their default calendars."""

    def furnish_with(*owners):
        with store.write() as unit:
            unit.roster.replace(Roster(tuple(RosterCalendar(owner) for owner in owners)), clock.now())
            return unit.roster.calendars()

    return furnish_with


@pytest.fixture
def corporate(store, clock):
    """The connection that serves everybody."""
    with store.write() as unit:
        endpoint = Endpoint("busytime@corp.example", "https://mail/EWS")
        return unit.connections.open(unit.owners.id("busytime@corp.example"), endpoint, ConnectionMode.CORPORATE, clock.now())


@pytest.fixture
def open_pages(store, clock):
    """Put booking pages on the roster, and return its calendars by owner."""

    def open_them(*pages, others=()):
        owners = dict.fromkeys([ref.owner for page in pages for _, ref in page.associated()] + list(others))
        with store.write() as unit:
            unit.roster.replace(Roster(tuple(RosterCalendar(owner) for owner in owners), pages), clock.now())
            return {calendar.owner.partition("@")[0]: calendar.id for calendar in unit.roster.calendars()}

    return open_them


@pytest.fixture
def calendars(corporate, open_pages):  # noqa: ARG001 -- it serves them
    """The calendars of one booking page by their owners: ana's is the main one, bo's gets a copy, cy's is only read."""
    return open_pages(make_page())


@pytest.fixture
def open_book(store, clock, open_run):
    """Open the tables of pushing, for a run of its own each time."""

    def open_one(store=store, **more):
        return StoredEntryBook(store, open_run("push_bookings"), clock=clock, **more)

    return open_one


@pytest.fixture
def take(store, clock, calendars):  # noqa: ARG001 -- the page has to be there
    def take_in(*given):
        with store.write() as unit:
            return unit.bookings.take(given, clock.now())

    return take_in


@pytest.fixture
def book(open_book, calendars):  # noqa: ARG001 -- as above
    return open_book()


@pytest.fixture
def judge(store, corporate, run_id):
    """Write a verdict on writing."""

    def write_verdict(calendar_id, verdict, reason=None, need=Need.WRITE):
        conclusion = Conclusion(verdict, None, None, reason)
        with store.write() as unit:
            before = unit.permissions.current().get((calendar_id, need))
            unit.permissions.replace(
                corporate,
                calendar_id,
                need,
                PermissionLevel.EDITOR,
                conclusion,
                before=before,
                run_id=run_id,
                instant=unit.instant,
            )

    return write_verdict


@pytest.fixture
def write_sql(backend, url):
    """Write as another program does, with the plain driver and nothing of ours."""

    def write(statement, *parameters):
        if backend == "sqlite":
            with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
                connection.execute(statement, parameters)
        else:
            with psycopg.connect(url) as connection:
                connection.execute(statement.replace("?", "%s"), parameters)

    return write


@pytest.fixture
def rows(engine):
    """Read a table's rows, in order of their keys, as mappings."""

    def rows_of(table, *conditions):
        with engine.connect() as connection:
            order = list(table.primary_key.columns)
            return [dict(row._mapping) for row in connection.execute(select(table).where(*conditions).order_by(*order))]

    return rows_of
