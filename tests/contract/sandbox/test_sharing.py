"""Calendars of other organisations: invited to, accepted, read."""

from __future__ import annotations

import itertools
import time

import pytest

from tests.contract.sandbox.client import calendar_of, folder_id
from tests.contract.sandbox.test_control import TIMES, listed
from tests.contract.sandbox.test_exchangelib import account, configuration
from tests.contract.sandbox.test_folders import granted
from tests.contract.sandbox.writes import accept, create, delete, equal, found, ids, item, search, send
from tests.sandbox_fixture import ControlError

__all__ = ["configuration"]

INBOX = '<t:DistinguishedFolderId Id="inbox"/>'
CALENDAR = '<t:DistinguishedFolderId Id="calendar"/>'
SHARING = "00062040-0000-0000-C000-000000000046"
ADDRESS = f'<t:ExtendedFieldURI PropertySetId="{SHARING}" PropertyId="35336" PropertyType="String"/>'
INVITATIONS = equal('<t:FieldURI FieldURI="item:ItemClass"/>', "IPM.Sharing")
_numbers = itertools.count(1)


@pytest.fixture
def partner() -> str:
    return f"zoe{next(_numbers)}@partner.example"


@pytest.fixture
def invite(sandbox, partner):
    def invite(**more):
        return sandbox.control("POST", "/invitations", {"from": partner, "folder": "Calendar", "name": "Zoe Ü", **more})["id"]

    return invite


def calendars(client, partner: str, *, address: str = ADDRESS) -> list[tuple[str, str]]:
    """Return id and name of the calendars that belong to the partner, as EWS tells it."""
    answer = send(
        client,
        '<m:FindFolder Traversal="Deep"><m:FolderShape><t:BaseShape>Default</t:BaseShape><t:AdditionalProperties>'
        f"{address}</t:AdditionalProperties></m:FolderShape><m:ParentFolderIds>{CALENDAR}</m:ParentFolderIds></m:FindFolder>",
    )
    mine = answer.all(f".//t:CalendarFolder[t:ExtendedProperty/t:Value='{partner}']")
    return [(one[0].get("Id"), one.findtext("{*}DisplayName")) for one in mine]


def test_an_invitation_is_a_message_in_the_inbox(client, invite, partner):
    made = invite()
    fields = "".join(f'<t:FieldURI FieldURI="{one}"/>' for one in ("item:Subject", "item:ItemClass", "message:From"))
    answer = search(client, INBOX, restriction=INVITATIONS, fields=fields + ADDRESS)
    (message,) = answer.all(f".//t:Message[t:ExtendedProperty/t:Value='{partner}']")
    assert message[0].get("Id") == made
    assert message.findtext("{*}ItemClass") == "IPM.Sharing"
    assert "Zoe Ü" in message.findtext("{*}Subject")
    assert message.findtext("{*}From/{*}Mailbox/{*}EmailAddress") == partner


def test_whole_messages_are_valid_and_tell_what_can_be_done(client, invite):
    made = invite()
    for base in ("Default", "AllProperties"):
        assert client.get_item(made, base=base).codes == ["NoError"]
    pending = (".//t:ResponseObjects/t:AcceptSharingInvitation",)
    assert len(client.get_item(made, fields=("item:ResponseObjects",)).all(*pending)) == 1
    accept(client, made)
    assert client.get_item(made, fields=("item:ResponseObjects",)).all(*pending) == []


def test_an_accepted_calendar_appears_below_the_own_one(client, invite, partner):
    made = invite()
    assert calendars(client, partner) == []
    answer = accept(client, made)
    assert (answer.codes, ids(answer)) == (["NoError"], [])
    ((folder, name),) = calendars(client, partner)
    assert name == "Calendar - Zoe Ü"
    shown = client.get_folder(folder_id(folder), "folder:EffectiveRights", "folder:SharingEffectiveRights", "folder:FolderClass")
    assert granted(shown) == {"Read"}
    assert shown.texts(".//t:SharingEffectiveRights | .//t:FolderClass") == ["IPF.Appointment", "FullDetails"]


def test_a_foreign_calendar_is_read_and_not_written(client, sandbox, invite, partner):
    sandbox.control("POST", "/invitations", {"from": partner, "folder": "Calendar", "name": "Zoe"})
    made = sandbox.control("POST", "/appointments", {"owner": partner, "subject": "Theirs", **TIMES})["id"]
    accept(client, invite())
    ((folder, _),) = calendars(client, partner)
    view = client.view(folder_id(folder), "item:Subject", "calendar:Organizer")
    assert (found(view), view.texts(".//t:Subject"), view.texts(".//t:EmailAddress")) == ([made], ["Theirs"], [partner])
    assert create(client, item(), folder=folder_id(folder)).codes == ["ErrorAccessDenied"]
    assert delete(client, made).codes == ["ErrorAccessDenied"]
    sandbox.control("PATCH", f"/appointments/{made}", {"subject": "Changed"})
    assert [(one["subject"], one["creator"]) for one in listed(sandbox, partner)] == [("Changed", partner)]


def test_a_foreign_calendar_takes_no_time_of_the_dedicated_mailbox(client, sandbox, invite, partner):
    accept(client, invite())
    sandbox.control(
        "POST", "/appointments", {"owner": partner, **TIMES, "start": "2031-01-01T09:00:00Z", "end": "2031-01-01T10:00:00Z"}
    )
    window = {"start": "2031-01-01T00:00:00", "end": "2031-01-02T00:00:00"}
    assert client.availability(sandbox.email, **window).all(".//t:CalendarEvent") == []
    assert client.availability(partner).codes == ["ErrorMailRecipientNotFound"]


def test_an_invitation_cannot_be_accepted_twice(client, invite):
    made = invite()
    assert [accept(client, made).codes for _ in range(2)] == [["NoError"], ["ErrorInvalidSharingMessage"]]


def test_what_is_no_invitation_cannot_be_accepted(client, sandbox, invite, partner, book):
    gone = invite()
    sandbox.control("DELETE", f"/appointments/{gone}")
    assert accept(client, gone).codes == ["ErrorItemNotFound"]
    assert accept(client, "rubbish").codes == ["ErrorInvalidIdMalformed"]
    assert accept(client, book()).codes == ["ErrorAccessDenied"]
    own = sandbox.control("POST", "/appointments", {"owner": sandbox.email, **TIMES})["id"]
    assert accept(client, own).codes == ["ErrorNotSupportedSharingMessage"]
    sandbox.control("DELETE", f"/appointments/{own}")
    assert calendars(client, partner) == []


def test_nobody_else_finds_or_accepts_the_invitation(client, sandbox, stranger, invite, partner):
    made = invite()
    assert accept(stranger, made).codes == ["ErrorItemNotFound"]
    assert search(stranger, calendar_of(sandbox.email, "inbox")).codes == ["ErrorItemNotFound"]
    assert calendars(client, partner) == []


def test_a_calendar_may_appear_only_after_a_while(client, sandbox, invite, partner):
    sandbox.control("POST", "/limits", {"invitation_delay_s": 0.2})
    began = time.monotonic()
    assert accept(client, invite()).codes == ["NoError"]
    while not calendars(client, partner):
        assert time.monotonic() - began < 10
    # It cannot be earlier than ordered, however fast or slow the machine.
    assert time.monotonic() - began >= 0.2


def test_a_foreign_calendar_can_be_renamed_and_go(client, sandbox, invite, partner):
    accept(client, invite())
    sandbox.control("PATCH", "/calendars", {"owner": partner, "folder": "Calendar", "name": "Zoe's"})
    ((folder, name),) = calendars(client, partner)
    assert name == "Zoe's"
    sandbox.control("DELETE", "/calendars", {"owner": partner, "folder": "Calendar"})
    assert calendars(client, partner) == []
    assert client.view(folder_id(folder)).codes == ["ErrorItemNotFound"]


def test_two_calendars_of_one_partner_are_told_apart(client, sandbox, invite, partner):
    for name in ("Calendar", "Team"):
        accept(client, invite(folder=name))
    assert [name for _, name in calendars(client, partner)] == ["Calendar - Zoe Ü", "Team - Zoe Ü"]
    sandbox.control("POST", "/appointments", {"owner": partner, "folder": "Team", **TIMES})
    assert (len(listed(sandbox, partner)), len(listed(sandbox, partner, "Team"))) == (0, 1)


def test_a_partner_may_allow_more_than_reading(client, sandbox, invite, partner):
    accept(client, invite(level="Editor"))
    ((folder, _),) = calendars(client, partner)
    assert create(client, item(), folder=folder_id(folder)).codes == ["NoError"]
    assert [one["creator"] for one in listed(sandbox, partner)] == [sandbox.email]


def test_a_server_may_keep_the_foreign_address_to_itself(client, sandbox, invite, partner):
    accept(client, invite())
    assert len(calendars(client, partner)) == 1
    by_number = ADDRESS.replace(f'PropertySetId="{SHARING}"', 'DistinguishedPropertySetId="Sharing"')
    assert len(calendars(client, partner, address=by_number)) == 1
    sandbox.control("POST", "/limits", {"foreign_address": False})
    assert calendars(client, partner) == []


def test_people_of_the_own_organisation_do_not_invite(sandbox, owner):
    with pytest.raises(ControlError, match="invites nobody"):
        sandbox.control("POST", "/invitations", {"from": owner, "folder": "Calendar"})


def test_exchangelib_reads_invitations_and_foreign_calendars(configuration, client, sandbox, invite, partner):
    made = invite()
    mailbox = account(configuration, sandbox.email)
    (message,) = [one for one in mailbox.inbox.filter(item_class="IPM.Sharing") if one.id == made]
    assert (message.sender.email_address, message.item_class) == (partner, "IPM.Sharing")
    accept(client, made)
    assert "Calendar - Zoe Ü" in [one.name for one in mailbox.calendar.children]
