"""A backup that is restored on an empty machine, as docs/operations.md says it; tests/proofs does it as processes."""

from __future__ import annotations

from tests.flows.restoring import Drill, run_drill


def test_a_backup_restored_on_an_empty_machine_enters_nothing_twice(home, person):
    home.connect().ended(0)
    run_drill(Drill(home, person(), person(), as_processes=False), [])
