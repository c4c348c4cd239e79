"""The contract suite, played by every gateway."""

import itertools

import pytest
from lxml import etree

from busytime.ews import envelopes
from tests.contract.gateway.suite import GatewayContract
from tests.contract.gateway.worlds import WEEK, FakeWorld, SandboxWorld, skip_without_schema
from tests.sandbox_fixture import running_sandbox

OWNERS = 80


class TestInMemoryCalendarGateway(GatewayContract):
    @pytest.fixture
    def world(self):
        world = FakeWorld()
        yield world
        world.close()


@pytest.fixture(scope="module", params=["exchange", "items"])
def sandbox(request):
    with running_sandbox("--owners", str(OWNERS), "--rights-style", request.param) as sandbox:
        # Each test takes owners of its own, so that no test sees what another left.
        yield sandbox, itertools.count(1)


class TestEWSCalendarGateway(GatewayContract):
    """On the sandbox, with the folder rights of Exchange and with those of other servers."""

    @pytest.fixture
    def world(self, sandbox):
        world = SandboxWorld(*sandbox)
        yield world
        world.mend()
        world.close()


@pytest.mark.parametrize(
    "envelope",
    [
        envelopes.get_own_calendar("busytime@corp.example"),
        envelopes.get_calendar("o'hara&co@corp.example"),
        envelopes.find_folders("calendar", "ana@corp.example", 0),
        envelopes.find_folders("msgfolderroot", "ana@corp.example", 500),
        envelopes.calendar_view("AAMk<&>", WEEK),
        envelopes.availability(["ana@corp.example", "<b>&'\"@corp.example"], WEEK),
        envelopes.availability(["ana@corp.example"], WEEK, merged=True),
    ],
)
def test_every_kind_of_request_validates_against_the_schema(envelope):
    schema = skip_without_schema()
    body = etree.fromstring(envelope).find("{http://schemas.xmlsoap.org/soap/envelope/}Body")
    schema.assertValid(etree.fromstring(etree.tostring(body[0])))
