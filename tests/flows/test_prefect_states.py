"""What Prefect shows of a harvest: states that tell what came out, and nothing that may not be told."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
import yaml

from busytime.errors import ConfigurationError, NoConnectionError
from busytime.model import RunStatus
from flows.options import DiscoverOptions
from tests.flows.harness import book, eventually, usual_window

ROOT = Path(__file__).resolve().parents[2]
READING = "GetUserAvailability"
DEPLOYMENTS = yaml.safe_load((ROOT / "deployments" / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]


def run_flow(home):
    """Run the flow in this process and return its final state."""
    with home.inside():
        from flows.harvest_busy_time import harvest_busy_time

        return harvest_busy_time(return_state=True)


def prefect_run(state):
    """Return the flow run of a state and its task runs, once Prefect has recorded how all of them ended."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    with get_client(sync_client=True) as client:
        flow_run = client.read_flow_run(state.state_details.flow_run_id)
        chosen = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run.id]))

        def settled():
            tasks = client.read_task_runs(flow_run_filter=chosen)
            return (
                tasks
                if any(it.name.startswith("close_run") for it in tasks) and all(it.state and it.state.is_final() for it in tasks)
                else []
            )

        eventually(settled, "Prefect recorded every task run")
        return flow_run, settled()


@pytest.fixture
def owner(home, exchange, person):
    owner = person()
    book(exchange, owner, usual_window()[1] - (usual_window()[1] - usual_window()[0]) / 2)
    home.take_roster(owner).ended(0)
    home.connect().ended(0)
    return owner


def test_the_entry_point_imports_by_its_path_without_a_placeholder(prefect_api):  # noqa: ARG001 -- Prefect needs its settings
    from prefect.flows import load_flow_from_entrypoint

    flow = load_flow_from_entrypoint(f"{ROOT / 'flows/harvest_busy_time.py'}:harvest_busy_time", use_placeholder_flow=False)
    assert flow.name == "harvest_busy_time"


@pytest.mark.parametrize("entry", sorted({it["entrypoint"] for it in DEPLOYMENTS}))
def test_a_deployment_takes_nothing_beside_the_options_of_its_flow(prefect_api, entry):  # noqa: ARG001 -- Prefect needs its settings
    from prefect.flows import load_flow_from_entrypoint
    from prefect.utilities.callables import parameter_schema
    from prefect.utilities.schema_tools import is_valid_schema, validate

    schema = parameter_schema(load_flow_from_entrypoint(f"{ROOT / entry}")).model_dump(exclude_unset=True)
    is_valid_schema(schema)
    assert validate({"options": {"trigger": "schedule"}}, schema) == validate({}, schema) == []
    [fault] = validate({"options": {}, "extra": {}}, schema)
    assert "'extra' was unexpected" in fault.message


@pytest.mark.usefixtures("owner")
def test_a_good_harvest_is_completed(home):
    state = run_flow(home)
    assert (state.type.value, state.name) == ("COMPLETED", "Completed")
    assert state.message == "1 calendars known, 0 unknown"


def test_a_harvest_without_every_answer_names_the_calendars(home, owner):
    home.take_roster(owner, "nobody@corp.example").ended(0)
    state = run_flow(home)
    assert (state.type.value, state.name) == ("COMPLETED", "Completed with failures")
    assert "nobody@corp.example (mailbox_not_found)" in state.message
    assert owner not in state.message


@pytest.mark.usefixtures("owner")
def test_a_second_harvest_at_the_same_time_is_skipped_and_changes_nothing(home):
    with home.inside():
        from tasks.workspace import workspace

        store = workspace().store
        lock = "harvest_busy_time:1:0"
        with store.write() as unit:
            actor = unit.owners.id("another@corp.example")
            other = unit.runs.open("harvest_busy_time", "manual", actor, workspace().clock.now())
            holder, _ = store.take_lock(unit, lock, other)
        try:
            state = run_flow(home)
        finally:
            with home.inside():
                workspace().store.release_lock(lock, holder)
    assert (state.type.value, state.name) == ("COMPLETED", "Skipped")
    assert state.message == "another harvest is at work"
    assert home.query("SELECT * FROM busy_intervals") == []
    assert home.run_statuses() == ["running", "skipped"]


@pytest.mark.usefixtures("owner")
def test_a_refused_log_on_is_a_failed_run_that_says_what_to_do(home, exchange):
    exchange.control("POST", "/password", {"email": exchange.email, "password": "another one by the admin"})
    state = run_flow(home)
    assert (state.type.value, state.name) == ("FAILED", "Refused")
    assert "refused the log-on" in state.message
    assert run_flow(home).message.count("nothing is sent") == 1


@pytest.mark.usefixtures("owner")
def test_a_worker_logs_no_traceback_of_a_run_that_is_refused(home, exchange, caplog):
    exchange.control("POST", "/password", {"email": exchange.email, "password": "another one by the admin"})
    with home.inside():
        from prefect.flow_engine import run_flow as as_a_worker

        from flows.discover_calendars import discover_calendars
        from flows.harvest_busy_time import harvest_busy_time

        assert as_a_worker(harvest_busy_time, error_logger=logging.getLogger()).status is RunStatus.REFUSED
        nobody = {"options": DiscoverOptions(owners=("nobody@corp.example",))}
        error = as_a_worker(discover_calendars, parameters=nobody, error_logger=logging.getLogger())
    assert isinstance(error, ConfigurationError)
    assert [line.getMessage() for line in caplog.records if line.exc_info] == []


@pytest.mark.usefixtures("owner")
def test_a_server_that_forbids_ews_is_a_failed_run(home, exchange):
    exchange.control("POST", "/faults", {"kind": "http_403"})
    state = run_flow(home)
    assert (state.type.value, state.name) == ("FAILED", "Failed")
    assert "forbids EWS" in state.message
    assert home.harvest().ended(1).json["reason"] == "ews_blocked"


def test_without_a_connection_the_run_is_refused(home):
    with home.inside():
        state = run_flow(home)
    assert state.is_failed()
    assert isinstance(state.result(raise_on_failure=False), NoConnectionError)
    assert home.run_statuses() == ["refused"]
    assert home.call("harvest").ended(5).err.count("busytime connect") == 1


def test_a_batch_without_an_answer_after_all_attempts_is_a_failed_task_run(home, exchange, owner):
    exchange.control("POST", "/faults", {"kind": "http_503", "operation": READING})

    state = run_flow(home)

    flow_run, tasks = prefect_run(state)
    assert flow_run.state_name == "Completed with failures"
    assert f"{owner} (server_unreachable)" in flow_run.state.message
    (batch,) = [it for it in tasks if it.name.startswith("harvest_batch")]
    assert batch.state.is_failed()
    assert batch.run_count == 3
    outcome = state.result(raise_on_failure=False)
    assert outcome.status is RunStatus.COMPLETED_WITH_FAILURES
    assert [(it.owner, it.reason) for it in outcome.result.failed] == [(owner, "server_unreachable")]
    attempts = home.query("SELECT attempt, outcome, reason FROM steps WHERE step = 'harvest_batch' ORDER BY id")
    assert attempts == [(number, "failed", "server_unreachable") for number in (1, 2, 3)]
    ((noted,),) = home.query("SELECT prefect_flow_run_id FROM runs")
    assert noted == str(flow_run.id)


@pytest.mark.usefixtures("owner")
def test_flow_and_task_runs_carry_no_secret(home, exchange):
    flow_run, tasks = prefect_run(run_flow(home))
    shown = f"{flow_run.model_dump_json()} {[it.model_dump_json() for it in tasks]}"
    assert exchange.password not in shown
    assert set(flow_run.parameters) == {"options"}
    assert "BUSYTIME_KEY" not in os.environ
