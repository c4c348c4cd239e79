"""A rotation puts everything under the new key at once, and nothing is ever closed to whoever has a key."""

import json
import signal
import sqlite3
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from psycopg.sql import SQL, Identifier

from busytime.errors import ConfigurationError, KeyMissingError
from busytime.store.connections import secret_identity
from busytime.store.tables import credentials, installation
from busytime.vault import MasterKey
from config.keys import rotating
from tasks.keys import rotate_keys
from tests.integration.store.rotating import SECRETS, KeyedHome, key_ids

REPLACE, FSYNC, APPEND = "pathlib:Path.replace", "os:fsync", "busytime.store.events:EventRepository.append"
WRITE = "tasks.keys:write_key_file"


@pytest.fixture
def home(tmp_path, make_url):
    return KeyedHome(tmp_path / "home", make_url(empty=True))


@pytest.fixture
def sqlite_home(tmp_path):
    return KeyedHome(tmp_path / "home", f"sqlite:///{tmp_path / 'busytime.db'}")


def done(result, status=0):
    assert result.returncode == status, result.stderr
    assert "Traceback" not in result.stderr
    return result.stdout if status == 0 else result.stderr


@pytest.mark.processes
def test_a_rotation_puts_everything_under_a_new_key_and_the_old_one_is_gone(home):
    (old,) = home.keys
    before = key_ids(home.settings)
    ciphertexts = [row.ciphertext for row in home.rows(credentials)]
    printed = json.loads(done(home.rotate("--json")))
    assert home.keys != [old]
    assert stat.S_IMODE(home.key_file.stat().st_mode) == 0o600
    assert printed == {
        "key_id": key_ids(home.settings)[0],
        "old_key_ids": before,
        "rewrapped": 3,
        "source": "key_file",
        "began_with": "make_key",
    }
    assert home.used() == {printed["key_id"]}
    assert [row.ciphertext for row in home.rows(credentials)] == ciphertexts
    assert home.tags() == ["person:test:began", "person:key:rotated"]
    assert sorted(path.name for path in home.path.iterdir() if not path.name.startswith(("busytime.db", "database.place"))) == [
        "key",
        "key.lock",
        "ready.lock",
    ]
    home.assert_whole()
    home.more["key"] = old
    with pytest.raises(KeyMissingError, match="is not here"):
        home.assert_whole()


def test_the_chain_of_events_is_whole_across_rotations(home):
    for number in range(3):
        with home.opened() as workspace:
            rotate_keys(home.settings, workspace.desk)
            workspace.store.append_event("machine:test:went_on", 1, {"number": number})
        home.assert_whole()
    assert home.tags()[1:] == ["person:key:rotated", "machine:test:went_on"] * 3


@pytest.mark.processes
@pytest.mark.parametrize(
    ("call", "number", "when", "keys_left"),
    [
        (FSYNC, 1, "before", 1),
        (REPLACE, 1, "before", 1),
        (REPLACE, 1, "after", 2),
        (APPEND, 1, "before", 2),
        (APPEND, 1, "after", 2),
        (WRITE, 2, "before", 2),
        (REPLACE, 2, "before", 2),
        (REPLACE, 2, "after", 1),
    ],
)
@pytest.mark.long(backend="postgresql", call=FSYNC)
@pytest.mark.long(backend="postgresql", call=REPLACE)
@pytest.mark.long(backend="postgresql", call=WRITE)
@pytest.mark.long(backend="sqlite", call=REPLACE, number=1, when="after")
@pytest.mark.long(backend="sqlite", call=REPLACE, number=2, when="before")
def test_a_rotation_that_was_killed_leaves_all_open_and_is_finished_by_the_next_one(home, call, number, when, keys_left):
    arguments = ("keys", "rotate")
    killed = home.run(call, str(number), when, *arguments, module="tests.integration.store.dying")
    assert killed.returncode == -signal.SIGKILL
    held = key_ids(home.settings)
    assert len(held) == keys_left
    home.assert_whole()
    printed = json.loads(done(home.rotate("--json")))
    assert len(home.keys) == 1
    assert home.used() == {printed["key_id"]}
    # With two keys in the file the killed one's key was taken, and no third was made.
    assert (printed["began_with"] == "make_key") == (keys_left == 1)
    assert keys_left == 1 or printed["key_id"] == held[0]
    rotations = 2 if (call, number, when) == (REPLACE, 2, "after") else 1
    assert home.tags().count("person:key:rotated") == rotations
    home.assert_whole()


def test_a_process_that_began_before_a_rotation_goes_on(home):
    with home.opened() as early:
        with home.opened() as workspace:
            rotate_keys(home.settings, workspace.desk)
        with early.store.write() as unit:
            connection = next(found for found in unit.connections.all_open() if found.email == "eva@corp.example")
            sealed = unit.connections.sealed_secret(connection.id, 1)
            assert early.desk.vault.open(sealed, secret_identity(connection.id, 1)) == SECRETS["eva@corp.example"][0]
        early.store.append_event("machine:test:went_on", 1, {})
    home.assert_whole()


def test_what_a_process_stores_that_began_before_a_rotation_is_under_the_new_key(home, monkeypatch):
    monkeypatch.setitem(SECRETS, "eva@corp.example", [b"hers", b"a new one"])
    with home.opened() as early:
        with home.opened() as workspace:
            rotate_keys(home.settings, workspace.desk)
        with early.store.write() as unit:
            connection = next(found for found in unit.connections.all_open() if found.email == "eva@corp.example")
            sealed = early.desk.vault.seal(b"a new one", secret_identity(connection.id, 2), unit.keys.active_id())
            unit.connections.store_secret(connection.id, 2, sealed, 1, early.clock.now())
    assert home.used() == set(key_ids(home.settings))
    home.assert_whole()


@pytest.mark.processes
@pytest.mark.long(backend="postgresql")
def test_keys_that_a_person_keeps_are_rotated_in_two_moves(home):
    (old,) = home.keys
    home.key_file.unlink()
    new = MasterKey.generate().to_text()
    told = done(home.rotate(BUSYTIME_KEY=old), 2)
    assert "first key of BUSYTIME_KEY already, and nothing was changed" in told
    told = done(home.rotate(BUSYTIME_KEY=f"{new},{old}"))
    assert f"take {MasterKey.from_text(old).key_id} out of BUSYTIME_KEY" in told
    assert "can be taken out" in done(home.rotate(BUSYTIME_KEY=f"{new},{old}"), 2)
    assert not home.key_file.exists()
    home.more["key"] = new
    home.assert_whole()
    assert old not in told
    assert new not in told


@pytest.mark.processes
@pytest.mark.long(backend="sqlite")
def test_the_keys_of_a_command_are_rotated_likewise(home):
    (old,) = home.keys
    home.key_file.unlink()
    new = MasterKey.generate().to_text()
    file = home.path / "busytime.toml"
    file.write_text(f'key_command = ["/bin/echo", "{new} {old}"]\n')
    file.chmod(0o600)
    assert "out of key_command" in done(home.rotate())
    file.write_text(f'key_command = ["/bin/echo", "{new}"]\n')
    done(home.run("status"))
    assert not home.key_file.exists()


@pytest.mark.processes
def test_a_fresh_home_with_a_key_command_makes_no_key_file(tmp_path):
    home = tmp_path / "home"
    (tmp_path / "busytime.toml").write_text(f'home = "{home}"\nkey_command = ["/bin/echo", "{MasterKey.generate().to_text()}"]\n')
    (tmp_path / "busytime.toml").chmod(0o644)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        found = KeyedHome(home, f"sqlite:///{home / 'busytime.db'}")
        assert not found.key_file.exists()
        found.assert_whole()


@pytest.mark.processes
def test_the_old_key_is_kept_where_it_is_asked_for_and_opens_an_old_backup(sqlite_home, tmp_path):
    home, kept = sqlite_home, tmp_path / "old"
    (old,) = home.keys
    backup = tmp_path / "backup.db"
    with closing(sqlite3.connect(tmp_path / "busytime.db")) as source, closing(sqlite3.connect(backup)) as target:
        source.backup(target)
    dying = ("tests.integration.store.dying", "keys", "rotate", "--keep-old", str(kept))
    assert home.run(REPLACE, "2", "before", *dying[1:], module=dying[0]).returncode == -signal.SIGKILL
    done(home.rotate("--keep-old", str(kept)))
    assert kept.read_text().split() == [old]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    before = home.keys
    assert "holds another key" in done(home.rotate("--keep-old", str(kept)), 2)
    assert home.keys == before
    home.url = f"sqlite:///{backup}"
    home.more["key_file"] = kept
    home.assert_whole()


def test_one_rotation_at_a_time(home):
    before = home.keys
    with home.opened() as workspace, rotating(home.settings), pytest.raises(ConfigurationError, match="at work"):
        rotate_keys(home.settings, workspace.desk)
    assert home.keys == before
    home.assert_whole()


def test_a_row_that_does_not_open_stops_the_rotation_before_anything_is_changed(sqlite_home, tmp_path):
    home = sqlite_home
    with closing(sqlite3.connect(tmp_path / "busytime.db")) as connection:
        connection.execute("UPDATE credentials SET wrapped_key = zeroblob(60) WHERE retired_at IS NULL AND version = 3")
        connection.commit()
    before = home.keys, home.rows(credentials), home.rows(installation)
    with home.opened() as workspace, pytest.raises(KeyMissingError, match="key of credential 1/3 does not open"):
        rotate_keys(home.settings, workspace.desk)
    assert (home.keys, home.rows(credentials), home.rows(installation)) == before


def test_a_key_file_that_cannot_be_written_stops_the_rotation_before_anything_is_changed(home):
    (home.path / "key.part").mkdir()
    before = home.keys, home.rows(credentials), home.rows(installation)
    with home.opened() as workspace, pytest.raises(ConfigurationError, match="cannot be written"):
        rotate_keys(home.settings, workspace.desk)
    assert (home.keys, home.rows(credentials), home.rows(installation)) == before


@pytest.mark.processes
def test_a_read_only_database_is_told_and_nothing_is_changed(home, backend, postgresql):
    before = home.keys
    if backend == "sqlite":
        home.url = home.url.replace("sqlite:///", "sqlite:///file:") + "?mode=ro&uri=true"
    else:
        name = Identifier(home.url.rpartition("/")[2].partition("?")[0])
        postgresql.execute(SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))
    assert "The database cannot be used" in done(home.rotate(), 2)
    assert home.keys == before


def test_a_rotation_waits_for_a_secret_that_is_being_stored(home, monkeypatch):
    monkeypatch.setitem(SECRETS, "eva@corp.example", [b"hers", b"a new one"])
    with home.opened() as early, home.opened() as workspace, ThreadPoolExecutor(1) as thread:
        with early.store.write() as unit:
            connection = next(found for found in unit.connections.all_open() if found.email == "eva@corp.example")
            sealed = early.desk.vault.seal(b"a new one", secret_identity(connection.id, 2), unit.keys.active_id())
            rotation = thread.submit(rotate_keys, home.settings, workspace.desk)
            while len(home.keys) < 2:
                assert not rotation.done()
                time.sleep(0.01)
            time.sleep(0.3)  # what does not wait would be done by now
            unit.connections.store_secret(connection.id, 2, sealed, 1, early.clock.now())
        rotation.result(60)
    assert home.used() == set(key_ids(home.settings))
    home.assert_whole()


def test_a_database_that_refuses_leaves_both_keys_and_the_next_rotation_finishes(sqlite_home, tmp_path):
    home = sqlite_home
    refuse = "CREATE TRIGGER refuse BEFORE UPDATE ON installation BEGIN SELECT RAISE(ABORT, 'no'); END"
    with closing(sqlite3.connect(tmp_path / "busytime.db")) as connection:
        connection.execute(refuse)
    with home.opened() as workspace, pytest.raises(Exception, match="no"):
        rotate_keys(home.settings, workspace.desk)
    assert len(home.keys) == 2
    home.assert_whole()
    with closing(sqlite3.connect(tmp_path / "busytime.db")) as connection:
        connection.execute("DROP TRIGGER refuse")
    with home.opened() as workspace:
        rotate_keys(home.settings, workspace.desk)
    assert len(home.keys) == 1
    home.assert_whole()


def test_a_destroyed_secret_leaves_nothing_in_the_database_file(sqlite_home, tmp_path):
    stored = [row for row in sqlite_home.rows(credentials) if row.ciphertext is not None]
    with sqlite_home.opened() as workspace, workspace.store.write() as unit:
        for row in stored:
            identity = secret_identity(row.connection_id, row.version + 1)
            sealed = workspace.desk.vault.seal(b"newer", identity)
            unit.connections.store_secret(row.connection_id, row.version + 1, sealed, 1, workspace.clock.now())
    left = b"".join(path.read_bytes() for path in tmp_path.glob("busytime.db*"))
    for row in stored:
        assert row.ciphertext not in left
        assert row.wrapped_key not in left
