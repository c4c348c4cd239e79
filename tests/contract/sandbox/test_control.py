"""The control interface."""

from __future__ import annotations

import http.client
import urllib.parse

import pytest

from tests.contract.sandbox.client import calendar_of
from tests.sandbox_fixture import ControlError

TIMES = {"start": "2030-03-04T09:00:00+00:00", "end": "2030-03-04T10:00:00+00:00"}


def listed(sandbox, owner: str, folder: str = "") -> list[dict]:
    window = "start=2030-03-01T00:00:00%2B00:00&end=2030-04-01T00:00:00%2B00:00"
    return sandbox.control("GET", f"/appointments?owner={owner}&folder={folder}&{window}")


def test_the_log_numbers_its_entries_and_gives_those_after_a_number(client, sandbox, owner):
    client.availability(owner, "nobody@corp.example")
    client.get_folder(calendar_of(owner))
    last = sandbox.log()[-1]
    assert set(last) == {
        "n",
        "at",
        "operation",
        "caller",
        "mailboxes",
        "http_status",
        "code",
        "refused_logon",
        "scheme",
        "application",
    }
    before, entry = sandbox.log(since=last["n"] - 2)
    assert entry == last
    assert (before["n"], entry["n"]) == (last["n"] - 1, last["n"])
    assert before["mailboxes"] == [owner, "nobody@corp.example"]
    assert (before["operation"], before["code"]) == ("GetUserAvailability", "ErrorMailRecipientNotFound")
    assert (entry["operation"], entry["code"], entry["http_status"]) == ("GetFolder", "NoError", 200)
    assert entry["at"].endswith("+00:00")


def test_an_appointment_is_listed_as_it_was_made_changed_and_removed(sandbox, owner):
    made = sandbox.control("POST", "/appointments", {"owner": owner, "subject": "One", **TIMES})["id"]
    (one,) = listed(sandbox, owner)
    assert one | {"id": made, "status": "Busy", "subject": "One", "booking_key": None, **TIMES} == one
    change = {"start": "2030-03-04T08:00:00Z", "status": "out_of_office", "subject": "Two", "is_cancelled": True}
    sandbox.control("PATCH", f"/appointments/{made}", change)
    (one,) = listed(sandbox, owner)
    assert (one["start"], one["status"], one["subject"]) == ("2030-03-04T08:00:00+00:00", "OOF", "Two")
    assert one["is_cancelled"] is True
    sandbox.control("DELETE", f"/appointments/{made}")
    assert listed(sandbox, owner) == []


def test_a_copy_is_another_item_of_the_same_words(sandbox, owner):
    made = sandbox.control("POST", "/appointments", {"owner": owner, "subject": "One", **TIMES})["id"]
    copied = sandbox.control("POST", f"/appointments/{made}/copy", {"start": "2030-03-05T09:00:00Z"})["id"]
    first, second = listed(sandbox, owner)
    assert (first["id"], second["id"], second["subject"]) == (made, copied, "One")
    assert (second["start"], second["end"]) == ("2030-03-05T09:00:00+00:00", "2030-03-05T10:00:00+00:00")


def test_two_calendars_of_one_name_are_told_apart(sandbox, owner):
    ids = [sandbox.control("POST", "/calendars", {"owner": owner, "folder": "Twin"})["id"] for _ in range(2)]
    assert len(set(ids)) == 2
    sandbox.control("POST", "/appointments", {"owner": owner, "folder": "Twin?2", **TIMES})
    assert (len(listed(sandbox, owner, "Twin")), len(listed(sandbox, owner, "Twin%3F2"))) == (0, 1)


def test_limits_are_taken_all_or_none(sandbox):
    before = sandbox.control("GET", "/limits")
    with pytest.raises(ControlError):
        sandbox.control("POST", "/limits", {"window_days": 7, "nonsense": 1})
    assert sandbox.control("GET", "/limits") == before
    assert sandbox.control("POST", "/limits", {"window_days": 7})["window_days"] == 7


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("GET", "/log?since=x", None, 400, "since"),
        ("POST", "/password", {"email": "a@corp.example"}, 400, "password"),
        ("POST", "/permission", {"owner": "OWNER", "grantee": "Default", "level": "King"}, 400, "level"),
        ("POST", "/permission", {"owner": "none@x", "grantee": "Default", "level": "Owner"}, 404, "none@x"),
        ("POST", "/permission", {"owner": "OWNER", "folder": "No", "grantee": "x", "level": "Owner"}, 404, "No"),
        ("POST", "/permission", {"owner": "OWNER", "grantee": "x", "level": "Owner", "rights": {}}, 400, "rights"),
        ("POST", "/permission", {"owner": "OWNER", "grantee": "x", "level": "Custom", "rights": {"fly": True}}, 400, "fly"),
        ("POST", "/permission", {"owner": "OWNER", "grantee": "x", "level": "Custom", "rights": {"edit": True}}, 400, "edit"),
        ("POST", "/calendars", {"owner": "OWNER", "folder": ""}, 400, "folder"),
        ("DELETE", "/calendars", {"owner": "OWNER", "folder": "../Inbox"}, 400, "removed"),
        ("PATCH", "/calendars", {"owner": "OWNER", "folder": "", "parent": ".."}, 400, "folder"),
        ("POST", "/appointments", {"owner": "OWNER", **TIMES, "end": "2030-03-04T08:00:00Z"}, 400, "end is before"),
        ("POST", "/appointments", {"owner": "OWNER", **TIMES, "start": "2030-03-04T09:00:00"}, 400, "offset"),
        ("POST", "/appointments", {"owner": "OWNER", **TIMES, "start": "soon"}, 400, "start must be"),
        ("POST", "/appointments", {"owner": "OWNER", **TIMES, "status": "Asleep"}, 400, "status"),
        ("POST", "/appointments", {"owner": "OWNER", **TIMES, "rrule": "FREQ=NEVER"}, 400, "rrule"),
        ("POST", "/appointments", {"owner": "OWNER", **TIMES, "time_zone": "../x"}, 400, "time_zone"),
        ("POST", "/appointments", {"owner": "OWNER", **TIMES, "is_private": "yes"}, 400, "is_private"),
        ("PATCH", "/appointments/none", {}, 404, "no such appointment"),
        ("DELETE", "/appointments/none", None, 404, "no such appointment"),
        ("POST", "/faults", {"kind": "meteor"}, 400, "kind"),
        ("POST", "/faults", {"kind": "sick_mailbox"}, 400, "mailbox"),
        ("POST", "/faults", {"kind": "delay", "share": 2}, 400, "share"),
        ("POST", "/faults", {"kind": "delay", "minutes": 2}, 400, "minutes"),
        ("POST", "/faults", {"kind": "delay", "operation": 2}, 400, "operation"),
        ("POST", "/mailbox", {"owner": "OWNER", "kind": "toaster"}, 400, "kind"),
        ("POST", "/mailbox", {"owner": "OWNER", "kind": "group", "members": "x"}, 400, "members"),
        ("POST", "/limits", {"nonsense": 1}, 400, "nonsense"),
        ("POST", "/limits", {"window_days": -1}, 400, "window_days"),
        ("POST", "/limits", {"lock_after": 1.5}, 400, "lock_after"),
        ("POST", "/limits", {"lock_after": True}, 400, "lock_after"),
        ("POST", "/lockout", {"pass_s": -1}, 400, "pass_s"),
        ("POST", "/lockout", {"pass_s": True}, 400, "pass_s"),
        ("GET", "/lockout?email=nobody@corp.example", None, 404, "has no password"),
        ("POST", "/limits", {"send_details": 1}, 400, "send_details"),
        ("POST", "/limits", {"rights_style": "mixed"}, 400, "rights_style"),
        ("POST", "/limits", {"update_ignores": True}, 400, "update_ignores"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(sandbox, owner, method, path, body, status, words):
    if body is not None:
        body = {key: owner if value == "OWNER" else value for key, value in body.items()}
    with pytest.raises(ControlError) as caught:
        sandbox.control(method, path, body)
    assert caught.value.status == status
    assert words in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.message.endswith(".")


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b"7"])
def test_a_body_that_is_no_json_object_is_refused(sandbox, body):
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(sandbox.control_url).netloc, timeout=10)
    connection.request("POST", "/faults", body)
    answer = connection.getresponse()
    assert answer.status == 400
    assert b"JSON" in answer.read()
    connection.close()
