"""What every test stands on: no environment from outside, no network beyond this machine, and known randomness."""

import os

import pytest
from hypothesis import HealthCheck, settings

_OURS = ("BUSYTIME_", "PREFECT_")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "ftp_proxy")

settings.register_profile("dev", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("dev"), max_examples=50, derandomize=True, print_blob=True)
settings.register_profile("deep", parent=settings.get_profile("dev"), max_examples=500, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


def foreign(name: str) -> bool:
    """Tell whether an environment variable could change what a test sees."""
    return name.startswith(_OURS) or name.lower() in _PROXIES


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    # Here and not in a fixture: fixtures that live longer than a test start before a test's own.
    for name in filter(foreign, list(os.environ)):
        del os.environ[name]
    # Sockets of Python go to this machine only; what starts a process of its own has to keep to that by itself.
    config.option.allow_hosts = "127.0.0.1,::1,localhost"
    config.option.allow_unix_socket = True


#: Folders whose tests start processes or run whole flows.
_SLOW = ("tests/integration/cli/", "tests/flows/", "tests/integration/pushing/", "tests/integration/log_on/")


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="only the long tests, which `make test` leaves to `make proofs`")


def is_long(item):
    """Tell whether a test is marked as long, be it in the variant that it is."""
    variant = item.callspec.params if hasattr(item, "callspec") else {}
    return any(mark.kwargs.items() <= variant.items() for mark in item.iter_markers("long"))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    kept, left = [], []
    for item in items:
        (kept if is_long(item) == config.getoption("--long") else left).append(item)
    config.hook.pytest_deselected(items=left)
    # The slow ones first, in whatever order they are: so no worker is left alone with one of them at the end.
    items[:] = sorted(kept, key=lambda item: not item.nodeid.startswith(_SLOW))


@pytest.fixture(autouse=True)
def _apart(monkeypatch, tmp_path_factory):
    """Give each test a home and a working directory of its own, and take away what another one left in the environment."""
    for name in filter(foreign, list(os.environ)):
        monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.chdir(home)
