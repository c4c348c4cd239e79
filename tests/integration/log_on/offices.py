"""Several opened homes on one database and one sandbox, as several processes have them, and one clock for all."""

import shutil
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from time import monotonic

from busytime.claiming import a_persons_logon
from busytime.connecting import connect, disconnect, open_secret
from busytime.ews import EWSServerFinder
from busytime.model import AuthType, ConnectionMode, Endpoint, Secret, Trigger
from busytime.probing import probe
from busytime.renewing import renew, try_again
from busytime.server_finding import LogOnPlace
from busytime.signing_in import Uptime
from config.settings import load_settings
from tasks.workspace import open_workspace


class JumpingClock:
    """The machine's clock, which can be set, and its uptime, which cannot; time can be let pass for both."""

    def __init__(self):
        self.started, self.passed, self.wrong = monotonic(), timedelta(0), timedelta(0)

    def now(self):
        return datetime.now(UTC) + self.passed + self.wrong

    def uptime(self):
        return Uptime("this boot", timedelta(seconds=monotonic() - self.started) + self.passed)


class SlowGateway:
    """A server behind a slow line: something happens between the claim of a log-on and its arrival."""

    def __init__(self, inner, meanwhile):
        self._inner, self._meanwhile = inner, meanwhile

    def probe(self):
        self._meanwhile()
        self._inner.probe()

    def __getattr__(self, name):
        return getattr(self._inner, name)


class Offices:
    """What several processes of one installation do with one account."""

    def __init__(self, sandbox, home: Path, template: Path, *, threshold=5, auth=AuthType.BASIC, count=2):
        shutil.copytree(template, home)
        self.sandbox, self.clock = sandbox, JumpingClock()
        settings = load_settings(home=home, lockout_threshold=threshold, request_deadline_seconds=10)
        self.all = [open_workspace(settings, self.clock) for _ in range(count)]
        self.impatient = open_workspace(settings.model_copy(update={"request_deadline_seconds": 0.3}), self.clock)
        ca_pem = Path(sandbox.ca_file).read_text()
        self.endpoint = Endpoint(sandbox.email, sandbox.ews_url, auth, ca_pem)
        self.finder = EWSServerFinder(ca_pem, request_deadline_seconds=10)

    def close(self):
        for office in [*self.all, self.impatient]:
            office.close()

    @property
    def connection(self):
        with self.all[0].store.read() as unit:
            return next(iter(unit.connections.all_open()), None)

    @property
    def left(self):
        office = self.all[0]
        with office.store.write() as unit:
            return office.desk.allowance(unit, unit.owners.id(self.sandbox.email))

    @property
    def held(self):
        return self.sandbox.control("GET", f"/lockout?email={self.sandbox.email}")

    def let_pass(self, seconds):
        self.clock.passed += timedelta(seconds=seconds)
        self.sandbox.control("POST", "/lockout", {"pass_s": seconds})

    def connect(self, office, username, password, after=0):
        secret = Secret(username, password)
        connect(office.desk, self.endpoint, secret, ConnectionMode.CORPORATE, partial(self._open, office, after, secret))

    def renew(self, office, password, after=0):
        renew(office.desk, self.connection, password, partial(self._open, office, after))

    def try_again(self, office, after=0):
        try_again(office.desk, self.connection, partial(self._open, office, after))

    def disconnect(self, office):
        disconnect(office.desk, self.connection)

    def ask_for_server(self, office, password):
        url = self.sandbox.ews_url.partition("/EWS/")[0] + "/autodiscover/autodiscover.xml"
        place = LogOnPlace(url, "127.0.0.1", self.sandbox.email, (self.endpoint.auth_type,))
        with a_persons_logon(office.desk, self.sandbox.email):
            self.finder.ask(place, Secret(self.sandbox.email, password))

    def _open(self, office, after, secret):
        return SlowGateway(office.open_gateway(self.endpoint, secret), partial(self.let_pass, after))

    def probe(self, office, through=None):
        """Probe as a run does, or through a gateway that is given."""
        connection = self.connection
        with office.store.write() as unit:
            run_id = unit.runs.open("harvest_busy_time", Trigger.MANUAL, unit.owners.id(office.desk.actor), self.clock.now())
        if through is None:
            office.log_on(connection, run_id)
        else:
            probe(office.desk, connection, through, partial(office.gateway_past_breaker, connection), run_id)

    def request_anew(self, office):
        """Send one request in the middle of a run; it logs on, also where a connection's first one does that."""
        connection = self.connection
        secret, guard = open_secret(office.desk, connection), office._guard(connection)
        with closing(office.open_gateway(connection.endpoint, secret, guard)) as gateway:
            gateway.probe()
