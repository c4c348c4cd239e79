"""What every operation gets: the organisation, the caller, and where to note what happened."""

from __future__ import annotations

from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from deployments.sandbox.identifiers import read_folder_id, read_item_id
from deployments.sandbox.limits import Limits
from deployments.sandbox.model import Folder, Mailbox, MailboxKind
from deployments.sandbox.organisation import Organisation
from deployments.sandbox.rights import Rights
from deployments.sandbox.soap import Element, M, OperationError, T, child_text


@dataclass(slots=True)
class Context:
    """One request in the making."""

    organisation: Organisation
    limits: Limits
    caller: str
    zone: ZoneInfo
    # What the request's header named; None means that it named nothing.
    zone_id: str | None
    # The first code that was not NoError, for the log.
    code: str = "NoError"
    seen: dict[str, Rights] = field(default_factory=dict)
    # An account without a mailbox can look at those of others.
    has_mailbox: bool = True

    def note(self, code: str) -> None:
        """Remember the first failure."""
        if self.code == "NoError":
            self.code = code

    def rights(self, folder: Folder) -> Rights:
        """Return what the caller may do in a folder."""
        return self.organisation.rights(self.caller, folder)

    def hidden(self) -> OperationError:
        """Return the error for what is not there or may not be seen: the same for both."""
        return OperationError(self.limits.not_found_code)

    def folder(self, element: Element) -> Folder:
        """Return the folder that a FolderId or DistinguishedFolderId names, if it may be seen.

        Raises:
            OperationError: It is not there, may not be seen, or its mailbox does not exist.
        """
        folder = self._distinguished(element) if element.tag == f"{T}DistinguishedFolderId" else self._by_id(element)
        if not self.rights(folder).visible:
            raise self.hidden()
        return folder

    def _distinguished(self, element: Element) -> Folder:
        address = child_text(element, f"{T}Mailbox/{T}EmailAddress")
        if address is None and not self.has_mailbox:
            raise OperationError(self.limits.no_mailbox_code)
        mailbox = self.mailbox(address or self.caller)
        folder = mailbox.distinguished(element.get("Id") or "")
        if folder is None:
            raise OperationError("ErrorFolderNotFound")
        return folder

    def _by_id(self, element: Element) -> Folder:
        folder_id = element.get("Id") or ""
        if read_folder_id(folder_id) is None:
            raise OperationError("ErrorInvalidIdMalformed")
        folder = self.organisation.folder_by_id(folder_id)
        if folder is None:
            raise self.hidden()
        return folder

    def mailbox(self, address: str) -> Mailbox:
        """Return a mailbox that can hold folders.

        Raises:
            OperationError: There is none at this address; a group has none either.
        """
        mailbox = self.organisation.mailbox(address)
        missing = mailbox is not None and mailbox.address == self.caller and not self.has_mailbox
        if mailbox is None or missing or mailbox.kind is MailboxKind.GROUP:
            raise OperationError("ErrorNonExistentMailbox")
        return mailbox


def named_mailboxes(element: Element, caller: str | None) -> list[str]:
    """Return whose mailboxes a request names, in its order, each once.

    Needed before the operation runs: faults are meant for mailboxes, and the log lists them.
    """
    found: dict[str, None] = {}
    for one in element.iter(f"{T}Address", f"{T}EmailAddress"):
        found[(one.text or "").strip().lower()] = None
    for one in element.iter(f"{T}FolderId"):
        key = read_folder_id(one.get("Id") or "")
        if key is not None:
            found[key[0]] = None
    for one in element.iter(f"{T}ItemId", f"{T}ReferenceItemId"):
        item = read_item_id(one.get("Id") or "")
        if item is not None:
            found[item.mailbox] = None
    for one in element.iter(f"{T}DistinguishedFolderId"):
        if len(one) == 0 and caller is not None:
            found[caller] = None
    if not found and caller is not None and element.tag == f"{M}CreateItem":
        # Without a folder it means the caller's own calendar.
        found[caller] = None
    return list(found)
