"""Creating, changing and removing marked items: one request each, and an honest word where the answer was lost.

Nothing here sends a request twice: EWS has no key that would make a repeated ``CreateItem`` harmless.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from busytime.bookings import Draft, ItemName
from busytime.errors import (
    AmbiguousWriteError,
    BusyTimeError,
    FatalError,
    Reason,
    RetriableError,
    SkippableError,
    SpoiltAnswerError,
)
from busytime.ews import envelopes_writing
from busytime.ews.body import Element, Unreadable
from busytime.ews.codes import NOT_REACHED, SOFT_DELETE_REFUSED, ZONE_REFUSED, ruling_of
from busytime.ews.entries import check_marker
from busytime.ews.envelopes import UTC_ZONE
from busytime.ews.failures import Request, make_error
from busytime.ews.item_values import name_of
from busytime.ews.soap import Refusal, messages_of, refusal_in, single_item, single_message
from busytime.ews.transport import Transport

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """Where items are written.

    Args:
        transport: Sends.
        request: What is done, for messages.
        owner: Whose calendar.
        folder_id: ``None`` for the default calendar.
    """

    transport: Transport
    request: Request
    owner: str
    folder_id: str | None

    def create(self, entry: Any) -> ItemName:
        """Create an entry (``CreateItem``).

        Raises:
            AmbiguousWriteError: It may have been created; only a search for its marker tells.
        """
        return self.send(envelopes_writing.create_entry(self.owner, self.folder_id, entry), _created)

    def change(self, item: ItemName, entry: Any, names: Sequence[str]) -> None:
        """Change some properties of an entry to those of another (``UpdateItem``)."""
        self.send(envelopes_writing.change_entry(item.item_id, item.change_key or None, entry, names), _changed)

    def create_draft(self, draft: Draft) -> ItemName:
        """Create an item from a draft (``CreateItem``).

        Raises:
            AmbiguousWriteError: It may have been created; only a search for its marker tells.
        """
        check_marker(self.request, draft.marker_key)
        return self._send_draft(draft, partial(envelopes_writing.create_entry, self.owner, self.folder_id), _created)

    def change_to_draft(self, item: ItemName, draft: Draft) -> ItemName:
        """Bring an item to a draft, if it still is as it was read (``UpdateItem``), and return its new version.

        Raises:
            ConflictError: It has another version now.
            AmbiguousWriteError: It may have been changed.
        """

        def envelope(entry: Any) -> bytes:
            # Where a server told no version none is sent: it has nothing to compare, or it refuses.
            names, resolution = envelopes_writing.DRAFTED, "NeverOverwrite"
            return envelopes_writing.change_entry(item.item_id, item.change_key or None, entry, names, resolution)

        return self._send_draft(draft, envelope, _renamed)

    def _send_draft(
        self, draft: Draft, envelope: Callable[[Any], bytes], read: Callable[[Element], ItemName | Refusal]
    ) -> ItemName:
        """Send a draft in its time zone; where the server knows no such zone and therefore refused, in UTC."""
        try:
            return self.send(self._built(draft, draft.time_zone, envelope), read)
        except SkippableError as error:
            if error.detail not in ZONE_REFUSED:
                raise
        return self.send(self._built(draft, UTC_ZONE, envelope), read)

    def _built(self, draft: Draft, zone: str, envelope: Callable[[Any], bytes]) -> bytes:
        try:
            return envelope(envelopes_writing.draft_entry(draft, zone))
        except ValueError:  # the library's own check of lengths; its message quotes the text
            failure = make_error(SkippableError, Reason.VALUE_UNREADABLE, self.request)
        raise failure

    def remove(self, item_ids: Sequence[str]) -> None:
        """Remove items (``DeleteItem``); those that are gone already are removed.

        They stay recoverable for their owner where the server can do that.
        """
        read = partial(_removed, count=len(item_ids))
        try:
            self.send(envelopes_writing.delete_entries(item_ids), read)
        except SkippableError as error:
            if error.detail not in SOFT_DELETE_REFUSED:
                raise
        else:
            return
        self.send(envelopes_writing.delete_entries(item_ids, soft=False), read)

    def send(self, envelope: bytes, read: Callable[[Element], T | Refusal]) -> T:
        """Send a request that changes something there."""
        return send_write(self.transport, self.request, envelope, read)


def send_write(transport: Transport, request: Request, envelope: bytes, read: Callable[[Element], T | Refusal]) -> T:
    """Send a request that changes something.

    Raises:
        AmbiguousWriteError: It may have taken effect.
    """
    try:
        return transport.send(envelope, request.what, read)
    except (RetriableError, FatalError) as error:
        if not _may_have_happened(error):
            raise
        failure = make_error(AmbiguousWriteError, error.reason, request, detail=error.detail, step=_LOOK_UP)
    raise failure


_LOOK_UP = "it may have taken effect: the next try looks first"


def _may_have_happened(error: BusyTimeError) -> bool:
    if (error.detail or "").startswith("http_"):
        # A status without a word of EWS may come from something in between that lost the server's answer. A log-on that
        # was refused, a page that is not there and a redirect are answers of their own.
        return isinstance(error, RetriableError)
    if isinstance(error, SpoiltAnswerError):
        return error.detail not in NOT_REACHED
    # Something unknown or a web page, perhaps after the request was taken; a plain refusal has a code.
    return error.detail is None and (type(error) is FatalError or error.reason is Reason.NOT_AN_EWS_SERVER)


def _refusal_in(message: Element) -> Refusal | None:
    """Return what a write is plainly refused with.

    Raises:
        Unreadable: The answer says something in between, like a warning: the write may have taken effect.
    """
    refusal = refusal_in(message)
    if refusal is not None and (message.get("ResponseClass") != "Error" or refusal.code in (None, "NoError")):
        raise Unreadable(Reason.MALFORMED_ANSWER)
    return refusal


def _created(payload: Element) -> ItemName | Refusal:
    return _named_in(single_message(payload, "CreateItem"))


def _renamed(payload: Element) -> ItemName | Refusal:
    return _named_in(single_message(payload, "UpdateItem"))


def _named_in(message: Element) -> ItemName | Refusal:
    refusal = _refusal_in(message)
    item = single_item(message) if refusal is None else refusal
    return item if isinstance(item, Refusal) else name_of(item)


def _changed(payload: Element) -> Refusal | None:
    return _refusal_in(single_message(payload, "UpdateItem"))


def _removed(payload: Element, count: int) -> Refusal | None:
    refusals = [_refusal_in(message) for message in messages_of(payload, "DeleteItem", count)]
    return next((refusal for refusal in refusals if refusal is not None and not _is_gone(refusal)), None)


def _is_gone(refusal: Refusal) -> bool:
    return ruling_of(refusal.code).reason is Reason.FOLDER_NOT_FOUND
