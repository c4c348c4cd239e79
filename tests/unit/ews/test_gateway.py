"""What a gateway refuses before anything is sent, and what it asks for."""

import pickle
from contextlib import nullcontext
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from busytime.errors import BusyTimeError, ConfigurationError
from busytime.ews import EWSCalendarGateway, envelopes
from busytime.ews.session import check_url
from busytime.model import AuthType, Endpoint, Secret, Window

WINDOW = Window(datetime(2026, 11, 23, tzinfo=UTC), datetime(2026, 12, 23, tzinfo=UTC))
TOKEN_URL = "https://login.example/tenant/oauth2/v2.0/token"
SECRET = Secret("busytime@corp.example", "correct-horse-battery")


class Guard:
    def permit(self, *, log_on=True):  # noqa: ARG002
        return nullcontext()


def gateway(url="https://mail.corp.example/EWS/Exchange.asmx", **more):
    return EWSCalendarGateway(Endpoint("busytime@corp.example", url, **more), SECRET, Guard())


@pytest.mark.parametrize(
    "url",
    [
        "https://mail.corp.example/EWS/Exchange.asmx",
        "HTTPS://mail.corp.example:8443/x",
        "http://127.0.0.1:8080/EWS/Exchange.asmx",
        "http://127.8.9.1/",
        "http://[::1]:80/",
        "http://localhost/",
    ],
)
def test_usable_addresses(url):
    assert check_url(url)
    gateway(url).close()


@pytest.mark.parametrize(
    "url",
    [
        "http://mail.corp.example/EWS/Exchange.asmx",
        "http://127.0.0.1.example/",
        "http://localhost.example/",
        "http://0.0.0.0/",
        "ftp://127.0.0.1/",
        "mail.corp.example",
        "https://",
        "https:///path",
        "https://[bad/",
        "https://host:port/",
        "https://user:secret-in-url@mail.corp.example/",
        "",
    ],
)
def test_addresses_that_no_password_goes_to(url):
    with pytest.raises(ConfigurationError) as caught:
        gateway(url)
    assert "secret-in-url" not in str(caught.value)


@pytest.mark.parametrize("token_url", [None, "http://login.example/token", "https://user:secret-in-url@login.example/"])
def test_no_secret_goes_where_no_token_can_come_from(token_url):
    with pytest.raises(ConfigurationError, match=r"--tenant|token's address") as caught:
        gateway(auth_type=AuthType.OAUTH, token_url=token_url)
    assert "secret-in-url" not in str(caught.value)


@pytest.mark.parametrize("auth_type", AuthType)
def test_gateway_and_all_that_knows_its_secret_are_not_pickled(auth_type):
    opened = gateway(auth_type=auth_type, token_url=TOKEN_URL)
    for thing in (opened, opened._transport, opened._transport.pool, opened._transport._log_on):
        with pytest.raises(TypeError, match="password"):
            pickle.dumps(thing)
    opened.close()


@pytest.mark.parametrize("auth_type", AuthType)
def test_secret_is_in_no_representation(auth_type):
    opened = gateway(auth_type=auth_type, token_url=TOKEN_URL)
    for thing in (opened, opened._transport, opened._transport.pool, opened._transport._log_on):
        assert SECRET.password not in repr(thing)
    opened.close()


def test_two_gateways_share_no_session():
    one, other = gateway(), gateway()
    assert one._transport.pool.get_session() is not other._transport.pool.get_session()
    one.close()
    other.close()


def test_session_knows_nothing_of_the_environment():
    opened = gateway()
    session = opened._transport.pool.get_session()
    assert session.trust_env is False
    assert {type(adapter).__name__ for adapter in session.adapters.values()} == {"_Adapter"}
    session.close()


def test_closed_gateway_sends_nothing():
    opened = gateway()
    opened.close()
    with pytest.raises(BusyTimeError):
        opened.probe()


def test_availability_asks_for_no_details_in_a_complete_utc():
    sent = etree.fromstring(envelopes.availability(["ana@corp.example", "bo@corp.example"], WINDOW))
    assert [node.text for node in sent.iter("{*}Address")] == ["ana@corp.example", "bo@corp.example"]
    assert [node.text for node in sent.iter("{*}RequestedView")] == ["FreeBusy"]
    assert [node.text for node in sent.iter("{*}Bias")] == ["0", "0", "0"]
    assert [sent.findtext(f".//{{*}}{name}") for name in ("StartTime", "EndTime")] == [
        "2026-11-23T00:00:00Z",
        "2026-12-23T00:00:00Z",
    ]


def test_request_for_one_window_leaves_no_trace_in_the_next():
    first = envelopes.availability(["ana@corp.example"], WINDOW)
    envelopes.availability(["bo@corp.example", "cy@corp.example"], WINDOW)
    assert envelopes.availability(["ana@corp.example"], WINDOW) == first


def test_end_of_a_window_is_rounded_up():
    window = Window(WINDOW.start, WINDOW.end.replace(microsecond=1))
    sent = etree.fromstring(envelopes.availability(["ana@corp.example"], window))
    assert sent.findtext(".//{*}EndTime") == "2026-12-23T00:00:01Z"


@given(st.text(min_size=1, max_size=30))
def test_any_address_is_carried_or_refused(address):
    try:
        sent = etree.fromstring(envelopes.availability([address], WINDOW))
        folder = etree.fromstring(envelopes.get_distinguished("calendar", address))
    except ConfigurationError:
        assert not address.isprintable()
        return
    assert sent.findtext(".//{*}Address") == address
    assert folder.findtext(".//{*}EmailAddress") == address


@given(st.text(min_size=1, max_size=30))
def test_any_folder_id_is_carried_or_refused(folder_id):
    try:
        sent = etree.fromstring(envelopes.calendar_view(envelopes.calendar_folder("", folder_id), WINDOW))
    except ConfigurationError:
        assert not folder_id.isprintable()
        return
    assert sent.find(".//{*}FolderId").get("Id") == folder_id
