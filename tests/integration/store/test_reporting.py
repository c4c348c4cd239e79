"""Data frames: what an export gives, with its types; and the examples of the documentation."""

import re
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from psycopg.sql import SQL, Identifier
from sqlalchemy import make_url

from busytime.errors import ConfigurationError
from busytime.export.exporting import ExportOrder, Format, export
from busytime.reporting import frame, frames
from busytime.store.cuts import MEANINGS
from busytime.store.reading_views import Kind, open_reader, snapshot, view_columns
from busytime.store.views import VIEWS
from tests.integration.store.export_world import EARLY, LATE, fill, fill_many
from tests.unit.moments import MONDAY

GUIDE = (Path(__file__).resolve().parents[3] / "docs" / "reading.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
DTYPES = {Kind.INSTANT: "datetime64[us, UTC]", Kind.INTEGER: "Int64", Kind.CHOICE: "category", Kind.TEXT: "str", Kind.JSON: "str"}


@pytest.fixture(autouse=True)
def named(engine, url, monkeypatch):
    fill(engine)
    monkeypatch.setenv("BUSYTIME_DATABASE_URL", url)


def exported(url, out, format_, *views):
    reader = open_reader(url)
    try:
        with snapshot(reader) as views_now:
            return export(views_now, ExportOrder(views, format_), out, MONDAY)
    finally:
        reader.dispose()


@pytest.mark.parametrize("view", VIEWS)
def test_a_frame_is_what_pandas_reads_from_the_export(view, url, tmp_path):
    exported(url, tmp_path / "out", Format.PARQUET, view)
    found = frame(view)
    pd.testing.assert_frame_equal(found, pd.read_parquet(tmp_path / "out" / f"{view}.parquet"))
    assert {name: str(dtype) for name, dtype in found.dtypes.items()} == {c.name: DTYPES[c.kind] for c in view_columns(view)}


@pytest.mark.parametrize("view", VIEWS)
def test_an_empty_frame_has_the_same_types(view):
    empty = frame(view, start=EARLY, end=EARLY + timedelta(microseconds=1), since_run=3)
    assert len(empty) < len(frame(view))
    assert empty.dtypes.equals(frame(view).dtypes)


def test_a_frame_takes_a_part_as_the_export_does():
    assert frame("busy_time", start=EARLY, end=LATE)["id"].tolist() == [1, 2]
    assert frame("changes", since_run=1)["id"].tolist() == [2]


def test_frames_come_in_parts_of_one_instant(engine):
    fill_many(engine, 250)
    parts = frames("busy_time", rows_at_once=100)
    first = next(parts)
    fill_many(engine, 50, first=1_000)
    together = pd.concat([first, *parts])
    assert len(first) == 100
    assert len(together) == 253
    assert together.dtypes.equals(frame("busy_time").dtypes)


def test_a_time_without_an_offset_is_refused():
    with pytest.raises(ConfigurationError, match="no UTC offset"):
        frame("runs", start=datetime(2026, 1, 1))


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_examples_of_the_guide_run(number, capsys):
    exec(compile(EXAMPLES[number], "docs/reading.md", "exec"), {})  # noqa: S102 -- our own text
    assert capsys.readouterr().out.strip()


def test_the_guide_says_what_spans_and_runs_mean():
    rows = [
        f"| {view} | {', else '.join(m.begins)} | {m.ends or ''} | {', '.join(m.runs)} | {', '.join(m.times)} "
        f"| {'always' if m.always else m.may_change_while_null or ''} |"
        for view, m in MEANINGS.items()
    ]
    assert MEANINGS.keys() == VIEWS.keys()
    assert [line for line in GUIDE.splitlines() if line.startswith("| audit_")] == rows


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_a_role_that_may_see_the_views_alone_can_read_and_export(engine, url, tmp_path):
    role = f"reader_{make_url(url).database}"
    with engine.connect() as connection, connection.begin():
        run = connection.connection.cursor().execute
        run(SQL("CREATE ROLE {} LOGIN").format(Identifier(role)))
        for view in VIEWS:
            run(SQL("GRANT SELECT ON {} TO {}").format(Identifier(view), Identifier(role)))
    try:
        theirs = make_url(url).set(username=role).render_as_string(hide_password=False)
        assert frame("coverage", database_url=theirs)["id"].tolist() == [1, 2, 3]
        done = exported(theirs, tmp_path / "out", Format.CSV, *VIEWS)
        assert done.manifest["schema_version"] is None
        assert done.manifest["next_since_run"] == 2
    finally:
        with engine.connect() as connection, connection.begin():
            run = connection.connection.cursor().execute
            run(SQL("DROP OWNED BY {}").format(Identifier(role)))
            run(SQL("DROP ROLE {}").format(Identifier(role)))
