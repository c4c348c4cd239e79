"""Opening a home: made ready once, by whoever comes first, and never with a key that is not its own."""

import base64
import getpass
import json
import os
import stat

import pytest
from sqlalchemy import func, select, text

from busytime.errors import ConfigurationError, KeyMissingError
from busytime.store.database import open_engine, upgrade
from busytime.store.tables import installation, owners
from busytime.vault import MasterKey
from config.settings import load_settings
from tasks.workspace import open_workspace
from tests.integration.store.processes import running

NEW_KEY = MasterKey.generate


@pytest.fixture
def empty_url(make_url):
    return make_url(empty=True)


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def settings(home, empty_url):
    return load_settings(home=home, database_url=empty_url)


def opened(settings, **more):
    """Open and close a home, and return the installation and the key that it came to."""
    office = open_workspace(settings, **more)
    try:
        return office.store.installation_id, office.desk.vault.key_id
    finally:
        office.close()


def everything(settings):
    """What must not change: every file of the home but the database's own, and the installation."""
    engine = open_engine(settings.database_address)
    with engine.connect() as connection:
        stored = connection.execute(select(installation)).all()
    engine.dispose()
    files = {path.name: path.read_bytes() for path in settings.home.iterdir() if not path.name.startswith("busytime.db")}
    return stored, files


def test_an_empty_home_is_made_ready_and_found_again(settings, home):
    first = opened(settings)
    assert opened(settings) == first
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "key").stat().st_mode) == 0o600


def test_the_database_lies_in_the_home_unless_told_otherwise(home):
    opened(load_settings(home=home))
    assert (home / "busytime.db").exists()


@pytest.mark.processes
def test_four_processes_on_an_empty_home_make_one_installation_and_one_key(home, empty_url):
    env = {"BUSYTIME_HOME": str(home), "BUSYTIME_DATABASE_URL": empty_url}
    with running(4, "tests.integration.store.opener", env=env) as four:
        for process in four:
            process.send("go")
        found = [json.loads(process.line() or "{}") for process in four]
    assert found[0]
    assert found == [found[0]] * 4
    assert {path.name for path in home.iterdir()} - {"database.place"} == {"key", "ready.lock"}


@pytest.mark.processes
@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_machines_with_homes_of_their_own_make_one_installation_in_a_shared_database(tmp_path, empty_url):
    env = {"BUSYTIME_DATABASE_URL": empty_url, "BUSYTIME_KEY": NEW_KEY().to_text()}
    homes = [env | {"BUSYTIME_HOME": str(tmp_path / name)} for name in "abc"]
    module = "tests.integration.store.opener"
    with running(1, module, env=homes[0]) as a, running(1, module, env=homes[1]) as b, running(1, module, env=homes[2]) as c:
        machines = [*a, *b, *c]
        for process in machines:
            process.send("go")
        found = [json.loads(process.line() or "{}") for process in machines]
    assert found[0]
    assert found == [found[0]] * 3


def test_a_missing_key_file_is_told_and_none_is_made(settings, home):
    opened(settings)
    (home / "key").unlink()
    before = everything(settings)
    with pytest.raises(KeyMissingError, match=f"{home / 'key'} is not there.*Nothing was changed"):
        open_workspace(settings)
    assert everything(settings) == before


@pytest.mark.parametrize("upgrading", [False, True])
def test_a_wrong_key_is_told_and_nothing_is_overwritten(settings, home, empty_url, upgrading):
    opened(settings)
    before = everything(settings)
    wrong = load_settings(home=home, database_url=empty_url, key=NEW_KEY().to_text())
    with pytest.raises(KeyMissingError, match="restore the key file"):
        open_workspace(wrong, upgrading=upgrading)
    assert everything(settings) == before


@pytest.mark.parametrize("content", ["", "rubbish", base64.urlsafe_b64encode(b"short").decode()])
def test_a_key_file_that_holds_no_key_is_told_and_left_alone(settings, home, content):
    home.mkdir()
    (home / "key").write_text(content)
    (home / "key").chmod(0o600)
    with pytest.raises(KeyMissingError):
        open_workspace(settings)
    assert (home / "key").read_text() == content


def test_a_key_file_that_others_can_read_is_refused_before_anything_is_made(settings, home):
    home.mkdir()
    (home / "key").write_text(NEW_KEY().to_text())
    (home / "key").chmod(0o644)
    with pytest.raises(KeyMissingError, match="chmod 600"):
        open_workspace(settings)
    engine = open_engine(settings.database_address)
    with engine.connect() as connection, pytest.raises(Exception, match="installation"):
        connection.execute(select(installation))
    engine.dispose()


def test_a_home_that_was_left_half_ready_is_completed(settings, home, empty_url):
    key = NEW_KEY()
    home.mkdir()
    (home / "key").write_text(key.to_text())
    (home / "key").chmod(0o600)
    engine = open_engine(empty_url)
    upgrade(engine)  # and here the process died
    engine.dispose()
    assert opened(settings)[1] == key.key_id


def test_a_restored_key_opens_the_home_again(settings, home):
    first = opened(settings)
    text = (home / "key").read_text()
    (home / "key").unlink()
    with pytest.raises(KeyMissingError):
        open_workspace(settings)
    assert opened(load_settings(home=home, database_url=settings.database_url, key=text.strip())) == first


@pytest.mark.parametrize(("version", "remedy"), [("9999", "install a newer busytime")])
@pytest.mark.parametrize("upgrading", [False, True])
def test_a_newer_database_is_refused(settings, version, remedy, upgrading):
    opened(settings)
    engine = open_engine(settings.database_address)
    with engine.connect().execution_options(writer=True) as connection, connection.begin():
        connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})
    engine.dispose()
    with pytest.raises(ConfigurationError, match=remedy):
        open_workspace(settings, upgrading=upgrading)


def test_a_home_that_is_a_file_is_refused(home):
    home.write_text("")
    with pytest.raises(ConfigurationError, match="BUSYTIME_HOME"):
        open_workspace(load_settings(home=home))


def test_a_user_without_a_name_is_told_by_number(home, monkeypatch):
    def nameless():
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr(getpass, "getuser", nameless)
    office = open_workspace(load_settings(home=home))
    assert office.desk.actor.startswith(f"uid{os.getuid()}@")
    office.close()


def test_opening_writes_no_address_and_no_run(settings):
    office = open_workspace(settings)
    with office.store.read() as unit:
        assert unit.runs.recent(10) == []
        assert unit._connection.scalar(select(func.count()).select_from(owners)) == 0
    office.close()


def test_a_database_in_a_home_that_others_may_enter_can_be_read_by_nobody_else(home):
    home.mkdir(mode=0o755)
    opened(load_settings(home=home))
    assert stat.S_IMODE((home / "busytime.db").stat().st_mode) == 0o600
