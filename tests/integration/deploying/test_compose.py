"""`compose.yaml` and the Dockerfile: they follow the published schema, hide what is secret, and name only what is there."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer
import yaml
from jsonschema import Draft202012Validator
from prefect.settings import Settings as PrefectSettings
from prefect.settings.legacy import _get_valid_setting_names

from busytime.vault import MasterKey
from config.keys import read_key_file
from config.settings import Settings
from deployments import guarded_server
from deployments.cli.main import app
from deployments.prefect_server import QUIET_SETTINGS

ROOT = Path(__file__).resolve().parents[3]
DEPLOYMENTS = ROOT / "deployments"
COMPOSE = yaml.safe_load((DEPLOYMENTS / "compose.yaml").read_text(encoding="utf-8"))
DOCKERFILE = (DEPLOYMENTS / "Dockerfile").read_text(encoding="utf-8")
SCHEMA = Draft202012Validator(json.loads(Path(__file__).with_name("compose-spec.json").read_text(encoding="utf-8")))
SERVICES = COMPOSE["services"]
#: What the images of others and the libraries below read.
FOREIGN = {"POSTGRES_PASSWORD_FILE", "POSTGRES_INITDB_ARGS", "PGPASSFILE", "DO_NOT_TRACK"}
OURS_ELSEWHERE = {"BUSYTIME_ROOT"}


def _numbers(version):
    return [int(it) for it in version.split(".")]


def faults(compose):
    return [tuple(error.path)[:2] for error in SCHEMA.iter_errors(compose)]


def test_it_follows_the_published_schema():
    assert faults(COMPOSE) == []


@pytest.mark.parametrize(
    ("place", "wrong"),
    [("worker-1", {"restarts": "always"}), ("worker-2", {"read_only": [True]}), ("database", {"healthcheck": {"test": 1}})],
)
def test_the_schema_finds_faults(place, wrong):
    broken = copy.deepcopy(COMPOSE)
    broken["services"][place] |= wrong
    assert ("services", place) in faults(broken)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_can_do_nothing_but_its_work(name):
    service = SERVICES[name]
    user = re.fullmatch(r"\$\{BUSYTIME_USER:-(\d+):(\d+)\}", service["user"])
    assert user is not None
    assert "0" not in user.groups()
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "devices", "network_mode", "pid", "ipc", "env_file"} & service.keys()
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}
    assert service["restart"] == ("no" if name == "migrate" else "unless-stopped")
    assert re.fullmatch(r"[a-z]+:\d+\.\d+(\.\d+)?(-[a-z]+)?", service["image"]), "pinned by a tag"
    for volume in service.get("volumes", []):
        source = volume.partition(":")[0]
        assert source in COMPOSE["volumes"] or (volume.endswith(":ro") and (DEPLOYMENTS / source).is_file()), volume


def test_prefects_page_alone_has_a_port_and_only_this_machine_sees_it():
    assert {name: it["ports"] for name, it in SERVICES.items() if "ports" in it} == {"server": ["127.0.0.1:4200:4200"]}
    assert SERVICES["database"]["networks"] == SERVICES["migrate"]["networks"] == ["inside"]
    assert COMPOSE["networks"]["inside"] == {"internal": True}


def test_every_secret_is_a_file_and_none_stands_in_a_variable():
    for name, secret in COMPOSE["secrets"].items():
        assert secret == {"file": f"./secrets/{name}"}
    used = {secret for service in SERVICES.values() for secret in service.get("secrets", [])}
    assert used == COMPOSE["secrets"].keys()
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            assert not re.search(r"://[^/@]*:[^/@]*@", value), f"{name}: a password in {variable}"
            assert not re.search(r"(PASSWORD|AUTH_STRING|_KEY)$", variable), f"{name}: {variable} by file instead"
            for path in re.findall(r"/run/secrets/(\w+)", value):
                assert path in service["secrets"], f"{name}: {variable} names a secret that it is not given"


def test_every_service_waits_for_what_it_needs_and_tells_how_it_is():
    conditions = {name: {it: of["condition"] for it, of in s.get("depends_on", {}).items()} for name, s in SERVICES.items()}
    assert conditions == {
        "database": {},
        "migrate": {"database": "service_healthy"},
        "server": {"database": "service_healthy"},
        "worker-1": {"migrate": "service_completed_successfully", "server": "service_healthy"},
        "worker-2": {"migrate": "service_completed_successfully", "server": "service_healthy"},
    }
    for name, needed in conditions.items():
        for other, condition in needed.items():
            assert condition != "service_healthy" or "test" in SERVICES[other]["healthcheck"], f"{name} waits for {other}"


def test_there_are_two_workers_with_a_home_each():
    first, second = SERVICES["worker-1"], SERVICES["worker-2"]
    assert (first["volumes"], second["volumes"]) == (["worker-1:/var/lib/busytime"], ["worker-2:/var/lib/busytime"])
    assert first | {"volumes": []} == second | {"volumes": []}
    assert re.search(r"BUSYTIME_HOME=(\S+)", DOCKERFILE).group(1) == "/var/lib/busytime"


def test_every_variable_is_a_setting():
    known = {f"BUSYTIME_{name.upper()}" for name in Settings.model_fields} | OURS_ELSEWHERE
    known |= _get_valid_setting_names(PrefectSettings) | FOREIGN
    named = {variable for service in SERVICES.values() for variable in service.get("environment", {})}
    named |= set(re.findall(r"\b((?:BUSYTIME|PREFECT)_[A-Z_]+)=", DOCKERFILE))
    assert named - known == set()
    assert {"BUSYTIME_DATABASE_URL", "PREFECT_SERVER_DATABASE_CONNECTION_URL"} <= named


def test_leases_are_kept_where_a_restart_finds_them():
    environment = SERVICES["server"]["environment"]
    __import__(QUIET_SETTINGS["PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE"])
    assert f"prefect:{environment['PREFECT_HOME']}" in SERVICES["server"]["volumes"]
    assert environment.keys() & QUIET_SETTINGS.keys() == set(), "the server's own settings are said once"


def test_every_command_is_there():
    # The server's is run by tests/proofs/test_topology.py, with all the others.
    assert SERVICES["server"]["command"] == ["python", "-m", guarded_server.__name__]
    for name in ("migrate", "worker-1", "worker-2"):
        program, *words = SERVICES[name]["command"]
        assert program == "busytime"
        command = typer.main.get_command(app)
        for word in words:
            command = command.commands[word]


def test_the_server_does_not_start_without_a_log_on(tmp_path):
    said = {name: value for name, value in os.environ.items() if not name.startswith(("BUSYTIME_", "PREFECT_"))}
    said |= {"BUSYTIME_HOME": str(tmp_path), "PREFECT_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *SERVICES["server"]["command"][1:]]
    ended = subprocess.run(command, cwd=tmp_path, env=said, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2, ended.stderr
    assert "PREFECT_SERVER_API_AUTH_STRING; docs/operations.md" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_every_health_check_asks_what_is_served():
    asked = {name: re.findall(r"http://[^']+", " ".join(it["healthcheck"].get("test", []))) for name, it in SERVICES.items()}
    assert asked["worker-1"] == re.findall(r"http://[^']+", DOCKERFILE) == ["http://127.0.0.1:4280/readyz"]
    port = SERVICES["server"]["environment"]["PREFECT_SERVER_API_PORT"]
    assert asked["server"] == [f"http://127.0.0.1:{port}/api/health"]
    assert SERVICES["worker-1"]["environment"]["PREFECT_API_URL"] == f"http://server:{port}/api"


def test_the_image_is_made_of_the_locked_set_by_nobody_special():
    lines = [line.strip() for line in DOCKERFILE.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    images = {line.split()[1] for line in lines if line.startswith("FROM")}
    [version] = {re.fullmatch(r"python:(\d+\.\d+\.\d+)-slim-\w+", image).group(1) for image in images}
    least = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    assert _numbers(version) >= _numbers(least.removeprefix(">="))
    installs = [line for line in lines if "pip install" in line]
    assert len(installs) == 2
    assert "--require-hashes -r requirements.lock" in installs[0]
    assert "--no-deps" in installs[1]
    assert [line for line in lines if line.startswith("USER")][-1] == "USER 1000:1000"
    assert "://" not in DOCKERFILE.replace("http://127.0.0.1:4280", "")
    for line in (it for it in lines if it.startswith("COPY") and "--from" not in it):
        for source in line.split()[1:-1]:
            assert (ROOT / source).exists(), line


def test_no_home_and_no_secret_goes_into_the_image():
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignored[1] == "*"
    assert {it for it in ignored if it.startswith("!")} == {
        f"!{source}" for source in re.findall(r"[\w.]+", " ".join(re.findall(r"COPY (?!--)(.+) \S+", DOCKERFILE)))
    }
    assert ignored.index("deployments/secrets") > ignored.index("!deployments")


def test_the_secrets_are_made_by_what_the_manual_says(tmp_path):
    manual = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    [script] = [it for it in re.findall(r"```sh\n(.*?)```", manual, re.DOTALL) if "pgpass" in it]
    (tmp_path / "deployments").mkdir()
    subprocess.run(["sh", "-eu", "-c", script], cwd=tmp_path, check=True, timeout=20)
    made = tmp_path / "deployments" / "secrets"
    assert {it.name for it in made.iterdir()} == COMPOSE["secrets"].keys()
    assert {it.stat().st_mode & 0o777 for it in made.iterdir()} == {0o600}
    assert made.stat().st_mode & 0o777 == 0o700

    [key] = read_key_file(made / "busytime_key").texts
    MasterKey.from_text(key)
    logins = [line.split(":") for line in (made / "pgpass").read_text(encoding="ascii").splitlines()]
    assert [it[:4] for it in logins] == [["database", "5432", "*", "busytime"], ["database", "5432", "*", "prefect"]]
    assert len({it[4] for it in logins}) == 2
    profile = tomllib.loads((made / "prefect_profiles").read_text(encoding="ascii"))["profiles"]["busytime"]
    assert profile["PREFECT_API_AUTH_STRING"] == profile["PREFECT_SERVER_API_AUTH_STRING"]
    assert re.fullmatch(r"busytime:[0-9a-f]{48}", profile["PREFECT_API_AUTH_STRING"])
