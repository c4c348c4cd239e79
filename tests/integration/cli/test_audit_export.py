"""`busytime audit export` as people type it: what it prints, and how it ends."""

import json

import pytest

from busytime.store.database import open_engine, upgrade
from busytime.store.views import VIEWS
from deployments.cli.main import main
from tests.integration.store.export_world import fill


@pytest.fixture
def filled(tmp_path, monkeypatch):
    """A database, named as a reader does it: without a key."""
    url = f"sqlite:///{tmp_path / 'busytime.db'}"
    engine = open_engine(url)
    upgrade(engine)
    fill(engine)
    engine.dispose()
    monkeypatch.setenv("BUSYTIME_DATABASE_URL", url)
    return tmp_path / "out"


def ended(capsys, *arguments):
    status = main(["audit", "export", *map(str, arguments)])
    told = capsys.readouterr()
    return status, told.out, " ".join(told.err.split())


def test_all_views_are_exported_and_told(filled, capsys):
    status, out, err = ended(capsys, "--format", "parquet", "--out", filled)
    assert (status, err) == (0, "")
    assert {path.name for path in filled.glob("*.parquet")} == {f"{view}.parquet" for view in VIEWS}
    assert f"Exported {len(VIEWS)} views" in out
    assert "--since-run 2" in out
    assert {path.stat().st_mode & 0o777 for path in filled.glob("*.parquet")} == {0o600}


def test_one_object_tells_what_the_manifest_tells(filled, capsys):
    ended(capsys, "--format", "csv", "--out", filled, "--view", "runs", "--view", "steps")
    arguments = ("--format", "csv", "--out", filled, "--view", "runs", "--view", "audit_runs", "--since-run", "1", "--json")
    status, out, err = ended(capsys, *arguments)
    told = json.loads(out)
    assert (status, err, told.pop("out"), told.pop("left")) == (0, "", str(filled), ["audit_steps.csv"])
    assert told == json.loads((filled / "manifest.json").read_bytes())
    assert [(file["view"], file["rows"]) for file in told["files"]] == [("audit_runs", 3)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--view", "owners"], "There is no view 'owners'"),
        (["--from", "2026-12-01T09:00"], "--from '2026-12-01T09:00' has no offset"),
        (["--from", "2026-12-01", "--to", "2026-12-01"], "give a later end"),
        (["--since-run", "99"], "There is no run 99"),
        (["--since-run", "-1"], "audit export --help"),
        (["--format", "xlsx"], "audit export --help"),
    ],
)
def test_wrong_use_is_refused_and_makes_nothing(filled, capsys, arguments, said):
    status, out, err = ended(capsys, "--format", "csv", "--out", filled, *arguments)
    assert (status, out) == (2, "")
    assert said in err
    assert not filled.exists()


def test_an_old_database_is_refused_with_what_to_run(tmp_path, monkeypatch, capsys):
    (tmp_path / "busytime.db").touch()
    monkeypatch.setenv("BUSYTIME_DATABASE_URL", f"sqlite:///{tmp_path / 'busytime.db'}")
    status, _, err = ended(capsys, "--format", "csv", "--out", tmp_path / "out")
    assert status == 2
    assert "busytime db upgrade" in err


def test_no_home_is_made_where_there_is_none(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("BUSYTIME_HOME", str(tmp_path / "home"))
    status, _, err = ended(capsys, "--format", "csv", "--out", tmp_path / "out")
    assert status == 2
    assert "There is no database at" in err
    assert list(tmp_path.iterdir()) == []
