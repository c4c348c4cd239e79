"""What tests of log-ons on real tables share: a desk, a server in memory, and a connection."""

from datetime import timedelta

import pytest

from busytime.claiming import Desk
from busytime.connecting import connect
from busytime.errors import AuthenticationError, Reason
from busytime.guarding import ConnectionGuard
from busytime.model import ConnectionMode, Endpoint, Secret
from busytime.permits import PermitLine
from busytime.probing import check_may_send, note_refusal, probe
from busytime.signing_in import LockoutPolicy
from busytime.store.locks import SILENT_HOLDER
from busytime.store.permit_book import StoredPermitBook
from busytime.vault import Vault
from tests.fakes.in_memory_gateway import InMemoryCalendarGateway

EMAIL = "busytime@corp.example"
POLICY = LockoutPolicy(5, timedelta(minutes=30))


class Room:
    """A connected account, and the server as the machine sees it."""

    def __init__(self, store, key, clock):
        self.desk = Desk(store, Vault([key]), clock, POLICY, "admin@host")
        self.clock = clock
        self.server = InMemoryCalendarGateway()
        self.beyond = InMemoryCalendarGateway()
        endpoint = Endpoint(EMAIL, "https://mail.corp.example/EWS/Exchange.asmx")
        told = connect(self.desk, endpoint, Secret("eva", "old"), ConnectionMode.CORPORATE, lambda: self.server)
        self.connection = told.connection
        self.server.requests.clear()
        book = StoredPermitBook(store, clock, self.connection.id, 2, SILENT_HOLDER)
        self.server.guard = ConnectionGuard(
            lambda: check_may_send(self.desk, self.connection),
            PermitLine(book, 2).place,
            lambda error: note_refusal(self.desk, self.connection, error),
        )

    @property
    def stored(self):
        with self.desk.store.read() as unit:
            return unit.connections.find(self.connection.id)

    @property
    def left(self):
        with self.desk.store.read() as unit:
            return self.desk.allowance(unit, self.connection.owner_id)

    def refuse(self, reason=Reason.LOGON_REFUSED):
        for server in (self.server, self.beyond):
            server.fail("probe", lambda: AuthenticationError("The log-on was refused.", reason=reason), times=None)

    def mend(self):
        self.server.mend()
        self.beyond.mend()

    def probe(self, run_id, **how):
        probe(self.desk, self.connection, self.server, lambda: self.beyond, run_id, **how)


@pytest.fixture
def room(store, key, clock):
    return Room(store, key, clock)
