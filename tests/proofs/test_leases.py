"""Limits of concurrency on Prefect's server: one that was killed during a run does not keep the next one out for ever."""

from __future__ import annotations

import os
import signal

from tests.flows.harness import eventually
from tests.proofs.machines import PrefectServer, deploy, prefect_server

#: The shortest that Prefect takes; five minutes by default.
LEASE_SECONDS = 30
SETTINGS = {"PREFECT_SERVER_CONCURRENCY_INITIAL_DEPLOYMENT_LEASE_DURATION": str(LEASE_SECONDS)}


def is_let_in(server: PrefectServer) -> bool:
    """Let a worker ask whether a run may begin, of a deployment whose runs go one at a time."""
    deployment = server.call("GET", "/deployments/name/validate_delegation/validate")
    run = server.call("POST", f"/deployments/{deployment['id']}/create_flow_run", {"state": {"type": "SCHEDULED"}})
    answer = server.call("POST", f"/flow_runs/{run['id']}/set_state", {"state": {"type": "PENDING"}})
    return bool(answer["status"] == "ACCEPT")


def test_a_killed_server_locks_nobody_out_for_ever(tmp_path, tell):
    with prefect_server(tmp_path, None, **SETTINGS) as server:
        deploy(server.url)
        assert is_let_in(server)
        assert not is_let_in(server), "one at a time"
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()
    with prefect_server(tmp_path, None, **SETTINGS) as server:
        eventually(lambda: is_let_in(server), "the place of the run that died with the server is free again", 4 * LEASE_SECONDS)
    tell("its place is free again")
