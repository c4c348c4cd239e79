"""A backup restored on an empty machine, every command a process of its own; on PostgreSQL after a move from SQLite."""

from __future__ import annotations

import pytest

from tests.flows.harness import Home
from tests.flows.restoring import Drill, run_drill


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_restored_on_an_empty_machine(tmp_path, exchange, prefect_api, person, postgresql, backend, tell):
    home = Home(tmp_path / "home", exchange, prefect_api)
    home.connect(process=True).ended(0)
    drill = Drill(home, person(), person(), as_processes=True)
    run_drill(drill, [postgresql.url(postgresql.create(it)) for it in ("template0", "template1")] * (backend == "postgresql"))
    tell("every command a process")
