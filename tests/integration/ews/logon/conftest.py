"""One sandbox for all ways to log on; each test finds it as usual."""

import pytest

from tests.integration.ews.logon.building import BreakingGuard, Building
from tests.sandbox_fixture import running_sandbox


@pytest.fixture(scope="package")
def sandbox():
    with running_sandbox("--owners", "30") as sandbox:
        yield sandbox


@pytest.fixture(scope="package")
def whole_building(sandbox):
    return Building(sandbox)


@pytest.fixture
def building(whole_building):
    whole_building.reset()
    yield whole_building
    whole_building.reset()


@pytest.fixture
def guard():
    return BreakingGuard()
