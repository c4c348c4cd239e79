"""The in-memory server and the sandbox, each with the folder rights of Exchange and with those of other servers."""

import itertools

import pytest

from tests.contract.gateway.worlds import FakeWorld, SandboxWorld
from tests.integration.permissions.worlds import Case
from tests.sandbox_fixture import running_sandbox


@pytest.fixture(scope="session")
def validated_sandbox():
    with running_sandbox("--owners", "5") as sandbox:
        yield sandbox


@pytest.fixture(params=["fake-exchange", "fake-items", "sandbox-exchange", "sandbox-items"])
def case(request):
    server, style = request.param.split("-")
    if server == "fake":
        world = FakeWorld(style)
        yield Case(world)
    else:
        sandbox = request.getfixturevalue("validated_sandbox")
        sandbox.control("POST", "/limits", {"rights_style": style})
        world = SandboxWorld(sandbox, itertools.count(1), style)
        yield Case(world)
        world.mend()
    world.close()
