"""Faults that tests order."""

from __future__ import annotations

import http.client
import threading
import time

import pytest
from lxml import etree

from deployments.sandbox.faults import Faults
from tests.contract.sandbox.client import NS, Answer, Client, calendar_of


def order(sandbox, kind: str, **more: object) -> int:
    return sandbox.control("POST", "/faults", {"kind": kind, **more})["id"]


@pytest.mark.parametrize(("kind", "status"), [("http_401", 401), ("http_403", 403), ("http_503", 503)])
def test_http_faults(client, sandbox, owner, kind, status):
    order(sandbox, kind)
    assert client.availability(owner).status == status
    entry = sandbox.log()[-1]
    assert (entry["http_status"], entry["code"], entry["refused_logon"]) == (status, kind, False)


@pytest.mark.parametrize(
    ("kind", "code"),
    [("server_busy", "ErrorServerBusy"), ("connection_count", "ErrorExceededConnectionCount")],
)
def test_throttling_faults_are_soap_faults(client, sandbox, owner, kind, code):
    order(sandbox, kind)
    answer = client.get_folder(calendar_of(owner))
    assert (answer.status, answer.texts("//e:ResponseCode")) == (500, [code])
    assert answer.all("//t:Value") == []
    assert sandbox.log()[-1]["code"] == code


def test_a_busy_server_says_how_long_to_wait_if_told(client, sandbox, owner):
    order(sandbox, "server_busy", back_off_ms=1234)
    values = client.get_folder(calendar_of(owner)).all("//detail/t:MessageXml/t:Value[@Name='BackOffMilliseconds']")
    assert [one.text for one in values] == ["1234"]


def test_too_many_objects(client, sandbox, owner):
    order(sandbox, "too_many_objects")
    assert client.get_folder(calendar_of(owner)).codes == ["ErrorTooManyObjectsOpened"]
    assert client.availability(owner).fault == "ErrorTooManyObjectsOpened"


def test_failed_messages_of_every_operation_are_valid(client, sandbox, owner, book):
    item = book()
    order(sandbox, "too_many_objects")
    answers = [
        client.find_folder(calendar_of(owner)),
        client.view(calendar_of(owner)),
        client.get_item(item),
        client.call('<m:ResolveNames ReturnFullContactData="false"><m:UnresolvedEntry>x</m:UnresolvedEntry></m:ResolveNames>'),
        client.call("<m:GetServerTimeZones/>"),
        client.call(
            '<m:ConvertId DestinationFormat="EntryId"><m:SourceIds>'
            '<t:AlternateId Format="EwsId" Id="x" Mailbox="x"/></m:SourceIds></m:ConvertId>'
        ),
    ]
    assert [one.codes for one in answers] == [["ErrorTooManyObjectsOpened"]] * 6


def test_a_fault_strikes_its_operation_only_and_its_count_often(client, sandbox, owner):
    order(sandbox, "http_503", operation="GetFolder", count=2)
    assert client.availability(owner).status == 200
    assert [client.get_folder(calendar_of(owner)).status for _ in range(3)] == [503, 503, 200]


def test_faults_end_when_taken_back(client, sandbox, owner):
    order(sandbox, "http_503")
    sandbox.control("DELETE", "/faults")
    assert client.availability(owner).status == 200


def test_a_share_is_chance_that_repeats_with_the_seed():
    def draw(seed: int) -> list[int]:
        faults = Faults(seed)
        faults.add({"kind": "http_503", "share": 0.25})
        return [len(faults.strike("GetFolder", [])) for _ in range(400)]

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)
    assert 50 < sum(draw(1)) < 150


def test_a_sick_mailbox_fails_every_request_that_names_it(client, sandbox, owner):
    order(sandbox, "sick_mailbox", mailbox=owner.upper())
    assert client.availability("owner0001@corp.example", owner).fault == "ErrorInternalServerError"
    assert client.get_folder(calendar_of(owner)).fault == "ErrorInternalServerError"
    assert client.availability("owner0001@corp.example").status == 200


def test_a_stalled_mailbox_stalls_nobody_else(client, sandbox, owner):
    order(sandbox, "stalled_mailbox", mailbox=owner, seconds=3600)
    stalled = Client(sandbox)
    stalled.connection.timeout = 0.3
    with pytest.raises(TimeoutError):
        stalled.availability(owner)
    stalled.close()
    assert client.availability("owner0001@corp.example").status == 200


def test_who_leaves_a_stalled_request_does_not_occupy_the_server(client, sandbox, owner):
    sandbox.control("POST", "/limits", {"connections": 1})
    order(sandbox, "stalled_mailbox", mailbox=owner, seconds=3600, count=1)
    stalled = Client(sandbox)
    stalled.connection.timeout = 0.3
    with pytest.raises(TimeoutError):
        stalled.availability(owner)
    stalled.close()
    last = sandbox.log()
    while not last or last[-1]["mailboxes"] != [owner]:
        last = sandbox.log()
    assert client.availability(owner).status == 200


def test_a_delay_only_takes_time(client, sandbox, owner):
    order(sandbox, "delay", seconds=0.2)
    before = time.monotonic()
    assert client.availability(owner).codes == ["NoError"]
    # It cannot be faster than the delay, however fast or slow the machine.
    assert time.monotonic() - before >= 0.2


@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
def test_dropped_connections_end_without_an_answer(sandbox, owner, kind):
    order(sandbox, kind, count=1)
    client = Client(sandbox)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        client.availability(owner)
    assert (sandbox.log()[-1]["http_status"], sandbox.log()[-1]["code"]) == (None, kind)
    client.close()
    assert client.availability(owner).status == 200
    client.close()


def test_malformed_answers_are_not_xml(client, sandbox, owner):
    order(sandbox, "malformed")
    answer = client.raw(_request(owner))
    assert answer.status == 200
    with pytest.raises(etree.XMLSyntaxError):
        etree.fromstring(answer.body)


def test_a_dribbled_answer_is_whole_in_the_end(client, sandbox, owner):
    whole = client.raw(_request(owner))
    order(sandbox, "dribble", seconds=0)
    assert client.raw(_request(owner)).body == whole.body


def test_a_dribbled_answer_takes_longer_than_patience(sandbox, owner):
    order(sandbox, "dribble", seconds=1)
    client = Client(sandbox)
    client.connection.connect()
    deadline = threading.Timer(0.5, client.connection.sock.shutdown, [2])
    deadline.start()
    with pytest.raises((http.client.IncompleteRead, OSError)):
        client.raw(_request(owner))
    deadline.join()
    client.close()


def test_more_requests_at_once_than_allowed_are_refused(client, sandbox, owner):
    sandbox.control("POST", "/limits", {"connections": 1, "latency_ms": 500})
    other = Client(sandbox)
    answers: list[Answer] = []
    thread = threading.Thread(target=lambda: answers.append(other.raw(_request(owner))))
    thread.start()
    answers.append(client.raw(_request(owner)))
    thread.join()
    other.close()
    refused = [one for one in answers if one.status == 500]
    assert [one.texts("//e:ResponseCode") for one in refused] == [["ErrorExceededConnectionCount"]]
    assert client.raw(_request(owner)).status == 200


def _request(owner: str) -> bytes:
    spaces = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NS.items())
    return (
        f"<s:Envelope {spaces}><s:Body><m:GetFolder><m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape>"
        f"<m:FolderIds>{calendar_of(owner)}</m:FolderIds></m:GetFolder></s:Body></s:Envelope>"
    ).encode()
