"""Real receivers for tests of alarms."""

import pytest

from tests.integration.alarms.receiving import MailServer, Webhook, serving


@pytest.fixture
def mail():
    with serving(MailServer()) as server:
        yield server


@pytest.fixture
def hook():
    with serving(Webhook()) as server:
        yield server
