"""Messages reach a real mail server and a real webhook; what misbehaves is told apart and shows no address to anybody."""

import logging
import re
import socket
import ssl
import time
import tomllib
from pathlib import Path

import pytest
from pydantic import SecretStr

from busytime.alarm_words import Message
from busytime.errors import ConfigurationError
from config.settings import Settings
from deployments.sandbox import certificates
from tasks.receivers import open_receivers, send
from tests.integration.alarms.receiving import Webhook, serving, text_of

MESSAGE = Message(
    "busytime: alarm: 1 new", "New:\n\n- Breaker opened: <a@b.example> & :smile: since …\n  Run `busytime password`."
)


def receivers(*addresses):
    return open_receivers(Settings(alarm_urls=tuple(map(SecretStr, addresses))))


def kinds(sent):
    return [fault and fault.kind for fault in sent.values()]


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_mail_and_a_webhook_get_title_and_body_as_plain_text(mail, hook):
    taken = send(dict.fromkeys(receivers(mail.address(), hook.address()), MESSAGE))
    assert {str(it): fault for it, fault in taken.items()} == {"receiver 1 (mailto)": None, "receiver 2 (json)": None}
    [got] = mail.mails
    assert got["Subject"] == MESSAGE.title
    assert got["To"] == "admin@corp.example"
    assert text_of(got).replace("\r\n", "\n").strip() == MESSAGE.body
    [body] = hook.bodies
    assert (body["title"], body["message"]) == (MESSAGE.title, MESSAGE.body)


def test_one_that_is_away_or_refuses_does_not_keep_it_from_the_others(mail, hook):
    away = f"json://127.0.0.1:{closed_port()}"
    mail.refuses = True
    taken = send(dict.fromkeys(receivers(away, mail.address(), hook.address()), MESSAGE))
    assert kinds(taken) == ["connection_refused", "not_taken", None]
    assert len(hook.bodies) == 1


@pytest.mark.parametrize("status", [500, 401, 404])
def test_a_webhook_that_answers_with_an_error_has_not_taken_it(hook, status):
    hook.status = status
    [fault] = send(dict.fromkeys(receivers(hook.address()), MESSAGE)).values()
    assert (fault.kind, fault.http_status) == ("logon_refused" if status == 401 else "http_status", status)


def test_what_is_in_the_way_is_told_apart(mail, tmp_path):
    certificate = certificates.create(tmp_path, self_signed=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)
    with serving(Webhook()) as hook:
        hook.socket = context.wrap_socket(hook.socket, server_side=True)
        addresses = (
            "json://no.such.name.invalid/hunter2",
            hook.address().replace("json:", "jsons:"),
            mail.address(user="admin:hunter2@"),
        )
        faults = send(dict.fromkeys(receivers(*addresses), MESSAGE))
    assert kinds(faults) == ["name_not_resolved", "certificate_not_trusted", "logon_refused"]
    assert not re.search("hunter2|invalid|127", " ".join(f"{fault} {fault.next}" for fault in faults.values()))


def test_one_that_never_answers_holds_nobody_up_beyond_the_deadline(hook, mail):
    hook.may_answer.clear()
    began = time.monotonic()
    taken = send(dict.fromkeys(receivers(hook.address(), mail.address()), MESSAGE), seconds=1)
    assert time.monotonic() - began < 3
    assert kinds(taken) == ["no_answer_in_time", None]


@pytest.mark.parametrize("bad", ["hunter2", "nonsense://hunter2", "json://", "mailto://hunter2", ""])
def test_a_bad_address_is_named_by_its_position_and_never_shown(hook, bad):
    with pytest.raises(ConfigurationError, match="alarm_urls: address 2 is none") as raised:
        receivers(hook.address(), bad)
    assert "hunter2" not in str(raised.value)


def test_no_address_is_in_a_log_or_a_representation(hook, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    hook.status = 500
    found = receivers(hook.address(secret="hunter2"))
    send(dict.fromkeys(found, MESSAGE))
    with pytest.raises(ConfigurationError):
        receivers("json://hunter2@")
    shown = (
        caplog.text
        + repr(found)
        + str(found)
        + repr(Settings(alarm_urls=(SecretStr(hook.address()),)))
        + "".join(capfd.readouterr())
    )
    assert "hunter2" not in shown
    assert "/hook" not in shown


def test_the_addresses_in_the_docs_are_good():
    text = (Path(__file__).parents[3] / "docs" / "operations.md").read_text(encoding="utf-8")
    [example] = re.findall(r"```toml\n(alarm_urls.*?)```", text, re.DOTALL)
    assert [it.kind for it in receivers(*tomllib.loads(example)["alarm_urls"])] == ["mailtos", "jsons", "ntfys"]
