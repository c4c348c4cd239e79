"""Exports that fail: nothing half-written under a final name, and no manifest of it; and how much memory they take."""

import fcntl
import hashlib
import json
import os
import resource
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from busytime.errors import ConfigurationError
from busytime.export.exporting import ExportOrder, Format, export
from busytime.export.folder import NoRoomError
from busytime.store.reading_views import open_reader, snapshot
from busytime.store.views import VIEWS
from tests.integration.store.export_world import fill, fill_many
from tests.unit.moments import MONDAY

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_SECONDS = 120


@pytest.fixture
def full_of(engine):
    fill(engine)
    return partial(fill_many, engine)


@pytest.fixture
def order(url, tmp_path, full_of):  # noqa: ARG001 -- there has to be something
    def export_them(format_=Format.CSV, views=tuple(VIEWS), out=tmp_path / "out"):
        reader = open_reader(url)
        try:
            with snapshot(reader) as views_now:
                return export(views_now, ExportOrder(views, format_), out, MONDAY)
        finally:
            reader.dispose()

    return export_them


def inside(folder):
    """What is in a folder, hidden files included, but for the lock."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".busytime-export.lock"}


def is_proved(folder):
    """Whether the manifest tells the truth about every file that it names."""
    files = json.loads((folder / "manifest.json").read_bytes())["files"]
    return all(hashlib.sha256((folder / file["name"]).read_bytes()).hexdigest() == file["sha256"] for file in files)


@contextmanager
def room_for(size):
    """Let no file of this process grow past a size, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("format_", Format)
def test_a_full_disk_leaves_the_folder_as_it_was(order, full_of, tmp_path, format_):
    order(format_)
    before = inside(tmp_path / "out")
    full_of(30_000)
    with room_for(60_000), pytest.raises(NoRoomError, match=r"has no room for the export .* Make room"):
        order(format_)
    assert inside(tmp_path / "out") == before


def test_a_full_disk_leaves_nothing_in_an_empty_folder(order, full_of, tmp_path):
    full_of(30_000)
    with room_for(60_000), pytest.raises(NoRoomError):
        order()
    assert inside(tmp_path / "out") == {}


def test_a_place_that_is_no_folder_is_refused(order, tmp_path):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(ConfigurationError, match=r"cannot be written: .* Choose another directory"):
        order(out=tmp_path / "file")
    assert (tmp_path / "file").read_text() == "kept"


def test_a_folder_without_the_right_to_write_is_refused(order, tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    if os.access(locked, os.W_OK):
        locked = Path("/proc/self")  # root may write everywhere but there
    with pytest.raises(ConfigurationError, match="cannot be written"):
        order(out=locked)


def test_two_exports_at_once_do_not_meet_in_one_folder(order, tmp_path):
    (tmp_path / "out").mkdir()
    with (tmp_path / "out" / ".busytime-export.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(ConfigurationError, match="Another export writes into"):
            order()
    assert inside(tmp_path / "out") == {}


def test_a_later_export_replaces_files_and_leaves_what_it_does_not_name(order, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("kept")
    order(views=("audit_runs", "audit_steps"))
    done = order(views=("audit_runs",))
    assert done.left == ("audit_steps.csv",)
    assert set(inside(tmp_path / "out")) == {"audit_runs.csv", "audit_steps.csv", "manifest.json", "mine.txt"}
    assert is_proved(tmp_path / "out")


@pytest.mark.parametrize("manifest", ["", "[]", '{"files": 1}', '{"files": [{"name": "../x"}]}', '{"files": [{}]}', "\x00"])
def test_a_manifest_of_somebody_else_does_not_matter(order, tmp_path, manifest):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "manifest.json").write_text(manifest)
    assert order(views=("audit_runs",)).left == ()
    assert is_proved(tmp_path / "out")


#: Where a process may die: while it writes, when all is written, between two names, and before the manifest has its own.
DEATHS = {
    "writing": ("busytime.export.folder:HashedFile.write", "5", "before"),
    "written": ("busytime.export.folder:ExportFolder.publish", "1", "before"),
    "named": ("pathlib:Path.replace", "3", "before"),
    "unproved": ("pathlib:Path.replace", str(len(VIEWS) + 1), "before"),
}


@pytest.mark.parametrize("death", DEATHS)
@pytest.mark.long(backend="postgresql", death="writing")
@pytest.mark.long(backend="postgresql", death="named")
@pytest.mark.long(backend="sqlite", death="written")
def test_a_killed_export_leaves_no_lie_and_the_next_one_cleans_up(order, full_of, url, tmp_path, death):
    order()
    before = inside(tmp_path / "out")
    full_of(100)
    command = ["audit", "export", "--format", "csv", "--out", str(tmp_path / "out")]
    ended = subprocess.run(
        [sys.executable, "-m", "tests.integration.store.dying", *DEATHS[death], *command],
        cwd=ROOT,
        env=os.environ | {"BUSYTIME_DATABASE_URL": url},
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert ended.returncode == -9
    left = inside(tmp_path / "out")
    shown = {name: content for name, content in left.items() if not name.startswith(".")}
    if death in {"writing", "written"}:
        assert shown == before
    else:
        assert "manifest.json" not in shown
        # Every file that has its name is whole, from this export or from the one before.
        assert all(content.endswith(b"\r\n") for content in shown.values())
    assert len(left) > len(shown)
    order()
    assert not any(name.startswith(".") for name in inside(tmp_path / "out"))
    assert is_proved(tmp_path / "out")


def growth(url, format_, out):
    command = [sys.executable, "-m", "tests.integration.store.exporter", url, format_, str(out)]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True)
    return int(told.stdout)


@pytest.mark.parametrize("format_", Format)
@pytest.mark.long
def test_four_times_the_rows_take_no_more_memory(full_of, url, tmp_path, format_):
    full_of(20_000)
    few = growth(url, format_, tmp_path / "few")
    full_of(60_000, first=50_000)
    many = growth(url, format_, tmp_path / "many")
    assert many < 1.6 * few + 4_096, f"{few} kB for 20,000 rows, {many} kB for 80,000"
