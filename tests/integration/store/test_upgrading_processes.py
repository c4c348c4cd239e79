"""Upgrades in real processes: killed at any moment, several at once, on a disk without room, and taken back by hand."""

import json
import sqlite3
import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import inspect

from busytime.store.database import current_version, open_engine
from busytime.store.views import VIEWS
from tasks.workspace import open_workspace
from tests.integration.store.old_versions import VERSIONS, content, walk
from tests.integration.store.processes import PATIENCE_SECONDS, ROOT, running
from tests.integration.store.rotating import KeyedHome

pytestmark = pytest.mark.processes

UPGRADER = "tests.integration.store.upgrader"
DOCS = ROOT / "docs" / "upgrading.md"
OLD, HEAD = "0002", VERSIONS[-1]
NAME = f"busytime.db.before-{HEAD}"


@pytest.fixture
def home(tmp_path, make_url):
    """A home with secrets, whose tables are some versions old."""
    home = KeyedHome(tmp_path / "home", make_url(empty=True))
    with_engine(home, lambda engine: walk(engine, command.downgrade, OLD))
    return home


def with_engine(home, work):
    engine = open_engine(home.url)
    try:
        return work(engine)
    finally:
        engine.dispose()


def copies(home):
    path = Path(home.url.removeprefix("sqlite:///"))
    return sorted(found.name for found in path.parent.glob("busytime.db.before-*"))


#: Where a process is killed, and whether the upgrade is there afterwards.
DEATHS = {
    "before the copy": ("busytime.store.backups:_copy", "1", "before", False),
    "before the copy has its name": ("busytime.store.backups:_sync", "1", "after", False),
    "copied": ("busytime.store.backups:_sync", "2", "after", False),
    "in the middle": ("alembic.ddl.impl:DefaultImpl._exec", "9", "after", False),
    "before the commit": ("alembic.command:upgrade", "1", "after", False),
    "after the commit": ("busytime.store.database:remove_older", "1", "before", True),
    "before the event": ("tasks.workspace:_note_upgrade", "1", "before", True),
}
WITHOUT_A_COPY = ("in the middle", "before the commit", "before the event")


@pytest.mark.parametrize(
    ("backend", "moment"),
    [*(("sqlite", moment) for moment in DEATHS), *(("postgresql", moment) for moment in WITHOUT_A_COPY)],
    indirect=["backend"],
)
def test_a_killed_upgrade_is_whole_or_not_there_and_the_next_one_completes_it(home, backend, moment):
    *death, is_done = DEATHS[moment]
    before = with_engine(home, content)
    with running(1, UPGRADER, *death, env=home.environment()) as [process]:
        assert process.ask("go") == ""
        assert process.status() == -9
    assert with_engine(home, current_version) == (HEAD if is_done else OLD)
    if not is_done:
        assert with_engine(home, content) == before
    office = open_workspace(home.settings, upgrading=True)
    assert (office.upgrade.before, office.upgrade.after) == (HEAD if is_done else OLD, HEAD)
    office.close()
    home.assert_whole()
    assert copies(home) == ([NAME] if backend == "sqlite" else [])
    assert home.tags() == ["person:test:began"] + ["person:database:upgraded"] * (not is_done)


def test_of_several_upgrades_at_once_one_does_the_work(home, backend, tmp_path):
    [key] = home.keys
    environments = [home.environment(BUSYTIME_HOME=str(tmp_path / f"home{number}"), BUSYTIME_KEY=key) for number in range(3)]
    with ExitStack() as stack:
        processes = [stack.enter_context(running(1, UPGRADER, env=environment))[0] for environment in environments]
        for process in processes:
            process.send("go")
        told = [json.loads(process.line()) for process in processes]
    assert sorted(it["before"] for it in told) == [OLD] + [HEAD] * 2
    assert [it["after"] for it in told] == [HEAD] * 3
    assert sum(it["backup"] is not None for it in told) == (backend == "sqlite")
    home.assert_whole()
    assert home.tags() == ["person:test:began", "person:database:upgraded"]
    assert set(with_engine(home, lambda engine: inspect(engine).get_view_names())) == set(VIEWS)


sqlite_only = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


@sqlite_only
def test_the_command_says_what_it_did_and_the_copy_has_no_key(home, tmp_path):
    done = home.run("db", "upgrade")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        f"The tables are at version {HEAD}. They were at version {OLD}.\n"
        f"As they were before: {tmp_path / NAME}. Remove it when you are content.\n"
    )
    [key] = home.keys
    assert key.encode() not in (tmp_path / NAME).read_bytes()


@sqlite_only
def test_what_the_docs_say_brings_back_the_version_before(home, tmp_path):
    before = with_engine(home, content)
    open_workspace(home.settings, upgrading=True).close()
    steps = DOCS.read_text(encoding="utf-8").split("```sh\n")[1].split("```")[0].replace("VERSION", HEAD)
    with closing(sqlite3.connect(tmp_path / "busytime.db")) as left_behind:
        left_behind.execute("UPDATE owners SET name = 'later'")
        left_behind.commit()
        assert (tmp_path / "busytime.db-wal").stat().st_size
        subprocess.run(["sh", "-ec", steps], cwd=tmp_path, check=True)
    assert with_engine(home, content) == before
    assert with_engine(home, current_version) == OLD
    open_workspace(home.settings, upgrading=True).close()
    home.assert_whole()


VERSION_OF = (
    "import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute('SELECT version_num FROM alembic_version').fetchone())"
)
#: On a disk of its own: the database, an upgrade, and what is there afterwards.
ON_A_SMALL_DISK = f"""
mount -t tmpfs -o size="$SIZE" none "$DISK"
cp busytime.db "$DISK"
echo go | {sys.executable} -m {UPGRADER}
ls "$DISK"
{sys.executable} -c "{VERSION_OF}" "$DISK/busytime.db"
"""


@sqlite_only
def test_without_room_for_the_copy_nothing_is_done(home, tmp_path):
    if subprocess.run(["unshare", "-Urm", "true"], check=False, capture_output=True).returncode:
        pytest.skip("this system gives nobody a disk of his own")
    disk = tmp_path / "disk"
    disk.mkdir()
    with closing(sqlite3.connect(tmp_path / "busytime.db")) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # all of it in one file
    more = {"BUSYTIME_DATABASE_URL": f"sqlite:///{disk}/busytime.db", "BUSYTIME_KEY_FILE": str(home.key_file)}
    size = (tmp_path / "busytime.db").stat().st_size * 5 // 2
    ended = subprocess.run(
        ["unshare", "-Urm", "sh", "-ec", ON_A_SMALL_DISK],
        cwd=tmp_path,
        env=home.environment(**more, SIZE=str(size), DISK=str(disk)),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    ready, told, *left = ended.stdout.splitlines()
    assert ready == "ready"
    assert "MB, and 0." in json.loads(told)["error"], told
    assert left == ["busytime.db", OLD], ended.stderr
