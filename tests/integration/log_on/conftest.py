"""A sandbox for tests of log-ons, and a home that is ready."""

import pytest

from config.settings import load_settings
from tasks.workspace import open_workspace
from tests.sandbox_fixture import running_sandbox


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    home = tmp_path_factory.mktemp("homes") / "template"
    open_workspace(load_settings(home=home)).close()
    return home


@pytest.fixture(scope="session")
def sandbox():
    with running_sandbox("--owners", "2") as sandbox:
        yield sandbox
