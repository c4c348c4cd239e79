"""Calendars of other organisations in the connection's own mailbox, and the invitations to them.

The properties of shared folders are those of sharing messages ([MS-OXSHARE], [MS-OXPROPS]).
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from busytime.errors import BusyTimeError, FolderNotFoundError, SkippableError
from busytime.ews import envelopes_sharing as envelopes
from busytime.ews import envelopes_writing
from busytime.ews.body import Element
from busytime.ews.failures import Request, make_error
from busytime.ews.finding import items_in
from busytime.ews.folders import find_folders, read_folder
from busytime.ews.item_values import name_of
from busytime.ews.marker import property_of
from busytime.ews.soap import TYPES, Refusal, items_shown, refusal_in, single_message
from busytime.ews.transport import Transport
from busytime.ews.writing import send_write
from busytime.model import Invitation, SharedCalendar

_ANSWERS = f"{{{TYPES}}}ResponseObjects"
_ACCEPT = f"{{{TYPES}}}AcceptSharingInvitation"
_SHARING_RIGHTS = f"{{{TYPES}}}SharingEffectiveRights"
_SENDERS = tuple(f"{{{TYPES}}}{name}/{{{TYPES}}}Mailbox/{{{TYPES}}}EmailAddress" for name in ("From", "Sender"))


def list_shared_calendars(transport: Transport, account: str) -> list[SharedCalendar]:
    """List the calendars of other organisations in the connection's own mailbox (``FindFolder``).

    They are the folders with rights of sharing, or with a property that tells whose calendar it is or what it is
    called where it comes from. Real servers promise these properties on the invitation only: for a folder without
    an owner's address, the accepted invitations are looked at, and the only one that fits its name tells.
    """
    what = f"Listing the calendars that other organisations share with {account}"
    found = find_folders(transport, what, lambda offset: envelopes.find_shared_folders(account, offset))
    shared = [_shared_calendar(folder) for folder in found if _is_shared(folder)]
    if all(calendar.owner for calendar in shared):
        return shared
    owners = _owners_by_name([message for message in _sharing_messages(transport, what, account) if not _waits(message)])
    return [calendar if calendar.owner else replace(calendar, owner=owners.get(calendar.name)) for calendar in shared]


def _owners_by_name(messages: Sequence[Element]) -> dict[str, str]:
    """Return the owner of each folder's name that one owner's accepted invitations explain."""
    claims: dict[str, set[str]] = {}
    for message in messages:
        address = _address(property_of(message, envelopes.InitiatorAddress))
        person, calendar = (property_of(message, one) for one in (envelopes.InitiatorName, envelopes.RemoteName))
        # An invitation speaks for nobody but its sender.
        if address is not None and address == _sender(message) and person and calendar:
            claims.setdefault(f"{calendar} - {person}", set()).add(address)
    return {name: owners.pop() for name, owners in claims.items() if len(owners) == 1}


def _is_shared(folder: Element) -> bool:
    named = (property_of(folder, one) for one in (envelopes.InitiatorAddress, envelopes.RemoteName))
    return folder.find(_SHARING_RIGHTS) is not None or any(named)


def _shared_calendar(folder: Element) -> SharedCalendar:
    found = read_folder(folder)
    return SharedCalendar(found.folder_id, _address(property_of(folder, envelopes.InitiatorAddress)), found.name)


def _address(text: str | None) -> str | None:
    address = (text or "").strip().lower()
    return address if "@" in address else None


def list_invitations(transport: Transport, account: str) -> list[Invitation]:
    """List the sharing invitations that wait in the connection's own mailbox (``FindItem``, ``GetItem``)."""
    what = f"Looking for sharing invitations in the mailbox of {account}"
    waiting = [message for message in _sharing_messages(transport, what, account) if _waits(message)]
    found = [(name_of(message).item_id, _sender(message)) for message in waiting]
    return [Invitation(item_id, sender) for item_id, sender in found if sender is not None]


def _sharing_messages(transport: Transport, what: str, account: str) -> list[Element]:
    ids = [name_of(message).item_id for message in transport.send(envelopes.find_sharing_messages(account), what, items_in)]
    if not ids:
        return []
    return transport.send(envelopes.get_sharing_messages(ids), what, partial(_messages, count=len(ids)))


def _messages(payload: Element, count: int) -> list[Element] | Refusal:
    """Return the messages that are shown; one that was removed meanwhile is no invitation any more."""
    shown = items_shown(payload, count)
    if isinstance(shown, Refusal):
        return shown
    found = [message for message in shown if message is not None]
    for message in found:
        name_of(message)
    return found


def _waits(message: Element) -> bool:
    """Tell whether a message may still be accepted; a server that does not say leaves it open."""
    answers = message.find(_ANSWERS)
    return answers is None or answers.find(_ACCEPT) is not None


def _sender(message: Element) -> str | None:
    return next((address for path in _SENDERS if (address := _address(message.findtext(path)))), None)


def accept_invitation(transport: Transport, request: Request, invitation_id: str) -> None:
    """Accept a sharing invitation (``CreateItem`` with ``AcceptSharingInvitation``).

    Raises:
        SkippableError: It is gone, or was accepted before.
        AmbiguousWriteError: The answer was lost; accepting it again does no harm.
    """
    try:
        send_write(transport, request, envelopes_writing.accept_sharing_invitation(invitation_id), _accepted)
    except FolderNotFoundError as error:
        failure = _gone(error, request)
    else:
        return
    raise failure


def _gone(error: FolderNotFoundError, request: Request) -> BusyTimeError:
    said, step = "the invitation is gone", "list the invitations again"
    return make_error(SkippableError, error.reason, request, said=said, detail=error.detail, step=step)


def _accepted(payload: Element) -> Refusal | None:
    return refusal_in(single_message(payload, "CreateItem"))
