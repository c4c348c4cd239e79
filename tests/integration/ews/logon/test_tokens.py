"""Tokens against the sandbox: asked for once, renewed in time, and the dedicated mailbox alone is impersonated."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from busytime.errors import AuthenticationError, BreakerOpenError, BusyTimeError, Reason, UnsupportedServerError
from busytime.model import AuthType, Secret
from tests.integration.ews.conftest import WINDOW

OAUTH = AuthType.OAUTH


def read(gateway, number=1):
    return gateway.read_availability([f"owner{number:04}@corp.example"], WINDOW)


def failure_of(gateway):
    with pytest.raises(BusyTimeError) as caught:
        gateway.probe()
    assert caught.value.__context__ is None
    return caught.value


def test_one_token_serves_all_threads_and_acts_as_the_dedicated_mailbox_alone(building, guard):
    gateway = building.open(OAUTH, guard)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: read(gateway, number), range(1, 25)))
    log = building.log()
    assert [entry["operation"] for entry in log].count("token") == 1
    assert {entry["caller"] for entry in log if entry["operation"] != "token"} == {building.sandbox.email}
    assert {entry["scheme"] for entry in log if entry["operation"] != "token"} == {"bearer"}
    assert (guard.log_ons, guard.others) == (1, 24)


def test_token_is_renewed_before_it_ends(building, guard):
    building.limits(token_life_s=0.2)  # so told as no second at all: half of that is the margin
    gateway = building.open(OAUTH, guard)
    failure = failure_of(gateway)
    assert failure.reason is Reason.MALFORMED_ANSWER
    building.limits(token_life_s=2)
    for _ in range(3):
        gateway.probe()
    gateway._transport._log_on._tokens._renew_at = 0.0  # as if most of its life had gone by
    gateway.probe()
    assert [entry["operation"] for entry in building.log()].count("token") == 3
    assert 401 not in {entry["http_status"] for entry in building.log()}


def test_token_that_ends_in_mid_run_is_renewed_and_the_request_sent_once_more(building, guard):
    gateway = building.open(OAUTH, guard)
    gateway.probe()
    gateway._transport._log_on._tokens._value = "unknown-to-the-server"
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: read(gateway, number), range(1, 17)))
    assert (guard.open, building.refused()) == (False, 0)
    assert [entry["operation"] for entry in building.log()].count("token") == 2


def test_tokens_that_end_while_eight_threads_read_stop_nobody(building, guard):
    building.limits(token_life_s=1)
    gateway = building.open(OAUTH, guard)
    gateway.probe()
    gateway._transport._log_on._tokens._renew_at += 3600  # the clocks differ: the server ends it, and nobody expected it
    until = time.monotonic() + 1.5

    def read_on(number):
        while time.monotonic() < until:
            read(gateway, number)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(read_on, range(1, 9)))
    refused = [status for operation, _, status in building.seen() if operation != "token" and status != 200]
    assert 1 <= len(refused) <= 8
    assert [entry["operation"] for entry in building.log()].count("token") in (2, 3)
    assert (guard.open, building.refused()) == (False, 0)


def test_second_refusal_of_a_token_ends_it(building, guard):
    gateway = building.open(OAUTH, guard)
    building.sandbox.control("POST", "/faults", {"kind": "http_401", "operation": "GetFolder", "share": 1.0})
    error = failure_of(gateway)
    assert (type(error), error.reason, guard.open) == (AuthenticationError, Reason.LOGON_REFUSED, True)
    assert "--tenant" in str(error)
    assert [(scheme, status) for operation, scheme, status in building.seen() if operation != "token"] == [("bearer", 401)] * 2
    assert guard.refusals == 1


@pytest.mark.parametrize(
    ("change", "number", "words"),
    [
        ({"client_secret": "another"}, "AADSTS7000215", "the client secret is wrong"),
        ({"expired": True}, "AADSTS7000222", "the client secret has expired"),
    ],
)
def test_secret_that_is_refused_opens_the_breaker_once_for_all_threads(building, guard, change, number, words):
    building.register(**change)
    gateway = building.open(OAUTH, guard)

    def failure(owner):
        with pytest.raises((AuthenticationError, BreakerOpenError)) as caught:
            read(gateway, owner)
        return caught.value

    with ThreadPoolExecutor(8) as threads:
        errors = [error for error in threads.map(failure, range(1, 17)) if isinstance(error, AuthenticationError)]
    assert building.refused() == guard.refusals == 1
    assert {(error.reason, error.detail) for error in errors} == {(Reason.LOGON_REFUSED, number)}
    assert words in str(errors[0])
    assert "busytime password busytime@corp.example" in str(errors[0])


def test_unknown_application_and_unknown_tenant_are_told_apart(building, guard):
    error = failure_of(building.open(OAUTH, guard, secret=Secret("11111111-2222-3333-4444-555555555555", "x")))
    assert (type(error), error.detail) == (AuthenticationError, "AADSTS700016")
    assert "--client-id" in str(error)
    guard.open = False
    other = (
        building.token_url()
        .replace(building.application["tenant"], "nobody.example")
        .replace(building.application["tenant_id"], "nobody.example")
    )
    error = failure_of(building.open(OAUTH, guard, token_url=other))
    assert (type(error), error.detail) == (AuthenticationError, "AADSTS90002")
    assert "--tenant" in str(error)


def test_application_without_permission_is_blocked_and_closes_nothing(building, guard):
    building.register(permitted=False)
    error = failure_of(building.open(OAUTH, guard))
    assert (type(error), error.reason, guard.open) == (UnsupportedServerError, Reason.EWS_BLOCKED, False)


def test_server_that_takes_no_tokens_offers_others(building, guard):
    building.limits(auth=["ntlm"])
    error = failure_of(building.open(OAUTH, guard))
    assert (error.reason, guard.open) == (Reason.NO_LOGON_METHOD, False)
    assert "--auth ntlm" in str(error)


def test_no_mailbox_to_act_as_is_said(building, guard):
    error = failure_of(building.open(OAUTH, guard, email="nobody@corp.example"))
    assert (type(error), error.reason) == (UnsupportedServerError, Reason.NO_MAILBOX)
