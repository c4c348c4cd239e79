"""exchangelib's own friendly calls against the sandbox, unchanged."""

from __future__ import annotations

from datetime import timedelta

import exchangelib
import pytest
import requests.adapters
from exchangelib.protocol import BaseProtocol


@pytest.fixture
def configuration(sandbox, monkeypatch):
    class Adapter(requests.adapters.HTTPAdapter):
        def send(self, *args, **kwargs):
            kwargs["verify"] = sandbox.ca_file
            return super().send(*args, **kwargs)

    monkeypatch.setattr(BaseProtocol, "HTTP_ADAPTER_CLS", Adapter)
    yield exchangelib.Configuration(
        service_endpoint=sandbox.ews_url,
        credentials=exchangelib.Credentials(sandbox.email, sandbox.password),
        auth_type=exchangelib.BASIC,
    )
    exchangelib.close_connections()


def account(configuration, address: str) -> exchangelib.Account:
    return exchangelib.Account(
        primary_smtp_address=address,
        config=configuration,
        autodiscover=False,
        access_type=exchangelib.DELEGATE,
    )


def window(zone: str) -> tuple[exchangelib.EWSDateTime, exchangelib.EWSDateTime]:
    start = exchangelib.EWSDateTime(2030, 3, 1, tzinfo=exchangelib.EWSTimeZone(zone))
    return start, start + timedelta(days=40)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Los_Angeles", "Asia/Tokyo", "Australia/Sydney"])
def test_get_free_busy_info_reads_the_right_instants_in_any_zone(configuration, sandbox, owner, book, zone):
    book(rrule="FREQ=WEEKLY;COUNT=5")
    start, end = window(zone)
    (view,) = account(configuration, sandbox.email).protocol.get_free_busy_info(
        [(owner, "Required", False)], start=start, end=end
    )
    assert view.view_type == "DetailedMerged"
    utc = exchangelib.EWSTimeZone("UTC")
    found = [one.start.astimezone(utc).isoformat() for one in view.calendar_events]
    assert found == [f"2030-{day}T09:00:00+00:00" for day in ("03-04", "03-11", "03-18", "03-25", "04-01")]


def test_a_delegate_reads_a_calendar_view(configuration, owner, book):
    book(rrule="FREQ=DAILY;COUNT=3", subject="Daily")
    start, end = window("UTC")
    items = list(account(configuration, owner).calendar.view(start=start, end=end))
    assert [(one.subject, one.start.day, one.type) for one in items] == [("Daily", day, "Occurrence") for day in (4, 5, 6)]
    assert items[0].organizer.email_address == owner


def test_version_guessing_succeeds_with_one_request(configuration, sandbox):
    before = sandbox.log()[-1]["n"] if sandbox.log() else 0
    assert account(configuration, sandbox.email).version.build.major_version == 15
    assert [one["operation"] for one in sandbox.log(before)] == ["ConvertId"]


def test_names_are_resolved(configuration, sandbox, owner):
    protocol = account(configuration, sandbox.email).protocol
    # Guessed now: exchangelib's ResolveNames cannot do without.
    assert protocol.version
    (mailbox,) = protocol.resolve_names([owner])
    assert (mailbox.email_address, mailbox.mailbox_type) == (owner, "Mailbox")


def test_sub_calendars_are_found_by_walking(configuration, sandbox, owner):
    sandbox.control("POST", "/calendars", {"owner": owner, "folder": "Projects"})
    assert [one.name for one in account(configuration, owner).calendar.children] == ["Projects"]


def test_a_wrong_password_is_one_refused_log_on(configuration, sandbox):
    configuration = exchangelib.Configuration(
        service_endpoint=sandbox.ews_url,
        credentials=exchangelib.Credentials(sandbox.email, "wrong"),
        auth_type=exchangelib.BASIC,
        version=exchangelib.Version(exchangelib.Build(15, 1)),
    )
    last = sandbox.log()[-1]["n"] if sandbox.log() else 0
    with pytest.raises(exchangelib.errors.UnauthorizedError):
        account(configuration, sandbox.email).protocol.resolve_names(["anyone"])
    assert [one["refused_logon"] for one in sandbox.log(last)] == [True]
