"""The calendar server behind the port: ``CalendarGateway`` over Exchange Web Services."""

from collections.abc import Sequence
from typing import NoReturn

from busytime.bookings import CalendarItem, Draft, ItemName
from busytime.errors import BusyTimeError, ConfigurationError, Reason, SkippableError, SpoiltAnswerError, UnsupportedServerError
from busytime.ews import (
    availability,
    calendar_view,
    entries,
    envelopes,
    finding,
    folders,
    groups,
    merged,
    rights,
    sharing,
    write_probe,
)
from busytime.ews.body import Element
from busytime.ews.envelopes_looking import MOST_ITEMS
from busytime.ews.failures import Request, make_error
from busytime.ews.soap import Refusal, refusal_in, single_message
from busytime.ews.transport import Transport
from busytime.ews.writing import Place
from busytime.model import (
    BusyAnswer,
    Endpoint,
    FolderList,
    Interval,
    Invitation,
    Secret,
    SharedCalendar,
    Unanswered,
    Window,
)
from busytime.permissions import ItemRights, PermissionLevel, Rights
from busytime.ports import RequestGuard

#: Mailboxes in one request (``ErrorMailboxDataArrayTooBig``).
MOST_OWNERS = 100


class EWSCalendarGateway:
    """One connection's view of an Exchange server. Safe to use from several threads."""

    def __init__(
        self,
        endpoint: Endpoint,
        secret: Secret,
        guard: RequestGuard,
        *,
        request_deadline_seconds: float = 30.0,
        max_answer_bytes: int = 64 * 2**20,
        max_connections: int = 2,
    ) -> None:
        """Prepare a connection; nothing is sent.

        Args:
            endpoint: Where and how.
            secret: What logs on; under OAuth the application's id and its secret.
            guard: Gives a permit for every single request, one after the other: none is asked for while another is held.
            request_deadline_seconds: From the first step of connecting to the last byte of an answer; looking
                up the host's name comes before it and has the resolver's own limit. An NTLM handshake, and a
                request for a token, have one of their own.
            max_answer_bytes: After unpacking.
            max_connections: Open at once; a further request waits.

        Raises:
            ConfigurationError: The endpoint cannot be used as it stands.
        """
        self._endpoint = endpoint
        self._transport = Transport(
            endpoint,
            secret,
            guard,
            request_deadline_seconds=request_deadline_seconds,
            max_answer_bytes=max_answer_bytes,
            max_connections=max_connections,
        )

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled: a gateway holds a password."""
        raise TypeError("A gateway is not pickled: it holds a password. Open one from the connection where it is used.")

    def probe(self) -> None:
        """Log on once and look at the connection's own calendar folder: one small request."""
        account = self._endpoint.email
        what = f"Logging on as {account}"
        try:
            self._transport.send(envelopes.get_own_calendar(account), what, _succeeded)
        except SkippableError as error:
            failure = self._failed(UnsupportedServerError, Reason.NO_MAILBOX, what, error.detail)
        else:
            return
        raise failure

    def read_availability(self, owners: Sequence[str], window: Window) -> list[BusyAnswer]:
        """Read the busy time of the default calendars of at most 100 owners (``GetUserAvailability``)."""
        if not owners:
            return []
        if len(owners) > MOST_OWNERS:
            raise ConfigurationError(f"{len(owners)} mailboxes were asked at once; ask for at most {MOST_OWNERS}.")
        answers = self._availability(owners, window)
        return [
            self._merged_availability(owner, window) if isinstance(answer, availability.MergedOnly) else answer
            for owner, answer in zip(owners, answers, strict=True)
        ]

    def list_folders(self, owner: str) -> FolderList:
        """List the calendar folders below and beside the owner's default calendar (``GetFolder``, ``FindFolder``)."""
        return folders.list_folders(self._transport, owner)

    def read_calendar_view(self, folder_id: str, window: Window) -> list[Interval]:
        """Read the busy time of one folder (``FindItem`` with ``CalendarView``)."""
        request = self._request(f"Reading a calendar folder (id ending in {_id_end(folder_id)})")
        return calendar_view.read_calendar_view(self._transport, request, folder_id, window)

    def read_folder_rights(self, owner: str, folder_id: str | None) -> Rights:
        """Read the connection's effective rights in one folder (``GetFolder``)."""
        what = f"Reading the rights in {_calendar(owner, folder_id)}"
        return rights.read_folder_rights(self._transport, what, owner, folder_id)

    def find_items(self, owner: str, folder_id: str | None, *, marked_by: str | None, limit: int) -> list[str]:
        """Find ids of some items of a folder (``FindItem``)."""
        what = f"Looking for items in {_calendar(owner, folder_id)}"
        return finding.find_items(self._transport, what, owner, folder_id, marked_by=marked_by, limit=limit)

    def read_item_rights(self, item_ids: Sequence[str], installation_id: str) -> list[ItemRights | None]:
        """Read effective rights and marker of at most 100 items (``GetItem``)."""
        if not item_ids:
            return []
        _check_count(item_ids)
        what = f"Reading the rights on {len(item_ids)} items"
        return rights.read_item_rights(self._transport, what, item_ids, installation_id)

    def is_group(self, owner: str) -> bool:
        """Tell whether an address is a group instead of a person (``ResolveNames``)."""
        return groups.is_group(self._transport, f"Looking up {owner}", owner)

    def read_own_level(self, owner: str, folder_id: str | None) -> PermissionLevel | None:
        """Read the level that the folder's permission list gives the connection (``GetFolder``)."""
        request = self._request(f"Reading the permission list of {_calendar(owner, folder_id)}")
        return rights.read_own_level(self._transport, request, owner, folder_id, self._endpoint.email)

    def probe_write(self, owner: str, folder_id: str | None, marker_key: str) -> None:
        """Prove that entries can be created, changed and deleted (``CreateItem``, ``UpdateItem``, ``DeleteItem``)."""
        what = f"Proving the right to write in {_calendar(owner, folder_id)}"
        write_probe.probe_write(self._place(what, owner, folder_id), marker_key)

    def read_items(self, owner: str, folder_id: str | None, window: Window) -> list[CalendarItem]:
        """Read the items of one folder with their markers (``FindItem`` with ``CalendarView``)."""
        request = self._request(f"Reading the items in {_calendar(owner, folder_id)}")
        return calendar_view.read_items(self._transport, request, owner, folder_id, window)

    def find_entries(self, owner: str, folder_id: str | None, marker_key: str) -> list[CalendarItem]:
        """Find the items of a folder that carry exactly this marker (``FindItem``, page by page)."""
        request = self._request(f"Looking for entries in {_calendar(owner, folder_id)}")
        return entries.find_entries(self._transport, request, owner, folder_id, marker_key)

    def read_entries(self, item_ids: Sequence[str]) -> list[CalendarItem | None]:
        """Read time, version and marker of at most 100 items (``GetItem``)."""
        if not item_ids:
            return []
        _check_count(item_ids)
        return entries.read_entries(self._transport, self._request(f"Reading {len(item_ids)} entries"), item_ids)

    def create_entry(self, owner: str, folder_id: str | None, draft: Draft) -> ItemName:
        """Create an item in an owner's folder (``CreateItem``)."""
        return self._place(f"Writing an entry to {_calendar(owner, folder_id)}", owner, folder_id).create_draft(draft)

    def change_entry(self, owner: str, name: ItemName, draft: Draft) -> ItemName:
        """Bring an item to a draft, if nobody changed it meanwhile (``UpdateItem``)."""
        return self._place(f"Changing an entry in a calendar of {owner}", owner).change_to_draft(name, draft)

    def remove_entry(self, owner: str, item_id: str) -> None:
        """Remove an item (``DeleteItem``)."""
        self._place(f"Removing an entry from a calendar of {owner}", owner).remove([item_id])

    def list_shared_calendars(self) -> list[SharedCalendar]:
        """List the calendars of other organisations in the connection's own mailbox (``FindFolder``)."""
        return sharing.list_shared_calendars(self._transport, self._endpoint.email)

    def list_invitations(self) -> list[Invitation]:
        """List the sharing invitations that wait in the connection's own mailbox (``FindItem``)."""
        return sharing.list_invitations(self._transport, self._endpoint.email)

    def accept_invitation(self, invitation_id: str) -> None:
        """Accept a sharing invitation (``CreateItem``)."""
        request = self._request(f"Accepting a sharing invitation (id ending in {_id_end(invitation_id)})")
        sharing.accept_invitation(self._transport, request, invitation_id)

    def close(self) -> None:
        """Close the connections to the server."""
        self._transport.close()

    def _availability(self, owners: Sequence[str], window: Window) -> list[BusyAnswer | availability.MergedOnly]:
        what = f"Reading the busy time of {_named(owners)}"
        responses = self._ask(envelopes.availability(owners, window), what, owners)
        if isinstance(responses, Unanswered):
            return [responses] * len(owners)
        if len(responses) != len(owners):
            return [self._miscounted(len(responses), owners, what)]
        return availability.read_responses(responses)

    def _merged_availability(self, owner: str, window: Window) -> BusyAnswer:
        wide = merged.aligned(window)
        what = f"Reading the merged busy time of {owner}"
        try:
            responses = self._ask(envelopes.availability([owner], wide, merged=True), what, [owner])
        except SpoiltAnswerError as error:
            # Asked by itself, it may not cost the others the answers they have already.
            return Unanswered(error.reason, error.detail)
        if isinstance(responses, Unanswered):
            return responses
        if len(responses) != 1:
            return self._miscounted(len(responses), [owner], what)
        return merged.read_merged_response(responses[0], wide)

    def _ask(self, envelope: bytes, what: str, owners: Sequence[str]) -> list[Element] | Unanswered:
        """Send an availability request; a refusal of all of it is one of each mailbox, where it speaks of the window.

        Raises:
            SpoiltAnswerError: Also where the server refused all mailboxes for what can be true of one alone.
        """
        try:
            return self._transport.send(envelope, what, availability.responses_in)
        except SkippableError as error:
            refusal = Unanswered(error.reason, error.detail)
        if len(owners) == 1 or refusal.reason is Reason.WINDOW_TOO_LONG:
            return refusal
        raise self._failed(SpoiltAnswerError, refusal.reason, what, refusal.detail)

    def _miscounted(self, count: int, owners: Sequence[str], what: str) -> Unanswered:
        """Judge an answer for more or fewer mailboxes than were asked.

        Nothing in an answer says whose it is but its place, so none of it can be used, unless one mailbox
        alone was asked: filling the places from the front would give one owner's busy time to another.
        """
        if len(owners) == 1:
            return Unanswered(Reason.MISSING_ANSWER if count == 0 else Reason.MALFORMED_ANSWER)
        reason = Reason.MISSING_ANSWER if count < len(owners) else Reason.MALFORMED_ANSWER
        raise self._failed(SpoiltAnswerError, reason, what, None)

    def _failed(self, kind: type[BusyTimeError], reason: Reason, what: str, detail: str | None) -> BusyTimeError:
        return make_error(kind, reason, self._request(what), detail=detail)

    def _place(self, what: str, owner: str, folder_id: str | None = None) -> Place:
        return Place(self._transport, self._request(what), owner, folder_id)

    def _request(self, what: str) -> Request:
        return Request(self._endpoint.email, self._endpoint.ews_url, what)


def _succeeded(payload: Element) -> Refusal | None:
    return refusal_in(single_message(payload, "GetFolder"))


def _check_count(item_ids: Sequence[str]) -> None:
    if len(item_ids) > MOST_ITEMS:
        raise ConfigurationError(f"{len(item_ids)} items were asked at once; ask for at most {MOST_ITEMS}.")


def _named(owners: Sequence[str]) -> str:
    return owners[0] if len(owners) == 1 else f"{owners[0]} and {len(owners) - 1} more"


def _calendar(owner: str, folder_id: str | None) -> str:
    return f"the calendar of {owner}" if folder_id is None else f"a calendar of {owner} (id ending in {_id_end(folder_id)})"


def _id_end(folder_id: str) -> str:
    # Ids are long, and differ at their end.
    return folder_id[-12:]
