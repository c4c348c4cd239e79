from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.contract.sandbox.client import Client
from tests.sandbox_fixture import RunningSandbox, running_sandbox

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox("--owners", "3") as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def usual_limits(shared_sandbox):
    return shared_sandbox.control("GET", "/limits")


@pytest.fixture
def sandbox(shared_sandbox, usual_limits) -> Iterator[RunningSandbox]:
    """The shared sandbox, its policy put back and its faults gone afterwards."""
    yield shared_sandbox
    shared_sandbox.control("DELETE", "/faults")
    shared_sandbox.control("POST", "/limits", usual_limits)


@pytest.fixture
def client(sandbox) -> Iterator[Client]:
    """The dedicated mailbox's connection."""
    client = Client(sandbox)
    yield client
    client.close()


@pytest.fixture
def owner(sandbox) -> str:
    """An owner of this test alone, with an empty calendar shared as Editor."""
    address = f"person{next(_numbers)}@corp.example"
    sandbox.control("POST", "/mailbox", {"owner": address, "kind": "person"})
    return address


@pytest.fixture
def stranger(sandbox) -> Iterator[Client]:
    """Somebody else's connection, without any right of its own."""
    address = f"stranger{next(_numbers)}@corp.example"
    sandbox.control("POST", "/password", {"email": address, "password": "a-password-of-its-own"})
    client = Client(sandbox, address, "a-password-of-its-own")
    yield client
    client.close()


@pytest.fixture
def book(sandbox, owner):
    """Put an appointment into the owner's calendar; times default to a morning in March 2030."""

    def book(start="2030-03-04T09:00:00+00:00", end="2030-03-04T10:00:00+00:00", **more):
        body = {"owner": owner, "start": start, "end": end, "subject": "Zanderfall", **more}
        return sandbox.control("POST", "/appointments", body)["id"]

    return book
