"""`busytime audit verify`: what it prints, and with which status it ends, on a chain that is whole and on one that is not."""

import json

import pytest
from sqlalchemy import create_engine, text

from tests.integration.store.rotating import KeyedHome


@pytest.fixture(params=["sqlite", "postgresql"])
def keyed(request, tmp_path):
    """A home with a few events."""
    url = f"sqlite:///{tmp_path / 'busytime.db'}"
    if request.param == "postgresql":
        server = request.getfixturevalue("postgresql")
        url = server.url(server.create())
    home = KeyedHome(tmp_path / "home", url)
    with home.opened() as workspace:
        for number in range(3):
            workspace.store.append_event("person:test:done", 1, {"number": number})
    return home


@pytest.fixture
def audit(keyed, monkeypatch, capsys):
    """Run `audit verify` inside this process; return status, output and messages."""
    from deployments.cli.main import main

    monkeypatch.setenv("BUSYTIME_HOME", str(keyed.path))
    monkeypatch.setenv("BUSYTIME_DATABASE_URL", keyed.url)
    monkeypatch.chdir(keyed.path)

    def run(*args):
        capsys.readouterr()
        status = main(["audit", "verify", *args])
        return status, *capsys.readouterr()

    return run


def change(home, statement):
    engine = create_engine(home.url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def test_a_whole_chain_is_told_with_its_head(audit):
    status, out, err = audit()
    assert (status, err) == (0, "")
    assert out.startswith("whole: 4 events, head ")
    told = json.loads(audit("--json")[1])
    assert told | {"head": "..."} == {
        "whole": True,
        "events": 4,
        "head": "...",
        "since_head": None,
        "trimmed": False,
        "broken_id": None,
        "fault": None,
    }
    assert told["head"] in out
    assert audit("--head", told["head"].upper())[:2] == (
        0,
        f"whole: 4 events, head {told['head']}. 0 events since the given head.\n",
    )


def test_the_first_broken_row_is_named(keyed, audit):
    change(keyed, "UPDATE events SET tag = 'person:other:done' WHERE details LIKE '%1%'")
    status, out, _ = audit()
    assert status == 1
    assert out.startswith("broken at event 3: it was changed, or busytime never wrote it.\nBefore it is whole: 2 events, head ")
    status, out, _ = audit("--json")
    assert status == 1
    assert json.loads(out).items() >= {"whole": False, "events": 2, "broken_id": 3, "fault": "changed"}.items()


def test_a_cut_tail_is_told_where_the_head_is_known(keyed, audit):
    head = json.loads(audit("--json")[1])["head"]
    change(keyed, "DELETE FROM events WHERE id = 4")
    assert audit()[0] == 0
    status, out, _ = audit("--head", head)
    assert status == 1
    assert out.startswith("broken at the end: the row with the given head is not there")
    assert json.loads(audit("--head", head, "--json")[1])["fault"] == "tail_missing"


def test_the_chain_is_whole_before_and_after_a_rotation(keyed, audit):
    head = json.loads(audit("--json")[1])["head"]
    assert keyed.rotate().returncode == 0
    status, out, _ = audit("--head", head)
    assert status == 0
    assert "1 event since the given head." in out


@pytest.mark.parametrize("head", ["", "abc", "g" * 64, "0" * 63])
def test_what_is_no_head_is_refused(audit, head):
    status, out, err = audit("--head", head)
    assert (status, out) == (2, "")
    assert "64 hexadecimal digits" in err
