"""Exports read back: every format gives what the views give, with its types, and no secret."""

import csv
import hashlib
import json
from datetime import datetime

import pandas as pd
import pyarrow.parquet as pq
import pytest
from sqlalchemy import text

from busytime.errors import ConfigurationError
from busytime.export.exporting import ExportOrder, Format, export
from busytime.store.cuts import Span
from busytime.store.reading_views import Kind, open_reader, snapshot, view_columns, view_name
from busytime.store.views import VIEWS
from tests.integration.store.export_world import EARLY, HOUR, LATE, LEFT_TO_THE_NEXT, SECRETS, fill
from tests.unit.moments import MONDAY

ALL = tuple(VIEWS)
CASTS = {Kind.INSTANT: datetime.fromisoformat, Kind.INTEGER: int, Kind.JSON: json.loads}


@pytest.fixture
def reader(engine, url):
    fill(engine)
    reader = open_reader(url)
    yield reader
    reader.dispose()


@pytest.fixture
def order(reader, tmp_path):
    """Export, and return the folder and what was exported."""

    def export_them(format_=Format.JSONL, views=ALL, span=Span(), since_run=None, out=tmp_path / "out"):  # noqa: B008 -- frozen
        with snapshot(reader) as views_now:
            return out, export(views_now, ExportOrder(tuple(views), format_, span, since_run), out, MONDAY)

    return export_them


def in_view(engine, view):
    """The rows of a view, read without anything of the export, with times and objects as Python has them."""
    with engine.connect() as connection:
        rows = connection.execute(text(f"SELECT * FROM {view} ORDER BY id")).mappings().all()  # noqa: S608 -- a name of ours
    return [{column.name: as_value(column, row[column.name]) for column in view_columns(view)} for row in rows]


def as_value(column, value):
    return CASTS[column.kind](value) if column.kind in CASTS and isinstance(value, str) else value


def from_jsonl(path, columns):
    lines = path.read_text(encoding="utf-8").split("\n")
    assert lines.pop() == ""
    rows = [json.loads(line) for line in lines]
    return [{c.name: as_value(c, row[c.name]) if c.kind is Kind.INSTANT else row[c.name] for c in columns} for row in rows]


def from_csv(path, columns):
    """Read as the documentation says: nothing is NULL where a column is no text, one apostrophe too many is taken away."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [{column.name: from_cell(column, row[column.name]) for column in columns} for row in rows]


def from_cell(column, cell):
    if column.kind in CASTS:
        return CASTS[column.kind](cell) if cell else None
    return cell.removeprefix("'")


def from_parquet(path, columns):
    rows = pq.read_table(path).to_pylist()
    return [{c.name: as_value(c, row[c.name]) for c in columns} for row in rows]


READERS = {Format.JSONL: from_jsonl, Format.CSV: from_csv, Format.PARQUET: from_parquet}


@pytest.mark.parametrize("format_", Format)
def test_each_format_gives_back_what_the_views_show(order, engine, format_):
    out, done = order(format_)
    for file in done.files:
        shown, columns = in_view(engine, file.view), view_columns(file.view)
        if format_ is Format.CSV:  # Python's reader does not tell empty texts from NULL; another test does
            shown = [
                {c.name: "" if row[c.name] is None and c.kind not in CASTS else row[c.name] for c in columns} for row in shown
            ]
        assert shown, file.view
        assert READERS[format_](out / file.name, columns) == shown


def test_the_manifest_proves_every_file(order):
    out, done = order(Format.PARQUET, span=Span(EARLY, LATE))
    manifest = json.loads((out / "manifest.json").read_bytes())
    assert manifest == json.loads(json.dumps(done.manifest))
    assert [file["name"] for file in manifest["files"]] == [f"{view}.parquet" for view in ALL]
    assert manifest["arguments"]["from"] == "2026-11-23T08:00:00.000000+00:00"
    assert manifest["next_since_run"] == 2  # the third is at work
    for file in manifest["files"]:
        content = (out / file["name"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file["bytes"], file["sha256"])
        assert pq.read_metadata(out / file["name"]).num_rows == file["rows"]


@pytest.mark.parametrize("format_", Format)
def test_no_file_shows_what_guests_wrote_or_what_is_sealed(order, format_):
    out, _ = order(format_)
    everything = b"".join(path.read_bytes() for path in out.iterdir())
    if format_ is Format.PARQUET:  # packed: so its values are read instead
        everything = repr([pq.read_table(path).to_pylist() for path in out.glob("*.parquet")]).encode()
    assert b"ana@corp.example" in everything
    assert [secret for secret in (*SECRETS, "SECRET-NAME") if secret.encode() in everything] == []


def test_pandas_reads_types_from_parquet_as_they_are(order):
    out, _ = order(Format.PARQUET)
    found = pd.read_parquet(out / "audit_coverage.parquet")
    assert str(found["as_of"].dtype) == "datetime64[us, UTC]"
    assert str(found["closed_run_id"].dtype) == "Int64"
    assert found["state"].dtype == "category"
    assert list(found["state"].cat.categories) == ["covered", "unknown"]
    assert found["closed_run_id"].isna().tolist() == [False, True, True]


def test_csv_tells_nothing_from_an_empty_text(order):
    out, _ = order(Format.CSV, ["audit_bookings"])
    lines = (out / "audit_bookings.csv").read_bytes().split(b"\r\n")
    assert lines[1].startswith(b'1,"\'=cmd|\' /C calc\'!A0","intro",')
    assert lines[2].startswith(b'2,"","intro",')
    assert lines[3].startswith(b'3,"raw","intro",,')


def ids(out, view):
    return [json.loads(line)["id"] for line in (out / f"{view}.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("run_id", [1, 2])
def test_an_export_since_a_run_has_what_was_written_after_it(order, run_id):
    out, _ = order(since_run=run_id)
    assert {view: ids(out, view) for view in ALL} == {view: LEFT_TO_THE_NEXT[view][run_id] for view in ALL}


def test_from_and_to_take_what_held_then(order):
    out, _ = order(span=Span(EARLY, LATE))
    assert ids(out, "audit_busy_time") == [1, 2]
    assert ids(out, "audit_runs") == [1]
    assert ids(out, "audit_credentials") == [1]
    assert ids(out, "audit_bookings") == [1, 2, 3]
    out, _ = order(span=Span(LATE, LATE + HOUR))
    assert ids(out, "audit_busy_time") == [2, 3]  # half-open: what ended at the start is out
    assert ids(out, "audit_events") == [3]
    assert ids(out, "audit_runs") == [2]


def test_the_parts_of_a_span_have_every_point_once(order):
    out, _ = order(span=Span(end=LATE))
    before = ids(out, "audit_events")
    out, _ = order(span=Span(start=LATE))
    assert before + ids(out, "audit_events") == [1, 2, 3]


def test_first_and_later_exports_together_have_all_that_is_there(order, engine):
    _, first = order()
    with engine.connect().execution_options(writer=True) as connection, connection.begin():
        connection.execute(text("UPDATE coverage SET failures = 7 WHERE id = 2"))
        connection.execute(text("UPDATE runs SET status = 'completed', finished_at = started_at WHERE id = 3"))
    out, _ = order(since_run=first.manifest["next_since_run"])
    assert 2 in ids(out, "audit_coverage")
    assert ids(out, "audit_runs") == [2, 3]


def test_an_unknown_run_is_refused_and_nothing_is_made(order, tmp_path):
    with pytest.raises(ConfigurationError, match="There is no run 99"):
        order(since_run=99)
    assert not (tmp_path / "out").exists()


def test_the_reader_cannot_write(reader):
    with snapshot(reader) as views, pytest.raises(Exception, match=r"(?i)read-?only|attempt to write"):
        views.connection.execute(text("DELETE FROM runs"))


def test_one_export_shows_one_instant(reader, engine):
    with snapshot(reader) as views:
        before = [len(batch) for batch in views.batches("audit_events", Span(), None)]
        with engine.connect().execution_options(writer=True) as connection, connection.begin():
            connection.execute(text("DELETE FROM steps"))
        assert [len(batch) for batch in views.batches("audit_steps", Span(), None)] == [2]
    assert before == [3]


def test_a_database_that_is_not_there_is_not_made(tmp_path):
    with pytest.raises(ConfigurationError, match="There is no database at"):
        open_reader(f"sqlite:///{tmp_path / 'none.db'}")
    assert list(tmp_path.iterdir()) == []


def test_views_are_known_by_both_names():
    assert view_name("coverage") == view_name("audit_coverage") == "audit_coverage"
    with pytest.raises(ConfigurationError, match="There is no view 'owners'; there are"):
        view_name("owners")
