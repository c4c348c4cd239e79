"""An export in a process of its own, which prints by how much its memory grew: ``python -m ... URL FORMAT OUT``."""

import sys
from pathlib import Path

from busytime.export.exporting import ExportOrder, Format, export
from busytime.store.reading_views import open_reader, snapshot
from tests.unit.moments import MONDAY


def peak_kilobytes():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def main(url, format_, out):
    order = ExportOrder(("audit_busy_time",), Format(format_))
    with snapshot(open_reader(url)) as views:
        before = peak_kilobytes()
        export(views, order, Path(out), MONDAY)
        print(peak_kilobytes() - before)


if __name__ == "__main__":
    main(*sys.argv[1:])
