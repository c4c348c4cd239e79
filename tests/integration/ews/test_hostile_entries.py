"""Servers that lose, twist or refuse what is said about entries: what may have happened is never said not to have."""

import re
import socket
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from lxml import etree

from busytime.bookings import Draft, ItemName
from busytime.errors import (
    AmbiguousWriteError,
    AuthenticationError,
    ConflictError,
    FatalError,
    FolderNotFoundError,
    MailboxNotFoundError,
    PermissionMissingError,
    Reason,
    ServerBusyError,
    ServerUnavailableError,
    SkippableError,
    SpoiltAnswerError,
    TooManyMailboxesError,
    UnsupportedServerError,
)
from busytime.model import Window
from tests.integration.ews.hostile import SUBJECT, fault, response, soap
from tests.integration.ews.scripted import (
    CHANGED,
    CREATED,
    GONE,
    REMOVED,
    answer,
    item,
    message,
    refused,
)

OWNER, MARKER = "ana@corp.example", "one/BK-1"
DAY = Window(datetime(2026, 12, 1, tzinfo=UTC), datetime(2026, 12, 2, tzinfo=UTC))
DRAFT = Draft(MARKER, 7, DAY, "America/New_York", SUBJECT, f"{SUBJECT} place", f"{SUBJECT}\n\ttext")
NAME = ItemName("old", "EQ")

WRITES = {
    "CreateItem": lambda gateway: gateway.create_entry(OWNER, None, DRAFT),
    "UpdateItem": lambda gateway: gateway.change_entry(OWNER, NAME, DRAFT),
    "DeleteItem": lambda gateway: gateway.remove_entry(OWNER, "old"),
}
each_write = pytest.mark.parametrize("operation", WRITES)


def http(status, *headers, body=""):
    return response(body, status, ("Connection: close", *headers))


LOST = {
    "nothing": lambda _operation: GONE,
    "half an answer": lambda _operation: response("<s:Envelope", length=500),
    "no HTTP": lambda _operation: b"SMTP ready\r\n\r\n",
    "a page": lambda _operation: "<html>no",
    "a page of a proxy": lambda _operation: http("502 Bad Gateway", body="<html>no"),
    "a proxy's patience": lambda _operation: http("504 Gateway Timeout"),
    "an outage": lambda _operation: http("503 Service Unavailable"),
    "an outage with its end": lambda _operation: http("503 Service Unavailable", "Retry-After: 12"),
    "a limit": lambda _operation: http("429 Too Many Requests", "Retry-After: 12"),
    "a request that was too slow": lambda _operation: http("408 Request Timeout"),
    "an error of HTTP": lambda _operation: http("500 Internal Server Error", body="<html>oops"),
    "another operation's answer": lambda _operation: refused("GetFolder", "ErrorAccessDenied"),
    "no message": lambda operation: soap(f"<m:{operation}Response/>"),
    "two messages": lambda operation: answer(operation, *[message(operation, code="ErrorAccessDenied")] * 2),
    "a warning": lambda operation: answer(operation, message(operation, kind="Warning")),
    "a warning with a code": lambda operation: answer(operation, message(operation, code="ErrorAccessDenied", kind="Warning")),
    "a success with a code": lambda operation: answer(operation, message(operation, code="ErrorAccessDenied", kind="Success")),
    "an error without a code": lambda operation: answer(operation, message(operation, kind="Error")),
    "words for a code": lambda operation: refused(operation, "Something odd happened"),
    "a fault in words": lambda _operation: fault("Odd words"),
    **{
        code: lambda operation, code=code: refused(operation, code)
        for code in (
            "ErrorInternalServerError",
            "ErrorInternalServerTransientError",
            "ErrorTimeoutExpired",
            "ErrorMailboxFailover",
            "ErrorMailboxStoreUnavailable",
            "ErrorProxyRequestProcessingFailed",
            "ErrorConnectionFailed",
            "ErrorBatchProcessingStopped",
        )
    },
}


@each_write
@pytest.mark.parametrize("lost", LOST)
def test_write_without_a_plain_answer_is_ambiguous_and_not_repeated(play, operation, lost):
    error, script = play(WRITES[operation], LOST[lost](operation))
    assert isinstance(error, AmbiguousWriteError), error
    assert OWNER in str(error)
    assert "looks first" in str(error)
    assert script.operations == [operation]


@pytest.mark.parametrize(
    ("operation", "inside"),
    [
        ("CreateItem", ""),
        ("CreateItem", "<m:Items/>"),
        ("CreateItem", "<m:Items><t:CalendarItem/></m:Items>"),
        ("CreateItem", f"<m:Items>{item('a')}{item('b')}</m:Items>"),
        ("UpdateItem", "<m:Items/>"),
        ("UpdateItem", "<m:Items><t:CalendarItem><t:ItemId/></t:CalendarItem></m:Items>"),
    ],
)
def test_success_without_an_id_is_ambiguous(play, operation, inside):
    error, _script = play(WRITES[operation], answer(operation, message(operation, inside)))
    assert isinstance(error, AmbiguousWriteError)


PLAIN = {
    "http_401": (http("401 Unauthorized", "WWW-Authenticate: Basic"), AuthenticationError),
    "http_403": (http("403 Forbidden"), UnsupportedServerError),
    "http_404": (http("404 Not Found"), UnsupportedServerError),
    "http_302": (http("302 Found", "Location: /owa"), UnsupportedServerError),
    "ErrorServerBusy": (fault("ErrorServerBusy"), ServerBusyError),
    "ErrorExceededConnectionCount": (fault("ErrorExceededConnectionCount"), ServerBusyError),
    "ErrorTooManyObjectsOpened": (fault("ErrorTooManyObjectsOpened"), TooManyMailboxesError),
    "ErrorAccessDenied": (fault("ErrorAccessDenied"), PermissionMissingError),
    "ErrorMailboxMoveInProgress": (fault("ErrorMailboxMoveInProgress"), SpoiltAnswerError),
    "ErrorNonExistentMailbox": (fault("ErrorNonExistentMailbox"), MailboxNotFoundError),
    "ErrorPasswordExpired": (fault("ErrorPasswordExpired"), AuthenticationError),
    "ErrorSchemaValidation": (fault("ErrorSchemaValidation"), FatalError),
}


@each_write
@pytest.mark.parametrize("detail", PLAIN)
def test_plain_refusal_of_a_write_is_not_ambiguous(play, operation, detail):
    step, kind = PLAIN[detail]
    error, script = play(WRITES[operation], step)
    assert type(error) is kind
    assert error.detail == detail
    assert script.operations == [operation]


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        ("ErrorIrresolvableConflict", ConflictError, Reason.CHANGED_MEANWHILE),
        ("ErrorStaleObject", ConflictError, Reason.CHANGED_MEANWHILE),
        ("ErrorChangeKeyRequired", ConflictError, Reason.CHANGED_MEANWHILE),
        ("ErrorChangeKeyRequiredForWriteOperations", ConflictError, Reason.CHANGED_MEANWHILE),
        ("ErrorInvalidChangeKey", ConflictError, Reason.CHANGED_MEANWHILE),
        ("ErrorItemNotFound", FolderNotFoundError, Reason.FOLDER_NOT_FOUND),
        ("ErrorCalendarCannotUpdateDeletedItem", FolderNotFoundError, Reason.FOLDER_NOT_FOUND),
        ("ErrorQuotaExceeded", SkippableError, Reason.SERVER_ERROR),
        ("ErrorCalendarOutOfRange", SkippableError, Reason.SERVER_ERROR),
    ],
)
def test_refused_change_says_what_to_do(play, code, kind, reason):
    error, script = play(WRITES["UpdateItem"], refused("UpdateItem", code))
    assert (type(error), error.reason, error.detail) == (kind, reason, code)
    assert len(script.operations) == 1


@each_write
def test_write_that_was_not_sent_surely_did_not_happen(connect, operation):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(ServerUnavailableError):
        WRITES[operation](connect(f"http://127.0.0.1:{port}/EWS/Exchange.asmx"))


def test_guard_hears_of_the_pause_although_the_write_is_ambiguous(play, guard):
    error, _script = play(WRITES["CreateItem"], http("503 Service Unavailable", "Retry-After: 12"))
    assert isinstance(error, AmbiguousWriteError)
    assert [(type(one), one.back_off_seconds) for one in guard.left_by] == [(ServerBusyError, 12)]


def test_created_entry_is_silent_busy_and_in_its_owners_folder(play):
    name, script = play(WRITES["CreateItem"], CREATED)
    assert name == ItemName("new", "EQ")
    (create,) = script.bodies
    root = etree.fromstring(create.encode())
    assert root.find(".//{*}CreateItem").get("SendMeetingInvitations") == "SendToNone"
    assert root.findtext(".//{*}SavedItemFolderId//{*}EmailAddress") == OWNER
    texts = {etree.QName(node).localname: node.text for node in root.find(".//{*}CalendarItem")}
    assert texts["LegacyFreeBusyStatus"] == "Busy"
    assert texts["ReminderIsSet"] in ("0", "false")
    assert (texts["Subject"], texts["Location"], texts["Body"]) == (DRAFT.title, DRAFT.location, DRAFT.body)
    assert root.find(".//{*}Body[@BodyType]").get("BodyType") == "Text"
    assert (texts["Start"], texts["End"]) == ("2026-12-01T00:00:00Z", "2026-12-02T00:00:00Z")
    for name in ("StartTimeZone", "EndTimeZone"):
        assert root.find(f".//{{*}}{name}").get("Id") == "Eastern Standard Time"
    values = {node[0].get("PropertyName"): node[1].text for node in root.iter("{*}ExtendedProperty")}
    assert values == {"BusytimeKey": MARKER, "BusytimeRevision": "7"}


def test_change_touches_what_is_ours_and_never_overwrites(play):
    name, script = play(lambda gateway: gateway.change_entry(OWNER, NAME, replace(DRAFT, location="", body="")), CHANGED)
    assert name == ItemName("new", "EQ")
    root = etree.fromstring(script.bodies[0].encode())
    update = root.find(".//{*}UpdateItem")
    assert update.get("ConflictResolution") == "NeverOverwrite"
    assert update.get("SendMeetingInvitationsOrCancellations") == "SendToNone"
    assert dict(root.find(".//{*}ItemId").attrib) == {"Id": "old", "ChangeKey": "EQ"}
    paths = {kind: {one[0].get("FieldURI") or one[0].get("PropertyName") for one in root.iter(f"{{*}}{kind}")} for kind in KINDS}
    assert paths == {
        "SetItemField": {
            "item:Subject",
            "calendar:Start",
            "calendar:End",
            "calendar:StartTimeZone",
            "calendar:EndTimeZone",
            "BusytimeRevision",
        },
        "DeleteItemField": {"item:Body", "calendar:Location"},
    }


KINDS = ("SetItemField", "DeleteItemField")


@pytest.mark.parametrize("operation", ["CreateItem", "UpdateItem"])
def test_zone_that_the_server_does_not_know_becomes_utc(play, operation):
    refusal = refused(operation, "ErrorCalendarInvalidTimeZone")
    name, script = play(WRITES[operation], refusal, {"CreateItem": CREATED, "UpdateItem": CHANGED}[operation])
    assert name == ItemName("new", "EQ")
    zones = [re.findall(r'TimeZone Id="([^"]+)"', body) for body in script.bodies]
    assert zones == [["Eastern Standard Time"] * 2, ["UTC"] * 2]
    error, script = play(WRITES[operation], refusal, refusal)
    assert isinstance(error, SkippableError)
    error, script = play(WRITES[operation], refusal, GONE)
    assert isinstance(error, AmbiguousWriteError)


def test_entry_is_removed_for_good_only_where_the_server_refuses_otherwise(play):
    result, script = play(WRITES["DeleteItem"], refused("DeleteItem", "ErrorInvalidOperation"), REMOVED)
    assert result is None
    assert [re.search(r'DeleteType="(\w+)"', body)[1] for body in script.bodies] == ["SoftDelete", "HardDelete"]
    assert all('SendMeetingCancellations="SendToNone"' in body for body in script.bodies)


@pytest.mark.parametrize("marker", ["one/a\x01b", "one/a\tb", "one/\ud800", "one/\ufdd0"])
def test_marker_that_would_arrive_as_another_is_never_sent(play, marker):
    for do in (
        lambda gateway: gateway.create_entry(OWNER, None, replace(DRAFT, marker_key=marker)),
        lambda gateway: gateway.find_entries(OWNER, None, marker),
    ):
        error, script = play(do)
        assert (type(error), error.reason) == (SkippableError, Reason.CONTROL_CHARACTERS)
        assert script.operations == []


@pytest.mark.parametrize("text", [SUBJECT * 20, SUBJECT + "\ud800"])
def test_text_that_cannot_be_sent_is_refused_without_being_quoted(play, text):
    error, script = play(lambda gateway: gateway.create_entry(OWNER, None, replace(DRAFT, title=text)))
    assert (type(error), error.reason) == (SkippableError, Reason.VALUE_UNREADABLE)
    assert script.operations == []
