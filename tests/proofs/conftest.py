"""Takes in the shared fixtures, and lets a proof say its figures and the seed that repeats it."""

from __future__ import annotations

import os
import secrets
import time

import pytest

from tests.flows.fixtures import exchange, person, prefect_api, prefect_home, shared_exchange, usual_limits
from tests.flows.harness import Home
from tests.integration.conftest import postgresql

__all__ = ["exchange", "person", "postgresql", "prefect_api", "prefect_home", "shared_exchange", "usual_limits"]


@pytest.fixture
def seed() -> int:
    """What chance begins with: of its own each time, or `PROOF_SEED` to see the same again."""
    return int(os.environ.get("PROOF_SEED") or secrets.randbelow(2**32))


@pytest.fixture(params=["sqlite", "postgresql"])
def home(request, tmp_path, exchange, prefect_api) -> Home:
    """A connected home on either database."""
    made = Home(tmp_path / "home", exchange, prefect_api)
    if request.param == "postgresql":
        server = request.getfixturevalue("postgresql")
        made.more["BUSYTIME_DATABASE_URL"] = server.url(server.create())
    made.connect().ended(0)
    return made


@pytest.fixture
def tell(capsys, request, seed):
    """Print figures, whether the proof holds or not."""
    begun = time.monotonic()
    said: list[str] = []
    yield said.append
    with capsys.disabled():
        print(f"\n{request.node.name}: {time.monotonic() - begun:.0f} s, PROOF_SEED={seed}", *said, sep="; ")
