"""The containers of `compose.yaml` as processes: its very commands and variables, with other addresses, and secrets in files."""

from __future__ import annotations

import os
import shutil
import sys
import urllib.error
import urllib.request
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from deployments.serving.deploying import ROOT
from tests.flows.harness import Home, eventually
from tests.proofs.debian_postgresql import debian_postgresql, free_port, installed
from tests.proofs.machines import Machine, PrefectServer, answers, start_process
from tests.sandbox_fixture import running_sandbox

SERVICES = yaml.safe_load((ROOT / "deployments" / "compose.yaml").read_text(encoding="utf-8"))["services"]
PROGRAMS = {"busytime": ["-m", "deployments.cli.main"], "python": []}
LOG_ON = "busytime:a password of the page"
PROFILE = """active = "busytime"
[profiles.busytime]
PREFECT_API_AUTH_STRING = "{0}"
PREFECT_SERVER_API_AUTH_STRING = "{0}"
"""

pytestmark = pytest.mark.skipif(installed() is None, reason="needs Debian's PostgreSQL")


class Site:
    """Where the services run: one directory, and free ports of loopback.

    Args:
        directory: Holds secrets and volumes.
        database: The running PostgreSQL.
    """

    def __init__(self, directory: Path, database):
        self.directory = directory
        self.page = free_port()
        self.figures = {name: free_port() for name in SERVICES}
        self._places = {"database:5432": f"127.0.0.1:{database.port}", "server:4200": f"127.0.0.1:{self.page}"}
        self._places |= {"0.0.0.0": "127.0.0.1", "/run/secrets": str(directory)}  # noqa: S104 -- replaced here
        shutil.copy(database.passwords, directory / "pgpass")
        for name, text in (("busytime_key", "A" * 43 + "=\n"), ("prefect_profiles", PROFILE.format(LOG_ON))):
            (directory / name).write_text(text, encoding="ascii")
            (directory / name).chmod(0o600)

    def environment(self, name):
        """Return the variables of a service, with this site's addresses; its volumes are directories."""
        said = {"BUSYTIME_HOME": "/var/lib/busytime", "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
        said |= SERVICES[name]["environment"] | ({"PREFECT_SERVER_API_PORT": str(self.page)} if name == "server" else {})
        for old, new in (self._places | {"/var/lib": str(self.directory / name)}).items():
            said = {variable: value.replace(old, new) for variable, value in said.items()}
        return said

    def start(self, name):
        """Start a service's command as a process."""
        program, *words = SERVICES[name]["command"]
        more = ["--metrics-port", str(self.figures[name])] if words == ["serve"] else []
        directory = self.directory / name
        directory.mkdir()
        return start_process([sys.executable, *PROGRAMS[program], *words, *more], directory, self.environment(name))

    def is_ready(self, name):
        return answers(f"http://127.0.0.1:{self.figures[name]}/readyz")


@pytest.fixture
def site(tmp_path):
    with debian_postgresql(installed()) as database:
        assert database.make_databases().returncode == 0
        yield Site(tmp_path, database)


def test_the_services_work_together_and_outlive_one_of_their_workers(site, tell, monkeypatch):
    monkeypatch.setenv("PGPASSFILE", str(site.directory / "pgpass"))  # for the questions that are asked here
    with ExitStack() as services, running_sandbox("--owners", "30") as exchange:
        assert services.enter_context(site.start("migrate")).wait(120) == 0
        server = PrefectServer(f"http://127.0.0.1:{site.page}/api", services.enter_context(site.start("server")), LOG_ON)
        eventually(lambda: answers(f"{server.url}/health"), "Prefect's server answers", 120)
        with pytest.raises(urllib.error.HTTPError, match="401"):
            PrefectServer(server.url, server.process).call("POST", "/deployments/filter", {})
        with urllib.request.urlopen(f"http://127.0.0.1:{site.page}/", timeout=30) as page:
            assert "default-src 'self'" in page.headers["Content-Security-Policy"], "the page asks nobody outside"

        workers = {name: services.enter_context(site.start(name)) for name in ("worker-1", "worker-2")}
        eventually(lambda: all(map(site.is_ready, workers)), "both workers are ready", 240)
        names = Counter(it["name"] for it in server.call("POST", "/automations/filter", {}))
        assert set(names.values()) <= {1}, names

        home = Home(site.directory / "worker-1" / "busytime", exchange, None, site.environment("worker-1"))
        home.take_roster("owner0001@corp.example", "owner0002@corp.example", process=True).ended(0)
        home.connect(process=True).ended(0)
        known = "SELECT count(*) FROM coverage WHERE valid_to IS NULL AND state = 'covered'"
        eventually(lambda: home.query(known) == [(2,)], "the first harvest is done", 240)

        Machine("worker-1", workers["worker-1"]).die()
        home.more = site.environment("worker-2")
        done = "SELECT count(*) FROM runs WHERE id > :last AND flow = 'harvest_busy_time' AND status = 'completed'"
        last = int(home.query("SELECT max(id) FROM runs")[0][0])
        server.begin_harvest()
        eventually(lambda: home.query(done, last=last) != [(0,)], "the other one works", 120)
        its_harvests = "SELECT count(*) FROM runs WHERE status = 'running' AND id <= :last AND flow = 'harvest_busy_time'"
        assert home.query(its_harvests, last=last) == [(0,)]
        assert site.is_ready("worker-2")
        tell("the worker that was left harvested alone")
