"""The contract suite, played by every gateway."""

import itertools

import pytest
from lxml import etree

from busytime.ews import envelopes, envelopes_looking, envelopes_sharing, envelopes_writing, groups, item_values
from busytime.ews.marker import Entry
from busytime.model import AuthType
from tests.contract.gateway.suite import GatewayContract
from tests.contract.gateway.suite_entries import EntryContract
from tests.contract.gateway.suite_groups import GroupContract
from tests.contract.gateway.suite_probe import ProbeContract
from tests.contract.gateway.suite_rights import RightsContract
from tests.contract.gateway.suite_sharing import SharingContract
from tests.contract.gateway.worlds import WEEK, FakeWorld, SandboxWorld, skip_without_schema
from tests.sandbox_fixture import running_sandbox

OWNERS = 800
CALENDAR = envelopes.calendar_folder("ana@corp.example", None)
ENTRY = Entry(
    subject="a <subject>",
    start=envelopes.instant(WEEK.start),
    end=envelopes.instant(WEEK.end),
    legacy_free_busy_status="Free",
    busytime_key="one/BK-1",
    busytime_revision="1",
)


class TestInMemoryCalendarGateway(GatewayContract, RightsContract, EntryContract, GroupContract, ProbeContract, SharingContract):
    """In both styles of folder rights."""

    @pytest.fixture(params=["exchange", "items"])
    def world(self, request):
        world = FakeWorld(request.param)
        yield world
        world.close()


@pytest.fixture(scope="module", params=["exchange", "items"])
def sandbox(request):
    with running_sandbox("--owners", str(OWNERS), "--rights-style", request.param) as sandbox:
        # Each test takes owners of its own, so that no test sees what another left.
        yield sandbox, itertools.count(1), request.param


class TestEWSCalendarGateway(GatewayContract, RightsContract, EntryContract, GroupContract, ProbeContract, SharingContract):
    """On the sandbox, with the folder rights of Exchange and with those of other servers."""

    @pytest.fixture
    def world(self, sandbox):
        world = SandboxWorld(*sandbox)
        yield world
        world.mend()
        world.close()


@pytest.mark.parametrize("sandbox", ["exchange"], indirect=True)
class TestEWSCalendarGatewayByOtherLogOns(GatewayContract, ProbeContract):
    """Reading, writing and what fails, by a proven connection and by tokens."""

    @pytest.fixture(params=[AuthType.NTLM, AuthType.OAUTH])
    def world(self, sandbox, request):
        world = SandboxWorld(*sandbox, auth_type=request.param)
        yield world
        world.mend()
        world.close()


@pytest.mark.parametrize(
    "envelope",
    [
        envelopes.get_own_calendar("busytime@corp.example"),
        envelopes.get_distinguished("calendar", "o'hara&co@corp.example"),
        envelopes.find_folders("calendar", "ana@corp.example", 0),
        envelopes.find_folders("msgfolderroot", "ana@corp.example", 500),
        envelopes.calendar_view(envelopes.calendar_folder("", "AAMk<&>"), WEEK),
        envelopes.availability(["ana@corp.example", "<b>&'\"@corp.example"], WEEK),
        envelopes.availability(["ana@corp.example"], WEEK, merged=True),
        groups.resolve_address("o'hara&co@corp.example"),
        envelopes_looking.get_rights("ana@corp.example", None),
        envelopes_looking.get_permission_list("ana@corp.example", "AAMk<&>"),
        envelopes_looking.find_items(CALENDAR, None, 5),
        envelopes_looking.find_items(CALENDAR, envelopes_looking.unmarked(), 5),
        envelopes_looking.find_items(CALENDAR, envelopes_looking.marked(), 5),
        envelopes_looking.find_items(CALENDAR, envelopes_looking.marked_by("one<&>"), 5),
        envelopes_looking.find_items(CALENDAR, envelopes_looking.marked_as("one/<&>"), 5, item_values.FIELDS, offset=500),
        envelopes_looking.get_item_rights(["AAMk<&>", "AAMkB"]),
        envelopes_sharing.find_shared_folders("busytime@corp.example", 500),
        envelopes_sharing.find_sharing_messages("busytime@corp.example"),
        envelopes_sharing.get_sharing_messages(["AAMkA", "AAMkB"]),
        envelopes_writing.create_entry("ana@corp.example", None, ENTRY),
        envelopes_writing.change_entry("AAMk<&>", "EQ==", ENTRY, ["end", "busytime_revision"]),
        envelopes_writing.change_entry("AAMk<&>", None, ENTRY, ["subject"]),
        envelopes_writing.delete_entries(["AAMkA", "AAMkB"]),
        envelopes_writing.delete_entries(["AAMkA"], soft=False),
        envelopes_writing.accept_sharing_invitation("AAMk<&>"),
    ],
)
def test_every_kind_of_request_validates_against_the_schema(envelope):
    schema = skip_without_schema()
    body = etree.fromstring(envelope).find("{http://schemas.xmlsoap.org/soap/envelope/}Body")
    schema.assertValid(etree.fromstring(etree.tostring(body[0])))
