"""Who may ask Prefect's page and API where no log-on is demanded: this machine's own page and programs."""

import pytest

from deployments.page_guard import is_own

OWN = {"host": "127.0.0.1:4200"}
ALLOWED = {
    "a program": OWN,
    "the page itself": OWN | {"origin": "http://127.0.0.1:4200", "sec-fetch-site": "same-origin"},
    "typed by a person": OWN | {"sec-fetch-site": "none"},
    "by its name": {"host": "localhost:4200", "origin": "http://localhost:4200"},
    "by IPv6": {"host": "[::1]:4200", "origin": "http://[::1]:4200"},
}
REFUSED = {
    "another site": OWN | {"origin": "https://evil.example"},
    "another site without its name": OWN | {"origin": "null"},
    "a request that names no origin": OWN | {"sec-fetch-site": "cross-site"},
    "another server of this machine": OWN | {"origin": "http://127.0.0.1:8080", "sec-fetch-site": "same-site"},
    "a name that was made to mean this machine": {"host": "evil.example:4200"},
    "a name that begins like it": {"host": "127.0.0.1.evil.example"},
    "a name with a log-on": {"host": "127.0.0.1@evil.example"},
    "no name": {},
    "no address": {"host": "[127.0.0.1"},
}


@pytest.mark.parametrize("headers", ALLOWED.values(), ids=ALLOWED)
def test_own_requests_are_answered(headers):
    assert is_own("/api/flow_runs/count", headers)


@pytest.mark.parametrize("headers", REFUSED.values(), ids=REFUSED)
def test_requests_of_others_are_refused(headers):
    assert not is_own("/api/flow_runs/count", headers)


def test_a_link_elsewhere_may_lead_to_the_page_but_not_to_the_api():
    link = OWN | {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert is_own("/v2/deployments", link)
    assert not is_own("/api/flow_runs/filter", link)
