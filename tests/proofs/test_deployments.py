"""`prefect.yaml` on a bare server: taken without a question, arrived as it is written, and safe from what people do to it."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from http import HTTPStatus
from importlib import import_module
from urllib.error import HTTPError

import pytest
import yaml

from config.settings import load_settings
from deployments.serving.deploying import ROOT
from flows.options import Options
from tests.flows.harness import eventually
from tests.proofs.machines import deploy, prefect_server

DESCRIBED = {
    it["name"]: it for it in yaml.safe_load((ROOT / "deployments" / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server of its own, on which the deployments were made once."""
    with prefect_server(tmp_path_factory.mktemp("bare"), None) as running:
        deploy(running.url)
        yield running


def deployments(server):
    return {it["name"]: it for it in server.call("POST", "/deployments/filter", {})}


def automations(server):
    return server.call("POST", "/automations/filter", {})


def runs_of(server, name):
    wanted = {"deployments": {"name": {"any_": [name]}}}
    # What schedules put there does not count.
    return [it["id"] for it in server.call("POST", "/flow_runs/filter", wanted) if not it["auto_scheduled"]]


def say(server, event):
    resource = {"prefect.resource.id": "busytime.proof"}
    said = {"id": str(uuid.uuid4()), "occurred": datetime.now(UTC).isoformat(), "event": event, "resource": resource}
    server.call("POST", "/events", [said | {"payload": {}, "related": []}])


@pytest.mark.parametrize("name", DESCRIBED)
def test_an_entry_point_is_a_flow_and_takes_what_is_said_to_it(name):
    from prefect.flows import load_flow_from_entrypoint

    described = DESCRIBED[name]
    flow = load_flow_from_entrypoint(str(ROOT / described["entrypoint"]), use_placeholder_flow=False)
    module, _, function = described["entrypoint"].removesuffix(".py").partition(".py:")
    assert getattr(import_module(module.replace("/", ".")), function).name == flow.name
    for parameters in (described.get("parameters", {}), *(it.get("parameters", {}) for it in described.get("triggers", []))):
        taken = flow.validate_parameters(parameters)
        assert all(isinstance(it, Options) for it in taken.values())


def test_all_that_is_written_arrives(server):
    arrived = deployments(server)
    assert arrived.keys() == DESCRIBED.keys()
    for name, described in DESCRIBED.items():
        found = arrived[name]
        assert found["tags"] == described["tags"]
        assert found["description"] == described["description"]
        assert found["entrypoint"] == described["entrypoint"]
        assert found["parameters"] == described.get("parameters", {})
        assert found["work_pool_name"] == "busytime"
        assert found["pull_steps"] == [{"prefect.deployments.steps.set_working_directory": {"directory": str(ROOT)}}]
        schedules = [(it["schedule"]["cron"], it["schedule"]["timezone"], it["active"]) for it in found["schedules"]]
        assert schedules == [(it["cron"], it["timezone"], True) for it in described.get("schedules", [])]
        limit = described.get("concurrency_limit")
        assert (found["global_concurrency_limit"] or {}).get("limit") == (limit and limit["limit"])
        assert (found["concurrency_options"] or {}).get("collision_strategy") == (limit and limit["collision_strategy"])


def test_each_trigger_is_an_automation_that_starts_its_own_deployment(server):
    ids = {it["id"]: name for name, it in deployments(server).items()}
    found = sorted((ids[it["actions"][0]["deployment_id"]], *it["trigger"]["expect"]) for it in automations(server))
    assert found == sorted((name, *it["expect"]) for name, of in DESCRIBED.items() for it in of.get("triggers", []))
    assert all(it["enabled"] for it in automations(server))


def test_what_is_deployed_twice_is_there_once(server):
    def seen():
        kept = ("id", "tags", "parameters", "entrypoint", "concurrency_options")
        made = {name: [it[key] for key in kept] + [len(it["schedules"])] for name, it in deployments(server).items()}
        return made, sorted(it["name"] for it in automations(server))

    before = seen()
    deploy(server.url)
    assert seen() == before


def test_automations_that_two_machines_made_at_once_are_made_one(server, tmp_path, monkeypatch):
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from deployments.serving.deploying import deploy as serve_deployments

    before = sorted(it["name"] for it in automations(server))
    twice = [{key: it[key] for key in ("name", "description", "trigger", "actions")} for it in automations(server)]
    theirs = twice[0] | {"name": "theirs"}
    for automation in [*twice, theirs, theirs]:
        server.call("POST", "/automations/", automation)
    (tmp_path / "prefect").mkdir()
    monkeypatch.setenv("PREFECT_API_URL", server.url)
    with temporary_settings({PREFECT_API_URL: server.url}):
        serve_deployments(load_settings(home=tmp_path), tmp_path / "deploy.log")
    assert sorted(it["name"] for it in automations(server)) == sorted([*before, "theirs", "theirs"])
    for automation in automations(server):
        if automation["name"] == "theirs":
            server.call("DELETE", f"/automations/{automation['id']}")


@pytest.mark.parametrize("name", DESCRIBED)
def test_what_no_flow_knows_is_refused_and_makes_no_run(server, name):
    found = deployments(server)[name]
    assert found["enforce_parameter_schema"]
    wrong = {"parameters": {"options": {}, "extra": {}}, "state": {"type": "SCHEDULED"}}
    with pytest.raises(HTTPError) as refused:
        server.call("POST", f"/deployments/{found['id']}/create_flow_run", wrong)
    assert refused.value.code == HTTPStatus.CONFLICT
    assert "'extra' was unexpected" in json.load(refused.value)["detail"]
    assert runs_of(server, name) == []


def test_a_deployment_removed_with_its_automation_left_over_does_no_harm(server):
    server.call("DELETE", f"/deployments/{deployments(server)['push']['id']}")
    left = [it for it in automations(server) if it["trigger"]["expect"] == ["busytime.bookings.imported"]]
    assert len(left) == 1, "Prefect leaves it there"
    say(server, "busytime.bookings.imported")
    say(server, "busytime.password.stored")
    eventually(lambda: len(runs_of(server, "resync")) == 1, "another automation still starts its run", 60)
    assert runs_of(server, "push") == []

    deploy(server.url)
    say(server, "busytime.bookings.imported")
    eventually(lambda: runs_of(server, "push"), "the deployment that was made anew is started", 60)
    eventually(lambda: len(runs_of(server, "resync")) == 1, "and nothing else is", 10)
    assert len(runs_of(server, "push")) == 1, "once, although there are two automations"
