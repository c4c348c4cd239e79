"""Calendars of other organisations: invitations, and what appears once one is accepted.

Exchange copies such a calendar into the mailbox that accepted the invitation, below its own
calendar, and keeps the copy up to date. Here it is one folder, whose appointments the control
interface makes.
"""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime

from deployments.sandbox.model import Folder, Item
from deployments.sandbox.organisation import Organisation
from deployments.sandbox.soap import OperationError

# The property set of sharing messages ([MS-OXPROPS]), and its properties by number.
_SHARING = "00062040-0000-0000-c000-000000000046"
REMOTE_NAME = (_SHARING, str(0x8A05))
INITIATOR_NAME = (_SHARING, str(0x8A07))
INITIATOR_ADDRESS = (_SHARING, str(0x8A08))


def invite(organisation: Organisation, sender: str, name: str, title: str, level: str) -> Item:
    """Let a sharing invitation arrive in the dedicated mailbox.

    Args:
        organisation: Where the dedicated mailbox is.
        sender: The foreign owner's address.
        name: What the calendar is called there.
        title: The foreign owner's display name.
        level: What the dedicated mailbox will be allowed to do there.
    """
    sender = sender.lower()
    if organisation.mailbox(sender) is not None:
        raise ValueError(f"{sender} is in this organisation and invites nobody")
    properties = {REMOTE_NAME: name, INITIATOR_NAME: title, INITIATOR_ADDRESS: sender}
    folder = organisation.external.get((sender, name))
    if folder is None:
        folder = organisation.external[sender, name] = _hidden(organisation, sender, f"{name} - {title}")
        folder.extended.update(properties)
    folder.permissions[organisation.email] = level
    now = datetime.now(UTC)
    return organisation.add_item(
        organisation.owner(organisation.email).folders[3],
        now,
        now,
        subject=f"{title} has invited you to view his or her {name}",
        creator=sender,
        created=now,
        sender=(title, sender),
        extended=properties,
    )


def _hidden(organisation: Organisation, owner: str, name: str) -> Folder:
    mailbox = organisation.owner(organisation.email)
    folder = organisation.add_folder(mailbox, name, mailbox.folders[4])
    folder.foreign_owner = owner
    folder.appears_at = math.inf
    return folder


def is_pending(organisation: Organisation, message: Item) -> bool:
    """Tell whether a message is an invitation that nobody has accepted yet."""
    folder = _invited(organisation, message)
    return folder is not None and folder.appears_at == math.inf


def accept(organisation: Organisation, message: Item, delay_seconds: float) -> None:
    """Accept an invitation; the calendar appears after a while.

    Raises:
        OperationError: The message is no invitation, or its calendar is already there.
    """
    folder = _invited(organisation, message)
    if folder is None:
        raise OperationError("ErrorNotSupportedSharingMessage")
    if folder.appears_at != math.inf:
        raise OperationError("ErrorInvalidSharingMessage", "The sharing invitation has already been accepted.")
    folder.appears_at = time.monotonic() + delay_seconds


def _invited(organisation: Organisation, message: Item) -> Folder | None:
    properties = message.extended
    return organisation.external.get((properties.get(INITIATOR_ADDRESS, ""), properties.get(REMOTE_NAME, "")))
