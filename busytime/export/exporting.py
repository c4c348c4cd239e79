"""Exporting: views of one instant into files of one format, and a manifest that proves them."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from busytime import __version__
from busytime.export.folder import ExportedFile, ExportFolder, HashedFile, export_folder
from busytime.export.text_formats import CSVWriter, JSONLinesWriter, instant_text
from busytime.store.cuts import Since, Span
from busytime.store.reading_views import Snapshot, ViewColumn, view_columns


class Format(StrEnum):
    """What files are written; also how their names end."""

    PARQUET = "parquet"
    CSV = "csv"
    JSONL = "jsonl"


class Writer(Protocol):
    """Writes the rows of one view into one file."""

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        """Write some rows."""

    def close(self) -> None:
        """Write the file's end, if its format has one."""


def _parquet_writer(file: HashedFile, columns: Sequence[ViewColumn]) -> Writer:
    from busytime.export.arrow import ParquetWriter  # noqa: PLC0415 -- its library is slow to import, and no other format needs it

    return ParquetWriter(file, columns)


_WRITERS: dict[Format, Callable[[HashedFile, Sequence[ViewColumn]], Writer]] = {
    Format.PARQUET: _parquet_writer,
    Format.CSV: CSVWriter,
    Format.JSONL: JSONLinesWriter,
}


@dataclass(frozen=True, slots=True)
class ExportOrder:
    """What is to be exported.

    Args:
        views: Full names of the views.
        format: What files are written.
        span: Which part of time.
        since_run: After which run; ``None`` and 0 = from the beginning.
    """

    views: tuple[str, ...]
    format: Format
    span: Span = Span()  # noqa: RUF009 -- it is frozen
    since_run: int | None = None


@dataclass(frozen=True, slots=True)
class Export:
    """What was exported: the manifest, and files of an earlier export that it does not name."""

    manifest: dict[str, Any]
    files: tuple[ExportedFile, ...]
    left: tuple[str, ...]


def export(
    snapshot: Snapshot, order: ExportOrder, path: Path, created_at: datetime, tell: Callable[[str, int], None] = lambda *_: None
) -> Export:
    """Write views into a folder, one file each, and the manifest last.

    Args:
        snapshot: The views at one instant.
        order: What is wanted.
        path: The folder; made if need be.
        created_at: When (UTC) the export began.
        tell: Called with the view and its rows so far, after each batch.

    Raises:
        ConfigurationError: The folder cannot be written to, another export is at work there, or there is no such run.
        NoRoomError: The disk is full. Nothing half-written has a final name, and no manifest names it.
    """
    since = snapshot.since(order.since_run)
    with export_folder(path) as folder:
        files = tuple(_write(snapshot, view, order, since, folder, tell) for view in order.views)
        left = folder.earlier_files() - {file.name for file in files}
        manifest = _manifest(snapshot, order, created_at, files)
        folder.publish(manifest)
    return Export(manifest, files, tuple(sorted(left)))


def _write(
    snapshot: Snapshot,
    view: str,
    order: ExportOrder,
    since: Since | None,
    folder: ExportFolder,
    tell: Callable[[str, int], None],
) -> ExportedFile:
    name, rows = f"{view}.{order.format}", 0
    with folder.writing(name) as file, closing(snapshot.batches(view, order.span, since)) as batches:
        writer = _WRITERS[order.format](file, view_columns(view))
        for batch in batches:
            writer.write(batch)
            rows += len(batch)
            tell(view, rows)
        writer.close()
    return ExportedFile(name, view, rows, file.length, file.sha256)


def _manifest(snapshot: Snapshot, order: ExportOrder, created_at: datetime, files: tuple[ExportedFile, ...]) -> dict[str, Any]:
    span = {name: None if at is None else instant_text(at) for name, at in (("from", order.span.start), ("to", order.span.end))}
    return {
        "version": __version__,
        "schema_version": snapshot.schema_version,
        "created_at": instant_text(created_at),
        "arguments": {"format": order.format, "views": order.views, **span, "since_run": order.since_run},
        "next_since_run": snapshot.next_since_run(),
        "files": [asdict(file) for file in files],
    }
