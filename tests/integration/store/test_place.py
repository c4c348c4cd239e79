"""A database that was restored is noticed when it is opened: by where it lives, or by what the machine remembers of it."""

import json
import shutil
from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, select

from busytime.store.database import open_engine
from busytime.store.place import memory_path
from busytime.store.tables import events, installation
from config.settings import load_settings
from tasks.workspace import open_workspace

pytestmark = pytest.mark.usefixtures("backend")


@pytest.fixture
def settings(tmp_path, make_url):
    return load_settings(home=tmp_path / "home", database_url=make_url(empty=True))


def restored_at(settings):
    """Open and close the home, and tell when its database was found to be restored."""
    office = open_workspace(settings)
    try:
        return office.store.restored_at
    finally:
        office.close()


def work(settings):
    """Give an instant out, and remember it."""
    office = open_workspace(settings)
    office.remember()
    office.close()


def adopt(settings):
    office = open_workspace(settings)
    office.store.clear_restored()
    office.close()


@pytest.fixture
def database(settings):
    engine = open_engine(settings.database_address)
    yield engine
    engine.dispose()


@pytest.fixture
def stored(database):
    def row():
        with database.connect() as connection:
            return dict(connection.execute(select(installation)).one()._mapping)

    return row


@pytest.fixture
def put_back(database):
    """Bring the row back that stands for all that a backup brings back."""

    def put(row):
        with database.connect().execution_options(writer=True) as connection, connection.begin():
            connection.execute(delete(installation))
            connection.execute(insert(installation).values(**row))

    return put


def test_an_older_database_in_its_place_is_noticed_once_and_gives_no_instant_out_again(settings, stored, put_back, database):
    work(settings)
    backup = stored()
    work(settings)
    newest = stored()["last_instant"]
    put_back(backup)

    first = restored_at(settings)
    assert first is not None
    assert restored_at(settings) == first
    assert stored()["last_instant"] >= newest > backup["last_instant"]
    with database.connect() as connection:
        assert connection.execute(select(events.c.tag)).scalars().all() == ["machine:database:restored"]
    adopt(settings)
    work(settings)
    assert restored_at(settings) is None


def test_a_database_at_work_is_never_taken_for_a_restored_one(settings, stored):
    for _ in range(3):
        work(settings)
        assert restored_at(settings) is None
    assert stored()["lives_at"]


def test_one_of_an_older_version_is_believed_when_it_is_first_opened(settings, stored, put_back):
    work(settings)
    put_back(stored() | {"lives_at": None})
    assert restored_at(settings) is None
    assert stored()["lives_at"]


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_file_on_another_machine_is_noticed(settings, tmp_path):
    work(settings)
    elsewhere = tmp_path / "other"
    shutil.copytree(settings.home, elsewhere)
    shutil.copy(tmp_path / "busytime.db", elsewhere / "busytime.db")
    other = load_settings(home=elsewhere)
    assert restored_at(other) is not None
    adopt(other)
    assert restored_at(other) is None
    assert restored_at(settings) is None


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize("content", ["", "{}", '{"place": null', json.dumps({"place": "x", "newest": "soon"})])
def test_a_memory_that_cannot_be_read_is_none(settings, content):
    work(settings)
    memory_path(settings.database_address, settings.home).write_text(content)
    assert restored_at(settings) is not None


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_a_server_names_itself_so_that_any_machine_notices(settings, tmp_path, stored, put_back):
    work(settings)
    row = stored()
    server, _, table = row["lives_at"].partition("/")
    second = load_settings(home=tmp_path / "second", key_file=settings.home / "key", database_url=settings.database_url)
    assert restored_at(second) is None, "a machine that joins is no restoration"
    put_back(row | {"lives_at": f"/{table}"})
    assert restored_at(second) is None, "a server that once did not tell its name"
    for elsewhere in (f"{int(server) + 1}/{table}", f"{server}/{int(table) + 1}"):
        put_back(row | {"lives_at": elsewhere})
        assert restored_at(second) is not None


def test_hours_between_machines_do_no_harm(settings, stored):
    work(settings)
    path = memory_path(settings.database_address, settings.home)
    told = json.loads(path.read_text())
    told["newest"] = (stored()["last_instant"] - timedelta(hours=5)).isoformat()
    path.write_text(json.dumps(told))
    assert restored_at(settings) is None
