"""Faults of writes: what took effect, and what did not."""

from __future__ import annotations

import http.client

import pytest

from tests.contract.sandbox.client import Client, calendar_of
from tests.contract.sandbox.test_control import listed
from tests.contract.sandbox.test_faults import order
from tests.contract.sandbox.writes import create, created, delete, drop, item, update


@pytest.fixture
def lossy(sandbox):
    """Run a write whose answer gets lost, over a connection of its own."""

    def run(kind: str, operation: str, write) -> None:
        order(sandbox, kind, operation=operation, count=1)
        client = Client(sandbox)
        with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
            write(client)
        client.close()

    return run


@pytest.mark.parametrize(("kind", "effect"), [("drop_before", 0), ("drop_after", 1)])
def test_a_create_without_an_answer_may_have_taken_effect(sandbox, owner, lossy, kind, effect):
    lossy(kind, "CreateItem", lambda client: create(client, item(), folder=calendar_of(owner)))
    assert len(listed(sandbox, owner)) == effect
    assert (sandbox.log()[-1]["http_status"], sandbox.log()[-1]["code"]) == (None, kind)


@pytest.mark.parametrize(("kind", "subject"), [("drop_before", "Visit"), ("drop_after", "")])
def test_an_update_without_an_answer_may_have_taken_effect(client, sandbox, owner, lossy, kind, subject):
    made, key = created(client, item(), calendar_of(owner))
    lossy(kind, "UpdateItem", lambda client: update(client, made, key, drop("item:Subject")))
    assert [one["subject"] for one in listed(sandbox, owner)] == [subject]
    second = update(client, made, key, drop("item:Subject")).codes
    assert second == (["NoError"] if kind == "drop_before" else ["ErrorIrresolvableConflict"])


@pytest.mark.parametrize(("kind", "left"), [("drop_before", 1), ("drop_after", 0)])
def test_a_delete_without_an_answer_may_have_taken_effect(client, sandbox, owner, lossy, kind, left):
    made, _ = created(client, item(), calendar_of(owner))
    lossy(kind, "DeleteItem", lambda client: delete(client, made))
    assert len(listed(sandbox, owner)) == left


@pytest.mark.parametrize("kind", ["server_busy", "http_503", "sick_mailbox"])
def test_a_refused_write_has_no_effect(client, sandbox, owner, kind):
    order(sandbox, kind, **({"mailbox": owner} if kind == "sick_mailbox" else {}))
    assert create(client, item(), folder=calendar_of(owner)).status in {500, 503}
    assert listed(sandbox, owner) == []


def test_too_many_opened_objects_refuse_every_write_with_a_valid_answer(client, sandbox, owner):
    made, key = created(client, item(), calendar_of(owner))
    order(sandbox, "too_many_objects")
    answers = [
        create(client, item(), folder=calendar_of(owner)),
        update(client, made, key, drop("item:Subject")),
        delete(client, made),
    ]
    assert [one.codes for one in answers] == [["ErrorTooManyObjectsOpened"]] * 3
    assert [one["subject"] for one in listed(sandbox, owner)] == ["Visit"]
