"""Log-ons while the clock is wrong, the database cannot be written, or the process is killed."""

import time
from datetime import timedelta

import pytest
from sqlalchemy import event

from busytime.errors import AllowanceUsedUpError, AuthenticationError, BusyTimeError, ConfigurationError
from busytime.model import AuthType, Breaker
from tests.integration.log_on.offices import Offices
from tests.integration.store.processes import running

WINDOW_SECONDS = 1800


@pytest.fixture
def offices(sandbox, template, tmp_path, request):
    auth = getattr(request, "param", AuthType.BASIC)
    sandbox.control("POST", "/limits", {"lock_after": 5, "lockout_window_s": WINDOW_SECONDS, "password_history": 0})
    sandbox.control("POST", "/limits", {"auth": [auth.value]})
    sandbox.control("POST", "/password", {"email": sandbox.email, "password": "right"})
    offices = Offices(sandbox, tmp_path / "home", template, auth=auth)
    offices.connect(offices.all[0], sandbox.email, "right")
    yield offices
    sandbox.control("DELETE", "/faults")
    offices.close()


@pytest.mark.parametrize("hours", [-24, 24])
def test_a_clock_that_is_wrong_by_a_day_neither_locks_nor_shuts_out(offices, hours):
    office = offices.all[0]
    for number in range(8):
        offices.clock.wrong = timedelta(hours=hours) * (number % 2)
        with pytest.raises(AuthenticationError if number < 2 else AllowanceUsedUpError):
            offices.renew(office, "wrong")
    assert offices.held == {"refused": 2, "locked": False}
    offices.clock.wrong = timedelta(hours=hours)
    assert offices.left.safe_after - offices.clock.now() <= timedelta(seconds=WINDOW_SECONDS)
    offices.let_pass(WINDOW_SECONDS)
    assert offices.left.person_left == 2
    offices.renew(office, "right")


def test_nothing_is_sent_while_the_database_cannot_be_written(offices, sandbox):
    office = offices.all[0]
    event.listen(office.store._engine, "connect", lambda connection, _record: connection.execute("PRAGMA query_only=ON"))
    connection, sent = offices.connection, len(sandbox.log())
    office.store._engine.dispose()
    for work in (
        lambda: office.gateway(connection).probe(),
        lambda: offices.probe(office),
        lambda: offices.renew(office, "wrong"),
    ):
        with pytest.raises(ConfigurationError, match=r"The database cannot be used: .*readonly"):
            work()
    assert len(sandbox.log()) == sent


@pytest.mark.processes
def test_a_probe_that_was_killed_counts_as_refused_and_the_next_run_goes_on(offices, sandbox, tmp_path):
    office = offices.all[0]
    sandbox.control("POST", "/faults", {"kind": "delay", "operation": "*", "share": 1, "seconds": 10})
    with running(1, "tests.integration.log_on.prober", str(tmp_path / "home")) as [process]:
        process.send("probe")
        end = time.monotonic() + 30
        while offices.left.refused == 0:
            assert time.monotonic() < end, "it never claimed"
            time.sleep(0.02)
        process.kill()
        sandbox.control("DELETE", "/faults")
        assert (offices.left.refused, offices.left.machine_left) == (1, 1)
        assert offices.connection.breaker is Breaker.CLOSED
        offices.probe(office)
        offices.let_pass(121)
        offices.probe(office)
    assert offices.left.refused == 0


def test_a_wrong_password_of_the_stored_kind_is_never_sent_again(offices, sandbox):
    sandbox.control("POST", "/password", {"email": sandbox.email, "password": "another"})
    for _ in range(6):
        with pytest.raises(BusyTimeError):
            offices.probe(offices.all[0])
    assert offices.held == {"refused": 1, "locked": False}


@pytest.mark.parametrize("offices", [AuthType.NTLM], indirect=True)
def test_a_connection_that_logged_on_earlier_proves_nothing_of_the_password(offices, sandbox):
    busy, person = offices.all
    offices.probe(busy)
    sandbox.control("POST", "/password", {"email": sandbox.email, "password": "another"})
    with pytest.raises(AuthenticationError):
        offices.renew(person, "wrong")
    busy.gateway(offices.connection).probe()  # NTLM asks for a password once a connection
    with pytest.raises(AuthenticationError):
        offices.probe(busy)
    assert (offices.held["refused"], offices.left.refused) == (2, 2)
