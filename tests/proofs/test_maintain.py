"""Prefect's own tables: a server that `busytime maintain` starts removes its old flow runs, and no others."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest


@pytest.mark.parametrize("home", ["sqlite"], indirect=True)
def test_a_prefect_server_of_its_own_forgets_old_runs_too(home, prefect_home):
    home.call("maintain").ended(0)
    own = home.path / "prefect"
    own.mkdir()
    with closing(sqlite3.connect(prefect_home / "prefect.db")) as source, closing(sqlite3.connect(own / "prefect.db")) as target:
        source.backup(target)
        target.execute("UPDATE flow_run SET end_time = '2026-01-01 00:00:00.000000' WHERE state_type = 'COMPLETED'")
        target.commit()
        [(before,)] = target.execute("SELECT count(*) FROM flow_run WHERE end_time < '2026-02-01'")
    home.prefect_api = None
    home.run("maintain").ended(0)
    with closing(sqlite3.connect(own / "prefect.db")) as database:
        [(after,)] = database.execute("SELECT count(*) FROM flow_run WHERE end_time < '2026-02-01'")
        [(kept,)] = database.execute("SELECT count(*) FROM flow_run WHERE name IS NOT NULL AND end_time > '2026-02-01'")
    assert before > 0
    assert (after, kept > 0) == (0, True)
