"""No sequence of commands and runs with wrong passwords locks the account, and after the window everything can be tried."""

import functools
import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from unittest.mock import patch

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from busytime.errors import BusyTimeError
from busytime.model import AuthType
from busytime.store.logons import LogonRepository
from tests.integration.log_on.offices import Offices

WINDOW_SECONDS = 1800
#: As long as an answer may take, and what the machine needs by itself.
GRACE_SECONDS = 130
EXAMPLES = {"dev": 10, "ci": 15, "deep": 100}

offices = st.integers(0, 1)
passwords = st.sampled_from(["right", "wrong", "wrong", "earlier"])
names = st.sampled_from(["{email}", "busytime@corp.local", "CORP\\busytime", "nobody@corp.example"])
slowness = st.sampled_from([0, 0, 0, 20, 100])


def rule_while_connected(**strategies):
    """Do something that needs a connection, and nothing without one.

    Whether there is one depends on threads: as a precondition it would make what Hypothesis draws depend on them, too.
    """

    def decorate(act):
        @rule(**strategies)
        @functools.wraps(act)
        def act_if_connected(self, **drawn):
            if self.connected():
                act(self, **drawn)

        return act_if_connected

    return decorate


class Killed(BaseException):
    """A process ends here."""


class NeverLocked(RuleBasedStateMachine):
    """People and runs of several processes at one account, whose server locks it at a threshold."""

    def __init__(self, sandbox, template, homes):
        super().__init__()
        self.sandbox, self.template, self.home = sandbox, template, next(homes)
        self.passwords = ["first"]
        self.refused_to_machine = []

    @initialize(threshold=st.sampled_from([3, 5, 5, 10]), auth=st.sampled_from([AuthType.BASIC, AuthType.BASIC, AuthType.NTLM]))
    def begin(self, threshold, auth):
        self.threshold = threshold
        limits = {"lock_after": threshold, "lockout_window_s": WINDOW_SECONDS, "password_history": 0, "auth": [auth.value]}
        self.sandbox.control("POST", "/limits", limits)
        self.sandbox.control("POST", "/password", {"email": self.sandbox.email, "password": "first"})
        self.since = len(self.sandbox.log())
        self.offices = Offices(self.sandbox, self.home, self.template, threshold=threshold, auth=auth)
        self.offices.connect(self.office(0), self.sandbox.email, "first")

    def teardown(self):
        """After a whole window everything may be tried again, and the right password works."""
        if not hasattr(self, "offices"):
            return
        try:
            self.sandbox.control("DELETE", "/faults")
            self.offices.let_pass(WINDOW_SECONDS + GRACE_SECONDS)
            left, policy = self.offices.left, self.office(0).desk.policy
            assert (left.refused, left.machine_left, left.person_left) == (0, policy.machine_share, policy.person_share)
            self.offices.connect(self.office(0), self.sandbox.email, self.passwords[-1])
            self.offices.probe(self.office(1))
        finally:
            self.offices.close()

    def office(self, number):
        return self.offices.all[number]

    def password(self, which):
        if which == "right":
            return self.passwords[-1]
        return "wrong" if which == "wrong" or len(self.passwords) == 1 else self.passwords[-2]

    def machine(self, work):
        """Let the machine work, and count the refused log-ons that it causes by itself."""
        before = self.offices.held["refused"]
        with suppress(BusyTimeError, Killed):
            work()
        refused = max(0, self.offices.held["refused"] - before)
        self.refused_to_machine += [self.offices.clock.uptime().length] * refused

    def connected(self):
        return self.offices.connection is not None

    @rule()
    def change(self):
        self.change_the_password()

    def change_the_password(self):
        self.passwords.append(f"password {len(self.passwords)}")
        self.sandbox.control("POST", "/password", {"email": self.sandbox.email, "password": self.passwords[-1]})

    @rule(number=offices, which=passwords, name=names, slow=slowness)
    def connect(self, number, which, name, slow):
        with suppress(BusyTimeError):
            self.offices.connect(self.office(number), name.format(email=self.sandbox.email), self.password(which), slow)

    @rule_while_connected(number=offices, which=passwords, slow=slowness)
    def renew(self, number, which, slow):
        with suppress(BusyTimeError):
            self.offices.renew(self.office(number), self.password(which), slow)

    @rule_while_connected(number=offices, slow=slowness)
    def try_again(self, number, slow):
        with suppress(BusyTimeError):
            self.offices.try_again(self.office(number), slow)

    @rule(number=offices, which=passwords)
    def ask_for_the_server(self, number, which):
        with suppress(BusyTimeError):
            self.offices.ask_for_server(self.office(number), self.password(which))

    @rule_while_connected(which=passwords)
    def lose_the_answer(self, which):
        """The server judges at once, and answers when nobody waits any more."""
        self.sandbox.control("POST", "/limits", {"latency_ms": 400})
        with suppress(BusyTimeError):
            self.offices.renew(self.offices.impatient, self.password(which))
        self.sandbox.control("POST", "/limits", {"latency_ms": 0})

    @rule_while_connected(number=offices)
    def disconnect(self, number):
        self.offices.disconnect(self.office(number))

    @rule_while_connected(number=offices)
    def probe(self, number):
        self.machine(lambda: self.offices.probe(self.office(number)))

    @rule_while_connected(number=offices, arrives=st.booleans())
    def kill_a_probe(self, number, arrives):
        """It ends between the claim and the answer, before or after the server has seen it."""
        office, connection = self.office(number), self.offices.connection

        class Dying:
            def probe(self):
                if arrives:
                    with suppress(BusyTimeError):
                        office.gateway_past_breaker(connection).probe()
                raise Killed

        with patch.object(LogonRepository, "answer", side_effect=Killed):
            self.machine(lambda: self.offices.probe(office, Dying()))

    @rule_while_connected(threads=st.integers(1, 8), under_load=st.booleans(), changed=st.booleans())
    def fan_out(self, threads, under_load, changed):
        """Requests of runs that have passed their probe, of several processes at once; the password may change meanwhile."""
        if changed:
            self.change_the_password()
        if under_load:
            self.sandbox.control("POST", "/faults", {"kind": "http_401", "operation": "*", "share": 0.5, "count": 2})
        self.sandbox.control("POST", "/limits", {"latency_ms": 40})  # so that they meet
        self.machine(lambda: self._fan_out(threads))
        self.sandbox.control("POST", "/limits", {"latency_ms": 0})
        self.sandbox.control("DELETE", "/faults")

    def _fan_out(self, threads):
        with ThreadPoolExecutor(threads) as pool:
            for sent in [pool.submit(self.offices.request_anew, self.office(number % 2)) for number in range(threads)]:
                with suppress(BusyTimeError):
                    sent.result()

    @rule(seconds=st.sampled_from([1, 61, 61, 600, 1000, 1000, 1000, 1950]))
    def let_time_pass(self, seconds):
        self.offices.let_pass(seconds)

    @rule(hours=st.sampled_from([-24, -1, 1, 24]))
    def set_the_clock(self, hours):
        """The machine's clock is set; its uptime goes on."""
        self.offices.clock.wrong += timedelta(hours=hours)

    @invariant()
    def the_account_is_not_locked(self):
        if not hasattr(self, "offices"):
            return
        held = self.offices.held
        since = self.offices.clock.uptime().length - timedelta(seconds=WINDOW_SECONDS)
        # Anybody's good log-on ends the count, and so does time.
        self.refused_to_machine = [at for at in self.refused_to_machine if held["refused"] and at > since]
        assert not held["locked"]
        assert "AccountLocked" not in {entry["code"] for entry in self.sandbox.log(self.since)}
        assert held["refused"] <= self.offices.left.refused < self.threshold
        assert len(self.refused_to_machine) <= self.office(0).desk.policy.machine_share


def test_no_sequence_of_commands_and_runs_locks_the_account(sandbox, template, tmp_path):
    homes = (tmp_path / f"home{number}" for number in itertools.count())
    profile = os.environ.get("HYPOTHESIS_PROFILE", "dev")
    bounded = settings(max_examples=EXAMPLES.get(profile, 10), stateful_step_count=25, deadline=None)
    run_state_machine_as_test(lambda: NeverLocked(sandbox, template, homes), settings=bounded)
