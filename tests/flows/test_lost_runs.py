"""Runs whose process died: Prefect's page shows them as crashed, as our tables do."""

from __future__ import annotations

from datetime import timedelta

import pytest

from busytime.model import RunStatus, Trigger


@pytest.fixture
def office(diary, clock):
    from tasks.workspace import workspace

    with diary.home.inside(clock):
        yield workspace()


@pytest.fixture
def client(prefect_api):  # noqa: ARG001 -- the server is there
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        yield client


@pytest.fixture
def begin(office, client):
    """Begin a run that Prefect takes for running, and end it in our tables; return Prefect's id of it."""
    from prefect.states import Running

    from flows.watch import watch

    def begun(status):
        flow_run = client.create_flow_run(watch, state=Running())
        with office.store.write() as unit:
            run = unit.runs.open(
                "watch", Trigger.MANUAL, unit.owners.id("some@corp.example"), unit.now, prefect_id=str(flow_run.id)
            )
            unit.runs.close(run, status, unit.now)
        return flow_run.id

    return begun


def test_what_was_found_dead_is_crashed_in_prefect_and_nothing_else(office, client, begin):
    from prefect.states import Completed

    from deployments.serving.dispatching import Dispatcher

    dead, ended, told = begin(RunStatus.CRASHED), begin(RunStatus.FAILED), begin(RunStatus.CRASHED)
    client.set_flow_run_state(told, Completed(), force=True)
    forgotten = begin(RunStatus.CRASHED)
    client.delete_flow_run(forgotten)
    dispatcher = Dispatcher(office)
    dispatcher.tell_of_the_dead()
    states = {it: client.read_flow_run(it).state for it in (dead, ended, told)}
    assert {it: state.type.value for it, state in states.items()} == {dead: "CRASHED", ended: "RUNNING", told: "COMPLETED"}
    assert "Its process is gone" in states[dead].message

    later = begin(RunStatus.CRASHED)
    dispatcher.tell_of_the_dead()
    assert client.read_flow_run(later).state.is_crashed()


def test_long_dead_runs_are_not_asked_about(office, client, begin, clock):
    from deployments.serving.dispatching import Dispatcher

    dead = begin(RunStatus.CRASHED)
    clock.offset = timedelta(hours=2)
    Dispatcher(office).tell_of_the_dead()
    assert client.read_flow_run(dead).state.is_running()
