"""Prefect's own tables: a server that `busytime maintain` starts removes its old flow runs, and no others."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

OLDER = "SELECT count(*) FROM flow_run WHERE end_time < ?"


def days_ago(number):
    """Return an instant as Prefect writes it on SQLite."""
    return (datetime.now(UTC) - timedelta(days=number)).strftime("%Y-%m-%d %H:%M:%S.%f")


@pytest.mark.parametrize("home", ["sqlite"], indirect=True)
def test_a_prefect_server_of_its_own_forgets_old_runs_too(home, prefect_home):
    for _ in range(2):
        home.call("maintain").ended(0)
    own = home.path / "prefect"
    own.mkdir()
    with closing(sqlite3.connect(prefect_home / "prefect.db")) as source, closing(sqlite3.connect(own / "prefect.db")) as target:
        source.backup(target)
        target.execute("UPDATE flow_run SET end_time = ? WHERE state_type = 'COMPLETED'", [days_ago(15)])
        target.execute("UPDATE flow_run SET end_time = ? WHERE id = (SELECT max(id) FROM flow_run)", [days_ago(13)])
        target.commit()
        [(before,)] = target.execute(OLDER, [days_ago(14)])
    home.prefect_api = None
    home.run("maintain").ended(0)
    with closing(sqlite3.connect(own / "prefect.db")) as database:
        [(after,)] = database.execute(OLDER, [days_ago(14)])
        [(kept,)] = database.execute(OLDER, [days_ago(12)])
    assert before > 0
    assert (after, kept) == (0, 1), "what ended 15 days ago is gone, what ended 13 days ago is there"
