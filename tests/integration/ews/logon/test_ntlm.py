"""NTLM against the sandbox: a password proven once for each connection, and never twice after a refusal."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from busytime.errors import AuthenticationError, BreakerOpenError, BusyTimeError, Reason, UnsupportedServerError
from busytime.model import AuthType, Secret
from tests.integration.ews.conftest import WINDOW

NTLM = AuthType.NTLM


def read(gateway, number=1):
    return gateway.read_availability([f"owner{number:04}@corp.example"], WINDOW)


def test_one_handshake_lets_all_requests_of_a_connection_pass(building, guard):
    gateway = building.open(NTLM, guard)
    for _ in range(3):
        gateway.probe()
    steps = [(scheme, status) for _, scheme, status in building.seen()]
    assert steps == [(None, 401), ("ntlm", 401), ("ntlm", 200), (None, 200), (None, 200)]
    assert (guard.log_ons, guard.others, building.refused()) == (1, 3, 0)


@pytest.mark.parametrize("name", ["busytime@corp.example", "busytime@corp.local", "CORP\\busytime", "busytime"])
def test_every_form_of_a_name_logs_on(building, guard, name):
    building.open(NTLM, guard, secret=Secret(name, building.sandbox.password)).probe()
    assert building.refused() == 0


@pytest.mark.parametrize("password", ["pässwörd-€-日本語", "x" * 5000, "ends with a newline\n", ":", " "])
def test_odd_passwords_log_on(building, guard, password):
    building.sandbox.control("POST", "/password", {"email": building.sandbox.email, "password": password})
    building.open(NTLM, guard, secret=Secret(building.sandbox.email, password)).probe()


def test_environment_chooses_neither_version_nor_password(building, guard, monkeypatch, tmp_path):
    store = tmp_path / "users"
    store.write_text(f":{building.sandbox.email}:{building.sandbox.password}\n")
    monkeypatch.setenv("NTLM_USER_FILE", str(store))
    with pytest.raises(AuthenticationError):
        building.open(NTLM, guard, secret=Secret("", "")).probe()
    guard.open = False
    monkeypatch.setenv("LM_COMPAT_LEVEL", "1")  # the sandbox takes version 2 alone
    building.open(NTLM, guard).probe()


def test_wrong_password_is_one_refused_log_on_under_eight_threads(building, guard):
    gateway = building.open(NTLM, guard, secret=Secret(building.sandbox.email, "not the password"))

    def failure(number):
        with pytest.raises(BusyTimeError) as caught:
            read(gateway, number)
        return type(caught.value)

    with ThreadPoolExecutor(8) as threads:
        kinds = list(threads.map(failure, range(1, 25)))
    assert building.refused() == 1
    assert sorted({kind.__name__ for kind in kinds}) == ["AuthenticationError", "BreakerOpenError"]
    assert (kinds.count(AuthenticationError), kinds.count(BreakerOpenError)) == (1, 23)
    assert guard.log_ons == guard.refusals == 1


def test_wrong_password_says_what_may_be_the_cause(building, guard):
    gateway = building.open(NTLM, guard, secret=Secret(building.sandbox.email, "not the password"))
    with pytest.raises(AuthenticationError) as caught:
        gateway.probe()
    for words in ("password is wrong", "locked", "two-step verification", "DOMAIN\\user", "busytime password"):
        assert words in str(caught.value)
    assert [(scheme, status) for _, scheme, status in building.seen()] == [(None, 401), ("ntlm", 401), ("ntlm", 401)]


def test_live_connections_outlast_a_new_password_and_new_ones_do_not(building, guard):
    gateway = building.open(NTLM, guard)
    gateway.probe()
    building.sandbox.control("POST", "/password", {"email": building.sandbox.email, "password": "the new one, long enough"})
    gateway.probe()
    assert guard.refusals == 0
    kept = [gateway._transport.pool.get_session()]  # the one that is logged on
    with pytest.raises(AuthenticationError):
        gateway.probe()
    gateway._transport.pool.release_session(kept.pop())
    with pytest.raises(BreakerOpenError):
        gateway.probe()
    assert (building.refused(), guard.log_ons) == (1, 2)


def test_connection_that_the_server_closed_logs_on_again_under_a_permit(building, guard):
    gateway = building.open(NTLM, guard)
    gateway.probe()
    session = gateway._transport.pool.get_session()
    session.close()
    gateway._transport.pool.release_session(session)
    gateway.probe()
    assert (guard.log_ons, guard.others, building.refused()) == (2, 2, 0)


def test_server_without_ntlm_sees_no_password_and_opens_no_breaker(building, guard):
    building.limits(auth=["bearer", "basic"])
    with pytest.raises(UnsupportedServerError) as caught:
        building.open(NTLM, guard).probe()
    assert caught.value.reason is Reason.NO_LOGON_METHOD
    assert "does not offer NTLM, only Basic, Bearer" in str(caught.value)
    assert "--auth basic" in str(caught.value)
    assert (guard.log_ons, guard.open, building.seen()[0][1]) == (0, False, None)


def test_account_that_was_disabled_is_said_and_opens_the_breaker(building, guard):
    building.sandbox.control("POST", "/account", {"email": building.sandbox.email, "state": "disabled"})
    with pytest.raises(AuthenticationError) as caught:
        building.open(NTLM, guard).probe()
    assert (caught.value.reason, caught.value.detail, guard.open) == (Reason.ACCOUNT_DISABLED, "ErrorAccountDisabled", True)
