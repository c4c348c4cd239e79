"""Texts of any kind in CSV and JSON lines: they come back, and no spreadsheet runs them."""

import csv
import json
from io import BytesIO, StringIO

from hypothesis import given
from hypothesis import strategies as st

from busytime.export.arrow import batch, schema
from busytime.export.text_formats import CSVWriter, JSONLinesWriter
from busytime.store.reading_views import Kind, ViewColumn

COLUMNS = (ViewColumn("name", Kind.TEXT), ViewColumn("number", Kind.INTEGER), ViewColumn("told", Kind.JSON))
HOSTILE = st.sampled_from(
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "'=1", "''", '"', '","', "＝1", "\x00", "\u2028", ""]  # noqa: RUF001 -- as below
)
TEXTS = st.text() | HOSTILE | st.tuples(HOSTILE, st.text()).map("".join)
ROWS = st.lists(
    st.tuples(st.none() | TEXTS, st.none() | st.integers(-(2**63), 2**63 - 1), st.none() | st.dictionaries(TEXTS, TEXTS))
)
#: What spreadsheets take for the beginning of a formula.
FORMULAS = tuple("=+-@＝＋－＠\t\r\n")  # noqa: RUF001 -- full-width signs on purpose


def written(writer, rows):
    file = BytesIO()
    one = writer(file, COLUMNS)
    for start in range(0, len(rows), 2):
        one.write(rows[start : start + 2])
    one.close()
    return file.getvalue().decode("utf-8")


def tokens(text):
    """The cells of a CSV text as they stand there, quotes included: a reader of our own, which RFC 4180 suffices for."""
    rows, cells, cell, quoted = [], [], "", False
    for sign in text:
        if sign == '"':
            quoted = not quoted
        if quoted or sign not in ",\n":
            cell += sign
            continue
        cells.append(cell.removesuffix("\r") if sign == "\n" else cell)
        cell = ""
        if sign == "\n":
            rows.append(cells)
            cells = []
    return rows


def value(token):
    return None if not token else token[1:-1].replace('""', '"').removeprefix("'")


@given(ROWS)
def test_texts_come_back_from_csv_and_nothing_is_told_from_empty(rows):
    _, *found = tokens(written(CSVWriter, rows))
    assert [(value(name), int(number) if number else None) for name, number, _ in found] == [row[:2] for row in rows]
    assert [json.loads(value(told)) if told else None for *_, told in found] == [row[2] for row in rows]


@given(ROWS)
def test_a_common_reader_of_csv_finds_the_same_cells(rows):
    found = list(csv.reader(StringIO(written(CSVWriter, rows), newline=""), strict=True))[1:]
    assert [name.removeprefix("'") for name, *_ in found] == [row[0] or "" for row in rows]


@given(ROWS)
def test_no_text_begins_as_a_formula_does(rows):
    for name, _, told in list(csv.reader(StringIO(written(CSVWriter, rows), newline="")))[1:]:
        assert not name.startswith(FORMULAS)
        assert not told.startswith(FORMULAS)


@given(ROWS)
def test_texts_come_back_from_json_lines_one_a_line(rows):
    lines = written(JSONLinesWriter, rows).split("\n")
    assert lines.pop() == ""
    assert [tuple(json.loads(line).values()) for line in lines] == rows


@given(ROWS)
def test_texts_come_back_from_arrow(rows):
    found = batch(rows, COLUMNS, schema(COLUMNS)).to_pylist()
    assert [(row["name"], row["number"], row["told"] and json.loads(row["told"])) for row in found] == rows
