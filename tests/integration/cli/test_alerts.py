"""`busytime alerts test` tells which receivers took a message; with none set it says how to set one."""

import json

import pytest

from deployments.cli.main import main
from tests.integration.alarms.conftest import hook, mail
from tests.integration.alarms.receiving import text_of

__all__ = ["hook", "mail"]


@pytest.fixture
def alerts_test(monkeypatch, capsys):
    """Run the command with some receivers; return its status, output and messages."""

    def run(*addresses, options=()):
        monkeypatch.setenv("BUSYTIME_ALARM_URLS", json.dumps(addresses))
        status = main(["alerts", "test", *options])
        shown = capsys.readouterr()
        assert not any(address in shown.out + shown.err for address in addresses)
        return status, shown.out, shown.err

    return run


def test_each_receiver_gets_one_message(alerts_test, mail, hook):
    status, out, _ = alerts_test(mail.address(), hook.address())
    assert (status, out.splitlines()) == (0, ["receiver 1 (mailto): sent", "receiver 2 (json): sent"])
    assert "This is a test" in text_of(mail.mails[0])
    assert hook.bodies[0]["title"] == "busytime: a test"


def test_one_that_did_not_take_it_is_named(alerts_test, mail, hook):
    hook.status = 500
    status, out, _ = alerts_test(mail.address(), hook.address())
    assert status == 3
    assert "receiver 1 (mailto): sent\nreceiver 2 (json): not sent: it answered with HTTP status 500. Check the path" in out


def test_as_json(alerts_test, mail, hook):
    mail.refuses = True
    hook.status = 500
    status, out, _ = alerts_test(mail.address(), hook.address(), options=["--json"])
    assert status == 1
    told = [
        {"position": 1, "kind": "mailto", "sent": False, "fault": "not_taken", "http_status": None},
        {"position": 2, "kind": "json", "sent": False, "fault": "http_status", "http_status": 500},
    ]
    assert json.loads(out) == {"receivers": told}


def test_without_any_the_next_step_is_named(alerts_test):
    status, out, err = alerts_test()
    assert (status, out) == (2, "")
    assert "write alarm_urls into busytime.toml" in " ".join(err.split())


def test_a_bad_address_is_refused_before_anything_is_sent(alerts_test, hook):
    status, _, err = alerts_test(hook.address(), "json://")
    assert status == 2
    assert "address 2" in err
    assert hook.bodies == []
