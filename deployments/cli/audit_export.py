"""`busytime audit export`: the views as files, for the data team. It needs no key."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from busytime.counting import several
from busytime.export.exporting import Export, ExportOrder, Format, export
from busytime.store.cuts import Span
from busytime.store.reading_views import open_reader, snapshot, view_name
from busytime.store.views import VIEWS
from config.settings import load_settings
from deployments.cli.output import JsonOption, messages, output, plain_table, print_json, shown
from deployments.cli.times import parse_instant


def export_views(
    out: Annotated[Path, typer.Option("--out", help="Directory that gets the files; made if need be.")],
    file_format: Annotated[Format, typer.Option("--format", help="What files are written.")],
    view: Annotated[list[str] | None, typer.Option("--view", help="A view, like coverage; repeatable. Default: all.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="Only what held or was written from this time on.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Only what held or was written before this time.")] = None,
    since_run: Annotated[
        int | None, typer.Option("--since-run", min=0, help="Only what was written after this run; see next_since_run.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the audit views into files: one a view, named after it, and manifest.json with counts and checksums.

    Example: busytime audit export --format parquet --out export --from 2026-10-01 --to 2027-01-01
    """
    views = tuple(dict.fromkeys(map(view_name, view))) if view else tuple(VIEWS)
    span = Span(parse_instant(start, "--from") if start else None, parse_instant(end, "--to") if end else None)
    order = ExportOrder(views, file_format, span, since_run)
    done = _export(order, out, quiet=as_json)
    if as_json:
        print_json(done.manifest | {"out": str(out), "left": done.left})
    else:
        _show(done, out)


def _export(order: ExportOrder, out: Path, *, quiet: bool) -> Export:
    engine = open_reader(load_settings().database_address)
    try:
        with snapshot(engine) as views, _progress(quiet=quiet) as tell:
            return export(views, order, out, datetime.now(UTC), tell)
    finally:
        engine.dispose()


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[str, int], None]]:
    """Show which view is written and how far; how much there will be is not known without reading it twice."""
    screen = messages()
    if quiet or not screen.is_terminal:
        yield lambda *_: None
        return
    with screen.status("Exporting ...") as status:
        yield lambda view, rows: status.update(f"Exporting {view}: {rows:,} rows ...")


def _show(done: Export, out: Path) -> None:
    screen = output()
    table = plain_table("File", "Rows", "Bytes")
    for file in done.files:
        table.add_row(shown(file.name), f"{file.rows:,}", f"{file.bytes:,}")
    screen.print(table)
    screen.print(f"[green]Exported[/] {several(len(done.files), 'view')} to {shown(str(out))}; see manifest.json.")
    if done.left:
        screen.print(f"[yellow]Left from an earlier export[/], not in the manifest: {shown(', '.join(done.left))}.")
    since_run = done.manifest["next_since_run"]
    screen.print(f"Next time only what is new: [bold]busytime audit export --since-run {since_run} ...[/]", soft_wrap=True)
