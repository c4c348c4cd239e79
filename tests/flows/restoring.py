"""A machine that is lost, and another one to which its backup is restored by the very commands of `docs/operations.md`."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, inspect, text

from tests.flows.harness import Home, Result, appointments, eventually, finished
from tests.integration.cli.booking_desk import at, booking

_PAGE = Path(__file__).resolve().parents[2] / "docs" / "operations.md"
#: What a harvest and a push that find nothing new write all the same: what they did, and how fresh everything is.
NEWS = {"runs", "steps", "logons", "locks", "permits", "looks"}
FRESHNESS = {
    "installation": {"last_instant"},
    "coverage": {"as_of", "starts_at", "ends_at"},
    "entries": {"verified_at"},
    "connections": {"back_off_until"},
}
_LATENCY_MS = 400


def commands(heading: str, containing: str) -> str:
    """Return the block of commands under a heading of the page for operators."""
    section = _PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    (found,) = [block for block in re.findall(r"```sh\n(.*?)```", section, re.DOTALL) if containing in block]
    return found


@dataclass
class Drill:
    """A home with one page, the place of its backups, and how commands run.

    Args:
        home: Where it works; connected.
        main: The page's main calendar.
        additional: Its other calendar.
        as_processes: Start each command as a process, instead of calling it in this one.
    """

    home: Home
    main: str
    additional: str
    as_processes: bool

    def __post_init__(self) -> None:
        lines = ["  - name: talk", "    time_zone: Europe/Berlin", f"    main: {self.main}"]
        lines += [f"    additional: [{self.additional}]"]
        self.home.take_roster(pages=lines).ended(0)
        for name in ("backup", "keys"):
            (self.home.directory / name).mkdir()

    @property
    def on_sqlite(self) -> bool:
        return "BUSYTIME_DATABASE_URL" not in self.home.more

    def do(self, *args: str) -> Result:
        """Run a command."""
        return (self.home.run if self.as_processes else self.home.call)(*args)

    def take(self, *bookings: dict[str, Any]) -> None:
        """Import bookings."""
        file = self.home.directory / "bookings.jsonl"
        file.write_text("".join(json.dumps(line) + "\n" for line in bookings), encoding="utf-8")
        self.do("bookings", "import", str(file), "--json").ended(0)

    def shell(self, script: str) -> None:
        """Run commands as an operator does."""
        directory = self.home.directory
        known = {"BACKUP": str(directory / "backup"), "KEYS": str(directory / "keys"), "PYTHON": sys.executable}
        if not self.on_sqlite:
            ((programs,),) = self.home.query("SELECT setting FROM pg_config WHERE name = 'BINDIR'")
            known["PATH"] = f"{programs}:{os.environ['PATH']}"
        environment = self.home.environment | known
        done = subprocess.run(["sh", "-eu", "-c", script], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def move(self, address: str) -> None:
        """Go from SQLite to PostgreSQL."""
        file = str(self.home.path / "busytime.db")
        self.home.more["BUSYTIME_DATABASE_URL"] = address
        assert self.do("db", "move", file, "--json").ended(0).json["rows"] > 0
        with_file = replace(self.home, more={})
        refused = with_file.call("push", "--json").ended(4)
        assert refused.json["reason"] == "database_restored", "nothing is pushed from the file any more"

    def back_up_at_work(self) -> None:
        """Back up while a harvest and its batches are under way."""
        self.home.exchange.control("POST", "/limits", {"latency_ms": _LATENCY_MS})
        harvest = self.home.start("harvest", "--json")
        eventually(lambda: self.home.run_statuses()[-1] == "running", "a harvest is under way")
        self.shell(commands("Backup", "VACUUM" if self.on_sqlite else "pg_dump"))
        assert harvest.poll() is None, "the backup was made too late"
        finished(harvest)
        self.home.exchange.control("POST", "/limits", {"latency_ms": 0})
        shutil.copy(self.home.path / "key", self.home.directory / "keys" / "key")

    def restore(self, empty_address: str | None) -> None:
        """Go to an empty machine, with an empty database of its own where the database is a server's."""
        if empty_address is not None:
            self.home.more["BUSYTIME_DATABASE_URL"] = empty_address
        self.home.path = self.home.directory / "second"
        self.shell(commands("Restore", "busytime.db-wal" if empty_address is None else "pg_restore"))

    def calendars(self) -> list[dict[str, Any]]:
        """Return every item of both calendars, as the server itself tells them."""
        return [item for owner in (self.main, self.additional) for item in appointments(self.home.exchange, owner)]

    def known(self) -> dict[str, set[tuple[Any, ...]]]:
        """Return what the tables know of the world, without who wrote it when."""
        return {
            name: {tuple(row) for row in self.home.query(f"SELECT {columns} FROM {name} WHERE {condition}")}  # noqa: S608 -- ours
            for name, columns, condition in (
                ("audit_busy_time", "owner, folder, starts_at, ends_at, status, count", "valid_to IS NULL"),
                ("audit_coverage", "owner, folder, state", "valid_to IS NULL"),
                ("audit_permissions", "owner, folder, need, verdict", "valid_to IS NULL"),
                ("entries", "booking_key, calendar_id, state, reason, item_id, change_key, revision", "1 = 1"),
            )
        }

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """Return every row of every table, but for what is new after each run."""
        engine = create_engine(self.home.database_address)
        try:
            with closing(engine.connect()) as connection:
                return {
                    name: [
                        {column: value for column, value in row.items() if column not in FRESHNESS.get(name, set())}
                        for row in connection.execute(text(f'SELECT * FROM "{name}" ORDER BY 1')).mappings()  # noqa: S608
                    ]
                    for name in set(inspect(connection).get_table_names()) - NEWS
                }
        finally:
            engine.dispose()


def run_drill(drill: Drill, addresses: Sequence[str] = ()) -> None:
    """Back up, push one booking more, restore on an empty machine, adopt, harvest and push: nothing is twice, nothing differs.

    Args:
        drill: On SQLite.
        addresses: Where it first moves on PostgreSQL, and an empty database there to which the backup is restored.
    """
    drill.take(booking("B1", at(9)))
    drill.do("push", "--json").ended(0)
    if addresses:
        drill.move(addresses[0])
        assert drill.do("push", "--json").ended(0).json["changes"] == []
        drill.do("audit", "verify", "--json").ended(0)
    drill.back_up_at_work()
    drill.take(booking("B1", at(11), revision=2), booking("B2", at(13)))
    drill.do("push", "--json").ended(0)
    drill.do("harvest", "--json").ended(0)
    held, known = drill.calendars(), drill.known()
    assert {item["booking_key"] for item in held} == {"B1", "B2"}
    assert len(held) == 4

    drill.restore(addresses[1] if addresses else None)
    assert drill.do("status").ended(3).out.startswith("RESTORED")
    drill.take(booking("B3", at(15)))
    for refused in (drill.do("push", "--json").ended(4), drill.do("push", "--dry-run", "--json").ended(4)):
        assert (refused.json["status"], refused.json["reason"]) == ("refused", "database_restored")
    assert drill.do("harvest", "--json").ended(0).json["calendars"] == {"known": 2, "unknown": 0}
    assert drill.calendars() == held, "read-only until adopted"

    adopted = drill.do("resync", drill.home.exchange.email, "--adopt", "--json").ended(0).json
    assert (adopted["adopted"], adopted["silent"]) == (4, [])
    drill.take(booking("B3", at(15), revision=2, state="cancelled"))  # it was for the sake of the refusal
    drill.do("push", "--json").ended(0)
    assert drill.known() == known
    before = drill.tables()
    drill.do("harvest", "--json").ended(0)
    assert drill.do("push", "--json").ended(0).json["changes"] == []
    assert drill.tables() == before
    assert drill.calendars() == held

    drill.take(booking("B1", at(11), revision=2), booking("B2", at(13)))  # the booking site sends again what came since
    drill.do("push", "--json").ended(0)
    assert drill.calendars() == held
    drill.do("audit", "verify", "--json").ended(0)
    drill.take(booking("B4", at(16)))
    drill.do("push", "--json").ended(0)
    assert len(drill.calendars()) == len(held) + 2
