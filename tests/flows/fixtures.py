"""Fixtures for tests of flows and commands; the `conftest.py` beside each takes them in."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deployments.prefect_server import prefect_server
from tests.flows.harness import Home, MovedClock
from tests.sandbox_fixture import RunningSandbox, running_sandbox

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def prefect_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run one Prefect server for all; a second directory's fixture finds it in the environment and uses it as it is."""
    with prefect_server(tmp_path_factory.mktemp("prefect")) as url:
        from prefect.logging.configuration import setup_logging
        from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

        setup_logging()  # else the first run does, and takes away what a test of it listens with
        # Whatever was imported before, and without the second that each run's heartbeat costs.
        with temporary_settings({PREFECT_API_URL: url, PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            yield url


@pytest.fixture(scope="session")
def prefect_home(prefect_api: str) -> Path:  # noqa: ARG001 -- the server says it in the environment
    """Where the Prefect server keeps its database and its log."""
    return Path(os.environ["PREFECT_HOME"])


@pytest.fixture(scope="session")
def shared_exchange() -> Iterator[RunningSandbox]:
    with running_sandbox("--owners", "30") as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def usual_limits(shared_exchange):
    return shared_exchange.control("GET", "/limits")


@pytest.fixture
def exchange(shared_exchange, usual_limits) -> Iterator[RunningSandbox]:
    """The shared sandbox; its policy and password are put back afterwards, and its faults are gone."""
    yield shared_exchange
    shared_exchange.control("DELETE", "/faults")
    shared_exchange.control("POST", "/limits", usual_limits)
    shared_exchange.control("POST", "/password", {"email": shared_exchange.email, "password": shared_exchange.password})


@pytest.fixture
def home(tmp_path: Path, exchange: RunningSandbox, prefect_api: str) -> Home:
    """An empty home."""
    return Home(tmp_path / "home", exchange, prefect_api)


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def person(exchange: RunningSandbox) -> Callable[[], str]:
    """Make an owner of this test alone, with an empty calendar that is shared."""

    def person() -> str:
        address = f"person{next(_numbers)}@corp.example"
        exchange.control("POST", "/mailbox", {"owner": address, "kind": "person"})
        return address

    return person
