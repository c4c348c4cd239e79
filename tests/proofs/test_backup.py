"""A backup restored on an empty machine, every command a process of its own."""

from __future__ import annotations

from tests.flows.restoring import Drill, run_drill


def test_restored_on_an_empty_machine(home, person, request, tell):
    empty = None
    if "BUSYTIME_DATABASE_URL" in home.more:
        server = request.getfixturevalue("postgresql")
        empty = server.url(server.create("template0"))
    run_drill(Drill(home, person(), person(), as_processes=True), empty)
    tell("every command a process")
