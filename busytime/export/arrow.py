"""Rows as Arrow batches, and as Parquet: with types that pandas takes over as they are.

Instants are aware UTC in microseconds, closed lists are dictionaries of all their values, integers can be NULL, JSON
is text. The schema carries pandas' own notes, so that a file read by pandas has `Int64` and no floats.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from io import RawIOBase
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from busytime.export.text_formats import json_text
from busytime.store.reading_views import Kind, ViewColumn

_TYPES = {
    Kind.INSTANT: pa.timestamp("us", tz="UTC"),
    Kind.INTEGER: pa.int64(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.TEXT: pa.string(),
    Kind.CHOICE: pa.dictionary(pa.int32(), pa.string()),
    Kind.JSON: pa.string(),
}
#: What pandas calls the kinds that it would not find out by itself: its own NULL for integers and truths.
_PANDAS_NAMES = {Kind.INTEGER: ("int64", "Int64"), Kind.BOOLEAN: ("bool", "boolean")}


def schema(columns: Sequence[ViewColumn]) -> pa.Schema:
    """Return the Arrow schema of a view."""
    notes = [_note(column) for column in columns if column.kind in _PANDAS_NAMES]
    told = {"index_columns": [], "column_indexes": [], "columns": notes, "pandas_version": "3.0"}
    fields = [pa.field(column.name, _TYPES[column.kind]) for column in columns]
    return pa.schema(fields, metadata={"pandas": json.dumps(told)})


def _note(column: ViewColumn) -> dict[str, Any]:
    pandas_type, numpy_type = _PANDAS_NAMES[column.kind]
    names = {"name": column.name, "field_name": column.name, "metadata": None}
    return names | {"pandas_type": pandas_type, "numpy_type": numpy_type}


def batch(rows: Sequence[Sequence[Any]], columns: Sequence[ViewColumn], like: pa.Schema) -> pa.RecordBatch:
    """Return rows as one batch of a view's schema."""
    values = zip(*rows, strict=True) if rows else [()] * len(columns)
    arrays = [_array(column, list(those)) for column, those in zip(columns, values, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=like)


def _array(column: ViewColumn, values: list[Any]) -> pa.Array:
    if column.kind is Kind.CHOICE:
        numbers: dict[str | None, int | None] = {value: number for number, value in enumerate(column.values)}
        numbers[None] = None
        indices = pa.array([numbers[value] for value in values], pa.int32())
        return pa.DictionaryArray.from_arrays(indices, pa.array(column.values, pa.string()))
    if column.kind is Kind.JSON:
        values = [None if value is None else json_text(value) for value in values]
    return pa.array(values, _TYPES[column.kind])


class ParquetWriter:
    """Writes rows as Parquet, one row group for each batch."""

    def __init__(self, file: RawIOBase, columns: Sequence[ViewColumn]) -> None:
        self._columns = columns
        self._schema = schema(columns)
        self._writer = pq.ParquetWriter(file, self._schema, compression="zstd")

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        """Write some rows.

        Raises:
            OSError: The file cannot take them; it is given up.
        """
        try:
            self._writer.write_batch(batch(rows, self._columns, self._schema))
        except OSError:
            with suppress(OSError):  # else it would be tried again, and complain, whenever the object is thrown away
                self._writer.close()
            raise

    def close(self) -> None:
        """Write the end of the file, without which nothing in it can be read."""
        self._writer.close()
