"""Instants, XML and envelopes, calendar views and folders: what is taken and what is refused."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from busytime.errors import (
    CalendarUnreadableError,
    FolderNotFoundError,
    MailboxNotFoundError,
    PermissionMissingError,
    Reason,
    WindowTooLargeError,
)
from busytime.ews import envelopes
from busytime.ews.body import Unreadable, parse_xml
from busytime.ews.calendar_view import read_calendar_view
from busytime.ews.codes import clean_code
from busytime.ews.failures import Request
from busytime.ews.folders import list_folders
from busytime.ews.soap import NAMESPACES, Refusal, payload_of
from busytime.ews.times import InstantCache, parse_instant
from busytime.folder_path import paths_of
from busytime.model import BusyStatus, FolderList, FoundFolder, Window
from tests.unit.ews.answers import element

WINDOW = Window(datetime(2026, 11, 23, tzinfo=UTC), datetime(2026, 12, 23, tzinfo=UTC))
REQUEST = Request("busytime@corp.example", "https://mail.corp.example/EWS/Exchange.asmx", "Reading a calendar folder")


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-11-24T09:00:00", datetime(2026, 11, 24, 9, tzinfo=UTC)),
        ("2026-11-24T09:00:00Z", datetime(2026, 11, 24, 9, tzinfo=UTC)),
        ("2026-11-24T09:00:00.1234567891", datetime(2026, 11, 24, 9, 0, 0, 123456, tzinfo=UTC)),
        ("2026-11-24T09:00:00.5+01:30", datetime(2026, 11, 24, 7, 30, 0, 500000, tzinfo=UTC)),
        ("2026-11-24T24:00:00", datetime(2026, 11, 25, tzinfo=UTC)),
        ("2026-12-31T23:00:00-02:00", datetime(2027, 1, 1, 1, tzinfo=UTC)),
    ],
)
def test_instants_are_read_the_quick_and_the_slow_way(text, instant):
    assert parse_instant(text) == instant
    assert InstantCache()[text] == instant
    assert InstantCache()[text].tzinfo is UTC


@given(st.text(max_size=40) | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?", fullmatch=True))
def test_any_text_is_an_instant_in_utc_or_none(text):
    found = InstantCache().find(text)
    assert found is None or found.tzinfo is UTC


@given(st.binary(max_size=200) | st.text("<>&;!DOCTYPEsEnvlop:/\"'= []", max_size=80).map(str.encode))
def test_any_bytes_parse_or_are_unreadable(body):
    with suppress(Unreadable):
        payload_of(parse_xml(body))


def test_fault_without_detail_gives_its_fault_code():
    names = f'xmlns:s="{NAMESPACES["s"]}"'
    body = f"<s:Envelope {names}><s:Body><s:Fault><faultcode>x:ErrorServerBusy</faultcode></s:Fault></s:Body></s:Envelope>"
    assert payload_of(parse_xml(body.encode())) == Refusal("ErrorServerBusy")


class Canned:
    """Answers each request in turn with given payloads, through the reader that the request brings."""

    def __init__(self, *payloads):
        self.payloads = list(payloads)
        self.sent = []

    def send(self, envelope, _what, read):
        self.sent.append(etree.fromstring(envelope))
        payload = self.payloads.pop(0)
        if isinstance(payload, Exception):
            raise payload
        outcome = read(element(payload))
        assert not isinstance(outcome, Refusal)
        return outcome


def view(items, complete="true"):
    attribute = f'IncludesLastItemInRange="{complete}"' if complete is not None else ""
    return (
        '<m:FindItemResponse><m:ResponseMessages><m:FindItemResponseMessage ResponseClass="Success">'
        f"<m:ResponseCode>NoError</m:ResponseCode><m:RootFolder {attribute}><t:Items>{items}</t:Items></m:RootFolder>"
        "</m:FindItemResponseMessage></m:ResponseMessages></m:FindItemResponse>"
    )


def item(start="2026-11-24T09:00:00Z", end="2026-11-24T10:00:00Z", status="Busy", cancelled="false"):
    return (
        f'<t:CalendarItem><t:ItemId Id="x"/><t:Subject>Secret</t:Subject><t:Start>{start}</t:Start><t:End>{end}</t:End>'
        f"<t:LegacyFreeBusyStatus>{status}</t:LegacyFreeBusyStatus><t:IsCancelled>{cancelled}</t:IsCancelled></t:CalendarItem>"
    )


def read(payload):
    return read_calendar_view(Canned(payload), REQUEST, "folder", WINDOW)


NINE = (datetime(2026, 11, 24, 9, tzinfo=UTC), datetime(2026, 11, 24, 10, tzinfo=UTC), BusyStatus.BUSY)


@pytest.mark.parametrize(
    "items",
    [
        item(),
        item() + item(status="Free"),
        item() + item(cancelled="true"),
        item() + item(cancelled="1", status="NoData"),
        item() + item("2026-11-24T09:00:00Z", "2026-11-24T09:00:00Z"),
        item() + item("2026-11-22T09:00:00Z", "2026-11-23T00:00:00Z"),
        item() + item("2026-12-23T00:00:00Z", "2026-12-23T01:00:00Z"),
        item("2026-11-24T09:00:00.000000000", "2026-11-24T11:00:00+01:00"),
        item().replace("<t:IsCancelled>false</t:IsCancelled>", ""),
    ],
)
def test_view_keeps_the_one_busy_hour(items):
    assert read(view(items)) == [NINE]


@pytest.mark.parametrize(
    ("payload", "kind", "reason", "detail"),
    [
        (view(item(status="NoData")), CalendarUnreadableError, Reason.NO_DATA, None),
        (view(item(status="Snoozing")), CalendarUnreadableError, Reason.MALFORMED_ANSWER, None),
        (view(item(status="")), CalendarUnreadableError, Reason.MALFORMED_ANSWER, None),
        (view(item(start="")), CalendarUnreadableError, Reason.MALFORMED_ANSWER, None),
        (
            view(item(start="2026-11-24T11:00:00Z")),
            CalendarUnreadableError,
            Reason.ENDS_BEFORE_START,
            "2026-11-24T11:00:00+00:00",
        ),
        (view(item(), "false"), WindowTooLargeError, Reason.TOO_MANY_APPOINTMENTS, None),
        (view(item() * 1000, None), WindowTooLargeError, Reason.TOO_MANY_APPOINTMENTS, None),
    ],
)
def test_view_that_cannot_be_read_says_why(payload, kind, reason, detail):
    with pytest.raises(kind) as caught:
        read(payload)
    assert (caught.value.reason, caught.value.detail) == (reason, detail)
    assert "Secret" not in str(caught.value)
    assert caught.value.__context__ is None


def test_thousand_items_that_are_all_are_an_answer():
    assert len(read(view(item() * 1000))) == 1000


def test_view_asks_for_four_fields_and_nothing_else():
    sent = etree.fromstring(envelopes.calendar_view(envelopes.calendar_folder("", "folder"), WINDOW))
    uris = {node.get("FieldURI") for node in sent.iter("{*}FieldURI")}
    assert uris == {"calendar:Start", "calendar:End", "calendar:LegacyFreeBusyStatus", "calendar:IsCancelled"}
    assert sent.findtext(".//{*}BaseShape") == "IdOnly"


def folder_xml(folder_id, parent, name, folder_class="IPF.Appointment"):
    return (
        f'<t:CalendarFolder><t:FolderId Id="{folder_id}"/><t:ParentFolderId Id="{parent}"/>'
        f"<t:FolderClass>{folder_class}</t:FolderClass><t:DisplayName>{name}</t:DisplayName></t:CalendarFolder>"
    )


def message(operation, inside):
    return (
        f'<m:{operation}Response><m:ResponseMessages><m:{operation}ResponseMessage ResponseClass="Success">'
        f"<m:ResponseCode>NoError</m:ResponseCode>{inside}"
        f"</m:{operation}ResponseMessage></m:ResponseMessages></m:{operation}Response>"
    )


def calendar():
    return message("GetFolder", f"<m:Folders>{folder_xml('cal', 'top', 'Kalender')}</m:Folders>")


def found(*folders, last="true"):
    inside = f"<t:Folders>{''.join(folders)}</t:Folders>"
    return message("FindFolder", f'<m:RootFolder IncludesLastItemInRange="{last}">{inside}</m:RootFolder>')


def test_folders_are_below_and_beside_once_each():
    below = folder_xml("a", "cal", "A")
    beside = [
        folder_xml("cal", "top", "Kalender"),
        below,
        folder_xml("deep", "b", "Deep"),
        folder_xml("b", "top", "B"),
        folder_xml("mail", "top", "Inbox", "IPF.Note"),
        folder_xml("hidden", "mail", "In a mail folder"),
        folder_xml("birthdays", "top", "Birthdays", "IPF.Appointment.Birthday"),
    ]
    names = [folder.name for folder in list_folders(Canned(calendar(), found(below), found(*beside)), "ana@corp.example").folders]
    assert names == ["Kalender", "A", "B", "Birthdays", "Deep"]


@pytest.mark.parametrize("error", [PermissionMissingError(), PermissionMissingError(reason=Reason.NO_ACCESS)])
def test_closed_root_leaves_what_is_below(error):
    transport = Canned(calendar(), found(folder_xml("a", "cal", "A")), error)
    assert list_folders(transport, "ana@corp.example") == FolderList(
        (FoundFolder("cal", "top", "Kalender"), FoundFolder("a", "cal", "A")), beside_seen=False
    )


def root():
    return message("GetFolder", f"<m:Folders>{folder_xml('top', 'store', 'Oberste Ebene', 'IPF.Note')}</m:Folders>")


def list_without_calendar(*shown):
    transport = Canned(FolderNotFoundError(), root(), found(*shown))
    return list_folders(transport, "ana@corp.example")


def test_hidden_calendar_is_the_one_parent_that_is_neither_shown_nor_the_root():
    listed = list_without_calendar(
        folder_xml("a", "cal", "A"),
        folder_xml("deep", "a", "Deep"),
        folder_xml("b", "top", "B"),
        folder_xml("mail", "top", "Inbox", "IPF.Note"),
        folder_xml("in-mail", "mail", "In a mail folder that is shown"),
        folder_xml("nowhere", "", "Its parent is not told"),
    )
    assert listed.folders[0] == FoundFolder("cal", "top", "")
    assert paths_of(listed.folders) == {"cal": "", "a": "A", "deep": "A/Deep", "b": "../B"}
    assert (listed.beside_seen, listed.calendar_seen) == (True, False)


def test_of_two_hidden_parents_neither_is_taken_for_the_calendar():
    a, c, b = folder_xml("a", "cal", "A"), folder_xml("c", "deleted", "C"), folder_xml("b", "top", "B")
    assert paths_of(list_without_calendar(a, b, c).folders) == {"": "", "b": "../B"}
    with pytest.raises(FolderNotFoundError):
        list_without_calendar(a, c)


@pytest.mark.parametrize("closed", [(PermissionMissingError(),), (root(), PermissionMissingError())])
def test_refusal_of_the_calendar_stands_where_the_root_is_closed_too(closed):
    with pytest.raises(FolderNotFoundError):
        list_folders(Canned(FolderNotFoundError(), *closed), "ana@corp.example")


def test_folders_come_by_page():
    transport = Canned(calendar(), found(folder_xml("a", "cal", "A"), last="false"), found(folder_xml("b", "cal", "B")), found())
    assert len(list_folders(transport, "ana@corp.example").folders) == 3
    offsets = [node.get("Offset") for sent in transport.sent for node in sent.iter("{*}IndexedPageFolderView")]
    assert offsets == ["0", "1", "0"]


def test_calendar_of_no_mailbox_ends_the_listing():
    with pytest.raises(MailboxNotFoundError):
        list_folders(Canned(MailboxNotFoundError()), "ana@corp.example")


def test_owner_is_named_explicitly_in_every_folder_request():
    for envelope in (
        envelopes.get_distinguished("calendar", "ana@corp.example"),
        envelopes.find_folders("calendar", "ana@corp.example", 0),
    ):
        sent = etree.fromstring(envelope)
        assert [node.text for node in sent.iter("{*}EmailAddress")] == ["ana@corp.example"]


@given(st.text(max_size=30))
def test_whatever_is_kept_of_a_code_is_harmless(text):
    code = clean_code(text)
    assert code is None or all(letter.isalnum() or letter in "_." for letter in code)
