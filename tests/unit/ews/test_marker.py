"""The marker on items, and other properties of our own asking."""

import re
from pathlib import Path

import pytest
from exchangelib.items import CalendarItem
from lxml import etree

from busytime.errors import ConfigurationError
from busytime.ews import envelopes, envelopes_looking, envelopes_sharing, envelopes_writing, item_values, marker
from tests.unit.ews.answers import element

SHARING = "00062040-0000-0000-C000-000000000046"


def item(attributes, value="<t:Value>one/BK-1</t:Value>"):
    return element(
        f'<t:CalendarItem><t:ExtendedProperty><t:ExtendedFieldURI {attributes} PropertyType="String"/>{value}'
        "</t:ExtendedProperty></t:CalendarItem>"
    )


def test_property_set_is_the_one_that_is_written_down():
    written = (Path(__file__).parents[3] / "docs" / "marker.md").read_text()
    assert re.search(r"`([0-9a-f-]{36})`", written)[1] == marker.PROPERTY_SET
    assert f"`{marker.KEY}`" in written
    assert f"`{marker.REVISION}`" in written


@pytest.mark.parametrize("change", [str, str.upper, str.lower])
def test_key_is_read_in_any_case_of_its_name_and_exactly_in_its_value(change):
    names = f'PropertySetId="{change(marker.PROPERTY_SET)}" PropertyName="{change(marker.KEY)}"'
    assert marker.key_of(item(names, "<t:Value>One/bk-1 </t:Value>")) == "One/bk-1 "


@pytest.mark.parametrize(
    "attributes",
    [
        f'PropertySetId="{marker.PROPERTY_SET}" PropertyName="{marker.REVISION}"',
        f'PropertySetId="{SHARING}" PropertyName="{marker.KEY}"',
        f'DistinguishedPropertySetId="PublicStrings" PropertyName="{marker.KEY}"',
        'PropertyTag="0x1"',
    ],
)
def test_other_properties_are_no_key(attributes):
    assert marker.key_of(item(attributes)) is None


def test_empty_key_is_a_key():
    names = f'PropertySetId="{marker.PROPERTY_SET}" PropertyName="{marker.KEY}"'
    assert marker.key_of(item(names, "<t:Value/>")) == ""
    assert marker.key_of(item(names, "")) == ""


@pytest.mark.parametrize("owner", ['DistinguishedPropertySetId="Sharing"', f'PropertySetId="{SHARING}"'])
def test_well_known_set_is_known_by_name_and_by_id(owner):
    carrier = item(f'{owner} PropertyId="35336"', "<t:Value>ida@partner.example</t:Value>")
    assert marker.property_of(carrier, envelopes_sharing.InitiatorAddress) == "ida@partner.example"
    assert marker.property_of(carrier, envelopes_sharing.RemoteName) is None


def test_items_of_others_know_nothing_of_the_marker():
    assert "busytime_key" not in CalendarItem.FIELDS
    assert "busytime_key" in marker.Entry.FIELDS


def test_no_request_asks_for_a_subject_or_a_body():
    calendar = envelopes.calendar_folder("ana@corp.example", None)
    asked = [
        envelopes_looking.find_items(calendar, envelopes_looking.unmarked(), 5, item_values.FIELDS),
        envelopes_looking.get_item_rights(["a"]),
        envelopes_looking.get_items(["a"], item_values.FIELDS),
        envelopes_sharing.find_sharing_messages("busytime@corp.example"),
        envelopes_sharing.get_sharing_messages(["a"]),
    ]
    for envelope in asked:
        root = etree.fromstring(envelope)
        assert [node.text for node in root.iter("{*}BaseShape")] == ["IdOnly"]
        uris = {node.get("FieldURI") for node in root.iter("{*}FieldURI")}
        assert uris <= {
            "item:EffectiveRights",
            "message:From",
            "message:Sender",
            "item:ResponseObjects",
            "item:ItemClass",
            "item:DateTimeCreated",
            "calendar:Start",
            "calendar:End",
        }


@pytest.mark.parametrize(
    "make",
    [
        lambda text: envelopes_looking.get_rights(text, None),
        lambda text: envelopes_looking.get_rights("ana@corp.example", text),
        lambda text: envelopes_looking.get_item_rights([text]),
        envelopes_looking.marked_by,
        envelopes_looking.marked_as,
        lambda text: envelopes_writing.delete_entries([text]),
        lambda text: envelopes_writing.change_entry(text, None, marker.Entry(subject="x"), ["subject"]),
        envelopes_writing.accept_sharing_invitation,
    ],
)
def test_names_with_control_characters_are_refused(make):
    with pytest.raises(ConfigurationError):
        make("a\x01b")
