"""A backup that is restored on an empty machine, as docs/operations.md says it; as processes in tests/proofs."""

from __future__ import annotations

import pytest

from tests.flows.restoring import Drill, run_drill


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_a_backup_restored_on_an_empty_machine_enters_nothing_twice(home, person, postgresql, backend):
    """On PostgreSQL after a move from SQLite."""
    home.connect().ended(0)
    drill = Drill(home, person(), person(), as_processes=False)
    run_drill(drill, [postgresql.url(postgresql.create(it)) for it in ("template0", "template1")] * (backend == "postgresql"))
