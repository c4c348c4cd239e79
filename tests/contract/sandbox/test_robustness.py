"""Hostile and broken requests, and the small operations."""

from __future__ import annotations

import contextlib
import gzip

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deployments.sandbox.soap import SoapFault, attribute, parse, text
from tests.contract.sandbox.client import NS, UTC_ZONE, calendar_of

SPACES = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NS.items())
BOMB = (
    b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>'
)
ENVELOPE = f"<s:Envelope {SPACES}><s:Body>{{}}</s:Body></s:Envelope>"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"rubbish",
        b"<html/>",
        b"\x00\x01\x02",
        BOMB + ENVELOPE.format("<m:GetFolder>&c;</m:GetFolder>").encode(),
        b'<?xml version="1.0" encoding="utf-16"?>' + BOMB,
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd">' + ENVELOPE.format("<m:GetFolder/>").encode(),
        ENVELOPE.format("").encode(),
        ENVELOPE.format("<x/>").encode(),
        ENVELOPE.format("<m:GetFolder/><m:GetFolder/>").encode(),
        ENVELOPE.format("<m:NoSuchOperation/>").encode(),
        ENVELOPE.format("<m:GetFolder/>").encode(),
        ENVELOPE.format("<m:FindItem/>").encode(),
        ENVELOPE.format("<m:FindFolder/>").encode(),
        ENVELOPE.format("<m:GetItem/>").encode(),
        ENVELOPE.format("<m:ResolveNames/>").encode(),
        ENVELOPE.format("<m:GetUserAvailabilityRequest/>").encode(),
        b"<a>" * 100_000,
    ],
)
def test_rubbish_gets_a_soap_fault(client, body):
    answer = client.raw(body)
    assert answer.fault == "ErrorSchemaValidation"
    assert b"Traceback" not in answer.body
    assert b"root:" not in answer.body


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [("/", "POST", 404), ("/owa/", "GET", 404), ("/EWS/Exchange.asmx", "GET", 405), ("/ews/exchange.asmx", "POST", 500)],
)
def test_other_addresses_and_methods(client, path, method, status):
    assert client.raw(b"", path=path, method=method).status == status


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<t:Bias>0</t:Bias>", "<t:Bias>x</t:Bias>"),
        ("<t:DayOfWeek>Sunday", "<t:DayOfWeek>Someday"),
        ("<t:Month>0", "<t:Month>13"),
        ("<t:Time>00:00:00", "<t:Time>noon"),
        ("<t:DaylightTime>", "<t:DaylightTimes>"),
    ],
)
def test_a_broken_time_zone_is_refused(client, owner, old, new):
    zone = UTC_ZONE.replace(old, new).replace(
        "</t:DaylightTime>", "</t:DaylightTimes>" if "Times>" in new else "</t:DaylightTime>"
    )
    assert zone != UTC_ZONE
    assert client.availability(owner, zone=zone).fault == "ErrorSchemaValidation"


@pytest.mark.parametrize(
    "moment", ["2030-02-30T00:00:00", "2030-01-01", "soon", "", "0000-01-01T00:00:00", "2030-01-01T25:00:00"]
)
def test_a_broken_time_is_refused(client, owner, moment):
    assert client.availability(owner, start=moment).fault == "ErrorSchemaValidation"
    assert client.view(calendar_of(owner), start=moment).fault == "ErrorSchemaValidation"


@pytest.mark.parametrize("year", ["0001", "9999"])
def test_the_ends_of_time_are_no_trouble(client, owner, book, year):
    book(rrule="FREQ=DAILY;COUNT=3")
    answer = client.availability(owner, start=f"{year}-12-01T00:00:00", end=f"{year}-12-02T00:00:00")
    assert answer.codes == ["NoError"]
    assert answer.all(".//t:CalendarEvent") == []


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda one: ENVELOPE.format(one).encode("utf-8", "replace"))))
def test_no_body_whatever_raises_anything_but_a_fault(body):
    # Any other exception ends the test.
    with contextlib.suppress(SoapFault):
        assert parse(body).element is not None


@given(st.text(max_size=50))
def test_any_text_becomes_valid_xml(value):
    document = f"<s:Envelope {SPACES}><s:Body><m:X a={attribute(value)}>{text(value)}</m:X></s:Body></s:Envelope>"
    assert parse(document.encode()).operation == "X"


def test_resolve_names_finds_by_address_and_by_its_beginning(client, owner):
    def resolve(entry: str):
        return client.call(
            f'<m:ResolveNames ReturnFullContactData="false"><m:UnresolvedEntry>{entry}</m:UnresolvedEntry></m:ResolveNames>'
        )

    assert resolve(owner.upper()).texts(".//t:EmailAddress") == [owner]
    several = resolve("owner000")
    assert several.codes == ["ErrorNameResolutionMultipleResults"]
    assert several.texts(".//t:EmailAddress")[:3] == [f"owner000{n}@corp.example" for n in (1, 2, 3)]
    assert resolve("zzz").codes == ["ErrorNameResolutionNoResults"]


def test_groups_are_named_as_such(client, sandbox, owner):
    sandbox.control("POST", "/mailbox", {"owner": owner, "kind": "group", "members": []})
    answer = client.call(
        f'<m:ResolveNames ReturnFullContactData="false"><m:UnresolvedEntry>{owner}</m:UnresolvedEntry></m:ResolveNames>'
    )
    assert answer.texts(".//t:MailboxType") == ["PublicDL"]


def test_time_zones_are_told_whole_or_by_name_and_only_those_asked_for(client, sandbox):
    def zones(full: str, *ids: str):
        asked = "".join(f"<t:Id>{one}</t:Id>" for one in ids)
        return client.call(
            f'<m:GetServerTimeZones ReturnFullTimeZoneData="{full}">{f"<m:Ids>{asked}</m:Ids>" if asked else ""}'
            "</m:GetServerTimeZones>"
        )

    everything = zones("true")
    assert len(everything.all(".//t:TimeZoneDefinition")) >= 10
    assert len(everything.all(".//t:Periods")) == len(everything.all(".//t:TimeZoneDefinition"))
    short = zones("false", "UTC", "Tokyo Standard Time", "Middle Earth Standard Time")
    assert [one.get("Id") for one in short.all(".//t:TimeZoneDefinition")] == ["UTC", "Tokyo Standard Time"]
    assert short.all(".//t:Periods") == []
    sandbox.control("POST", "/limits", {"server_time_zones": False})
    assert zones("true").fault == "ErrorInvalidRequest"


def test_the_schema_is_at_hand():
    from tests.contract.sandbox.client import require_schema, validate

    require_schema()
    with pytest.raises(Exception, match=r"not expected|No matching"):
        validate(parse(ENVELOPE.format("<m:GetFolderResponse><m:Nonsense/></m:GetFolderResponse>").encode()).element)


def test_answers_are_packed_only_if_the_policy_and_the_client_say_so(client, sandbox, owner):
    plain = client.availability(owner)
    assert "content-encoding" not in plain.headers
    sandbox.control("POST", "/limits", {"gzip": True})
    assert "content-encoding" not in client.availability(owner).headers
    client.headers["Accept-Encoding"] = "gzip, deflate"
    packed = client.raw(client.last_body)
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
